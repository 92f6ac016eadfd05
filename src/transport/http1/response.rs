//! Answers from bytes: a machine that says where the next bytes go and is told how many came.

use super::Refusal;
use super::body::{Body, Span};
use super::chunked::Chunked;
use super::head::{Fields, HeadEnd, MAX_HEADERS};

/// How many interim answers (1xx) may come before the answer.
const MOST_INTERIM: u8 = 8;

/// What every answer begins with.
const BEGINNING: &[u8] = b"HTTP/1.";

/// Room for bytes that come when the buffer is full of body: framing is all that they may be.
const SPILL: usize = 16;

/// Receives one answer into a buffer that the caller hands in at each step, always the same.
///
/// The head is parsed where it lies and then given up, the body moves to the front, so the buffer must hold the
/// longer of the two and no framing.
pub(super) struct Receiver {
    stage: Stage,
    /// How much of the buffer is in use: by the head, then by the body.
    filled: usize,
    spill: [u8; SPILL],
    interim: u8,
    to_head: bool,
}

enum Stage {
    Head(HeadEnd),
    Body(Head, Body),
}

/// What the head of an answer says.
#[derive(Clone, Copy)]
struct Head {
    status: u16,
    json: bool,
    retry_after: Option<u32>,
    /// Whether the stream carries another exchange after this answer.
    reusable: bool,
}

/// An answer that has come whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) json: bool,
    pub(super) retry_after: Option<u32>,
    /// The length of the body, which lies at the front of the buffer.
    pub(super) length: usize,
    /// Whether the stream carries another exchange.
    pub(super) reusable: bool,
}

impl Receiver {
    /// Awaits an answer; `to_head`: to a HEAD request, so that no body follows whatever the head says.
    pub(super) const fn new(to_head: bool) -> Self {
        Self { stage: Stage::Head(HeadEnd::new()), filled: 0, spill: [0; SPILL], interim: 0, to_head }
    }

    /// Where the next bytes go: never empty.
    pub(super) fn room<'b>(&'b mut self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], Refusal> {
        if matches!(self.stage, Stage::Head(_)) && self.filled >= buffer.len() {
            return Err(Refusal::HeadTooLong);
        }
        match buffer.get_mut(self.filled..) {
            Some(room) if !room.is_empty() => Ok(room),
            _ => Ok(&mut self.spill),
        }
    }

    /// Takes the `read` bytes that came into [`Receiver::room`], at least one.
    pub(super) fn received(&mut self, buffer: &mut [u8], read: usize) -> Result<Option<Received>, Refusal> {
        if let Stage::Body(head, body) = &mut self.stage {
            if self.filled >= buffer.len() {
                let (head, spill) = (*head, self.spill.get(..read).unwrap_or(&self.spill));
                let over = skip(body, spill)?;
                return Ok(body.is_complete().then(|| head.whole(self.filled, over)));
            }
            return self.body(buffer, read);
        }
        self.head(buffer, read)
    }

    /// Takes the end of the stream: an answer may end with it.
    pub(super) fn ended(&self) -> Option<Received> {
        match &self.stage {
            Stage::Body(head, Body::UntilEnd) => Some(head.whole(self.filled, 0)),
            _ => None,
        }
    }

    /// Takes `read` bytes of a head, and what follows it.
    fn head(&mut self, buffer: &mut [u8], read: usize) -> Result<Option<Received>, Refusal> {
        let mut new = self.filled;
        self.filled = self.filled.saturating_add(read).min(buffer.len());
        while let Some(length) = self.head_length(buffer, new)? {
            self.take_head(buffer.get(..length).unwrap_or_default())?;
            let after = self.filled.saturating_sub(length);
            shift(buffer, 0, length, after);
            if let Stage::Body(..) = self.stage {
                self.filled = 0;
                return self.body(buffer, after);
            }
            (self.filled, new) = (after, 0);
        }
        Ok(None)
    }

    /// The length of the head, if it is whole. Bytes before `new` have been looked at.
    fn head_length(&mut self, buffer: &[u8], new: usize) -> Result<Option<usize>, Refusal> {
        let Stage::Head(end) = &mut self.stage else { return Ok(None) };
        let held = buffer.get(..self.filled).unwrap_or_default();
        if held.iter().zip(BEGINNING).any(|(came, expected)| came != expected) {
            return Err(Refusal::Malformed);
        }
        let found = end.find(held.get(new..).unwrap_or_default())?;
        Ok(found.map(|length| new.saturating_add(length)))
    }

    /// Takes a whole head: a body comes next, or another head if this was an interim answer.
    fn take_head(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let (version, status, fields) = parse(bytes)?;
        self.stage = match Head::new(version, status, fields, self.to_head)? {
            Some((head, body)) => Stage::Body(head, body),
            None if self.interim < MOST_INTERIM => Stage::Head(HeadEnd::new()),
            None => return Err(Refusal::Malformed),
        };
        self.interim = self.interim.saturating_add(1);
        Ok(())
    }

    /// Takes `read` bytes of a body, which lie after what is there of it already, and closes the gaps.
    fn body(&mut self, buffer: &mut [u8], read: usize) -> Result<Option<Received>, Refusal> {
        let Stage::Body(head, body) = &mut self.stage else { return Ok(None) };
        if let Body::Length(left) = body
            && *left > buffer.len().saturating_sub(self.filled)
        {
            return Err(Refusal::BodyTooLong);
        }
        let end = self.filled.saturating_add(read).min(buffer.len());
        let mut at = self.filled;
        while at < end && !body.is_complete() {
            let Span { skip, data } = body.advance(buffer.get(at..end).unwrap_or_default())?;
            let from = at.saturating_add(skip);
            shift(buffer, self.filled, from, data);
            self.filled = self.filled.saturating_add(data);
            at = from.saturating_add(data);
        }
        Ok(body.is_complete().then(|| head.whole(self.filled, end.saturating_sub(at))))
    }
}

/// Parses a whole head: minor version, status, fields.
fn parse(bytes: &[u8]) -> Result<(u8, u16, Fields), Refusal> {
    parse_with(bytes, &mut [httparse::EMPTY_HEADER; MAX_HEADERS])
}

/// The same, with room for the fields.
fn parse_with<'b>(
    bytes: &'b [u8],
    headers: &mut [httparse::Header<'b>],
) -> Result<(u8, u16, Fields), Refusal> {
    let mut response = httparse::Response::new(headers);
    let refusal = match (response.parse(bytes), response.version, response.code) {
        (Ok(httparse::Status::Complete(_)), Some(version), Some(status)) => {
            return Ok((version, status, Fields::of(response.headers)?));
        }
        (Err(httparse::Error::TooManyHeaders), ..) => Refusal::TooManyHeaders,
        _ => Refusal::Malformed,
    };
    Err(refusal)
}

impl Head {
    /// What a head means for its body (RFC 9112 §6.3) and for the stream; `None` is an interim answer.
    fn new(version: u8, status: u16, fields: Fields, to_head: bool) -> Result<Option<(Self, Body)>, Refusal> {
        // HTTP/1.0 has no chunks, no interim answers, and keeps a stream only if asked to, which we do not.
        let current = version == 1;
        if fields.chunked && !current {
            return Err(Refusal::Malformed);
        }
        let announces = fields.chunked || fields.content_length.is_some_and(|length| length > 0);
        let (body, sound) = match (status, fields.content_length) {
            (100 | 102..=199, _) if current && !announces => return Ok(None),
            // Nothing follows. If something is announced nevertheless, who knows where the next answer begins.
            (204, _) => (Body::Length(0), !announces),
            (304, _) => (Body::Length(0), true),
            (200..=599, _) if to_head => (Body::Length(0), true),
            (200..=599, _) if fields.chunked => (Body::Chunked(Chunked::default()), true),
            (200..=599, Some(length)) => (Body::Length(length), true),
            (200..=599, None) => (Body::UntilEnd, false),
            // 101 switches to a protocol that nobody asked for.
            _ => return Err(Refusal::Malformed),
        };
        let reusable = current && sound && !fields.close;
        Ok(Some((Self { status, json: fields.json, retry_after: fields.retry_after, reusable }, body)))
    }

    /// The whole answer, after which `over` bytes came that no answer was due for: what they are is not asked.
    const fn whole(self, length: usize, over: usize) -> Received {
        let Self { status, json, retry_after, reusable } = self;
        Received { status, json, retry_after, length, reusable: reusable && over == 0 }
    }
}

/// Takes framing only, and says how many bytes came after the end of the body.
fn skip(body: &mut Body, mut bytes: &[u8]) -> Result<usize, Refusal> {
    while !bytes.is_empty() && !body.is_complete() {
        let Span { skip, data } = body.advance(bytes)?;
        if data > 0 {
            return Err(Refusal::BodyTooLong);
        }
        bytes = bytes.get(skip..).unwrap_or_default();
    }
    Ok(bytes.len())
}

/// Moves the `length` bytes at `from` to `to`, which is not after it: by as many at a time as lie between the two.
fn shift(buffer: &mut [u8], to: usize, from: usize, length: usize) {
    let gap = from.saturating_sub(to);
    let mut part = buffer.get_mut(to..from.saturating_add(length)).unwrap_or_default();
    while gap > 0
        && let Some((front, back)) = part.split_at_mut_checked(gap)
    {
        front.iter_mut().zip(back.iter()).for_each(|(to, from)| *to = *from);
        part = back;
    }
}
