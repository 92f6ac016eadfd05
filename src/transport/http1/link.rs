//! What an exchange decides between the calls of its stream, so that the blocking and the awaiting driver decide the
//! same: each is a loop around these.

use super::Error;
use super::encoder::{BLOCK, Encoder};
use super::response::{Received, Receiver};
use crate::log::format_as;
use crate::transport::{Request, Response};
use core::{fmt, mem, ops::Range};
use embedded_io::ErrorKind;

/// Where the stream stands between two calls. A driver takes it out before it touches it, so that it is dropped with
/// whatever ends an exchange too early: an error, or the future of an awaiting driver.
pub(super) enum Link<S> {
    Closed,
    Idle(S),
    Awaiting { stream: S, to_head: bool },
}

impl<S> Link<S> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Idle(_) => "idle",
            Self::Awaiting { .. } => "awaiting",
        }
    }

    /// Takes the stream if it may carry another exchange; drops any other.
    pub(super) fn take_idle(&mut self, is_reusable: impl FnOnce(&mut S) -> bool) -> Option<S> {
        match mem::replace(self, Self::Closed) {
            Self::Idle(mut stream) => is_reusable(&mut stream).then_some(stream),
            Self::Closed | Self::Awaiting { .. } => None,
        }
    }

    /// Keeps the stream, which has taken the whole `request`, for the answer.
    pub(super) fn sent(&mut self, stream: S, request: &Request<'_>) {
        *self = Self::Awaiting { stream, to_head: request.method == "HEAD" };
    }

    /// Takes the stream of which an answer is awaited.
    pub(super) fn receive<C, E>(&mut self) -> Result<(S, Receiver), Error<C, E>> {
        match mem::replace(self, Self::Closed) {
            Self::Awaiting { stream, to_head } => Ok((stream, Receiver::new(to_head))),
            link => {
                *self = link;
                Err(Error::NotSent)
            }
        }
    }

    /// Keeps the stream that brought a whole answer if it may carry another exchange.
    pub(super) fn received(&mut self, stream: S, received: &Received) {
        if received.reusable {
            *self = Self::Idle(stream);
        }
    }
}

impl<S> fmt::Debug for Link<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

format_as! { [S] Link<S>, link => "{}", link.name() }

/// A message that is being written.
pub(super) struct Sending<'a> {
    /// What the head comes from, where there is one.
    encoder: Option<Encoder<'a>>,
    block: [u8; BLOCK],
    /// What of the block is still to be written.
    staged: Range<usize>,
    /// What of the body is, once the head has gone.
    body: Option<&'a [u8]>,
    /// Whether the stream has taken any byte so far.
    left: bool,
}

impl<'a> Sending<'a> {
    pub(super) const fn new(encoder: Encoder<'a>) -> Self {
        Self { encoder: Some(encoder), block: [0; BLOCK], staged: 0..0, body: None, left: false }
    }

    /// These bytes and no more.
    pub(super) const fn bytes(bytes: &'a [u8]) -> Self {
        Self { encoder: None, block: [0; BLOCK], staged: 0..0, body: Some(bytes), left: false }
    }

    /// The bytes to be written next; `None` when all have been.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        if let (true, None, Some(encoder)) = (self.staged.is_empty(), self.body, &mut self.encoder) {
            self.staged = 0..encoder.fill(&mut self.block).len();
            if self.staged.is_empty() {
                self.body = Some(encoder.body());
            }
        }
        let bytes = self.body.or_else(|| self.block.get(self.staged.clone()))?;
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Takes the outcome of writing them.
    pub(super) fn take<C, E: embedded_io::Error>(
        &mut self,
        written: Result<usize, E>,
    ) -> Result<(), Error<C, E>> {
        match written {
            Ok(0) => return Err(Error::Ended { request_left: self.left }),
            Ok(taken) => {
                self.left = true;
                match &mut self.body {
                    Some(body) => *body = body.get(taken..).unwrap_or_default(),
                    None => self.staged.start = self.staged.start.saturating_add(taken),
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Stream { error, request_left: self.left }),
        }
        Ok(())
    }

    /// Takes the outcome of flushing; whether it is done.
    pub(super) fn is_flushed<C, E: embedded_io::Error>(
        &self,
        flushed: Result<(), E>,
    ) -> Result<bool, Error<C, E>> {
        match flushed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(Error::Stream { error, request_left: true }),
        }
    }
}

impl Receiver {
    /// Takes the outcome of reading into [`Receiver::room`]; `Some` is the whole answer.
    pub(super) fn take<C, E: embedded_io::Error>(
        &mut self,
        buffer: &mut [u8],
        read: Result<usize, E>,
    ) -> Result<Option<Received>, Error<C, E>> {
        match read {
            Ok(0) => self.ended().map(Some).ok_or(Error::Ended { request_left: true }),
            Ok(read) => Ok(self.received(buffer, read)?),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(Error::Stream { error, request_left: true }),
        }
    }
}

impl Received {
    /// The answer, whose body lies at the front of `buffer`.
    pub(super) fn response<'b>(&self, buffer: &'b mut [u8]) -> Response<'b> {
        Response {
            status: self.status,
            content_type_is_json: self.json,
            retry_after: self.retry_after,
            body: buffer.get_mut(..self.length).unwrap_or_default(),
        }
    }
}
