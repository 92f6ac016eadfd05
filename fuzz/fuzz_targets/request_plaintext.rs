//! The plaintext of requests: read as a second reading reads it, and what is written is read.
//!
//! Input: a plaintext; its bytes also serve as the parts of a request to be written.
#![no_main]

use dynamic_key::codec::json::Str;
use dynamic_key::gateway::forward::encode_query;
use dynamic_key::request::{ReceivedRequest, Request};
use dynamic_key::{Error, Misuse, Peer};
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    reads(bytes);
    writes(Input::new(bytes));
});

type Pairs = Vec<(String, String)>;

/// What a request says.
#[derive(Debug, PartialEq)]
struct Read {
    method: String,
    path: String,
    headers: Pairs,
    query: Pairs,
    body: Option<Node>,
}

fn pairs<'a>(pairs: impl Iterator<Item = (Str<'a>, Str<'a>)>) -> Pairs {
    let text = |text: Str<'_>| String::from_utf8(text.bytes().collect()).unwrap();
    pairs.map(|(name, value)| (text(name), text(value))).collect()
}

/// By the crate; `None` is malformed. The body is what `serde_json` makes of it.
fn ours(text: &[u8]) -> Option<Read> {
    let mut buffer = text.to_vec();
    let request = match ReceivedRequest::parse(&mut buffer) {
        Ok(request) => request,
        Err(error) => {
            assert_eq!(error, Error::Peer(Peer::Malformed));
            return None;
        }
    };
    let body = request.body().map(|body| {
        assert!(text.windows(body.len()).any(|window| window == body), "byte for byte");
        parse(body)
    });
    let body = match body {
        Some(Err(NoJson::Malformed)) => panic!("a body that is no JSON"),
        body => body.and_then(Result::ok),
    };
    let (headers, query) = (pairs(request.headers()), pairs(request.query()));
    let mut out = vec![0; 3 * text.len()];
    let encoded = request.query().map(|(name, value)| (name.bytes(), value.bytes()));
    let length = encode_query(encoded, &mut out).unwrap();
    assert_eq!(decode_query(str::from_utf8(&out[..length]).unwrap(), query.len()), query);
    Some(Read { method: request.method().into(), path: request.path().into(), headers, query, body })
}

/// By the second reading.
fn theirs(message: &Node) -> Option<Read> {
    let members = message.members()?;
    let within = |(name, value): &(String, Node)| value.depth() < if name == "body" { 64 } else { 16 };
    let strings = |name| -> Option<Pairs> {
        let Some(object) = message.get(name) else { return Some(vec![]) };
        object.members()?.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.into()))).collect()
    };
    let method = message.string("method")?;
    let has_none = matches!(method, "GET" | "HEAD");
    members.iter().all(within).then_some(Read {
        method: method.into(),
        path: message.string("path")?.into(),
        headers: strings("headers")?,
        query: strings("query")?,
        body: message.get("body").filter(|body| **body != Node::Null && !has_none).cloned(),
    })
}

fn reads(text: &[u8]) {
    let ours_read = ours(text);
    match parse(text) {
        Ok(message) => {
            assert_eq!(ours_read, theirs(&message));
            let foreign = ours(message.foreign().as_bytes()).map(|mut read| {
                read.headers.reverse();
                read.query.reverse();
                read
            });
            let bodiless = |read: Option<Read>| read.map(|read| Read { body: None, ..read });
            assert_eq!(bodiless(foreign), bodiless(ours_read), "the writing matters");
        }
        Err(NoJson::Malformed) => assert_eq!(ours_read, None),
        Err(NoJson::NumberTooLarge) => {}
    }
}

/// The pairs of a query, by the book.
fn decode_query(query: &str, count: usize) -> Pairs {
    assert!(query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%&=".contains(&byte)), "{query}");
    let decode = |text: &str| {
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let [first, after @ ..] = rest {
            if let (b'%', [high, low, after @ ..]) = (first, after) {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
                rest = after;
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    if count == 0 {
        assert_eq!(query, "");
        return vec![];
    }
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (decode(name), decode(value))).unwrap();
    query.split('&').map(pair).collect()
}

fn writes(mut input: Input<'_>) {
    let method = ["GET", "POST", "HEAD", "OPTIONS"]
        .get(input.below(5))
        .map_or_else(|| input.text(), |name| (*name).into());
    let path = if input.flag() { input.text() } else { format!("/{}", input.text()) };
    let mut pairs = || -> Pairs { (0..input.below(4)).map(|_| (input.text(), input.text())).collect() };
    let (headers, query) = (pairs(), pairs());
    let has_body = input.flag();
    let header_refs: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let query_refs: Vec<_> = query.iter().map(|(name, value)| (&**name, &**value)).collect();
    let request = Request {
        headers: &header_refs,
        query: &query_refs,
        body: has_body.then_some(input.rest()),
        ..Request::new(&method, &path)
    };
    let needed = request.plaintext_len();
    let mut out = vec![0; needed];
    let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !(visible(&method) && visible(&path) && path.starts_with('/')) {
        return assert_eq!(request.write(&mut out), Err(Misuse::InvalidRequest.into()));
    }
    assert_eq!(request.write(&mut out[..needed - 1]), Err(Error::BufferTooSmall { needed }));
    assert_eq!(request.write(&mut out), Ok(needed));

    let body = request.body.map_or(Ok(Node::Null), parse);
    let read = ours(&out);
    let Ok(body) = body else {
        // A body that is no JSON makes no request, and above all not another one: it may bring members that nobody reads, but
        // those that are read are there before it, and no name comes twice.
        let Some(read) = read else { return };
        return assert_eq!(
            (read.method, read.path, read.headers, read.query),
            (method, path, headers, query)
        );
    };
    let repeats =
        |pairs: &Pairs| (0..pairs.len()).any(|at| pairs[..at].iter().any(|(name, _)| *name == pairs[at].0));
    if repeats(&headers) || repeats(&query) || body.depth() > 63 {
        return assert_eq!(read, None);
    }
    let bodiless = body == Node::Null || matches!(&*method, "GET" | "HEAD");
    assert_eq!(read, Some(Read { method, path, headers, query, body: Some(body).filter(|_| !bodiless) }));
}
