//! Messages as bytes, block by block.

use super::head::position;
use super::server::{Answer, InvalidAnswer};
use crate::codec::is_made_of;
use crate::transport::{Header, InvalidRequest, Request};
use core::ops::Range;

/// The length of a block in bytes: what a head is gathered in, so that it does not go out by the byte.
pub(super) const BLOCK: usize = 128;

/// What the transport writes itself, and what would change how the stream is framed (RFC 9112).
const RESERVED: &[u8] =
    b"host,content-length,transfer-encoding,connection,keep-alive,te,trailer,upgrade,expect";

/// A message that is being written: a head, which goes out in blocks, and a body.
pub(super) struct Sending<'a> {
    /// The first line, and what the transport says besides the length.
    start: [&'a str; 5],
    /// The length of the body, where the head says one.
    length: Option<usize>,
    headers: &'a [Header<'a>],
    body: &'a [u8],
    block: [u8; BLOCK],
    /// What of the block is still to be written.
    staged: Range<usize>,
    /// How many bytes the stream has taken so far.
    sent: usize,
}

impl<'a> Sending<'a> {
    /// A head that begins with `start`, `headers`, and `body`, whose length is said or not.
    const fn new(start: [&'a str; 5], says_length: bool, headers: &'a [Header<'a>], body: &'a [u8]) -> Self {
        let length = if says_length { Some(body.len()) } else { None };
        Self { start, length, headers, body, block: [0; BLOCK], staged: 0..0, sent: 0 }
    }

    /// A request that [`check`] has passed. `host` has been checked by [`is_host`].
    pub(super) fn request(request: &'a Request<'a>, host: &'a str) -> Self {
        // RFC 9110 §8.6: a method that expects content says that there is none, any other is silent.
        let says_length = !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH");
        let start = [request.method, " ", request.target, " HTTP/1.1\r\nHost: ", host];
        Self::new(start, says_length, request.headers, request.body)
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
        let close = if close { "\r\nConnection: close" } else { "" };
        let status = core::str::from_utf8(status.digits()).unwrap_or_default();
        let mut sending =
            Self::new(["HTTP/1.1 ", status, " ", close, ""], !bodiless, answer.headers, answer.body);
        if to_head {
            sending.body = &[];
        }
        Ok(sending)
    }

    /// The word that a peer waits for before it sends its body.
    pub(super) const fn go_ahead() -> Self {
        Self::new(["HTTP/1.1 100 Continue", "", "", "", ""], false, &[], &[])
    }

    /// The bytes to be written next: none when all have been.
    pub(super) fn next(&mut self) -> &[u8] {
        if self.staged.is_empty() {
            let (filled, behind) = self.fill();
            self.staged = 0..filled;
            if filled == 0 {
                return self.body.get(behind..).unwrap_or_default();
            }
        }
        self.block.get(self.staged.clone()).unwrap_or_default()
    }

    /// The stream has taken so many of them.
    pub(super) const fn taken(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count);
        self.staged.start = self.staged.start.saturating_add(count);
    }

    /// Whether the stream has taken any byte.
    pub(super) const fn has_left(&self) -> bool {
        self.sent > 0
    }

    /// Fills the block with what comes next of the head, and says how much that is. The last block of it takes as much of the body
    /// as it has room for. Once the head has gone, nothing is filled and the second number is how much of the body has.
    fn fill(&mut self) -> (usize, usize) {
        let mut block = Block { skip: self.sent, filled: 0, bytes: &mut self.block };
        for text in self.start {
            block.put(text.as_bytes());
        }
        if let Some(length) = self.length {
            block.put(b"\r\nContent-Length: ");
            block.put(Decimal::new(length).digits());
        }
        for header in self.headers {
            let [value, more] = header.value();
            for text in ["\r\n", header.name(), ": ", value, more] {
                block.put(text.as_bytes());
            }
        }
        block.put(b"\r\n\r\n");
        let gone = block.skip;
        if block.filled > 0 {
            block.put(self.body);
        }
        (block.filled, gone)
    }
}

/// A part of a message that is put into a block: what came before it is skipped, what comes after it has no room.
struct Block<'b> {
    skip: usize,
    filled: usize,
    bytes: &'b mut [u8; BLOCK],
}

impl Block<'_> {
    #[inline(never)] // small: it is called for every piece of a message
    fn put(&mut self, bytes: &[u8]) {
        let part = bytes.get(self.skip..).unwrap_or_default();
        self.skip = self.skip.saturating_sub(bytes.len());
        for byte in part {
            let Some(place) = self.bytes.get_mut(self.filled) else { break };
            *place = *byte;
            self.filled = self.filled.saturating_add(1);
        }
    }
}

/// Whether `request` is one that can be sent as it is.
pub(super) fn check(request: &Request<'_>) -> Result<(), InvalidRequest> {
    request.check()?;
    if has_reserved(request.headers) { Err(InvalidRequest::Header) } else { Ok(()) }
}

/// Whether a header is among `headers` that the transport writes itself, or must not write.
fn has_reserved(headers: &[Header<'_>]) -> bool {
    headers.iter().any(|header| position(RESERVED, header.name().as_bytes()).is_some())
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
        for (at, digit) in decimal.room.iter_mut().enumerate().rev() {
            *digit = b'0' | (rest % 10) as u8;
            rest /= 10;
            decimal.start = at;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// What a stream gets that takes at most `portion` bytes at once, and how many times it takes some.
    fn written(request: &Request<'_>, portion: usize) -> (Vec<u8>, usize) {
        check(request).unwrap();
        let mut sending = Sending::request(request, "h:1");
        let (mut out, mut writes) = (Vec::new(), 0);
        loop {
            assert_eq!(sending.has_left(), !out.is_empty());
            let next = sending.next();
            let taken = next.len().min(portion);
            out.extend_from_slice(&next[..taken]);
            if taken == 0 {
                return (out, writes);
            }
            sending.taken(taken);
            writes += 1;
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
            for portion in [1, 7, BLOCK + 1] {
                assert_eq!(written(&request, portion).0, expected.as_bytes());
            }
            // The head in full blocks, the last of which has some of the body; then the rest of it.
            let blocks = (expected.len() - length).div_ceil(BLOCK);
            let rest = usize::from(expected.len() > blocks * BLOCK);
            assert_eq!(written(&request, usize::MAX), (expected.into_bytes(), blocks + rest));
        }
    }

    #[test]
    fn only_methods_with_content_name_a_length_of_zero() {
        for (method, length) in
            [("POST", true), ("PUT", true), ("PATCH", true), ("GET", false), ("DELETE", false)]
        {
            let (out, _) = written(&Request { method, target: "/", headers: &[], body: &[] }, 5);
            let expected = if length { "\r\nContent-Length: 0" } else { "" };
            assert_eq!(out, std::format!("{method} / HTTP/1.1\r\nHost: h:1{expected}\r\n\r\n").as_bytes());
        }
    }

    #[test]
    fn framing_is_not_the_callers() {
        for name in core::str::from_utf8(RESERVED).unwrap().split(',') {
            for name in [name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                let headers = [Header::JSON, Header::new(&name, "1").unwrap()];
                let request = Request { method: "POST", target: "/", headers: &headers, body: &[] };
                assert_eq!(check(&request), Err(InvalidRequest::Header));
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
