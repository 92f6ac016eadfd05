//! Requests over HTTP/1.1: the same whatever portions they come in, what a naive reader finds, every well-formed request in a
//! buffer that is exactly large enough, and what the client's end writes.
//!
//! Input: the size of the buffer, the portions; then the bytes of the request, which also serve as the parts of a
//! well-formed one.
#![no_main]

use dynamic_key::transport::http1::{Answer, Http1, Refusal, Server, ServerError};
use dynamic_key::transport::{Header, Request, Transport};
use dynamic_key_fuzz::input::Input;
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let room = usize::from(input.short()) % 2048;
    let portions = input.some();
    any(input.rest(), room, portions);
    well_formed(input, portions);
});

/// A stream that brings a request in portions, then its end, and keeps what is written.
struct Script<'a> {
    brings: &'a [u8],
    portions: &'a [u8],
    turn: usize,
    took: Vec<u8>,
}

impl<'a> Script<'a> {
    fn new(brings: &'a [u8], portions: &'a [u8]) -> Self {
        Self { brings, portions, turn: 0, took: Vec::new() }
    }
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
        self.took.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

#[derive(Debug, PartialEq)]
enum Failed {
    Ended,
    Refused(Refusal),
}

fn receive(brings: &[u8], portions: &[u8], room: usize) -> Result<Option<Seen>, Failed> {
    let mut server = Server::new(Script::new(brings, portions));
    let mut buffer = vec![0xee; room];
    let seen = match server.receive(&mut buffer) {
        Ok(Some(incoming)) => Ok(Some(Seen {
            method: incoming.method().into(),
            target: incoming.target().into(),
            headers: incoming.headers().map(|(name, value)| (name.into(), value.to_vec())).collect(),
            body: incoming.body[..incoming.length].to_vec(),
        })),
        Ok(None) => Ok(None),
        Err(ServerError::Ended) => Err(Failed::Ended),
        Err(ServerError::Refused(refusal)) => Err(Failed::Refused(refusal)),
        Err(error) => panic!("{error:?}"),
    };
    // A request, taken or refused, has one answer, and a refusal is the last word.
    let asked = !matches!(seen, Ok(None) | Err(Failed::Ended));
    let status = if let Err(Failed::Refused(refusal)) = seen { refusal.status() } else { 200 };
    let answer = Answer { status, headers: &[Header::JSON], body: b"{}" };
    assert_eq!(server.answer(&answer).is_ok(), asked);
    assert_eq!(server.answer(&answer), Err(ServerError::OutOfTurn));
    assert!(!server.is_open() || seen.is_ok());
    seen
}

fn any(bytes: &[u8], room: usize, portions: &[u8]) {
    let at_once = receive(bytes, &[], room);
    assert_eq!(receive(bytes, &[1], room), at_once);
    assert_eq!(receive(bytes, portions, room), at_once);
    let Ok(Some(seen)) = at_once else { return };
    assert_eq!(Some(seen), naive(bytes));
}

/// The request, by splitting lines and trusting them.
fn naive(bytes: &[u8]) -> Option<Seen> {
    let end = find(bytes, b"\r\n\r\n")?;
    let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.into(), words.next()?.into());
    assert_eq!(words.collect::<Vec<_>>(), ["HTTP/1.1"]);
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim_matches([' ', '\t']).chars().map(|character| character as u8).collect();
        headers.push((name.to_owned(), value));
    }
    let field = |name: &str| {
        let mut values = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value: Option<&(String, Vec<u8>)> = values.next();
        assert!(values.next().is_none(), "{name} came twice");
        value.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
    };
    assert!(field("host").is_some());
    let body = match (field("transfer-encoding"), field("content-length")) {
        (Some(_), Some(_)) => panic!("two lengths"),
        (Some(_), None) => chunks(rest)?,
        (None, Some(length)) => rest.get(..length.parse().ok()?)?.to_vec(),
        (None, None) => Vec::new(),
    };
    Some(Seen { method, target, headers, body })
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

/// Puts a request together, and receives it in a buffer that holds head and body, and in no smaller one; then has the client's
/// end write one.
fn well_formed(mut input: Input<'_>, portions: &[u8]) {
    let method: &str = input.choose(&["GET", "POST", "HEAD", "PUT", "M-SEARCH"]);
    let target: &str = input.choose(&["/", "/api/info/v2", "/a?b=%20&c"]);
    let chunked = input.flag();
    let expects = input.flag();
    let extension: &str = input.choose(&["", ";a=b", " ; a=\"b\"", "\t"]);
    let says_none = input.flag();
    let sizes = input.some();
    let body = input.rest();

    let mut head = format!("{method} {target} HTTP/1.1\r\nhOST:\tgateway:8080 \r\n");
    if expects {
        head += "expect: 100-CONTINUE\r\n";
    }
    if chunked {
        head += "Transfer-Encoding: Chunked\r\n";
    } else if !body.is_empty() || says_none {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    let needed = head.len() + body.len();
    let mut wire = head.into_bytes();
    if chunked {
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
    for portions in [&[], &[1][..], portions] {
        let seen = receive(&wire, portions, needed).unwrap().unwrap();
        assert_eq!((&*seen.method, &*seen.target), (method, target));
        assert_eq!(seen.body, body);
        let short = receive(&wire, portions, needed - 1);
        assert!(
            matches!(short, Err(Failed::Refused(Refusal::HeadTooLong | Refusal::BodyTooLong))),
            "{short:?}"
        );
    }

    let headers = [Header::JSON, Header::bearer("a.b").unwrap()];
    let request = Request { method, target, headers: &headers, body };
    let mut stream = Script::new(&[], &[]);
    Http1::over(&mut stream, "gateway:8080").unwrap().send(&request).unwrap();
    let seen = receive(&stream.took, portions, stream.took.len()).unwrap().unwrap();
    assert_eq!((&*seen.method, &*seen.target), (method, target));
    assert_eq!(seen.body, body);
    assert!(seen.headers.contains(&("Authorization".into(), b"Bearer a.b".to_vec())));
}
