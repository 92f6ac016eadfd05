//! All vectors of `test-vectors/`, which an independent implementation made, against the crate.
//!
//! Nothing is skipped silently: each test asserts how many cases it ran, and names those that this version cannot run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    clippy::string_slice,
    reason = "a test that fails should panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod agreement;
mod answer;
mod door;
mod envelope;
#[cfg(feature = "ffdhe")]
mod foreign_keys;
mod hello;
mod key_agreement;
mod messages;
mod peer;
mod plain;
mod tokens;
mod vector;
