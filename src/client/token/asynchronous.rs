//! The driver of a token's lifecycle that awaits.

use super::{
    Erased, MOST_REQUESTS, TokenClientError, headers, leaves_another_grant, outgoing, settle, usable,
};
use crate::log::format_as;
use crate::session::Now;
use crate::token::{Access, Config, Lifecycle, Need, TokenError};
use crate::transport::AsyncTransport;
use core::fmt;

/// A [`TokenClient`](super::TokenClient) that awaits its transport: the same decisions by the same lifecycle.
///
/// # Cancellation
///
/// A future may be dropped at any await. It is as if the transport had failed there, of which the lifecycle learns at the next
/// call: the request is repeated after a while, and no answer to it is taken any more. The buffer is erased.
///
/// # Security
/// As with [`TokenClient`](super::TokenClient).
pub struct AsyncTokenClient<'c, T, const TOKEN: usize = 1024> {
    tokens: Lifecycle<'c, TOKEN>,
    transport: T,
}

impl<T, const TOKEN: usize> fmt::Debug for AsyncTokenClient<'_, T, TOKEN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTokenClient").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

format_as! {
    [T, const TOKEN: usize] AsyncTokenClient<'_, T, TOKEN>,
    client => "AsyncTokenClient {{ tokens: {} }}", client.tokens
}

impl<'c, T: AsyncTransport, const TOKEN: usize> AsyncTokenClient<'c, T, TOKEN> {
    /// A client without a token.
    ///
    /// # Errors
    /// As [`Lifecycle::new`].
    pub fn new(config: Config<'c>, transport: T) -> Result<Self, TokenError> {
        Ok(Self { tokens: Lifecycle::new(config)?, transport })
    }

    /// As [`TokenClient::access`](super::TokenClient::access).
    ///
    /// # Errors
    /// As [`TokenClient::access`](super::TokenClient::access).
    pub async fn access(
        &mut self,
        now: Now,
        random: u32,
        buffer: &mut [u8],
    ) -> Result<Access<'_>, TokenClientError<T::Error>> {
        let outcome = self.send_due(now, random, buffer).await;
        usable(&mut self.tokens, now, outcome)
    }

    /// As [`TokenClient::send_due`](super::TokenClient::send_due).
    ///
    /// # Errors
    /// As [`TokenClient::send_due`](super::TokenClient::send_due).
    pub async fn send_due(
        &mut self,
        now: Now,
        random: u32,
        buffer: &mut [u8],
    ) -> Result<(), TokenClientError<T::Error>> {
        let buffer = Erased(buffer);
        // A future that was dropped has left one.
        self.tokens.give_up(now, random);
        let mut outcome = Ok(());
        for _ in 0..MOST_REQUESTS {
            if self.tokens.need(now) != Need::Request {
                break;
            }
            outcome = self.exchange(now, random, buffer.0).await;
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

    async fn exchange(
        &mut self,
        now: Now,
        random: u32,
        buffer: &mut [u8],
    ) -> Result<(), TokenClientError<T::Error>> {
        let (request, pending) = self.tokens.request(now, buffer)?;
        let received = match self.transport.send(&outgoing(&request, &headers(&request))).await {
            Ok(()) => self.transport.receive(buffer).await,
            Err(error) => Err(error),
        };
        settle(&mut self.tokens, pending, now, random, received)
    }
}
