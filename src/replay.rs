//! Nonces coming in (§2.4): sliding windows over counters, exact sets for plain mode, and a client's outstanding counters.

use crate::nonce::limit;

/// A counter or nonce that was seen before, or is too old to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Replayed;

/// A sliding window of `WORDS` × 32 counters below the highest one seen, RFC 4303 §3.4.3.
///
/// Check, authenticate, then commit: a forged message must not move the window.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Window<const WORDS: usize> {
    /// One more than the highest counter committed; 0 is none.
    top: u64,
    /// The counter `c` is bit `c % WIDTH`, valid for the `WIDTH` counters below `top`.
    seen: [u32; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    /// How many counters it spans.
    pub const WIDTH: u64 = {
        assert!(WORDS > 0, "a window without width");
        WORDS as u64 * 32
    };

    /// A window that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { top: 0, seen: [0; WORDS] }
    }

    /// Whether `counter` may still come.
    ///
    /// # Errors
    /// [`Replayed`] when it was committed or lies below the window.
    pub fn check(&self, counter: u64) -> Result<(), Replayed> {
        if counter >= self.top {
            return Ok(());
        }
        let too_old = self.top.saturating_sub(counter) > Self::WIDTH;
        let (word, bit) = Self::place(counter);
        let seen = self.seen.get(word).is_none_or(|word| word & bit != 0);
        if too_old || seen { Err(Replayed) } else { Ok(()) }
    }

    /// Commits `counter`, after its message has been authenticated.
    ///
    /// # Errors
    /// [`Replayed`] as [`Window::check`]; nothing has changed then.
    pub fn commit(&mut self, counter: u64) -> Result<(), Replayed> {
        self.check(counter)?;
        if counter >= self.top {
            let next = counter.checked_add(1).ok_or(Replayed)?;
            if next.saturating_sub(self.top) >= Self::WIDTH {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.top..counter {
                    self.set(skipped, false);
                }
            }
            self.top = next;
        }
        self.set(counter, true);
        Ok(())
    }

    fn set(&mut self, counter: u64, seen: bool) {
        let (word, bit) = Self::place(counter);
        if let Some(word) = self.seen.get_mut(word) {
            *word = if seen { *word | bit } else { *word & !bit };
        }
    }

    /// The word and the bit of a counter.
    fn place(counter: u64) -> (usize, u32) {
        let position = counter.checked_rem(Self::WIDTH).unwrap_or(0);
        #[expect(clippy::cast_possible_truncation, reason = "below WIDTH, which came from a usize")]
        let position = position as usize;
        (position >> 5, 1 << (position & 31))
    }
}

impl<const WORDS: usize> Default for Window<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// An exact set of at most `N` nonces, and of no more than a plain session may carry. It never forgets: when it is full,
/// the session ends.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NonceSet<const N: usize> {
    sorted: heapless::Vec<[u8; 12], N>,
}

/// Why a nonce was not committed to a [`NonceSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NonceSetError {
    /// It was seen before.
    Replayed,
    /// The set is full.
    Full,
}

impl<const N: usize> NonceSet<N> {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { sorted: heapless::Vec::new() }
    }

    /// Whether `nonce` was committed.
    #[must_use]
    pub fn contains(&self, nonce: &[u8; 12]) -> bool {
        self.sorted.binary_search(nonce).is_ok()
    }

    /// Commits `nonce`, after its message has been authenticated.
    ///
    /// # Errors
    /// [`NonceSetError`]; nothing has changed then.
    pub fn commit(&mut self, nonce: &[u8; 12]) -> Result<(), NonceSetError> {
        match self.sorted.binary_search(nonce) {
            Ok(_) => Err(NonceSetError::Replayed),
            Err(_) if self.sorted.len() as u64 >= limit::PLAIN_REQUESTS => Err(NonceSetError::Full),
            Err(place) => self.sorted.insert(place, *nonce).map_err(|_| NonceSetError::Full),
        }
    }
}

impl<const N: usize> Default for NonceSet<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The counters of requests whose responses a client still awaits: at most `N`, each answered once.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Outstanding<const N: usize> {
    counters: heapless::Vec<u64, N, u8>,
}

/// `N` requests await their responses; one must come, or be given up, first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooManyOutstanding;

impl<const N: usize> Outstanding<N> {
    /// None outstanding.
    #[must_use]
    pub const fn new() -> Self {
        Self { counters: heapless::Vec::new() }
    }

    /// Whether there is room for one more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.counters.is_full()
    }

    /// Whether none is outstanding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    /// The one that has waited longest.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        self.counters.first().copied()
    }

    /// Whether the response to `counter` is awaited.
    #[must_use]
    pub fn contains(&self, counter: u64) -> bool {
        self.counters.contains(&counter)
    }

    /// Awaits the response to `counter`.
    ///
    /// # Errors
    /// [`TooManyOutstanding`].
    pub fn insert(&mut self, counter: u64) -> Result<(), TooManyOutstanding> {
        self.counters.push(counter).map_err(|_| TooManyOutstanding)
    }

    /// Awaits it no more: its response has been authenticated, or the request was given up.
    pub fn remove(&mut self, counter: u64) {
        let kept = keep_others(&mut self.counters, counter);
        self.counters.truncate(kept);
    }
}

/// Moves the counters other than `counter` to the front, in their order. How many they are.
#[inline(never)]
fn keep_others(counters: &mut [u64], counter: u64) -> usize {
    let mut kept = 0_usize;
    for at in 0..counters.len() {
        if let Some(other) = counters.get(at).copied().filter(|other| *other != counter)
            && let Some(place) = counters.get_mut(kept)
        {
            *place = other;
            kept = kept.wrapping_add(1);
        }
    }
    kept
}

impl<const N: usize> Default for Outstanding<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The rule, written down without economy.
    fn model(committed: &BTreeSet<u64>, width: u64, counter: u64) -> bool {
        let highest = committed.last().copied();
        !committed.contains(&counter)
            && highest.is_none_or(|highest| counter > highest || highest - counter < width)
    }

    fn against_model<const WORDS: usize>(seed: u64) {
        let mut window = Window::<WORDS>::new();
        let mut committed = BTreeSet::new();
        let mut state = seed;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let base = committed.last().copied().unwrap_or(0);
            let spread = Window::<WORDS>::WIDTH * 2;
            let counter = match state >> 60 {
                0 => base + (state >> 20) % (3 * spread),
                1..8 => base + (state >> 20) % 3,
                _ => base.saturating_sub((state >> 20) % spread),
            };
            let expected = model(&committed, Window::<WORDS>::WIDTH, counter);
            assert_eq!(window.check(counter).is_ok(), expected, "{counter} after {base}");
            if state & 0x300 != 0 {
                assert_eq!(window.commit(counter).is_ok(), expected);
                if expected {
                    committed.insert(counter);
                }
            }
        }
    }

    #[test]
    fn windows_of_64_and_1024_follow_the_rule() {
        for seed in 0..8 {
            against_model::<2>(seed);
            against_model::<32>(seed);
        }
    }

    #[test]
    fn at_the_powers_and_at_the_limit() {
        for base in [1 << 8, 1 << 16, 1 << 24, 1 << 32, 1 << 48, u64::MAX - 4000] {
            for offset in [0, 1, 2, 31, 32, 33, 63, 64, 65, 1023, 1024, 1025] {
                let mut window = Window::<32>::new();
                window.commit(base).unwrap();
                window.commit(base + offset + 1).unwrap();
                assert_eq!(window.check(base), Err(Replayed), "{base} again after {offset}");
                assert_eq!(window.commit(base + offset + 1), Err(Replayed));
                // The lowest counter of the window may still come, the one below it may not.
                let Some(lowest) = (base + offset + 1).checked_sub(1023) else { continue };
                assert_eq!(window.check(lowest).is_ok(), lowest != base);
                if let Some(below) = lowest.checked_sub(1) {
                    assert_eq!(window.check(below), Err(Replayed));
                }
            }
        }
        let mut window = Window::<2>::new();
        assert_eq!(window.commit(u64::MAX), Err(Replayed));
        window.commit(u64::MAX - 1).unwrap();
        assert_eq!(window.commit(u64::MAX - 1), Err(Replayed));
    }

    #[test]
    fn a_check_changes_nothing() {
        let mut window = Window::<2>::new();
        window.commit(5).unwrap();
        let before = (window.top, window.seen);
        for counter in [0, 5, 6, 1 << 40] {
            let _ = window.check(counter);
        }
        let _ = window.commit(5);
        assert_eq!((window.top, window.seen), before);
    }

    #[test]
    fn the_set_is_exact_and_bounded() {
        let mut set = NonceSet::<3>::new();
        for nonce in [[3; 12], [1; 12], [2; 12]] {
            assert_eq!(set.commit(&nonce), Ok(()));
            assert_eq!(set.commit(&nonce), Err(NonceSetError::Replayed));
        }
        assert_eq!(set.commit(&[4; 12]), Err(NonceSetError::Full));
        assert!(set.contains(&[1; 12]) && !set.contains(&[4; 12]));
    }

    #[test]
    fn each_outstanding_counter_is_answered_once() {
        let mut outstanding = Outstanding::<2>::new();
        outstanding.insert(7).unwrap();
        outstanding.insert(9).unwrap();
        assert!(outstanding.is_full());
        assert_eq!(outstanding.insert(10), Err(TooManyOutstanding));
        outstanding.remove(7);
        assert!(!outstanding.contains(7) && outstanding.contains(9));
    }
}
