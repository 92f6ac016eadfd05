//! The authorization step of PKCE: the URL that a user opens, and the redirect that comes back (RFC 6749 §4.1, RFC 7636 §4).

use super::TokenError;
use super::credentials::is_visible;
use super::pkce::{CodeVerifier, encode};
use super::text::Text;
use crate::codec::cursor::Writer;
use crate::codec::percent;
use crate::secret::Secret;
use core::iter;

/// What an authorization is recognised and redeemed by.
pub(super) struct Authorization {
    pub(super) verifier: CodeVerifier,
    /// 43 characters.
    state: Text<43>,
}

impl Authorization {
    /// `random` are a verifier's and a state's 32 bytes each.
    pub(super) fn new(random: &Secret<64>) -> Self {
        let mut halves = [Secret::<32>::zero(), Secret::zero()];
        for (half, bytes) in halves.iter_mut().zip(random.as_bytes().chunks_exact(32)) {
            half.as_mut_bytes().copy_from_slice(bytes);
        }
        let [verifier, state] = &halves;
        let mut text = Text::new();
        encode(state.as_bytes(), &mut text);
        Self { verifier: CodeVerifier::from_random(verifier), state: text }
    }

    /// Puts the query of the URL behind what is already in `url`.
    pub(super) fn put_query(
        &self,
        url: &mut Writer<'_>,
        client_id: &str,
        redirect_uri: &str,
        scope: Option<&str>,
    ) {
        let challenge = self.verifier.challenge();
        let pairs = [
            ("?response_type=code&client_id=", Some(client_id)),
            ("&redirect_uri=", Some(redirect_uri)),
            ("&scope=", scope),
            ("&state=", Some(self.state.as_str())),
            ("&code_challenge_method=S256&code_challenge=", Some(challenge.as_str())),
        ];
        for (name, value) in pairs {
            let Some(value) = value else { continue };
            url.put(name.as_bytes());
            percent::put(url, value.bytes());
        }
    }

    /// Reads the query of a redirect, whose parameter `name` has the code, and copies that.
    ///
    /// `state` is looked at first: what is not the answer to this authorization says nothing at all.
    pub(super) fn read<const N: usize>(
        &self,
        query: &str,
        name: &str,
        code: &mut Text<N>,
    ) -> Result<(), TokenError> {
        let state = parameter(query, "state").map_err(|_| TokenError::State)?.ok_or(TokenError::State)?;
        let mut received = [0; 43];
        let mut places = received.iter_mut();
        for byte in decoded(state) {
            *places.next().ok_or(TokenError::State)? = byte.ok_or(TokenError::State)?;
        }
        if places.next().is_some() || !self.state.ct_eq(&received) {
            return Err(TokenError::State);
        }
        match (parameter(query, name)?, parameter(query, "error")?) {
            (Some(value), None) => {
                let length = decoded(value).count();
                if length == 0 || !is_visible(decoded(value).map(Option::unwrap_or_default)) {
                    return Err(TokenError::Malformed);
                }
                if length > N {
                    return Err(TokenError::TooLong { length });
                }
                code.set(decoded(value).flatten()).ok_or(TokenError::TooLong { length })
            }
            (None, Some(_)) => Err(TokenError::Denied),
            _ => Err(TokenError::Malformed),
        }
    }
}

/// The value of a parameter, as sent; one that is there twice is malformed (RFC 6749 §3.1).
fn parameter<'q>(query: &'q str, name: &str) -> Result<Option<&'q [u8]>, TokenError> {
    let mut values = query.as_bytes().split(|byte| *byte == b'&').filter_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (key, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        decoded(key).eq(name.bytes().map(Some)).then_some(value)
    });
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(TokenError::Malformed),
    }
}

/// The bytes of what was form-encoded; `None` stands for each that is not what it must be.
fn decoded(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    let mut bytes = text.iter().copied();
    iter::from_fn(move || {
        let hex = |byte: Option<u8>| char::from(byte?).to_digit(16);
        Some(match bytes.next()? {
            b'%' => match (hex(bytes.next()), hex(bytes.next())) {
                (Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
                _ => None,
            },
            b'+' => Some(b' '),
            byte => Some(byte),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    /// Of a verifier and a state that are easily recognised.
    fn authorization() -> Authorization {
        let mut random = [1; 64];
        random[32..].fill(0xff);
        Authorization::new(&Secret::new(random))
    }

    const STATE: &str = "__________________________________________8";

    fn read(query: &str) -> Result<String, TokenError> {
        let mut code = Text::<8>::new();
        code.set("old".bytes()).unwrap();
        let outcome = authorization().read(query, "code", &mut code);
        if outcome.is_err() {
            assert_eq!(code.as_str(), "old", "a failed input changes nothing: {query}");
        }
        outcome.map(|()| code.as_str().into())
    }

    #[test]
    fn the_url_asks_for_a_code_by_s256() {
        let authorization = authorization();
        let mut room = [0; 512];
        let mut url = Writer::new(&mut room);
        authorization.put_query(&mut url, "an id", "http://127.0.0.1:7/back?x=1", Some("a b"));
        let url = str::from_utf8(url.finish_slice().unwrap()).unwrap();
        let challenge = authorization.verifier.challenge();
        assert_eq!(
            url,
            format!(
                "?response_type=code&client_id=an%20id&redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fback%3Fx%3D1&scope=a%20b\
                 &state={STATE}&code_challenge_method=S256&code_challenge={}",
                challenge.as_str()
            )
        );
        assert!(!url.contains(authorization.verifier.as_str()));
        assert_eq!(authorization.verifier.as_str(), "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE");
    }

    #[test]
    fn a_code_comes_with_its_state() {
        assert_eq!(read(&format!("code=a.b-c&state={STATE}")).as_deref(), Ok("a.b-c"));
        let encoded = STATE.replace('_', "%5f");
        assert_eq!(read(&format!("x=y&state={encoded}&%63ode=%41+%7e&z")).as_deref(), Ok("A ~"));
        assert_eq!(read(&format!("code=12345678&state={STATE}")).as_deref(), Ok("12345678"));
    }

    #[test]
    fn another_state_is_no_answer_to_us_whatever_else_it_says() {
        let other = STATE.replace('8', "4");
        for state in [
            String::new(),
            "state=".into(),
            "state".into(),
            format!("state={other}"),
            format!("state={STATE}8"),
            format!("state={}", &STATE[1..]),
            format!("state={STATE}&state={STATE}"),
            format!("state={other}&state={STATE}"),
            format!("state={STATE}%"),
            format!("state={}%3", &STATE[1..]),
            format!("State={STATE}"),
            format!("state={STATE}+"),
            format!("state={STATE}#"),
        ] {
            for rest in ["code=a", "error=access_denied", "code=a&code=b", "x"] {
                assert_eq!(read(&format!("{rest}&{state}")), Err(TokenError::State), "{rest}&{state}");
            }
        }
    }

    #[test]
    fn what_is_neither_a_code_nor_an_error_is_malformed() {
        let with = |query: &str| read(&format!("state={STATE}&{query}"));
        assert_eq!(with("error=access_denied&error_description=no"), Err(TokenError::Denied));
        for query in [
            "",
            "code",
            "code=",
            "code=a&code=b",
            "code=a&code=a",
            "code=a&error=x",
            "error=x&error=y",
            "code=%",
            "code=%4",
            "code=%4g",
            "code=%0a",
            "code=a%00",
            "code=%7f",
            "code=%c3%a9",
            "code=é",
            "codes=a",
            "CODE=a",
            "code=a&%63ode=a",
        ] {
            assert_eq!(with(query), Err(TokenError::Malformed), "{query}");
        }
        assert_eq!(with("code=123456789"), Err(TokenError::TooLong { length: 9 }));
    }
}
