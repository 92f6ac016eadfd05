//! Answers from bytes: a machine that says where the next bytes go and is told how many came.

use super::Refusal;
use super::body::{Body, Inflow};
use super::chunked::Chunked;
use super::head::{Framing, HeadRoom, Lines, is_json, is_text};
use crate::codec::retry_after::Unread;

/// How many interim answers (1xx) may come before the answer.
const MOST_INTERIM: u8 = 8;

/// What every answer begins with.
const BEGINNING: &[u8] = b"HTTP/1.";

/// Receives one answer into a buffer that the caller hands in at each step, always the same.
///
/// The head is parsed where it lies and then given up, the body moves to the front, so the buffer must hold the
/// longer of the two and no framing.
pub(super) struct Receiver {
    stage: Stage,
    interim: u8,
    to_head: bool,
}

enum Stage {
    Head(HeadRoom),
    Body(Head, Inflow),
}

/// What the head of an answer says.
#[derive(Clone, Copy)]
struct Head {
    status: u16,
    others: Others,
    /// Whether the stream carries another exchange after this answer.
    reusable: bool,
}

/// An answer that has come whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) json: bool,
    pub(super) retry_after: Unread,
    /// The length of the body, which lies at the front of the buffer.
    pub(super) length: usize,
    /// Whether the stream carries another exchange.
    pub(super) reusable: bool,
}

impl Receiver {
    /// Awaits an answer; `to_head`: to a HEAD request, so that no body follows whatever the head says.
    pub(super) const fn new(to_head: bool) -> Self {
        Self { stage: Stage::Head(HeadRoom::new()), interim: 0, to_head }
    }

    /// Where the next bytes go: never empty.
    pub(super) fn room<'b>(&'b mut self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], Refusal> {
        match &mut self.stage {
            Stage::Head(room) => room.room(buffer),
            Stage::Body(_, inflow) => Ok(inflow.room(buffer)),
        }
    }

    /// Takes the `read` bytes that came into [`Receiver::room`], at least one.
    pub(super) fn received(&mut self, buffer: &mut [u8], read: usize) -> Result<Option<Received>, Refusal> {
        match &mut self.stage {
            Stage::Head(room) => room.received(buffer, read),
            Stage::Body(head, inflow) => {
                let over = inflow.received(buffer, read)?;
                return Ok(over.map(|over| head.whole(inflow.filled(), over)));
            }
        }
        self.heads(buffer)
    }

    /// Takes the end of the stream: an answer may end with it.
    pub(super) fn ended(&self) -> Option<Received> {
        match &self.stage {
            Stage::Body(head, inflow) if inflow.ends_with_stream() => Some(head.whole(inflow.filled(), 0)),
            _ => None,
        }
    }

    /// Looks at what is there of heads, and of the body that follows the last one.
    fn heads(&mut self, buffer: &mut [u8]) -> Result<Option<Received>, Refusal> {
        while let Stage::Head(room) = &mut self.stage {
            if room.held(buffer).iter().zip(BEGINNING).any(|(came, expected)| came != expected) {
                return Err(Refusal::Malformed);
            }
            let Some(length) = room.length(buffer)? else { return Ok(None) };
            let (version, status, framing, others) = parse(buffer.get(..length).unwrap_or_default())?;
            let after = room.after(length);
            room.again(buffer, length);
            if let Some((head, body)) = Head::new(version, status, framing, others, self.to_head)? {
                let mut inflow = Inflow::new(body);
                let over = inflow.begin(buffer, after)?;
                let whole = over.map(|over| head.whole(inflow.filled(), over));
                self.stage = Stage::Body(head, inflow);
                return Ok(whole);
            }
            if self.interim >= MOST_INTERIM {
                return Err(Refusal::Malformed);
            }
            self.interim = self.interim.saturating_add(1);
        }
        Ok(None)
    }
}

/// What an answer says that is its own: its type and when to come again.
#[derive(Clone, Copy)]
struct Others {
    json: bool,
    retry_after: Unread,
}

/// Parses a whole head: minor version, status, fields.
fn parse(bytes: &[u8]) -> Result<(u8, u16, Framing, Others), Refusal> {
    let mut lines = Lines::new(bytes);
    let (version, status) = lines.next().and_then(status_line).ok_or(Refusal::Malformed)?;
    let (framing, [content_type, retry_after]) =
        Framing::of(lines.fields(), ["content-type", "retry-after"])?;
    let json = content_type.is_some_and(is_json);
    let retry_after = retry_after.map_or(Unread::ABSENT, Unread::new);
    Ok((version, status, framing, Others { json, retry_after }))
}

/// The minor version, 0 or 1, and the status (RFC 9112 §4). The reason, and even the blank before it, may be missing.
fn status_line(line: &[u8]) -> Option<(u8, u16)> {
    let [version @ b'0'..=b'1', b' ', digits @ ..] = line.strip_prefix(BEGINNING)? else { return None };
    let (digits, reason) = digits.split_first_chunk::<3>()?;
    let mut status = 0_u16;
    for digit in digits {
        status = status.wrapping_mul(10).wrapping_add(char::from(*digit).to_digit(10)? as u16);
    }
    let sound = matches!(reason, [] | [b' ', ..]) && is_text(reason);
    sound.then_some((version.wrapping_sub(b'0'), status))
}

impl Head {
    /// What a head means for its body (RFC 9112 §6.3) and for the stream; `None` is an interim answer.
    fn new(
        version: u8,
        status: u16,
        framing: Framing,
        others: Others,
        to_head: bool,
    ) -> Result<Option<(Self, Body)>, Refusal> {
        // HTTP/1.0 has no chunks, no interim answers, and keeps a stream only if asked to, which we do not.
        let current = version == 1;
        if framing.chunked && !current {
            return Err(Refusal::Malformed);
        }
        let announces = framing.chunked || framing.content_length.is_some_and(|length| length > 0);
        let (body, sound) = match (status, framing.content_length) {
            (100 | 102..=199, _) if current && !announces => return Ok(None),
            // Nothing follows. If something is announced nevertheless, who knows where the next answer begins.
            (204, _) => (Body::Length(0), !announces),
            (304, _) => (Body::Length(0), true),
            (200..=599, _) if to_head => (Body::Length(0), true),
            (200..=599, _) if framing.chunked => (Body::Chunked(Chunked::default()), true),
            (200..=599, Some(length)) => (Body::Length(length), true),
            (200..=599, None) => (Body::UntilEnd, false),
            // 101 switches to a protocol that nobody asked for.
            _ => return Err(Refusal::Malformed),
        };
        let reusable = current && sound && !framing.close;
        Ok(Some((Self { status, others, reusable }, body)))
    }

    /// The whole answer, after which `over` bytes came that no answer was due for: what they are is not asked.
    const fn whole(self, length: usize, over: usize) -> Received {
        let Self { status, others: Others { json, retry_after }, reusable } = self;
        Received { status, json, retry_after, length, reusable: reusable && over == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::HeadEnd;
    use super::*;
    use std::vec::Vec;

    /// What a head says: minor version, status, fields.
    type Said = (u8, u16, Vec<(Vec<u8>, Vec<u8>)>);

    fn ours(head: &[u8]) -> Option<Said> {
        let mut lines = Lines::new(head);
        let (version, status) = status_line(lines.next()?)?;
        let fields: Option<Vec<_>> = lines.fields().collect();
        let fields = fields?.into_iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        Some((version, status, fields))
    }

    fn httparses(head: &[u8]) -> Option<Said> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(head).ok()?.is_complete().then_some(())?;
        let fields = response.headers.iter();
        let fields = fields.map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec())).collect();
        Some((response.version?, response.code?, fields))
    }

    /// Whether it is a head that is parsed: it begins as all do, and ends where the first one does.
    fn is_whole(head: &[u8]) -> bool {
        head.starts_with(BEGINNING) && HeadEnd::new().find(head) == Ok(Some(head.len()))
    }

    #[test]
    fn understands_heads_as_httparse_does() {
        let heads: [&[u8]; 5] = [
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX:\r\n\r\n",
            b"HTTP/1.0 404\r\na:b\r\nC-d : e\r\n\r\n",
            b"HTTP/1.1 503 \t\xe9t\xe9\r\nRetry-After: \t 120 \t\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1  200 OK\r\n folded: x\r\n\r\n",
        ];
        let (mut compared, mut understood) = (0, 0);
        let mut compare = |head: &[u8]| {
            if is_whole(head) {
                let said = ours(head);
                assert_eq!(said, httparses(head), "{}", head.escape_ascii());
                compared += 1;
                understood += u32::from(said.is_some());
            }
        };
        for head in heads {
            compare(head);
            for at in 0..head.len() {
                compare(&[&head[..at], &head[at + 1..]].concat());
                for byte in 0..=u8::MAX {
                    compare(&[&head[..at], &[byte], &head[at + 1..]].concat());
                    compare(&[&head[..at], &[byte], &head[at..]].concat());
                }
            }
        }
        assert!(compared > 50_000 && understood > 20_000, "{compared} compared, {understood} understood");
    }

    #[test]
    fn takes_as_many_fields_as_a_head_may_have() {
        let head = |fields| [b"HTTP/1.1 200 OK\r\n", &b"a: b\r\n".repeat(fields)[..], b"\r\n"].concat();
        assert!(parse(&head(24)).is_ok());
        assert_eq!(parse(&head(25)).err(), Some(Refusal::TooManyHeaders));
    }
}
