//! Key Agreement (§3): both ends against each other in every scheme and mode, whoever sits between them, and the fields that
//! they seal afterwards.
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

mod ends;
mod faults;
mod fields;
mod handshake;
mod messages;
mod store;
