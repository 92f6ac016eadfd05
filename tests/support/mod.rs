//! What the tests share: generators, providers that show or fail, a gateway in memory, and a transport that reaches it.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "not every test uses all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod accord;
mod counted;
mod device;
mod executor;
mod faulty;
mod glass;
mod house;
mod link;
mod random;
mod storm;
mod world;

pub use accord::{Accord, Parley, facts, fields};
pub use counted::{Count, Counted, Live};
pub use device::{Device, DeviceHandshake, DeviceSession, MODES, call, hello_headers, request_headers, seal};
pub use executor::{block_on, pause, poll_times};
pub use faulty::{Faulty, Fuse};
pub use glass::Glass;
pub use house::{ANSWER, DEVICE, Guest, House, Visit};
pub use link::{Link, Lost, Tamper, Wire};
pub use random::{Script, Seeded};
pub use storm::{Broken, Storm, forged};
pub use world::{AUDIENCE, KNOWN, START, World, echo, head_of};

use dynamic_key::crypto::software::Software;

pub type Soft = Software<Seeded>;
