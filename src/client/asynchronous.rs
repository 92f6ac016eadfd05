//! The driver that awaits.

use super::exchange::{self, HELLO_HEADERS};
use super::state::{State, Try};
use super::storage::{Keeper, NoStorage, VaultOf};
use super::{ClientError, HANDSHAKE_PATH, REQUEST_PATH, Response};
use crate::crypto::{AsyncProvider, AsyncSigner, AsyncVerifier, StorableKeys};
use crate::error::{Error, Misuse};
use crate::handshake::{ClientConfig, ClientNeed};
use crate::log::format_as;
use crate::request::Request;
use crate::session::{Facts, Mode, Now, SessionStorage};
use crate::transport::{self, AsyncTransport, Header};
use core::convert::Infallible;
use core::fmt;

/// A [`Client`](super::Client) that awaits its transport, its key agreements and its verifications: the same decisions
/// by the same state.
///
/// # Cancellation
///
/// A future may be dropped at any await, for example by a timeout around it. It is as if the transport had failed there:
///
/// - A handshake ends with its keys erased. The session that stood stands, and no other does.
/// - A request counts as one that has left from when it is sealed: its nonce is used, its answer would be refused, it is
///   not sent again by itself, and [`AsyncClient::is_outcome_unknown`] says so.
/// - The buffer holds what the wire has seen: a hello or its answer (with the session's token), or an envelope.
///
/// # Security
///
/// Whatever a future holds of secrets is dropped with it, and what the provider's types hold is erased then. As on the
/// stack of the blocking client, a value that was moved may have left a copy where it was: of a handshake that was given up,
/// a private key of which no session came.
pub struct AsyncClient<'c, P: AsyncProvider, V, T, const TOKEN: usize = 1024, S = Infallible, D = NoStorage> {
    state: State<'c, P::Provider, TOKEN>,
    provider: P,
    verifier: V,
    /// In mutual mode.
    signer: Option<S>,
    transport: T,
    /// What keeps the session when the power goes.
    keeper: D,
}

impl<P: AsyncProvider, V, T, const TOKEN: usize, S, D> fmt::Debug for AsyncClient<'_, P, V, T, TOKEN, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncClient").field("session", &self.state.facts()).finish_non_exhaustive()
    }
}

format_as! {
    [P: AsyncProvider, V, T, const TOKEN: usize, S, D] AsyncClient<'_, P, V, T, TOKEN, S, D>,
    client => "AsyncClient {{ session: {} }}", client.state.facts()
}

impl<'c, P: AsyncProvider, V: AsyncVerifier, T: AsyncTransport, const TOKEN: usize>
    AsyncClient<'c, P, V, T, TOKEN>
{
    /// As [`Client::new`](super::Client::new).
    ///
    /// # Errors
    /// As [`Client::new`](super::Client::new).
    pub fn new(config: ClientConfig<'c>, provider: P, verifier: V, transport: T) -> Result<Self, Error> {
        if config.mode == Mode::Mutual {
            return Err(Misuse::InvalidConfiguration.into());
        }
        config.check()?;
        Ok(Self { state: State::new(config), provider, verifier, signer: None, transport, keeper: NoStorage })
    }
}

impl<'c, P: AsyncProvider, V: AsyncVerifier, T: AsyncTransport, S: AsyncSigner, const TOKEN: usize>
    AsyncClient<'c, P, V, T, TOKEN, S>
{
    /// As [`Client::mutual`](super::Client::mutual).
    ///
    /// # Errors
    /// As [`Client::mutual`](super::Client::mutual).
    pub fn mutual(
        config: ClientConfig<'c>,
        provider: P,
        verifier: V,
        signer: S,
        transport: T,
    ) -> Result<Self, Error> {
        let config = ClientConfig { mode: Mode::Mutual, identity: Some(signer.kid()), ..config };
        config.check()?;
        Ok(Self {
            state: State::new(config),
            provider,
            verifier,
            signer: Some(signer),
            transport,
            keeper: NoStorage,
        })
    }
}

impl<'c, P: AsyncProvider, V, T, S, const TOKEN: usize> AsyncClient<'c, P, V, T, TOKEN, S> {
    /// The same client with session storage (§2.7): see [`Client::with_storage`](super::Client::with_storage).
    ///
    /// The storage is not awaited. It writes some hundred bytes once for a block of counters, which must be durable before the first of
    /// them is sealed with; when that is due is decided in one place for both clients. A storage whose own calls await waits for
    /// them within [`SessionStorage`].
    #[must_use]
    pub fn with_storage<D: SessionStorage>(
        self,
        vault: VaultOf<P::Provider, D>,
    ) -> AsyncClient<'c, P, V, T, TOKEN, S, VaultOf<P::Provider, D>>
    where
        P::Provider: StorableKeys,
    {
        let Self { state, provider, verifier, signer, transport, keeper: NoStorage } = self;
        AsyncClient { state, provider, verifier, signer, transport, keeper: vault }
    }

    /// Forgets the session and erases its keys. The next request makes another.
    pub fn logout(&mut self) {
        self.state.logout();
    }
}

impl<P: AsyncProvider, V, T, S, D: SessionStorage, const TOKEN: usize>
    AsyncClient<'_, P, V, T, TOKEN, S, VaultOf<P::Provider, D>>
{
    /// Forgets the session and erases its keys, those in storage included. The next request makes another.
    ///
    /// # Errors
    /// The storage's own: the session may come back with the next boot. Call it again.
    pub fn logout(&mut self) -> Result<(), D::Error> {
        self.state.logout();
        self.keeper.erase()
    }

    /// The storage: what was the last failure, for example.
    #[must_use]
    pub const fn vault(&self) -> &VaultOf<P::Provider, D> {
        &self.keeper
    }
}

impl<
    P: AsyncProvider,
    V: AsyncVerifier,
    T: AsyncTransport,
    S: AsyncSigner,
    const TOKEN: usize,
    D: Keeper<P::Provider>,
> AsyncClient<'_, P, V, T, TOKEN, S, D>
{
    /// As [`Client::ensure_session`](super::Client::ensure_session).
    ///
    /// # Errors
    /// As [`Client::ensure_session`](super::Client::ensure_session).
    pub async fn ensure_session(&mut self, now: Now, buffer: &mut [u8]) -> Result<(), ClientError<T::Error>> {
        self.ensure(now, None, buffer).await
    }

    /// As [`Client::request`](super::Client::request).
    ///
    /// # Errors
    /// As [`Client::request`](super::Client::request).
    pub async fn request<'b>(
        &mut self,
        now: Now,
        request: &Request<'_>,
        buffer: &'b mut [u8],
    ) -> Result<Response<'b>, ClientError<T::Error>> {
        self.state.give_up();
        let mut attempt = Try::First;
        loop {
            self.ensure(now, Some(request), buffer).await?;
            let signs = self.signer.is_some(); // without a signer nothing of mutual mode is linked
            let sealed =
                self.state.seal(self.provider.provider(), now, request, signs, &mut attempt, buffer)?;
            let Some(length) = sealed else { continue };
            let place = exchange::place_of(buffer);
            let headers = self.state.headers()?;
            let outcome = exchange(&mut self.transport, REQUEST_PATH, &headers, buffer, length).await;
            let provider = self.provider.provider();
            if let Some(answer) = self.state.settled(provider, now, request, &mut attempt, outcome, &place)? {
                return Ok(answer.response(buffer));
            }
        }
    }

    /// Whether the future of the last request was dropped when bytes of the request may have left: then nobody knows
    /// whether it was carried out, as with [`ClientError::OutcomeUnknown`].
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        self.state.awaits_answer()
    }

    /// The session's facts, while there is one.
    #[must_use]
    pub const fn facts(&self) -> Option<&Facts<TOKEN>> {
        self.state.facts()
    }

    /// The transport, for example to disconnect it.
    pub const fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    async fn ensure(
        &mut self,
        now: Now,
        request: Option<&Request<'_>>,
        buffer: &mut [u8],
    ) -> Result<(), ClientError<T::Error>> {
        self.state.keep(&mut self.keeper, self.provider.provider(), now, request, buffer)?;
        if self.state.has_session(now) {
            return Ok(());
        }
        self.handshake(now, buffer).await?;
        Ok(self.state.keep(&mut self.keeper, self.provider.provider(), now, request, buffer)?)
    }

    async fn handshake(&mut self, now: Now, buffer: &mut [u8]) -> Result<(), ClientError<T::Error>> {
        let (mut handshake, mut attempt) = (self.state.begin(), Try::First);
        while handshake.compute_async(&mut self.provider, &mut self.verifier).await? == ClientNeed::Hello {
            let length = handshake.hello(self.provider.provider(), now, buffer)?;
            let outcome = exchange(&mut self.transport, HANDSHAKE_PATH, &HELLO_HEADERS, buffer, length).await;
            self.state.answered(&mut handshake, &mut attempt, outcome)?;
        }
        if let (ClientNeed::Sign, Some(signer)) = (handshake.need(), &mut self.signer) {
            let statement = handshake.statement()?;
            handshake.signed(signer.sign(statement.as_bytes()).await)?;
        }
        Ok(self.state.established(&mut handshake, self.signer.is_some())?)
    }
}

/// Sends the `length` bytes at the front of `buffer` and receives the answer into it.
async fn exchange<'b, T: AsyncTransport>(
    transport: &mut T,
    target: &str,
    headers: &[Header<'_>],
    buffer: &'b mut [u8],
    length: usize,
) -> Result<transport::Response<'b>, T::Error> {
    transport.send(&exchange::request(target, headers, buffer, length)).await?;
    transport.receive(buffer).await
}
