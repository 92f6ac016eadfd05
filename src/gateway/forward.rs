//! What of a sealed request goes on to an upstream besides its body: headers and query (§2.4, §2.5).

use super::allowlist::Rule;
use crate::codec::cursor::Writer;
use crate::codec::{BufferTooSmall, percent};
use crate::transport::{is_token, is_token_byte};
use core::fmt;

/// The most headers that a sealed request may have.
pub const MAX_HEADERS: usize = 48;

/// Headers that go on by every rule.
const ALWAYS: [&str; 2] = ["accept", "accept-language"];

/// Headers that no rule can let go on: what frames the message or belongs to one connection (RFC 9110 §7.6.1), what
/// describes the body that the gateway writes, and what would bring an answer that cannot be sealed (§2.4).
const NEVER: [&str; 17] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    "content-type",
    "content-encoding",
    "accept-encoding",
    "range",
    "x-session-id",
    "http2-settings",
];

/// The same for all names that begin like this: conditional headers, and what the gateway itself says of a client.
const NEVER_BEGINNING: [&str; 2] = ["if-", "x-dynamic-key-"];

/// Whether a rule may name this header. `Host`, `Authorization` and `X-Forwarded-*` are for it to name.
pub(super) fn may_be_named(name: &str) -> bool {
    let begins = |with: &&str| name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    is_token(name.as_bytes())
        && !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
        && !NEVER_BEGINNING.iter().any(begins)
}

/// Judges the sealed headers of one request, one after the other.
///
/// Names and values come as bytes of UTF-8, so that a JSON string can be judged where it lies.
#[derive(Debug)]
pub struct HeaderFilter<'a> {
    named: &'a [&'a str],
    /// A hash of each name so far. Two names with one hash are taken for one name: no repetition is missed, and a
    /// collision, at 2⁻⁵⁴ for 48 names, harms nobody but the client that sought it.
    seen: [u64; MAX_HEADERS],
    count: usize,
}

impl<'a> HeaderFilter<'a> {
    /// A filter for a request that goes on by `rule`, which an [`super::allowlist::Allowlist`] has checked.
    #[must_use]
    pub const fn new(rule: &Rule<'a>) -> Self {
        Self { named: rule.forward_headers, seen: [0; MAX_HEADERS], count: 0 }
    }

    /// Judges the next header: the name under which it goes on, as the rule spells it, or `None` if it is dropped.
    ///
    /// # Errors
    ///
    /// [`MalformedHeader`], for headers that would be dropped, too: then the whole request is malformed.
    pub fn admit(
        &mut self,
        name: impl Iterator<Item = u8> + Clone,
        value: impl Iterator<Item = u8>,
    ) -> Result<Option<&'a str>, MalformedHeader> {
        if name.clone().next().is_none() || !name.clone().all(is_token_byte) {
            return Err(MalformedHeader::Name);
        }
        if has_control(value) {
            return Err(MalformedHeader::Value);
        }
        let name = name.map(|byte| byte.to_ascii_lowercase());
        let hash = hash(name.clone());
        if self.seen.iter().take(self.count).any(|seen| *seen == hash) {
            return Err(MalformedHeader::Repeated);
        }
        *self.seen.get_mut(self.count).ok_or(MalformedHeader::TooMany)? = hash;
        self.count = self.count.saturating_add(1);
        let is = |known: &&&str| name.clone().eq(known.bytes().map(|byte| byte.to_ascii_lowercase()));
        let known = ALWAYS.iter().find(is).copied();
        Ok(known.or_else(|| self.named.iter().find(is).copied().filter(|name| may_be_named(name))))
    }
}

/// FNV-1a.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether UTF-8 holds a control character: C0, DEL, or C1, which is 0xC2 and a byte up to 0x9F.
fn has_control(text: impl Iterator<Item = u8>) -> bool {
    let mut previous = 0;
    for byte in text {
        if byte.is_ascii_control() || (previous == 0xc2 && byte < 0xa0) {
            return true;
        }
        previous = byte;
    }
    false
}

/// A sealed header that makes the request malformed: `DYNAMIC_KEY_V2_MALFORMED_REQUEST`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MalformedHeader {
    /// The name is not a token (RFC 9110 §5.6.2).
    Name,
    /// The value holds a control character.
    Value,
    /// The name came before, in capital letters or small ones.
    Repeated,
    /// There are more than [`MAX_HEADERS`].
    TooMany,
}

impl fmt::Display for MalformedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a header has no valid name",
            Self::Value => "a header holds a control character",
            Self::Repeated => "a header is repeated",
            Self::TooMany => "there are too many headers",
        })
    }
}

impl core::error::Error for MalformedHeader {}

/// Writes `pairs` of names and values as a query, without the `?`: percent-encoded but for the unreserved characters
/// of RFC 3986, with `=` and `&` between them. Returns its length in bytes.
///
/// Names and values come as bytes of UTF-8, so that a JSON string can be encoded where it lies.
///
/// # Errors
///
/// [`BufferTooSmall`] with the length of the query.
pub fn encode_query(
    pairs: impl Iterator<Item = (impl Iterator<Item = u8>, impl Iterator<Item = u8>)>,
    out: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let mut out = Writer::new(out);
    for (index, (name, value)) in pairs.enumerate() {
        if index > 0 {
            out.put(b"&");
        }
        percent::put(&mut out, name);
        out.put(b"=");
        percent::put(&mut out, value);
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::allowlist::DEFAULT_RULES;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const NAMED: [&str; 4] = ["Authorization", "X-Forwarded-For", "host", "x-trace"];

    fn admit<'a>(
        headers: &[(&str, &str)],
        named: &'a [&'a str],
    ) -> Result<Vec<Option<&'a str>>, MalformedHeader> {
        let rule = Rule { forward_headers: named, ..DEFAULT_RULES[0] };
        let mut filter = HeaderFilter::new(&rule);
        headers.iter().map(|(name, value)| filter.admit(name.bytes(), value.bytes())).collect()
    }

    #[test]
    fn two_go_on_and_what_a_rule_names() {
        let headers = [
            ("ACCEPT", "*/*"),
            ("Accept-Language", "de"),
            ("accept-languag", ""),
            ("accept-language2", ""),
            ("cookie", "a=b"),
            ("authorization", "Bearer x"),
            ("x-forwarded-for", "::1"),
            ("x-forwarded-host", "h"),
            ("HOST", "h"),
            ("X-Trace", "é"),
        ];
        let dropped = admit(&headers, &[]).unwrap();
        assert_eq!(dropped.iter().flatten().collect::<Vec<_>>(), [&"accept", &"accept-language"]);
        let named = admit(&headers, &NAMED).unwrap();
        let expected = [
            Some("accept"),
            Some("accept-language"),
            None,
            None,
            None,
            Some("Authorization"),
            Some("X-Forwarded-For"),
            None,
            Some("host"),
            Some("x-trace"),
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn what_never_goes_on() {
        let prefixed = [
            "If-Match",
            "if-none-match",
            "If-Modified-Since",
            "IF-UNMODIFIED-SINCE",
            "if-range",
            "X-Dynamic-Key-Version",
        ];
        for name in NEVER.iter().chain(&prefixed) {
            for name in [name.to_string(), name.to_ascii_uppercase()] {
                assert!(!may_be_named(&name), "{name}");
                // Not even by a rule that nobody has checked.
                assert_eq!(admit(&[(&name, "x")], &[&name]), Ok([None].into()), "{name}");
            }
        }
        for name in ["", "a b", "a:", "a\r\nb", "é", "a\0"] {
            assert!(!may_be_named(name), "{name:?}");
        }
        for name in NAMED.iter().chain(&["if", "i", "x-dynamic-key", "accept", "Cookie", "ranges"]) {
            assert!(may_be_named(name), "{name}");
        }
    }

    #[test]
    fn repeated_whatever_the_case_and_whether_dropped() {
        for (one, other) in [("accept", "Accept"), ("x-a", "X-A"), ("X", "x"), ("host", "HOST")] {
            assert_eq!(
                admit(&[(one, "1"), ("between", ""), (other, "1")], &[]),
                Err(MalformedHeader::Repeated)
            );
        }
        let names: Vec<String> = (0..=MAX_HEADERS).map(|number| std::format!("x-{number}")).collect();
        let headers: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(admit(&headers[..MAX_HEADERS], &[]).unwrap().len(), MAX_HEADERS);
        assert_eq!(admit(&headers, &[]), Err(MalformedHeader::TooMany));
    }

    #[test]
    fn characters_of_names_and_values() {
        for character in (0..=0x2ff).filter_map(char::from_u32) {
            let text = String::from_iter(['a', character, 'b']);
            let name = character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character);
            assert_eq!(admit(&[(&text, "")], &[]).is_ok(), name, "{character:?}");
            let expected =
                if character.is_control() { Err(MalformedHeader::Value) } else { Ok([None].into()) };
            assert_eq!(admit(&[("a", &text)], &[]), expected, "{character:?}");
            assert_eq!(admit(&[("a", &text[1..text.len() - 1])], &[]), expected, "{character:?}");
        }
        assert_eq!(admit(&[("", "")], &[]), Err(MalformedHeader::Name));
        assert_eq!(admit(&[("accept", "a\r\nEvil: b")], &[]), Err(MalformedHeader::Value));
    }

    #[test]
    fn queries() {
        let encode = |pairs: &[(&str, &str)]| {
            let pairs = || pairs.iter().map(|(name, value)| (name.bytes(), value.bytes()));
            let needed = encode_query(pairs(), &mut []).unwrap_or_else(|short| short.needed);
            let mut out = std::vec![0; needed];
            assert_eq!(encode_query(pairs(), &mut out), Ok(needed));
            for short in 0..needed {
                assert_eq!(encode_query(pairs(), &mut out[..short]), Err(BufferTooSmall { needed }));
            }
            assert_eq!(encode_query(pairs(), &mut std::vec![0; needed + 1]), Ok(needed));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(encode(&[]), "");
        assert_eq!(encode(&[("", "")]), "=");
        assert_eq!(encode(&[("a", "b"), ("c", ""), ("", "d")]), "a=b&c=&=d");
        assert_eq!(encode(&[("a-._~Z9", "b c+d&e=f")]), "a-._~Z9=b%20c%2Bd%26e%3Df");
        assert_eq!(
            encode(&[("é", "€\u{1f511}\0\r\n%/?#")]),
            "%C3%A9=%E2%82%AC%F0%9F%94%91%00%0D%0A%25%2F%3F%23"
        );
        let all: Vec<u8> = (0..=255).collect();
        let mut out = [0; 1024];
        let length = encode_query([(all.iter().copied(), [].into_iter())].into_iter(), &mut out).unwrap();
        assert_eq!(length, 66 + 190 * 3 + 1);
        assert!(out[..length].iter().all(|byte| percent::is_unreserved(*byte) || b"%=".contains(byte)));
    }
}
