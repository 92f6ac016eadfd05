//! When a token is renewed and when a failed request is repeated: margins, back-off, and a clock that only goes forward.

use crate::codec::retry_after::RetryAfter;
use crate::codec::timestamp::Timestamp;
use crate::session::{Now, Uptime};

/// The longest `Retry-After` that is taken at its word, in milliseconds: a day. What is longer counts as a day, so that one
/// odd answer does not silence a device for good.
pub const MAX_RETRY_AFTER: u64 = 86_400_000;

/// When to renew and when to repeat, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Policy {
    /// How long before its end a token is renewed, though never more than a quarter of its lifetime.
    pub margin: u64,
    /// Up to so much earlier it is renewed by chance, so that devices which began together do not renew together; never
    /// more than another quarter of its lifetime.
    pub spread: u64,
    /// How long to wait after a first failure. It doubles with each further one; by chance, up to half of it is
    /// left out.
    pub first_back_off: u64,
    /// The most that it comes to.
    pub longest_back_off: u64,
}

impl Policy {
    /// A minute before the end, up to 30 s earlier by chance; back-off from 1 s to 5 minutes.
    pub const DEFAULT: Self =
        Self { margin: 60_000, spread: 30_000, first_back_off: 1_000, longest_back_off: 300_000 };

    /// How long a token of this lifetime is used before it is renewed; `random` is any number.
    pub(super) fn renewal(&self, lifetime: u64, random: u32) -> u64 {
        let quarter = lifetime / 4;
        let (margin, spread) = (self.margin.min(quarter), self.spread.min(quarter));
        lifetime.saturating_sub(margin).saturating_sub(share(spread, random))
    }

    /// How long to wait after so many failures before this one: half the back-off, or `Retry-After` where that is longer,
    /// and by chance up to another half of the back-off.
    pub(super) fn back_off(&self, failures: u32, random: u32, retry_after: u64) -> u64 {
        let doubled = self.first_back_off.saturating_mul(1 << failures.min(40));
        let half = doubled.min(self.longest_back_off) / 2;
        half.max(retry_after).saturating_add(share(half, random))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// As much of `whole` as `random` is of 2³².
const fn share(whole: u64, random: u32) -> u64 {
    // Two halves, each of which has room for the product.
    let (high, low) = (whole >> 32, whole & 0xffff_ffff);
    let random = random as u64;
    high.wrapping_mul(random).wrapping_add(low.wrapping_mul(random) >> 32)
}

/// How long `retry_after` is from `now`, in milliseconds; a date says nothing to whom has no wall clock.
pub(super) fn wait(retry_after: Option<RetryAfter>, now: Now) -> u64 {
    let millis = match (retry_after, now.wall) {
        (Some(RetryAfter::Seconds(seconds)), _) => u64::from(seconds).saturating_mul(1_000),
        (Some(RetryAfter::Date(date)), Some(wall)) => {
            date.as_unix_millis().saturating_sub(wall.as_unix_millis())
        }
        _ => 0,
    };
    millis.min(MAX_RETRY_AFTER)
}

/// The milliseconds that the caller's clocks have gone forward, whatever else they did: a step back counts for nothing,
/// and what was to come is as far off as it was. The monotonic clock counts where it is there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Elapsed {
    millis: u64,
    wall: Option<Timestamp>,
    uptime: Option<Uptime>,
}

impl Elapsed {
    /// Takes note of `now` and says how much has gone by.
    pub(super) fn at(&mut self, now: Now) -> u64 {
        let forward = match (self.uptime, now.uptime, self.wall, now.wall) {
            (Some(before), Some(after), ..) => after.as_millis().saturating_sub(before.as_millis()),
            (.., Some(before), Some(after)) => after.as_unix_millis().saturating_sub(before.as_unix_millis()),
            _ => 0,
        };
        self.advance(forward);
        if now != Now::UNKNOWN {
            (self.wall, self.uptime) = (now.wall, now.uptime);
        }
        self.millis
    }

    /// So much has gone by, as the caller knows without a clock.
    pub(super) const fn advance(&mut self, millis: u64) {
        self.millis = self.millis.saturating_add(millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_a_margin_before_its_end() {
        let policy = Policy::DEFAULT;
        assert_eq!(policy.renewal(3_600_000, 0), 3_540_000);
        assert_eq!(policy.renewal(3_600_000, u32::MAX), 3_510_001);
        assert_eq!(policy.renewal(3_600_000, 1 << 31), 3_525_000);
        // Of a short life half is used at the least.
        assert_eq!(policy.renewal(40_000, 0), 30_000);
        assert_eq!(policy.renewal(40_000, u32::MAX), 20_001);
        assert_eq!((policy.renewal(1, u32::MAX), policy.renewal(0, 7)), (1, 0));
        assert_eq!(policy.renewal(u64::MAX, 0), u64::MAX - 60_000);
        let wide = Policy { margin: u64::MAX, spread: u64::MAX, ..policy };
        assert!(wide.renewal(u64::MAX, u32::MAX) >= u64::MAX / 2);
    }

    #[test]
    fn back_off_doubles_to_its_longest_and_honours_retry_after() {
        let policy = Policy::DEFAULT;
        for (failures, least) in
            [(0, 500), (1, 1_000), (2, 2_000), (8, 128_000), (9, 150_000), (u32::MAX, 150_000)]
        {
            assert_eq!(policy.back_off(failures, 0, 0), least);
            assert_eq!(policy.back_off(failures, u32::MAX, 0), 2 * least - 1);
        }
        assert_eq!(policy.back_off(0, 0, 7_000), 7_000);
        assert_eq!(policy.back_off(0, 1 << 31, 7_000), 7_250);
        let widest = Policy { first_back_off: u64::MAX, longest_back_off: u64::MAX, ..policy };
        assert!(widest.back_off(u32::MAX, u32::MAX, u64::MAX) >= u64::MAX - 1);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_wall_clock() {
        let wall = Now::wall(Timestamp::from_unix_secs(1_000));
        let date = |secs| Some(RetryAfter::Date(Timestamp::from_unix_secs(secs)));
        assert_eq!(wait(None, wall), 0);
        assert_eq!(wait(Some(RetryAfter::Seconds(7)), Now::UNKNOWN), 7_000);
        assert_eq!(wait(Some(RetryAfter::Seconds(u32::MAX)), wall), MAX_RETRY_AFTER);
        assert_eq!(wait(date(1_007), wall), 7_000);
        assert_eq!(wait(date(999), wall), 0);
        assert_eq!(wait(date(u64::MAX), wall), MAX_RETRY_AFTER);
        assert_eq!(wait(date(1_007), Now::UNKNOWN), 0);
        assert_eq!(wait(date(1_007), Now::uptime(Uptime::from_millis(5))), 0);
    }

    #[test]
    fn only_steps_forward_count() {
        let up = |millis| Now::uptime(Uptime::from_millis(millis));
        let wall = |millis| Now::wall(Timestamp::from_unix_millis(millis));
        let mut elapsed = Elapsed::default();
        assert_eq!(elapsed.at(wall(1_000_000)), 0, "a clock begins anywhere");
        assert_eq!(elapsed.at(wall(1_000_010)), 10);
        assert_eq!(elapsed.at(wall(5)), 10);
        assert_eq!(elapsed.at(Now::UNKNOWN), 10);
        assert_eq!(elapsed.at(wall(10)), 15);
        assert_eq!(elapsed.at(up(7)), 15, "another clock");
        assert_eq!(elapsed.at(up(9)), 17);
        let both = |wall, up| Now::both(Timestamp::from_unix_millis(wall), Uptime::from_millis(up));
        assert_eq!(elapsed.at(both(1_000_000, 10)), 18);
        assert_eq!(elapsed.at(both(3, 12)), 20, "the monotonic clock counts");
        assert_eq!(elapsed.at(wall(4)), 21);
        elapsed.advance(u64::MAX);
        assert_eq!(elapsed.at(wall(5)), u64::MAX);
    }
}
