//! The scanner: one pass over the text, one bit of stack for each level.

use super::super::cursor::Reader;
use super::escape::unescape;
use super::plain::plain_len;
use super::{JsonError, Place, Str, Value};
use core::fmt;

/// A place in a text.
///
/// Where something is not as the grammar wants it, nothing is left to be read from then on, so that whatever comes next
/// fails, too: it is enough to look at the end.
#[derive(Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// Where `text` starts in the whole text.
    base: usize,
    at: usize,
    /// Why nothing is left to be read, where that is so.
    error: JsonError,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str, base: usize) -> Self {
        Self { text, base, at: 0, error: JsonError::Malformed }
    }

    /// Whether all that was passed over is as the grammar wants it.
    pub(super) const fn judge(&self) -> Result<(), JsonError> {
        if self.text.is_empty() { Err(self.error) } else { Ok(()) }
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        self.white_space();
        if self.at < self.text.len() {
            self.fail();
        }
        self.judge()
    }

    /// Passes over the bracket that opens an object or array.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), JsonError> {
        if self.accept(bracket) { Ok(()) } else { Err(JsonError::WrongType) }
    }

    /// Comes to the next member of an object: its name, then the scanner is at its value. `None` behind the `}`.
    pub(super) fn next_name(&mut self, first: bool) -> Option<Str<'a>> {
        if !self.is_next(b'}', first) {
            return None;
        }
        let start = self.at.wrapping_add(1);
        let escaped = self.string();
        let end = self.at.wrapping_sub(1);
        self.colon();
        Some(Str { raw: self.part(start, end)?, place: self.place(start, escaped) })
    }

    /// Comes to the next member or element within the bracket that `closing` closes, if there is one.
    pub(super) fn is_next(&mut self, closing: u8, first: bool) -> bool {
        self.white_space();
        if self.accept(closing) {
            return false;
        }
        if !first {
            if !self.accept(b',') {
                self.fail();
                return false;
            }
            self.white_space();
        }
        true
    }

    /// Passes over one value, which nests to `limit` levels of its own at the most.
    pub(super) fn value(&mut self, limit: u8) -> Option<Value<'a>> {
        let start = self.at;
        let escaped = self.values(limit);
        Some(Value { raw: self.part(start, self.at)?, place: self.place(start, escaped) })
    }

    /// Passes over white space.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn white_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at = self.at.wrapping_add(1);
        }
    }

    /// Where a string of this text starts in it.
    pub(super) const fn offset_of(&self, string: Str<'_>) -> usize {
        string.place.at().wrapping_sub(self.base)
    }

    /// What begins with the string that starts at `start`.
    pub(super) fn from(&self, start: usize) -> &'a [u8] {
        self.text.as_bytes().get(start..).unwrap_or_default()
    }

    /// Passes over one value and all values within it, and tells whether it is a string with escapes.
    fn values(&mut self, limit: u8) -> bool {
        let mut levels = Levels { objects: 0, open: 0 };
        loop {
            let (mut first, mut escaped) = (false, false);
            match self.peek() {
                b'{' | b'[' if levels.open >= limit => {
                    self.error = JsonError::TooDeep;
                    self.fail();
                    return false;
                }
                bracket @ (b'{' | b'[') => {
                    self.at = self.at.wrapping_add(1);
                    levels.enter(bracket == b'{');
                    first = true;
                }
                b'"' => escaped = self.string(),
                b'-' | b'0'..=b'9' => self.number(),
                letter => self.literal(letter),
            }
            // Leaves what ends behind it, and comes to what is next.
            loop {
                if levels.open == 0 {
                    return escaped;
                }
                if self.is_next(levels.closing_bracket(), first) {
                    break;
                }
                levels.leave();
                (first, escaped) = (false, false);
            }
            if levels.in_object() {
                self.string();
                self.colon();
            }
        }
    }

    /// Passes over the literal that begins with `letter`.
    fn literal(&mut self, letter: u8) {
        let literal: &[u8] = match letter {
            b't' => b"true",
            b'f' => b"false",
            _ => b"null",
        };
        for &byte in literal {
            self.expect(byte);
        }
    }

    fn number(&mut self) {
        self.accept(b'-');
        if !self.accept(b'0') {
            self.digits();
        }
        if self.accept(b'.') {
            self.digits();
        }
        if self.accept(b'e') || self.accept(b'E') {
            if !self.accept(b'+') {
                self.accept(b'-');
            }
            self.digits();
        }
    }

    /// Passes over one digit or more.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn digits(&mut self) {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at = self.at.wrapping_add(1);
        }
        if self.at == start {
            self.fail();
        }
    }

    /// Passes over the colon behind a name.
    fn colon(&mut self) {
        self.white_space();
        self.expect(b':');
        self.white_space();
    }

    /// Passes over a string, and tells whether it has escapes.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn string(&mut self) -> bool {
        self.expect(b'"');
        let mut escaped = false;
        loop {
            self.at = self.at.wrapping_add(plain_len(self.from(self.at)));
            let end = self.peek();
            self.at = self.at.wrapping_add(1);
            match end {
                b'"' => return escaped,
                b'\\' => self.escape(),
                _ => {
                    self.fail();
                    return escaped;
                }
            }
            escaped = true;
        }
    }

    /// Passes over an escape whose backslash has been passed.
    #[cold]
    fn escape(&mut self) {
        let mut rest = Reader::new(self.from(self.at));
        if unescape(&mut rest).is_none() {
            self.fail();
        }
        self.at = self.text.len().wrapping_sub(rest.rest().len());
    }

    const fn place(&self, start: usize, escaped: bool) -> Place {
        Place::new(self.base.wrapping_add(start), escaped)
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn part(&self, start: usize, end: usize) -> Option<&'a str> {
        self.text.get(start..end)
    }

    /// The next byte; behind the last, 0, with which nothing begins.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    /// Passes over `byte`, if it is the next.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))] // small: it is called for every mark
    fn accept(&mut self, byte: u8) -> bool {
        let accepted = self.peek() == byte;
        self.at = self.at.wrapping_add(usize::from(accepted));
        accepted
    }

    fn expect(&mut self, byte: u8) {
        if !self.accept(byte) {
            self.fail();
        }
    }

    fn fail(&mut self) {
        self.text = self.text.get(..0).unwrap_or_default();
    }
}

impl fmt::Debug for Scanner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scanner({})", self.base.wrapping_add(self.at))
    }
}

/// The objects and arrays that have been entered and not left.
struct Levels {
    /// One bit for each, the innermost lowest: whether it is an object.
    objects: u64,
    open: u8,
}

impl Levels {
    const fn enter(&mut self, object: bool) {
        self.open = self.open.wrapping_add(1);
        self.objects = self.objects << 1 | object as u64;
    }

    const fn leave(&mut self) {
        self.open = self.open.wrapping_sub(1);
        self.objects >>= 1;
    }

    const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    const fn closing_bracket(&self) -> u8 {
        if self.in_object() { b'}' } else { b']' }
    }
}
