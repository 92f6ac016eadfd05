//! The gateway's session: an immutable record of keys and facts. What changes with every message, the nonces seen, is
//! the store's, so that a message is opened and sealed without a lock.

use super::{ClientFacts, Mode, SessionId, export};
use crate::agreement::proof::{Role, Statement};
use crate::agreement::schedule::{Label, PlainKdf, Schedule};
use crate::agreement::transcript::TranscriptHash;
use crate::codec::timestamp::Timestamp;
use crate::crypto::KeyId;
use crate::crypto::provider::{Aead, CryptoError, Provider};
use crate::envelope::{self, Aad, Envelope, Traffic};
use crate::error::{Error, Peer};
use crate::log::format_as;
use crate::nonce::{RESPONSE_BIT, WireNonce, limit};
use crate::scheme::Scheme;
use core::fmt;

/// A session of the gateway.
pub struct ServerSession<P: Provider> {
    pub(crate) id: SessionId,
    pub(crate) client: ClientFacts,
    pub(crate) mode: Mode,
    pub(crate) scheme: Scheme,
    pub(crate) ends: Timestamp,
    /// In mutual mode.
    pub(crate) claimed: Option<ClaimedIdentity>,
    pub(crate) keys: Keys<P>,
}

/// What the gateway draws from the agreement.
#[expect(missing_debug_implementations, reason = "there is nothing to show but secrets")]
pub struct Keys<P: Provider> {
    pub(crate) requests: Traffic<P::TrafficKey>,
    pub(crate) responses: Traffic<P::TrafficKey>,
    /// The first four bytes of the responses' nonces: random with the top bit set in plain mode, else the instance.
    pub(crate) prefix: [u8; 4],
    /// `None` in plain mode.
    pub(crate) exporter: Option<P::Secret>,
}

impl<P: Provider> Keys<P> {
    /// Derives those of any mode (§2.3).
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn derive(
        provider: &mut P,
        schedule: &Schedule<'_, P::Prk>,
        aead: Aead,
        prefix: [u8; 4],
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            requests: Traffic::derive(provider, schedule, Label::CLIENT, aead)?,
            responses: Traffic::derive(provider, schedule, Label::SERVER, aead)?,
            prefix,
            exporter: schedule.exporter(provider)?,
        })
    }

    /// Derives those of plain mode.
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn plain(
        provider: &mut P,
        kdf: &PlainKdf<'_>,
        z: P::SharedSecret,
        session_id: &str,
    ) -> Result<Self, CryptoError> {
        let mut random = [0; 4];
        provider.fill(&mut random)?;
        let schedule = Schedule::plain(provider, kdf, session_id, z);
        let schedule = schedule.as_ref().map_err(|error| *error)?; // where it is: a PRK is large
        Self::derive(provider, schedule, PlainKdf::AEAD, plain_response_prefix(random))
    }
}

/// The identity that a client of mutual mode claims, and what its signature has to be over: whether it was verified is the
/// store's to know.
#[derive(Clone, Copy, Debug)]
pub struct ClaimedIdentity {
    pub(crate) kid: KeyId,
    pub(crate) transcript: TranscriptHash,
}

format_as! { [] ClaimedIdentity, identity => "ClaimedIdentity {{ kid: {} }}", identity.kid }

impl ClaimedIdentity {
    /// The id of the key that must sign.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// What must be signed, 54 bytes.
    #[must_use]
    pub fn statement(&self) -> Statement {
        Statement::new(Role::Client, &self.transcript)
    }
}

/// A request that was authenticated, not yet committed: it may be a replay until the store has said otherwise.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Opened {
    nonce: WireNonce,
    plaintext: core::ops::Range<usize>,
}

impl Opened {
    /// The nonce to be committed in the store.
    #[must_use]
    pub const fn nonce(&self) -> WireNonce {
        self.nonce
    }

    /// Takes the word of the store that the nonce is fresh and now committed. The plaintext may be read from here on.
    ///
    /// # Security
    /// Only after the store's atomic check-and-commit has succeeded for this session and [`Opened::nonce`].
    pub fn committed(self) -> Committed {
        Committed { nonce: self.nonce, plaintext: self.plaintext }
    }
}

/// A committed request: the right to answer it, once. There is no other way to seal a response.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Committed {
    nonce: WireNonce,
    plaintext: core::ops::Range<usize>,
}

impl Committed {
    /// Where the plaintext stands in the buffer that was opened.
    #[must_use]
    pub fn plaintext(&self) -> core::ops::Range<usize> {
        self.plaintext.clone()
    }
}

impl<P: Provider> ServerSession<P> {
    /// The session id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose session it is.
    #[must_use]
    pub const fn client(&self) -> &ClientFacts {
        &self.client
    }

    /// What the session is worth, as far as a gateway can know.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The scheme that was negotiated.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The identity that the client claims, in mutual mode: until its signature has been verified the session is half-open.
    #[must_use]
    pub const fn claimed(&self) -> Option<&ClaimedIdentity> {
        self.claimed.as_ref()
    }

    /// When it ends: `now ≥ ends` is expired.
    #[must_use]
    pub const fn ends(&self) -> Timestamp {
        self.ends
    }

    /// The prefix that no request may carry: that of the session's own responses in plain mode.
    #[must_use]
    pub fn is_reflected(&self, nonce: WireNonce) -> bool {
        self.mode == Mode::Plain && nonce.prefix() == self.keys.prefix
    }

    /// Whether the nonce of a request has a form that this session admits, before anything is decrypted (§2.4).
    ///
    /// # Errors
    /// [`Peer::Authentication`] for a reflected response in plain mode, and for a prefix other than 0 or a counter past
    /// the limit in all others.
    pub fn check_nonce(&self, nonce: WireNonce) -> Result<(), Error> {
        let admitted = match self.mode {
            Mode::Plain => !self.is_reflected(nonce),
            _ => nonce.prefix() == [0; 4] && nonce.counter() < limit::MESSAGES,
        };
        if admitted { Ok(()) } else { Err(Peer::Authentication.into()) }
    }

    /// Opens the parsed request in place; `buffer` is the one that was parsed. Commit its nonce next.
    ///
    /// # Errors
    /// [`Peer::Authentication`]. Nothing has changed but the buffer.
    pub fn open(&self, provider: &mut P, envelope: Envelope, buffer: &mut [u8]) -> Result<Opened, Error> {
        let nonce = envelope.nonce();
        self.check_nonce(nonce)?;
        let plaintext = envelope.plaintext();
        envelope.open(provider, &self.keys.requests, &Aad::session(&self.id), buffer)?;
        Ok(Opened { nonce, plaintext })
    }

    /// Seals the `len` bytes of plaintext at the front of `buffer` as the response to a committed request, and returns the
    /// length of the envelope.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with [`envelope::sealed_len`]`(len)`: `request` comes back, so that the caller can
    /// answer from a larger buffer. The provider's errors: it does not.
    pub fn seal(
        &self,
        provider: &mut P,
        request: Committed,
        status: u16,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<usize, (Error, Option<Committed>)> {
        let needed = envelope::sealed_len(len);
        if buffer.len() < needed {
            return Err((Error::BufferTooSmall { needed }, Some(request)));
        }
        let mut aad = Aad::session(&self.id);
        let counter = if self.mode == Mode::Plain {
            let mut random = [0; 8];
            provider.fill(&mut random).map_err(|error| (error.into(), None))?;
            u64::from_be_bytes(random)
        } else {
            aad.bind(&request.nonce, status);
            request.nonce.counter()
        };
        let nonce = WireNonce::new(self.keys.prefix, counter);
        let sealed = envelope::seal(provider, &self.keys.responses, nonce, &aad, buffer, len);
        sealed.map_err(|error| (error, None))
    }

    /// Fills `out` with key material for the application: the same as the client's
    /// [`Session::export`](super::Session::export).
    ///
    /// # Errors
    /// As there.
    pub fn export(
        &self,
        provider: &mut P,
        label: &str,
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        export(provider, self.keys.exporter.as_ref(), label, context, out)
    }
}

impl<P: Provider> fmt::Debug for ServerSession<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSession")
            .field("id", &self.id)
            .field("mode", &self.mode)
            .field("scheme", &self.scheme)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

format_as! { [P: Provider] ServerSession<P>, session => "ServerSession {{ id: {}, mode: {}, scheme: {}, ends: {} }}", session.id, session.mode, session.scheme, session.ends }

/// The response prefix of a plain session: random with the top bit set (§2.4).
fn plain_response_prefix(mut random: [u8; 4]) -> [u8; 4] {
    if let Some(first) = random.first_mut() {
        *first |= RESPONSE_BIT;
    }
    random
}

/// The request prefix of a plain session: random with the top bit clear (§2.4).
pub(crate) fn plain_request_prefix(mut random: [u8; 4]) -> [u8; 4] {
    if let Some(first) = random.first_mut() {
        *first &= !RESPONSE_BIT;
    }
    random
}
