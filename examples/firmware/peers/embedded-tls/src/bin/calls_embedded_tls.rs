//! The client against a server at the other end of the UART, which answers each line reversed; and what each call costs, the
//! time in the UART left out.
#![no_std]
#![no_main]

use board::cost::{Cost, Report, cost};
use board::timer::{self, INSTRUCTIONS_PER_TICK};
use board::uart::{Uart, UartError};
use core::cell::Cell;
use peer_common::MESSAGE;
use peer_embedded_tls::{Connection, RECORD, open};

const REPORT: Report = Report { scheme: "TLS13-PSK-P256-AES128-GCM", mode: "mutual", role: "client" };

#[cortex_m_rt::entry]
fn main() -> ! {
    let (ticks, sent, received) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let line = Line { uart: Uart::new(10_000), ticks: &ticks, sent: &sent, received: &received };
    let (mut read, mut write) = ([0; RECORD], [0; RECORD]);
    let mut connection = Connection::new(line, &mut read, &mut write);
    REPORT.value("ram", "session", (size_of_val(&connection) + 2 * RECORD) as u64);

    let outcome = call(&ticks, "handshake", || open(&mut connection));
    outcome.unwrap();
    REPORT.value("wire", "handshake-sent", sent.take());
    REPORT.value("wire", "handshake-received", received.take());

    let mut message = [b'x'; MESSAGE];
    message[0] = b'y';
    message[MESSAGE - 1] = b'\n';
    let outcome = call(&ticks, "seal-256", || {
        connection.write(&message)?;
        connection.flush()
    });
    outcome.unwrap();
    REPORT.value("wire", "seal-256", sent.take());
    let mut answer = [0; MESSAGE];
    let length = call(&ticks, "open-256", || connection.read(&mut answer)).unwrap();
    message[..MESSAGE - 1].reverse();
    assert_eq!(answer[..length], message);
    board::semihosting::exit(0)
}

fn call<T>(ticks: &Cell<u32>, figure: &str, work: impl FnOnce() -> T) -> T {
    ticks.set(0);
    let (result, Cost { instructions, stack }) = cost(work);
    let uart = ticks.get() * INSTRUCTIONS_PER_TICK;
    REPORT.value("instructions", figure, u64::from(instructions - uart));
    REPORT.value("stack", figure, stack as u64);
    result
}

/// The UART, and what goes through it.
struct Line<'c> {
    uart: Uart,
    /// The time in it.
    ticks: &'c Cell<u32>,
    sent: &'c Cell<u64>,
    received: &'c Cell<u64>,
}

impl Line<'_> {
    fn timed<T>(&mut self, work: impl FnOnce(&mut Uart) -> T) -> T {
        let start = timer::now();
        let result = work(&mut self.uart);
        self.ticks.set(self.ticks.get() + start.elapsed());
        result
    }
}

impl embedded_io::ErrorType for Line<'_> {
    type Error = UartError;
}

impl embedded_io::Read for Line<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, UartError> {
        let read = self.timed(|uart| uart.read(buffer))?;
        self.received.set(self.received.get() + read as u64);
        Ok(read)
    }
}

impl embedded_io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, UartError> {
        let written = self.timed(|uart| uart.write(bytes))?;
        self.sent.set(self.sent.get() + written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> Result<(), UartError> {
        self.timed(Uart::flush)
    }
}
