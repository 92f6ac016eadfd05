//! The driver of a token's lifecycle.

use crate::codec::retry_after::RetryAfter;
use crate::log::format_as;
use crate::session::Now;
use crate::token::{Access, Answer, Config, Lifecycle, Need, Request, TokenError};
use crate::transport::{self, Header, Transport};
use core::fmt;
use zeroize::Zeroize;

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
        let need = self.tokens.need(now);
        match (self.tokens.access(now), outcome) {
            (Some(access), _) => Ok(access),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(TokenClientError::Unavailable(need)),
        }
    }

    /// Sends what is due, a revocation too, until nothing is.
    ///
    /// # Errors
    /// The last failure. After one that another grant may mend, that is sent, too.
    pub fn send_due(
        &mut self,
        now: Now,
        random: u32,
        buffer: &mut [u8],
    ) -> Result<(), TokenClientError<T::Error>> {
        let mut outcome = Ok(());
        while self.tokens.need(now) == Need::Request {
            outcome = self.exchange(now, random, buffer);
            buffer.zeroize();
            if let Err(TokenClientError::Token(TokenError::BufferTooSmall { .. })) = outcome {
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
        let sent = send(&mut self.transport, &request);
        match sent.and_then(|()| self.transport.receive(buffer)) {
            Ok(transport::Response { status, retry_after, body, .. }) => {
                let retry_after = retry_after.map(RetryAfter::Seconds);
                Ok(self.tokens.answer(pending, now, random, Answer { status, retry_after, body })?)
            }
            Err(error) => {
                self.tokens.failed(pending, now, random)?;
                Err(TokenClientError::Transport(error))
            }
        }
    }
}

fn send<T: Transport>(transport: &mut T, request: &Request<'_>) -> Result<(), T::Error> {
    // What is in them was checked when the credentials were made and when the tokens came.
    let given = [
        Header::new("Content-Type", request.content_type).ok(),
        request.api_key.and_then(|(name, key)| Header::new(name, key).ok()),
        request.bearer.and_then(|token| Header::bearer(token).ok()),
    ];
    let (mut headers, mut count) = ([Header::JSON; 3], 0_usize);
    for (place, header) in headers.iter_mut().zip(given.into_iter().flatten()) {
        *place = header;
        count = count.saturating_add(1);
    }
    let headers = headers.get(..count).unwrap_or_default();
    transport.send(&transport::Request {
        method: "POST",
        target: request.target,
        headers,
        body: request.body,
    })
}
