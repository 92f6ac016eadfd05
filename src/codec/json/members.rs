//! Members found by their names, none of which is repeated.

use super::escape::Bytes;
use super::scan::Scanner;
use super::{JsonError, MAX_BODY_DEPTH, MAX_DEPTH, MAX_MEMBERS, Str, Value};
use core::cmp::Ordering;

/// How deep a member may nest of itself.
const MEMBER_DEPTH: u8 = MAX_DEPTH - 1;
pub(super) const BODY_DEPTH: u8 = MAX_BODY_DEPTH - 1;

/// Checks the whole text and finds the members of its object; the one named `body` may nest deeper than the others.
pub(super) fn of_text<'a>(
    text: &'a [u8],
    names: &[&str],
    body: Option<&str>,
    found: &mut [Option<Value<'a>>],
) -> Result<(), JsonError> {
    let text = core::str::from_utf8(text).map_err(|_| JsonError::Malformed)?;
    let mut scanner = Scanner::new(text, 0);
    scanner.white_space();
    of_object(&mut scanner, names, MEMBER_DEPTH, body, found)?;
    scanner.end()
}

/// Finds the members of an object whose grammar and depth have been checked.
pub(super) fn of_value<'a>(
    value: Value<'a>,
    names: &[&str],
    found: &mut [Option<Value<'a>>],
) -> Result<(), JsonError> {
    of_object(&mut value.scanner(), names, BODY_DEPTH, None, found)
}

/// Finds the members of an object by name, checks all of them and refuses repeated names.
#[inline(never)]
fn of_object<'a>(
    scanner: &mut Scanner<'a>,
    names: &[&str],
    depth: u8,
    body: Option<&str>,
    found: &mut [Option<Value<'a>>],
) -> Result<(), JsonError> {
    let mut seen = Names { starts: [0; MAX_MEMBERS], count: 0 };
    scanner.open(b'{')?;
    while let Some(name) = scanner.next_name(seen.count == 0) {
        seen.insert(scanner, name)?;
        let deeper = body.is_some_and(|body| name.is(body));
        let Some(value) = scanner.value(if deeper { BODY_DEPTH } else { depth }) else { break };
        if let Some((_, place)) = names.iter().zip(found.iter_mut()).find(|(wanted, _)| name.is(wanted)) {
            *place = Some(value);
        }
    }
    scanner.judge()
}

/// The names that an object has had so far, by where they start in the text, in their order: a repeated one
/// is found by a few comparisons.
struct Names {
    starts: [usize; MAX_MEMBERS],
    count: usize,
}

impl Names {
    fn insert(&mut self, scanner: &Scanner<'_>, name: Str<'_>) -> Result<(), JsonError> {
        let (mut rank, mut end) = (0, self.count);
        while rank < end {
            let middle = rank.midpoint(end);
            let seen = self.starts.get(middle).map_or(&[][..], |start| scanner.from(*start));
            match compare(seen, name.raw()) {
                Ordering::Less => rank = middle.wrapping_add(1),
                Ordering::Equal => return Err(JsonError::RepeatedName),
                Ordering::Greater => end = middle,
            }
        }
        let mut start = scanner.offset_of(name);
        for place in self.starts.get_mut(rank..=self.count).ok_or(JsonError::TooManyMembers)? {
            core::mem::swap(place, &mut start);
        }
        self.count = self.count.wrapping_add(1);
        Ok(())
    }
}

/// The order of two strings, unescaped, each of which ends at its closing quote or with its slice.
#[inline(never)]
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    Bytes::new(a).cmp(Bytes::new(b))
}
