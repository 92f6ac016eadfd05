//! What an exchange decides between the calls of its stream, so that the blocking and the awaiting driver decide the
//! same: each is a loop around these.

use super::Error;
use super::encoder::Sending;
use super::response::Receiver;
use crate::log::format_as;
use crate::transport::Request;
use core::{fmt, mem};
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

    /// Takes the stream of which an answer is awaited, to a HEAD request or to another.
    pub(super) fn receive<C, E>(&mut self) -> Result<(S, bool), Error<C, E>> {
        match mem::replace(self, Self::Closed) {
            Self::Awaiting { stream, to_head } => Ok((stream, to_head)),
            link => {
                *self = link;
                Err(Error::NotSent)
            }
        }
    }

    /// Keeps the stream that brought a whole answer if it may carry another exchange.
    pub(super) fn received(&mut self, stream: S, receiver: &Receiver) {
        if receiver.is_reusable() {
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

impl Sending<'_> {
    /// Takes the outcome of writing what [`Sending::next`] gave.
    pub(super) fn take<C, E: embedded_io::Error>(
        &mut self,
        written: Result<usize, E>,
    ) -> Result<(), Error<C, E>> {
        match written {
            Ok(0) => Err(Error::Ended { request_left: self.has_left() }),
            Ok(taken) => {
                self.taken(taken);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Error::Stream { error, request_left: self.has_left() }),
        }
    }
}

/// Takes the outcome of flushing; whether it is done.
pub(super) fn is_flushed<C, E: embedded_io::Error>(flushed: Result<(), E>) -> Result<bool, Error<C, E>> {
    match flushed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(Error::Stream { error, request_left: true }),
    }
}

impl Receiver {
    /// Takes the outcome of reading into [`Receiver::room`]; whether the answer is whole.
    pub(super) fn take<C, E: embedded_io::Error>(
        &mut self,
        buffer: &mut [u8],
        read: Result<usize, E>,
    ) -> Result<bool, Error<C, E>> {
        match read {
            Ok(0) if self.ended() => Ok(true),
            Ok(0) => Err(Error::Ended { request_left: true }),
            Ok(read) => Ok(self.received(buffer, read)?),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(Error::Stream { error, request_left: true }),
        }
    }
}
