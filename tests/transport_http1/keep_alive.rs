//! When a stream carries another exchange, and what is known when it does not.

use crate::script::{Failure, POST, POST_BYTES, Script, exchange, http, http_over};
use dynamic_key::transport::http1::{Error, Http1, Spent};
use dynamic_key::transport::{Header, InvalidHeader, InvalidRequest, Request, Transport, TransportError};
use embedded_io::ErrorKind;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// How many streams two exchanges take, when the first answer is `first`.
fn streams(method: &str, first: &str) -> usize {
    let answers = [format!("{first}{OK}"), OK.into()];
    // A portion at a time, so that nothing of the second answer comes with the first.
    let (mut http, log) = http(answers.map(|answer| Script::bringing(answer).by(1)));
    let _ = exchange(&mut http, &Request { method, ..POST }, 99);
    assert_eq!(exchange(&mut http, &POST, 99).unwrap().body, b"{}", "{first:?}");
    log.borrow().took.len()
}

#[test]
fn a_stream_is_kept_if_nothing_speaks_against_it() {
    for first in [
        OK,
        "HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\na: b\r\n\r\n",
        "HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 204\r\n\r\n",
        "HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 304\r\nContent-Length: 9\r\n\r\n",
    ] {
        assert_eq!(streams("POST", first), 1, "{first:?}");
    }
    assert_eq!(streams("HEAD", "HTTP/1.1 200\r\nContent-Length: 9\r\n\r\n"), 1);
    assert_eq!(streams("HEAD", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"), 1);
    for first in [
        "HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 204\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 204\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 101\r\n\r\n",
    ] {
        assert_eq!(streams("POST", first), 2, "{first:?}");
    }
}

#[test]
fn an_answer_that_nobody_asked_for_ends_the_stream() {
    for first in [OK, "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"] {
        for portion in [first.len() - 1, first.len() + 1, usize::MAX] {
            let forged = format!("{first}HTTP/1.1 200\r\nContent-Length: 6\r\n\r\nforged");
            let (mut http, log) = http([Script::bringing(forged).by(portion), Script::bringing(OK)]);
            assert_eq!(exchange(&mut http, &POST, 99).unwrap().body, b"{}");
            assert_eq!(exchange(&mut http, &POST, 99).unwrap().body, b"{}");
            assert_eq!(log.borrow().took.len(), 2);
        }
    }
}

#[test]
fn an_answer_given_up_takes_its_stream_along() {
    let (mut http, log) = http([Script::bringing(format!("{OK}{OK}")).by(1), Script::bringing(OK)]);
    http.send(&POST).unwrap();
    assert_eq!(exchange(&mut http, &POST, 99).unwrap().body, b"{}");
    assert_eq!(log.borrow().took.len(), 2);
    http.disconnect();
    assert_eq!(log.borrow().open, 0);
    assert_eq!(http.send(&POST).unwrap_err(), Error::Connect(ErrorKind::ConnectionRefused));
}

#[test]
fn the_connector_may_refuse_an_idle_stream() {
    let scripts = [Script::bringing(format!("{OK}{OK}")).by(1), Script::bringing(OK)];
    let (mut http, log) = http_over(scripts, false);
    for _ in 0..2 {
        http.send(&POST).unwrap();
        assert_eq!(http.receive(&mut [0; 99]).unwrap().body, b"{}");
    }
    assert_eq!(log.borrow().took.len(), 2);
}

#[test]
fn a_dead_idle_stream_is_replaced_only_if_it_took_nothing() {
    let first = POST_BYTES.len();
    for error in [Some(ErrorKind::BrokenPipe), None] {
        for taken in 0..=POST_BYTES.len() {
            let mut dying = Script::bringing(OK);
            dying.takes = Some((first + taken, error));
            let (mut http, log) = http([dying, Script::bringing(OK)]);
            assert!(exchange(&mut http, &POST, 99).is_ok());
            let second = exchange(&mut http, &POST, 99);
            let log = log.borrow();
            if taken == 0 {
                assert_eq!(second.unwrap().body, b"{}");
                assert_eq!(log.took[1], POST_BYTES, "whole, on the new stream");
            } else {
                let error = second.unwrap_err();
                assert!(error.request_left(), "{taken}");
                assert_eq!(log.took.len(), 1, "not sent again");
            }
        }
    }
}

#[test]
fn a_new_stream_that_fails_is_not_replaced() {
    for taken in 0..POST_BYTES.len() {
        let mut dying = Script::bringing(OK);
        dying.takes = Some((taken, Some(ErrorKind::ConnectionReset)));
        let (mut http, log) = http([dying, Script::bringing(OK)]);
        let error = exchange(&mut http, &POST, 99).unwrap_err();
        let expected = Error::Stream { error: ErrorKind::ConnectionReset, request_left: taken > 0 };
        assert_eq!(error, expected);
        assert_eq!(error.request_left(), taken > 0);
        assert_eq!((log.borrow().took.len(), log.borrow().open), (1, 0));
        assert_eq!(exchange(&mut http, &POST, 99).unwrap().body, b"{}", "the next exchange is another");
    }
    let mut dying = Script::bringing(OK);
    dying.flush_fails = true;
    let (mut http, _) = http([dying]);
    assert!(exchange(&mut http, &POST, 99).unwrap_err().request_left());
}

#[test]
fn a_dead_idle_stream_and_no_other() {
    let mut dying = Script::bringing(OK);
    dying.takes = Some((POST_BYTES.len(), Some(ErrorKind::BrokenPipe)));
    let (mut http, _) = http([dying]);
    assert!(exchange(&mut http, &POST, 99).is_ok());
    let error = exchange(&mut http, &POST, 99).unwrap_err();
    assert!(!error.request_left(), "{error}");
}

#[test]
fn requests_in_portions_and_interrupted() {
    for portion in [1, 2, 100, 127, 128, 129, usize::MAX] {
        let mut script = Script::bringing(OK).by(portion);
        script.interrupted = true;
        let (mut http, log) = http([script]);
        assert_eq!(exchange(&mut http, &POST, 99).unwrap().body, b"{}");
        assert_eq!(log.borrow().took[0], POST_BYTES);
    }
}

#[test]
fn a_head_goes_out_in_blocks_and_a_body_at_once() {
    let token = "t".repeat(300);
    let headers = [Header::JSON, Header::bearer(&token).unwrap()];
    let body = vec![b'b'; 10_000];
    let (mut http, log) = http([Script::bringing(OK)]);
    http.send(&Request { method: "POST", target: "/", headers: &headers, body: &body }).unwrap();
    let log = log.borrow();
    let head = log.took[0].len() - body.len();
    assert!(head > 300);
    assert_eq!(log.writes, head.div_ceil(128) + 1);
}

#[test]
fn misuse_changes_nothing() {
    let (mut http, log) = http([Script::bringing(format!("{OK}{OK}")).by(1)]);
    assert_eq!(http.receive(&mut [0; 9]).unwrap_err(), Error::NotSent);
    assert!(exchange(&mut http, &POST, 99).is_ok());
    assert_eq!(http.receive(&mut [0; 9]).unwrap_err(), Error::NotSent);
    let host = [Header::new("hOST", "evil").unwrap()];
    for (request, invalid) in [
        (Request { method: "GET /x HTTP/1.1\r\nA:", ..POST }, InvalidRequest::Method),
        (Request { target: "/ HTTP/1.1\r\nA: b", ..POST }, InvalidRequest::Target),
        (Request { headers: &host, ..POST }, InvalidRequest::Header),
    ] {
        let error: Failure = http.send(&request).unwrap_err();
        assert_eq!(error, Error::Request(invalid));
        assert!(!error.request_left());
    }
    assert_eq!(exchange(&mut http, &POST, 99).unwrap().body, b"{}");
    assert_eq!(log.borrow().took, [[POST_BYTES, POST_BYTES].concat()], "one stream, two requests");
    for host in ["", "a\r\nb", "a b", "a/b"] {
        assert_eq!(Http1::over(DeadLine, host).err(), Some(InvalidHeader::Value));
    }
}

/// A line that is dead.
struct DeadLine;

impl embedded_io::ErrorType for DeadLine {
    type Error = ErrorKind;
}

impl embedded_io::Read for DeadLine {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::TimedOut)
    }
}

impl embedded_io::Write for DeadLine {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn a_single_stream_is_used_until_it_fails_and_can_be_lent_again() {
    let mut line = DeadLine;
    for _ in 0..2 {
        let mut http = Http1::over(&mut line, "h").unwrap();
        http.send(&POST).unwrap();
        let error = http.receive(&mut [0; 99]).unwrap_err();
        assert!(error.is_timeout() && error.request_left());
        let error = http.send(&POST).unwrap_err();
        assert_eq!(error, Error::Connect(Spent));
        assert!(!error.is_timeout() && !error.request_left());
    }
}
