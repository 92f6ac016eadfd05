//! The client that awaits: beside the one that blocks, call by call, and given up at every await.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod given_up;
mod room;
mod server;
mod slow;
#[path = "../support/mod.rs"]
mod support;
mod tokens;
mod twins;
