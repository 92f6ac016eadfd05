//! Streams that do what a test wrote down, and a connector that hands them out.

use crate::executor::{block_on, pause};
use dynamic_key::codec::retry_after::RetryAfter;
use dynamic_key::transport::http1::{AsyncConnect, AsyncHttp1, Connect, Error, Http1};
use dynamic_key::transport::{AsyncTransport, Header, Request, Response, Transport};
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

pub(crate) type Failure = Error<ErrorKind, ErrorKind>;

pub(crate) const POST: Request<'static> =
    Request { method: "POST", target: "/api/info/v2", headers: &[Header::JSON], body: b"{}" };
pub(crate) const POST_BYTES: &[u8] =
    b"POST /api/info/v2 HTTP/1.1\r\nHost: gateway:8080\r\nContent-Length: 2\r\n\
    Content-Type: application/json\r\n\r\n{}";

/// What a stream will do.
#[derive(Clone)]
pub(crate) struct Script {
    /// What it brings, then its end.
    pub(crate) brings: Vec<u8>,
    /// How many bytes it brings or takes at a time.
    pub(crate) portion: usize,
    /// What comes instead of the end.
    pub(crate) fails_at_end: Option<ErrorKind>,
    /// After how many bytes taken it takes no more, and what it says then; `None` takes zero bytes.
    pub(crate) takes: Option<(usize, Option<ErrorKind>)>,
    pub(crate) flush_fails: bool,
    /// Whether every other call is interrupted.
    pub(crate) interrupted: bool,
}

impl Script {
    pub(crate) fn bringing(bytes: impl AsRef<[u8]>) -> Self {
        Self {
            brings: bytes.as_ref().to_vec(),
            portion: usize::MAX,
            fails_at_end: None,
            takes: None,
            flush_fails: false,
            interrupted: false,
        }
    }

    pub(crate) fn by(self, portion: usize) -> Self {
        Self { portion, ..self }
    }
}

/// What happened to the streams of a connector.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Log {
    /// What each stream took.
    pub(crate) took: Vec<Vec<u8>>,
    pub(crate) open: usize,
    /// How many calls of `write` there were.
    pub(crate) writes: usize,
}

pub(crate) struct Scripted {
    pub(crate) scripts: VecDeque<Script>,
    pub(crate) log: Rc<RefCell<Log>>,
    pub(crate) reusable: bool,
}

impl Connect for Scripted {
    type Stream = Stream;
    type Error = ErrorKind;

    fn connect(&mut self) -> Result<Stream, ErrorKind> {
        let script = self.scripts.pop_front().ok_or(ErrorKind::ConnectionRefused)?;
        let mut log = self.log.borrow_mut();
        assert_eq!(log.open, 0, "the stream before has been dropped");
        log.open += 1;
        log.took.push(Vec::new());
        let number = log.took.len() - 1;
        Ok(Stream { script, number, log: self.log.clone(), brought: 0, calls: 0 })
    }

    fn is_reusable(&mut self, _: &mut Stream) -> bool {
        self.reusable
    }
}

pub(crate) struct Stream {
    script: Script,
    number: usize,
    log: Rc<RefCell<Log>>,
    brought: usize,
    calls: usize,
}

impl Stream {
    fn interrupt(&mut self) -> Result<(), ErrorKind> {
        self.calls += 1;
        if self.script.interrupted && self.calls % 2 == 1 { Err(ErrorKind::Interrupted) } else { Ok(()) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.log.borrow_mut().open -= 1;
    }
}

impl ErrorType for Stream {
    type Error = ErrorKind;
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!buffer.is_empty(), "an empty read looks like the end of the stream");
        self.interrupt()?;
        let rest = &self.script.brings[self.brought..];
        if rest.is_empty() {
            return self.script.fails_at_end.map_or(Ok(0), Err);
        }
        let length = rest.len().min(buffer.len()).min(self.script.portion);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.brought += length;
        Ok(length)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.interrupt()?;
        let mut log = self.log.borrow_mut();
        log.writes += 1;
        let took = &mut log.took[self.number];
        let mut length = bytes.len().min(self.script.portion);
        if let Some((most, error)) = self.script.takes {
            length = length.min(most - took.len());
            if length == 0 {
                return error.map_or(Ok(0), Err);
            }
        }
        took.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.interrupt()?;
        if self.script.flush_fails { Err(ErrorKind::ConnectionReset) } else { Ok(()) }
    }
}

/// Does what it wraps does, one poll later each time.
pub(crate) struct Paused<T>(pub(crate) T);

impl AsyncConnect for Paused<Scripted> {
    type Stream = Paused<Stream>;
    type Error = ErrorKind;

    async fn connect(&mut self) -> Result<Self::Stream, ErrorKind> {
        pause().await;
        self.0.connect().map(Paused)
    }

    fn is_reusable(&mut self, Paused(stream): &mut Self::Stream) -> bool {
        self.0.is_reusable(stream)
    }
}

impl ErrorType for Paused<Stream> {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for Paused<Stream> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        pause().await;
        self.0.read(buffer)
    }
}

impl embedded_io_async::Write for Paused<Stream> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        pause().await;
        self.0.write(bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        pause().await;
        self.0.flush()
    }
}

/// Both drivers over the same scripts. Whatever one of them does, the other must.
pub(crate) struct Both {
    blocking: Http1<'static, Scripted>,
    awaiting: AsyncHttp1<'static, Paused<Scripted>>,
    logs: [Rc<RefCell<Log>>; 2],
}

impl Both {
    pub(crate) fn disconnect(&mut self) {
        self.blocking.disconnect();
        self.awaiting.disconnect();
        self.compare();
    }

    fn compare(&self) {
        assert_eq!(self.logs[0], self.logs[1]);
    }
}

impl Transport for Both {
    type Error = Failure;

    fn send(&mut self, request: &Request<'_>) -> Result<(), Failure> {
        let outcome = self.blocking.send(request);
        assert_eq!(block_on(self.awaiting.send(request)), outcome);
        self.compare();
        outcome
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Failure> {
        let mut other = buffer.to_vec();
        let awaited = block_on(self.awaiting.receive(&mut other));
        let outcome = self.blocking.receive(buffer);
        assert_eq!(awaited, outcome);
        self.compare();
        outcome
    }
}

pub(crate) fn connector(
    scripts: impl IntoIterator<Item = Script>,
    reusable: bool,
) -> (Scripted, Rc<RefCell<Log>>) {
    let log = Rc::new(RefCell::new(Log::default()));
    (Scripted { scripts: scripts.into_iter().collect(), log: log.clone(), reusable }, log)
}

/// Both drivers over the streams of `scripts`, one after the other, and what happens to them.
pub(crate) fn http(scripts: impl IntoIterator<Item = Script>) -> (Both, Rc<RefCell<Log>>) {
    http_over(scripts, true)
}

/// The same, with idle streams that the connector takes for reusable or not.
pub(crate) fn http_over(
    scripts: impl IntoIterator<Item = Script>,
    reusable: bool,
) -> (Both, Rc<RefCell<Log>>) {
    let scripts: Vec<_> = scripts.into_iter().collect();
    let ((one, log), (other, others_log)) =
        (connector(scripts.clone(), reusable), connector(scripts, reusable));
    let both = Both {
        blocking: Http1::new(one, "gateway:8080").unwrap(),
        awaiting: AsyncHttp1::new(Paused(other), "gateway:8080").unwrap(),
        logs: [log.clone(), others_log],
    };
    (both, log)
}

/// One stream, and what happens to it.
pub(crate) fn stream(script: Script) -> (Stream, Rc<RefCell<Log>>) {
    let log = Rc::new(RefCell::new(Log::default()));
    let mut connector = Scripted { scripts: [script].into(), log: log.clone(), reusable: true };
    (connector.connect().unwrap(), log)
}

/// What a caller sees of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) json: bool,
    pub(crate) retry_after: Option<RetryAfter>,
    pub(crate) body: Vec<u8>,
}

impl From<Response<'_>> for Seen {
    fn from(response: Response<'_>) -> Self {
        Self {
            status: response.status,
            json: response.content_type_is_json,
            retry_after: response.retry_after.read(),
            body: response.body.to_vec(),
        }
    }
}

/// One exchange with a buffer of `room` bytes.
pub(crate) fn exchange(http: &mut Both, request: &Request<'_>, room: usize) -> Result<Seen, Failure> {
    http.send(request)?;
    http.receive(&mut vec![0xEE; room]).map(Seen::from)
}

/// What becomes of `answer`, brought `portion` bytes at a time into a buffer of `room` bytes.
pub(crate) fn received(answer: impl AsRef<[u8]>, portion: usize, room: usize) -> Result<Seen, Failure> {
    let (mut http, _) = http([Script::bringing(answer).by(portion)]);
    exchange(&mut http, &POST, room)
}
