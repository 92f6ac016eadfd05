//! The relay over TCP, with the library's own identities and with requests that no honest one sends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod access;
mod durability;
mod identities;
mod listen;
mod listening;
mod messages;
mod ops;
mod pages;
mod rotation;
mod secrecy;
#[path = "../server/support/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "shared with the tests of the server")]
mod server;
mod settings;
mod socket;
mod stream;
mod support;
