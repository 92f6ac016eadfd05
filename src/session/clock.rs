//! Time as the core sees it: what the caller's clocks show, handed in with each call.

use crate::codec::timestamp::{Timestamp, millis};

/// Milliseconds of a clock that starts anywhere and never steps back: since boot, for example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Uptime(u64);

impl Uptime {
    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

/// What the caller's clocks show: a wall clock, a monotonic one, both, or neither.
///
/// A wall clock may step; a session whose limit is told by a monotonic clock does not care. Nothing here subtracts, so
/// a clock that steps back ends nothing and breaks nothing: the peer's clock still decides at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Now {
    /// The wall clock.
    pub wall: Option<Timestamp>,
    /// The monotonic clock.
    pub uptime: Option<Uptime>,
}

impl Now {
    /// No clock: sessions are used until they are refused.
    pub const UNKNOWN: Self = Self { wall: None, uptime: None };

    /// A wall clock alone.
    #[must_use]
    pub const fn wall(wall: Timestamp) -> Self {
        Self { wall: Some(wall), uptime: None }
    }

    /// A monotonic clock alone.
    #[must_use]
    pub const fn uptime(uptime: Uptime) -> Self {
        Self { wall: None, uptime: Some(uptime) }
    }

    /// Both clocks.
    #[must_use]
    pub const fn both(wall: Timestamp, uptime: Uptime) -> Self {
        Self { wall: Some(wall), uptime: Some(uptime) }
    }
}

/// When a session ends by the caller's clocks: the earliest of `expiresAt`, a non-zero `expireToken` and `expiresIn` (§2.1).
/// `now ≥ limit` is expired.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Expiry {
    wall: Timestamp,
    uptime: Uptime,
}

/// Later than any clock shows.
const NEVER: u64 = u64::MAX;

impl Expiry {
    /// That of a session which has ended.
    pub(crate) const PAST: Self = Self { wall: Timestamp::from_unix_millis(0), uptime: Uptime(0) };

    /// The end of a session whose hello was sent at `sent`. `wall` are its limits by the wall clock; `expires_in`, in
    /// seconds, counts from `sent` on the monotonic clock, or on the wall clock where there is no other.
    #[must_use]
    pub fn new(sent: Now, wall: Timestamp, expires_in: Option<u64>) -> Self {
        Self::after(sent, wall, expires_in.map(millis))
    }

    /// As [`Expiry::new`], `lasts` being in milliseconds.
    fn after(sent: Now, wall: Timestamp, lasts: Option<u64>) -> Self {
        let mut expiry = Self { wall, uptime: Uptime(NEVER) };
        match (lasts, sent.uptime, sent.wall) {
            (Some(millis), Some(uptime), _) => expiry.uptime = Uptime(uptime.0.saturating_add(millis)),
            (Some(millis), None, Some(start)) => {
                let end = start.as_unix_millis().saturating_add(millis);
                expiry.wall = wall.min(Timestamp::from_unix_millis(end));
            }
            _ => {}
        }
        expiry
    }

    /// What can be stored of it (§2.7): its end by the wall clock, and for how many milliseconds it lasts from now on by a clock
    /// that begins anew with the next boot, 2⁶⁴ − 1 where that is not known.
    pub(crate) fn to_stored(&self, now: Now) -> (Timestamp, u64) {
        let lasts = match now.uptime {
            Some(uptime) if self.uptime.0 != NEVER => self.uptime.0.saturating_sub(uptime.0),
            _ => NEVER,
        };
        let wall = now.wall.map_or(self.wall, |wall| self.wall.min(wall.saturating_add_millis(lasts)));
        (wall, lasts)
    }

    /// What was stored, by the clocks of a later boot. How long the power was off, only a wall clock knows.
    pub(crate) fn from_stored(now: Now, wall: Timestamp, lasts: u64) -> Self {
        Self::after(now, wall, (lasts != NEVER).then_some(lasts))
    }

    /// Whether the session is past its end. Once it was, it stays so, whatever the clocks do afterwards.
    pub fn is_over(&mut self, now: Now) -> bool {
        let over = now.wall.is_some_and(|wall| wall >= self.wall)
            || now.uptime.is_some_and(|uptime| uptime >= self.uptime)
            || self.uptime == Uptime(0);
        if over {
            // Zero is reached by every clock, and is the mark for none.
            *self = Self::PAST;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }
    const fn up(seconds: u64) -> Uptime {
        Uptime::from_millis(seconds * 1000)
    }

    #[test]
    fn the_earliest_limit_counts_and_is_exclusive() {
        let mut expiry = Expiry::new(Now::both(at(1000), up(5)), at(2000), Some(60));
        assert!(!expiry.clone().is_over(Now::both(at(1999), up(64))));
        assert!(expiry.clone().is_over(Now::uptime(up(65))));
        assert!(expiry.is_over(Now::wall(at(2000))));
    }

    #[test]
    fn without_a_monotonic_clock_expires_in_counts_on_the_wall() {
        let mut expiry = Expiry::new(Now::wall(at(1000)), at(2000), Some(60));
        assert!(!expiry.is_over(Now::wall(Timestamp::from_unix_millis(1_059_999))));
        assert!(expiry.is_over(Now::wall(at(1060))));
    }

    #[test]
    fn without_any_clock_it_lasts() {
        let mut expiry = Expiry::new(Now::UNKNOWN, at(2000), Some(60));
        assert!(!expiry.is_over(Now::UNKNOWN));
        assert!(!expiry.is_over(Now::uptime(up(1_000_000))));
    }

    #[test]
    fn a_clock_that_steps_back_neither_ends_nor_revives_it() {
        let mut expiry = Expiry::new(Now::wall(at(1000)), at(2000), Some(60));
        assert!(!expiry.is_over(Now::wall(at(3))));
        assert!(expiry.is_over(Now::wall(at(1060))));
        assert!(expiry.is_over(Now::wall(at(1000))));
        assert!(expiry.is_over(Now::UNKNOWN));
    }

    #[test]
    fn the_largest_numbers_saturate() {
        let mut expiry =
            Expiry::new(Now::both(at(1), up(1)), Timestamp::from_unix_millis(u64::MAX), Some(u64::MAX));
        assert!(!expiry.is_over(Now::both(at(1 << 40), up(1 << 40))));
    }
}
