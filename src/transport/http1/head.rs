//! Heads of messages: where one ends, and what its fields say of the message.

use super::Refusal;
use httparse::Header;

/// How many header fields a head may have.
pub(super) const MAX_HEADERS: usize = 24;

/// The fields that may come once, in the order of [`Fields::of`].
const SINGLE: [&str; 4] = ["content-length", "transfer-encoding", "content-type", "retry-after"];

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

/// What the fields of a head say, as far as the transport or the protocol asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Fields {
    /// The length of the body, where it is named.
    pub(super) content_length: Option<usize>,
    /// Whether the body comes in chunks.
    pub(super) chunked: bool,
    /// Whether the peer closes the stream after this message.
    pub(super) close: bool,
    /// Whether the body is `application/json`.
    pub(super) json: bool,
    /// Seconds to wait.
    pub(super) retry_after: Option<u32>,
}

impl Fields {
    /// Reads the fields.
    ///
    /// # Security
    ///
    /// Whatever could let two readers disagree on where the body ends is refused: a field of framing, or any other
    /// that is read here, sent twice (even in agreement); a length that is not plain digits; a coding other than
    /// `chunked`; a length beside a coding (RFC 9112 §6.3).
    pub(super) fn of(headers: &[Header<'_>]) -> Result<Self, Refusal> {
        let mut values = [None; 4];
        let mut fields = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if let Some((_, value)) = SINGLE.iter().zip(&mut values).find(|(name, _)| is(name)) {
                if value.replace(header.value).is_some() {
                    return Err(Refusal::Malformed);
                }
            } else if is("connection") {
                fields.close |= says_close(header.value);
            }
        }
        let [length, coding, content_type, retry_after] = values;
        if let Some(coding) = coding {
            fields.chunked = coding.eq_ignore_ascii_case(b"chunked") && length.is_none();
            if !fields.chunked {
                return Err(Refusal::Malformed);
            }
        }
        fields.content_length = length.map(content_length).transpose()?;
        fields.json = content_type.is_some_and(is_json);
        fields.retry_after = retry_after.and_then(seconds);
        Ok(fields)
    }
}

/// Whether `close` is among the options of a `Connection`.
fn says_close(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// A `Content-Length`.
fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if is_decimal(value) { decimal(value).ok_or(Refusal::BodyTooLong) } else { Err(Refusal::Malformed) }
}

/// A `Retry-After`, if it is a number; the largest for one that is larger.
fn seconds(value: &[u8]) -> Option<u32> {
    let seconds = || decimal(value).and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(u32::MAX);
    is_decimal(value).then(seconds)
}

/// Whether a `Content-Type` is `application/json`, whatever its parameters.
fn is_json(value: &[u8]) -> bool {
    let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii_end().eq_ignore_ascii_case(b"application/json")
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
    use std::vec::Vec;

    fn fields(headers: &[(&str, &str)]) -> Result<Fields, Refusal> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        Fields::of(&headers)
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
        let json = |value| fields(&[("content-type", value)]).unwrap().json;
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
        let retry = |value| fields(&[("Retry-After", value)]).unwrap().retry_after;
        assert_eq!(retry("120"), Some(120));
        assert_eq!(retry("4294967296"), Some(u32::MAX));
        assert_eq!(retry("99999999999999999999999"), Some(u32::MAX));
        for no in ["", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(retry(no), None, "{no:?}");
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
