//! Sizes, times, rates and places: what one peer may take of a gateway.

use crate::support::{Device, HEADERS, MODES, Running, demo, exchange, read_answer};
use dynamic_key::request::Request;
use dynamic_key::session::Mode;
use dynamic_key_gateway::Config;
use dynamic_key_gateway::config::Limits;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

fn limited(limits: impl FnOnce(Limits) -> Limits) -> Running {
    let demo = demo();
    Running::start(Config { limits: limits(demo.limits), ..demo })
}

#[test]
fn a_body_over_the_limit_is_malformed() {
    let gateway = Running::start(demo());
    let limit = Limits::default().body_bytes;
    for mode in MODES {
        let (_, hello) = Device::hello(&Device::internal(mode));
        // White space after the value is JSON.
        let padded = |length: usize| [&*hello, &vec![b' '; length - hello.len()]].concat();
        let send = |body: &[u8]| exchange(gateway.address, "POST", "/api/info/v2", &HEADERS, body);
        assert_eq!(send(&padded(limit)).status, 200);
        for length in [limit + 1, 3 * limit] {
            assert_eq!(send(&padded(length)).code(), refused(400, "MALFORMED_REQUEST"));
        }
        let unversioned =
            exchange(gateway.address, "POST", "/api/info/v2", &HEADERS[1..], &padded(limit + 1));
        assert_eq!(unversioned.code(), refused(400, "MISSING_VERSION"), "the first check is the first");

        let mut device = Device::connect(&gateway, &Device::internal(mode));
        let long = device.seal(&Request::get("/countries/get")).edited(|text| {
            let room = limit + 1 - text.len();
            text + &" ".repeat(room)
        });
        assert_eq!(device.send(&long).code(), refused(400, "MALFORMED_REQUEST"));
        assert_eq!(device.call(&Request::get("/countries/get")).0, 200, "the session lives");
    }
}

#[test]
fn a_body_that_is_announced_and_far_too_long_is_not_awaited() {
    let gateway = Running::start(demo());
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    let head = "POST /api/info/v2 HTTP/1.1\r\nHost: g\r\nX-Dynamic-Key-Version: 2\r\n\
        Content-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).code(), refused(400, "MALFORMED_REQUEST"));
}

#[test]
fn a_chunked_body_without_end_is_cut_off() {
    let gateway = limited(|limits| Limits { body_bytes: 4096, ..limits });
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    let head = "POST /api/info/v2 HTTP/1.1\r\nHost: g\r\nX-Dynamic-Key-Version: 2\r\n\
        Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b"400\r\n".as_slice(), &[b' '; 0x400], b"\r\n"].concat();
    for _ in 0..17 {
        stream.write_all(&chunk).unwrap();
    }
    assert_eq!(read_answer(&mut stream).code(), refused(400, "MALFORMED_REQUEST"));
}

#[test]
fn a_slow_head_and_a_slow_body_end_the_connection() {
    let soon = Duration::from_millis(300);
    let gateway = limited(|limits| Limits { head: soon, request: soon, ..limits });
    let started = Instant::now();
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.write_all(b"POST /api/info/v2 HTTP/1.1\r\nHost: g\r\n").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.write_all(b"POST /api/info/v2 HTTP/1.1\r\nHost: g\r\nContent-Length: 9\r\n\r\n{").unwrap();
    assert_eq!(read_answer(&mut stream).status, 408);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_full_store_refuses_new_sessions_and_keeps_the_old() {
    let gateway = limited(|limits| Limits { sessions: 2, ..limits });
    let config = Device::internal(Mode::Confirmed);
    let mut first = Device::connect(&gateway, &config);
    let mut second = Device::connect(&gateway, &config);
    for _ in 0..2 {
        let (_, hello) = Device::hello(&config);
        let answer = exchange(gateway.address, "POST", "/api/info/v2", &HEADERS, &hello);
        assert_eq!(answer.code(), refused(503, "STORE_UNAVAILABLE"));
    }
    for device in [&mut first, &mut second] {
        assert_eq!(device.call(&Request::get("/countries/get")).0, 200);
    }
}

#[test]
fn handshakes_of_one_source_are_limited() {
    let gateway = limited(|limits| Limits { handshakes_per_minute: 4, ..limits });
    let config = Device::internal(Mode::Confirmed);
    let mut device = Device::connect(&gateway, &config);
    Device::connect(&gateway, &config);
    let (_, hello) = Device::hello(&config);
    let answer = exchange(gateway.address, "POST", "/api/info/v2", &HEADERS, &hello);
    assert_eq!(answer.code(), refused(429, "TOO_MANY_REQUESTS"));
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=16).contains(&seconds), "{seconds}");
    assert_eq!(device.call(&Request::get("/countries/get")).0, 200, "sessions go on");
}

#[test]
fn failed_opens_of_one_source_are_limited() {
    let gateway = limited(|limits| Limits { failures_per_minute: 6, ..limits });
    let mut device = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    let sealed = device.seal(&Request::get("/countries/get"));
    let answer = device.send(&sealed);
    assert_eq!(device.open(answer).0, 200);
    for _ in 0..5 {
        assert_eq!(device.call(&Request::get("/countries/get")).0, 200, "a success costs nothing");
    }
    for _ in 0..3 {
        assert_eq!(device.send(&sealed).code(), refused(400, "ENCRYPTION_ERROR"));
    }
    let answer = device.send(&sealed);
    assert_eq!(answer.code(), refused(429, "TOO_MANY_REQUESTS"));
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn connections_beyond_the_limit_wait() {
    let gateway = limited(|limits| Limits { connections: 1, ..limits });
    let mut first = TcpStream::connect(gateway.address).unwrap();
    first.write_all(b"GET /health HTTP/1.1\r\nHost: g\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut first).status, 200);
    let mut second = TcpStream::connect(gateway.address).unwrap();
    second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    second.write_all(b"GET /health HTTP/1.1\r\nHost: g\r\n\r\n").unwrap();
    assert!(second.read(&mut [0]).is_err(), "there is no answer yet");
    drop(first);
    second.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(read_answer(&mut second).status, 200);
}
