//! Agree on a key, prove who agreed, seal every message with it.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice))]

#[cfg(test)]
extern crate std;

pub mod agreement;
pub mod client;
pub mod codec;
pub mod crypto;
pub mod envelope;
mod error;
pub mod gateway;
pub mod handshake;
pub mod jose;
mod log;
pub mod nonce;
pub mod replay;
pub mod request;
pub mod scheme;
mod secret;
pub mod session;
pub mod transport;

pub use error::{Code, Error, Incompatible, Misuse, Peer};
pub use secret::Secret;
