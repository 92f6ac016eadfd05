#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "chip")]
extern crate std;

#[cfg(feature = "chip")]
pub mod chip;
pub mod driver;
pub mod frame;

#[cfg(feature = "chip")]
pub use chip::Chip;
pub use driver::{ElementProvider, ElementRecipient, ElementSigner, ElementVerifier, SecureElement, Trouble};
