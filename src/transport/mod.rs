//! Carriers of requests and answers, in a send and a receive half, and HTTP/1.1 over any byte stream.
//!
//! A transport drives the core and is never called by it: it moves bytes, and what they mean is decided above it.
//! Whatever comes back is what someone on the wire wanted to come back, until an envelope opens.

mod header;
pub mod http1;

use crate::codec::retry_after::Unread;
use crate::log::format_as;
use core::fmt;

pub use header::{Header, InvalidHeader};
pub(crate) use header::{is_token, is_token_byte};

/// One exchange at a time, in two halves: a request goes out, then its answer comes in.
///
/// # Errors
///
/// After an error of either half the exchange is over: the next call is [`Transport::send`].
pub trait Transport {
    /// Why an exchange failed.
    type Error: TransportError;

    /// Sends `request`. An answer that was never received is given up.
    ///
    /// # Errors
    ///
    /// Whatever keeps the request from leaving whole; [`TransportError::request_left`] says whether a part of it
    /// may have left.
    fn send(&mut self, request: &Request<'_>) -> Result<(), Self::Error>;

    /// Receives the answer to the request sent last into `buffer`, which the body of the answer then shares.
    ///
    /// # Errors
    ///
    /// Whatever keeps an answer from coming whole and well-formed, and from fitting `buffer`.
    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Self::Error>;
}

/// A [`Transport`] whose halves are awaited.
///
/// A future that is dropped ends the exchange as an error does, and bytes of a request whose sending was dropped may have
/// left: the next call is [`AsyncTransport::send`], and no answer to what was given up comes as the answer to it.
#[cfg(feature = "async")]
#[expect(
    async_fn_in_trait,
    reason = "whether the future is Send is the implementer's, as in embedded-io-async"
)]
pub trait AsyncTransport {
    /// Why an exchange failed.
    type Error: TransportError;

    /// As [`Transport::send`].
    ///
    /// # Errors
    ///
    /// As [`Transport::send`].
    async fn send(&mut self, request: &Request<'_>) -> Result<(), Self::Error>;

    /// As [`Transport::receive`].
    ///
    /// # Errors
    ///
    /// As [`Transport::receive`].
    async fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Self::Error>;
}

/// What a caller must know of a failed exchange, whatever carried it.
pub trait TransportError: fmt::Debug {
    /// Whether any byte of the request may have left. Only if none has, any request may be sent again by itself
    /// (§2.6).
    fn request_left(&self) -> bool;

    /// Whether the peer was waited for in vain.
    fn is_timeout(&self) -> bool;
}

/// A request. The transport adds what it needs itself, over HTTP the host and the body's length.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method, such as `POST`: case-sensitive.
    pub method: &'a str,
    /// Path and query, percent-encoded where it must be, such as `/api/info/v2`.
    pub target: &'a str,
    /// The headers, in this order, the body's type among them.
    pub headers: &'a [Header<'a>],
    /// The body, as it goes on the wire.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// Checks what the types do not: that method and target cannot end the line they stand in.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Method`] for anything but a token (RFC 9110 §5.6.2), and for `CONNECT`;
    /// [`InvalidRequest::Target`] for anything but a `/` and visible ASCII after it, without `#`.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        if !is_token(self.method.as_bytes()) || self.method == "CONNECT" {
            return Err(InvalidRequest::Method);
        }
        let visible = |byte| matches!(byte, 0x21..=0x7e) && byte != b'#';
        if !self.target.starts_with('/') || !self.target.bytes().all(visible) {
            return Err(InvalidRequest::Target);
        }
        Ok(())
    }
}

/// Prints neither header values nor the body.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &self.headers)
            .field("body_length", &self.body.len())
            .finish()
    }
}

format_as! { [] Request<'_>, request => "Request {{ method: {}, target: {}, headers: {}, body_length: {} }}", request.method, request.target, request.headers, request.body.len() }

/// An answer, unauthenticated as it is. Of its headers only these facts are kept.
#[derive(PartialEq, Eq)]
pub struct Response<'b> {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// Whether the body says that it is `application/json`, with parameters or without.
    pub content_type_is_json: bool,
    /// `Retry-After`, as it came.
    pub retry_after: Unread,
    /// The body: a slice of the caller's buffer, to be opened in place.
    pub body: &'b mut [u8],
}

/// Prints the length of the body, not the body.
impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("content_type_is_json", &self.content_type_is_json)
            .field("retry_after", &self.retry_after)
            .field("body_length", &self.body.len())
            .finish()
    }
}

format_as! { [] Response<'_>, response => "Response {{ status: {}, content_type_is_json: {}, retry_after: {}, body_length: {} }}", response.status, response.content_type_is_json, response.retry_after, response.body.len() }

/// A request that no transport sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The method is no token, or one that turns the stream into a tunnel.
    Method,
    /// The target does not begin with `/`, or holds what no target may.
    Target,
    /// A header that the transport writes itself, or must not write, is among the headers.
    Header,
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the method is not one that can be sent",
            Self::Target => "the target is no path with an optional query",
            Self::Header => "a header belongs to the transport, not to the request",
        })
    }
}

impl core::error::Error for InvalidRequest {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str) -> Result<(), InvalidRequest> {
        Request { method, target, headers: &[], body: &[] }.check()
    }

    #[test]
    fn method_and_target_cannot_leave_their_line() {
        assert_eq!(check("POST", "/api/info/v2"), Ok(()));
        assert_eq!(check("GET", "/a?b=c%0d&d=~"), Ok(()));
        for method in ["", "CONNECT", "GET ", "GE T", "GET\r\n", "GET\0", "GÉT", "GET/", "G:T"] {
            assert_eq!(check(method, "/"), Err(InvalidRequest::Method), "{method:?}");
        }
        for target in [
            "",
            "a",
            "*",
            "http://a/b",
            "/ ",
            "/a b",
            "/a\r\nb",
            "/a\nb",
            "/a\tb",
            "/\0",
            "/\x7f",
            "/é",
            "/a#b",
        ] {
            assert_eq!(check("GET", target), Err(InvalidRequest::Target), "{target:?}");
        }
    }

    #[test]
    fn no_value_is_printed() {
        let token = Header::bearer("topsecret").unwrap();
        let request = Request { method: "POST", target: "/t", headers: &[token], body: b"plain body" };
        let printed = std::format!("{request:?}");
        assert!(printed.contains("Authorization") && printed.contains("body_length: 10"), "{printed}");
        assert!(!printed.contains("topsecret") && !printed.contains("plain"), "{printed}");
        let mut body = *b"plain body";
        let response = Response {
            status: 200,
            content_type_is_json: true,
            retry_after: Unread::ABSENT,
            body: &mut body,
        };
        assert!(!std::format!("{response:?}").contains("112"));
    }
}
