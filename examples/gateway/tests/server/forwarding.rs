//! What goes on to an upstream, what comes back, and what a bad upstream becomes.

use crate::support::{Device, MODES, Running, Upstream, demo};
use dynamic_key::request::Request;
use dynamic_key::session::Mode;
use dynamic_key_gateway::Config;
use dynamic_key_gateway::config::{Limits, Route};
use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

fn before(upstream: &Upstream) -> Running {
    Running::start(Config { upstream: Some(upstream.url()), ..demo() })
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

/// One request to a gateway whose upstream is this one, in each mode: it must become a 502, sealed where it can be.
fn unavailable(config: &Config) {
    let gateway = Running::start(config.clone());
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        let sealed = device.seal(&Request::get("/countries/get"));
        let answer = device.send(&sealed);
        assert_eq!(device.refusal(answer), refused(502, "UPSTREAM_UNAVAILABLE"));
        assert_eq!(device.send(&sealed).code(), refused(400, "ENCRYPTION_ERROR"), "it was committed");
    }
}

#[test]
fn method_path_query_headers_and_body() {
    let upstream = Upstream::with(200, "", b"{}");
    let gateway = before(&upstream);
    let mut device = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    let get = Request {
        query: &[("a b", "c&d=é"), ("e", "")],
        headers: &[("Accept-Language", "pt"), ("X-Forwarded-For", "10.0.0.1"), ("Host", "evil")],
        body: Some(b"{}"),
        ..Request::get("/users/getbyid/a%20b:@!")
    };
    assert_eq!(device.call(&get).0, 200);
    let request = upstream.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("GET /users/getbyid/a%20b:@!?a%20b=c%26d%3D%C3%A9&e= HTTP/1.1"));
    let mut headers: Vec<_> = lines.map(str::to_ascii_lowercase).collect();
    headers.sort();
    let host = format!("host: {}", upstream.address);
    assert_eq!(headers, ["accept-encoding: identity", "accept-language: pt", &host]);
    assert_eq!(body, "", "a GET has no body");

    let text = br#" {"user":"demo" ,"password":"\u0064emo"} "#;
    assert_eq!(device.call(&Request::post("/users/login", text)).0, 200);
    let request = upstream.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /users/login HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("\r\ncontent-type: application/json"), "{head}");
    assert_eq!(body, r#"{"user":"demo" ,"password":"\u0064emo"}"#, "byte for byte");

    assert_eq!(device.call(&Request::new("POST", "/users/login")).0, 200);
    let request = upstream.request().to_ascii_lowercase();
    assert!(request.ends_with("\r\n\r\n") && !request.contains("content-type"), "{request}");
}

#[test]
fn a_prefix_and_a_header_that_a_rule_names() {
    let upstream = Upstream::with(200, "", b"{}");
    let mut config = Config { upstream: Some(upstream.url() + "/base/"), ..demo() };
    config.routes.push(Route {
        method: "PUT".into(),
        path: "/things/:id".into(),
        headers: vec!["X-Trace".into(), "Authorization".into()],
        ..config.routes[0].clone()
    });
    let gateway = Running::start(config);
    let mut device = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    let put = Request {
        headers: &[("x-trace", "é 1"), ("authorization", "Basic x"), ("x-other", "1")],
        ..Request::new("PUT", "/things/1")
    };
    assert_eq!(device.call(&put).0, 200);
    let request = upstream.request();
    assert!(request.starts_with("PUT /base/things/1 HTTP/1.1\r\n"), "{request}");
    let request = request.to_lowercase();
    assert!(request.contains("\r\nx-trace: é 1\r\n") && request.contains("\r\nauthorization: basic x\r\n"));
    assert!(!request.contains("x-other"));
}

#[test]
fn what_is_refused_reaches_no_upstream() {
    let upstream = Upstream::with(200, "", b"{}");
    let gateway = before(&upstream);
    for mode in MODES {
        let mut device = Device::connect(&gateway, &Device::internal(mode));
        for request in [
            Request::get("/admin"),
            Request { headers: &[("accept", "a\r\nX-Evil: 1")], ..Request::get("/countries/get") },
            Request { headers: &[("accept", "a"), ("Accept", "b")], ..Request::get("/countries/get") },
            Request::post("/users/login", b"{"),
        ] {
            let sealed = device.seal(&request);
            let answer = device.send(&sealed);
            assert!(matches!(device.refusal(answer).0, 400 | 404));
        }
        // Longer than HTTP's target may be: the gateway says so itself.
        let long = "x".repeat(70_000);
        let sealed = device.seal(&Request { query: &[("q", &long)], ..Request::get("/countries/get") });
        let answer = device.send(&sealed);
        assert_eq!(device.refusal(answer), refused(400, "MALFORMED_REQUEST"));
    }
    assert!(upstream.is_idle());
}

#[test]
fn statuses_and_bodies_come_back_sealed() {
    let large = vec![b'x'; 700_000];
    for (status, headers, body, expected) in [
        (200, "", &b"any bytes \xff"[..], (200, &b"any bytes \xff"[..])),
        (201, "", b"", (201, b"")),
        (404, "", b"{}", (404, b"{}")),
        (500, "Content-Encoding: identity\r\n", b"oh", (500, b"oh")),
        (302, "Location: http://127.0.0.1:1/\r\n", b"", (302, b"")),
        (205, "", b"left out", (200, b"")),
        (200, "", &large, (200, &large)),
    ] {
        let upstream = Upstream::with(status, headers, body);
        let gateway = before(&upstream);
        for mode in MODES {
            let mut device = Device::connect(&gateway, &Device::internal(mode));
            let answer = device.call(&Request::get("/countries/get"));
            assert_eq!((answer.0, &*answer.1), expected);
        }
    }
    let upstream = Upstream::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let gateway = before(&upstream);
    let mut device = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    assert_eq!(device.call(&Request::get("/countries/get")), (200, vec![]));
}

#[test]
fn retry_after_is_copied_outside() {
    let upstream = Upstream::with(503, "Retry-After: 17\r\n", b"later");
    let gateway = before(&upstream);
    let mut device = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    let sealed = device.seal(&Request::get("/countries/get"));
    let answer = device.send(&sealed);
    assert_eq!(answer.header("retry-after"), Some("17"));
    assert_eq!(device.open(answer), (503, b"later".to_vec()));
}

#[test]
fn an_upstream_that_is_not_there() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    unavailable(&Config { upstream: Some(format!("http://{address}")), ..demo() });
}

#[test]
fn an_upstream_that_answers_nonsense_or_what_cannot_be_passed_on() {
    for answer in [
        &b"nonsense\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n{\"code\":\"DYNAMIC_KEY_V2_ROUTE_NOT_ALLOWED\"}\n",
        b"",
    ] {
        let upstream = Upstream::answering(answer);
        unavailable(&Config { upstream: Some(upstream.url()), ..demo() });
    }
}

#[test]
fn an_upstream_that_says_too_much() {
    let limits = Limits { response_bytes: 1000, ..demo().limits };
    let long = Upstream::with(200, "", &[b'x'; 1001]);
    unavailable(&Config { upstream: Some(long.url()), limits, ..demo() });
    let endless = Upstream::scripted(Box::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    }));
    unavailable(&Config { upstream: Some(endless.url()), limits, ..demo() });
    let just = Upstream::with(200, "", &[b'x'; 1000]);
    let gateway = Running::start(Config { upstream: Some(just.url()), limits, ..demo() });
    let mut device = Device::connect(&gateway, &Device::internal(Mode::Confirmed));
    assert_eq!(device.call(&Request::get("/countries/get")).1.len(), 1000);
}

#[test]
fn an_upstream_that_is_slow() {
    let limits = Limits { upstream_response: Duration::from_millis(200), ..demo().limits };
    let silent = Upstream::scripted(Box::new(|_| thread::sleep(Duration::from_secs(2))));
    let started = Instant::now();
    unavailable(&Config { upstream: Some(silent.url()), limits, ..demo() });
    let trickling = Upstream::scripted(Box::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(100));
            let _ = stream.write_all(b"x");
        }
    }));
    unavailable(&Config { upstream: Some(trickling.url()), limits, ..demo() });
    assert!(started.elapsed() < Duration::from_secs(10));
}
