//! Identities of `dynamic_key::identity` through the relay of the example gateway, over TCP on a free loopback port.
//!
//! ```text
//! cargo run --release --example identity
//! ```
//!
//! Exit code 0 only if all went as told.
#![allow(clippy::large_stack_frames, reason = "a host has megabytes of stack")]
#![allow(dead_code, reason = "not every example needs all that examples share")]

#[path = "identity/mod.rs"]
mod identity;
#[path = "support/services.rs"]
mod services;
#[path = "support/story.rs"]
mod story;
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    services::tell("Identities and what they tell each other", &identity::SCENES)
}
