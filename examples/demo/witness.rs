//! A witness before the upstream: passes every byte on, and remembers what the gateway asked for.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What has gone to the upstream.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Vec<u8>>>);

impl Witness {
    /// Listens on a free loopback port in front of `upstream`.
    pub(crate) fn before(upstream: SocketAddr) -> io::Result<(SocketAddr, Self)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let witness = Self::default();
        let memory = witness.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let memory = memory.clone();
                thread::spawn(move || memory.attend(&stream, upstream));
            }
        });
        Ok((address, witness))
    }

    /// How many requests begin with this line, such as `GET /countries/get`.
    pub(crate) fn count(&self, method_and_path: &str) -> usize {
        let line = format!("{method_and_path} HTTP/1.1\r\n");
        self.text().matches(&line).count()
    }

    /// All that has gone to the upstream so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn attend(&self, gateway: &TcpStream, upstream: SocketAddr) -> io::Result<()> {
        let upstream = TcpStream::connect(upstream)?;
        let (mut back, mut to_gateway) = (upstream.try_clone()?, gateway.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut back, &mut to_gateway);
            let _ = to_gateway.shutdown(Shutdown::Both);
        });
        let (mut from, mut to) = (gateway, &upstream);
        let mut buffer = [0; 4096];
        loop {
            let length = from.read(&mut buffer)?;
            let bytes = buffer.get(..length).unwrap_or_default();
            if bytes.is_empty() {
                return upstream.shutdown(Shutdown::Write);
            }
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            to.write_all(bytes)?;
        }
    }
}
