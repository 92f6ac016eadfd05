//! A counter that its task keeps ticking, beside the client on the same executor: it stands still while anything blocks.

use core::sync::atomic::{AtomicU32, Ordering};
use embassy_time::{Duration, Instant, Timer};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Counts the ticks that it is awake in.
#[embassy_executor::task]
pub async fn count() {
    loop {
        Timer::after(Duration::from_ticks(1)).await;
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

/// A moment, in time and on the counter.
#[derive(Clone, Copy)]
pub struct Mark {
    at: Instant,
    count: u32,
}

/// What has passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    /// Ticks of time, 100 µs each.
    pub ticks: u32,
    /// How far the counter came meanwhile.
    pub counted: u32,
}

impl Mark {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Instant::now(), count: COUNT.load(Ordering::Relaxed) }
    }

    /// What has passed since.
    #[must_use]
    pub fn passed(self) -> Passed {
        let now = Self::now();
        Passed { ticks: (now.at - self.at).as_ticks() as u32, counted: now.count.wrapping_sub(self.count) }
    }
}

impl Passed {
    /// Whether enough time passed to tell, and the counter ticked through at least three quarters of it. (Between two of
    /// its ticks other tasks have their turn.)
    #[must_use]
    pub fn never_stood_still(self) -> bool {
        self.ticks >= 20 && self.counted >= self.ticks / 4 * 3
    }
}
