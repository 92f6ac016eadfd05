//! The scanner: one pass over the text, one bit of stack for each level.

use super::escape::code_unit;
use super::{Bytes, JsonError, MAX_BODY_DEPTH, MAX_DEPTH, MAX_MEMBERS, Place, Str, Value};
use core::{cmp::Ordering, fmt};

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

    fn of(&self, name: Str<'_>) -> u8 {
        if self.body.is_some_and(|body| name.is(body)) { MAX_BODY_DEPTH } else { self.depth }
    }
}

/// Finds the members of an object by name, checks all of them and refuses repeated names.
pub(super) fn members<'a>(
    scanner: &mut Scanner<'a>,
    names: &[&str],
    limits: Limits<'_>,
    found: &mut [Option<Value<'a>>],
) -> Result<(), JsonError> {
    let mut starts = [0; MAX_MEMBERS];
    members_not_in(Names { starts: &mut starts, count: 0 }, scanner, names, limits, found)
}

fn members_not_in<'a>(
    mut seen: Names<'_>,
    scanner: &mut Scanner<'a>,
    names: &[&str],
    limits: Limits<'_>,
    found: &mut [Option<Value<'a>>],
) -> Result<(), JsonError> {
    scanner.open(b'{')?;
    while let Some(name) = scanner.next_name(seen.count == 0)? {
        seen.insert(scanner, name)?;
        let value = scanner.value(1, limits.of(name))?;
        if let Some((_, place)) = names.iter().zip(found.iter_mut()).find(|(wanted, _)| name.is(wanted)) {
            *place = Some(value);
        }
    }
    Ok(())
}

/// The names that an object has had so far, by where they start in the text, in their order: a repeated one
/// is found by a few comparisons.
struct Names<'s> {
    starts: &'s mut [usize; MAX_MEMBERS],
    count: usize,
}

impl Names<'_> {
    fn insert(&mut self, scanner: &Scanner<'_>, name: Str<'_>) -> Result<(), JsonError> {
        let seen = self.starts.get(..self.count).unwrap_or_default();
        let mut start = scanner.offset_of(name);
        let Err(rank) = seen.binary_search_by(|&seen| compare(scanner.from(seen), scanner.from(start)))
        else {
            return Err(JsonError::RepeatedName);
        };
        for place in self.starts.get_mut(rank..=self.count).ok_or(JsonError::TooManyMembers)? {
            core::mem::swap(place, &mut start);
        }
        self.count = self.count.wrapping_add(1);
        Ok(())
    }
}

/// The order of two strings, unescaped, each of which starts its slice and ends at its closing quote.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let same = a.iter().zip(b).take_while(|&(a, b)| a == b && !ends_plain(*a)).count();
    let [a, b] = [a, b].map(|string| string.get(same..).unwrap_or_default());
    match [a.first(), b.first()] {
        [Some(b'\\'), _] | [_, Some(b'\\')] => Bytes::new(a).cmp(Bytes::new(b)),
        differ => {
            let [a, b] = differ.map(|byte| byte.filter(|&&byte| byte != b'"'));
            a.cmp(&b)
        }
    }
}

/// A place in a text.
#[derive(Clone)]
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

    /// Comes to the next member of an object: its name, then the scanner is at its value. `None` behind the
    /// `}`.
    pub(super) fn next_name(&mut self, first: bool) -> Result<Option<Str<'a>>, JsonError> {
        self.white_space();
        if self.accept(b'}') {
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
            self.white_space();
        }
        let start = self.at.wrapping_add(1);
        let escaped = self.expect_string()?;
        let name = self.text.get(start..self.at.wrapping_sub(1)).ok_or(JsonError::Malformed)?;
        self.colon()?;
        Ok(Some(Str::new(name, Place::new(self.base.wrapping_add(start), escaped))))
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

    /// Passes over one value that is within `depth` levels and may go to the level `limit`, which is at most
    /// 64.
    pub(super) fn value(&mut self, depth: u8, limit: u8) -> Result<Value<'a>, JsonError> {
        let start = self.at;
        let mut escaped = false;
        if self.accept(b'"') {
            escaped = self.string()?;
        } else {
            self.values(Levels { objects: 0, open: 0, limit: limit.saturating_sub(depth) })?;
        }
        let raw = self.text.get(start..self.at).ok_or(JsonError::Malformed)?;
        Ok(Value { raw, place: Place::new(self.base.wrapping_add(start), escaped) })
    }

    /// Passes over one value and all values within it.
    fn values(&mut self, mut levels: Levels) -> Result<(), JsonError> {
        loop {
            let within = match self.next()? {
                bracket @ (b'{' | b'[') => self.enter(bracket, &mut levels)?,
                first => {
                    self.scalar(first)?;
                    false
                }
            };
            if !within && !self.leave(&mut levels)? {
                return Ok(());
            }
        }
    }

    /// Enters an object or array whose bracket has been passed, and comes to the first value in it, if there
    /// is one.
    fn enter(&mut self, bracket: u8, levels: &mut Levels) -> Result<bool, JsonError> {
        levels.enter(bracket == b'{')?;
        self.white_space();
        if self.accept(levels.closing_bracket()) {
            levels.leave();
            return Ok(false);
        }
        self.name_if(levels.in_object())?;
        Ok(true)
    }

    /// Behind a value, leaves what ends there, and comes to the next value, if there is one.
    fn leave(&mut self, levels: &mut Levels) -> Result<bool, JsonError> {
        while levels.open > 0 {
            self.white_space();
            if self.accept(b',') {
                self.white_space();
                self.name_if(levels.in_object())?;
                return Ok(true);
            }
            self.expect(levels.closing_bracket())?;
            levels.leave();
        }
        Ok(false)
    }

    /// Passes over what is neither object nor array and whose first byte has been passed.
    fn scalar(&mut self, first: u8) -> Result<(), JsonError> {
        match first {
            b'"' => self.string().map(|_| ()),
            b't' => self.literal(b"rue"),
            b'f' => self.literal(b"alse"),
            b'n' => self.literal(b"ull"),
            b'-' => {
                let digit = self.next()?;
                self.number(digit)
            }
            digit => self.number(digit),
        }
    }

    /// Nothing but white space is left.
    fn end(&mut self) -> Result<(), JsonError> {
        self.white_space();
        if self.peek().is_none() { Ok(()) } else { Err(JsonError::Malformed) }
    }

    fn name_if(&mut self, in_object: bool) -> Result<(), JsonError> {
        if in_object {
            self.expect_string()?;
            self.colon()?;
        }
        Ok(())
    }

    /// Passes over the colon behind a name.
    fn colon(&mut self) -> Result<(), JsonError> {
        self.white_space();
        self.expect(b':')?;
        self.white_space();
        Ok(())
    }

    fn expect_string(&mut self) -> Result<bool, JsonError> {
        self.expect(b'"')?;
        self.string()
    }

    /// Passes over a string whose opening quote has been passed, and tells whether it has escapes.
    fn string(&mut self) -> Result<bool, JsonError> {
        let mut escaped = false;
        loop {
            self.at = self.at.wrapping_add(plain_len(self.rest()));
            match self.next()? {
                b'"' => return Ok(escaped),
                b'\\' => self.escape()?,
                _ => return Err(JsonError::Malformed),
            }
            escaped = true;
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

    /// Passes over four hexadecimal digits.
    fn code_unit(&mut self) -> Result<u32, JsonError> {
        let unit = code_unit(self.rest()).ok_or(JsonError::Malformed)?;
        self.at = self.at.wrapping_add(4);
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

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at = self.at.wrapping_add(1);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = self.peek().ok_or(JsonError::Malformed)?;
        self.at = self.at.wrapping_add(1);
        Ok(byte)
    }

    /// Passes over `byte`, if it is the next.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))] // small: it is called for every mark
    fn accept(&mut self, byte: u8) -> bool {
        let accepted = self.peek() == Some(byte);
        self.at = self.at.wrapping_add(usize::from(accepted));
        accepted
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.accept(byte) { Ok(()) } else { Err(JsonError::Malformed) }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Where a string of this text starts in it.
    const fn offset_of(&self, string: Str<'_>) -> usize {
        string.at().wrapping_sub(self.base)
    }

    /// What begins with the string that starts at `start`.
    fn from(&self, start: usize) -> &'a [u8] {
        self.text.as_bytes().get(start..).unwrap_or_default()
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
    limit: u8,
}

impl Levels {
    fn enter(&mut self, object: bool) -> Result<(), JsonError> {
        if self.open >= self.limit {
            return Err(JsonError::TooDeep);
        }
        self.open = self.open.wrapping_add(1);
        self.objects = self.objects << 1 | u64::from(object);
        Ok(())
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

/// How many bytes of a string come before one that ends it, starts an escape or must not be in it.
pub(super) fn plain_len(string: &[u8]) -> usize {
    let len = plain_chunks_len(string);
    let (words, tail) = string.get(len..).unwrap_or_default().as_chunks();
    for (at, word) in words.iter().enumerate() {
        let ends = word_ends_plain(usize::from_le_bytes(*word));
        if ends != 0 {
            return len.wrapping_add(at.wrapping_mul(WORD)).wrapping_add(ends.trailing_zeros() as usize / 8);
        }
    }
    let tail_len = tail.iter().position(|&byte| ends_plain(byte)).unwrap_or(tail.len());
    len.wrapping_add(words.len().wrapping_mul(WORD)).wrapping_add(tail_len)
}

/// Passes over whole chunks, without a branch for each byte, so that the compiler puts a chunk into a vector.
#[cfg(target_pointer_width = "64")]
fn plain_chunks_len(string: &[u8]) -> usize {
    let (chunks, _) = string.as_chunks::<16>();
    let is_plain = |chunk: &&[u8; 16]| !chunk.iter().fold(false, |found, &byte| found | ends_plain(byte));
    chunks.iter().take_while(is_plain).count().wrapping_mul(16)
}

/// Small processors have no vectors.
#[cfg(not(target_pointer_width = "64"))]
fn plain_chunks_len(_: &[u8]) -> usize {
    0
}

const WORD: usize = size_of::<usize>();

/// Of the bytes of a word, little-endian, for which [`ends_plain`] holds, the lowest has its highest bit set,
/// and no byte below it has.
const fn word_ends_plain(word: usize) -> usize {
    const ONES: usize = usize::MAX / 0xff;
    const QUOTES: usize = ONES * b'"' as usize;
    const BACKSLASHES: usize = ONES * b'\\' as usize;
    let (quote, backslash) = (word ^ QUOTES, word ^ BACKSLASHES);
    // What is less than the subtrahend borrows, which may disturb the bytes above only.
    let ends = (word.wrapping_sub(ONES * 0x20) & !word)
        | (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash);
    ends & (ONES * 0x80)
}

pub(super) const fn ends_plain(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}
