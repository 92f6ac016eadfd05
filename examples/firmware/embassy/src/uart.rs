//! The CMSDK UART 0 by interrupts.

use crate::interrupts::{self, Interrupt};
use crate::register::Register;
use core::convert::Infallible;
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;
use dynamic_key::transport::http1::AsyncConnect;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

const DATA: Register = Register(0x4000_4000);
const STATE: Register = Register(0x4000_4004);
const CONTROL: Register = Register(0x4000_4008);
const INTERRUPT: Register = Register(0x4000_400C);
const BAUD_DIVISOR: Register = Register(0x4000_4010);

const TRANSMIT_FULL: u32 = 1;
const RECEIVE_FULL: u32 = 1 << 1;
const ENABLE_BOTH: u32 = 0b11;
const SENT: u32 = 1;
const RECEIVED: u32 = 1 << 1;
const ENABLE_SENT: u32 = 1 << 2;
const ENABLE_RECEIVED: u32 = 1 << 3;

/// How long an answer may take to begin.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long nothing must come until the line counts as silent.
const SILENCE: Duration = Duration::from_millis(500);

/// What has been received and not read.
static INCOMING: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();
static SENDER: AtomicWaker = AtomicWaker::new();

/// Starts the UART, at the highest rate that it has.
pub fn start() {
    BAUD_DIVISOR.write(16);
    CONTROL.write(ENABLE_BOTH | ENABLE_SENT | ENABLE_RECEIVED);
    interrupts::enable(Interrupt::UartReceived);
    interrupts::enable(Interrupt::UartSent);
}

pub(crate) extern "C" fn received() {
    INTERRUPT.write(RECEIVED);
    // A byte for which there is no room stays where it is, and holds up its sender.
    while !INCOMING.is_full() && STATE.read() & RECEIVE_FULL != 0 {
        let _ = INCOMING.try_write(&[DATA.read() as u8]);
    }
}

pub(crate) extern "C" fn sent() {
    INTERRUPT.write(SENT);
    SENDER.wake();
}

async fn read(buffer: &mut [u8]) -> usize {
    let count = INCOMING.read(buffer).await;
    // There is room again.
    interrupts::request(Interrupt::UartReceived);
    count
}

/// A connector over the UART. It waits until the line is silent, so that what an exchange left, whose future was dropped,
/// is not taken for the next one.
#[derive(Clone, Copy, Debug)]
pub struct Line;

impl AsyncConnect for Line {
    type Stream = Wire;
    type Error = Infallible;

    async fn connect(&mut self) -> Result<Wire, Infallible> {
        while with_timeout(SILENCE, read(&mut [0; 64])).await.is_ok() {}
        Ok(Wire)
    }
}

/// The UART as a stream.
#[derive(Debug)]
pub struct Wire;

/// No byte came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no byte came in time")
    }
}

impl core::error::Error for TimedOut {}

impl embedded_io_async::Error for TimedOut {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

impl ErrorType for Wire {
    type Error = TimedOut;
}

impl Read for Wire {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TimedOut> {
        with_timeout(TIMEOUT, read(buffer)).await.map_err(|_| TimedOut)
    }
}

impl Write for Wire {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, TimedOut> {
        let ready = poll_fn(|context| {
            SENDER.register(context.waker());
            if STATE.read() & TRANSMIT_FULL == 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        with_timeout(TIMEOUT, ready).await.map_err(|_| TimedOut)?;
        let mut count = 0;
        for byte in bytes {
            if STATE.read() & TRANSMIT_FULL != 0 {
                break;
            }
            DATA.write(u32::from(*byte));
            count += 1;
        }
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), TimedOut> {
        Ok(())
    }
}
