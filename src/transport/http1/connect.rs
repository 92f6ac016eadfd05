//! Where streams come from.

use core::fmt;
use embedded_io::{ErrorKind, Read, Write};

/// Opens streams to the one peer that it stands for.
///
/// Timeouts are the streams': one that waits no longer than it should fails with [`ErrorKind::TimedOut`]. So should a
/// TCP stream gather nothing by itself (`TCP_NODELAY`), because a request goes out in blocks.
pub trait Connect {
    /// A stream to the peer, which closes when it is dropped.
    type Stream: Read + Write;
    /// Why there is none.
    type Error: embedded_io::Error;

    /// Opens a new stream. The one before has been dropped.
    ///
    /// # Errors
    ///
    /// Whatever keeps a stream from being opened.
    fn connect(&mut self) -> Result<Self::Stream, Self::Error>;

    /// Whether `idle`, over which an exchange has succeeded, may carry another.
    ///
    /// A peer closes idle streams, and a request written to one just then is lost without a trace: its outcome is
    /// unknown, and it is not sent again by itself. A connector that can look (is there an end, or are there bytes
    /// that nobody asked for?) or that knows how long a stream has been idle prevents most of this here.
    fn is_reusable(&mut self, idle: &mut Self::Stream) -> bool {
        let _ = idle;
        true
    }
}

/// One stream, such as a UART, which cannot be opened again: after an error it is gone.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Single<S>(Option<S>);

impl<S> Single<S> {
    /// Hands out `stream`, once.
    #[must_use]
    pub const fn new(stream: S) -> Self {
        Self(Some(stream))
    }

    /// The stream, once.
    pub(super) fn hand_out(&mut self) -> Result<S, Spent> {
        self.0.take().ok_or(Spent)
    }
}

impl<S: Read + Write> Connect for Single<S> {
    type Stream = S;
    type Error = Spent;

    fn connect(&mut self) -> Result<S, Spent> {
        self.hand_out()
    }
}

/// The only stream there was is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Spent;

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the only stream there was is gone")
    }
}

impl core::error::Error for Spent {}

impl embedded_io::Error for Spent {
    fn kind(&self) -> ErrorKind {
        ErrorKind::NotConnected
    }
}
