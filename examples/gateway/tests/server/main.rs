//! The gateway over TCP, with the library's own client and with requests that no client would send.
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

mod endpoints;
mod forwarding;
mod key_agreement;
mod limits;
mod qa;
mod secrecy;
mod shutdown;
mod start;
#[allow(unreachable_pub, reason = "a test has no public")]
mod support;
