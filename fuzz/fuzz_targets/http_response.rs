//! Answers over HTTP/1.1: the same whatever portions they come in, the body that a naive reader finds, and every
//! well-formed answer in a buffer that is exactly large enough.
//!
//! Input: a flag for HEAD, the size of the buffer, the portions; then the bytes of the answer, which also serve as the
//! parts of a well-formed one.
#![no_main]

use dynamic_key::codec::retry_after::RetryAfter;
use dynamic_key::transport::http1::{Error, Http1, Refusal};
use dynamic_key::transport::{Header, Request, Transport};
use dynamic_key_fuzz::input::Input;
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let to_head = input.flag();
    let room = usize::from(input.short()) % 2048;
    let portions = input.some();
    any(input.rest(), to_head, room, portions);
    well_formed(input, portions);
});

/// A stream that takes whatever is written and brings an answer in portions.
struct Script<'a> {
    brings: &'a [u8],
    portions: &'a [u8],
    turn: usize,
}

impl ErrorType for Script<'_> {
    type Error = ErrorKind;
}

impl Read for Script<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!buffer.is_empty(), "an empty read looks like the end of the stream");
        let portion = match self.portions {
            [] => usize::MAX,
            portions => usize::from(portions[self.turn % portions.len()]),
        };
        self.turn += 1;
        if portion == 0 && self.turn % 2 == 1 {
            return Err(ErrorKind::Interrupted);
        }
        let length = portion.max(1).min(buffer.len()).min(self.brings.len());
        let (now, later) = self.brings.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.brings = later;
        Ok(length)
    }
}

impl Write for Script<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    json: bool,
    retry_after: Option<RetryAfter>,
    body: Vec<u8>,
}

#[derive(Debug, PartialEq)]
enum Failed {
    Ended,
    Refused(Refusal),
}

fn receive(brings: &[u8], portions: &[u8], to_head: bool, room: usize) -> Result<Answer, Failed> {
    let mut http = Http1::over(Script { brings, portions, turn: 0 }, "gateway").unwrap();
    let method = if to_head { "HEAD" } else { "POST" };
    http.send(&Request { method, target: "/api/info/v2", headers: &[Header::JSON], body: b"{}" }).unwrap();
    let mut buffer = vec![0xee; room];
    match http.receive(&mut buffer) {
        Ok(response) => Ok(Answer {
            status: response.status,
            json: response.content_type_is_json,
            retry_after: response.retry_after.read(),
            body: response.body.to_vec(),
        }),
        Err(Error::Ended { request_left: true }) => Err(Failed::Ended),
        Err(Error::Response(refusal)) => Err(Failed::Refused(refusal)),
        Err(error) => panic!("{error:?}"),
    }
}

fn any(bytes: &[u8], to_head: bool, room: usize, portions: &[u8]) {
    let at_once = receive(bytes, &[], to_head, room);
    assert_eq!(receive(bytes, &[1], to_head, room), at_once);
    assert_eq!(receive(bytes, portions, to_head, room), at_once);
    let Ok(answer) = at_once else { return };
    assert!((200..=599).contains(&answer.status));
    assert_eq!(Some((answer.status, answer.body)), naive(bytes, to_head));
}

/// Status and body, by splitting lines and trusting them.
fn naive(mut bytes: &[u8], to_head: bool) -> Option<(u16, Vec<u8>)> {
    loop {
        let end = find(bytes, b"\r\n\r\n")?;
        let (head, rest) = (
            str::from_utf8(&bytes[..end]).map_or_else(|_| lossy(&bytes[..end]), String::from),
            &bytes[end + 4..],
        );
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next()?.get(9..12)?.parse().ok()?;
        let fields: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
        let field = |name: &str| {
            fields.iter().find_map(|(other, value)| other.eq_ignore_ascii_case(name).then_some(value.trim()))
        };
        if (100..200).contains(&status) {
            bytes = rest;
            continue;
        }
        if to_head || status == 204 || status == 304 {
            return Some((status, vec![]));
        }
        if field("transfer-encoding").is_some() {
            return Some((status, chunks(rest)?));
        }
        return match field("content-length") {
            Some(length) => Some((status, rest.get(..length.parse().ok()?)?.to_vec())),
            None => Some((status, rest.to_vec())),
        };
    }
}

fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = find(rest, b"\r\n")?;
        let digits = rest[..end].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = usize::from_str_radix(str::from_utf8(&rest[..digits]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let data = rest.get(end + 2..)?;
        body.extend_from_slice(data.get(..size)?);
        rest = data.get(size + 2..)?;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// One character for each byte.
fn lossy(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Puts an answer together, and receives it in a buffer that holds the longer of head and body, and in no smaller one.
fn well_formed(mut input: Input<'_>, portions: &[u8]) {
    let mut wire = Vec::new();
    let mut longest = 0;
    for _ in 0..input.below(4) {
        let head = format!("HTTP/1.1 {} interim\r\nx: {}\r\n\r\n", 102 + input.below(98), input.below(256));
        longest = longest.max(head.len());
        wire.extend_from_slice(head.as_bytes());
    }
    let status = 200 + input.short() % 400;
    let retry_after = input.flag().then(|| u32::from(input.short()));
    let json = input.flag();
    let framing = input.below(3);
    let sizes = input.some();
    let extension = input.choose(&["", ";a=b", " ; a=\"b\"", "\t"]);
    let bodiless = status == 204 || status == 304;
    let body = if bodiless { &[] } else { input.rest() };

    let mut head = format!("HTTP/1.1 {status} \r\n");
    if let Some(seconds) = retry_after {
        head += &format!("Retry-After: {seconds}\r\n");
    }
    head += if json {
        "content-TYPE:application/JSON ; charset=utf-8\r\n"
    } else {
        "Content-Type: text/plain\r\n"
    };
    match framing {
        _ if bodiless => {}
        0 => head += &format!("Content-Length: {}\r\n", body.len()),
        1 => head += "Transfer-Encoding: Chunked\r\n",
        _ => {}
    }
    head += "\r\n";
    longest = longest.max(head.len()).max(body.len());
    wire.extend_from_slice(head.as_bytes());
    if framing == 1 && !bodiless {
        let (mut rest, mut turn) = (body, 0);
        while !rest.is_empty() {
            let size =
                sizes.get(turn % sizes.len().max(1)).map_or(rest.len(), |size| usize::from(*size).max(1));
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            wire.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
            (rest, turn) = (after, turn + 1);
        }
        wire.extend_from_slice(format!("00{extension}\r\nTrailer: x\r\n\r\n").as_bytes());
    } else {
        wire.extend_from_slice(body);
    }
    let expected =
        Ok(Answer { status, json, retry_after: retry_after.map(RetryAfter::Seconds), body: body.to_vec() });
    for portions in [&[], &[1][..], portions] {
        assert_eq!(receive(&wire, portions, false, longest), expected, "{}", wire.escape_ascii());
        let short = receive(&wire, portions, false, longest - 1);
        assert!(
            matches!(short, Err(Failed::Refused(Refusal::HeadTooLong | Refusal::BodyTooLong))),
            "{short:?}"
        );
    }
}
