//! Nonces going out (§2.4): a counter that never comes twice, and the AEAD nonce behind a nonce on the wire.

use crate::crypto::provider::NONCE_LEN;
use core::fmt;

/// A nonce as it stands on the wire, 12 bytes: a prefix of four and a counter (or eight random bytes).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(align(4))] // moved by words
pub struct WireNonce([u8; NONCE_LEN]);

impl WireNonce {
    /// Joins prefix and counter.
    #[must_use]
    pub const fn new(prefix: [u8; 4], counter: u64) -> Self {
        let ([a, b, c, d], [e, f, g, h, i, j, k, l]) = (prefix, counter.to_be_bytes());
        Self([a, b, c, d, e, f, g, h, i, j, k, l])
    }

    /// Takes the 12 bytes of the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; NONCE_LEN]) -> Self {
        Self(bytes)
    }

    /// The 12 bytes of the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; NONCE_LEN] {
        &self.0
    }

    /// The first four bytes: 0 in a request, the gateway's instance in a response, random in plain mode.
    #[must_use]
    pub const fn prefix(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.0;
        [a, b, c, d]
    }

    /// The last eight bytes.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        let [_, _, _, _, e, f, g, h, i, j, k, l] = self.0;
        u64::from_be_bytes([e, f, g, h, i, j, k, l])
    }

    /// The AEAD nonce: the wire nonce XOR the direction's iv, which is zero in plain mode.
    #[must_use]
    pub fn masked(&self, iv: &[u8; NONCE_LEN]) -> [u8; NONCE_LEN] {
        let mut nonce = self.0;
        for (byte, mask) in nonce.iter_mut().zip(iv) {
            *byte ^= mask;
        }
        nonce
    }
}

impl fmt::Debug for WireNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}:{}", u32::from_be_bytes(self.prefix()), self.counter())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for WireNonce {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=u32:08x}:{=u64}", u32::from_be_bytes(self.prefix()), self.counter());
    }
}

/// The top bit of the first byte tells the directions of plain mode apart: 0 in requests, 1 in responses.
pub const RESPONSE_BIT: u8 = 0x80;

/// How many messages one key may seal, and how many AES blocks (§2.4).
pub mod limit {
    /// Messages for the one key of a plain session, both ways together.
    pub const PLAIN_MESSAGES: u64 = 1 << 16;
    /// Requests of a plain session: each has one response.
    pub const PLAIN_REQUESTS: u64 = PLAIN_MESSAGES / 2;
    /// Messages each way in all other modes: the counters go from 0 to one less.
    pub const MESSAGES: u64 = 1 << 24;
    /// AES blocks each way.
    pub const BLOCKS: u64 = 1 << 34;
    /// The AES blocks that go with each counter of a block reserved ahead (§2.7): those of 16 KiB.
    pub const BLOCKS_EACH: u64 = BLOCKS / MESSAGES;

    /// The AES blocks that a message of `len` bytes takes, that of the tag included.
    #[must_use]
    pub const fn blocks(len: usize) -> u64 {
        (len as u64).div_ceil(16).saturating_add(1)
    }
}

/// The nonces of a sender: one prefix, a counter up to a limit, and the AES blocks that are left.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NonceSequence {
    prefix: [u8; 4],
    next: u64,
    limit: u64,
    blocks_left: u64,
}

/// The key has sealed as much as it may. A new session is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Exhausted;

impl NonceSequence {
    /// Starts at counter 0; counters stay below `limit`.
    #[must_use]
    pub const fn new(prefix: [u8; 4], limit: u64) -> Self {
        Self { prefix, next: 0, limit, blocks_left: limit::BLOCKS }
    }

    /// The sequence of a session that was stored, in a mode other than plain: whatever may have been sealed below `reserved` has
    /// been, and nothing can be until [`NonceSequence::reserve`].
    pub(crate) const fn stored(reserved: u64) -> Self {
        Self { prefix: [0; 4], next: reserved, limit: reserved, blocks_left: 0 }
    }

    /// Whether nothing beyond a block reserved ahead can be sealed, in a mode other than plain. The last counter is never reserved: without it the
    /// limit would look like that of a session which was not stored.
    pub(crate) const fn is_reserved(&self) -> bool {
        self.limit < limit::MESSAGES
    }

    /// How many AES blocks were sealed, or are taken to have been.
    const fn blocks(&self) -> u64 {
        let most =
            if self.is_reserved() { self.limit.saturating_mul(limit::BLOCKS_EACH) } else { limit::BLOCKS };
        most.saturating_sub(self.blocks_left)
    }

    /// Where a reservation ends that holds `count` more messages, with [`limit::BLOCKS_EACH`] AES blocks for each, and a message of
    /// `len` bytes in any case. `None` where the key has not as much left.
    pub(crate) fn reservation(&self, count: u64, len: usize) -> Option<u64> {
        const END: u64 = limit::MESSAGES - 1;
        let reserved = if self.is_reserved() { self.limit } else { 0 };
        let used = self.next.max(self.blocks().div_ceil(limit::BLOCKS_EACH)).max(reserved);
        let with_blocks = self.blocks().saturating_add(limit::blocks(len)).div_ceil(limit::BLOCKS_EACH);
        let least = self.next.saturating_add(1).max(with_blocks);
        (least <= END).then_some(used.saturating_add(count).min(END).max(least))
    }

    /// Seals up to the end of a reservation, which is durable, and no further.
    pub(crate) const fn reserve(&mut self, end: u64) {
        self.blocks_left = end.saturating_mul(limit::BLOCKS_EACH).saturating_sub(self.blocks());
        self.limit = end;
    }

    /// A sequence that has sealed `next` messages of `blocks` blocks, which would take a while.
    #[cfg(test)]
    pub(crate) const fn worn(mut self, next: u64, blocks: u64) -> Self {
        (self.next, self.blocks_left) = (next, limit::BLOCKS - blocks);
        self
    }

    /// Whether another message of `len` bytes may be sealed.
    ///
    /// # Errors
    /// [`Exhausted`] when it may not.
    pub const fn check(&self, len: usize) -> Result<(), Exhausted> {
        if self.next < self.limit && limit::blocks(len) <= self.blocks_left { Ok(()) } else { Err(Exhausted) }
    }

    /// Consumes the next nonce, for a message of `len` bytes. It is consumed whatever becomes of the message.
    ///
    /// # Errors
    /// [`Exhausted`] at the limit of messages or blocks; nothing is consumed then.
    pub fn consume(&mut self, len: usize) -> Result<WireNonce, Exhausted> {
        self.check(len)?;
        let nonce = WireNonce::new(self.prefix, self.next);
        self.next = self.next.saturating_add(1);
        self.blocks_left = self.blocks_left.saturating_sub(limit::blocks(len));
        Ok(nonce)
    }

    /// The prefix of all its nonces.
    #[must_use]
    pub const fn prefix(&self) -> [u8; 4] {
        self.prefix
    }

    /// The counter that comes next: as many messages were sealed.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// How many messages may still be sealed, as far as their number goes.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_nonce_is_prefix_and_counter() {
        let nonce = WireNonce::new([1, 2, 3, 4], 0x0506_0708_090a_0b0c);
        assert_eq!(nonce.as_bytes(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!((nonce.prefix(), nonce.counter()), ([1, 2, 3, 4], 0x0506_0708_090a_0b0c));
        assert_eq!(nonce.masked(&[0xff; 12]), [254, 253, 252, 251, 250, 249, 248, 247, 246, 245, 244, 243]);
        assert_eq!(nonce.masked(&[0; 12]), *nonce.as_bytes());
    }

    #[test]
    fn the_counter_stops_at_its_limit_and_stays_there() {
        let mut sequence = NonceSequence::new([9; 4], 3);
        for counter in 0..3 {
            assert_eq!(sequence.consume(0), Ok(WireNonce::new([9; 4], counter)));
        }
        assert_eq!(sequence.consume(0), Err(Exhausted));
        assert_eq!(sequence.consume(0), Err(Exhausted));
        assert_eq!((sequence.next(), sequence.remaining()), (3, 0));
    }

    #[test]
    fn a_reservation_is_all_that_can_be_sealed() {
        let mut sequence = NonceSequence::new([0; 4], limit::MESSAGES);
        assert!(!sequence.is_reserved());
        sequence.consume(0).unwrap();
        assert_eq!(sequence.reservation(4, 0), Some(5));
        sequence.reserve(5);
        for counter in 1..5 {
            assert_eq!(sequence.consume(0), Ok(WireNonce::new([0; 4], counter)));
        }
        assert_eq!((sequence.consume(0), sequence.reservation(4, 0)), (Err(Exhausted), Some(9)));
        let mut stored = NonceSequence::stored(9);
        assert!(stored.is_reserved() && stored.check(0).is_err());
        stored.reserve(stored.reservation(1, 0).unwrap());
        assert_eq!((stored.consume(0), stored.consume(0)), (Ok(WireNonce::new([0; 4], 9)), Err(Exhausted)));
    }

    /// 1,024 AES blocks go with each counter; a message that takes more takes their counters.
    #[test]
    fn a_reservation_holds_the_blocks_of_its_messages() {
        let mut sequence = NonceSequence::stored(7);
        let long = 3 * 16 * 1024;
        assert_eq!(sequence.reservation(1, long), Some(11), "its tag is one block too many for three");
        sequence.reserve(11);
        assert!(sequence.consume(long).is_ok() && sequence.consume(16 * 1024).is_err());
        assert_eq!(
            sequence.reservation(1, 0),
            Some(12),
            "three counters were skipped over, none comes twice"
        );
        let blocks = (limit::MESSAGES - 1) * limit::BLOCKS_EACH;
        let worn = NonceSequence::new([0; 4], limit::MESSAGES).worn(1, blocks);
        assert_eq!(worn.reservation(1, 0), None);
        for (next, end) in [(0, Some(4)), (limit::MESSAGES - 3, Some(limit::MESSAGES - 1))] {
            assert_eq!(NonceSequence::new([0; 4], limit::MESSAGES).worn(next, 0).reservation(4, 0), end);
        }
        assert_eq!(NonceSequence::stored(limit::MESSAGES - 1).reservation(4, 0), None);
        assert_eq!(NonceSequence::stored(u64::MAX).reservation(u64::MAX, usize::MAX), None);
    }

    #[test]
    fn blocks_stop_it_too() {
        let mut sequence = NonceSequence::new([0; 4], limit::MESSAGES);
        sequence.blocks_left = 3;
        assert_eq!(sequence.check(33), Err(Exhausted));
        assert!(sequence.consume(32).is_ok());
        assert_eq!(sequence.consume(0), Err(Exhausted));
        assert_eq!(sequence.next(), 1);
    }
}
