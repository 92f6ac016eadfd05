//! Why an exchange over HTTP/1.1 failed.

use crate::transport::{InvalidRequest, TransportError};
use core::fmt;
use embedded_io::ErrorKind;

/// Why an exchange failed: `C` is the connector's error, `S` the stream's. The stream has been dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<C, S> {
    /// The request was none that can be sent. Nothing left, and the stream, where there was one, is kept.
    Request(InvalidRequest),
    /// There was no stream to be had. Nothing left.
    Connect(C),
    /// The stream failed.
    Stream {
        /// The stream's own error.
        error: S,
        /// Whether it may have taken a part of the request before.
        request_left: bool,
    },
    /// The stream took no more bytes, or ended before the answer did.
    Ended {
        /// Whether it may have taken a part of the request before.
        request_left: bool,
    },
    /// The answer was refused.
    Response(Refusal),
    /// An answer was asked for, but no request had been sent. Nothing has changed.
    NotSent,
}

/// Why a message was refused. What was read of it is in the buffer and means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// The head does not fit the buffer.
    HeadTooLong,
    /// The head has more than 24 fields.
    TooManyHeaders,
    /// The body does not fit the buffer.
    BodyTooLong,
    /// It is not the HTTP/1.1 that we take: RFC 9112 without its concessions to the past, and with no choice in
    /// where a message ends.
    Malformed,
    /// A request of HTTP/1.0.
    Version,
    /// A request that expects something else than `100 Continue`.
    Expectation,
}

impl Refusal {
    /// The status with which a server answers a request that it refuses.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::BodyTooLong => 413,
            Self::Expectation => 417,
            Self::HeadTooLong | Self::TooManyHeaders => 431,
            Self::Version => 505,
        }
    }
}

impl<C: embedded_io::Error, S: embedded_io::Error> TransportError for Error<C, S> {
    fn request_left(&self) -> bool {
        match self {
            Self::Request(_) | Self::Connect(_) | Self::NotSent => false,
            Self::Stream { request_left, .. } | Self::Ended { request_left } => *request_left,
            Self::Response(_) => true,
        }
    }

    fn is_timeout(&self) -> bool {
        match self {
            Self::Connect(error) => error.kind() == ErrorKind::TimedOut,
            Self::Stream { error, .. } => error.kind() == ErrorKind::TimedOut,
            _ => false,
        }
    }
}

impl<C, S> From<InvalidRequest> for Error<C, S> {
    fn from(error: InvalidRequest) -> Self {
        Self::Request(error)
    }
}

impl<C, S> From<Refusal> for Error<C, S> {
    fn from(refusal: Refusal) -> Self {
        Self::Response(refusal)
    }
}

impl<C: fmt::Display, S: fmt::Display> fmt::Display for Error<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => write!(f, "the request cannot be sent: {error}"),
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Stream { error, .. } => write!(f, "the connection failed: {error}"),
            Self::Ended { .. } => f.write_str("the connection ended too early"),
            Self::Response(refusal) => write!(f, "the answer was refused: {refusal}"),
            Self::NotSent => f.write_str("no request has been sent that an answer could be for"),
        }
    }
}

impl<C, S> core::error::Error for Error<C, S>
where
    C: core::error::Error + 'static,
    S: core::error::Error + 'static,
{
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Connect(error) => Some(error),
            Self::Stream { error, .. } => Some(error),
            Self::Response(refusal) => Some(refusal),
            Self::Ended { .. } | Self::NotSent => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadTooLong => "its head is longer than the buffer",
            Self::TooManyHeaders => "it has too many headers",
            Self::BodyTooLong => "its body is longer than the buffer",
            Self::Malformed => "it is not well-formed HTTP/1.1",
            Self::Version => "it is of HTTP/1.0",
            Self::Expectation => "it expects what nobody can promise",
        })
    }
}

impl core::error::Error for Refusal {}
