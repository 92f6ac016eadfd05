#![doc = include_str!("../README.md")]

mod derivation;
mod error;
mod key;
mod object;
mod provider;
mod token;

pub use derivation::{Derivation, HostKdf, InToken};
pub use error::{Mechanism, OpenError};
pub use key::{AgreementKey, Identity};
pub use object::Handle;
pub use provider::Hsm;
pub use token::{Pin, Token, Which};
