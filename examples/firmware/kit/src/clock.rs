//! The clocks of the machine.

use board::semihosting::unix_seconds;
use board::timer::{self, FREQUENCY, Moment};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::session::{Now, Uptime};

/// A clock that counts from its start. It must be read at least every 171 seconds, or the timer's wraps are lost.
pub struct Clock {
    last: Moment,
    ticks: u64,
}

impl Clock {
    /// Starts it; the [UART](board::uart::Uart) has started the timer.
    #[must_use]
    pub fn start() -> Self {
        Self { last: timer::now(), ticks: 0 }
    }

    /// Milliseconds since the start.
    pub fn millis(&mut self) -> u64 {
        let now = timer::now();
        self.ticks += u64::from(now.since(self.last));
        self.last = now;
        self.ticks / u64::from(FREQUENCY / 1000)
    }

    /// What a device without a wall clock knows of the time.
    pub fn now(&mut self) -> Now {
        Now::uptime(Uptime::from_millis(self.millis()))
    }

    /// Waits.
    pub fn sleep(&mut self, millis: u64) {
        let end = self.millis() + millis;
        while self.millis() < end {}
    }
}

/// The wall clock, which a board without one asks its host for.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::from_unix_secs(unix_seconds().into())
}
