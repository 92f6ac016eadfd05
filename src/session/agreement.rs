//! What Key Agreement leaves (§3): keys that seal and open single fields of later calls.
//!
//! ```text
//! client    Call::new ─▶ seal each field ─▶ send, with client_reference_id in the query ─▶ open the response's fields
//! server    Call::new ─▶ open the fields ─▶ commit them, all or none ─▶ act ─▶ reserve counters, seal fields
//! ```

use super::{Expiry, Mode, Now, SessionId};
use crate::agreement::schedule::{Label, Schedule};
use crate::codec::timestamp::Timestamp;
use crate::crypto::provider::{Aead, CryptoError, Provider};
use crate::envelope::Traffic;
use crate::error::{Error, Misuse, Peer};
use crate::field::{self, Call, Opened, Scope, is_field_name, sealed_len};
use crate::log::format_as;
use crate::nonce::{NonceSequence, WireNonce, limit};
use crate::replay::{Replayed, Window};
use crate::scheme::Scheme;
use core::fmt;
use core::ops::Range;

/// The most bytes of an identifier.
pub const MAX_IDENTIFIER: usize = 255;

/// An identifier as it came, 1 to 255 bytes: what somebody claims.
pub type Identifier = heapless::Vec<u8, MAX_IDENTIFIER, u8>;

/// An agreement of the client: it seals fields of requests and opens fields of their responses.
pub struct Agreement<P: Provider> {
    facts: AgreementFacts,
    keys: Keys<P>,
    nonces: NonceSequence,
    window: Window<2>,
}

/// What an agreement of the client is.
#[derive(Debug)]
pub struct AgreementFacts {
    pub(crate) id: SessionId,
    pub(crate) mode: Mode,
    pub(crate) scheme: Scheme,
    pub(crate) expiry: Expiry,
}

impl AgreementFacts {
    /// Those of no agreement yet.
    pub(crate) const fn none(mode: Mode) -> Self {
        Self { id: SessionId::new(), mode, scheme: Scheme::EcAes2, expiry: Expiry::PAST }
    }
}

/// The keys of both directions.
#[expect(missing_debug_implementations, reason = "there is nothing to show but secrets")]
pub struct Keys<P: Provider> {
    client: Traffic<P::TrafficKey>,
    server: Traffic<P::TrafficKey>,
}

impl<P: Provider> Keys<P> {
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn derive(
        provider: &mut P,
        schedule: &Schedule<'_, P::Prk>,
        aead: Aead,
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            client: Traffic::derive(provider, schedule, Label::CLIENT, aead)?,
            server: Traffic::derive(provider, schedule, Label::SERVER, aead)?,
        })
    }
}

impl<P: Provider> Agreement<P> {
    pub(crate) fn new(facts: AgreementFacts, keys: Keys<P>) -> Self {
        let nonces = NonceSequence::new([0; 4], limit::MESSAGES);
        Self { facts, keys, nonces, window: Window::new() }
    }

    /// `client_reference_id`: the query parameter of every call with sealed fields. It needs no percent-encoding.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.facts.id
    }

    /// What the agreement is worth: pinned or confirmed.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.facts.mode
    }

    /// The scheme that was negotiated.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.facts.scheme
    }

    /// Whether the agreement is past its end, by what the server said or else by the 300 s that it keeps one by default,
    /// counted from sending the request. Once it was, it stays so.
    ///
    /// # Security
    /// What the server said of it is a hint: nothing authenticates it.
    pub fn is_over(&mut self, now: Now) -> bool {
        self.facts.expiry.is_over(now)
    }

    /// How many fields may still be sealed.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.nonces.remaining()
    }

    /// Seals the `len` bytes at the front of `buffer`, the value in UTF-8, into what travels for the field `name` of `call`:
    /// base64, which JSON need not escape. Returns its length, [`field::sealed_len`]`(len)`.
    ///
    /// Seal the fields of a call in the order in which they stand in its body.
    ///
    /// # Errors
    /// [`Error::SessionExpired`], [`Error::SessionExhausted`], [`Error::BufferTooSmall`] with the exact length,
    /// [`Misuse::InvalidRequest`] for a name that is none: nothing has changed. [`Error::Crypto`]: a nonce has been consumed.
    #[inline(never)]
    pub fn seal(
        &mut self,
        provider: &mut P,
        now: Now,
        call: &mut Call<'_>,
        name: &str,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<usize, Error> {
        if self.is_over(now) {
            return Err(Error::SessionExpired);
        }
        check_seal(name, buffer, len)?;
        let nonce = self.nonces.consume(len).map_err(|_| Error::SessionExhausted)?;
        let scope = Scope { reference: &self.facts.id, call, status: None };
        let length = field::seal(provider, &self.keys.client, nonce, scope, name, buffer, len)?;
        call.first.get_or_insert(nonce);
        Ok(length)
    }

    /// Opens the fields `names` of the response to `call`, whose JSON fills `body` and which came with `status`: each in
    /// place, all that are there or none. Returns where the plaintexts stand, in the order of the names; `None` for a field
    /// that is absent.
    ///
    /// # Errors
    /// [`Misuse::InvalidRequest`] for a name that is none: nothing has changed. [`Peer::Malformed`]; [`Peer::Authentication`]
    /// for a field of another call, status, name or agreement, one that came before, or any other byte: the body is erased,
    /// and the agreement stands.
    #[inline(never)]
    pub fn open<const N: usize>(
        &mut self,
        provider: &mut P,
        call: &mut Call<'_>,
        status: u16,
        names: &[&str; N],
        body: &mut [u8],
    ) -> Result<[Option<Range<usize>>; N], Error> {
        let scope = Scope { reference: &self.facts.id, call, status: Some(status) };
        let admitted =
            |nonce: WireNonce| is_within(nonce.counter()) && self.window.check(nonce.counter()).is_ok();
        let opened = field::open(provider, &self.keys.server, scope, names, admitted, body)?;
        commit(&mut self.window, opened.counters()).map_err(|_| Peer::Authentication)?;
        Ok(opened.into_plaintexts())
    }
}

fn is_within(counter: u64) -> bool {
    counter < limit::MESSAGES
}

/// What can be mended before a nonce is consumed.
fn check_seal(name: &str, buffer: &[u8], len: usize) -> Result<(), Error> {
    if !is_field_name(name) {
        return Err(Misuse::InvalidRequest.into());
    }
    let needed = sealed_len(len);
    if buffer.len() < needed { Err(Error::BufferTooSmall { needed }) } else { Ok(()) }
}

/// Commits the counters of one call, all or none.
pub(crate) fn commit<const WORDS: usize>(
    window: &mut Window<WORDS>,
    counters: &[u64],
) -> Result<(), Replayed> {
    let mut next = window.clone();
    counters.iter().try_for_each(|counter| next.commit(*counter))?;
    *window = next;
    Ok(())
}

/// An agreement of the server: an immutable record of keys and facts. What changes with every call, the counters seen and
/// given out, is the store's.
pub struct ServerAgreement<P: Provider> {
    pub(crate) id: SessionId,
    pub(crate) identifier: Identifier,
    pub(crate) scheme: Scheme,
    pub(crate) ends: Timestamp,
    pub(crate) keys: Keys<P>,
    /// The first four bytes of its fields' nonces.
    pub(crate) instance: u32,
}

/// Counters for fields of one response, given out by the store: each seals once.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldCounters {
    next: u64,
    end: u64,
}

impl FieldCounters {
    /// `count` counters from `first` on.
    ///
    /// # Security
    /// For a store: a counter that was given out never comes again for this agreement and instance.
    #[must_use]
    pub const fn new(first: u64, count: u64) -> Self {
        Self { next: first, end: first.saturating_add(count) }
    }
}

impl<P: Provider> ServerAgreement<P> {
    /// `client_reference_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client's `identifier`, 1 to 255 bytes: what somebody claims.
    #[must_use]
    pub fn identifier(&self) -> &[u8] {
        &self.identifier
    }

    /// The scheme that was negotiated.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// When it ends: `now ≥ ends` is expired.
    #[must_use]
    pub const fn ends(&self) -> Timestamp {
        self.ends
    }

    /// Opens the fields `names` of a call, whose JSON fills `body`: each in place, all that are there or none. Commit their
    /// counters next.
    ///
    /// # Errors
    /// [`Misuse::InvalidRequest`] for a name that is none: nothing has changed. [`Peer::Malformed`],
    /// [`Peer::Authentication`]: the body is erased.
    pub fn open<const N: usize>(
        &self,
        provider: &mut P,
        call: &Call<'_>,
        names: &[&str; N],
        body: &mut [u8],
    ) -> Result<Opened<N>, Error> {
        let scope = Scope { reference: &self.id, call, status: None };
        let admitted = |nonce: WireNonce| nonce.prefix() == [0; 4] && is_within(nonce.counter());
        field::open(provider, &self.keys.client, scope, names, admitted, body)
    }

    /// Seals the `len` bytes at the front of `buffer` into what travels for the field `name` of the response to `call` with
    /// `status`. Returns its length, [`field::sealed_len`]`(len)`.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the exact length, [`Misuse::InvalidRequest`] for a name that is none, and
    /// [`Error::SessionExhausted`] when `counters` are used up: nothing has changed. [`Error::Crypto`]: a counter has been
    /// consumed.
    #[expect(clippy::too_many_arguments, reason = "each is one thing, and none goes with another")]
    pub fn seal(
        &self,
        provider: &mut P,
        counters: &mut FieldCounters,
        call: &Call<'_>,
        status: u16,
        name: &str,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<usize, Error> {
        check_seal(name, buffer, len)?;
        let counter = counters.next;
        if counter >= counters.end || !is_within(counter) {
            return Err(Error::SessionExhausted);
        }
        counters.next = counter.saturating_add(1);
        let nonce = WireNonce::new(self.instance.to_be_bytes(), counter);
        let scope = Scope { reference: &self.id, call, status: Some(status) };
        field::seal(provider, &self.keys.server, nonce, scope, name, buffer, len)
    }
}

impl<P: Provider> fmt::Debug for Agreement<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreement").field("facts", &self.facts).finish_non_exhaustive()
    }
}

format_as! {
    [P: Provider] Agreement<P>,
    agreement => "Agreement {{ id: {}, mode: {}, scheme: {} }}",
    agreement.facts.id, agreement.facts.mode, agreement.facts.scheme
}

impl<P: Provider> fmt::Debug for ServerAgreement<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerAgreement")
            .field("id", &self.id)
            .field("scheme", &self.scheme)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

format_as! {
    [P: Provider] ServerAgreement<P>,
    agreement => "ServerAgreement {{ id: {}, scheme: {}, ends: {} }}",
    agreement.id, agreement.scheme, agreement.ends
}
