//! The client: a handshake, one message there, one back.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::hint::black_box;
use embedded_tls::TlsError;
use peer_common::{MESSAGE, exchange};
use peer_embedded_tls::{Connection, RECORD, open};

#[cortex_m_rt::entry]
fn main() -> ! {
    board::semihosting::exit(run().is_err().into())
}

fn run() -> Result<(), TlsError> {
    let (mut read, mut write, mut text) = ([0; RECORD], [0; RECORD], [0; MESSAGE]);
    let mut connection = Connection::new(Line, &mut read, &mut write);
    open(&mut connection)?;
    connection.write(&text)?;
    connection.flush()?;
    black_box(connection.read(&mut text)?);
    Ok(())
}

/// A stream of whose bytes the optimiser knows nothing.
struct Line;

impl embedded_io::ErrorType for Line {
    type Error = Infallible;
}

impl embedded_io::Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(exchange(buffer, buffer.len()))
    }
}

impl embedded_io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
