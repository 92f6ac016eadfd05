//! Identities (§4) against the source's registration example, and against relays and peers who edit what they pass on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    clippy::string_slice,
    reason = "a test that fails should panic"
)]

mod chain;
mod message;
mod package;
mod profile;
mod recovery;
mod registration;
mod response;
mod support;
