//! Agree on a key, prove who agreed, seal every message with it.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::large_stack_frames, clippy::string_slice))]

#[cfg(test)]
extern crate std;

pub mod codec;
pub mod gateway;
mod secret;
pub mod transport;

pub use secret::Secret;
