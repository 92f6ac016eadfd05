//! Answers from bytes: a machine that says where the next bytes go and is told how many came.

use super::Refusal;
use super::body::Body;
use super::head::{Framing, HeadRoom, Lines, is_json, is_text};
use super::inflow::Inflow;
use crate::codec::decimal;
use crate::codec::retry_after::Unread;
use crate::transport::Response;

/// How many interim answers (1xx) may come before the answer.
const MOST_INTERIM: u8 = 8;

/// What every answer begins with.
const BEGINNING: &[u8] = b"HTTP/1.";

/// The fields that are read, as [`Framing::of`] takes them.
const FIELDS: &str = "content-length,transfer-encoding,content-type,retry-after,connection";

/// Receives one answer into a buffer that the caller hands in at each step, always the same.
///
/// The head is parsed where it lies and then given up, the body moves to the front, so the buffer must hold the
/// longer of the two and no framing.
pub(super) struct Receiver {
    room: HeadRoom,
    /// The body, once the head has come.
    inflow: Option<Inflow>,
    head: Head,
    interim: u8,
    to_head: bool,
}

/// What the head of an answer says.
struct Head {
    status: u16,
    json: bool,
    retry_after: Unread,
    /// Whether the stream carries another exchange after this answer.
    reusable: bool,
}

impl Receiver {
    /// Awaits an answer; `to_head`: to a HEAD request, so that no body follows whatever the head says.
    pub(super) fn new(to_head: bool) -> Self {
        let head = Head { status: 0, json: false, retry_after: Unread::ABSENT, reusable: false };
        Self { room: HeadRoom::default(), inflow: None, head, interim: 0, to_head }
    }

    /// Where the next bytes go: never empty.
    pub(super) fn room<'b>(&'b mut self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], Refusal> {
        match &mut self.inflow {
            Some(inflow) => Ok(inflow.room(buffer)),
            None => self.room.room(buffer),
        }
    }

    /// Takes the `read` bytes that came into [`Receiver::room`], at least one. Whether the answer is whole.
    pub(super) fn received(&mut self, buffer: &mut [u8], read: usize) -> Result<bool, Refusal> {
        let over = match &mut self.inflow {
            Some(inflow) => inflow.received(buffer, read)?,
            None => {
                self.room.received(buffer, read);
                self.heads(buffer)?
            }
        };
        let Some(over) = over else { return Ok(false) };
        // Bytes after it, that no answer was due for: what they are is not asked.
        self.head.reusable &= over == 0;
        Ok(true)
    }

    /// Takes the end of the stream: whether the answer ends with it.
    pub(super) fn ended(&mut self) -> bool {
        self.head.reusable = false;
        self.inflow.as_ref().is_some_and(Inflow::ends_with_stream)
    }

    /// Whether the stream carries another exchange after the answer, which is whole.
    pub(super) const fn is_reusable(&self) -> bool {
        self.head.reusable
    }

    /// The answer, which is whole: its body lies at the front of `buffer`.
    pub(super) fn response<'b>(&self, buffer: &'b mut [u8]) -> Response<'b> {
        let Head { status, json, retry_after, .. } = self.head;
        let length = self.inflow.as_ref().map_or(0, Inflow::filled);
        let body = buffer.get_mut(..length).unwrap_or_default();
        Response { status, content_type_is_json: json, retry_after, body }
    }

    /// Looks at what is there of heads, and of the body that follows the last one. Answers as [`Inflow::received`].
    fn heads(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Refusal> {
        loop {
            if self.room.held(buffer).iter().zip(BEGINNING).any(|(came, expected)| came != expected) {
                return Err(Refusal::Malformed);
            }
            let Some(length) = self.room.length(buffer)? else { return Ok(None) };
            if let Some(body) = self.head.read(buffer.get(..length).unwrap_or_default(), self.to_head)? {
                let after = self.room.after(length);
                return self.inflow.insert(Inflow::new(body)).take(buffer, length, after);
            }
            self.room.again(buffer, length);
            self.interim = self.interim.saturating_add(1);
            if self.interim > MOST_INTERIM {
                return Err(Refusal::Malformed);
            }
        }
    }
}

impl Head {
    /// Reads a whole head, which has the [`BEGINNING`], and says what follows it (RFC 9112 §6.3); `None` is an interim answer.
    fn read(&mut self, bytes: &[u8], to_head: bool) -> Result<Option<Body>, Refusal> {
        let mut lines = Lines::new(bytes);
        // HTTP/1.0 has no chunks, no interim answers, and keeps a stream only if asked to, which we do not.
        let (current, status) = lines.next().and_then(status_line).ok_or(Refusal::Malformed)?;
        let (Framing { body, close }, [content_type, retry_after]) = Framing::of(lines.fields(), FIELDS)?;
        if !current && body.as_ref().is_some_and(Body::is_chunked) {
            return Err(Refusal::Malformed);
        }
        let announces = body.as_ref().is_some_and(|body| !body.is_complete());
        let body = match status {
            100 | 102..=199 if current && !announces => return Ok(None),
            200..=599 if to_head || matches!(status, 204 | 304) => Body::of_length(0),
            200..=599 => body.unwrap_or(Body::UNTIL_END),
            // 101 switches to a protocol that nobody asked for.
            _ => return Err(Refusal::Malformed),
        };
        self.status = status;
        self.json = content_type.is_some_and(is_json);
        self.retry_after = retry_after.map_or(Unread::ABSENT, Unread::new);
        // After a 204 nothing follows. If something is announced nevertheless, who knows where the next answer begins.
        self.reusable = current && !close && !(status == 204 && announces);
        Ok(Some(body))
    }
}

/// Whether it is of HTTP/1.1 rather than 1.0, and the status (RFC 9112 §4), of a line with the [`BEGINNING`]. The reason, and even the
/// blank before it, may be missing.
fn status_line(line: &[u8]) -> Option<(bool, u16)> {
    let [version @ b'0'..=b'1', b' ', digits @ ..] = line.get(BEGINNING.len()..)? else { return None };
    let (digits, reason) = digits.split_at_checked(3)?;
    let sound = matches!(reason, [] | [b' ', ..]) && is_text(reason);
    sound.then_some((*version == b'1', decimal(digits)? as u16))
}

#[cfg(test)]
mod tests {
    use super::super::head::HeadEnd;
    use super::*;
    use std::vec::Vec;

    /// What a head says: whether it is of HTTP/1.1, status, fields.
    type Said = (bool, u16, Vec<(Vec<u8>, Vec<u8>)>);

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
        Some((response.version? == 1, response.code?, fields))
    }

    /// Whether it is a head that is parsed: it begins as all do, and ends where the first one does.
    fn is_whole(head: &[u8]) -> bool {
        head.starts_with(BEGINNING) && HeadEnd::default().find(head) == Ok(Some(head.len()))
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
        let read = |fields| Receiver::new(false).head.read(&head(fields), false);
        assert_eq!(read(24), Ok(Some(Body::UNTIL_END)));
        assert_eq!(read(25), Err(Refusal::TooManyHeaders));
    }
}
