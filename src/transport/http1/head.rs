//! Heads of messages: where one ends, and what its fields say of the message.

use super::Refusal;
use super::body::shift;
use crate::transport::is_token;

/// How many header fields a head may have.
pub(super) const MAX_HEADERS: usize = 24;

/// A head that is coming into a buffer, always the same, from its front on.
pub(super) struct HeadRoom {
    end: HeadEnd,
    /// How much of the buffer is in use, and how much of that has been looked at.
    filled: usize,
    looked: usize,
}

impl HeadRoom {
    /// Before the first byte.
    pub(super) const fn new() -> Self {
        Self { end: HeadEnd::new(), filled: 0, looked: 0 }
    }

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
        shift(buffer, 0, length, after);
        *self = Self { end: HeadEnd::new(), filled: after, looked: 0 };
    }
}

/// Finds the end of a head in bytes that come in any portions: the first empty line.
///
/// Every line ends in CR LF. A CR or LF by itself, which others may or may not take for a line end, is refused.
#[derive(Clone, Copy)]
pub(super) struct HeadEnd {
    /// How much of CR LF CR LF the last bytes were.
    seen: u8,
}

impl HeadEnd {
    /// Before the first byte.
    pub(super) const fn new() -> Self {
        Self { seen: 0 }
    }

    /// Looks at the bytes that came next; `Some` is how many of them belong to the head.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        for (index, byte) in bytes.iter().enumerate() {
            self.seen = match (self.seen, byte) {
                (0, b'\r') => 1,
                (1, b'\n') => 2,
                (2, b'\r') => 3,
                (3, b'\n') => return Ok(Some(index.saturating_add(1))),
                (1 | 3, _) | (_, b'\n') => return Err(Refusal::Malformed),
                _ => 0,
            };
        }
        Ok(None)
    }
}

/// What the fields of a head say of the body and the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Framing {
    /// The length of the body, where it is named.
    pub(super) content_length: Option<usize>,
    /// Whether the body comes in chunks.
    pub(super) chunked: bool,
    /// Whether the peer closes the stream after this message.
    pub(super) close: bool,
}

/// The value of a field, if it came.
type Value<'b> = Option<&'b [u8]>;

impl Framing {
    /// Reads the fields, and the values of the two named in `others`, which may come once as well.
    ///
    /// # Security
    ///
    /// Whatever could let two readers disagree on where the body ends is refused: a field of framing, or any other
    /// that is read here, sent twice (even in agreement); a length that is not plain digits; a coding other than
    /// `chunked`; a length beside a coding (RFC 9112 §6.3).
    pub(super) fn of<'b>(
        fields: impl Iterator<Item = Option<Field<'b>>>,
        [one, other]: [&str; 2],
    ) -> Result<(Self, [Value<'b>; 2]), Refusal> {
        let names = ["content-length", "transfer-encoding", one, other];
        let mut values = [None; 4];
        let mut framing = Self::default();
        for (before, field) in fields.enumerate() {
            let (name, value) = field.ok_or(Refusal::Malformed)?;
            if before >= MAX_HEADERS {
                return Err(Refusal::TooManyHeaders);
            }
            if is(name, "connection") {
                framing.close |=
                    value.split(|byte| *byte == b',').any(|option| is(option.trim_ascii(), "close"));
            }
            for (wanted, place) in names.iter().zip(&mut values) {
                if is(name, wanted) && place.replace(value).is_some() {
                    return Err(Refusal::Malformed);
                }
            }
        }
        let [length, coding, one, other] = values;
        if let Some(coding) = coding {
            framing.chunked = is(coding, "chunked") && length.is_none();
            if !framing.chunked {
                return Err(Refusal::Malformed);
            }
        }
        framing.content_length = length.map(content_length).transpose()?;
        Ok((framing, [one, other]))
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
    sound.then(|| (name, value.trim_ascii()))
}

/// Whether nothing in `bytes` is a control character but the tabulator: what values and reasons are made of.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t')
}

/// Whether `bytes` are `text`, in small or large letters.
#[inline(never)] // small: it is called for every name
pub(super) fn is(bytes: &[u8], text: &str) -> bool {
    bytes.eq_ignore_ascii_case(text.as_bytes())
}

/// A `Content-Length`.
fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if is_decimal(value) { decimal(value).ok_or(Refusal::BodyTooLong) } else { Err(Refusal::Malformed) }
}

/// Whether a `Content-Type` is `application/json`, whatever its parameters.
pub(super) fn is_json(value: &[u8]) -> bool {
    let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
    is(media_type.trim_ascii_end(), "application/json")
}

fn is_decimal(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The number, unless it is too large.
fn decimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, digit| {
        number.checked_mul(10)?.checked_add(usize::from(digit.wrapping_sub(b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<'b>(headers: &[(&'b str, &'b str)]) -> Result<(Framing, [Value<'b>; 2]), Refusal> {
        let fields = headers.iter().map(|(name, value)| Some((name.as_bytes(), value.as_bytes())));
        Framing::of(fields, ["content-type", "retry-after"])
    }

    fn fields(headers: &[(&str, &str)]) -> Result<Framing, Refusal> {
        all(headers).map(|(framing, _)| framing)
    }

    #[test]
    fn a_head_ends_with_the_first_empty_line_in_any_portions() {
        let head = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nrest\r\n\r\n";
        for cut in 0..head.len() {
            let mut end = HeadEnd::new();
            let found = match end.find(&head[..cut]).unwrap() {
                Some(found) => found,
                None => cut + end.find(&head[cut..]).unwrap().unwrap(),
            };
            assert_eq!(&head[found..], b"rest\r\n\r\n");
        }
        for bad in ["a\nb", "a\r\n\n", "\n", "a\rb", "a\r\r\n", "a\r\n\rb", "a\r\n\r\r\n"] {
            assert_eq!(HeadEnd::new().find(bad.as_bytes()), Err(Refusal::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn one_length_in_plain_digits() {
        let length = |value| fields(&[("Content-Length", value)]).map(|fields| fields.content_length);
        assert_eq!(length("0"), Ok(Some(0)));
        assert_eq!(length("0012"), Ok(Some(12)));
        for bad in
            ["", "+1", "-1", "1 ", "1,1", "1, 1", "0x1", "1.0", "1e3", "\u{661}", "99999999999999999999a"]
        {
            assert_eq!(length(bad), Err(Refusal::Malformed), "{bad:?}");
        }
        assert_eq!(length("99999999999999999999"), Err(Refusal::BodyTooLong));
        for second in ["1", "2"] {
            let both = [("content-length", "1"), ("CONTENT-LENGTH", second)];
            assert_eq!(fields(&both), Err(Refusal::Malformed));
        }
    }

    #[test]
    fn chunked_and_nothing_else() {
        assert!(fields(&[("transfer-encoding", "Chunked")]).unwrap().chunked);
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
