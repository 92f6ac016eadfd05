//! Heads of messages: where one ends, and what its fields say of the message.

use super::Refusal;
use super::body::Body;
use super::inflow::shift;
use crate::codec::decimal;
use crate::transport::is_token;

/// How many header fields a head may have.
pub(super) const MAX_HEADERS: usize = 24;

/// A head that is coming into a buffer, always the same, from its front on.
#[derive(Default)]
pub(super) struct HeadRoom {
    end: HeadEnd,
    /// How much of the buffer is in use, and how much of that has been looked at.
    filled: usize,
    looked: usize,
}

impl HeadRoom {
    /// Whether nothing has come.
    pub(super) const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// What has come, the head and what follows it.
    pub(super) fn held<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        buffer.get(..self.filled).unwrap_or_default()
    }

    /// Where the next bytes go: never empty.
    pub(super) fn room<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], Refusal> {
        let room = buffer.get_mut(self.filled..).unwrap_or_default();
        if room.is_empty() { Err(Refusal::HeadTooLong) } else { Ok(room) }
    }

    /// Takes the `read` bytes that came into [`HeadRoom::room`].
    pub(super) fn received(&mut self, buffer: &[u8], read: usize) {
        self.filled = self.filled.saturating_add(read).min(buffer.len());
    }

    /// The length of the head, if it is whole.
    pub(super) fn length(&mut self, buffer: &[u8]) -> Result<Option<usize>, Refusal> {
        let looked = self.looked;
        let found = self.end.find(self.held(buffer).get(looked..).unwrap_or_default())?;
        self.looked = self.filled;
        Ok(found.map(|length| looked.saturating_add(length)))
    }

    /// How many bytes came after the head, which is `length` bytes long.
    pub(super) const fn after(&self, length: usize) -> usize {
        self.filled.saturating_sub(length)
    }

    /// Gives the head up, which is `length` bytes long: what came after it is the start of another.
    pub(super) fn again(&mut self, buffer: &mut [u8], length: usize) {
        let after = self.after(length);
        let _ = shift(buffer, 0, length, after);
        *self = Self { filled: after, ..Self::default() };
    }
}

/// Finds the end of a head in bytes that come in any portions: the first empty line.
///
/// Every line ends in CR LF. A CR or LF by itself, which others may or may not take for a line end, is refused.
#[derive(Clone, Copy, Default)]
pub(super) struct HeadEnd {
    /// Whether the last byte was a CR.
    after_cr: bool,
    /// Whether a line has ended and the next one has not begun.
    after_line: bool,
}

impl HeadEnd {
    /// Looks at the bytes that came next; `Some` is how many of them belong to the head.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        for (index, byte) in bytes.iter().enumerate() {
            if self.after_cr != (*byte == b'\n') {
                return Err(Refusal::Malformed);
            }
            if self.after_cr && self.after_line {
                return Ok(Some(index.saturating_add(1)));
            }
            let is_cr = *byte == b'\r';
            self.after_line = self.after_cr || (self.after_line && is_cr);
            self.after_cr = is_cr;
        }
        Ok(None)
    }
}

/// What the fields of a head say of the body and the stream.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Framing {
    /// The body, where one is announced.
    pub(super) body: Option<Body>,
    /// Whether the peer closes the stream after this message.
    pub(super) close: bool,
}

/// The value of a field, if it came.
type Value<'b> = Option<&'b [u8]>;

impl Framing {
    /// Reads the fields of these `names`: the length, the coding, two others whose values are handed out, and the options of the
    /// connection, in this order. All but the last may come once.
    ///
    /// # Security
    ///
    /// Whatever could let two readers disagree on where the body ends is refused: a field of framing, or any other
    /// that is read here, sent twice (even in agreement); a length that is not plain digits; a coding other than
    /// `chunked`; a length beside a coding (RFC 9112 §6.3).
    pub(super) fn of<'b>(
        fields: impl Iterator<Item = Option<Field<'b>>>,
        names: &str,
    ) -> Result<(Self, [Value<'b>; 2]), Refusal> {
        let mut values = [None; 4];
        let mut close = false;
        for (before, field) in fields.enumerate() {
            let (name, value) = field.ok_or(Refusal::Malformed)?;
            if before >= MAX_HEADERS {
                return Err(Refusal::TooManyHeaders);
            }
            let Some(position) = position(names.as_bytes(), name) else { continue };
            match values.get_mut(position) {
                Some(place) => match place.replace(value) {
                    None => {}
                    Some(_) => return Err(Refusal::Malformed),
                },
                None => close |= self::position(value, b"close").is_some(),
            }
        }
        let [length, coding, one, other] = values;
        let body = match (length, coding) {
            (None, None) => None,
            (Some(length), None) => Some(Body::of_length(decimal(length).ok_or(Refusal::Malformed)?)),
            (None, Some(coding)) if is(coding, "chunked") => Some(Body::CHUNKED),
            _ => return Err(Refusal::Malformed),
        };
        Ok((Self { body, close }, [one, other]))
    }
}

/// The name of a field and its value.
pub(super) type Field<'b> = (&'b [u8], &'b [u8]);

/// The lines of a whole head, up to the empty one. [`HeadEnd`] has seen that each CR stands before an LF, and each LF behind a CR.
pub(super) struct Lines<'b>(&'b [u8]);

impl<'b> Lines<'b> {
    pub(super) const fn new(head: &'b [u8]) -> Self {
        Self(head)
    }

    /// The lines that are left, as fields; `None` is a line that is none (RFC 9112 §5). No line continues the one before it.
    pub(super) fn fields(self) -> impl Iterator<Item = Option<Field<'b>>> {
        self.map(field)
    }
}

impl<'b> Iterator for Lines<'b> {
    type Item = &'b [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'b [u8]> {
        let length = self.0.iter().position(|byte| *byte == b'\r')?;
        let (line, rest) = self.0.split_at_checked(length)?;
        self.0 = rest.get(2..)?;
        (length > 0).then_some(line)
    }
}

fn field(line: &[u8]) -> Option<Field<'_>> {
    let length = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(length)?;
    let value = value.get(1..)?;
    let sound = is_token(name) && is_text(value);
    sound.then(|| (name, trim(value)))
}

/// Whether nothing in `bytes` is a control character but the tabulator: what values and reasons are made of.
#[inline(never)]
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t')
}

/// Where `element` stands in a `list` whose elements commas separate (RFC 9110 §5.6.1), in small or large letters.
#[inline(never)] // small: it is called for every name
pub(super) fn position(list: &[u8], element: &[u8]) -> Option<usize> {
    let mut rest = list;
    for position in 0.. {
        let length = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
        let (other, behind) = rest.split_at_checked(length)?;
        if trim(other).eq_ignore_ascii_case(element) {
            return Some(position);
        }
        rest = behind.get(1..)?;
    }
    None
}

/// Whether `bytes` are `text`, which has no comma, in small or large letters.
fn is(bytes: &[u8], text: &str) -> bool {
    position(text.as_bytes(), bytes).is_some()
}

/// Whether a `Content-Type` is `application/json`, whatever its parameters.
pub(super) fn is_json(value: &[u8]) -> bool {
    is(trim(value.split(|byte| *byte == b';').next().unwrap_or_default()), "application/json")
}

/// `bytes` without the blanks around them.
#[inline(never)]
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<'b>(headers: &[(&'b str, &'b str)]) -> Result<(Framing, [Value<'b>; 2]), Refusal> {
        let fields = headers.iter().map(|(name, value)| Some((name.as_bytes(), value.as_bytes())));
        Framing::of(fields, "content-length,transfer-encoding,content-type,retry-after,connection")
    }

    fn fields(headers: &[(&str, &str)]) -> Result<Framing, Refusal> {
        all(headers).map(|(framing, _)| framing)
    }

    #[test]
    fn a_head_ends_with_the_first_empty_line_in_any_portions() {
        let head = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nrest\r\n\r\n";
        for cut in 0..head.len() {
            let mut end = HeadEnd::default();
            let found = match end.find(&head[..cut]).unwrap() {
                Some(found) => found,
                None => cut + end.find(&head[cut..]).unwrap().unwrap(),
            };
            assert_eq!(&head[found..], b"rest\r\n\r\n");
        }
        for bad in ["a\nb", "a\r\n\n", "\n", "a\rb", "a\r\r\n", "a\r\n\rb", "a\r\n\r\r\n"] {
            assert_eq!(HeadEnd::default().find(bad.as_bytes()), Err(Refusal::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn one_length_in_plain_digits() {
        let length = |value| fields(&[("Content-Length", value)]).map(|fields| fields.body);
        assert_eq!(length("0"), Ok(Some(Body::of_length(0))));
        assert_eq!(length("0012"), Ok(Some(Body::of_length(12))));
        assert_eq!(length("99999999999999999999"), Ok(Some(Body::of_length(usize::MAX))));
        for bad in
            ["", "+1", "-1", "1 ", "1,1", "1, 1", "0x1", "1.0", "1e3", "\u{661}", "99999999999999999999a"]
        {
            assert_eq!(length(bad), Err(Refusal::Malformed), "{bad:?}");
        }
        for second in ["1", "2"] {
            let both = [("content-length", "1"), ("CONTENT-LENGTH", second)];
            assert_eq!(fields(&both), Err(Refusal::Malformed));
        }
    }

    #[test]
    fn chunked_and_nothing_else() {
        assert_eq!(fields(&[("transfer-encoding", "Chunked")]).unwrap().body, Some(Body::CHUNKED));
        for bad in [
            "",
            "gzip",
            "gzip, chunked",
            "chunked, chunked",
            "chunked,",
            ",chunked",
            "identity",
            "\x0bchunked",
            "chunked;a=b",
        ] {
            assert_eq!(fields(&[("transfer-encoding", bad)]), Err(Refusal::Malformed), "{bad:?}");
        }
        let twice = [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")];
        assert_eq!(fields(&twice), Err(Refusal::Malformed));
        for order in [[0, 1], [1, 0]] {
            let both = [("transfer-encoding", "chunked"), ("content-length", "5")];
            assert_eq!(fields(&order.map(|index| both[index])), Err(Refusal::Malformed));
        }
    }

    #[test]
    fn what_the_protocol_asks() {
        let json = |value| all(&[("Content-Type", value)]).unwrap().1[0].is_some_and(is_json);
        for yes in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json ;a=b",
        ] {
            assert!(json(yes), "{yes:?}");
        }
        for no in [
            "",
            "text/json",
            "application/jsonp",
            "application/json, text/html",
            "xapplication/json",
            ";application/json",
            "application /json",
        ] {
            assert!(!json(no), "{no:?}");
        }
        for name in ["content-type", "retry-after"] {
            assert_eq!(fields(&[(name, "1"), (name, "1")]), Err(Refusal::Malformed));
        }
    }

    #[test]
    fn close_among_the_options() {
        let close = |value| fields(&[("connection", value)]).unwrap().close;
        assert!(close("close") && close("Close") && close("keep-alive, close") && close("a,\tCLOSE ,b"));
        assert!(!close("") && !close("keep-alive") && !close("closed") && !close("not close"));
        assert!(fields(&[("connection", "close"), ("connection", "x")]).unwrap().close);
    }
}
