//! What the examples share: TCP, a tap on it, clocks, and the keys that a gateway publishes.

pub(crate) mod jwks;
pub(crate) mod tap;
pub(crate) mod tcp;

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::session::{Now, Uptime};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clocks of this machine.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// What they show. A wall clock before 1970 is none.
    pub(crate) fn now(self) -> Now {
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        Now {
            wall: wall.map(|wall| Timestamp::from_unix_millis(millis(wall))),
            uptime: Some(Uptime::from_millis(millis(self.started.elapsed()))),
        }
    }
}
