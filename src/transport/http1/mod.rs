//! HTTP/1.1 (RFC 9112) over any byte stream of `embedded-io`: TCP, or a UART.
//!
//! Requests and answers are machines without I/O; what is here only moves their bytes: [`Http1`] is the client's end and
//! blocks, with the feature `async` `AsyncHttp1` awaits; [`Server`] is the server's end, which blocks. Both ends share what
//! finds the end of a head, frames a body and writes a message.
//!
//! The client's end:
//!
//! - A stream is kept for the next request if the answer was read whole and the peer did not say that it closes. It is
//!   dropped after any error.
//! - Answers come with `Content-Length`, in chunks, or until the stream ends; a length beside chunks, two lengths,
//!   folded lines and bare line feeds are refused.
//! - Nothing is repeated once a byte has been taken by a stream.
//!
//! The server's end:
//!
//! - Requests are of HTTP/1.1, for a path, with one `Host`, and come with `Content-Length`, in chunks or without a body. What
//!   two readers could understand differently is refused as above, with the status of [`Refusal::status`], and the stream
//!   is closed.
//! - `Expect: 100-continue` is answered once the head is in order and the body fits; no other expectation can be met.
//! - A stream is kept after an answer unless the peer says that it closes, or sent more than its request.
//!
//! ```
//! use dynamic_key::transport::Header;
//! use dynamic_key::transport::http1::{Answer, Server, ServerError};
//! use embedded_io::{Read, Write};
//!
//! fn echo<S: Read + Write>(stream: S) -> Result<(), ServerError<S::Error>> {
//!     let (mut server, mut buffer) = (Server::new(stream), [0; 2048]);
//!     loop {
//!         let (status, body) = match server.receive(&mut buffer) {
//!             Ok(Some(incoming)) => (200, incoming.body.split_at(incoming.length).0),
//!             Ok(None) => return Ok(()),
//!             Err(ServerError::Refused(refusal)) => (refusal.status(), &[][..]),
//!             Err(error) => return Err(error),
//!         };
//!         server.answer(&Answer { status, headers: &[Header::JSON], body })?;
//!     }
//! }
//! ```

#[cfg(feature = "async")]
mod asynchronous;
mod body;
mod connect;
mod encoder;
mod error;
mod head;
mod incoming;
mod inflow;
mod link;
mod response;
mod server;

use super::{InvalidHeader, Request, Response, Transport};
use crate::log::format_as;
use core::fmt;
use embedded_io::{ErrorType, Read, Write};
use encoder::Sending;
use link::{Link, is_flushed};
use response::Receiver;

#[cfg(feature = "async")]
pub use asynchronous::{AsyncConnect, AsyncHttp1};
pub use connect::{Connect, Single, Spent};
pub use error::{Error, Refusal};
pub use server::{Answer, Incoming, InvalidAnswer, Server, ServerError};

/// The client's end of HTTP/1.1: one exchange at a time, over streams of a connector.
///
/// The buffer of [`Transport::receive`] must hold the head of an answer and, after that, its body: the longer of the
/// two is enough, and what frames the body needs no room. A head of at most 24 fields is taken, at most 8 interim
/// answers (1xx) are skipped, extensions and trailers of chunks are bounded and ignored.
///
/// # Security
///
/// This is a carrier. An answer that is read until the stream ends may have been cut: the envelope in it tells.
pub struct Http1<'h, C: Connect> {
    connector: C,
    host: &'h str,
    link: Link<C::Stream>,
}

impl<'h, C: Connect> Http1<'h, C> {
    /// A transport over the streams of `connector`; `host` goes into the `Host` header, such as
    /// `gateway.example:8080`. Nothing is opened before the first request.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader::Value`] if `host` is not an RFC 3986 host with an optional port.
    pub fn new(connector: C, host: &'h str) -> Result<Self, InvalidHeader> {
        if !encoder::is_host(host) {
            return Err(InvalidHeader::Value);
        }
        Ok(Self { connector, host, link: Link::Closed })
    }

    /// Drops the stream, such as before a device sleeps. The next request opens another.
    pub fn disconnect(&mut self) {
        self.link = Link::Closed;
    }
}

impl<'h, S: Read + Write> Http1<'h, Single<S>> {
    /// A transport over the one `stream`, such as a UART.
    ///
    /// After an error it only fails, because nobody knows what the stream would bring next. Lend it (`&mut stream`) to
    /// begin anew, once the line is silent; or give [`Http1::new`] a connector that knows how to silence it.
    ///
    /// # Errors
    ///
    /// As [`Http1::new`].
    pub fn over(stream: S, host: &'h str) -> Result<Self, InvalidHeader> {
        Self::new(Single::new(stream), host)
    }
}

impl<C: Connect> Transport for Http1<'_, C> {
    type Error = Error<C::Error, <C::Stream as ErrorType>::Error>;

    fn send(&mut self, request: &Request<'_>) -> Result<(), Self::Error> {
        encoder::check(request)?;
        let mut sending = Sending::request(request, self.host);
        let mut kept = self.link.take_idle(|stream| self.connector.is_reusable(stream));
        loop {
            let was_kept = kept.is_some();
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => self.connector.connect().map_err(Error::Connect)?,
            };
            match write(&mut stream, &mut sending) {
                Ok(()) => {
                    self.link.sent(stream, request);
                    return Ok(());
                }
                // It was dead, and has taken nothing: the one time that a request goes to a second stream.
                Err(_) if was_kept && !sending.has_left() => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Self::Error> {
        let (mut stream, to_head) = self.link.receive()?;
        let mut receiver = Receiver::new(to_head);
        loop {
            let read = stream.read(receiver.room(buffer)?);
            if receiver.take(buffer, read)? {
                break;
            }
        }
        self.link.received(stream, &receiver);
        Ok(receiver.response(buffer))
    }
}

impl<C: Connect + fmt::Debug> fmt::Debug for Http1<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1")
            .field("connector", &self.connector)
            .field("host", &self.host)
            .field("link", &self.link)
            .finish()
    }
}

format_as! {
    [C: Connect] Http1<'_, C>, http => "Http1 {{ host: {}, link: {} }}", http.host, http.link
}

/// Writes a whole message.
fn write<C, S: Write>(stream: &mut S, sending: &mut Sending<'_>) -> Result<(), Error<C, S::Error>> {
    loop {
        let bytes = sending.next();
        if bytes.is_empty() {
            break;
        }
        let written = stream.write(bytes);
        sending.take(written)?;
    }
    while !is_flushed(stream.flush())? {}
    Ok(())
}
