//! HTTP/1.1 (RFC 9112) over any byte stream of `embedded-io`: TCP, or a UART.
//!
//! Requests and answers are machines without I/O; what is here only moves their bytes.
//!
//! - A stream is kept for the next request if the answer was read whole and the peer did not say that it closes. It is
//!   dropped after any error.
//! - Answers come with `Content-Length`, in chunks, or until the stream ends; a length beside chunks, two lengths,
//!   folded lines and bare line feeds are refused.
//! - Nothing is repeated once a byte has been taken by a stream.

mod body;
mod chunked;
mod connect;
mod encoder;
mod error;
mod head;
mod incoming;
mod response;
mod server;

use super::{InvalidHeader, Request, Response, Transport};
use core::{fmt, mem};
use embedded_io::{Error as _, ErrorKind, ErrorType, Read, Write};
use encoder::{BLOCK, Encoder};
use response::Receiver;

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

/// Where the stream stands between two calls.
enum Link<S> {
    Closed,
    Idle(S),
    Awaiting { stream: S, to_head: bool },
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

    /// Takes the stream if it may carry another exchange; drops any other.
    fn take_idle(&mut self) -> Option<C::Stream> {
        match mem::replace(&mut self.link, Link::Closed) {
            Link::Idle(mut stream) => self.connector.is_reusable(&mut stream).then_some(stream),
            Link::Closed | Link::Awaiting { .. } => None,
        }
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
        let encoder = Encoder::request(request, self.host)?;
        let to_head = request.method == "HEAD";
        if let Some(mut stream) = self.take_idle() {
            match write(&mut stream, encoder.clone()) {
                Ok(()) => {
                    self.link = Link::Awaiting { stream, to_head };
                    return Ok(());
                }
                // It was dead, and has taken nothing: the one time that a request goes to a second stream.
                Err(Error::Stream { request_left: false, .. } | Error::Ended { request_left: false }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut stream = self.connector.connect().map_err(Error::Connect)?;
        write(&mut stream, encoder)?;
        self.link = Link::Awaiting { stream, to_head };
        Ok(())
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Self::Error> {
        let (mut stream, to_head) = match mem::replace(&mut self.link, Link::Closed) {
            Link::Awaiting { stream, to_head } => (stream, to_head),
            link => {
                self.link = link;
                return Err(Error::NotSent);
            }
        };
        let mut receiver = Receiver::new(to_head);
        let received = loop {
            let read = match stream.read(receiver.room(buffer)?) {
                Ok(0) => break receiver.ended().ok_or(Error::Ended { request_left: true })?,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Stream { error, request_left: true }),
            };
            if let Some(received) = receiver.received(buffer, read)? {
                break received;
            }
        };
        if received.reusable {
            self.link = Link::Idle(stream);
        }
        Ok(Response {
            status: received.status,
            content_type_is_json: received.json,
            retry_after: received.retry_after,
            body: buffer.get_mut(..received.length).unwrap_or_default(),
        })
    }
}

impl<C: Connect + fmt::Debug> fmt::Debug for Http1<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = match self.link {
            Link::Closed => "closed",
            Link::Idle(_) => "idle",
            Link::Awaiting { .. } => "awaiting",
        };
        f.debug_struct("Http1")
            .field("connector", &self.connector)
            .field("host", &self.host)
            .field("link", &link)
            .finish()
    }
}

/// Writes a whole request.
fn write<C, S: Write>(stream: &mut S, mut encoder: Encoder<'_>) -> Result<(), Error<C, S::Error>> {
    let (mut block, mut left) = ([0; BLOCK], false);
    loop {
        let staged = encoder.fill(&mut block);
        if staged.is_empty() {
            break;
        }
        write_all(stream, staged, &mut left)?;
    }
    write_all(stream, encoder.body(), &mut left)?;
    while let Err(error) = stream.flush() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(Error::Stream { error, request_left: true });
        }
    }
    Ok(())
}

/// Writes all of `bytes`; `left` says whether the stream has taken any byte so far.
fn write_all<C, S: Write>(
    stream: &mut S,
    mut bytes: &[u8],
    left: &mut bool,
) -> Result<(), Error<C, S::Error>> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(Error::Ended { request_left: *left }),
            Ok(taken) => {
                *left = true;
                bytes = bytes.get(taken..).unwrap_or_default();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Stream { error, request_left: *left }),
        }
    }
    Ok(())
}
