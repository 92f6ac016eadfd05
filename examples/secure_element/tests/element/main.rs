//! The chip and its driver: conformance, the table of all handshakes, what the bus shows, faults, and slots.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

#[path = "../../../../tests/table/accords.rs"]
mod accords;
mod commands;
mod conformance;
mod faults;
mod packages;
mod rig;
#[path = "../../../../tests/table/rows.rs"]
mod rows;
mod secrecy;
mod slots;
#[path = "../../../../tests/support/mod.rs"]
mod support;
mod table;
