//! What the tests share: a gateway on a free port, devices that speak to it over TCP, and a scripted upstream.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "not every test uses all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod device;
mod gateway;
mod http;
mod tcp;
mod upstream;

pub use device::{Device, MODES, Sealed, client};
pub use gateway::{Program, Running, demo, folder};
pub use http::{Answer, HEADERS, exchange, read_answer};
pub use tcp::Dial;
pub use upstream::{Script, Upstream};
