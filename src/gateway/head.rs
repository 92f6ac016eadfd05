//! The headers of the outer request that a gateway looks at (§2.1, §2.4).

use crate::error::Code;
use crate::log::format_as;
use core::fmt;

/// The protocol's headers of one request, gathered from whatever HTTP server is there: feed every header to
/// [`Head::add`], in any order.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Head<'a> {
    version: Field<'a>,
    content_type: Field<'a>,
    session_id: Field<'a>,
    authorization: Field<'a>,
}

/// A header that must be single.
#[derive(Clone, Copy, Default)]
enum Field<'a> {
    #[default]
    Absent,
    Once(&'a [u8]),
    Twice,
}

/// Prints whether it came. What came may be a token.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.presence())
    }
}

format_as! { [] Field<'_>, field => "{}", field.presence() }

impl<'a> Field<'a> {
    const fn presence(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Once(_) => "once",
            Self::Twice => "twice",
        }
    }

    /// The value, if the header came at most once.
    fn single(self) -> Result<Option<&'a str>, Code> {
        match self {
            Self::Absent => Ok(None),
            Self::Once(value) => core::str::from_utf8(value)
                .map(|value| Some(value.trim_matches([' ', '\t'])))
                .map_err(|_| Code::MalformedRequest),
            Self::Twice => Err(Code::MalformedRequest),
        }
    }
}

impl<'a> Head<'a> {
    /// A head without headers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            version: Field::Absent,
            content_type: Field::Absent,
            session_id: Field::Absent,
            authorization: Field::Absent,
        }
    }

    /// Takes a header; others than the protocol's are passed over. Names compare without case.
    pub fn add(&mut self, name: &str, value: &'a [u8]) {
        let field = match name {
            name if name.eq_ignore_ascii_case("x-dynamic-key-version") => &mut self.version,
            name if name.eq_ignore_ascii_case("content-type") => &mut self.content_type,
            name if name.eq_ignore_ascii_case("x-session-id") => &mut self.session_id,
            name if name.eq_ignore_ascii_case("authorization") => &mut self.authorization,
            _ => return,
        };
        *field = match field {
            Field::Absent => Field::Once(value),
            _ => Field::Twice,
        };
    }

    /// Checks version and content type, in this order.
    ///
    /// # Errors
    /// [`Code::MissingVersion`], [`Code::MalformedRequest`].
    pub(super) fn check(&self) -> Result<(), Code> {
        if self.version.single()? != Some("2") {
            return Err(Code::MissingVersion);
        }
        self.check_content_type()
    }

    /// Checks the content type.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`].
    pub(super) fn check_content_type(&self) -> Result<(), Code> {
        let media_type = self.content_type.single()?.unwrap_or_default();
        let media_type = media_type.split([';']).next().unwrap_or_default().trim_matches([' ', '\t']);
        if media_type.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Code::MalformedRequest) }
    }

    /// The session's id.
    ///
    /// # Errors
    /// [`Code::InvalidSession`] when it is absent, [`Code::MalformedRequest`] when it came twice.
    pub(super) fn session_id(&self) -> Result<&'a str, Code> {
        self.session_id.single()?.ok_or(Code::InvalidSession)
    }

    /// The bearer token (RFC 6750 §2.1; the scheme compares without case).
    ///
    /// # Errors
    /// [`Code::InvalidToken`] when it is absent or of another scheme, [`Code::MalformedRequest`] when it came twice.
    pub(super) fn token(&self) -> Result<&'a str, Code> {
        let value = self.authorization.single()?.ok_or(Code::InvalidToken)?;
        let (scheme, token) = value.split_once(' ').ok_or(Code::InvalidToken)?;
        let token = token.trim_start_matches(' ');
        if scheme.eq_ignore_ascii_case("bearer") { Ok(token) } else { Err(Code::InvalidToken) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head<'a>(headers: &[(&str, &'a str)]) -> Head<'a> {
        let mut head = Head::new();
        for (name, value) in headers {
            head.add(name, value.as_bytes());
        }
        head
    }

    #[test]
    fn version_comes_before_content_type() {
        let json = ("Content-Type", "application/json");
        assert_eq!(head(&[]).check(), Err(Code::MissingVersion));
        assert_eq!(head(&[json, ("X-Dynamic-Key-Version", "1")]).check(), Err(Code::MissingVersion));
        assert_eq!(head(&[("X-Dynamic-Key-Version", "2")]).check(), Err(Code::MalformedRequest));
        assert_eq!(head(&[("x-dynamic-key-version", " 2 "), json]).check(), Ok(()));
        for media_type in ["application/json; charset=utf-8", "Application/JSON", "application/json ;a=b"] {
            assert_eq!(head(&[("x-dynamic-key-version", "2"), ("content-type", media_type)]).check(), Ok(()));
        }
        for media_type in
            ["", "text/plain", "application/json5", "text/plain; application/json", "application/dk2"]
        {
            let head = head(&[("x-dynamic-key-version", "2"), ("content-type", media_type)]);
            assert_eq!(head.check(), Err(Code::MalformedRequest), "{media_type}");
        }
    }

    #[test]
    fn a_single_header_sent_twice_is_malformed() {
        let twice = [("X-Dynamic-Key-Version", "2"), ("x-dynamic-key-version", "2")];
        assert_eq!(head(&twice).check(), Err(Code::MalformedRequest));
        let twice = head(&[
            ("X-Session-Id", "a"),
            ("x-session-id", "a"),
            ("authorization", "Bearer a"),
            ("Authorization", "b"),
        ]);
        assert_eq!(twice.session_id(), Err(Code::MalformedRequest));
        assert_eq!(twice.token(), Err(Code::MalformedRequest));
    }

    #[test]
    fn no_value_is_printed() {
        let printed = std::format!("{:?}", head(&[("authorization", "Bearer ab"), ("x-session-id", "ab")]));
        let expected =
            "Head { version: absent, content_type: absent, session_id: once, authorization: once }";
        assert_eq!(printed, expected);
    }

    #[test]
    fn the_token_is_a_bearer_token() {
        assert_eq!(head(&[("authorization", "bearer abc")]).token(), Ok("abc"));
        for value in ["", "abc", "Basic abc", "Bearer"] {
            assert_eq!(head(&[("authorization", value)]).token(), Err(Code::InvalidToken), "{value}");
        }
        assert_eq!(head(&[]).token(), Err(Code::InvalidToken));
        assert_eq!(head(&[]).session_id(), Err(Code::InvalidSession));
    }
}
