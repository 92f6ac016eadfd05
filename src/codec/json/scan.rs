//! The scanner: one pass over the text, one bit of stack for each level.

use super::{Bytes, JsonError, MAX_BODY_DEPTH, MAX_DEPTH, MAX_MEMBERS, Str, Value};

/// Strings are passed over in chunks of this many bytes where nothing in them matters.
const CHUNK: usize = 16;

/// Checks the whole text and finds the members of its object.
pub(super) fn root<'a>(
    text: &'a [u8],
    names: &[&str],
    body: Option<&str>,
    found: &mut [Option<Value<'a>>],
) -> Result<(), JsonError> {
    let text = core::str::from_utf8(text).map_err(|_| JsonError::Malformed)?;
    let mut scanner = Scanner::new(text, 0);
    scanner.white_space();
    if scanner.peek() != Some(b'{') {
        // Tell what is no object from what is no JSON.
        scanner.value(0, MAX_DEPTH)?;
        scanner.end()?;
        return Err(JsonError::WrongType);
    }
    members(&mut scanner, names, Limits { depth: MAX_DEPTH, body }, found)?;
    scanner.end()
}

/// Checks the whole text, which is one value.
pub(super) fn single(text: &[u8]) -> Result<Value<'_>, JsonError> {
    let text = core::str::from_utf8(text).map_err(|_| JsonError::Malformed)?;
    let mut scanner = Scanner::new(text, 0);
    scanner.white_space();
    let value = scanner.value(0, MAX_BODY_DEPTH)?;
    scanner.end()?;
    Ok(value)
}

/// How deep the members of an object may nest, its own level counted.
pub(super) struct Limits<'n> {
    depth: u8,
    /// The member that may nest to [`MAX_BODY_DEPTH`].
    body: Option<&'n str>,
}

impl Limits<'_> {
    /// For a value whose depth has been checked already.
    pub(super) const fn checked() -> Self {
        Self { depth: MAX_BODY_DEPTH, body: None }
    }
}

/// Finds the members of an object by name, checks all of them and refuses repeated names.
pub(super) fn members<'a>(
    scanner: &mut Scanner<'a>,
    names: &[&str],
    limits: Limits<'_>,
    found: &mut [Option<Value<'a>>],
) -> Result<(), JsonError> {
    scanner.open(b'{')?;
    // Where the names start, in the order of the names, so that a repeated one is found by few comparisons.
    let mut starts = [0; MAX_MEMBERS];
    let mut count = 0_usize;
    while let Some(name) = scanner.next_name(count == 0)? {
        let start = scanner.offset_of(name);
        let seen = starts.get(..count).unwrap_or_default();
        let Err(rank) = seen.binary_search_by(|&seen| scanner.string_at(seen).cmp(scanner.string_at(start)))
        else {
            return Err(JsonError::RepeatedName);
        };
        let tail = starts.get_mut(rank..=count).ok_or(JsonError::TooManyMembers)?;
        tail.rotate_right(1);
        if let Some(place) = tail.first_mut() {
            *place = start;
        }
        count = count.wrapping_add(1);

        let limit = if limits.body.is_some_and(|body| name.is(body)) { MAX_BODY_DEPTH } else { limits.depth };
        let value = scanner.value(1, limit)?;
        if let Some((_, place)) = names.iter().zip(found.iter_mut()).find(|(wanted, _)| name.is(wanted)) {
            *place = Some(value);
        }
    }
    Ok(())
}

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// Where `text` starts in the whole text.
    base: usize,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str, base: usize) -> Self {
        Self { text, base, at: 0 }
    }

    /// Passes over the bracket that opens an object or array.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), JsonError> {
        if self.accept(bracket) { Ok(()) } else { Err(JsonError::WrongType) }
    }

    /// Comes to the next member of an object: its name, then the scanner is at its value. `None` behind the `}`.
    pub(super) fn next_name(&mut self, first: bool) -> Result<Option<Str<'a>>, JsonError> {
        self.white_space();
        if self.accept(b'}') {
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
            self.white_space();
        }
        self.name().map(Some)
    }

    /// Comes to the next element of an array, if there is one.
    pub(super) fn next_element(&mut self, first: bool) -> Result<bool, JsonError> {
        self.white_space();
        if self.accept(b']') {
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
            self.white_space();
        }
        Ok(true)
    }

    /// Passes over one value, within which the depth may go from `depth` to `limit`, which is at most 64.
    pub(super) fn value(&mut self, depth: u8, limit: u8) -> Result<Value<'a>, JsonError> {
        let start = self.at;
        let mut escaped = false;
        // One bit for each open level, the innermost lowest: whether it is an object.
        let mut levels = 0_u64;
        let mut open = 0_u8;
        loop {
            // At the start of a value.
            let byte = self.next()?;
            match byte {
                b'"' => escaped = self.string()?.is_escaped(),
                b'{' | b'[' => {
                    open = open.wrapping_add(1);
                    if open > limit.saturating_sub(depth) {
                        return Err(JsonError::TooDeep);
                    }
                    let is_object = byte == b'{';
                    levels = levels << 1 | u64::from(is_object);
                    self.white_space();
                    if !self.accept(closing(levels)) {
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                    levels >>= 1;
                    open = open.wrapping_sub(1);
                }
                b't' => self.literal(b"rue")?,
                b'f' => self.literal(b"alse")?,
                b'n' => self.literal(b"ull")?,
                b'-' => {
                    let digit = self.next()?;
                    self.number(digit)?;
                }
                digit => self.number(digit)?,
            }
            // Behind a value: close what ends with it, up to the next one.
            loop {
                if open == 0 {
                    let raw = self.text.get(start..self.at).ok_or(JsonError::Malformed)?;
                    return Ok(Value {
                        raw,
                        at: self.base.wrapping_add(start),
                        escaped: escaped && byte == b'"',
                    });
                }
                self.white_space();
                if self.accept(b',') {
                    self.white_space();
                    if levels & 1 == 1 {
                        self.name()?;
                    }
                    break;
                }
                self.expect(closing(levels))?;
                levels >>= 1;
                open = open.wrapping_sub(1);
            }
        }
    }

    /// Nothing but white space is left.
    fn end(&mut self) -> Result<(), JsonError> {
        self.white_space();
        if self.peek().is_none() { Ok(()) } else { Err(JsonError::Malformed) }
    }

    /// Passes over a member's name and the colon.
    fn name(&mut self) -> Result<Str<'a>, JsonError> {
        self.expect(b'"')?;
        let name = self.string()?;
        self.white_space();
        self.expect(b':')?;
        self.white_space();
        Ok(name)
    }

    /// Passes over a string whose opening quote has been passed.
    fn string(&mut self) -> Result<Str<'a>, JsonError> {
        let start = self.at;
        let mut escaped = false;
        loop {
            while self.chunk().is_some_and(is_plain) {
                self.at = self.at.wrapping_add(CHUNK);
            }
            // The chunk in which something matters, byte by byte, so that none is looked at more than twice.
            let behind = self.at.wrapping_add(CHUNK);
            while self.at < behind {
                match self.next()? {
                    b'"' => {
                        let raw =
                            self.text.get(start..self.at.wrapping_sub(1)).ok_or(JsonError::Malformed)?;
                        return Ok(Str::new(raw, self.base.wrapping_add(start), escaped));
                    }
                    b'\\' => {
                        escaped = true;
                        self.escape()?;
                    }
                    0..0x20 => return Err(JsonError::Malformed),
                    _ => {}
                }
            }
        }
    }

    /// Passes over the rest of an escape.
    fn escape(&mut self) -> Result<(), JsonError> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.code_unit()? {
                0xdc00..=0xdfff => Err(JsonError::Malformed),
                0xd800..=0xdbff => {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    if matches!(self.code_unit()?, 0xdc00..=0xdfff) {
                        Ok(())
                    } else {
                        Err(JsonError::Malformed)
                    }
                }
                _ => Ok(()),
            },
            _ => Err(JsonError::Malformed),
        }
    }

    /// Four hexadecimal digits.
    fn code_unit(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.next()?).to_digit(16).ok_or(JsonError::Malformed)?;
            unit = unit << 4 | digit;
        }
        Ok(unit)
    }

    /// Passes over a number whose first digit, `digit`, has been passed.
    fn number(&mut self, digit: u8) -> Result<(), JsonError> {
        match digit {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return Err(JsonError::Malformed),
        }
        if self.accept(b'.') {
            self.some_digits()?;
        }
        if self.accept(b'e') || self.accept(b'E') {
            if !self.accept(b'+') {
                self.accept(b'-');
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<(), JsonError> {
        if !self.next()?.is_ascii_digit() {
            return Err(JsonError::Malformed);
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at = self.at.wrapping_add(1);
        }
    }

    fn literal(&mut self, rest: &[u8]) -> Result<(), JsonError> {
        rest.iter().try_for_each(|&byte| self.expect(byte))
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at = self.at.wrapping_add(1);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = self.peek().ok_or(JsonError::Malformed)?;
        self.at = self.at.wrapping_add(1);
        Ok(byte)
    }

    /// Passes over `byte`, if it is the next.
    fn accept(&mut self, byte: u8) -> bool {
        let accepted = self.peek() == Some(byte);
        self.at = self.at.wrapping_add(usize::from(accepted));
        accepted
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.accept(byte) { Ok(()) } else { Err(JsonError::Malformed) }
    }

    fn chunk(&self) -> Option<&[u8; CHUNK]> {
        self.text.as_bytes().get(self.at..)?.first_chunk()
    }

    /// Where a string of this text starts in it.
    const fn offset_of(&self, string: Str<'_>) -> usize {
        string.at().wrapping_sub(self.base)
    }

    /// The unescaped bytes of a string that starts at `start`, up to its closing quote.
    fn string_at(&self, start: usize) -> Bytes<'a> {
        Bytes::new(self.text.as_bytes().get(start..).unwrap_or_default())
    }
}

/// The bracket that closes the innermost level.
const fn closing(levels: u64) -> u8 {
    if levels & 1 == 1 { b'}' } else { b']' }
}

/// Whether no byte ends a string, starts an escape or is a control character: without a branch for each, so that the
/// compiler can look at all of them at once.
fn is_plain(chunk: &[u8; CHUNK]) -> bool {
    !chunk.iter().fold(false, |found, &byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
}
