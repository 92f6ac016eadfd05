//! The driver of a token's lifecycle.

#[cfg(feature = "async")]
mod asynchronous;

use super::exchange::Headers;
use crate::log::format_as;
use crate::session::Now;
use crate::token::{Access, Answer, Config, Lifecycle, Need, Pending, Request, TokenError};
use crate::transport::{self, Header, Transport};
use core::fmt;
use zeroize::Zeroize;

#[cfg(feature = "async")]
pub use asynchronous::AsyncTokenClient;

/// A [`Lifecycle`] over a [`Transport`] to its issuer.
///
/// # Security
/// The transport authenticates the issuer and encrypts: credentials and tokens go over it as they are.
pub struct TokenClient<'c, T, const TOKEN: usize = 1024> {
    tokens: Lifecycle<'c, TOKEN>,
    transport: T,
}

/// Why there is no token; `E` is the transport's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TokenClientError<E> {
    /// The issuer's answer brought none, or the call was wrong.
    Token(TokenError),
    /// The transport failed.
    Transport(E),
    /// Nothing was sent: first this is needed, some time, a user, or [`Lifecycle::restart`].
    Unavailable(Need),
}

impl<E> From<TokenError> for TokenClientError<E> {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl<E: fmt::Display> fmt::Display for TokenClientError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => error.fmt(f),
            Self::Transport(error) => error.fmt(f),
            Self::Unavailable(Need::Wait(millis)) => write!(f, "the issuer is left alone for {millis} ms"),
            Self::Unavailable(Need::Authorization) => f.write_str("a user must authorize first"),
            Self::Unavailable(_) => f.write_str("the issuer gives no tokens any more"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for TokenClientError<E> {}

impl<T, const TOKEN: usize> fmt::Debug for TokenClient<'_, T, TOKEN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClient").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

format_as! { [T, const TOKEN: usize] TokenClient<'_, T, TOKEN>, client => "TokenClient {{ tokens: {} }}", client.tokens }

impl<'c, T: Transport, const TOKEN: usize> TokenClient<'c, T, TOKEN> {
    /// A client without a token.
    ///
    /// # Errors
    /// As [`Lifecycle::new`].
    pub fn new(config: Config<'c>, transport: T) -> Result<Self, TokenError> {
        Ok(Self { tokens: Lifecycle::new(config)?, transport })
    }

    /// A token that may be used now: sends what is due first. A renewal that fails is no error as long as the token lasts.
    ///
    /// `buffer` holds the request, then the answer with its head, and is erased. `random` is 32 fresh random bits, which need
    /// not be secret.
    ///
    /// # Errors
    /// [`TokenClientError`].
    pub fn access(
        &mut self,
        now: Now,
        random: u32,
        buffer: &mut [u8],
    ) -> Result<Access<'_>, TokenClientError<T::Error>> {
        let outcome = self.send_due(now, random, buffer);
        usable(&mut self.tokens, now, outcome)
    }

    /// Sends what is due, a revocation too; and after a refused refresh token what takes its place.
    ///
    /// # Errors
    /// The failure, or the last of two.
    pub fn send_due(
        &mut self,
        now: Now,
        random: u32,
        buffer: &mut [u8],
    ) -> Result<(), TokenClientError<T::Error>> {
        let buffer = Erased(buffer);
        let mut outcome = Ok(());
        for _ in 0..MOST_REQUESTS {
            if self.tokens.need(now) != Need::Request {
                break;
            }
            outcome = self.exchange(now, random, buffer.0);
            if !leaves_another_grant(&outcome) {
                break;
            }
        }
        outcome
    }

    /// The lifecycle: to authorize a user, to tell how a resource answered, to revoke.
    pub const fn tokens_mut(&mut self) -> &mut Lifecycle<'c, TOKEN> {
        &mut self.tokens
    }

    /// The transport, for example to disconnect it.
    pub const fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    fn exchange(
        &mut self,
        now: Now,
        random: u32,
        buffer: &mut [u8],
    ) -> Result<(), TokenClientError<T::Error>> {
        let (request, pending) = self.tokens.request(now, buffer)?;
        let sent = self.transport.send(&outgoing(&request, &headers(&request)));
        let received = sent.and_then(|()| self.transport.receive(buffer));
        settle(&mut self.tokens, pending, now, random, received)
    }
}

/// A refused grant may leave another one. Nothing else is sent twice in one call, whatever the policy.
const MOST_REQUESTS: usize = 2;

const fn leaves_another_grant<E>(outcome: &Result<(), TokenClientError<E>>) -> bool {
    matches!(outcome, Err(TokenClientError::Token(TokenError::Refused { .. })))
}

/// The token that may be used, or else why there is none.
fn usable<'t, E, const TOKEN: usize>(
    tokens: &'t mut Lifecycle<'_, TOKEN>,
    now: Now,
    outcome: Result<(), TokenClientError<E>>,
) -> Result<Access<'t>, TokenClientError<E>> {
    let need = tokens.need(now);
    match (tokens.access(now), outcome) {
        (Some(access), _) => Ok(access),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(TokenClientError::Unavailable(need)),
    }
}

/// Tells the lifecycle what came for a request.
fn settle<E, const TOKEN: usize>(
    tokens: &mut Lifecycle<'_, TOKEN>,
    pending: Pending,
    now: Now,
    random: u32,
    received: Result<transport::Response<'_>, E>,
) -> Result<(), TokenClientError<E>> {
    match received {
        Ok(transport::Response { status, retry_after, body, .. }) => {
            let retry_after = retry_after.read();
            Ok(tokens.answer(pending, now, random, Answer { status, retry_after, body })?)
        }
        Err(error) => {
            tokens.failed(pending, now, random)?;
            Err(TokenClientError::Transport(error))
        }
    }
}

fn headers<'a>(request: &Request<'a>) -> Headers<'a, 3> {
    // What is in them was checked when the credentials were made and when the tokens came.
    let given = [
        Header::new("Content-Type", request.content_type).ok(),
        request.api_key.and_then(|(name, key)| Header::new(name, key).ok()),
        request.bearer.and_then(|token| Header::bearer(token).ok()),
    ];
    Headers::new(given.into_iter().flatten())
}

fn outgoing<'a>(request: &Request<'a>, headers: &'a Headers<'_, 3>) -> transport::Request<'a> {
    let Request { target, body, .. } = *request;
    transport::Request { method: "POST", target, headers: headers.as_slice(), body }
}

/// A buffer that is erased at the end, also where a future is dropped.
struct Erased<'b>(&'b mut [u8]);

impl Drop for Erased<'_> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::retry_after::Unread;
    use crate::token::{Credentials, Policy, Stop, login, oauth};
    use crate::transport::TransportError;
    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    #[derive(Debug, PartialEq)]
    struct Broken;

    impl TransportError for Broken {
        fn request_left(&self) -> bool {
            true
        }
        fn is_timeout(&self) -> bool {
            false
        }
    }

    /// Answers as its script says, from the back, and keeps what was sent.
    #[derive(Default)]
    struct Script {
        answers: Vec<Option<(u16, &'static str)>>,
        sent: Vec<String>,
    }

    impl Transport for Script {
        type Error = Broken;

        fn send(&mut self, request: &transport::Request<'_>) -> Result<(), Broken> {
            assert_eq!(request.check(), Ok(()));
            let headers = request
                .headers
                .iter()
                .map(|header| format!("{}: {}", header.name(), header.value().concat()));
            let headers = headers.collect::<Vec<_>>().join("; ");
            let body = str::from_utf8(request.body).unwrap();
            self.sent.push(format!("{} {} [{headers}] {body}", request.method, request.target));
            Ok(())
        }

        fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<transport::Response<'b>, Broken> {
            let (status, text) = self.answers.pop().unwrap().ok_or(Broken)?;
            let body = &mut buffer[..text.len()];
            body.copy_from_slice(text.as_bytes());
            Ok(transport::Response {
                status,
                content_type_is_json: true,
                retry_after: Unread::new(b"7"),
                body,
            })
        }
    }

    const TOKEN: &str = r#"{"access_token":"topsecret","token_type":"Bearer","expires_in":60}"#;

    #[test]
    fn one_call_sends_what_is_due_and_leaves_nothing_in_the_buffer() {
        let credentials = Credentials::confidential("id", "secret").unwrap().with_api_key("key").unwrap();
        let script = Script { answers: vec![Some((200, TOKEN))], ..Script::default() };
        let mut client = TokenClient::<_, 16>::new(Config::new(&login::NILO, &credentials), script).unwrap();
        let mut buffer = [0xff; 128];
        for _ in 0..2 {
            assert_eq!(client.access(Now::UNKNOWN, 0, &mut buffer).unwrap().token, "topsecret");
        }
        assert_eq!(buffer, [0; 128]);
        assert_eq!(
            client.transport_mut().sent,
            [
                r#"POST /login [Content-Type: application/json; x-api-key: key] {"clientId":"id","clientSecret":"secret"}"#
            ]
        );
        assert!(!format!("{client:?}").contains("topsecret"));
    }

    #[test]
    fn failures_are_told_and_the_issuer_is_left_alone() {
        let credentials = Credentials::confidential("id", "secret").unwrap();
        let script = Script { answers: vec![Some((401, "{}")), None, Some((429, ""))], ..Script::default() };
        let mut client =
            TokenClient::<_, 16>::new(Config::new(&oauth::RFC6749, &credentials), script).unwrap();
        let mut access = |millis, room| {
            client.tokens_mut().waited(millis);
            client.access(Now::UNKNOWN, 0, &mut [0; 128][..room]).map(|access| String::from(access.token))
        };
        let needed = "grant_type=client_credentials&client_id=id&client_secret=secret".len();
        let short = access(0, needed - 1).unwrap_err();
        assert_eq!(short, TokenClientError::Token(TokenError::BufferTooSmall { needed }));
        assert_eq!(access(0, 128), Err(TokenClientError::Token(TokenError::Later { status: 429 })));
        assert_eq!(access(0, 128), Err(TokenClientError::Unavailable(Need::Wait(7_000))));
        assert_eq!(access(7_000, 128), Err(TokenClientError::Transport(Broken)));
        assert_eq!(access(1_000, 128), Err(TokenClientError::Token(TokenError::Refused { status: 401 })));
        let over = access(u64::MAX, 128).unwrap_err();
        assert_eq!(over, TokenClientError::Unavailable(Need::Stopped(Stop::Refused)));
        assert_eq!(client.transport_mut().sent.len(), 3);
    }

    #[test]
    fn a_refused_refresh_is_mended_in_the_same_call_and_a_revocation_sent() {
        let credentials = Credentials::confidential("id", "secret").unwrap();
        let first = r#"{"data":{"access_token":"one","refresh_token":"r","expires_in":60}}"#;
        let second = r#"{"data":{"access_token":"two","expires_in":60}}"#;
        let answers = vec![Some((200, "{}")), Some((200, second)), Some((400, "{}")), Some((200, first))];
        let script = Script { answers, ..Script::default() };
        let mut client = TokenClient::<_, 16>::new(Config::new(&oauth::NOMBA, &credentials), script).unwrap();
        let mut buffer = [0; 128];
        assert_eq!(client.access(Now::UNKNOWN, 0, &mut buffer).unwrap().token, "one");
        client.tokens_mut().waited(60_000);
        assert_eq!(client.access(Now::UNKNOWN, 0, &mut buffer).unwrap().token, "two");
        client.tokens_mut().revoke();
        client.send_due(Now::UNKNOWN, 0, &mut buffer).unwrap();
        let over = client.access(Now::UNKNOWN, 0, &mut buffer).unwrap_err();
        assert_eq!(over, TokenClientError::Unavailable(Need::Stopped(Stop::Revoked)));
        let sent = &client.transport_mut().sent;
        assert!(sent[1].starts_with("POST /v1/auth/token/refresh "), "{sent:?}");
        assert!(sent[2].starts_with("POST /v1/auth/token/issue "), "{sent:?}");
        assert_eq!(
            sent[3],
            r#"POST /v1/auth/token/revoke [Content-Type: application/json; Authorization: Bearer two] {"token":"two"}"#
        );
    }

    #[test]
    fn no_policy_makes_one_call_hammer_the_issuer() {
        let credentials = Credentials::confidential("id", "secret").unwrap();
        let policy = Policy { first_back_off: 0, longest_back_off: 0, ..Policy::DEFAULT };
        let config = Config { policy, ..Config::new(&oauth::RFC6749, &credentials) };
        let script = Script { answers: vec![None, None], ..Script::default() };
        let mut client = TokenClient::<_, 16>::new(config, script).unwrap();
        let failed = client.access(Now::UNKNOWN, 0, &mut [0; 128]).unwrap_err();
        assert_eq!(failed, TokenClientError::Transport(Broken));
        assert_eq!(client.transport_mut().sent.len(), 1);
    }
}
