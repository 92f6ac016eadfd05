//! What comes to an issuer, read as the dialect has it.

use dynamic_key::codec::json as scanner;
use dynamic_key::token::{Endpoint, Field};

type Pairs = Vec<(String, String)>;

/// The members of an object of strings; `None` for anything else, repeated names included.
pub(super) fn json(body: &[u8]) -> Option<Pairs> {
    let entries = scanner::value(body).ok()?.entries().ok()?;
    let owned = |text: scanner::Str<'_>| String::from_utf8(text.bytes().collect()).ok();
    entries.map(|(name, value)| Some((owned(name)?, owned(value.string().ok()?)?))).collect()
}

/// The pairs of a form or a query; `None` where one is not well-formed, or is there twice (RFC 6749 §3.1).
pub(super) fn form(text: &str) -> Option<Pairs> {
    let mut pairs = Pairs::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (percent_decode(name)?, percent_decode(value)?);
        if get(&pairs, &name).is_some() {
            return None;
        }
        pairs.push((name, value));
    }
    Some(pairs)
}

/// The value of a name.
pub(super) fn get<'p>(pairs: &'p Pairs, name: &str) -> Option<&'p str> {
    pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// The values of a request to one endpoint.
pub(super) struct Fields<'p> {
    endpoint: &'p Endpoint,
    pairs: &'p Pairs,
}

impl<'p> Fields<'p> {
    pub(super) const fn of(endpoint: &'p Endpoint, pairs: &'p Pairs) -> Self {
        Self { endpoint, pairs }
    }

    /// Whether it says what every request to this endpoint says.
    pub(super) fn is_meant(&self) -> bool {
        self.endpoint.fields.iter().all(|(name, field)| match field {
            Field::Text(text) => get(self.pairs, name) == Some(text),
            _ => true,
        })
    }

    pub(super) fn get(&self, field: Field) -> Option<&'p str> {
        let (name, _) = self.endpoint.fields.iter().find(|(_, other)| *other == field)?;
        get(self.pairs, name)
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.replace('+', " ").into_bytes();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| hex)?);
        bytes.extend(rest.replace('+', " ").bytes());
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
