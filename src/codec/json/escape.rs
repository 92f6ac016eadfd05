//! Strings of JSON: escapes read and written.

use super::super::{
    BufferTooSmall,
    base64::{self, Base64Error},
    cursor::{Reader, Writer},
};
use super::Place;
use super::plain::{ends_plain, plain_len};
use core::{fmt, ops::Range};

/// A string whose grammar has been checked, escaped as it was sent.
#[derive(Clone, Copy)]
pub struct Str<'a> {
    pub(super) raw: &'a str,
    pub(super) place: Place,
}

impl<'a> Str<'a> {
    /// What stands for a string that is not there: no name, no number, no base64.
    pub(crate) const MISSING: Self = Self { raw: "?", place: Place::new(0, false) };

    /// What stands between the quotes, as sent.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.raw.as_bytes()
    }

    /// Where [`Str::raw`] stands in the text that was given to [`object`](super::object).
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.place.at()..self.place.at().wrapping_add(self.raw.len())
    }

    /// Whether there are no escapes.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        !self.place.is_escaped()
    }

    /// The string, where it has no escapes.
    #[must_use]
    pub const fn as_plain(self) -> Option<&'a str> {
        if self.place.is_escaped() { None } else { Some(self.raw) }
    }

    /// The unescaped string, byte for byte in UTF-8.
    #[must_use]
    pub const fn bytes(self) -> Bytes<'a> {
        Bytes::new(self.raw.as_bytes())
    }

    /// Bytes of the unescaped string.
    #[must_use]
    pub fn len(self) -> usize {
        if self.place.is_escaped() { self.bytes().count() } else { self.raw.len() }
    }

    /// Whether the string is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// Whether the unescaped string is `text`.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        if self.place.is_escaped() { self.bytes().eq(text.bytes()) } else { self.raw == text }
    }

    /// Whether a control character (below U+0020) is in it, which can only be as an escape.
    #[must_use]
    pub fn has_escaped_control(self) -> bool {
        self.place.is_escaped() && self.bytes().any(|byte| byte < 0x20)
    }

    /// Writes the unescaped string, [`Str::len`] bytes, at the start of `out`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] where it does not fit; nothing is written then.
    pub fn copy_to(self, out: &mut [u8]) -> Result<&str, BufferTooSmall> {
        let needed = self.len();
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        if self.is_plain() {
            out.copy_from_slice(self.raw());
        } else {
            self.bytes().read(out);
        }
        Ok(core::str::from_utf8(out).unwrap_or_default())
    }

    /// Writes the bytes of which this is the canonical padded base64 at the start of `out`, which needs room
    /// for them only.
    ///
    /// # Errors
    ///
    /// [`Base64Error::Malformed`] for any other text; [`Base64Error::BufferTooSmall`] where the bytes do not fit.
    /// What `out` then holds is of no use.
    pub fn base64(self, out: &mut [u8]) -> Result<&[u8], Base64Error> {
        decoded(self.decode(base64::to_bytes, out), out)
    }

    /// Writes the bytes of which this is the canonical base64url at the start of `out`, which needs room for
    /// them only.
    ///
    /// # Errors
    ///
    /// As [`Str::base64`].
    pub fn base64url(self, out: &mut [u8]) -> Result<&[u8], Base64Error> {
        decoded(self.decode(base64::url_to_bytes, out), out)
    }

    /// Unescapes and decodes piece by piece: every piece but the last is full, and decodes without padding. Tells how many
    /// bytes there are, whether they fit or not.
    fn decode(self, in_place: DecodeInPlace, out: &mut [u8]) -> Option<usize> {
        let mut bytes = self.bytes();
        let mut out = Writer::new(out);
        let mut piece = [0; PIECE];
        loop {
            let len = bytes.read(&mut piece);
            let decoded = in_place(piece.get_mut(..len)?)?;
            out.put(piece.get(..decoded)?);
            if decoded < PIECE_DECODED {
                break;
            }
        }
        // Nothing may come behind a piece with padding.
        if bytes.next().is_some() { None } else { Some(out.position()) }
    }
}

/// The bytes that were decoded.
fn decoded(len: Option<usize>, out: &[u8]) -> Result<&[u8], Base64Error> {
    let needed = len.ok_or(Base64Error::Malformed)?;
    Ok(out.get(..needed).ok_or(BufferTooSmall { needed })?)
}

/// Characters that are decoded at once: a multiple of four.
const PIECE: usize = 64;
const PIECE_DECODED: usize = PIECE / 4 * 3;

type DecodeInPlace = fn(&mut [u8]) -> Option<usize>;

/// The bytes of a string, unescaped.
#[derive(Clone)]
pub struct Bytes<'a> {
    raw: &'a [u8],
    /// What is left of a character that was escaped, first byte lowest. Only its first byte can be 0.
    pending: u32,
}

impl<'a> Bytes<'a> {
    /// Of a checked string, which ends at an unescaped quote or with the slice.
    pub(super) const fn new(raw: &'a [u8]) -> Self {
        Self { raw, pending: 0 }
    }

    /// Writes the next bytes to `out`, as many as it takes and there are, and returns their number.
    fn read(&mut self, out: &mut [u8]) -> usize {
        let mut len = 0_usize;
        if self.pending == 0 {
            // Up to the first escape they stand as they are.
            let raw = self.raw;
            len = plain_len(raw.get(..out.len()).unwrap_or(raw));
            if let (Some((run, behind)), Some(room)) = (raw.split_at_checked(len), out.get_mut(..len)) {
                room.copy_from_slice(run);
                self.raw = behind;
            }
        }
        for place in out.get_mut(len..).unwrap_or_default() {
            let Some(byte) = self.next() else { break };
            *place = byte;
            len = len.wrapping_add(1);
        }
        len
    }
}

impl Iterator for Bytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.pending == 0 {
            let mut raw = Reader::new(self.raw);
            match raw.byte()? {
                b'"' => return None,
                b'\\' => self.pending = unescape(&mut raw)?,
                byte => self.pending = byte.into(),
            }
            self.raw = raw.rest();
        }
        let byte = self.pending.to_le_bytes()[0];
        self.pending >>= 8;
        Some(byte)
    }
}

impl core::iter::FusedIterator for Bytes<'_> {}

/// What was sent may be secret: only its place is printed.
impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Str").field(&self.range()).finish()
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} as sent)", self.raw.len())
    }
}

/// Replaces a checked string, as it stands between its quotes, by its unescaped bytes, and returns their
/// number.
pub fn unescape_in_place(raw: &mut [u8]) -> usize {
    // What is written is never longer than what has been read.
    let (mut from, mut pending) = (plain_len(raw), 0);
    let mut to = from;
    loop {
        let mut rest = Bytes { raw: raw.get(from..).unwrap_or_default(), pending };
        let Some(byte) = rest.next() else { return to };
        (from, pending) = (raw.len().wrapping_sub(rest.raw.len()), rest.pending);
        if let Some(place) = raw.get_mut(to) {
            *place = byte;
        }
        to = to.wrapping_add(1);
    }
}

/// Reads what stands behind a backslash: the UTF-8 of its character, first byte lowest. `None` where that is no escape.
#[inline(never)] // small: it is called by whoever checks and by whoever reads
pub(super) fn unescape(text: &mut Reader<'_>) -> Option<u32> {
    let letter = text.byte()?;
    if letter == b'u' {
        return code_point(text);
    }
    LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, byte)| u32::from(*byte))
}

/// What stands behind a backslash, and for what.
const LETTERS: [(u8, u8); 8] = [
    (b'"', b'"'),
    (b'\\', b'\\'),
    (b'/', b'/'),
    (b'b', 0x08),
    (b't', b'\t'),
    (b'n', b'\n'),
    (b'f', 0x0c),
    (b'r', b'\r'),
];

/// Reads the code point behind `\u`, as [`unescape`] does: surrogates come in pairs.
fn code_point(text: &mut Reader<'_>) -> Option<u32> {
    let mut code = code_unit(text)?;
    if code >> 10 == 0xd800 >> 10 {
        text.expect(br"\u")?;
        let low = code_unit(text)?;
        if low >> 10 != 0xdc00 >> 10 {
            return None;
        }
        code = ((code & 0x3ff) << 10 | (low & 0x3ff)).wrapping_add(0x1_0000);
    }
    let mut utf8 = [0; 4];
    char::from_u32(code)?.encode_utf8(&mut utf8);
    Some(u32::from_le_bytes(utf8))
}

/// Reads four hexadecimal digits.
#[inline(never)]
fn code_unit(text: &mut Reader<'_>) -> Option<u32> {
    let mut unit = 0;
    for &digit in text.array::<4>()? {
        unit = unit << 4 | char::from(digit).to_digit(16)?;
    }
    Some(unit)
}

/// Bytes of `text` as [`escape`] writes it.
#[must_use]
pub const fn escaped_len(text: &str) -> usize {
    let mut len = 0_usize;
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        len = len.saturating_add(if ends_plain(byte) { escape_len(letter_of(byte)) } else { 1 });
        rest = behind;
    }
    len
}

/// Writes `text` as it stands between the quotes of a JSON string, [`escaped_len`] bytes, at the start of
/// `out`: `"`, `\` and control characters escaped, nothing else.
///
/// # Errors
///
/// [`BufferTooSmall`] where it does not fit.
pub fn escape<'o>(text: &str, out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
    let mut out = Writer::new(out);
    put_escaped(&mut out, text);
    out.finish_slice().map(|out| core::str::from_utf8(out).unwrap_or_default())
}

/// Puts `text` as a JSON string, quotes included.
pub fn put_string(out: &mut Writer<'_>, text: &str) {
    out.put(b"\"");
    put_escaped(out, text);
    out.put(b"\"");
}

fn put_escaped(out: &mut Writer<'_>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some((plain, behind)) = rest.split_at_checked(plain_len(rest)) {
        out.put(plain);
        let Some((&byte, behind)) = behind.split_first() else { break };
        let letter = letter_of(byte);
        let digit = byte & 0xf;
        let digit = if digit < 10 { b'0' | digit } else { digit.wrapping_add(b'a' - 10) };
        let escape = [b'\\', letter, b'0', b'0', b'0' | byte >> 4, digit];
        out.put(escape.get(..escape_len(letter)).unwrap_or_default());
        rest = behind;
    }
}

/// What stands behind the backslash for a byte that must be escaped: `u` where four digits follow.
const fn letter_of(byte: u8) -> u8 {
    let mut letters: &[(u8, u8)] = &LETTERS;
    while let [(letter, known), others @ ..] = letters {
        if *known == byte {
            return *letter;
        }
        letters = others;
    }
    b'u'
}

/// Bytes of the escape with this letter.
const fn escape_len(letter: u8) -> usize {
    if letter == b'u' { 6 } else { 2 }
}
