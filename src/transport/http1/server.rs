//! The server's end of HTTP/1.1.

use super::encoder::{Decimal, Sending};
use super::incoming::{Receiver, Step};
use super::{Error, Refusal, write};
use crate::log::format_as;
use crate::transport::Header;
use core::convert::Infallible;
use core::fmt;
use embedded_io::{Error as _, ErrorKind, Read, Write};

/// The server's end of HTTP/1.1 over one stream: a request comes in, then its answer goes out.
///
/// The buffer of [`Server::receive`] must hold the head of a request and its body; what frames the body needs no room. A
/// head of at most 24 fields is taken. Requests come with `Content-Length`, in chunks, or without a body.
///
/// # Security
///
/// Whatever two readers could understand differently is refused ([`Refusal::Malformed`]): a length beside chunks, two
/// lengths, folded lines, bare line feeds, no `Host` or two, a target that is not a path. After a refusal the stream takes
/// its answer and nothing more. Requests that are sent ahead of an answer are not carried out: the stream is closed.
#[derive(Debug)]
pub struct Server<S> {
    stream: S,
    state: State,
}

/// What the stream waits for.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum State {
    /// A request.
    Ready,
    /// The answer to one, after which the stream is kept or closed.
    Asked { to_head: bool, keep: bool },
    /// Nothing any more.
    Closed,
}

format_as! { [S] Server<S>, server => "Server {{ state: {} }}", server.state }

impl<S: Read + Write> Server<S> {
    /// Serves `stream`. Timeouts are the stream's, as in [`Connect`](super::Connect).
    pub const fn new(stream: S) -> Self {
        Self { stream, state: State::Ready }
    }

    /// Whether the stream may carry another exchange. One that may not is to be dropped, or silenced.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// Receives the next request into `buffer`; `None` when the stream has ended between two requests or is closed. A
    /// peer that waits for `100 Continue` gets it once its head is in order and its body fits.
    ///
    /// # Errors
    ///
    /// [`ServerError::Refused`], after which [`Server::answer`] may say so and the stream is closed;
    /// [`ServerError::Idle`], after which nothing has changed; [`ServerError::Stream`] and [`ServerError::Ended`], after
    /// which it is closed; [`ServerError::OutOfTurn`] where an answer is due.
    pub fn receive<'b>(
        &mut self,
        buffer: &'b mut [u8],
    ) -> Result<Option<Incoming<'b>>, ServerError<S::Error>> {
        match self.state {
            State::Ready => {}
            State::Asked { .. } => return Err(ServerError::OutOfTurn),
            State::Closed => return Ok(None),
        }
        self.state = State::Closed;
        let mut receiver = Receiver::new();
        let received = loop {
            let room = receiver.room(buffer).map_err(|refusal| self.refuse(refusal))?;
            let read = match self.stream.read(room) {
                Ok(0) if receiver.is_empty() => return Ok(None),
                Ok(0) => return Err(ServerError::Ended),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if receiver.is_empty() => {
                    self.state = State::Ready;
                    return Err(ServerError::Idle(error));
                }
                Err(error) => return Err(ServerError::Stream(error)),
            };
            match receiver.received(buffer, read).map_err(|refusal| self.refuse(refusal))? {
                Step::More => {}
                Step::Continue => self.say_continue()?,
                Step::Whole(received) => break received,
            }
        };
        self.state = State::Asked { to_head: received.to_head, keep: received.reusable };
        let (head, body) = buffer.split_at_mut_checked(received.head).unwrap_or_default();
        Ok(Some(Incoming { head, body, length: received.body }))
    }

    /// Answers the request that was received last, or the one that was refused.
    ///
    /// # Errors
    ///
    /// [`ServerError::Answer`], after which nothing has left and another answer is due; [`ServerError::Stream`] and
    /// [`ServerError::Ended`], after which the stream is closed; [`ServerError::OutOfTurn`] where no answer is due.
    pub fn answer(&mut self, answer: &Answer<'_>) -> Result<(), ServerError<S::Error>> {
        let State::Asked { to_head, keep } = self.state else { return Err(ServerError::OutOfTurn) };
        let status = Decimal::new(usize::from(answer.status));
        let mut sending = Sending::answer(answer, &status, !keep, to_head).map_err(ServerError::Answer)?;
        self.state = State::Closed;
        write::<Infallible, S>(&mut self.stream, &mut sending)?;
        if keep {
            self.state = State::Ready;
        }
        Ok(())
    }

    /// Closes the stream after the next answer.
    pub const fn close(&mut self) {
        if let State::Asked { keep, .. } = &mut self.state {
            *keep = false;
        }
    }

    /// The stream.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// An answer may say so, and that is all.
    fn refuse(&mut self, refusal: Refusal) -> ServerError<S::Error> {
        self.state = State::Asked { to_head: false, keep: false };
        ServerError::Refused(refusal)
    }

    fn say_continue(&mut self) -> Result<(), ServerError<S::Error>> {
        Ok(write::<Infallible, S>(&mut self.stream, &mut Sending::go_ahead())?)
    }
}

/// A request that has come whole, unauthenticated as it is.
pub struct Incoming<'b> {
    /// The first line and the fields, as they came, in order.
    head: &'b [u8],
    /// The body in its first [`Incoming::length`] bytes, then the rest of the caller's buffer.
    pub body: &'b mut [u8],
    /// The length of the body in bytes.
    pub length: usize,
}

impl<'b> Incoming<'b> {
    /// The method, a token: case-sensitive.
    #[must_use]
    pub fn method(&self) -> &'b str {
        self.word(0)
    }

    /// The target: a `/` and visible ASCII after it, the query included.
    #[must_use]
    pub fn target(&self) -> &'b str {
        self.word(1)
    }

    /// The fields in their order, each value without blanks around it. Names compare without case. A value holds no line
    /// end and no other control character but tabs; it may hold bytes over 0x7F.
    pub fn headers(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'b> {
        self.lines().skip(1).filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((core::str::from_utf8(name).ok()?, value.get(1..)?.trim_ascii()))
        })
    }

    fn word(&self, index: usize) -> &'b str {
        let line = self.lines().next().unwrap_or_default();
        let word = line.split(|byte| *byte == b' ').nth(index).unwrap_or_default();
        core::str::from_utf8(word).unwrap_or_default()
    }

    /// The lines, which have all been parsed: each ends with CR LF, and neither stands elsewhere.
    fn lines(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        self.head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or_default())
    }
}

/// Prints method and target, the names of the fields, and the length of the body.
impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("method", &self.method())
            .field("target", &self.target())
            .field("body_length", &self.length)
            .finish_non_exhaustive()
    }
}

format_as! { [] Incoming<'_>, incoming => "Incoming {{ method: {}, target: {}, body_length: {} }}", incoming.method(), incoming.target(), incoming.length }

/// An answer. The transport adds the body's length, and that it closes the stream where it does.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// The headers, in this order, the body's type among them.
    pub headers: &'a [Header<'a>],
    /// The body. To a HEAD request only its length is sent.
    pub body: &'a [u8],
}

/// Prints neither header values nor the body.
impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_length", &self.body.len())
            .finish()
    }
}

format_as! { [] Answer<'_>, answer => "Answer {{ status: {}, headers: {}, body_length: {} }}", answer.status, answer.headers, answer.body.len() }

/// An answer that no transport sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidAnswer {
    /// The status is not one of 200 to 599.
    Status,
    /// A header that the transport writes itself, or must not write, is among the headers.
    Header,
    /// The status is one that has no body.
    Body,
}

/// Why an exchange failed; `S` is the stream's error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ServerError<S> {
    /// No request has begun to come. Nothing has changed: one may come later.
    Idle(S),
    /// The stream failed within an exchange.
    Stream(S),
    /// The stream took no more bytes, or ended within a request.
    Ended,
    /// The request was refused. What was read of it is in the buffer and means nothing.
    Refused(Refusal),
    /// The answer was none that can be sent.
    Answer(InvalidAnswer),
    /// A request was asked for where an answer is due, or the other way round. Nothing has changed.
    OutOfTurn,
}

impl<S> From<Error<Infallible, S>> for ServerError<S> {
    fn from(error: Error<Infallible, S>) -> Self {
        match error {
            Error::Stream { error, .. } => Self::Stream(error),
            _ => Self::Ended,
        }
    }
}

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "the status is not one of an answer",
            Self::Header => "a header belongs to the transport, not to the answer",
            Self::Body => "the status is one that has no body",
        })
    }
}

impl core::error::Error for InvalidAnswer {}

impl<S: fmt::Display> fmt::Display for ServerError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(error) => write!(f, "no request came: {error}"),
            Self::Stream(error) => write!(f, "the connection failed: {error}"),
            Self::Ended => f.write_str("the connection ended too early"),
            Self::Refused(refusal) => write!(f, "the request was refused: {refusal}"),
            Self::Answer(error) => write!(f, "the answer cannot be sent: {error}"),
            Self::OutOfTurn => f.write_str("the other half of the exchange comes first"),
        }
    }
}

impl<S: core::error::Error + 'static> core::error::Error for ServerError<S> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Idle(error) | Self::Stream(error) => Some(error),
            Self::Refused(refusal) => Some(refusal),
            Self::Answer(error) => Some(error),
            Self::Ended | Self::OutOfTurn => None,
        }
    }
}
