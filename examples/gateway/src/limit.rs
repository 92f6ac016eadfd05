//! How often one source may do what costs the gateway something.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Two sources share a budget once in as many pairs. Nobody can choose whose: the hash is keyed.
const CELLS: usize = 1 << 16;
/// How much of a minute's budget may come at once.
const BURST: Duration = Duration::from_secs(30);

/// A rate for each source: GCRA in a table of fixed size, without a lock.
pub(crate) struct SourceLimit {
    /// Between two events at the steady rate.
    interval: u64,
    start: Instant,
    hasher: RandomState,
    /// For each source when its budget is whole again, in microseconds since `start`.
    whole_at: Vec<AtomicU64>,
}

impl fmt::Debug for SourceLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceLimit").field("interval_micros", &self.interval).finish_non_exhaustive()
    }
}

/// The rate is exceeded; another attempt after this time may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) retry_after: Duration,
}

impl Exceeded {
    /// Rounded up: after that many seconds there is room.
    pub(crate) const fn seconds(self) -> u64 {
        self.retry_after.as_secs().saturating_add(1)
    }
}

impl SourceLimit {
    /// `per_minute` events a minute, half of them at once; `None` for 0, which is no limit.
    pub(crate) fn per_minute(per_minute: u32) -> Option<Self> {
        let interval = 60_000_000_u64.checked_div(per_minute.into())?.max(1);
        let whole_at = (0..CELLS).map(|_| AtomicU64::new(0)).collect();
        Some(Self { interval, start: Instant::now(), hasher: RandomState::new(), whole_at })
    }

    /// Whether `source` may go on, without counting anything.
    pub(crate) fn check(&self, source: IpAddr) -> Result<(), Exceeded> {
        let now = self.now();
        let whole_at = self.cell(source).map_or(0, |cell| cell.load(Ordering::Relaxed));
        self.next(whole_at, now).map(drop)
    }

    /// Counts one event of `source`, unless it exceeds the rate.
    pub(crate) fn charge(&self, source: IpAddr) -> Result<(), Exceeded> {
        let (now, Some(cell)) = (self.now(), self.cell(source)) else { return Ok(()) };
        let mut seen = cell.load(Ordering::Relaxed);
        loop {
            let next = self.next(seen, now)?;
            match cell.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }

    fn next(&self, whole_at: u64, now: u64) -> Result<u64, Exceeded> {
        let next = whole_at.max(now).saturating_add(self.interval);
        let burst = micros(BURST).max(self.interval);
        match next.saturating_sub(now).checked_sub(burst) {
            Some(excess) if excess > 0 => Err(Exceeded { retry_after: Duration::from_micros(excess) }),
            _ => Ok(next),
        }
    }

    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }

    fn cell(&self, source: IpAddr) -> Option<&AtomicU64> {
        #[expect(clippy::cast_possible_truncation, reason = "any part of a hash will do")]
        let hash = self.hasher.hash_one(network(source)) as usize;
        self.whole_at.get(hash % CELLS)
    }
}

/// An IPv4 address, or the /64 that one IPv6 host has to itself.
fn network(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn half_a_minutes_budget_at_once_and_then_the_rate() {
        let limit = SourceLimit::per_minute(20).unwrap();
        for _ in 0..10 {
            assert_eq!(limit.charge(ONE), Ok(()));
        }
        let exceeded = limit.charge(ONE).unwrap_err();
        assert!(exceeded.retry_after <= Duration::from_secs(3), "{exceeded:?}");
        assert!(limit.check(ONE).is_err());
        assert_eq!(limit.check(OTHER), Ok(()));
    }

    #[test]
    fn time_gives_it_back() {
        let limit = SourceLimit::per_minute(20).unwrap();
        let second = 1_000_000;
        assert_eq!(limit.next(0, 100 * second), Ok(103 * second));
        assert_eq!(limit.next(127 * second, 100 * second), Ok(130 * second));
        let excess = Exceeded { retry_after: Duration::from_secs(1) };
        assert_eq!(limit.next(128 * second, 100 * second), Err(excess));
        assert_eq!(limit.next(128 * second, 101 * second), Ok(131 * second));
    }

    #[test]
    fn a_low_rate_still_admits_one() {
        let limit = SourceLimit::per_minute(1).unwrap();
        assert_eq!(limit.charge(ONE), Ok(()));
        assert!(limit.charge(ONE).is_err());
        assert!(SourceLimit::per_minute(0).is_none());
    }

    #[test]
    fn an_ipv6_host_is_one_source_whatever_address_it_takes() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
