//! The paved path of a device: a [`Client`] that shakes hands, renews, seals, sends and opens over a [`Transport`].

#[cfg(feature = "async")]
mod asynchronous;
mod exchange;
mod relay;
mod state;
mod storage;
mod token;

use crate::crypto::{Provider, Signer, StorableKeys, Verifier};
use crate::error::{Code, Error, Misuse};
use crate::handshake::{ClientConfig, ClientNeed};
use crate::log::format_as;
use crate::request::Request;
use crate::session::{Facts, Mode, Now, SessionStorage};
use crate::transport::{self, Header, Transport};
use core::convert::Infallible;
use core::fmt;
use exchange::HELLO_HEADERS;
use state::{State, Try};
use storage::{Keeper, VaultOf};

#[cfg(feature = "async")]
pub use asynchronous::AsyncClient;
#[cfg(feature = "async")]
pub use relay::relay_async;
pub use relay::{RelayError, relay};
pub use storage::NoStorage;
#[cfg(feature = "async")]
pub use token::AsyncTokenClient;
pub use token::{TokenClient, TokenClientError};

/// Where a hello goes.
pub const HANDSHAKE_PATH: &str = "/api/info/v2";
/// Where an envelope goes.
pub const REQUEST_PATH: &str = "/api/request/v2";

/// A client: one gateway, one session at a time, one request at a time.
///
/// `TOKEN` is the room for the gateway's token in bytes.
///
/// # Security
/// It never falls back to a weaker mode. An error of the gateway that is not sealed is a hint from whoever sits on the
/// wire: it never ends a session before a new one stands, and causes at most one renewal for a request, with back-off.
pub struct Client<'c, P: Provider, V, T, const TOKEN: usize = 1024, S = Infallible, D = NoStorage> {
    state: State<'c, P, TOKEN>,
    provider: P,
    verifier: V,
    /// In mutual mode.
    signer: Option<S>,
    transport: T,
    /// What keeps the session when the power goes.
    keeper: D,
}

/// An answer that was opened: it is the gateway's or the upstream's, to this request and no other (in plain mode, only
/// that it is one of theirs).
pub struct Response<'b> {
    /// The HTTP status, which the answer is bound to.
    pub status: u16,
    /// `Retry-After` in seconds, a hint; a date counts as absent.
    pub retry_after: Option<u32>,
    /// The upstream's body, or an error of the gateway: see [`Response::gateway_code`].
    pub body: &'b mut [u8],
}

impl Response<'_> {
    /// The code of the gateway's own error, where this is one: no upstream's body passes for it (§2.6).
    #[must_use]
    pub fn gateway_code(&self) -> Option<Code> {
        state::code_of(self.body).filter(|code| code.status() == self.status)
    }
}

/// Prints the length of the body, not the body.
impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("retry_after", &self.retry_after)
            .field("body_length", &self.body.len())
            .finish()
    }
}

format_as! { [] Response<'_>, response => "Response {{ status: {}, retry_after: {}, body_length: {} }}", response.status, response.retry_after, response.body.len() }

/// Why a call of the client failed; `E` is the transport's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ClientError<E> {
    /// The core's error: the peer misbehaved, the two are incompatible, or the call was wrong.
    Core(Error),
    /// The transport failed, and the request either did not leave or may be repeated by the caller.
    Transport(E),
    /// The gateway, or somebody on the wire, refused outside an envelope.
    Refused {
        /// The code that came.
        code: Code,
        /// `Retry-After` in seconds; a date counts as absent.
        retry_after: Option<u32>,
    },
    /// The request may have been carried out, or not: bytes of it have left and no authentic answer has come. It was not
    /// idempotent, so it is the caller's to find out (§2.6).
    OutcomeUnknown {
        /// What there was instead of an answer.
        cause: NoAnswer,
    },
}

/// What there was instead of an authentic answer to a request that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NoAnswer {
    /// Nothing: it was waited for in vain.
    Timeout,
    /// The transport failed otherwise: the stream broke or ended, or what came was no answer of the transport's protocol.
    Transport,
    /// Something that is no authentic answer: malformed, forged, altered, or the answer to another request.
    NotAuthentic,
    /// Something that the provider failed to open, for another reason than that it is not authentic.
    Unopened,
    /// An error with this code that is not sealed: a hint from whoever sits on the wire.
    Unsealed(Code),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer came in time"),
            Self::Transport => f.write_str("the way of the answer broke"),
            Self::NotAuthentic => f.write_str("what came is no authentic answer"),
            Self::Unopened => f.write_str("the answer could not be opened"),
            Self::Unsealed(code) => write!(f, "{code} came, unsealed"),
        }
    }
}

impl<E> From<Error> for ClientError<E> {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(code) => Self::Refused { code, retry_after: None },
            error => Self::Core(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for ClientError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(error) => error.fmt(f),
            Self::Transport(error) => error.fmt(f),
            Self::Refused { code, .. } => write!(f, "refused with {code}"),
            Self::OutcomeUnknown { cause } => {
                write!(f, "nobody knows whether the request was carried out: {cause}")
            }
        }
    }
}

impl<E: core::error::Error> core::error::Error for ClientError<E> {}

impl<P: Provider, V, T, const TOKEN: usize, S, D> fmt::Debug for Client<'_, P, V, T, TOKEN, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("session", &self.state.facts()).finish_non_exhaustive()
    }
}

format_as! {
    [P: Provider, V, T, const TOKEN: usize, S, D] Client<'_, P, V, T, TOKEN, S, D>,
    client => "Client {{ session: {} }}", client.state.facts()
}

impl<'c, P: Provider, V: Verifier, T: Transport, const TOKEN: usize> Client<'c, P, V, T, TOKEN> {
    /// A client without a session. `verifier` holds the identities that the client pins.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`], as [`ClientHandshake::new`](crate::handshake::ClientHandshake::new), and for mutual
    /// mode, which is [`Client::mutual`]'s.
    pub fn new(config: ClientConfig<'c>, provider: P, verifier: V, transport: T) -> Result<Self, Error> {
        if config.mode == Mode::Mutual {
            return Err(Misuse::InvalidConfiguration.into());
        }
        config.check()?;
        Ok(Self { state: State::new(config), provider, verifier, signer: None, transport, keeper: NoStorage })
    }
}

impl<'c, P: Provider, V: Verifier, T: Transport, S: Signer, const TOKEN: usize>
    Client<'c, P, V, T, TOKEN, S>
{
    /// A client of mutual mode without a session: `signer` is its identity, which the gateway has registered, and takes the
    /// place of mode and identity in `config`.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`], as [`ClientHandshake::new`](crate::handshake::ClientHandshake::new).
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

impl<'c, P: Provider, V, T, S, const TOKEN: usize> Client<'c, P, V, T, TOKEN, S> {
    /// The same client with session storage (§2.7): a session that was stored is loaded before a handshake is made, and one that is
    /// made is saved, in mutual mode before the request after its first answer. Plain sessions are not stored.
    ///
    /// Calls want a `buffer` of at least [`stored_len`](crate::session::storage::stored_len)`(TOKEN)` bytes then, for loading and saving are
    /// done in it: at the first call, and once in as many requests as are reserved. Where the storage fails, or what is in it is of no
    /// use, a handshake is made; [`Client::vault`] says why. Erase the storage when the gateway's address or identity changes.
    ///
    /// # Security
    /// Not with storage that can be cloned or rolled back: see [`storage`](crate::session::storage).
    #[must_use]
    pub fn with_storage<D: SessionStorage>(
        self,
        vault: VaultOf<P, D>,
    ) -> Client<'c, P, V, T, TOKEN, S, VaultOf<P, D>>
    where
        P: StorableKeys,
    {
        let Self { state, provider, verifier, signer, transport, keeper: NoStorage } = self;
        Client { state, provider, verifier, signer, transport, keeper: vault }
    }

    /// Forgets the session and erases its keys. The next request makes another.
    pub fn logout(&mut self) {
        self.state.logout();
    }
}

impl<P: Provider, V, T, S, D: SessionStorage, const TOKEN: usize>
    Client<'_, P, V, T, TOKEN, S, VaultOf<P, D>>
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
    pub const fn vault(&self) -> &VaultOf<P, D> {
        &self.keeper
    }
}

impl<P: Provider, V: Verifier, T: Transport, S: Signer, const TOKEN: usize, D: Keeper<P>>
    Client<'_, P, V, T, TOKEN, S, D>
{
    /// Makes sure that there is a session: the one in memory while it lasts, else the one in storage, where there is some, else a new
    /// one.
    ///
    /// `buffer` holds the hello, and then the answer with its head.
    ///
    /// # Errors
    /// [`ClientError::Core`], [`ClientError::Transport`], and [`ClientError::Refused`] with the gateway's code.
    pub fn ensure_session(&mut self, now: Now, buffer: &mut [u8]) -> Result<(), ClientError<T::Error>> {
        self.ensure(now, None, buffer)
    }

    /// Sends `request` sealed and opens its answer, which is a slice of `buffer`; makes or renews the session where that
    /// is due, and repeats the request once where that is safe (§2.6).
    ///
    /// `buffer` holds the envelope of the request, [`sealed_len`](crate::envelope::sealed_len) of
    /// [`Request::plaintext_len`] (and [`INTRODUCTION_LEN`](crate::envelope::INTRODUCTION_LEN) in mutual mode), then the
    /// answer with its head; hello and answer of a handshake, too.
    ///
    /// # Errors
    /// [`ClientError::OutcomeUnknown`] when bytes of a request that is not idempotent have left and no authentic answer
    /// has come. All others mean that the request was not carried out, or that it may be repeated; but in plain mode, where all errors
    /// come unsealed, [`ClientError::Refused`] means what its code says, and only if the gateway has said it.
    pub fn request<'b>(
        &mut self,
        now: Now,
        request: &Request<'_>,
        buffer: &'b mut [u8],
    ) -> Result<Response<'b>, ClientError<T::Error>> {
        let mut attempt = Try::First;
        loop {
            self.ensure(now, Some(request), buffer)?;
            let signs = self.signer.is_some(); // without a signer nothing of mutual mode is linked
            let sealed = self.state.seal(&mut self.provider, now, request, signs, &mut attempt, buffer)?;
            let Some(length) = sealed else { continue };
            let place = exchange::place_of(buffer);
            let headers = self.state.headers()?;
            let outcome = exchange(&mut self.transport, REQUEST_PATH, &headers, buffer, length);
            let provider = &mut self.provider;
            if let Some(answer) = self.state.settled(provider, now, request, &mut attempt, outcome, &place)? {
                return Ok(answer.response(buffer));
            }
        }
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

    fn ensure(
        &mut self,
        now: Now,
        request: Option<&Request<'_>>,
        buffer: &mut [u8],
    ) -> Result<(), ClientError<T::Error>> {
        self.state.keep(&mut self.keeper, &mut self.provider, now, request, buffer)?;
        if self.state.has_session(now) {
            return Ok(());
        }
        self.handshake(now, buffer)?;
        Ok(self.state.keep(&mut self.keeper, &mut self.provider, now, request, buffer)?)
    }

    #[inline(never)] // one frame less in its caller's: the machine is large
    fn handshake(&mut self, now: Now, buffer: &mut [u8]) -> Result<(), ClientError<T::Error>> {
        let (mut handshake, mut attempt) = (self.state.begin(), Try::First);
        while handshake.compute(&mut self.provider, &mut self.verifier)? == ClientNeed::Hello {
            let length = handshake.hello(&mut self.provider, now, buffer)?;
            let outcome = exchange(&mut self.transport, HANDSHAKE_PATH, &HELLO_HEADERS, buffer, length);
            self.state.answered(&mut handshake, &mut attempt, outcome)?;
        }
        if let (ClientNeed::Sign, Some(signer)) = (handshake.need(), &mut self.signer) {
            handshake.sign(signer)?;
        }
        Ok(self.state.established(&mut handshake, self.signer.is_some())?)
    }
}

/// Sends the `length` bytes at the front of `buffer` and receives the answer into it.
fn exchange<'b, T: Transport>(
    transport: &mut T,
    target: &str,
    headers: &[Header<'_>],
    buffer: &'b mut [u8],
    length: usize,
) -> Result<transport::Response<'b>, T::Error> {
    transport.send(&exchange::request(target, headers, buffer, length))?;
    transport.receive(buffer)
}
