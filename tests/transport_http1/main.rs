//! HTTP/1.1 as a client and a server speak it: over scripted streams that misbehave, and over real TCP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    clippy::string_slice,
    reason = "a test that fails should panic"
)]

mod framing;
mod keep_alive;
mod script;
mod serving;
mod tcp;
