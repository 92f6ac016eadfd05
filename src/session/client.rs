//! The client's session: it seals requests and opens their responses.

use super::clock::Now;
use super::export;
use super::facts::Facts;
use super::server::plain_request_prefix;
use crate::agreement::schedule::{Label, Schedule};
use crate::crypto::provider::{Aead, CryptoError, Provider};
use crate::envelope::{self, Aad, Answer, Traffic};
use crate::error::{Code, Error, Misuse, Peer};
use crate::log::format_as;
use crate::nonce::{NonceSequence, WireNonce, limit};
use crate::replay::Outstanding;
use core::fmt;

/// A session of the client: [`Facts`], a [`Sealer`] and an [`Opener`].
///
/// `TOKEN` is the room for the token in bytes, `OUTSTANDING` how many requests may await their responses at once
/// (in plain mode one, whatever it is).
pub struct Session<P: Provider, const TOKEN: usize, const OUTSTANDING: usize = 1> {
    pub(crate) facts: Facts<TOKEN>,
    pub(crate) sealer: Sealer<P>,
    pub(crate) opener: Opener<P, OUTSTANDING>,
    pub(crate) exporter: Option<P::Secret>,
}

/// What seals and opens for a session.
#[expect(missing_debug_implementations, reason = "there is nothing to show but secrets")]
pub struct Keys<P: Provider, const OUTSTANDING: usize> {
    pub(crate) sealer: Sealer<P>,
    pub(crate) opener: Opener<P, OUTSTANDING>,
    pub(crate) exporter: Option<P::Secret>,
}

impl<P: Provider, const OUTSTANDING: usize> Keys<P, OUTSTANDING> {
    /// Derives those of any mode (§2.3).
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn derive(
        provider: &mut P,
        schedule: &Schedule<'_, P::Prk>,
        aead: Aead,
    ) -> Result<Self, Error> {
        let (prefix, most, binding) = if schedule.is_plain() {
            let mut random = [0; 4];
            provider.fill(&mut random)?;
            let prefix = plain_request_prefix(random);
            (prefix, limit::PLAIN_REQUESTS, ResponseBinding::NotOwn(prefix))
        } else {
            ([0; 4], limit::MESSAGES, ResponseBinding::Request)
        };
        let mut traffic = |labels| Traffic::derive(provider, schedule, labels, aead);
        Ok(Self {
            sealer: Sealer { traffic: traffic(Label::CLIENT)?, nonces: NonceSequence::new(prefix, most) },
            opener: Opener { traffic: traffic(Label::SERVER)?, binding, outstanding: Outstanding::new() },
            exporter: schedule.exporter(provider)?,
        })
    }
}

/// A request that was sealed: what its response must answer. Hand it to [`Opener::expect`] where the two are apart.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Exchange {
    nonce: WireNonce,
}

impl Exchange {
    /// The nonce of the request's envelope.
    #[must_use]
    pub const fn nonce(&self) -> WireNonce {
        self.nonce
    }
}

/// Seals requests: the key "client write", or the one key of plain mode, and the nonces that it has left.
pub struct Sealer<P: Provider> {
    pub(crate) traffic: Traffic<P::TrafficKey>,
    pub(crate) nonces: NonceSequence,
}

impl<P: Provider> Sealer<P> {
    /// Seals the `len` bytes of plaintext at the front of `buffer` into an envelope there (§2.4) and returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with [`envelope::sealed_len`]`(len)`, [`Misuse::TooLong`] for an id of more than 64 bytes, and
    /// [`Error::SessionExhausted`]: nothing has changed. [`Error::Crypto`]: a nonce has been consumed.
    pub fn seal(
        &mut self,
        provider: &mut P,
        session_id: &str,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<(usize, Exchange), Error> {
        self.seal_bound(provider, &Aad::of_session(session_id)?, buffer, len)
    }

    fn seal_bound(
        &mut self,
        provider: &mut P,
        aad: &Aad,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<(usize, Exchange), Error> {
        let needed = envelope::sealed_len(len);
        if buffer.len() < needed {
            return Err(Error::BufferTooSmall { needed });
        }
        let nonce = self.nonces.consume(len).map_err(|_| Error::SessionExhausted)?;
        let length = envelope::seal(provider, &self.traffic, nonce, aad, buffer, len)?;
        Ok((length, Exchange { nonce }))
    }

    /// How many requests may still be sealed; of a stored session, until counters are reserved again.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.nonces.remaining()
    }
}

/// Opens responses: the key "server write", or the one key of plain mode, and the requests that are outstanding.
pub struct Opener<P: Provider, const OUTSTANDING: usize> {
    pub(crate) traffic: Traffic<P::TrafficKey>,
    pub(crate) binding: ResponseBinding,
    pub(crate) outstanding: Outstanding<OUTSTANDING>,
}

/// What ties a response to its request.
#[derive(Debug)]
pub(crate) enum ResponseBinding {
    /// Plain mode: only that it is not one of our own, which begin with this prefix.
    NotOwn([u8; 4]),
    /// All other modes: the request's counter in the nonce, its nonce and the status in the AAD.
    Request,
}

impl<P: Provider, const OUTSTANDING: usize> Opener<P, OUTSTANDING> {
    /// Whether another request may be sent before a response has come.
    ///
    /// # Errors
    /// [`Misuse::TooManyOutstanding`].
    pub fn check_room(&self) -> Result<(), Error> {
        let plain_and_waiting =
            matches!(self.binding, ResponseBinding::NotOwn(_)) && !self.outstanding.is_empty();
        if plain_and_waiting || self.outstanding.is_full() {
            Err(Misuse::TooManyOutstanding.into())
        } else {
            Ok(())
        }
    }

    /// Awaits the response to a request.
    ///
    /// # Errors
    /// [`Misuse::TooManyOutstanding`] as [`Opener::check_room`].
    pub fn expect(&mut self, exchange: &Exchange) -> Result<(), Error> {
        self.check_room()?;
        self.outstanding.insert(exchange.nonce.counter()).map_err(|_| Misuse::TooManyOutstanding.into())
    }

    /// Awaits it no more: the request was given up. A response that comes after all is refused.
    pub fn abandon(&mut self, exchange: &Exchange) {
        self.outstanding.remove(exchange.nonce.counter());
    }

    /// Outside plain mode what happens after a successful open is answered sealed, and these codes happen there (§2.6).
    const fn may_come_unsealed(&self, code: Code) -> bool {
        let sealed = matches!(
            code,
            Code::RouteNotAllowed
                | Code::UpstreamUnavailable
                | Code::ClientNotAllowed
                | Code::ConfirmationRequired
        );
        matches!(self.binding, ResponseBinding::NotOwn(_)) || !sealed
    }

    /// Opens the response whose body fills `buffer`, which came with `status`, and returns its plaintext, a slice of the
    /// buffer.
    ///
    /// # Errors
    /// [`Misuse::TooLong`] for an id of more than 64 bytes; [`Peer::Malformed`]; [`Peer::Authentication`] for a response to no outstanding request, a second response, a
    /// reflected request, another status or any other byte. The session stands: the response is dropped.
    /// [`Error::Refused`] and [`Peer::UnexpectedStatus`] for an unsealed error, a hint from whoever sits on the wire.
    pub fn open<'b>(
        &mut self,
        provider: &mut P,
        session_id: &str,
        status: u16,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], Error> {
        self.open_bound(provider, &mut Aad::of_session(session_id)?, status, buffer)
    }

    fn open_bound<'b>(
        &mut self,
        provider: &mut P,
        aad: &mut Aad,
        status: u16,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], Error> {
        let envelope = match Answer::parse(buffer)? {
            Answer::Envelope(envelope) => envelope,
            Answer::Error(Some(code)) if code.status() == status && self.may_come_unsealed(code) => {
                return Err(Error::Refused(code));
            }
            Answer::Error(_) => return Err(Peer::UnexpectedStatus(status).into()),
        };
        let nonce = envelope.nonce();
        let answered = match self.binding {
            ResponseBinding::NotOwn(own) if nonce.prefix() == own => return Err(Peer::Authentication.into()),
            ResponseBinding::NotOwn(_) => {
                aad.unbind();
                self.outstanding.oldest()
            }
            ResponseBinding::Request => {
                aad.bind(&WireNonce::new([0; 4], nonce.counter()), status);
                Some(nonce.counter())
            }
        };
        let answered = answered.filter(|counter| self.outstanding.contains(*counter));
        let answered = answered.ok_or(Peer::Authentication)?;
        let plaintext = envelope.open(provider, &self.traffic, aad, buffer)?;
        self.outstanding.remove(answered);
        Ok(plaintext)
    }
}

impl<P: Provider, const TOKEN: usize, const OUTSTANDING: usize> Session<P, TOKEN, OUTSTANDING> {
    pub(crate) fn new(facts: Facts<TOKEN>, keys: Keys<P, OUTSTANDING>) -> Self {
        Self { facts, sealer: keys.sealer, opener: keys.opener, exporter: keys.exporter }
    }

    /// What the session is.
    #[must_use]
    pub const fn facts(&self) -> &Facts<TOKEN> {
        &self.facts
    }

    /// Whether the session is past its end (§2.1). Once it was, it stays so.
    pub fn is_over(&mut self, now: Now) -> bool {
        self.facts.is_over(now)
    }

    /// How many requests may still be sealed; of a stored session, until counters are reserved again.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.sealer.remaining()
    }

    /// Whether it is stored with counters reserved, enough to seal a message of `len` bytes.
    pub(crate) fn has_reserved(&self, len: usize) -> bool {
        self.sealer.nonces.is_reserved() && self.sealer.nonces.check(len).is_ok()
    }

    /// Seals the `len` bytes of plaintext at the front of `buffer` into a request envelope there (§2.4), of
    /// [`envelope::sealed_len`]`(len)` bytes, and awaits its response.
    ///
    /// # Errors
    /// [`Error::SessionExpired`], [`Error::SessionExhausted`], [`Misuse::TooManyOutstanding`],
    /// [`Error::BufferTooSmall`]: nothing has changed. [`Error::Crypto`]: a nonce has been consumed.
    #[inline(never)]
    pub fn seal(
        &mut self,
        provider: &mut P,
        now: Now,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<(usize, Exchange), Error> {
        if self.is_over(now) {
            return Err(Error::SessionExpired);
        }
        self.opener.check_room()?;
        self.facts.id.unbind();
        let (length, exchange) = self.sealer.seal_bound(provider, &self.facts.id, buffer, len)?;
        self.opener.expect(&exchange)?;
        Ok((length, exchange))
    }

    /// Opens a response: see [`Opener::open`].
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    pub fn open<'b>(
        &mut self,
        provider: &mut P,
        status: u16,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], Error> {
        self.opener.open_bound(provider, &mut self.facts.id, status, buffer)
    }

    /// Awaits the response no more: see [`Opener::abandon`].
    pub fn abandon(&mut self, exchange: &Exchange) {
        self.opener.abandon(exchange);
    }

    /// Fills `out` with key material for the application, bound to this session, `label` and `context`: see the exporter
    /// in §2.3. Both ends get the same.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] in plain mode, and for a session that was loaded: its exporter is not stored, for what an
    /// application derived of it is the application's to keep. [`CryptoError::Failed`] for a label or a context over 65,535 bytes, or
    /// more than 8160 bytes of output.
    pub fn export(
        &self,
        provider: &mut P,
        label: &str,
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        export(provider, self.exporter.as_ref(), label, context, out)
    }

    /// Parts the session, so that sealing and opening can live in two tasks. One that is stored seals up to the end of the counters
    /// that are reserved, and then no more.
    pub fn into_parts(self) -> (Facts<TOKEN>, Sealer<P>, Opener<P, OUTSTANDING>) {
        (self.facts, self.sealer, self.opener)
    }
}

impl<P: Provider, const TOKEN: usize, const OUTSTANDING: usize> fmt::Debug
    for Session<P, TOKEN, OUTSTANDING>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("facts", &self.facts).finish_non_exhaustive()
    }
}

format_as! {
    [P: Provider, const TOKEN: usize, const OUTSTANDING: usize] Session<P, TOKEN, OUTSTANDING>,
    session => "Session {{ facts: {} }}", session.facts
}

impl<P: Provider> fmt::Debug for Sealer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("nonces", &self.nonces).finish_non_exhaustive()
    }
}

format_as! { [P: Provider] Sealer<P>, sealer => "Sealer {{ nonces: {} }}", sealer.nonces }

impl<P: Provider, const OUTSTANDING: usize> fmt::Debug for Opener<P, OUTSTANDING> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("outstanding", &self.outstanding).finish_non_exhaustive()
    }
}

format_as! { [P: Provider, const OUTSTANDING: usize] Opener<P, OUTSTANDING>, opener => "Opener {{ outstanding: {} }}", opener.outstanding }

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::codec::timestamp::Timestamp;
    use crate::crypto::Aead;
    use crate::crypto::software::{RawKey, Software, TrafficKey};
    use crate::envelope::Envelope;
    use crate::nonce::limit;
    use crate::scheme::Scheme;
    use crate::session::facts::Token;
    use crate::session::{Expiry, Mode};

    /// Nothing here draws.
    pub(crate) struct Silent;

    impl rand_core::TryRng for Silent {
        type Error = rand_core::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.fill(0);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Silent {}

    /// A session that has sealed so many messages and blocks.
    fn worn(next: u64, blocks: u64) -> Session<Software<Silent>, 0, 2> {
        let traffic = || Traffic { key: RawKey::new(Aead::Aes128Gcm, &[7; 16]).unwrap(), iv: [0; 12] };
        let nonces = NonceSequence::new([0; 4], limit::MESSAGES).worn(next, blocks);
        Session {
            facts: Facts {
                id: Aad::none(),
                token: Token::new(),
                mode: Mode::Confirmed,
                scheme: Scheme::EcAes1,
                expiry: Expiry::new(Now::UNKNOWN, Timestamp::from_unix_millis(u64::MAX), None),
            },
            sealer: Sealer { traffic: traffic(), nonces },
            opener: Opener {
                traffic: traffic(),
                binding: ResponseBinding::Request,
                outstanding: Outstanding::new(),
            },
            exporter: None,
        }
    }

    #[test]
    fn the_last_counter_is_one_below_2_to_the_24() {
        let (mut session, mut provider, mut buffer) =
            (worn((1 << 24) - 1, 0), Software::new(Silent), [0; 128]);
        let (length, exchange) = session.seal(&mut provider, Now::UNKNOWN, &mut buffer, 5).unwrap();
        assert_eq!(exchange.nonce(), WireNonce::new([0; 4], (1 << 24) - 1));
        assert_eq!(Envelope::parse(&mut buffer[..length]).unwrap().nonce(), exchange.nonce());
        for _ in 0..3 {
            let outcome = session.seal(&mut provider, Now::UNKNOWN, &mut buffer, 5);
            assert_eq!(outcome, Err(Error::SessionExhausted));
            assert_eq!(session.remaining(), 0);
        }
    }

    /// An id that does not fit would bind nothing.
    #[test]
    fn halves_refuse_an_id_that_no_session_has() {
        let (_, mut sealer, mut opener) = worn(0, 0).into_parts();
        let (mut provider, mut buffer, id) = (Software::new(Silent), [0; 128], "i".repeat(65));
        let too_long = Error::from(Misuse::TooLong);
        assert_eq!(sealer.seal(&mut provider, &id, &mut buffer, 5), Err(too_long));
        assert_eq!(opener.open(&mut provider, &id, 200, &mut buffer), Err(too_long));
        assert_eq!(sealer.remaining(), limit::MESSAGES);
        assert!(sealer.seal(&mut provider, &id[..64], &mut buffer, 5).is_ok());
    }

    #[test]
    fn blocks_end_it_with_counters_to_spare() {
        let (mut session, mut provider, mut buffer) =
            (worn(9, limit::BLOCKS - 3), Software::new(Silent), [0; 128]);
        let outcome = session.seal(&mut provider, Now::UNKNOWN, &mut buffer, 33);
        assert_eq!(outcome, Err(Error::SessionExhausted), "two blocks of text, a third begun, and the tag");
        assert!(session.seal(&mut provider, Now::UNKNOWN, &mut buffer, 32).is_ok());
        let outcome = session.seal(&mut provider, Now::UNKNOWN, &mut buffer, 0);
        assert_eq!((outcome, session.remaining()), (Err(Error::SessionExhausted), limit::MESSAGES - 10));
    }
}
