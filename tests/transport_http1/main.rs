//! HTTP/1.1 as a client and a server speak it: over scripted streams that misbehave, and over real TCP. Over scripted streams
//! the driver that blocks and the one that awaits go side by side.
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

#[path = "../support/executor.rs"]
#[allow(unreachable_pub, reason = "others use it from a library of their own")]
mod executor;
mod framing;
mod given_up;
mod keep_alive;
mod script;
mod serving;
mod tcp;
