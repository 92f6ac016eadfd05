//! The CMSDK UART 0 as an `embedded-io` stream.

use crate::Register;
use crate::timer::{self, FREQUENCY, Moment};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

const DATA: Register = Register(0x4000_4000);
const STATE: Register = Register(0x4000_4004);
const CONTROL: Register = Register(0x4000_4008);
const BAUD_DIVISOR: Register = Register(0x4000_4010);

const TRANSMIT_FULL: u32 = 1;
const RECEIVE_FULL: u32 = 1 << 1;
const RECEIVE_OVERRUN: u32 = 1 << 3;
const ENABLE_BOTH: u32 = 0b11;

/// The UART. Reads end after a time without a byte: a peer that is gone must not hang the firmware.
pub struct Uart {
    timeout: u32,
}

/// Why reading failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UartError {
    /// No byte came in time.
    TimedOut,
    /// A byte came before the last one was read, and is lost.
    Overrun,
}

impl core::fmt::Display for UartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "no byte came in time",
            Self::Overrun => "a byte was lost",
        })
    }
}

impl core::error::Error for UartError {}

impl embedded_io::Error for UartError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Overrun => ErrorKind::Other,
        }
    }
}

impl Uart {
    /// Starts the UART, at the highest rate that it has, and the [timer](crate::timer). A read waits for its first byte at
    /// most `timeout_millis`, 171 seconds at most.
    #[must_use]
    pub fn new(timeout_millis: u32) -> Self {
        timer::start();
        BAUD_DIVISOR.write(16);
        CONTROL.write(ENABLE_BOTH);
        Self { timeout: timeout_millis.saturating_mul(FREQUENCY / 1000) }
    }

    fn receive(&mut self) -> Result<Option<u8>, UartError> {
        let state = STATE.read();
        if state & RECEIVE_OVERRUN != 0 {
            STATE.write(RECEIVE_OVERRUN);
            return Err(UartError::Overrun);
        }
        Ok((state & RECEIVE_FULL != 0).then(|| DATA.read() as u8))
    }

    fn wait(&mut self, since: Moment) -> Result<u8, UartError> {
        loop {
            if let Some(byte) = self.receive()? {
                return Ok(byte);
            }
            if since.elapsed() > self.timeout {
                return Err(UartError::TimedOut);
            }
        }
    }
}

impl ErrorType for Uart {
    type Error = UartError;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, UartError> {
        let Some((first, rest)) = buffer.split_first_mut() else { return Ok(0) };
        *first = self.wait(timer::now())?;
        let mut count = 1;
        for place in rest {
            let Some(byte) = self.receive()? else { break };
            *place = byte;
            count += 1;
        }
        Ok(count)
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, UartError> {
        Ok(STATE.read() & RECEIVE_FULL != 0)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, UartError> {
        for byte in bytes {
            while STATE.read() & TRANSMIT_FULL != 0 {}
            DATA.write(u32::from(*byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), UartError> {
        while STATE.read() & TRANSMIT_FULL != 0 {}
        Ok(())
    }
}
