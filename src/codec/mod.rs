//! Strict, bounded encodings without recursion: JSON, base64, SPKI DER, percent-encoding, RFC 3339 time, `Retry-After`.

pub mod base64;
pub mod cursor;
pub mod json;
pub mod percent;
pub mod retry_after;
pub mod spki;
pub mod timestamp;

use core::fmt;

/// The output does not fit the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BufferTooSmall {
    /// The bytes that the buffer must have, exactly: `needed` work and `needed − 1` do not.
    pub needed: usize,
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer is too small: {} bytes are needed", self.needed)
    }
}

impl core::error::Error for BufferTooSmall {}

/// Whether all of `text` are letters, digits of ASCII and `marks`. Nothing is.
#[inline(never)] // small: every grammar of names and tokens is one of these
pub(crate) const fn is_made_of(text: &[u8], marks: &[u8]) -> bool {
    let mut text = text;
    while let [byte, behind @ ..] = text {
        let mut marks = marks;
        while !byte.is_ascii_alphanumeric() {
            let [mark, others @ ..] = marks else { return false };
            if *mark == *byte {
                break;
            }
            marks = others;
        }
        text = behind;
    }
    true
}

/// The number, where `text` is one in plain digits; one that is too large is the largest.
#[inline(never)] // small: lengths, statuses and times are read by it
pub(crate) fn decimal(text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_usize, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number.saturating_mul(10).saturating_add(digit.into()))
    })
}
