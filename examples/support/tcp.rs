//! TCP for `transport::http1`: the streams of std as `embedded-io` wants them.

use dynamic_key::transport::http1::Connect;
use embedded_io::ErrorKind;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long to wait for a connection, and for bytes on it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a gateway listens: `http://host[:port]`.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    authority: String,
}

impl Origin {
    /// Reads `http://host[:port]`, with or without a `/` at its end; the error is a line for a person.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let authority = url
            .strip_prefix("http://")
            .ok_or_else(|| format!("{url}: http://HOST[:PORT] is what this program speaks"))?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
            return Err(format!("{url}: the URL of a gateway is http://HOST[:PORT] and nothing more"));
        }
        Ok(Self { authority: authority.into() })
    }

    /// The value of `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.authority
    }

    /// A connector to the addresses that the host has now.
    pub(crate) fn dial(&self) -> io::Result<Dial> {
        let (_, after_address) = self.authority.rsplit_once(']').unwrap_or(("", &self.authority));
        let addresses = if after_address.contains(':') {
            self.authority.to_socket_addrs()?
        } else {
            format!("{}:80", self.authority).to_socket_addrs()?
        };
        Ok(Dial { addresses: addresses.collect() })
    }
}

/// Connects to one host.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    addresses: Vec<SocketAddr>,
}

impl Connect for Dial {
    type Stream = Tcp;
    type Error = TcpError;

    fn connect(&mut self) -> Result<Tcp, TcpError> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in &self.addresses {
            match open(*address) {
                Ok(stream) => return Ok(Tcp(stream)),
                Err(error) => last = error,
            }
        }
        Err(TcpError(last))
    }

    /// Looks: an idle stream that has ended, or has something to say, is none to send a request on.
    fn is_reusable(&mut self, idle: &mut Tcp) -> bool {
        let look = || {
            idle.0.set_nonblocking(true)?;
            let silent = idle.0.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            idle.0.set_nonblocking(false)?;
            io::Result::Ok(silent)
        };
        look().unwrap_or(false)
    }
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// A stream of std.
#[derive(Debug)]
pub(crate) struct Tcp(TcpStream);

impl embedded_io::ErrorType for Tcp {
    type Error = TcpError;
}

impl embedded_io::Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TcpError> {
        self.0.read(buffer).map_err(TcpError)
    }
}

impl embedded_io::Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, TcpError> {
        self.0.write(bytes).map_err(TcpError)
    }

    fn flush(&mut self) -> Result<(), TcpError> {
        self.0.flush().map_err(TcpError)
    }
}

/// What the operating system said.
#[derive(Debug)]
pub(crate) struct TcpError(io::Error);

impl embedded_io::Error for TcpError {
    fn kind(&self) -> ErrorKind {
        match self.0.kind() {
            // What a read timeout of std is depends on the platform.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ErrorKind::TimedOut,
            io::ErrorKind::Interrupted => ErrorKind::Interrupted,
            io::ErrorKind::ConnectionRefused => ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Other,
        }
    }
}

impl fmt::Display for TcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match embedded_io::Error::kind(self) {
            ErrorKind::TimedOut => write!(f, "nothing came for {} s", TIMEOUT.as_secs()),
            _ => self.0.fmt(f),
        }
    }
}

impl std::error::Error for TcpError {}
