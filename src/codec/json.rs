//! JSON as RFC 8259 says, read where it lies: bounded, without recursion, without copies.
//!
//! [`object`] checks a whole text once and hands out views of the members that are asked for. Grammar, UTF-8,
//! escapes and depth are checked everywhere, also in members that nobody asks for; repeated names are refused
//! in every object whose members are asked for (PROTOCOL §2.1).
//!
//! Work is linear in the text, and the stack does not depend on it.

mod escape;
mod members;
mod plain;
mod scan;

pub use escape::{Bytes, Str, escape, escaped_len, put_string, unescape_in_place};

use core::{fmt, ops::Range};
use scan::Scanner;

/// How deep a text may nest: its outermost object is at depth 1.
pub const MAX_DEPTH: u8 = 16;

/// How deep a text may nest within the member that [`object_with_body`] names, counted from the outermost
/// object as well.
pub const MAX_BODY_DEPTH: u8 = 64;

/// The most members of an object whose members are asked for.
pub const MAX_MEMBERS: usize = 64;

/// A text is not the JSON that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum JsonError {
    /// Not RFC 8259 JSON in UTF-8, or bytes behind the value.
    Malformed,
    /// Nested deeper than [`MAX_DEPTH`], or than [`MAX_BODY_DEPTH`] in the body.
    TooDeep,
    /// A name is repeated in an object.
    RepeatedName,
    /// An object has more than [`MAX_MEMBERS`] members.
    TooManyMembers,
    /// A value is of another type than the one asked for.
    WrongType,
    /// A number is not an integer from 0 to 2⁵³ − 1 in plain digits.
    NotAnInteger,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the text is not JSON",
            Self::TooDeep => "the JSON nests too deep",
            Self::RepeatedName => "a name is repeated in a JSON object",
            Self::TooManyMembers => "a JSON object has too many members",
            Self::WrongType => "a JSON value is of the wrong type",
            Self::NotAnInteger => "a JSON number is not a plain integer from 0 to 2^53 - 1",
        })
    }
}

impl core::error::Error for JsonError {}

/// Reads `text`, which is one object with white space around it, and returns its members of the given names,
/// in their order; members of other names are checked and ignored.
///
/// # Errors
///
/// [`JsonError`]: grammar, depth, repeated names, number of members; [`JsonError::WrongType`] where no object
/// begins.
pub fn object<'a, const N: usize>(
    text: &'a [u8],
    names: &[&str; N],
) -> Result<[Option<Value<'a>>; N], JsonError> {
    let mut found = [None; N];
    find(text, names, &mut found)?;
    Ok(found)
}

/// [`object`], into a place that is there.
pub(crate) fn find<'a>(
    text: &'a [u8],
    names: &[&str],
    found: &mut [Option<Value<'a>>],
) -> Result<(), JsonError> {
    members::of_text(text, names, None, found)
}

/// As [`object`], but the member named `body` may nest to [`MAX_BODY_DEPTH`].
///
/// # Errors
///
/// As [`object`].
pub fn object_with_body<'a, const N: usize>(
    text: &'a [u8],
    names: &[&str; N],
    body: &str,
) -> Result<[Option<Value<'a>>; N], JsonError> {
    let mut found = [None; N];
    members::of_text(text, names, Some(body), &mut found)?;
    Ok(found)
}

/// Reads `text`, which is one value of any type with white space around it, nested to [`MAX_BODY_DEPTH`] at the most.
///
/// # Errors
///
/// [`JsonError`]: grammar and depth.
pub fn value(text: &[u8]) -> Result<Value<'_>, JsonError> {
    let text = core::str::from_utf8(text).map_err(|_| JsonError::Malformed)?;
    let mut scanner = Scanner::new(text, 0);
    scanner.white_space();
    let value = scanner.value(MAX_BODY_DEPTH);
    scanner.end()?;
    value.ok_or(JsonError::Malformed)
}

/// A value whose grammar has been checked, where it stands in the text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    raw: &'a str,
    place: Place,
}

/// Where a value starts in the whole text, and whether it is a string with escapes: one word for both, so that a view is
/// three words, and an optional view no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(usize);

impl Place {
    /// No slice is so long that its length does not fit into all bits but one.
    const fn new(at: usize, escaped: bool) -> Self {
        Self(at << 1 | escaped as usize)
    }

    const fn at(self) -> usize {
        self.0 >> 1
    }

    const fn is_escaped(self) -> bool {
        self.0 & 1 == 1
    }
}

impl<'a> Value<'a> {
    /// The value as sent, without white space around it.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.raw.as_bytes()
    }

    /// As [`Value::raw`], as text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.raw
    }

    /// Where [`Value::raw`] stands in the text that was given to [`object`].
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.place.at()..self.place.at().wrapping_add(self.raw.len())
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// Whether this is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.first() == b'{'
    }

    /// Whether this is an array without elements.
    pub(crate) fn is_empty_array(self) -> bool {
        self.raw().iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b"[]")
    }

    /// The string.
    ///
    /// # Errors
    ///
    /// [`JsonError::WrongType`] where this is no string.
    pub fn string(self) -> Result<Str<'a>, JsonError> {
        self.text().ok_or(JsonError::WrongType)
    }

    /// The string, if it is one.
    #[inline(never)] // small: it is called for every string
    pub(crate) fn text(self) -> Option<Str<'a>> {
        let raw = self.raw.strip_prefix('"')?.strip_suffix('"')?;
        Some(Str { raw, place: Place::new(self.place.at().wrapping_add(1), self.place.is_escaped()) })
    }

    /// The integer, 0 to 2⁵³ − 1, in plain digits: without sign, fraction, exponent. [`Value::raw`] has its
    /// digits.
    ///
    /// # Errors
    ///
    /// [`JsonError::NotAnInteger`] for other numbers, [`JsonError::WrongType`] where this is no number.
    pub fn integer(self) -> Result<u64, JsonError> {
        const MAX: u64 = (1 << 53) - 1;
        if !matches!(self.first(), b'-' | b'0'..=b'9') {
            return Err(JsonError::WrongType);
        }
        let mut integer = 0_u64;
        for &byte in self.raw.as_bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return Err(JsonError::NotAnInteger);
            }
            // At most 2⁵³ − 1 comes in, so this cannot overflow.
            integer = integer.wrapping_mul(10).wrapping_add(digit.into());
            if integer > MAX {
                return Err(JsonError::NotAnInteger);
            }
        }
        Ok(integer)
    }

    /// The truth value.
    ///
    /// # Errors
    ///
    /// [`JsonError::WrongType`] where this is neither `true` nor `false`.
    pub fn boolean(self) -> Result<bool, JsonError> {
        match self.first() {
            b't' => Ok(true),
            b'f' => Ok(false),
            _ => Err(JsonError::WrongType),
        }
    }

    /// The members of the given names of this object, in their order; others are ignored.
    ///
    /// # Errors
    ///
    /// [`JsonError::WrongType`] where this is no object; [`JsonError::RepeatedName`],
    /// [`JsonError::TooManyMembers`].
    pub fn members<const N: usize>(self, names: &[&str; N]) -> Result<[Option<Value<'a>>; N], JsonError> {
        let mut found = [None; N];
        self.find(names, &mut found)?;
        Ok(found)
    }

    /// [`Value::members`], into a place that is there.
    pub(crate) fn find(self, names: &[&str], found: &mut [Option<Value<'a>>]) -> Result<(), JsonError> {
        members::of_value(self, names, found)
    }

    /// All members of this object, as sent. No name is repeated.
    ///
    /// # Errors
    ///
    /// As [`Value::members`].
    pub fn entries(self) -> Result<Entries<'a>, JsonError> {
        members::of_value(self, &[], &mut [])?;
        self.all_members()
    }

    /// All members of this object, as sent, however many there are: a name may be repeated.
    ///
    /// # Errors
    ///
    /// [`JsonError::WrongType`] where this is no object.
    pub fn all_members(self) -> Result<Entries<'a>, JsonError> {
        let mut scanner = self.scanner();
        scanner.open(b'{')?;
        Ok(Entries { scanner, first: true })
    }

    /// The elements of this array.
    ///
    /// # Errors
    ///
    /// [`JsonError::WrongType`] where this is no array.
    pub fn elements(self) -> Result<Elements<'a>, JsonError> {
        let mut scanner = self.scanner();
        scanner.open(b'[')?;
        Ok(Elements { scanner, first: true })
    }

    const fn scanner(self) -> Scanner<'a> {
        Scanner::new(self.raw, self.place.at())
    }

    fn first(self) -> u8 {
        self.raw.as_bytes().first().copied().unwrap_or_default()
    }
}

/// What was sent may be secret: only its place is printed.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.range()).finish()
    }
}

/// The members of an object, in the order in which they were sent.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    scanner: Scanner<'a>,
    first: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Str<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        // The grammar has been checked: no error can occur.
        let name = self.scanner.next_name(core::mem::take(&mut self.first))?;
        Some((name, self.scanner.value(members::BODY_DEPTH)?))
    }
}

/// The elements of an array, in the order in which they were sent.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    scanner: Scanner<'a>,
    first: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // The grammar has been checked: no error can occur.
        let is_next = self.scanner.is_next(b']', core::mem::take(&mut self.first));
        if is_next { self.scanner.value(members::BODY_DEPTH) } else { None }
    }
}

#[cfg(test)]
mod tests;
