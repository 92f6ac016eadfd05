//! JOSE (§4): signed, encrypted and packaged messages against the vectors of RFCs, of Project Wycheproof and of the source, and
//! against whoever edits them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    clippy::string_slice,
    reason = "a test that fails should panic"
)]

mod api_keys;
mod encrypted;
mod every_byte;
mod headers;
mod keys;
mod packages;
mod passwords;
mod registration;
mod signed;
mod support;
mod wycheproof;
