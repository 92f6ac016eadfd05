//! A Dynamic Key V2 gateway: the core of [`dynamic_key`] behind HTTP/1.1, with sessions in memory and one upstream.
//!
//! ```text
//! listener ─▶ api ─▶ dynamic_key::gateway::Gateway ─▶ upstream
//!                          │
//!                          └─ sessions in memory
//! ```
//!
//! [`Config`] says what it does, [`Server::bind`] starts it, [`Server::serve`] runs it.

#![forbid(unsafe_code)]

mod agreements;
mod api;
pub mod args;
mod body;
pub mod config;
mod cors;
mod http;
pub mod issuer;
mod keys;
mod limit;
mod log;
mod policy;
pub mod relay;
mod rest;
mod sample;
mod server;
mod shared;
mod store;
mod upstream;

pub use config::{Config, ConfigError};
pub use keys::KeyError;
pub use sample::SampleUpstream;
pub use server::{Server, StartError};

use dynamic_key::codec::timestamp::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The provider of this server: software, with the system's randomness, whose failure is an error.
pub type Software = dynamic_key::crypto::software::Software<getrandom::SysRng>;

/// The wall clock.
fn now() -> Timestamp {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Timestamp::from_unix_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
