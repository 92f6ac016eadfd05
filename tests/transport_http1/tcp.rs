//! The same over TCP, with a server that is a thread.

use dynamic_key::transport::http1::{Connect, Http1};
use dynamic_key::transport::{Header, Request, Transport, TransportError};
use embedded_io::{ErrorKind, ErrorType};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

fn kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ErrorKind::TimedOut,
        io::ErrorKind::Interrupted => ErrorKind::Interrupted,
        io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused => ErrorKind::ConnectionRefused,
        io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
        _ => ErrorKind::Other,
    }
}

struct Tcp(TcpStream);

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

/// Connects to an address; looks at an idle stream before it is used again.
struct Dial(SocketAddr);

impl Connect for Dial {
    type Stream = Tcp;
    type Error = ErrorKind;

    fn connect(&mut self) -> Result<Tcp, ErrorKind> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&self.0, Duration::from_secs(5))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_millis(500)))?;
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

/// A server that answers the n-th request with the n-th answer, `portion` bytes at a time, closes after those whose
/// flag says so, and reports each request with the number of its connection.
fn serve(answers: Vec<(Vec<u8>, bool)>, portion: usize) -> (SocketAddr, Receiver<(usize, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (report, requests) = channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        for connection in 0.. {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            while let Some(request) = read_request(&mut stream) {
                let Some((answer, close)) = answers.next() else { return };
                for portion in answer.chunks(portion) {
                    stream.write_all(portion).unwrap();
                }
                report.send((connection, request)).unwrap();
                if close {
                    break;
                }
            }
        }
    });
    (address, requests)
}

/// Reads a request with `Content-Length`; `None` at the end of the stream.
fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let head = String::from_utf8(request.clone()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    request.extend(body);
    Some(request)
}

fn with_length(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn with_chunks(body: &[u8]) -> Vec<u8> {
    let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(1000) {
        out.extend(format!("{:X};n=v\r\n", chunk.len()).as_bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\nDigest: none\r\n\r\n");
    out
}

#[test]
fn a_gateway_over_tcp() {
    let bodies: Vec<Vec<u8>> =
        [0, 1, 2, 500, 70_000].map(|length| (0..=250).cycle().take(length).collect()).into();
    for portion in [1009, 1 << 20] {
        let mut answers = Vec::new();
        for body in &bodies {
            answers.push((with_length(body), false));
            answers.push((with_chunks(body), false));
        }
        // One that closes without saying so, one whose end is its length, one after that.
        answers.push((with_length(b"closing"), true));
        answers.push(([b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &bodies[4]].concat(), true));
        answers.push((with_length(b"last"), false));
        let (address, requests) = serve(answers, portion);

        let mut http = Http1::new(Dial(address), "localhost").unwrap();
        let mut buffer = vec![0; 70_000];
        let sent: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let token = "t".repeat(4096);
        let headers = [Header::JSON, Header::bearer(&token).unwrap()];
        let request = Request { method: "POST", target: "/api/request/v2", headers: &headers, body: &sent };
        let mut exchange = || {
            http.send(&request).unwrap();
            let response = http.receive(&mut buffer).unwrap();
            assert_eq!(response.status, 200);
            let body = response.body.to_vec();
            let (connection, request) = requests.recv().unwrap();
            assert!(
                request.ends_with(&sent)
                    && request.starts_with(b"POST /api/request/v2 HTTP/1.1\r\nHost: localhost\r\n")
            );
            (connection, body)
        };
        for body in &bodies {
            assert_eq!(exchange(), (0, body.clone()));
            assert_eq!(exchange(), (0, body.clone()));
        }
        assert_eq!(exchange(), (0, b"closing".to_vec()));
        thread::sleep(Duration::from_millis(50));
        assert_eq!(exchange(), (1, bodies[4].clone()), "the closed stream was seen and not used");
        assert_eq!(exchange(), (2, b"last".to_vec()));
    }
}

#[test]
fn a_silent_gateway_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut http = Http1::new(Dial(listener.local_addr().unwrap()), "localhost").unwrap();
    http.send(&Request { method: "POST", target: "/", headers: &[], body: b"x" }).unwrap();
    let error = http.receive(&mut [0; 100]).unwrap_err();
    assert!(error.is_timeout() && error.request_left(), "{error}");
}

#[test]
fn nobody_there() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut http = Http1::new(Dial(address), "localhost").unwrap();
    let error = http.send(&Request { method: "GET", target: "/", headers: &[], body: &[] }).unwrap_err();
    assert!(!error.request_left() && !error.is_timeout(), "{error}");
}
