//! The UART as a line that exchanges begin anew on.

use board::timer::{self, FREQUENCY};
use board::uart::{Uart, UartError};
use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use dynamic_key::transport::http1::Connect;
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

/// How long nothing must come until the line counts as silent.
const SILENCE_MILLIS: u32 = 100;

/// A connector over the one UART: after an error it waits until the line is silent, so that what was left of the last
/// exchange is not taken for the next one.
#[derive(Clone, Copy)]
pub struct Line<'u>(&'u RefCell<Uart>);

impl<'u> Line<'u> {
    /// Over this UART.
    #[must_use]
    pub const fn new(uart: &'u RefCell<Uart>) -> Self {
        Self(uart)
    }

    /// Discards what comes until nothing does, and hands out the line.
    pub fn begin(&self) -> Wire<'u> {
        let mut uart = self.0.borrow_mut();
        let mut last = timer::now();
        while last.elapsed() < SILENCE_MILLIS * (FREQUENCY / 1000) {
            if uart.read_ready() != Ok(false) {
                // An overrun means that a byte came, too.
                let _ = uart.read(&mut [0; 16]);
                last = timer::now();
            }
        }
        Wire(self.0)
    }
}

impl<'u> Connect for Line<'u> {
    type Stream = Wire<'u>;
    type Error = Infallible;

    fn connect(&mut self) -> Result<Wire<'u>, Infallible> {
        Ok(self.begin())
    }
}

/// The line as a stream.
pub struct Wire<'u>(&'u RefCell<Uart>);

/// Why the line failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, defmt::Format)]
pub enum WireError {
    /// No byte came in time.
    TimedOut,
    /// A byte was lost.
    Overrun,
}

impl From<UartError> for WireError {
    fn from(error: UartError) -> Self {
        match error {
            UartError::TimedOut => Self::TimedOut,
            UartError::Overrun => Self::Overrun,
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "no byte came in time",
            Self::Overrun => "a byte was lost",
        })
    }
}

impl core::error::Error for WireError {}

impl embedded_io::Error for WireError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Overrun => ErrorKind::Other,
        }
    }
}

impl ErrorType for Wire<'_> {
    type Error = WireError;
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, WireError> {
        Ok(self.0.borrow_mut().read(buffer)?)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        Ok(self.0.borrow_mut().write(bytes)?)
    }

    fn flush(&mut self) -> Result<(), WireError> {
        Ok(self.0.borrow_mut().flush()?)
    }
}
