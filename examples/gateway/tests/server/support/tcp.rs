//! The standard library's TCP streams as the library's transport wants them.

use dynamic_key::transport::http1::Connect;
use embedded_io::{ErrorKind, ErrorType};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A stream; one that waits too long has timed out.
pub struct Tcp(TcpStream);

/// Connects to an address, and looks at an idle stream before it is used again.
pub struct Dial(pub SocketAddr);

fn kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ErrorKind::TimedOut,
        io::ErrorKind::Interrupted => ErrorKind::Interrupted,
        io::ErrorKind::ConnectionRefused => ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
        _ => ErrorKind::Other,
    }
}

impl ErrorType for Tcp {
    type Error = ErrorKind;
}

impl embedded_io::Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buffer).map_err(|error| kind(&error))
    }
}

impl embedded_io::Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(bytes).map_err(|error| kind(&error))
    }
    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush().map_err(|error| kind(&error))
    }
}

impl Connect for Dial {
    type Stream = Tcp;
    type Error = ErrorKind;

    fn connect(&mut self) -> Result<Tcp, ErrorKind> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&self.0, Duration::from_secs(5))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            Ok(Tcp(stream))
        };
        connect().map_err(|error: io::Error| kind(&error))
    }

    fn is_reusable(&mut self, idle: &mut Tcp) -> bool {
        let look = || -> io::Result<bool> {
            idle.0.set_nonblocking(true)?;
            let silent = idle.0.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            idle.0.set_nonblocking(false)?;
            Ok(silent)
        };
        look().unwrap_or(false)
    }
}
