//! Strings of JSON: escapes read and written.

use super::super::{
    BufferTooSmall,
    base64::{self, Base64Error},
    cursor::Writer,
};
use super::Place;
use super::scan::{ends_plain, plain_len};
use core::{fmt, ops::Range};

/// A string whose grammar has been checked, escaped as it was sent.
#[derive(Clone, Copy)]
pub struct Str<'a> {
    raw: &'a str,
    place: Place,
}

impl<'a> Str<'a> {
    pub(super) const fn new(raw: &'a str, place: Place) -> Self {
        Self { raw, place }
    }

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
        if self.place.is_escaped() {
            self.bytes().read(out);
        } else {
            out.copy_from_slice(self.raw.as_bytes());
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
        self.decode(base64::decode_in_place, out)
    }

    /// Writes the bytes of which this is the canonical base64url at the start of `out`, which needs room for
    /// them only.
    ///
    /// # Errors
    ///
    /// As [`Str::base64`].
    pub fn base64url(self, out: &mut [u8]) -> Result<&[u8], Base64Error> {
        self.decode(base64::url_decode_in_place, out)
    }

    pub(super) const fn at(self) -> usize {
        self.place.at()
    }

    /// Unescapes and decodes piece by piece: every piece but the last is full, and decodes without padding.
    fn decode(self, in_place: DecodeInPlace, out: &mut [u8]) -> Result<&[u8], Base64Error> {
        let mut bytes = self.bytes();
        let mut out = Writer::new(out);
        let mut piece = [0; PIECE];
        let mut decoded = PIECE_DECODED;
        while let Some(len) = bytes.read(&mut piece) {
            // Nothing may come behind a piece with padding.
            if decoded != PIECE_DECODED {
                return Err(Base64Error::Malformed);
            }
            decoded = in_place(piece.get_mut(..len).unwrap_or_default())?;
            out.put(piece.get(..decoded).unwrap_or_default());
        }
        Ok(out.finish_slice()?)
    }
}

/// Characters that are decoded at once: a multiple of four.
const PIECE: usize = 64;
const PIECE_DECODED: usize = PIECE / 4 * 3;

type DecodeInPlace = fn(&mut [u8]) -> Result<usize, Base64Error>;

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

    /// Writes the next bytes to `out`, as many as it takes and there are, and returns their number; `None`
    /// behind the last.
    fn read(&mut self, out: &mut [u8]) -> Option<usize> {
        let mut len = 0_usize;
        while let Some(room) = out.get_mut(len..) {
            let run = if self.pending == 0 { plain_run(self.raw, room.len()) } else { 0 };
            if let (Some((run, behind)), Some(room)) = (self.raw.split_at_checked(run), room.get_mut(..run)) {
                room.copy_from_slice(run);
                self.raw = behind;
            }
            len = len.wrapping_add(run);
            let Some(place) = out.get_mut(len) else { break };
            let Some(byte) = self.next() else { break };
            *place = byte;
            len = len.wrapping_add(1);
        }
        if len == 0 { None } else { Some(len) }
    }
}

/// How many of the first `limit` bytes come before the first escape.
fn plain_run(raw: &[u8], limit: usize) -> usize {
    let raw = raw.get(..limit).unwrap_or(raw);
    raw.iter().position(|&byte| byte == b'\\').unwrap_or(raw.len())
}

impl Iterator for Bytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let unit = if self.pending != 0 {
            self.pending
        } else {
            let (unit, rest) = next_unit(self.raw)?;
            self.raw = rest;
            unit
        };
        self.pending = unit >> 8;
        Some(unit.to_le_bytes()[0])
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
    let mut from = plain_run(raw, raw.len());
    let mut to = from;
    while let Some((unit, rest)) = raw.get(from..).and_then(next_unit) {
        from = raw.len().wrapping_sub(rest.len());
        let mut unit = unit;
        loop {
            if let Some(place) = raw.get_mut(to) {
                *place = unit.to_le_bytes()[0];
            }
            to = to.wrapping_add(1);
            unit >>= 8;
            if unit == 0 {
                break;
            }
        }
    }
    to
}

/// The next byte, or the UTF-8 of the next escaped character, first byte lowest; and what comes behind it.
fn next_unit(raw: &[u8]) -> Option<(u32, &[u8])> {
    let (&first, rest) = raw.split_first()?;
    match first {
        b'"' => None,
        b'\\' => {
            let (&kind, rest) = rest.split_first()?;
            let byte = match kind {
                b'b' => 0x08,
                b't' => b'\t',
                b'n' => b'\n',
                b'f' => 0x0c,
                b'r' => b'\r',
                b'u' => return Some(code_point(rest)),
                other => other,
            };
            Some((byte.into(), rest))
        }
        byte => Some((byte.into(), rest)),
    }
}

/// The code point behind `\u`, as UTF-8 with its first byte lowest, and what follows it.
fn code_point(raw: &[u8]) -> (u32, &[u8]) {
    let (mut code, mut rest) = code_unit_of(raw);
    if (0xd800..0xdc00).contains(&code) {
        let (low, behind) = code_unit_of(rest.get(2..).unwrap_or_default());
        code = ((code & 0x3ff) << 10 | (low & 0x3ff)).wrapping_add(0x1_0000);
        rest = behind;
    }
    (utf8(code), rest)
}

fn code_unit_of(raw: &[u8]) -> (u32, &[u8]) {
    (code_unit(raw).unwrap_or_default(), raw.get(4..).unwrap_or_default())
}

/// The UTF-8 of a code point, its first byte lowest. What is none is the replacement character.
const fn utf8(code: u32) -> u32 {
    let mut rest = if code >> 11 == 0xd800 >> 11 { 0xfffd } else { code };
    if rest < 0x80 {
        return rest;
    }
    // From the last byte to the first, which has room for fewer bits with each byte behind it, under as many ones.
    let (mut bytes, mut room) = (0, 0x40);
    while rest >= room {
        bytes = bytes << 8 | 0x80 | rest & 0x3f;
        rest >>= 6;
        room = if room == 0x40 { 0x20 } else { room >> 1 };
    }
    bytes << 8 | 0xff & !(room << 1).wrapping_sub(1) | rest
}

/// The number of the four hexadecimal digits that `digits` begins with.
#[inline(never)]
pub(super) fn code_unit(digits: &[u8]) -> Option<u32> {
    let mut unit = 0;
    for &digit in digits.first_chunk::<4>()? {
        let value = match digit {
            b'0'..=b'9' => digit.wrapping_sub(b'0'),
            _ => match digit | 0x20 {
                letter @ b'a'..=b'f' => letter.wrapping_sub(b'a' - 10),
                _ => return None,
            },
        };
        unit = unit << 4 | u32::from(value);
    }
    Some(unit)
}

/// Bytes of `text` as [`escape`] writes it.
#[must_use]
pub const fn escaped_len(text: &str) -> usize {
    let mut len = 0_usize;
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        len = len.saturating_add(if ends_plain(byte) { escape_of(byte).1 } else { 1 });
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
        let (escape, len) = escape_of(byte);
        out.put(escape.get(..len).unwrap_or_default());
        rest = behind;
    }
}

/// How a byte of a string is written, and in how many bytes.
const fn escape_of(byte: u8) -> ([u8; 6], usize) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        0..0x20 => {
            let digit = byte & 0xf;
            let digit = if digit < 10 { b'0' | digit } else { digit.wrapping_add(b'a' - 10) };
            return ([b'\\', b'u', b'0', b'0', b'0' | byte >> 4, digit], 6);
        }
        _ => return ([byte, 0, 0, 0, 0, 0], 1),
    };
    ([b'\\', short, 0, 0, 0, 0], 2)
}
