//! What the device and the gateway on a microcontroller have in common: a line, a clock, randomness, settings, a log.
//!
//! The log is `defmt`'s, over semihosting: frames of indices and arguments, which `defmt-print` makes text of with the help
//! of the ELF file. No part of it is a key, a token or a message.
#![no_std]
#![forbid(unsafe_code)]

mod clock;
mod line;
mod random;
mod settings;

pub use clock::{Clock, wall};
pub use line::{Line, Wire, WireError};
pub use random::{Random, random};
pub use settings::Settings;

// The logger, and its critical section.
use cortex_m as _;
use defmt_semihosting as _;
