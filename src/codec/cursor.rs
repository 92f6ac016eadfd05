//! Cursors over byte slices: one that reads, one that writes and keeps count past the end.

use super::BufferTooSmall;
use core::fmt;

/// Reads a slice from front to back. Every method consumes what it returns, and nothing where it returns
/// `None`.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub const fn byte(&mut self) -> Option<u8> {
        let Some((&first, rest)) = self.rest.split_first() else { return None };
        self.rest = rest;
        Some(first)
    }

    /// The next `len` bytes.
    pub const fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else { return None };
        self.rest = rest;
        Some(taken)
    }

    /// The next `N` bytes.
    pub const fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else { return None };
        self.rest = rest;
        Some(taken)
    }

    /// Passes over `prefix`, if it is what comes next.
    pub fn expect(&mut self, prefix: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(prefix)?;
        Some(())
    }
}

/// Writes a slice from front to back.
///
/// What does not fit is counted and not written, and neither is anything after it, so that [`Writer::finish`]
/// can name the size that would have been enough.
pub struct Writer<'o> {
    out: &'o mut [u8],
    position: usize,
}

impl<'o> Writer<'o> {
    /// A writer at the start of `out`.
    #[must_use]
    pub const fn new(out: &'o mut [u8]) -> Self {
        Self { out, position: 0 }
    }

    /// How many bytes have been put so far, written or only counted.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Puts `bytes`.
    #[inline(never)] // small: it is called for every piece of a message
    pub fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.reserve(bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// Puts a number in decimal digits.
    pub fn put_decimal(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut rest = number;
        let mut start = digits.len();
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' | (rest % 10) as u8;
            rest /= 10;
            start = at;
            if rest == 0 {
                break;
            }
        }
        self.put(digits.get(start..).unwrap_or_default());
    }

    /// The next `len` bytes of the slice, to be filled by the caller; `None` where they do not fit (they are
    /// counted all the same).
    pub fn reserve(&mut self, len: usize) -> Option<&mut [u8]> {
        let start = self.position;
        self.position = start.saturating_add(len);
        self.out.get_mut(start..)?.get_mut(..len)
    }

    /// How many bytes were written, from the start of the slice.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] with the exact size that everything put would have taken.
    pub const fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.position > self.out.len() {
            return Err(BufferTooSmall { needed: self.position });
        }
        Ok(self.position)
    }

    /// The bytes written.
    ///
    /// # Errors
    ///
    /// As [`Writer::finish`].
    pub fn finish_slice(self) -> Result<&'o [u8], BufferTooSmall> {
        let Self { out, position } = self;
        let out: &'o [u8] = out;
        out.get(..position).ok_or(BufferTooSmall { needed: position })
    }
}

/// Of what is read and written, nothing is printed: it may be secret.
impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} bytes left)", self.rest.len())
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} bytes of {})", self.position, self.out.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_consumes_nothing_on_failure() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5]);
        assert_eq!(reader.byte(), Some(1));
        assert_eq!(reader.take(5), None);
        assert_eq!(reader.array::<5>(), None);
        assert_eq!(reader.expect(&[3]), None);
        assert_eq!(reader.expect(&[2]), Some(()));
        assert_eq!(reader.array(), Some(&[3, 4]));
        assert_eq!(reader.rest(), [5]);
        assert_eq!(reader.take(1), Some(&[5][..]));
        assert_eq!(reader.byte(), None);
        assert_eq!(reader.take(0), Some(&[][..]));
        assert!(reader.is_empty());
    }

    fn fill(out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut writer = Writer::new(out);
        writer.put(b"ab");
        writer.put_decimal(0);
        writer.put_decimal(u64::MAX);
        if let Some(room) = writer.reserve(2) {
            room.fill(b'-');
        }
        writer.put(b"z");
        writer.finish()
    }

    #[test]
    fn needed_is_exact() {
        let mut out = [0; 26];
        assert_eq!(fill(&mut out), Ok(26));
        assert_eq!(&out, b"ab018446744073709551615--z");
        for len in 0..26 {
            assert_eq!(fill(&mut out[..len]), Err(BufferTooSmall { needed: 26 }), "{len}");
        }
    }

    #[test]
    fn nothing_is_written_behind_a_gap() {
        let mut out = [0; 3];
        let mut writer = Writer::new(&mut out);
        writer.put(b"ab");
        writer.put(b"cd");
        writer.put(b"e");
        assert_eq!(writer.finish_slice(), Err(BufferTooSmall { needed: 5 }));
        assert_eq!(&out, b"ab\0");
    }

    #[test]
    fn the_count_saturates() {
        let mut writer = Writer::new(&mut []);
        assert!(writer.reserve(usize::MAX).is_none());
        writer.put(b"a");
        assert_eq!(writer.finish(), Err(BufferTooSmall { needed: usize::MAX }));
    }
}
