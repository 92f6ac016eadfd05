//! A gateway over HTTP/1.1 on one stream: the client over the bytes of both ends, and strangers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::large_stack_frames,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::client::{Client, ClientError};
use dynamic_key::codec::json;
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::gateway::serve::{Endpoint, Forwarded, KEYS_PATH, Served, Service};
use dynamic_key::gateway::{ANSWER_ROOM, ERROR_ROOM, FixedStore};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::jose::jwk;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now};
use dynamic_key::transport::http1::{Http1, Server, Single};
use dynamic_key::{Code, Error};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use support::{Seeded, Soft, World};

/// The gateway's end of a stream: what came and has not been read, and what went out.
#[derive(Clone, Default)]
struct Pipe {
    came: Rc<RefCell<VecDeque<u8>>>,
    went: Rc<RefCell<VecDeque<u8>>>,
}

impl ErrorType for Pipe {
    type Error = ErrorKind;
}

fn take(from: &RefCell<VecDeque<u8>>, to: &mut [u8]) -> Result<usize, ErrorKind> {
    assert!(!to.is_empty());
    let mut from = from.borrow_mut();
    let length = to.len().min(from.len());
    to.iter_mut().zip(from.drain(..length)).for_each(|(to, from)| *to = from);
    if length == 0 { Err(ErrorKind::TimedOut) } else { Ok(length) }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        take(&self.came, buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.went.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

type Upstream = fn(&str, &mut [u8]) -> Forwarded;

/// A small device: a gateway with room for two sessions, and its stream.
struct Hsm {
    world: World,
    store: FixedStore<Soft, 2>,
    pipe: Pipe,
    server: Server<Pipe>,
    buffer: Vec<u8>,
    served: Vec<Served>,
    /// What the upstream does with a request, by its path.
    upstream: Upstream,
}

impl Hsm {
    fn new(room: usize) -> Self {
        let pipe = Pipe::default();
        Self {
            world: World::new(1),
            store: FixedStore::new(),
            server: Server::new(pipe.clone()),
            pipe,
            buffer: vec![0xee; room],
            served: Vec::new(),
            upstream: |path, out| {
                let body = format!(r#"{{"path":"{path}"}}"#);
                out.get_mut(..body.len())?.copy_from_slice(body.as_bytes());
                Some((200, body.len()))
            },
        }
    }

    /// Serves what has come.
    fn serve(&mut self) {
        let Self { world, store, server, buffer, upstream, .. } = self;
        let mut service = Service {
            gateway: &world.gateway,
            provider: &mut world.provider,
            identity: Some(&mut world.identity),
            store,
        };
        let now = world.now;
        let served =
            service.serve(server, buffer, || now, |admitted, out| upstream(admitted.request.path(), out));
        self.served.extend(served.unwrap());
    }

    /// What it answers to these bytes: status, head, body.
    fn ask(&mut self, bytes: &[u8]) -> (u16, String, Vec<u8>) {
        self.pipe.came.borrow_mut().extend(bytes);
        self.serve();
        let answer: Vec<u8> = self.pipe.went.borrow_mut().drain(..).collect();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        assert!(head.contains("\r\nCache-Control: no-store"), "{head}");
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, answer[end + 4..].to_vec())
    }
}

/// The client's end of the stream: what it waits for, the gateway does.
#[derive(Clone)]
struct Line {
    hsm: Rc<RefCell<Hsm>>,
    /// All that the client sent.
    sent: Rc<RefCell<Vec<u8>>>,
}

impl ErrorType for Line {
    type Error = ErrorKind;
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut hsm = self.hsm.borrow_mut();
        if hsm.pipe.went.borrow().is_empty() {
            hsm.serve();
        }
        take(&hsm.pipe.went, buffer)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.sent.borrow_mut().extend(bytes);
        self.hsm.borrow().pipe.came.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

type Device<'p> = Client<'p, Software<Seeded>, Pins<'p>, Http1<'static, Single<Line>>, 1024>;

fn device<'p>(hsm: Hsm, seed: u64, pins: &'p [PinnedKey], schemes: &'p [Scheme]) -> (Device<'p>, Line) {
    let line = Line { hsm: Rc::new(RefCell::new(hsm)), sent: Rc::default() };
    let config = ClientConfig {
        schemes,
        mode: if pins.is_empty() { Mode::Confirmed } else { Mode::Pinned },
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
    };
    let transport = Http1::over(line.clone(), "hsm").unwrap();
    (Client::new(config, Software::new(Seeded(seed)), Pins(pins), transport).unwrap(), line)
}

#[test]
fn a_client_is_served_over_one_stream() {
    for scheme in Scheme::ELLIPTIC {
        let hsm = Hsm::new(4096);
        let (pins, schemes) = ([hsm.world.pin()], [scheme]);
        let (mut client, line) = device(hsm, 2, &pins, &schemes);
        let mut buffer = [0; 4096];
        for _ in 0..3 {
            let answer =
                client.request(Now::UNKNOWN, &Request::get("/users/getbyid/7"), &mut buffer).unwrap();
            assert_eq!((answer.status, &*answer.body), (200, &br#"{"path":"/users/getbyid/7"}"#[..]));
        }
        let login = Request::post("/users/login", br#"{"user":"demo"}"#);
        assert_eq!(client.request(Now::UNKNOWN, &login, &mut buffer).unwrap().status, 200);
        let answer = client.request(Now::UNKNOWN, &Request::get("/admin"), &mut buffer).unwrap();
        assert_eq!((answer.status, answer.gateway_code()), (404, Some(Code::RouteNotAllowed)));
        let served = &line.hsm.borrow().served;
        let event = |endpoint, status, code| Served { endpoint, status, code, fault: None };
        assert_eq!(served.len(), 6);
        assert_eq!(served[0], event(Endpoint::Handshake, 200, None));
        assert_eq!(served[4], event(Endpoint::Request, 200, None));
        assert_eq!(served[5], event(Endpoint::Request, 404, Some(Code::RouteNotAllowed)));
    }
}

#[test]
fn an_upstream_without_an_answer_or_with_one_too_long_is_said_sealed() {
    let upstreams: [Upstream; 3] =
        [|_, _| None, |_, out| Some((200, out.len())), |_, out| Some((200, out.len() + 1))];
    for upstream in upstreams {
        let mut hsm = Hsm::new(4096);
        hsm.upstream = upstream;
        let pins = [hsm.world.pin()];
        let (mut client, _) = device(hsm, 2, &pins, &Scheme::ELLIPTIC);
        let mut buffer = [0; 4096];
        let answer = client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer).unwrap();
        assert_eq!((answer.status, answer.gateway_code()), (502, Some(Code::UpstreamUnavailable)));
    }
}

#[test]
fn an_envelope_that_is_sent_again_is_not_answered_again() {
    let hsm = Hsm::new(4096);
    let pins = [hsm.world.pin()];
    let (mut client, line) = device(hsm, 2, &pins, &Scheme::ELLIPTIC);
    let mut buffer = [0; 4096];
    client.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
    line.sent.borrow_mut().clear();
    client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer).unwrap();
    let (status, _, body) = line.hsm.borrow_mut().ask(&line.sent.borrow());
    assert_eq!(status, 400);
    let [code] = json::object(&body, &["code"]).unwrap();
    assert_eq!(code.unwrap().as_str(), r#""DYNAMIC_KEY_V2_ENCRYPTION_ERROR""#);
    let answer = client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer).unwrap();
    assert_eq!(answer.status, 200);
}

#[test]
fn a_full_table_takes_no_session_and_keeps_those_that_live() {
    let hsm = Hsm::new(4096);
    let pins = [hsm.world.pin()];
    let (mut first, line) = device(hsm, 2, &pins, &Scheme::ELLIPTIC);
    let mut buffer = [0; 4096];
    first.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
    let config = || ClientConfig::new(ClientType::Internal, "internal-web-client", "device-2", "server");
    let other = |seed| {
        let transport = Http1::over(line.clone(), "hsm").unwrap();
        let mut client: Device<'_> =
            Client::new(config(), Software::new(Seeded(seed)), Pins(&pins), transport).unwrap();
        client.ensure_session(Now::UNKNOWN, &mut [0; 4096])
    };
    assert_eq!(other(3), Ok(()));
    assert_eq!(other(4), Err(ClientError::Refused { code: Code::StoreUnavailable, retry_after: None }));
    let answer = first.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer).unwrap();
    assert_eq!(answer.status, 200);
    // Once the others have ended there is room again.
    line.hsm.borrow_mut().world.now = support::START.saturating_add_secs(3600);
    assert_eq!(other(5), Ok(()));
}

#[test]
fn strangers_are_told_what_is_here() {
    let mut hsm = Hsm::new(4096);
    let ask = |hsm: &mut Hsm, line: &str, fields: &str, body: &str| {
        let length = body.len();
        hsm.ask(
            format!("{line} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{fields}\r\n{body}")
                .as_bytes(),
        )
    };
    let (status, head, body) = ask(&mut hsm, &format!("GET {KEYS_PATH}"), "", "");
    assert_eq!((status, head.contains("\r\nContent-Type: application/json")), (200, true));
    assert_eq!(jwk::keys(&body).unwrap().collect::<Vec<_>>(), [hsm.world.pin()]);
    let (status, head, body) = ask(&mut hsm, &format!("HEAD {KEYS_PATH}"), "", "");
    assert!(status == 200 && body.is_empty() && head.contains(&format!("Content-Length: {}", jwk::SET_LEN)));
    for (line, status, allow) in [
        ("POST /.well-known/jwks.json", 405, "GET, HEAD"),
        ("GET /api/info/v2", 405, "POST"),
        ("HEAD /api/request/v2", 405, "POST"),
        ("POST /api/info/v2/", 404, ""),
        ("POST /api/info/v2?a", 404, ""),
        ("GET /", 404, ""),
    ] {
        let (answered, head, body) = ask(&mut hsm, line, "", "");
        assert!(answered == status && body.is_empty(), "{line}: {head}");
        let (_, after) = head.split_once("\r\nAllow: ").unwrap_or_default();
        assert_eq!(after.lines().next().unwrap_or_default(), allow);
    }
    let json = "Content-Type: application/json\r\n";
    let version = "X-Dynamic-Key-Version: 2\r\n";
    for (fields, code) in [
        (String::new(), "MISSING_VERSION"),
        (format!("{version}{version}{json}"), "MALFORMED_REQUEST"),
        (version.into(), "MALFORMED_REQUEST"),
        (format!("{version}{json}{json}"), "MALFORMED_REQUEST"),
        (format!("{version}{json}"), "MALFORMED_REQUEST"),
    ] {
        for line in ["POST /api/info/v2", "POST /api/request/v2"] {
            let (status, _, body) = ask(&mut hsm, line, &fields, "[]");
            assert_eq!(status, 400);
            assert!(String::from_utf8(body).unwrap().contains(&format!("DYNAMIC_KEY_V2_{code}")), "{fields}");
        }
    }
    let (status, head, _) =
        hsm.ask(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n");
    assert!(status == 400 && head.contains("\r\nConnection: close"));
    assert!(!hsm.server.is_open());
    assert_eq!(hsm.served.last().unwrap().endpoint, Endpoint::None);
}

/// What a head leaves too little room for is refused before anything changes.
#[test]
fn a_buffer_is_large_enough_or_the_answer_says_so() {
    let request = |target: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: h\r\nX-Dynamic-Key-Version: 2\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{{}}"
        )
    };
    for (target, room) in [("/api/info/v2", ANSWER_ROOM), ("/api/request/v2", ERROR_ROOM)] {
        let request = request(target);
        let head = request.len() - 2;
        assert_eq!(Hsm::new(head + room).ask(request.as_bytes()).0, 400);
        assert_eq!(Hsm::new(head + room - 1).ask(request.as_bytes()).0, 431);
    }
    let keys = format!("GET {KEYS_PATH} HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(Hsm::new(keys.len() + jwk::SET_LEN).ask(keys.as_bytes()).0, 200);
    assert_eq!(Hsm::new(keys.len() + jwk::SET_LEN - 1).ask(keys.as_bytes()).0, 431);
}

/// A gateway that cannot sign says so to itself, and nothing to others.
#[test]
fn a_fault_of_the_gateway_is_its_own() {
    let mut hsm = Hsm::new(4096);
    hsm.world.gateway.audience = "\"";
    let pins = [hsm.world.pin()];
    let (mut client, line) = device(hsm, 2, &pins, &Scheme::ELLIPTIC);
    assert!(client.ensure_session(Now::UNKNOWN, &mut [0; 4096]).is_err());
    let served = *line.hsm.borrow().served.last().unwrap();
    assert_eq!((served.status, served.code), (500, None));
    assert!(matches!(served.fault, Some(Error::Misuse(_))));
}
