//! The drivers of tokens and of the relay, one that blocks and one that awaits, before the same issuer: the same comes of both; and
//! a future given up at every await.

use crate::slow::Slow;
use crate::support::{block_on, poll_times};
use dynamic_key::client::{AsyncTokenClient, RelayError, TokenClient, TokenClientError, relay, relay_async};
use dynamic_key::codec::retry_after::Unread;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::identity;
use dynamic_key::session::Now;
use dynamic_key::token::{Access, Config, Credentials, Need, Stop, TokenError, oauth};
use dynamic_key::transport::http1::Http1;
use dynamic_key::transport::{Request, Response, Transport, TransportError};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// A stream to a peer that answers each request with the next of its answers, and hangs up behind the last.
struct Peer {
    answers: VecDeque<String>,
    coming: VecDeque<u8>,
    heard: Heard,
}

type Heard = Rc<RefCell<Vec<u8>>>;

impl Peer {
    fn new(answers: &[String], heard: &Heard) -> Self {
        Self { answers: answers.iter().cloned().collect(), coming: VecDeque::new(), heard: heard.clone() }
    }
}

impl ErrorType for Peer {
    type Error = ErrorKind;
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.heard.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.coming.extend(self.answers.pop_front().unwrap_or_default().into_bytes());
        Ok(())
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let length = buffer.len().min(self.coming.len()).min(11);
        buffer.iter_mut().zip(self.coming.drain(..length)).for_each(|(to, from)| *to = from);
        Ok(length)
    }
}

fn answer(head: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The moment of RFC 9110 §5.6.7, and so many seconds after it.
fn at(seconds: u64) -> Now {
    Now::wall(Timestamp::from_unix_secs(784_111_777 + seconds))
}

type Seen = Result<String, TokenClientError<()>>;

fn seen<E>(outcome: Result<Access<'_>, TokenClientError<E>>) -> Seen {
    outcome.map(|access| access.token.into()).map_err(|error| match error {
        TokenClientError::Token(error) => TokenClientError::Token(error),
        TokenClientError::Transport(_) => TokenClientError::Transport(()),
        TokenClientError::Unavailable(need) => TokenClientError::Unavailable(need),
        _ => panic!("no other is known"),
    })
}

#[test]
fn an_issuer_is_left_alone_until_the_date_that_it_names() {
    let token = |token| format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":60}}"#);
    let answers = [
        answer("429 Later\r\nRetry-After: Sun, 06 Nov 1994 08:51:07 GMT", ""),
        answer("503 Later\r\nRetry-After: Sunday, 06-Nov-94 08:52:37 GMT", ""),
        answer("200 OK", &token("one")),
        answer("503 Later\r\nRetry-After: 30", ""),
        answer("200 OK", &token("two")),
    ];
    let credentials = Credentials::confidential("id", "secret").unwrap();
    let config = || Config::new(&oauth::RFC6749, &credentials);
    let heard = [Rc::default(), Rc::default()];
    let http = |heard| Http1::over(Peer::new(&answers, heard), "issuer.example").unwrap();
    let mut blocking = TokenClient::<_, 16>::new(config(), http(&heard[0])).unwrap();
    let mut awaiting = AsyncTokenClient::<_, 16>::new(config(), Slow(http(&heard[1]))).unwrap();
    let later = |status| Err(TokenClientError::Token(TokenError::Later { status }));
    let wait = |seconds: u64| Err(TokenClientError::Unavailable(Need::Wait(seconds * 1000)));
    for (seconds, expected) in [
        (0, later(429)),
        (0, wait(90)),
        (89, wait(1)),
        (90, later(503)),
        (91, wait(89)),
        (180, Ok("one")),
        (200, Ok("one")),
        // It is renewed early, which fails; then it ends.
        (230, Ok("one")),
        (241, wait(19)),
        (260, Ok("two")),
        // Nobody is there any more.
        (320, Err(TokenClientError::Transport(()))),
    ] {
        let mut buffers = [[0xff; 256]; 2];
        let outcome = seen(blocking.access(at(seconds), 0, &mut buffers[0]));
        let awaited = seen(block_on(awaiting.access(at(seconds), 0, &mut buffers[1])));
        assert_eq!(outcome.as_deref(), expected.as_ref().map(|token| *token), "at {seconds}");
        assert_eq!(awaited, outcome, "at {seconds}");
        assert!(buffers.iter().flatten().all(|byte| *byte == 0), "{seconds}");
        assert_eq!(heard[0], heard[1]);
    }
}

/// Answers each request with a token of its own, or with nothing.
#[derive(Default)]
struct Issuer {
    asked: usize,
    silent: bool,
}

#[derive(Debug, PartialEq)]
struct Silence;

impl TransportError for Silence {
    fn request_left(&self) -> bool {
        true
    }
    fn is_timeout(&self) -> bool {
        true
    }
}

impl Transport for Issuer {
    type Error = Silence;

    fn send(&mut self, _: &Request<'_>) -> Result<(), Silence> {
        self.asked += 1;
        Ok(())
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Silence> {
        if self.silent {
            return Err(Silence);
        }
        let text = format!(r#"{{"access_token":"t{}","token_type":"Bearer","expires_in":60}}"#, self.asked);
        let body = &mut buffer[..text.len()];
        body.copy_from_slice(text.as_bytes());
        Ok(Response { status: 200, content_type_is_json: true, retry_after: Unread::ABSENT, body })
    }
}

#[test]
fn a_call_that_is_given_up_counts_as_failed_and_its_answer_is_not_taken() {
    let credentials = Credentials::confidential("id", "secret").unwrap();
    let config = || Config::new(&oauth::RFC6749, &credentials);
    for polls in 1.. {
        let mut client = AsyncTokenClient::<_, 16>::new(config(), Slow(Issuer::default())).unwrap();
        let mut buffer = [0xff; 128];
        let outcome = poll_times(client.access(at(0), 0, &mut buffer), polls).map(seen);
        assert_eq!(buffer, [0; 128], "after {polls}");
        if let Some(outcome) = outcome {
            assert_eq!((outcome.as_deref(), polls), (Ok("t1"), 5));
            break;
        }
        let asked = client.transport_mut().0.asked;
        assert_eq!(asked, usize::from(polls > 1));
        // Whoever looks at the lifecycle meanwhile sees that nobody holds a token, and the next call that it failed.
        assert_eq!(client.tokens_mut().need(at(0)), Need::Answer);
        let early = seen(block_on(client.access(at(0), 0, &mut buffer)));
        assert_eq!(early, Err(TokenClientError::Unavailable(Need::Wait(500))), "after {polls}");
        let outcome = seen(block_on(client.access(at(1), 0, &mut buffer)));
        assert_eq!(outcome, Ok(format!("t{}", asked + 1)), "after {polls}");
    }
}

#[test]
fn one_call_revokes_or_fails_as_the_other_does() {
    let credentials = Credentials::confidential("id", "secret").unwrap();
    let config = || Config::new(&oauth::RFC6749, &credentials);
    let mut blocking = TokenClient::<_, 16>::new(config(), Issuer::default()).unwrap();
    let mut awaiting = AsyncTokenClient::<_, 16>::new(config(), Slow(Issuer::default())).unwrap();
    let buffer = &mut [0; 128];
    blocking.transport_mut().silent = true;
    awaiting.transport_mut().0.silent = true;
    let failed = Err(TokenClientError::Transport(()));
    assert_eq!(seen(blocking.access(at(0), 0, buffer)), failed);
    assert_eq!(seen(block_on(awaiting.access(at(0), 0, buffer))), failed);
    blocking.transport_mut().silent = false;
    awaiting.transport_mut().0.silent = false;
    assert_eq!(seen(blocking.access(at(1), 0, buffer)).as_deref(), Ok("t2"));
    assert_eq!(seen(block_on(awaiting.access(at(1), 0, buffer))).as_deref(), Ok("t2"));
    blocking.tokens_mut().revoke();
    awaiting.tokens_mut().revoke();
    assert_eq!(blocking.send_due(at(2), 0, buffer), Ok(()));
    assert_eq!(block_on(awaiting.send_due(at(2), 0, buffer)), Ok(()));
    let over = Err(TokenClientError::Unavailable(Need::Stopped(Stop::Revoked)));
    assert_eq!(seen(blocking.access(at(3), 0, buffer)), over);
    assert_eq!(seen(block_on(awaiting.access(at(3), 0, buffer))), over);
    assert_eq!((blocking.transport_mut().asked, awaiting.transport_mut().0.asked), (3, 3));
}

#[test]
fn a_relay_is_asked_in_the_same_words() {
    let success = answer("200 OK", r#"{"status":200,"code":20011,"msg":"Registered."}"#);
    let refusal = answer("401 No", r#"{"status":401,"code":40101,"err":"No."}"#);
    let strange = [answer("502 No", "<html>"), answer("200 OK", "[]"), String::new()];
    for (text, expected) in [success, refusal].into_iter().chain(strange).zip([
        Ok(20_011),
        Ok(40_101),
        Err(RelayError::Status(502)),
        Err(RelayError::Malformed),
        Err(RelayError::Transport(())),
    ]) {
        for (token, body) in [(None, &b""[..]), (Some("t.1"), b"{}")] {
            let request = identity::Request { method: "POST", target: "/v1/identity", body };
            let heard = [Rc::default(), Rc::default()];
            let http =
                |heard| Http1::over(Peer::new(core::slice::from_ref(&text), heard), "relay.example").unwrap();
            let (mut blocking, mut awaiting, mut buffers) =
                (http(&heard[0]), Slow(http(&heard[1])), [[0; 256]; 2]);
            let [first, second] = &mut buffers;
            let outcome = code(relay(&mut blocking, token, &request, first));
            let awaited = code(block_on(relay_async(&mut awaiting, token, &request, second)));
            assert_eq!((outcome, awaited), (expected, expected), "{text}");
            let [heard, heard_by_awaiting] = heard.map(|heard| heard.take());
            assert!(heard.starts_with(b"POST /v1/identity HTTP/1.1\r\n") && heard == heard_by_awaiting);
        }
    }
    let request = identity::Request { method: "GET", target: "/v1/identity/me", body: b"" };
    let mut http = Slow(Http1::over(Peer::new(&[], &Rc::default()), "relay.example").unwrap());
    let buffer = &mut [0; 256];
    let outcome = code(block_on(relay_async(&mut http, Some("a\r\nb: c"), &request, buffer)));
    assert_eq!(outcome, Err(RelayError::InvalidToken));
}

fn code<E>(outcome: Result<identity::response::Response<'_>, RelayError<E>>) -> Result<u32, RelayError<()>> {
    outcome.map(|response| response.code.get()).map_err(|error| match error {
        RelayError::Transport(_) => RelayError::Transport(()),
        RelayError::InvalidToken => RelayError::InvalidToken,
        RelayError::Status(status) => RelayError::Status(status),
        RelayError::Malformed => RelayError::Malformed,
        _ => panic!("no other is known"),
    })
}
