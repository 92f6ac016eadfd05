//! Slow operations, suspended: an agreement, a generation, a signature or a verification of either role that is delayed, fails
//! or is cancelled, at every step of every mode. No secret stays behind, no session is half made, and the next handshake is as
//! good as any.
//!
//! `stepped` drives the machines by hand, `awaited` by futures, `agreed` the same for Key
//! Agreement; `introduced` has the gateway's verification of a client.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod agreed;
mod awaited;
mod introduced;
mod plan;
mod stage;
mod stepped;
#[path = "../support/mod.rs"]
mod support;
