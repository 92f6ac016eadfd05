//! Requests from bytes: a machine that says where the next bytes go and is told how many came.

use super::Refusal;
use super::body::Body;
use super::encoder::is_host;
use super::head::{Framing, HeadRoom, MAX_HEADERS};
use super::inflow::Inflow;
use crate::transport::{Request, is_token_byte};

/// The fields that are read, as [`Framing::of`] takes them.
const FIELDS: &str = "content-length,transfer-encoding,host,expect,connection";

/// Receives one request into a buffer that the caller hands in at each step, always the same.
///
/// The head stays at the front, the body comes right after it, so the buffer must hold both and no framing of the body.
pub(super) struct Receiver(Stage);

enum Stage {
    Head(HeadRoom),
    Body(Head, Inflow),
}

/// What a request is, now that bytes of it have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// There are more to come.
    More,
    /// There are more to come, and the peer waits for a word before it sends them (RFC 9110 §10.1.1).
    Continue,
    /// It has come whole.
    Whole(Received),
}

/// A request that has come whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Received {
    /// The length of the head, which lies at the front of the buffer.
    pub(super) head: usize,
    /// The length of the body, which follows it.
    pub(super) body: usize,
    /// Whether it is a HEAD request: its answer has no body.
    pub(super) to_head: bool,
    /// Whether the stream carries another exchange.
    pub(super) reusable: bool,
}

/// What the head of a request says.
#[derive(Clone, Copy)]
struct Head {
    length: usize,
    to_head: bool,
    close: bool,
}

impl Receiver {
    /// Awaits a request.
    pub(super) fn new() -> Self {
        Self(Stage::Head(HeadRoom::default()))
    }

    /// Whether no byte of a request has come.
    pub(super) const fn is_empty(&self) -> bool {
        matches!(&self.0, Stage::Head(room) if room.is_empty())
    }

    /// Where the next bytes go: never empty.
    pub(super) fn room<'b>(&'b mut self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], Refusal> {
        match &mut self.0 {
            Stage::Head(room) => room.room(buffer),
            Stage::Body(head, inflow) => Ok(inflow.room(after(buffer, head.length))),
        }
    }

    /// Takes the `read` bytes that came into [`Receiver::room`], at least one.
    pub(super) fn received(&mut self, buffer: &mut [u8], read: usize) -> Result<Step, Refusal> {
        let room = match &mut self.0 {
            Stage::Head(room) => room,
            Stage::Body(head, inflow) => {
                let over = inflow.received(after(buffer, head.length), read)?;
                return Ok(over.map_or(Step::More, |over| head.whole(inflow.filled(), over)));
            }
        };
        room.received(buffer, read);
        // Whatever is no request, such as the beginning of TLS, is known by its first byte.
        if !room.held(buffer).first().copied().is_some_and(is_token_byte) {
            return Err(Refusal::Malformed);
        }
        let Some(length) = room.length(buffer)? else { return Ok(Step::More) };
        let present = room.after(length);
        let (head, body, waits) = parse(buffer.get(..length).unwrap_or_default())?;
        let mut inflow = Inflow::new(body);
        let over = inflow.take(after(buffer, length), 0, present)?;
        let step = match over {
            Some(over) => head.whole(inflow.filled(), over),
            None if waits && present == 0 => Step::Continue,
            None => Step::More,
        };
        self.0 = Stage::Body(head, inflow);
        Ok(step)
    }
}

impl Head {
    /// The whole request, after which `over` bytes came before it was answered. They are not kept, so the stream cannot
    /// carry another: a peer that does not wait for its answer loses what it sent ahead (RFC 9112 §9.3.2).
    const fn whole(self, body: usize, over: usize) -> Step {
        let Self { length: head, to_head, close } = self;
        Step::Whole(Received { head, body, to_head, reusable: !close && over == 0 })
    }
}

/// What follows the head.
fn after(buffer: &mut [u8], length: usize) -> &mut [u8] {
    buffer.get_mut(length..).unwrap_or_default()
}

/// Parses a whole head: what it says, its body, and whether the peer waits before it sends that.
fn parse(bytes: &[u8]) -> Result<(Head, Body, bool), Refusal> {
    parse_with(bytes, &mut [httparse::EMPTY_HEADER; MAX_HEADERS])
}

/// The same, with room for the fields.
fn parse_with<'b>(
    bytes: &'b [u8],
    headers: &mut [httparse::Header<'b>],
) -> Result<(Head, Body, bool), Refusal> {
    let mut request = httparse::Request::new(headers);
    let (method, target) = match (request.parse(bytes), request.version, request.method, request.path) {
        (Ok(httparse::Status::Complete(_)), Some(1), Some(method), Some(target)) => (method, target),
        // HTTP/1.0 has no chunks, and no word before the end of a body.
        (Ok(httparse::Status::Complete(_)), ..) => return Err(Refusal::Version),
        (Err(httparse::Error::TooManyHeaders), ..) => return Err(Refusal::TooManyHeaders),
        _ => return Err(Refusal::Malformed),
    };
    if (Request { method, target, headers: &[], body: &[] }).check().is_err() {
        return Err(Refusal::Malformed);
    }
    let fields = request.headers.iter().map(|field| Some((field.name.as_bytes(), field.value)));
    let (framing, [host, expect]) = Framing::of(fields, FIELDS)?;
    // RFC 9112 §3.2: none, or one that is no host, is refused.
    if !host.and_then(|host| core::str::from_utf8(host).ok()).is_some_and(is_host) {
        return Err(Refusal::Malformed);
    }
    let waits = expect.is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"));
    if expect.is_some() && !waits {
        return Err(Refusal::Expectation);
    }
    let body = framing.body.unwrap_or(Body::of_length(0));
    Ok((Head { length: bytes.len(), to_head: method == "HEAD", close: framing.close }, body, waits))
}
