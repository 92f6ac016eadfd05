//! Messages as bytes, block by block.

use super::head::is;
use super::server::{Answer, InvalidAnswer};
use crate::codec::is_made_of;
use crate::transport::{Header, InvalidRequest, Request};

/// The length of a block in bytes: what a head is gathered in, so that it does not go out by the byte.
pub(super) const BLOCK: usize = 128;

/// What the transport writes itself, and what would change how the stream is framed (RFC 9112).
const RESERVED: [&str; 9] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Expect",
];

/// A message on its way: the pieces of its head, of which some have gone.
pub(super) struct Encoder<'a> {
    /// The first line, and what the transport says besides the length.
    start: [&'a str; 5],
    length: Option<Decimal>,
    headers: &'a [Header<'a>],
    piece: usize,
    offset: usize,
    body: &'a [u8],
}

impl<'a> Encoder<'a> {
    /// Checks `request`. `host` has been checked by [`is_host`].
    pub(super) fn request(request: &'a Request<'a>, host: &'a str) -> Result<Self, InvalidRequest> {
        request.check()?;
        if has_reserved(request.headers) {
            return Err(InvalidRequest::Header);
        }
        // RFC 9110 §8.6: a method that expects content says that there is none, any other is silent.
        let says_length = !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH");
        let length = says_length.then(|| Decimal::new(request.body.len()));
        let start = [request.method, " ", request.target, " HTTP/1.1\r\nHost: ", host];
        Ok(Self { start, length, headers: request.headers, piece: 0, offset: 0, body: request.body })
    }

    /// Checks `answer`, of whose status `status` are the digits. `close`: this end closes the stream after it; `to_head`:
    /// it answers a HEAD request, so that its body is only measured.
    pub(super) fn answer(
        answer: &'a Answer<'a>,
        status: &'a Decimal,
        close: bool,
        to_head: bool,
    ) -> Result<Self, InvalidAnswer> {
        if !matches!(answer.status, 200..=599) {
            return Err(InvalidAnswer::Status);
        }
        let bodiless = matches!(answer.status, 204 | 304);
        if bodiless && !answer.body.is_empty() {
            return Err(InvalidAnswer::Body);
        }
        if has_reserved(answer.headers) {
            return Err(InvalidAnswer::Header);
        }
        let length = (!bodiless).then(|| Decimal::new(answer.body.len()));
        let close = if close { "\r\nConnection: close" } else { "" };
        let status = core::str::from_utf8(status.digits()).unwrap_or_default();
        let start = ["HTTP/1.1 ", status, " ", close, ""];
        let body = if to_head { &[] } else { answer.body };
        Ok(Self { start, length, headers: answer.headers, piece: 0, offset: 0, body })
    }

    /// Fills `block` with what comes next of the head. The last block of it takes as much of the body as it has
    /// room for; an empty one means that the head has gone and [`Encoder::body`] is what remains.
    pub(super) fn fill<'b>(&mut self, block: &'b mut [u8; BLOCK]) -> &'b [u8] {
        let mut filled = 0;
        while let Some(piece) = self.piece() {
            let rest = piece.get(self.offset..).unwrap_or_default();
            let copied = copy(rest, block.get_mut(filled..).unwrap_or_default());
            filled = filled.saturating_add(copied);
            if copied < rest.len() {
                self.offset = self.offset.saturating_add(copied);
                return block;
            }
            self.piece = self.piece.saturating_add(1);
            self.offset = 0;
        }
        if filled > 0 {
            let copied = copy(self.body, block.get_mut(filled..).unwrap_or_default());
            self.body = self.body.get(copied..).unwrap_or_default();
            filled = filled.saturating_add(copied);
        }
        block.get(..filled).unwrap_or_default()
    }

    /// The part of the body that no block has taken.
    pub(super) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The piece of the head that comes next.
    fn piece(&self) -> Option<&[u8]> {
        let length = self.length.as_ref();
        let text = match self.piece {
            start @ 0..=4 => self.start.get(start).copied().unwrap_or_default(),
            5 => length.map_or("", |_| "\r\nContent-Length: "),
            6 => return Some(length.map_or(&[], Decimal::digits)),
            after => {
                let part = after.saturating_sub(7);
                match (self.headers.get(part / 5), part % 5) {
                    (Some(_), 0) => "\r\n",
                    (Some(header), 1) => header.name(),
                    (Some(_), 2) => ": ",
                    (Some(header), 3) => header.value()[0],
                    (Some(header), _) => header.value()[1],
                    (None, 0) => "\r\n\r\n",
                    (None, _) => return None,
                }
            }
        };
        Some(text.as_bytes())
    }
}

/// Whether a header is among `headers` that the transport writes itself, or must not write.
fn has_reserved(headers: &[Header<'_>]) -> bool {
    headers.iter().any(|header| RESERVED.iter().any(|name| is(header.name().as_bytes(), name)))
}

/// Whether `text` can be the value of `Host`: RFC 3986 `host` with an optional port, and not empty.
pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty() && is_made_of(text.as_bytes(), b"-._~%!$&'()*+,;=:[]")
}

/// A number in decimal digits, which end the room for them.
pub(super) struct Decimal {
    room: [u8; 20],
    start: usize,
}

impl Decimal {
    /// Divides words, as every processor does: a division of 64 bits is 0.9 KB of flash where there is no instruction for it.
    pub(super) fn new(number: usize) -> Self {
        let mut decimal = Self { room: [0; 20], start: 20 };
        let mut rest = number;
        for digit in decimal.room.iter_mut().rev() {
            *digit = b'0' | (rest % 10) as u8;
            rest /= 10;
            decimal.start = decimal.start.saturating_sub(1);
            if rest == 0 {
                break;
            }
        }
        decimal
    }

    fn digits(&self) -> &[u8] {
        self.room.get(self.start..).unwrap_or_default()
    }
}

/// Copies what fits and says how much that was.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    from.len().min(to.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn written(request: &Request<'_>) -> (Vec<u8>, usize) {
        let mut encoder = Encoder::request(request, "h:1").unwrap();
        let (mut out, mut blocks, mut block) = (Vec::new(), 0, [0; BLOCK]);
        loop {
            let staged = encoder.fill(&mut block);
            if staged.is_empty() {
                out.extend_from_slice(encoder.body());
                return (out, blocks);
            }
            out.extend_from_slice(staged);
            blocks += 1;
        }
    }

    #[test]
    fn a_request_is_what_it_was_at_every_length() {
        for length in 0..400 {
            let token = "t".repeat(length + 1);
            let body = "b".repeat(length);
            let headers = [Header::JSON, Header::bearer(&token).unwrap()];
            let request =
                Request { method: "POST", target: "/a?b", headers: &headers, body: body.as_bytes() };
            let expected = std::format!(
                "POST /a?b HTTP/1.1\r\nHost: h:1\r\nContent-Length: {length}\r\nContent-Type: application/json\r\n\
                 Authorization: Bearer {token}\r\n\r\n{body}"
            );
            let (out, blocks) = written(&request);
            assert_eq!(out, expected.as_bytes());
            assert_eq!(blocks, (expected.len() - length).div_ceil(BLOCK));
        }
    }

    #[test]
    fn only_methods_with_content_name_a_length_of_zero() {
        for (method, length) in
            [("POST", true), ("PUT", true), ("PATCH", true), ("GET", false), ("DELETE", false)]
        {
            let (out, _) = written(&Request { method, target: "/", headers: &[], body: &[] });
            let expected = if length { "\r\nContent-Length: 0" } else { "" };
            assert_eq!(out, std::format!("{method} / HTTP/1.1\r\nHost: h:1{expected}\r\n\r\n").as_bytes());
        }
    }

    #[test]
    fn framing_is_not_the_callers() {
        for name in RESERVED {
            for name in [name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                let headers = [Header::JSON, Header::new(&name, "1").unwrap()];
                let request = Request { method: "POST", target: "/", headers: &headers, body: &[] };
                assert_eq!(Encoder::request(&request, "h").err(), Some(InvalidRequest::Header));
            }
        }
    }

    #[test]
    fn hosts() {
        for host in ["a", "gateway.example:8080", "127.0.0.1", "[::1]:80"] {
            assert!(is_host(host));
        }
        for host in ["", "a b", "a\r\nb", "a/b", "user@a", "a?b", "a#b", "é", "a\0", "a\\b"] {
            assert!(!is_host(host), "{host:?}");
        }
    }

    #[test]
    fn decimals() {
        for number in [0, 9, 10, 4095, 1 << 20, usize::MAX] {
            assert_eq!(Decimal::new(number).digits(), std::format!("{number}").as_bytes());
        }
    }
}
