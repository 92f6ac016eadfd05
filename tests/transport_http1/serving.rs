//! Where a request begins and ends, what is refused, and what an answer looks like.

use crate::script::{Log, POST, POST_BYTES, Script, Stream, exchange, http, stream};
use dynamic_key::transport::http1::{Answer, InvalidAnswer, Refusal, Server, ServerError};
use dynamic_key::transport::{Header, Request};
use embedded_io::ErrorKind;
use std::cell::RefCell;
use std::rc::Rc;

type Failure = ServerError<ErrorKind>;

const HELLO: &str =
    "POST /api/info/v2 HTTP/1.1\r\nHost: h:1\r\ncontent-length: 5\r\nX:\t a b \r\nAccept:\r\n\r\nhello";
const CHUNKED: &str = "PUT /a?b=c HTTP/1.1\r\nhost: h\r\nTransfer-Encoding: Chunked\r\n\r\n\
    2;x=\"y\"\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n";
const BARE: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// What a server sees of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn server(script: Script) -> (Server<Stream>, Rc<RefCell<Log>>) {
    let (stream, log) = stream(script);
    (Server::new(stream), log)
}

fn receive(server: &mut Server<Stream>, room: usize) -> Result<Option<Seen>, Failure> {
    let mut buffer = vec![0xee; room];
    let Some(incoming) = server.receive(&mut buffer)? else { return Ok(None) };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ok(Some(Seen {
        method: incoming.method().into(),
        target: incoming.target().into(),
        headers: incoming.headers().map(|(name, value)| (name.into(), text(value))).collect(),
        body: text(&incoming.body[..incoming.length]),
    }))
}

/// What becomes of `request`, brought `portion` bytes at a time into a buffer of `room` bytes.
fn received(request: &str, portion: usize, room: usize) -> Result<Option<Seen>, Failure> {
    receive(&mut server(Script::bringing(request).by(portion)).0, room)
}

fn took(log: &Rc<RefCell<Log>>) -> String {
    String::from_utf8(log.borrow().took[0].clone()).unwrap()
}

fn answer(server: &mut Server<Stream>, status: u16, body: &str) -> Result<(), Failure> {
    server.answer(&Answer { status, headers: &[], body: body.as_bytes() })
}

/// Asserts that `request` is refused so, that this may be said, and that nothing comes after it.
fn refused(request: &str, expected: Refusal) {
    for portion in [1, 7, usize::MAX] {
        let (mut server, log) = server(Script::bringing(format!("{request}{BARE}")).by(portion));
        let outcome = receive(&mut server, 4096);
        assert_eq!(outcome, Err(Failure::Refused(expected)), "{request:?}");
        answer(&mut server, expected.status(), "").unwrap();
        let status = expected.status();
        assert_eq!(
            took(&log),
            format!("HTTP/1.1 {status} \r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        );
        assert!(!server.is_open());
        assert_eq!(receive(&mut server, 4096), Ok(None));
        assert_eq!(answer(&mut server, 200, ""), Err(Failure::OutOfTurn));
    }
}

#[test]
fn requests_in_portions_of_any_size() {
    for portion in 1..200 {
        let seen = received(HELLO, portion, 200).unwrap().unwrap();
        assert_eq!((&*seen.method, &*seen.target, &*seen.body), ("POST", "/api/info/v2", "hello"));
        let headers = [("Host", "h:1"), ("content-length", "5"), ("X", "a b"), ("Accept", "")];
        assert_eq!(seen.headers, headers.map(|(name, value)| (name.into(), value.into())));
        let seen = received(CHUNKED, portion, 200).unwrap().unwrap();
        assert_eq!((&*seen.method, &*seen.target, &*seen.body), ("PUT", "/a?b=c", "hello"));
        let seen = received(BARE, portion, 200).unwrap().unwrap();
        assert_eq!((&*seen.method, &*seen.target, &*seen.body), ("GET", "/", ""));
    }
}

#[test]
fn the_buffer_holds_head_and_body_and_nothing_else() {
    for portion in [1, 2, 3, 7, 64, usize::MAX] {
        for request in [HELLO, CHUNKED] {
            let head = request.find("\r\n\r\n").unwrap() + 4;
            assert_eq!(received(request, portion, head + 5).unwrap().unwrap().body, "hello");
            let short = received(request, portion, head + 4);
            assert_eq!(short, Err(Failure::Refused(Refusal::BodyTooLong)), "{request}");
            let short = received(request, portion, head - 1);
            assert_eq!(short, Err(Failure::Refused(Refusal::HeadTooLong)), "{request}");
        }
        assert!(received(BARE, portion, BARE.len()).is_ok());
        assert_eq!(received(BARE, portion, 0), Err(Failure::Refused(Refusal::HeadTooLong)));
    }
}

#[test]
fn a_request_cut_anywhere_is_none() {
    for request in [HELLO, CHUNKED, BARE] {
        assert_eq!(received("", 1, 200), Ok(None));
        for cut in 1..request.len() {
            assert_eq!(received(&request[..cut], 7, 200), Err(Failure::Ended), "{cut}");
            let mut script = Script::bringing(&request[..cut]);
            script.fails_at_end = Some(ErrorKind::TimedOut);
            let (mut server, _) = server(script);
            assert_eq!(receive(&mut server, 200), Err(Failure::Stream(ErrorKind::TimedOut)), "{cut}");
            assert!(!server.is_open());
        }
    }
}

/// A line may be silent for long between two requests.
#[test]
fn an_idle_stream_is_kept() {
    let mut script = Script::bringing("");
    script.fails_at_end = Some(ErrorKind::TimedOut);
    let (mut server, _) = server(script);
    for _ in 0..3 {
        assert_eq!(receive(&mut server, 200), Err(Failure::Idle(ErrorKind::TimedOut)));
        assert!(server.is_open());
    }
}

#[test]
fn two_readers_understand_it_alike() {
    for head in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\ncontent-length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: ",
        "Content-Length : 5",
        "Content-Length: 5\r\n folded",
        "X: y\r\n folded: z",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:\x0bchunked",
        "Host: h",
        "X: a\nContent-Length: 5",
        "X: a\rContent-Length: 5",
        "X: \0",
        "X: \x7f",
        "X",
        ": y",
        "X y: z",
        "Expect: 100-continue\r\nExpect: 100-continue",
    ] {
        refused(&format!("POST / HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\nhello"), Refusal::Malformed);
    }
    for body in ["5\nhello", "5\r\nhello0\r\n", "-5\r\n", "5 5\r\n", "\r\n", "5\r\nhello\r\n0\r\nx\ny"] {
        let request =
            format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{body}\r\n\r\n");
        refused(&request, Refusal::Malformed);
    }
}

#[test]
fn a_first_line_is_of_one_form() {
    for line in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "\r\nGET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http://h/ HTTP/1.1",
        "GET a HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "CONNECT /a HTTP/1.1",
        "CONNECT h:1 HTTP/1.1",
        "\x16\x03\x01 / HTTP/1.1",
    ] {
        refused(&format!("{line}\r\nHost: h\r\n\r\n"), Refusal::Malformed);
    }
    for version in ["", " HTTP/2.0", " HTTP/1.2", " http/1.1", " HTTP/11", " HTTP/1.1x"] {
        refused(&format!("GET /{version}\r\nHost: h\r\n\r\n"), Refusal::Malformed);
    }
    refused("GET / HTTP/1.0\r\nHost: h\r\n\r\n", Refusal::Version);
    for host in ["", "Host:\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: u@h\r\n", "Host: h\r\nHost: h\r\n"]
    {
        refused(&format!("GET / HTTP/1.1\r\n{host}\r\n"), Refusal::Malformed);
    }
}

#[test]
fn heads_have_limits() {
    let fields = |count| format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert!(received(&fields(23), 7, 4096).is_ok());
    refused(&fields(24), Refusal::TooManyHeaders);
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(5000));
    refused(&long, Refusal::HeadTooLong);
    for length in ["4096", "99999999999999999999", &usize::MAX.to_string()] {
        refused(
            &format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"),
            Refusal::BodyTooLong,
        );
    }
    let chunk = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n";
    refused(chunk, Refusal::BodyTooLong);
}

#[test]
fn a_stream_is_kept_and_closed() {
    let (mut server, log) = server(Script::bringing(HELLO.repeat(2)).by(1));
    for _ in 0..2 {
        assert!(receive(&mut server, 200).unwrap().is_some());
        assert_eq!(receive(&mut server, 200), Err(Failure::OutOfTurn));
        answer(&mut server, 200, "{}").unwrap();
        assert!(server.is_open());
        assert_eq!(answer(&mut server, 200, "{}"), Err(Failure::OutOfTurn));
    }
    assert_eq!(took(&log), "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}".repeat(2));
    assert_eq!(receive(&mut server, 200), Ok(None));
}

#[test]
fn a_peer_that_says_close_gets_it() {
    for (head, portion) in [("Connection: close", 1), ("connection: x, Close", 9), ("X: y", usize::MAX)] {
        // The last one sends the next request ahead: it is not carried out.
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n");
        let (mut server, log) = server(Script::bringing(request.repeat(2)).by(portion));
        assert!(receive(&mut server, 200).unwrap().is_some());
        answer(&mut server, 404, "").unwrap();
        assert_eq!(took(&log), "HTTP/1.1 404 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(receive(&mut server, 200), Ok(None));
    }
    let (mut server, log) = server(Script::bringing(BARE));
    assert!(receive(&mut server, 200).unwrap().is_some());
    server.close();
    answer(&mut server, 200, "").unwrap();
    assert!(took(&log).contains("Connection: close") && !server.is_open());
}

#[test]
fn who_waits_to_continue_is_told_once_the_body_fits() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
    for room in [head.len() + 5, head.len() + 4] {
        let (mut server, log) = server(Script::bringing(format!("{head}hello")).by(1));
        let fits = room == head.len() + 5;
        assert_eq!(receive(&mut server, room).is_ok(), fits);
        assert_eq!(took(&log), if fits { "HTTP/1.1 100 Continue\r\n\r\n" } else { "" });
    }
    // One that did not wait is not told.
    let (mut server, log) = server(Script::bringing(format!("{head}hello")));
    assert_eq!(receive(&mut server, 200).unwrap().unwrap().body, "hello");
    assert_eq!(took(&log), "");
    refused("POST / HTTP/1.1\r\nHost: h\r\nExpect: payment\r\n\r\n", Refusal::Expectation);
}

#[test]
fn an_answer_cannot_break_its_frame() {
    let headers = [Header::JSON, Header::new("Retry-After", "7").unwrap()];
    let asked = |request: &str| {
        let (mut server, log) = server(Script::bringing(request));
        assert!(receive(&mut server, 200).unwrap().is_some());
        (server, log)
    };
    let (mut server, log) = asked(BARE);
    for (status, headers, body, expected) in [
        (100, &headers[..], "", InvalidAnswer::Status),
        (101, &[], "", InvalidAnswer::Status),
        (199, &[], "", InvalidAnswer::Status),
        (600, &[], "", InvalidAnswer::Status),
        (204, &[], "x", InvalidAnswer::Body),
        (304, &[], "x", InvalidAnswer::Body),
        (200, &[Header::new("content-length", "9").unwrap()], "x", InvalidAnswer::Header),
        (200, &[Header::new("Connection", "close").unwrap()], "x", InvalidAnswer::Header),
        (200, &[Header::new("TRANSFER-ENCODING", "chunked").unwrap()], "x", InvalidAnswer::Header),
    ] {
        let answer = Answer { status, headers, body: body.as_bytes() };
        assert_eq!(server.answer(&answer), Err(Failure::Answer(expected)));
    }
    server.answer(&Answer { status: 599, headers: &headers, body: b"{}" }).unwrap();
    let expected =
        "HTTP/1.1 599 \r\nContent-Length: 2\r\nContent-Type: application/json\r\nRetry-After: 7\r\n\r\n{}";
    assert_eq!(took(&log), expected);
    let (mut server, log) = asked(BARE);
    answer(&mut server, 204, "").unwrap();
    assert_eq!(took(&log), "HTTP/1.1 204 \r\n\r\n");
    let (mut server, log) = asked("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    answer(&mut server, 200, "hello").unwrap();
    assert_eq!(took(&log), "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n");
}

#[test]
fn a_stream_that_takes_no_more_ends_the_exchange() {
    for (error, expected) in
        [(None, Failure::Ended), (Some(ErrorKind::BrokenPipe), Failure::Stream(ErrorKind::BrokenPipe))]
    {
        for most in 0..30 {
            let mut script = Script::bringing(BARE);
            script.takes = Some((most, error));
            script.interrupted = true;
            let (mut server, _) = server(script);
            assert!(receive(&mut server, 200).unwrap().is_some());
            assert_eq!(answer(&mut server, 200, "hello"), Err(expected));
            assert_eq!((server.is_open(), receive(&mut server, 200)), (false, Ok(None)));
        }
    }
    let mut script = Script::bringing(BARE);
    script.flush_fails = true;
    let (mut server, _) = server(script);
    assert!(receive(&mut server, 200).unwrap().is_some());
    assert_eq!(answer(&mut server, 200, ""), Err(Failure::Stream(ErrorKind::ConnectionReset)));
}

/// What the client's end writes, the server's end reads, and the other way round.
#[test]
fn the_two_ends_understand_each_other() {
    let headers = [Header::JSON, Header::bearer("a.b").unwrap()];
    for (method, target, body) in
        [("POST", "/a?b", "{}"), ("GET", "/", ""), ("HEAD", "/x", ""), ("PUT", "/y", "")]
    {
        let request = Request { method, target, headers: &headers, body: body.as_bytes() };
        let (mut client, sent) = http([Script::bringing("")]);
        assert!(exchange(&mut client, &request, 200).is_err());
        let (mut server, answered) = server(Script::bringing(took(&sent)).by(3));
        let seen = receive(&mut server, 200).unwrap().unwrap();
        assert_eq!((&*seen.method, &*seen.target, &*seen.body), (method, target, body));
        assert!(seen.headers.contains(&("Authorization".into(), "Bearer a.b".into())));
        server.answer(&Answer { status: 201, headers: &[Header::JSON], body: b"[1]" }).unwrap();
        let (mut client, _) = http([Script::bringing(took(&answered)).by(2)]);
        let answer = exchange(&mut client, &request, 200).unwrap();
        assert_eq!((answer.status, answer.json), (201, true));
        assert_eq!(answer.body, if method == "HEAD" { &b""[..] } else { b"[1]" });
    }
    let posted = received(str::from_utf8(POST_BYTES).unwrap(), 1, 200).unwrap().unwrap();
    assert_eq!((&*posted.target, posted.body.as_bytes()), (POST.target, POST.body));
}
