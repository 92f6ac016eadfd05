//! Where an answer begins and ends, and who may not say so.

use crate::script::{Failure, POST, Script, Seen, exchange, http, received};
use dynamic_key::codec::retry_after::RetryAfter;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::transport::http1::{Error, Refusal};
use dynamic_key::transport::{Request, TransportError};
use embedded_io::ErrorKind;

const LENGTH: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"nonce\":\"ab\"}";
const CHUNKED: &str = "HTTP/1.1 503 \r\nTransfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n\
    9;ext=\"1\"\r\n{\"nonce\":\r\n5\r\n\"ab\"}\r\n000\r\nTrailer: x\r\n\r\n";
const UNTIL_END: &str =
    "HTTP/1.0 404 Not Found\r\ncontent-type: application/json;charset=utf-8\r\n\r\n{\"nonce\":\"ab\"}";
const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100\r\n\r\n\
    HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}";
const ALL: [&str; 4] = [LENGTH, CHUNKED, UNTIL_END, INTERIM];

fn refused(answer: impl AsRef<[u8]>) -> Refusal {
    match received(answer.as_ref(), usize::MAX, 4096) {
        Err(Error::Response(refusal)) => {
            assert!(Failure::Response(refusal).request_left());
            refusal
        }
        other => panic!("{other:?} for {:?}", String::from_utf8_lossy(answer.as_ref())),
    }
}

fn seen(status: u16, json: bool, retry_after: Option<u32>, body: &str) -> Result<Seen, Failure> {
    let retry_after = retry_after.map(RetryAfter::Seconds);
    Ok(Seen { status, json, retry_after, body: body.into() })
}

#[test]
fn answers_in_portions_of_any_size() {
    for portion in 1..200 {
        let body = "{\"nonce\":\"ab\"}";
        assert_eq!(received(LENGTH, portion, 200), seen(200, true, None, body));
        assert_eq!(received(CHUNKED, portion, 200), seen(503, false, Some(7), body));
        assert_eq!(received(UNTIL_END, portion, 200), seen(404, true, None, body));
        assert_eq!(received(INTERIM, portion, 200), seen(200, false, None, "{}"));
    }
}

#[test]
fn retry_after_in_seconds_or_as_a_date() {
    let date = RetryAfter::Date(Timestamp::from_unix_secs(784_111_777));
    for (value, expected) in [
        ("120", Some(RetryAfter::Seconds(120))),
        ("4294967296", Some(RetryAfter::Seconds(u32::MAX))),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(date)),
        ("  Sunday, 06-Nov-94 08:49:37 GMT ", Some(date)),
        ("Sun Nov  6 08:49:37 1994", Some(date)),
        ("Mon, 06 Nov 1994 08:49:37 GMT", None),
        ("", None),
        ("-1", None),
        ("1.5", None),
    ] {
        let answer = format!("HTTP/1.1 429\r\nContent-Length: 0\r\nRetry-After: {value}\r\n\r\n");
        for portion in [1, 7, usize::MAX] {
            assert_eq!(received(&answer, portion, 200).unwrap().retry_after, expected, "{value:?}");
        }
    }
}

#[test]
fn the_buffer_holds_head_and_body_in_turn_and_nothing_else() {
    for portion in [1, 2, 3, 7, 64, usize::MAX] {
        for (answer, length) in [(LENGTH, 14), (CHUNKED, 14), (UNTIL_END, 14)] {
            let head = answer.find("\r\n\r\n").unwrap() + 4;
            assert_eq!(received(answer, portion, head).unwrap().body.len(), length);
            let short = received(answer, portion, head - 1);
            assert_eq!(short, Err(Error::Response(Refusal::HeadTooLong)), "{answer}");
        }
        let body = "b".repeat(500);
        for answer in [
            format!("HTTP/1.1 200\r\nContent-Length: 500\r\n\r\n{body}"),
            format!("HTTP/1.1 200\r\n\r\n{body}"),
            format!(
                "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1f4;{}\r\n{body}\r\n0\r\n\r\n",
                "x".repeat(99)
            ),
            format!(
                "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\na: b\r\n\r\n",
                "1\r\nb\r\n".repeat(500)
            ),
        ] {
            assert_eq!(received(&answer, portion, 500), seen(200, false, None, &body));
            assert_eq!(received(&answer, portion, 499), Err(Error::Response(Refusal::BodyTooLong)));
        }
    }
    assert_eq!(received(LENGTH, 1, 0), Err(Error::Response(Refusal::HeadTooLong)));
}

#[test]
fn cut_anywhere_an_answer_is_none() {
    for answer in ALL {
        for cut in 0..answer.len() {
            for portion in [1, usize::MAX] {
                let result = received(&answer[..cut], portion, 4096);
                let head = answer.find("\r\n\r\n").unwrap() + 4;
                if answer == UNTIL_END && cut >= head {
                    // Only the end of the stream ends it: what is inside must tell.
                    assert_eq!(result, seen(404, true, None, &answer[head..cut]));
                } else {
                    assert_eq!(result, Err(Error::Ended { request_left: true }), "{cut} of {answer:?}");
                }
            }
        }
    }
}

#[test]
fn every_byte_altered_gives_the_same_in_any_portions() {
    for answer in ALL {
        for index in 0..answer.len() {
            for flip in (0..8).map(|bit| 1_u8 << bit).chain([0xff]) {
                let mut altered = answer.as_bytes().to_vec();
                altered[index] ^= flip;
                let whole = received(&altered, usize::MAX, 300);
                for portion in [1, 5] {
                    let by_portions = received(&altered, portion, 300);
                    assert_eq!(whole, by_portions, "{:?}", String::from_utf8_lossy(&altered));
                }
            }
        }
    }
}

#[test]
fn two_readers_cannot_disagree_on_the_end() {
    for fields in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 2",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2, 2",
        "Content-Length: +2",
        "Content-Length: 0x2",
        "Content-Length: 2 2",
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length : 2",
        " Content-Length: 2",
        "X: y\r\n Content-Length: 2",
        "X: y\r\n\tz\r\nContent-Length: 2",
        "X: y\nContent-Length: 2",
        "X: y\rContent-Length: 2",
        "X: y\0\r\nContent-Length: 2",
        "Content-Length\0: 2",
        "Content-Length: 2\0",
        ": 2",
        "Content-Length",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding:\r\n chunked",
        "Content-Type: application/json\r\nContent-Type: application/json\r\nContent-Length: 2",
        "Retry-After: 1\r\nRetry-After: 1\r\nContent-Length: 2",
    ] {
        assert_eq!(
            refused(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{{}}")),
            Refusal::Malformed,
            "{fields:?}"
        );
    }
    let in_version_1_0 = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(refused(in_version_1_0), Refusal::Malformed);
}

#[test]
fn no_other_beginning() {
    for line in [
        "HTTP/2 200",
        "HTTP/1.2 200",
        "HTTP/0.9 200",
        "http/1.1 200",
        "HTTP/1.1  200",
        "HTTP/1.1 20",
        "HTTP/1.1 2000",
        "HTTP/1.1 +20",
        "HTTP/1.1 2 0",
        "HTTP/1.1\t200",
        "HTTP/1.1 200\tOK",
        "HTTP/1.1 200 \0",
        "HTTP/1.1",
        "",
        "\r\nHTTP/1.1 200",
        "GET / HTTP/1.1",
        "HTTP/1.1 000",
        "HTTP/1.1 099",
        "HTTP/1.1 101",
        "HTTP/1.1 600",
        "HTTP/1.1 999",
        "HTTP/1.0 100",
    ] {
        assert_eq!(refused(format!("{line}\r\nContent-Length: 0\r\n\r\n")), Refusal::Malformed, "{line:?}");
    }
    assert_eq!(refused("HTTP/1.1 100\r\nContent-Length: 1\r\n\r\n"), Refusal::Malformed);
    // Not HTTP at all, and silent after that: refused at once, not when the stream ends.
    let mut tls = Script::bringing([0x15, 3, 1, 0, 2, 2, 0x16]).by(1);
    tls.fails_at_end = Some(ErrorKind::TimedOut);
    let (mut http, _) = http([tls]);
    assert_eq!(exchange(&mut http, &POST, 99), Err(Error::Response(Refusal::Malformed)));
}

#[test]
fn everything_is_bounded() {
    let fields = |count| format!("HTTP/1.1 200\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert!(received(fields(24), usize::MAX, 4096).is_ok());
    assert_eq!(refused(fields(25)), Refusal::TooManyHeaders);
    let interim = |count| format!("{}HTTP/1.1 200\r\n\r\n", "HTTP/1.1 102\r\n\r\n".repeat(count));
    assert!(received(interim(8), usize::MAX, 4096).is_ok());
    assert_eq!(refused(interim(9)), Refusal::Malformed);
    assert_eq!(refused(format!("HTTP/1.1 200\r\na: {}", "b".repeat(9999))), Refusal::HeadTooLong);
    for length in ["4097", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"] {
        assert_eq!(
            refused(format!("HTTP/1.1 200\r\nContent-Length: {length}\r\n\r\n")),
            Refusal::BodyTooLong
        );
    }
    let chunked = "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n";
    for size in ["ffffffffffffffff", "10000000000000000", "7fffffffffffffff"] {
        assert_eq!(refused(format!("{chunked}{size}\r\n{}", "b".repeat(9999))), Refusal::BodyTooLong);
    }
    assert_eq!(refused(format!("{chunked}1;{}", "x".repeat(9999))), Refusal::Malformed);
    assert_eq!(refused(format!("{chunked}0\r\n{}", "a: b\r\n".repeat(9999))), Refusal::Malformed);
}

#[test]
fn answers_without_a_body() {
    for status in ["204", "304"] {
        for fields in ["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
            let answer = format!("HTTP/1.1 {status}\r\n{fields}\r\n");
            assert_eq!(received(answer, 1, 99), seen(status.parse().unwrap(), false, None, ""));
        }
    }
    let head = Request { method: "HEAD", ..POST };
    for fields in ["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let (mut http, _) = http([Script::bringing(format!("HTTP/1.1 200\r\n{fields}\r\n"))]);
        assert_eq!(exchange(&mut http, &head, 99), seen(200, false, None, ""));
    }
}

#[test]
fn what_the_stream_says_is_passed_on() {
    for kind in [ErrorKind::TimedOut, ErrorKind::ConnectionReset] {
        let mut script = Script::bringing(&LENGTH[..LENGTH.len() - 1]);
        script.fails_at_end = Some(kind);
        let (mut http, _) = http([script]);
        let error = exchange(&mut http, &POST, 999).unwrap_err();
        assert_eq!(error, Error::Stream { error: kind, request_left: true });
        assert_eq!(error.is_timeout(), kind == ErrorKind::TimedOut);
    }
    let (mut http, _) = http([]);
    let error = exchange(&mut http, &POST, 999).unwrap_err();
    assert_eq!(error, Error::Connect(ErrorKind::ConnectionRefused));
    assert!(!error.request_left() && !error.is_timeout());
}
