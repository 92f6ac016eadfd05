//! The client's handshake.
//!
//! ```text
//! Generate ─▶ Hello ─▶ Reply ─▶ Agree ─▶ Verify ─▶ Sign ─▶ Finish        (Verify from pinned mode on, Sign in mutual)
//!    ▲                   │ RETRY_WITH_SCHEME
//!    └───────────────────┘ once
//! ```

mod answer;
mod config;
mod verification;

pub use config::ClientConfig;
pub use verification::Verification;

use super::HANDSHAKE_NONCE_LEN;
use super::dynamic_key::{HelloMessage, OfferMessage};
use crate::agreement::proof::{self, Role, Statement};
use crate::agreement::schedule::Schedule;
use crate::agreement::transcript::{Binding, ClientFields, Transcript, TranscriptHash};
use crate::codec::cursor::Writer;
use crate::codec::spki::{Group, PublicKey};
use crate::crypto::provider::{CryptoError, HASH_LEN, NONCE_LEN, Provider};
use crate::crypto::{KeyId, Signature, Signer, Verified, Verifier};
#[cfg(doc)]
use crate::envelope;
use crate::envelope::Traffic;
#[cfg(doc)]
use crate::error::Incompatible;
use crate::error::{Error, Misuse, Peer};
use crate::log::{debug, format_as};
use crate::nonce::{NonceSequence, limit};
use crate::replay::Outstanding;
use crate::scheme::Scheme;
use crate::session::client::{Keys, ResponseBinding};
use crate::session::server::plain_request_prefix;
use crate::session::{Facts, Mode, Now, Opener, Sealer, Session};
use core::fmt;

/// What a [`ClientHandshake`] needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ClientNeed {
    /// [`Provider::generate`] for this group: hand the key to [`ClientHandshake::generated`].
    Generate(Group),
    /// [`ClientHandshake::hello`]: write the hello and send it to `POST /api/info/v2`.
    Hello,
    /// [`ClientHandshake::reply`]: the status and body of the answer.
    Reply,
    /// [`ClientHandshake::agreement`] for [`Provider::agree`]: hand Z to [`ClientHandshake::agreed`].
    Agree,
    /// [`ClientHandshake::verification`] for a [`Verifier`]: hand the outcome to [`ClientHandshake::verified`].
    Verify,
    /// [`ClientHandshake::statement`] for a [`Signer`]: hand the signature to [`ClientHandshake::signed`].
    Sign,
    /// [`ClientHandshake::finish`]: the session is there.
    Finish,
    /// Nothing: the handshake has failed and its secrets are gone. Begin another.
    Nothing,
}

/// The client's handshake, up to the session. `TOKEN` is the room for the session's token in bytes, `OUTSTANDING` the
/// number of requests that may await their responses at once.
pub struct ClientHandshake<'c, P: Provider, const TOKEN: usize, const OUTSTANDING: usize = 1> {
    config: ClientConfig<'c>,
    state: State<P, OUTSTANDING>,
    /// Empty before the answer came and after a failure. It is large and does not move with the state.
    answer: Answer<TOKEN>,
    /// The scheme that a 409 named: the one that the next answer must select.
    named: Option<Scheme>,
}

impl<P: Provider, const TOKEN: usize, const OUTSTANDING: usize> fmt::Debug
    for ClientHandshake<'_, P, TOKEN, OUTSTANDING>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake").field("need", &self.need()).finish_non_exhaustive()
    }
}

format_as! {
    [P: Provider, const TOKEN: usize, const OUTSTANDING: usize] ClientHandshake<'_, P, TOKEN, OUTSTANDING>,
    handshake => "ClientHandshake {{ need: {} }}", handshake.need()
}

#[allow(clippy::large_enum_variant, reason = "one state at a time, in place: there is no heap")]
enum State<P: Provider, const OUTSTANDING: usize> {
    Generate(Group),
    Hello(P::EphemeralKey, PublicKey),
    Reply(AwaitReply<P>),
    Agree(P::EphemeralKey, PublicKey),
    Agreeing,
    Verify(Keys<P, OUTSTANDING>),
    Sign(Keys<P, OUTSTANDING>),
    Finish(Keys<P, OUTSTANDING>),
    Failed,
}

struct AwaitReply<P: Provider> {
    private: P::EphemeralKey,
    group: Group,
    /// `None` in plain mode, which has no transcript.
    transcript: Option<Transcript>,
    sent: Now,
}

/// What the answer says.
struct Answer<const TOKEN: usize> {
    facts: Facts<TOKEN>,
    /// `None` in plain mode.
    confirmation: Option<Confirmation>,
    /// The client's own signature, in mutual mode.
    introduction: Option<Signature>,
}

/// What has to confirm the answer.
struct Confirmation {
    transcript: TranscriptHash,
    proof: [u8; HASH_LEN],
    /// `None` below pinned mode.
    identity: Option<(KeyId, Signature)>,
}

impl<const TOKEN: usize> Answer<TOKEN> {
    const fn none(mode: Mode) -> Self {
        Self { facts: Facts::none(mode), confirmation: None, introduction: None }
    }

    /// Says nothing any more, in its place.
    fn clear(&mut self) {
        self.facts.clear();
        self.confirmation = None;
        self.introduction = None;
    }
}

impl<'c, P: Provider, const TOKEN: usize, const OUTSTANDING: usize>
    ClientHandshake<'c, P, TOKEN, OUTSTANDING>
{
    /// Begins a handshake.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`]: a string of another length or character than §2.1 allows, no scheme, a scheme
    /// twice, or mutual mode without an identity.
    pub fn new(config: &ClientConfig<'c>) -> Result<Self, Error> {
        config.check()?;
        Ok(Self::begin(config))
    }

    /// Begins a handshake with a configuration that was checked.
    pub(crate) fn begin(config: &ClientConfig<'c>) -> Self {
        Self {
            config: *config,
            state: State::Generate(config.first_group()),
            answer: Answer::none(config.mode),
            named: None,
        }
    }

    /// Begins anew, in place: it is large.
    pub(crate) fn begin_again(&mut self) {
        self.state = State::Generate(self.config.first_group());
        self.answer.clear();
        self.named = None;
    }

    /// What it needs next.
    #[must_use]
    pub const fn need(&self) -> ClientNeed {
        match &self.state {
            State::Generate(group) => ClientNeed::Generate(*group),
            State::Hello(..) => ClientNeed::Hello,
            State::Reply(_) => ClientNeed::Reply,
            State::Agree(..) | State::Agreeing => ClientNeed::Agree,
            State::Verify(_) => ClientNeed::Verify,
            State::Sign(_) => ClientNeed::Sign,
            State::Finish(_) => ClientNeed::Finish,
            State::Failed => ClientNeed::Nothing,
        }
    }

    fn wrong_turn(&self) -> Error {
        match self.state {
            State::Failed => Misuse::HandshakeFailed.into(),
            _ => Misuse::WrongTurn.into(),
        }
    }

    /// Takes the outcome of [`Provider::generate`].
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`]; the provider's error, after which the handshake has failed.
    #[inline(never)]
    pub fn generated(
        &mut self,
        outcome: Result<(P::EphemeralKey, PublicKey), CryptoError>,
    ) -> Result<(), Error> {
        let group = take!(self, State::Generate(group) => group);
        let (private, public) = outcome?;
        if public.group() != group {
            return Err(CryptoError::Failed.into());
        }
        self.state = State::Hello(private, public);
        Ok(())
    }

    /// Writes the hello to the front of `out` and returns its length. `now` is when it is sent: lifetimes count from it.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the exact length, at most [`ClientConfig::hello_len`], and [`Misuse::WrongTurn`]:
    /// nothing has changed. [`Error::Crypto`]: the handshake has failed.
    #[inline(never)]
    pub fn hello(&mut self, provider: &mut P, now: Now, out: &mut [u8]) -> Result<usize, Error> {
        if let State::Hello(_, public) = &self.state {
            let needed = self.config.hello_len_with(public.spki_len());
            if out.len() < needed {
                return Err(Error::BufferTooSmall { needed });
            }
        }
        let (private, public) = take!(self, State::Hello(private, public) => (private, public));
        let group = public.group();
        let (length, transcript) = self.write_hello(provider, &public, out)?;
        self.state = State::Reply(AwaitReply { private, group, transcript, sent: now });
        debug!("hello: {} bytes", length);
        Ok(length)
    }

    #[inline(never)]
    fn write_hello(
        &self,
        provider: &mut P,
        public: &PublicKey,
        out: &mut [u8],
    ) -> Result<(usize, Option<Transcript>), Error> {
        let config = &self.config;
        let (mut der, mut nonce) = ([0; Group::MAX_OWN_SPKI_LEN], [0; HANDSHAKE_NONCE_LEN]);
        let der = public.write_spki(&mut der)?;
        let mut message = HelloMessage {
            public_key: der,
            device_id: config.device_id,
            platform: config.platform,
            client_type: config.client_type.name(),
            client_id: config.client_id,
            offer: None,
        };
        if config.mode == Mode::Plain {
            return Ok((message.write(out)?, None));
        }
        provider.fill(&mut nonce)?;
        message.offer = Some(OfferMessage { schemes: config.schemes, nonce: &nonce, kid: config.kid() });
        let transcript = self.begin_transcript(der, &nonce)?;
        Ok((message.write(out)?, Some(transcript)))
    }

    #[inline(never)] // one frame less in its caller's
    fn begin_transcript(&self, public_key: &[u8], nonce: &[u8]) -> Result<Transcript, Error> {
        let config = &self.config;
        let mut room = [0; Scheme::MAX_NAMES_LEN];
        let mut schemes = Writer::new(&mut room);
        Scheme::put_names(config.schemes, &mut schemes);
        Transcript::begin(&ClientFields {
            binding: Binding::DynamicKeyV2,
            public_key,
            nonce,
            schemes: schemes.finish_slice()?,
            device_id: config.device_id.as_bytes(),
            platform: config.platform,
            client_type: config.client_type.name(),
            client_id: config.client_id,
            kid: config.kid(),
        })
        .map_err(|_| Misuse::InvalidConfiguration.into())
    }

    /// Takes the answer: its HTTP status and the whole of its body.
    ///
    /// A 409 that names an offered scheme of another group leads back to [`ClientNeed::Generate`], once.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`]: nothing has changed. After any other the handshake has failed: [`Peer::Malformed`],
    /// [`Peer::InvalidPublicKey`], [`Peer::Downgrade`], [`Error::Refused`] with the gateway's code (a hint from whoever
    /// sits on the wire), [`Peer::UnexpectedStatus`], [`Incompatible`].
    #[inline(never)]
    pub fn reply(&mut self, status: u16, body: &[u8]) -> Result<(), Error> {
        let waiting = take!(self, State::Reply(waiting) => waiting);
        if status != 200 {
            let scheme = self.named_scheme(status, body, waiting.group)?;
            self.named = Some(scheme);
            self.state = State::Generate(scheme.group());
            return Ok(());
        }
        let peer = self.choose(body, &waiting);
        let peer = peer.map_err(|error| self.failed(error))?;
        self.state = State::Agree(waiting.private, peer);
        Ok(())
    }

    /// Forgets what the answer said: the token is a secret, too.
    fn failed(&mut self, error: Error) -> Error {
        self.answer.clear();
        error
    }

    /// The private key and the peer's public one, for [`Provider::agree`]. They are handed out once.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    #[inline(never)]
    pub fn agreement(&mut self) -> Result<(P::EphemeralKey, PublicKey), Error> {
        let taken = take!(self, State::Agree(private, peer) => (private, peer));
        self.state = State::Agreeing;
        Ok(taken)
    }

    /// Takes the outcome of [`Provider::agree`], derives the keys and checks the proof.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`]: nothing has changed. After any other the handshake has failed: [`Peer::InvalidPublicKey`],
    /// [`Peer::Authentication`], [`Error::Crypto`].
    #[inline(never)]
    pub fn agreed(
        &mut self,
        provider: &mut P,
        outcome: Result<P::SharedSecret, CryptoError>,
    ) -> Result<(), Error> {
        if !matches!(self.state, State::Agreeing) {
            return Err(self.wrong_turn());
        }
        self.state = State::Failed;
        let outcome = outcome.map_err(Error::from).and_then(|z| match self.config.mode {
            Mode::Plain => self.plain_keys(provider, z),
            _ => self.confirm(provider, z),
        });
        outcome.map_err(|error| self.failed(error))
    }

    /// Derives the keys and checks the proof.
    #[inline(never)] // one frame less in its caller's
    fn confirm(&mut self, provider: &mut P, z: P::SharedSecret) -> Result<(), Error> {
        let Some(Confirmation { transcript, proof, identity }) = &self.answer.confirmation else {
            return Err(Peer::Downgrade.into());
        };
        let schedule = Schedule::new(provider, transcript, z);
        let schedule = schedule.as_ref().map_err(|error| *error)?; // where it is: a PRK is large
        if !proof::matches(&schedule.proof(provider, transcript)?, proof) {
            return Err(Peer::Authentication.into());
        }
        let signed = self.config.mode >= Mode::Pinned;
        if signed && identity.is_none() {
            return Err(Peer::Downgrade.into());
        }
        let keys = Keys::derive(provider, schedule, self.answer.facts.scheme.aead())?;
        self.state = if signed { State::Verify(keys) } else { State::Finish(keys) };
        Ok(())
    }

    #[inline(never)]
    fn plain_keys(&mut self, provider: &mut P, z: P::SharedSecret) -> Result<(), Error> {
        let mut random = [0; 4];
        provider.fill(&mut random)?;
        let prefix = plain_request_prefix(random);
        let (seal, open) = self.config.plain.keys(provider, z, &self.answer.facts.id)?;
        self.state = State::Finish(Keys {
            sealer: Sealer {
                traffic: Traffic { key: seal, iv: [0; NONCE_LEN] },
                nonces: NonceSequence::new(prefix, limit::PLAIN_REQUESTS),
            },
            opener: Opener {
                traffic: Traffic { key: open, iv: [0; NONCE_LEN] },
                binding: ResponseBinding::NotOwn(prefix),
                outstanding: Outstanding::new(),
            },
            exporter: None,
        });
        Ok(())
    }

    /// The gateway's signature, to be verified by a key that the client pins.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    pub fn verification(&self) -> Result<Verification, Error> {
        match (&self.state, &self.answer.confirmation) {
            (State::Verify(_), Some(Confirmation { transcript, identity: Some((kid, signature)), .. })) => {
                let statement = Statement::new(Role::Server, transcript);
                Ok(Verification { kid: *kid, statement, signature: *signature })
            }
            _ => Err(self.wrong_turn()),
        }
    }

    /// Takes the outcome of [`Verification::run`].
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`]: nothing has changed. [`Peer::Authentication`]: the handshake has failed.
    #[inline(never)]
    pub fn verified(&mut self, outcome: Result<Verified, CryptoError>) -> Result<(), Error> {
        let keys = take!(self, State::Verify(keys) => keys);
        let _: Verified = outcome.map_err(|error| self.failed(error.into()))?;
        self.state = if self.config.mode == Mode::Mutual { State::Sign(keys) } else { State::Finish(keys) };
        Ok(())
    }

    /// What the client's identity has to sign, 54 bytes: the gateway's has been verified by now.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    pub fn statement(&self) -> Result<Statement, Error> {
        match (&self.state, &self.answer.confirmation) {
            (State::Sign(_), Some(confirmation)) => {
                Ok(Statement::new(Role::Client, &confirmation.transcript))
            }
            _ => Err(self.wrong_turn()),
        }
    }

    /// Takes the outcome of [`Signer::sign`] over [`ClientHandshake::statement`].
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`]: nothing has changed. [`Error::Crypto`]: the handshake has failed.
    #[inline(never)]
    pub fn signed(&mut self, outcome: Result<Signature, CryptoError>) -> Result<(), Error> {
        let keys = take!(self, State::Sign(keys) => keys);
        self.answer.introduction = Some(outcome.map_err(|error| self.failed(error.into()))?);
        self.state = State::Finish(keys);
        Ok(())
    }

    /// The client's signature, to be attached to each request by [`envelope::introduce`] until the first response has been
    /// opened: in mutual mode, once it was made.
    #[must_use]
    pub const fn introduction(&self) -> Option<&Signature> {
        self.answer.introduction.as_ref()
    }

    /// Ends in a session.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`] when a step is missing, [`Misuse::HandshakeFailed`] when one failed.
    #[inline(never)]
    pub fn finish(self) -> Result<Session<P, TOKEN, OUTSTANDING>, Error> {
        match self.state {
            State::Finish(keys) => Ok(Session::new(self.answer.facts, keys)),
            State::Failed => Err(Misuse::HandshakeFailed.into()),
            _ => Err(Misuse::WrongTurn.into()),
        }
    }

    /// As [`ClientHandshake::finish`], into the place of the session: both are large.
    #[inline(never)]
    pub(crate) fn finish_into(
        &mut self,
        place: &mut Option<Session<P, TOKEN, OUTSTANDING>>,
    ) -> Result<(), Error> {
        let keys = take!(self, State::Finish(keys) => keys);
        let session = place.insert(Session::new(Facts::none(self.config.mode), keys));
        core::mem::swap(&mut session.facts, &mut self.answer.facts);
        Ok(())
    }

    /// Performs the slow operations that are due, one after the other, until the machine needs something else. Signing, in
    /// mutual mode, is left to [`ClientHandshake::sign`].
    ///
    /// # Errors
    /// Those of the steps.
    #[inline(never)] // one frame less in its caller's
    pub fn compute(&mut self, provider: &mut P, verifier: &mut impl Verifier) -> Result<ClientNeed, Error> {
        loop {
            match self.need() {
                ClientNeed::Generate(group) => self.generated(provider.generate(group))?,
                ClientNeed::Agree => {
                    let (private, peer) = self.agreement()?;
                    let outcome = provider.agree(private, &peer);
                    self.agreed(provider, outcome)?;
                }
                ClientNeed::Verify => self.verified(self.verification()?.run(verifier))?,
                other => return Ok(other),
            }
        }
    }

    /// Signs, where that is due.
    ///
    /// # Errors
    /// Those of the steps.
    pub fn sign(&mut self, signer: &mut impl Signer) -> Result<(), Error> {
        let statement = self.statement()?;
        self.signed(signer.sign(statement.as_bytes()))
    }
}
