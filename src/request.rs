//! The plaintext of a request (§2.4): what travels sealed, written by the client and read by the gateway.
//!
//! ```json
//! {"method":"GET","path":"/countries/get","headers":{},"query":{},"body":null}
//! ```

use crate::codec::cursor::Writer;
use crate::codec::json::{self, Str, Value, escaped_len, put_string};
use crate::error::{Error, Misuse, Peer};
use crate::log::format_as;
use core::fmt;
use core::ops::Range;

/// A request for the upstream, as the client's application makes it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method, such as `GET`.
    pub method: &'a str,
    /// The path, from `/` on, without a query (§2.5).
    pub path: &'a str,
    /// Headers for the upstream; the gateway forwards those that it allows.
    pub headers: &'a [(&'a str, &'a str)],
    /// The members of the query, not percent-encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The body, any JSON text, forwarded byte for byte. `None` is no body.
    pub body: Option<&'a [u8]>,
    /// Whether the client may send it again by itself when nobody knows whether it arrived (§2.6). GET, HEAD and OPTIONS
    /// are idempotent without saying so.
    pub idempotent: bool,
}

impl<'a> Request<'a> {
    /// A request without headers, query and body.
    #[must_use]
    pub const fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, headers: &[], query: &[], body: None, idempotent: false }
    }

    /// `GET path`.
    #[must_use]
    pub const fn get(path: &'a str) -> Self {
        Self::new("GET", path)
    }

    /// `POST path` with a JSON body.
    #[must_use]
    pub const fn post(path: &'a str, body: &'a [u8]) -> Self {
        Self { body: Some(body), ..Self::new("POST", path) }
    }

    /// Whether it may be sent again without the caller's word.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.idempotent || matches!(self.method, "GET" | "HEAD" | "OPTIONS")
    }

    /// The length of its plaintext in bytes: exactly what [`Request::write`] needs.
    #[must_use]
    pub const fn plaintext_len(&self) -> usize {
        const FRAME: usize = br#"{"method":"","path":"","headers":{},"query":{},"body":}"#.len();
        let body = match self.body {
            Some(body) => body.len(),
            None => b"null".len(),
        };
        FRAME
            .saturating_add(escaped_len(self.method))
            .saturating_add(escaped_len(self.path))
            .saturating_add(pairs_len(self.headers))
            .saturating_add(pairs_len(self.query))
            .saturating_add(body)
    }

    /// Writes the plaintext to the front of `out` and returns its length. Every member is written, so that a body that is
    /// no JSON can add none of them: it would repeat a name. Members of other names, which it may bring, nobody reads.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with [`Request::plaintext_len`]; [`Misuse::InvalidRequest`] for a method or path that
    /// is empty or holds a control character or a space, and for a path that does not begin with `/`.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Error> {
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible(self.method) || !visible(self.path) || !self.path.starts_with('/') {
            return Err(Misuse::InvalidRequest.into());
        }
        let mut out = Writer::new(out);
        out.put(br#"{"method":"#);
        put_string(&mut out, self.method);
        out.put(br#","path":"#);
        put_string(&mut out, self.path);
        put_pairs(&mut out, br#","headers":{"#, self.headers);
        put_pairs(&mut out, br#"},"query":{"#, self.query);
        out.put(br#"},"body":"#);
        out.put(self.body.unwrap_or(b"null"));
        out.put(b"}");
        Ok(out.finish()?)
    }
}

/// Prints neither headers nor query nor body.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("idempotent", &self.idempotent)
            .finish_non_exhaustive()
    }
}

format_as! { [] Request<'_>, request => "Request {{ plaintext_len: {}, idempotent: {} }}", request.plaintext_len(), request.idempotent }

const fn pairs_len(pairs: &[(&str, &str)]) -> usize {
    let (mut length, mut rest) = (0_usize, pairs);
    while let [(name, value), after @ ..] = rest {
        let comma = if after.is_empty() { 0 } else { 1 };
        length = length
            .saturating_add(br#""":"""#.len())
            .saturating_add(escaped_len(name))
            .saturating_add(escaped_len(value))
            .saturating_add(comma);
        rest = after;
    }
    length
}

/// Puts `open`, and the members of an object that it opens.
fn put_pairs(out: &mut Writer<'_>, open: &[u8], pairs: &[(&str, &str)]) {
    out.put(open);
    for (position, (name, value)) in pairs.iter().enumerate() {
        if position > 0 {
            out.put(b",");
        }
        put_string(out, name);
        out.put(b":");
        put_string(out, value);
    }
}

/// A request as the gateway reads it, its strings unescaped in place.
#[derive(Clone, Copy)]
pub struct ReceivedRequest<'a> {
    method: &'a str,
    path: &'a str,
    headers: Option<Value<'a>>,
    query: Option<Value<'a>>,
    body: Option<&'a [u8]>,
}

/// Where the members of a request stand in its plaintext, once method and path are unescaped in place. It borrows
/// nothing, so that the plaintext can be looked at, then answered over or handed out.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    method: Range<usize>,
    path: Range<usize>,
    headers: Option<Range<usize>>,
    query: Option<Range<usize>>,
    body: Option<Range<usize>>,
}

impl Layout {
    /// Reads the plaintext that fills `text`; method and path are unescaped in place, once: after that it is no JSON.
    pub(crate) fn of(text: &mut [u8]) -> Result<Self, Error> {
        let [method, path, headers, query, body] =
            json::object_with_body(text, &["method", "path", "headers", "query", "body"], "body")?;
        let string = |value: Option<Value<'_>>| -> Result<Range<usize>, Error> {
            Ok(value.ok_or(Peer::Malformed)?.string()?.range())
        };
        let mut layout = Self {
            method: string(method)?,
            path: string(path)?,
            headers: range_of_strings(headers)?,
            query: range_of_strings(query)?,
            body: body.filter(|body| !body.is_null()).map(Value::range),
        };
        for range in [&mut layout.method, &mut layout.path] {
            let length = json::unescape_in_place(text.get_mut(range.clone()).unwrap_or_default());
            range.end = range.start.saturating_add(length);
        }
        Ok(layout)
    }

    /// The request that stands in `text`, the same that was read.
    pub(crate) fn view<'a>(&self, text: &'a [u8]) -> Result<ReceivedRequest<'a>, Error> {
        let bytes = |range: &Range<usize>| text.get(range.clone()).ok_or(Error::Peer(Peer::Malformed));
        let string = |range| core::str::from_utf8(bytes(range)?).map_err(|_| Error::Peer(Peer::Malformed));
        let value = |range: &Option<Range<usize>>| -> Result<Option<Value<'a>>, Error> {
            range.as_ref().map(|range| Ok(json::value(bytes(range)?)?)).transpose()
        };
        Ok(ReceivedRequest {
            method: string(&self.method)?,
            path: string(&self.path)?,
            headers: value(&self.headers)?,
            query: value(&self.query)?,
            body: self.body.as_ref().map(bytes).transpose()?,
        })
    }
}

impl<'a> ReceivedRequest<'a> {
    /// Reads the plaintext that fills `text`; method and path are unescaped in place.
    ///
    /// # Errors
    /// [`Peer::Malformed`]: no such JSON, no method or path, `headers` or `query` that are no objects of strings.
    pub fn parse(text: &'a mut [u8]) -> Result<Self, Error> {
        Layout::of(text)?.view(text)
    }

    /// The method, as sent.
    #[must_use]
    pub const fn method(&self) -> &'a str {
        self.method
    }

    /// The path, as sent: not yet checked against §2.5.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The sealed headers, names and values as sent: not yet checked against §2.5.
    pub fn headers(&self) -> impl Iterator<Item = (Str<'a>, Str<'a>)> + Clone + 'a {
        strings(self.headers)
    }

    /// The members of the query, not percent-encoded.
    pub fn query(&self) -> impl Iterator<Item = (Str<'a>, Str<'a>)> + Clone + 'a {
        strings(self.query)
    }

    /// The body, a JSON text byte for byte as it came; GET and HEAD never have one.
    #[must_use]
    pub fn body(&self) -> Option<&'a [u8]> {
        self.body.filter(|_| !matches!(self.method, "GET" | "HEAD"))
    }
}

/// Prints neither headers nor query nor body.
impl fmt::Debug for ReceivedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

format_as! { [] ReceivedRequest<'_>, request => "ReceivedRequest {{ has_body: {} }}", request.body().is_some() }

/// Where an object of strings stands, if it is one.
fn range_of_strings(value: Option<Value<'_>>) -> Result<Option<Range<usize>>, Error> {
    let Some(value) = value else { return Ok(None) };
    for (_, member) in value.entries()? {
        member.string()?;
    }
    Ok(Some(value.range()))
}

fn strings<'a>(object: Option<Value<'a>>) -> impl Iterator<Item = (Str<'a>, Str<'a>)> + Clone + 'a {
    let entries = object.and_then(|object| object.entries().ok());
    entries.into_iter().flatten().filter_map(|(name, value)| Some((name, value.string().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn what_is_written_is_read() {
        let request = Request {
            headers: &[("accept", "text/plain"), ("x\"y", "\\")],
            query: &[("q", "ä\n"), ("empty", "")],
            ..Request::post("/users/login", br#"{"user":"u"}"#)
        };
        for request in [request, Request::get("/"), Request { headers: &[("a", "b")], ..Request::get("/x") }]
        {
            let needed = request.plaintext_len();
            let mut out = std::vec![0; needed];
            assert_eq!(request.write(&mut out[..needed - 1]), Err(Error::BufferTooSmall { needed }));
            assert_eq!(request.write(&mut out), Ok(needed));
            let read = ReceivedRequest::parse(&mut out).unwrap();
            assert_eq!(
                (read.method(), read.path(), read.body()),
                (request.method, request.path, request.body)
            );
            let pairs = |pairs: &mut dyn Iterator<Item = (Str<'_>, Str<'_>)>| -> Vec<(String, String)> {
                let text = |text: Str<'_>| String::from_utf8(text.bytes().collect()).unwrap();
                pairs.map(|(name, value)| (text(name), text(value))).collect()
            };
            let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
                pairs.iter().map(|(name, value)| (String::from(*name), String::from(*value))).collect()
            };
            assert_eq!(pairs(&mut read.headers()), own(request.headers));
            assert_eq!(pairs(&mut read.query()), own(request.query));
        }
    }

    #[test]
    fn escapes_of_foreign_peers_are_read() {
        let mut text = *br#" {"path":"\/a\u002Fb", "body" :[ 1 , {"x":"\u0041"}], "extra":{"z":[]},"method":"\u0050OST"} "#;
        let read = ReceivedRequest::parse(&mut text).unwrap();
        assert_eq!((read.method(), read.path()), ("POST", "/a/b"));
        assert_eq!(read.body(), Some(&br#"[ 1 , {"x":"\u0041"}]"#[..]));
        assert_eq!((read.headers().count(), read.query().count()), (0, 0));
    }

    #[test]
    fn get_and_head_have_no_body() {
        for method in ["GET", "HEAD"] {
            let mut text = std::format!(r#"{{"method":"{method}","path":"/","body":{{}}}}"#).into_bytes();
            assert_eq!(ReceivedRequest::parse(&mut text).unwrap().body(), None);
        }
    }

    #[test]
    fn malformed_requests_are_refused() {
        for text in [
            r#"{}"#,
            r#"{"method":"GET"}"#,
            r#"{"path":"/"}"#,
            r#"{"method":null,"path":"/"}"#,
            r#"{"method":"GET","path":"/","headers":null}"#,
            r#"{"method":"GET","path":"/","headers":[]}"#,
            r#"{"method":"GET","path":"/","headers":{"a":1}}"#,
            r#"{"method":"GET","path":"/","query":{"a":"b","\u0061":"c"}}"#,
            r#"{"method":"GET","path":"/","path":"/"}"#,
            r#"{"method":"GET","path":"/","body":}"#,
            r#"{"method":"GET","path":"/"}x"#,
            r#"[]"#,
            "",
        ] {
            let mut bytes = text.as_bytes().to_vec();
            assert_eq!(
                ReceivedRequest::parse(&mut bytes).unwrap_err(),
                Error::Peer(Peer::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn a_body_that_is_no_json_adds_no_member() {
        let request = Request::post("/a", br#"null,"path":"/b""#);
        let mut out = [0; 256];
        let length = request.write(&mut out).unwrap();
        assert!(ReceivedRequest::parse(&mut out[..length]).is_err());
    }

    #[test]
    fn the_caller_s_mistakes_are_told() {
        for (method, path) in
            [("", "/"), ("G T", "/"), ("GET", ""), ("GET", "a"), ("GET", "/\n"), ("GET", "/ä")]
        {
            assert_eq!(
                Request::new(method, path).write(&mut [0; 128]),
                Err(Misuse::InvalidRequest.into()),
                "{method:?} {path:?}"
            );
        }
    }
}
