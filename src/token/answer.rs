//! What an issuer answers.

use super::TokenError;
use super::credentials::is_visible;
use super::dialect::{Answers, Dialect, Meaning, Presence};
use crate::codec::json::{self, Str, Value};
use crate::codec::retry_after::RetryAfter;
use crate::log::format_as;
use crate::session::is_token_byte;
use core::fmt;

/// An answer of the issuer, unauthenticated but for the channel that it came by.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<RetryAfter>,
    /// The body.
    pub body: &'a [u8],
}

/// Prints the length of the body, not the body.
impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("retry_after", &self.retry_after)
            .field("body_length", &self.body.len())
            .finish()
    }
}

format_as! { [] Answer<'_>, answer => "Answer {{ status: {}, retry_after: {}, body_length: {} }}", answer.status, answer.retry_after, answer.body.len() }

/// The longest access token that a header takes, in bytes (§2.1).
const LONGEST_TOKEN: usize = 4096;

/// What was issued: checked, and still where it came.
pub(super) struct Issued<'a> {
    /// Fits the room that was named and an `Authorization` header.
    pub(super) access: Str<'a>,
    /// Fits the room that was named.
    pub(super) refresh: Option<Str<'a>>,
    /// In seconds.
    pub(super) expires_in: Option<u64>,
}

impl<'a> Issued<'a> {
    /// Reads the body of an answer with a token, each of whose tokens has room for `room` bytes.
    pub(super) fn read(answers: &Answers, body: &'a [u8], room: usize) -> Result<Self, TokenError> {
        let [short, long] = answers.expires_in;
        let (token_type, presence) = answers.token_type;
        // A name that is given twice is found once; where there is no name for it, a refresh token is not looked at.
        let refresh_token = answers.refresh_token.unwrap_or_default();
        let names = [answers.access_token, token_type, short, long, refresh_token];
        let [access, kind, short, long, refresh] = match answers.wrapper {
            None => json::object(body, &names)?,
            Some(wrapper) => {
                let [inner] = json::object(body, &[wrapper])?;
                inner.ok_or(TokenError::Malformed)?.members(&names)?
            }
        };
        match (kind, presence) {
            (Some(kind), _) if is_bearer(kind.string()?) => {}
            (None, Presence::Optional) => {}
            _ => return Err(TokenError::Malformed),
        }
        let expires_in = match (short, long) {
            (Some(_), Some(_)) => return Err(TokenError::Malformed),
            (short, long) => short.or(long).map(Value::integer).transpose()?,
        };
        let access = access.ok_or(TokenError::Malformed)?.string()?;
        let refresh = refresh.filter(|_| answers.refresh_token.is_some()).map(Value::string).transpose()?;
        fits(access, room.min(LONGEST_TOKEN), access.bytes().all(is_token_byte))?;
        if let Some(refresh) = refresh {
            fits(refresh, room, is_visible(refresh.bytes()))?;
        }
        Ok(Self { access, refresh, expires_in })
    }
}

fn is_bearer(kind: Str<'_>) -> bool {
    let lower = kind.bytes().map(|byte| byte.to_ascii_lowercase());
    lower.eq(*b"bearer")
}

fn fits(token: Str<'_>, room: usize, characters: bool) -> Result<(), TokenError> {
    match token.len() {
        0 => Err(TokenError::Malformed),
        _ if !characters => Err(TokenError::Malformed),
        length if length > room => Err(TokenError::TooLong { length }),
        _ => Ok(()),
    }
}

/// What an answer without a token means; `None` is an answer that nobody expects.
pub(super) fn meaning(dialect: &Dialect, status: u16, body: &[u8]) -> Option<Meaning> {
    if matches!(status, 408 | 429 | 500..=599) {
        return Some(Meaning::Later);
    }
    let by_status = match status {
        400 | 401 => Meaning::Refused,
        403 => Meaning::Suspended,
        _ => return None,
    };
    Some(code(dialect, body).unwrap_or(by_status))
}

/// What the code in the body means, where there is one that the dialect knows.
fn code(dialect: &Dialect, body: &[u8]) -> Option<Meaning> {
    let [code] = json::object(body, &[dialect.error?]).ok()?;
    let code = code?.string().ok()?;
    dialect.codes.iter().find(|(name, _)| code.is(name)).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::super::{login, oauth};
    use super::*;
    use std::format;
    use std::string::String;

    type Read = (String, Option<String>, Option<u64>);

    fn read(dialect: &Dialect, body: &str) -> Result<Read, TokenError> {
        let text = |text: Str<'_>| String::from_utf8(text.bytes().collect()).unwrap();
        Issued::read(&dialect.answer, body.as_bytes(), 16)
            .map(|issued| (text(issued.access), issued.refresh.map(text), issued.expires_in))
    }

    fn issued(access: &str, refresh: Option<&str>, expires_in: Option<u64>) -> Result<Read, TokenError> {
        Ok((access.into(), refresh.map(Into::into), expires_in))
    }

    #[test]
    fn the_answers_of_the_sources_are_read() {
        let body = r#"{"access_token":"eyJ.a-b_c~+/=","token_type":"Bearer","expires_in":3600}"#;
        assert_eq!(read(&login::NILO, body), issued("eyJ.a-b_c~+/=", None, Some(3600)));
        let body = body.replace("expires_in", "expiresIn");
        assert_eq!(read(&login::NILO, &body), issued("eyJ.a-b_c~+/=", None, Some(3600)));
        let body = r#"{"code":"00","description":"Success","data":{"access_token":"a","refresh_token":"r !~","expires_in":1}}"#;
        assert_eq!(read(&oauth::NOMBA, body), issued("a", Some("r !~"), Some(1)));
        let body = r#" {"token_type":"bEARER","scope":"x","access_token":"\u0061\/"} "#;
        assert_eq!(read(&oauth::RFC6749, body), issued("a/", None, None));
        let longest = r#"{"token_type":"bearer","access_token":"0123456789abcdef","refresh_token":"0123456789abcdef","expires_in":9007199254740991}"#;
        let sixteen = "0123456789abcdef";
        assert_eq!(read(&oauth::RFC6749, longest), issued(sixteen, Some(sixteen), Some((1 << 53) - 1)));
        // A login has no refresh tokens, whatever it says.
        let body = r#"{"access_token":"a","token_type":"Bearer","refresh_token":7,"":7}"#;
        assert_eq!(read(&login::NILO, body), issued("a", None, None));
    }

    #[test]
    fn malformed_is_never_absent() {
        let good = |access: &str, kind: &str, expires: &str, refresh: &str| {
            format!(
                r#"{{"access_token":{access},"token_type":{kind},"expires_in":{expires},"refresh_token":{refresh}}}"#
            )
        };
        let (a, b, e, r) = (r#""a""#, r#""Bearer""#, "3600", r#""r""#);
        assert!(read(&oauth::RFC6749, &good(a, b, e, r)).is_ok());
        let bodies = [
            good("null", b, e, r),
            good("7", b, e, r),
            good(r#""""#, b, e, r),
            good(r#""a b""#, b, e, r),
            good(r#""a\n""#, b, e, r),
            good(r#""a\u0000""#, b, e, r),
            good(r#""é""#, b, e, r),
            good(r#"["a"]"#, b, e, r),
            good(a, "null", e, r),
            good(a, r#""mac""#, e, r),
            good(a, r#""Bearer ""#, e, r),
            good(a, r#""DPoP""#, e, r),
            good(a, "true", e, r),
            good(a, b, "null", r),
            good(a, b, "-1", r),
            good(a, b, "-0", r),
            good(a, b, "3600.0", r),
            good(a, b, "36e2", r),
            good(a, b, r#""3600""#, r),
            good(a, b, "9007199254740992", r),
            good(a, b, "99999999999999999999999999", r),
            good(a, b, "true", r),
            good(a, b, e, "null"),
            good(a, b, e, "7"),
            good(a, b, e, r#""""#),
            good(a, b, e, r#""r\u0007""#),
            good(a, b, e, r#""r\u007f""#),
            good(a, b, e, r#""ü""#),
            good(a, b, e, r#""r","access_token":"x""#),
            good(a, b, e, r#""r","refresh_token":"r""#),
            good(a, b, e, r#""r","expires_in":1"#),
            good(a, b, e, r#""r","x":1,"\u0078":1"#),
            format!("{}x", good(a, b, e, r)),
            format!("[{}]", good(a, b, e, r)),
            r#"{"token_type":"Bearer"}"#.into(),
            r#"{"access_token":"a"}"#.into(),
            "{}".into(),
            String::new(),
            "<html>".into(),
            "{\"access_token\":\"a\u{7}\",\"token_type\":\"Bearer\"}".into(),
        ];
        for body in &bodies {
            assert_eq!(read(&oauth::RFC6749, body), Err(TokenError::Malformed), "{body}");
        }
        let both = r#"{"access_token":"a","token_type":"Bearer","expires_in":1,"expiresIn":1}"#;
        assert_eq!(read(&login::NILO, both), Err(TokenError::Malformed));
        for body in [
            r#"{"access_token":"a"}"#,
            r#"{"data":null}"#,
            r#"{"data":[]}"#,
            r#"{"data":"{}"}"#,
            r#"{"data":{"access_token":"a"},"data":{"access_token":"a"}}"#,
            r#"{"data":{"access_token":"a","access_token":"a"}}"#,
            r#"{"data":{"access_token":"a","token_type":null}}"#,
            r#"{"code":"00","description":"Success","data":{}}"#,
        ] {
            assert_eq!(read(&oauth::NOMBA, body), Err(TokenError::Malformed), "{body}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_length() {
        let long = "0123456789abcdefg";
        let body = format!(r#"{{"access_token":"{long}","token_type":"Bearer"}}"#);
        assert_eq!(read(&oauth::RFC6749, &body), Err(TokenError::TooLong { length: 17 }));
        let body = format!(r#"{{"access_token":"a","token_type":"Bearer","refresh_token":"{long}"}}"#);
        assert_eq!(read(&oauth::RFC6749, &body), Err(TokenError::TooLong { length: 17 }));
        let body = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, "t".repeat(4097));
        let read = Issued::read(&oauth::RFC6749.answer, body.as_bytes(), 10_000);
        assert_eq!(read.err(), Some(TokenError::TooLong { length: 4097 }));
    }

    #[test]
    fn refusals_have_a_meaning_by_code_or_status() {
        let of = |dialect, status, body: &str| meaning(dialect, status, body.as_bytes());
        let (refused, suspended, later) =
            (Some(Meaning::Refused), Some(Meaning::Suspended), Some(Meaning::Later));
        let oauth = &oauth::RFC6749;
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert_eq!(of(oauth, status, r#"{"error":"invalid_grant"}"#), later, "{status}");
        }
        for status in [100, 204, 301, 302, 404, 405, 418, 600] {
            assert_eq!(of(oauth, status, r#"{"error":"invalid_grant"}"#), None, "{status}");
        }
        assert_eq!(of(oauth, 400, r#"{"error":"invalid_grant"}"#), refused);
        assert_eq!(of(oauth, 401, r#"{"error":"unauthorized_client"}"#), suspended);
        assert_eq!(of(oauth, 400, r#"{"error":"temporarily_unavailable"}"#), later);
        assert_eq!(of(oauth, 403, r#"{"error":"invalid_client"}"#), refused);
        for body in
            ["", "{}", r#"{"error":7}"#, r#"{"error":"what"}"#, r#"{"error":"server_error","error":"x"}"#]
        {
            assert_eq!(of(oauth, 401, body), refused, "{body}");
            assert_eq!(of(oauth, 403, body), suspended, "{body}");
        }
        assert_eq!(of(&login::NILO, 401, r#"{"code":401,"message":"Invalid client credentials"}"#), refused);
        assert_eq!(of(&login::NILO, 429, r#"{"code":429,"message":"Too many requests"}"#), later);
    }

    #[test]
    fn the_body_is_not_printed() {
        let answer = Answer { status: 200, retry_after: None, body: b"topsecret" };
        assert_eq!(format!("{answer:?}"), "Answer { status: 200, retry_after: None, body_length: 9 }");
    }
}
