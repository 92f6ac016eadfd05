//! An upstream that answers what a test tells it to, and keeps what it was asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// What it does with each request.
pub type Script = Box<dyn FnMut(&mut TcpStream) + Send>;

/// An upstream in a thread.
pub struct Upstream {
    pub address: SocketAddr,
    pub requests: Receiver<String>,
}

impl Upstream {
    /// Answers every request with these bytes and closes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::scripted(Box::new(move |stream| {
            let _ = stream.write_all(&answer);
        }))
    }

    /// Answers with a status, headers and a body.
    pub fn with(status: u16, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        // It says that it closes: whoever kept the connection could lose the next request on it.
        let head =
            format!("HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
        Self::answering([head.as_bytes(), body].concat())
    }

    pub fn scripted(mut script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (report, requests) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                if read_request(&mut stream, &report) {
                    script(&mut stream);
                }
            }
        });
        Self { address, requests }
    }

    /// The URL of its root.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The request that came next: its whole text.
    pub fn request(&self) -> String {
        self.requests.recv_timeout(Duration::from_secs(5)).expect("a request")
    }

    /// Whether none has come.
    pub fn is_idle(&self) -> bool {
        self.requests.try_recv().is_err()
    }
}

fn read_request(stream: &mut TcpStream, report: &Sender<String>) -> bool {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return false;
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8(request.clone()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    request.extend(body);
    report.send(String::from_utf8(request).unwrap()).is_ok()
}
