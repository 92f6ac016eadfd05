//! The client's handshake.
//!
//! ```text
//! Generate ─▶ Hello ─▶ Reply ─▶ Agree ─▶ Verify ─▶ Finish        (plain and confirmed modes skip Verify)
//!    ▲                   │ RETRY_WITH_SCHEME
//!    └───────────────────┘ once
//! ```

use super::dynamic_key::{
    AnswerFields, ChoiceFields, ErrorFields, HelloMessage, IdentityFields, MAX_NONCE, hello_len, nonce,
};
use super::{HANDSHAKE_NONCE_LEN, is_claim};
use crate::agreement::proof::{self, Role, Statement};
use crate::agreement::schedule::{PlainKdf, Schedule};
use crate::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript, TranscriptHash};
use crate::codec::base64::Base64Error;
use crate::codec::cursor::Writer;
use crate::codec::json::escaped_len;
use crate::codec::spki::{Group, PublicKey};
use crate::codec::timestamp::Timestamp;
use crate::crypto::provider::{CryptoError, HASH_LEN, NONCE_LEN, Provider};
use crate::crypto::{KeyId, Signature, Verified, Verifier};
use crate::envelope::Traffic;
use crate::error::{Code, Error, Incompatible, Misuse, Peer};
use crate::log::debug;
use crate::nonce::{NonceSequence, limit};
use crate::replay::Outstanding;
use crate::scheme::{NameList, Scheme};
use crate::session::client::{Keys, ResponseBinding};
use crate::session::server::plain_request_prefix;
use crate::session::{
    ClientType, Expiry, Facts, Mode, Now, Opener, Sealer, Session, copy_bounded, is_session_id, is_token,
};
use core::fmt;

/// What a client claims to be, and what it demands.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientConfig<'c> {
    /// `client.type`.
    pub client_type: ClientType,
    /// `client.clientId`: 1 to 64 characters of 0x20–0x7E.
    pub client_id: &'c str,
    /// `device.id`: 1 to 64 characters of 0x20–0x7E.
    pub device_id: &'c str,
    /// `device.platform`: `browser`, `ios`, `android`, `server` or another, 1 to 32 characters of 0x20–0x7E.
    pub platform: &'c str,
    /// The least that a session must be worth. The client never falls back below it.
    pub mode: Mode,
    /// The schemes that the client supports, in order of preference; plain mode knows only SCHEME-EC-AES2.
    pub schemes: &'c [Scheme],
    /// How plain mode derives its key.
    pub plain: PlainKdf<'c>,
}

impl<'c> ClientConfig<'c> {
    /// A client of pinned mode with the elliptic-curve schemes, strongest first.
    #[must_use]
    pub const fn new(
        client_type: ClientType,
        client_id: &'c str,
        device_id: &'c str,
        platform: &'c str,
    ) -> Self {
        Self {
            client_type,
            client_id,
            device_id,
            platform,
            mode: Mode::Pinned,
            schemes: &Scheme::ELLIPTIC,
            plain: PlainKdf { salt: None, info: b"dynamic-key-v2" },
        }
    }

    /// The length in bytes of the hello with a key of `group`: exactly what [`ClientHandshake::hello`] needs.
    #[must_use]
    pub const fn hello_len(&self, group: Group) -> usize {
        let strings = escaped_len(self.device_id)
            .saturating_add(escaped_len(self.platform))
            .saturating_add(self.client_type.name().len())
            .saturating_add(escaped_len(self.client_id));
        let schemes = match self.mode {
            Mode::Plain => None,
            _ => Some(self.schemes),
        };
        hello_len(group.spki_len(), strings, schemes)
    }

    fn first_scheme(&self) -> Option<Scheme> {
        if self.mode == Mode::Plain { Some(Scheme::EcAes2) } else { self.schemes.first().copied() }
    }

    fn check(&self) -> Result<Scheme, Error> {
        let strings =
            is_claim(self.client_id, 64) && is_claim(self.device_id, 64) && is_claim(self.platform, 32);
        let repeated = self
            .schemes
            .iter()
            .enumerate()
            .any(|(at, scheme)| self.schemes.iter().take(at).any(|s| s == scheme));
        match self.first_scheme() {
            Some(scheme) if strings && !repeated && self.mode != Mode::Mutual => Ok(scheme),
            _ => Err(Misuse::InvalidConfiguration.into()),
        }
    }
}

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
    /// [`ClientHandshake::finish`]: the session is there.
    Finish,
    /// Nothing: the handshake has failed and its secrets are gone. Begin another.
    Nothing,
}

/// A signature to be verified: by whom, over what.
#[derive(Clone, Copy, Debug)]
pub struct Verification {
    kid: KeyId,
    statement: Statement,
    signature: Signature,
}

impl Verification {
    /// The id of the key that must have signed.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The 54 bytes that must have been signed.
    #[must_use]
    pub const fn message(&self) -> &[u8] {
        self.statement.as_bytes()
    }

    /// The ES256 signature, 64 bytes.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Has `verifier` verify it. Slow.
    ///
    /// # Errors
    /// Those of [`Verifier::verify`].
    pub fn run(&self, verifier: &mut impl Verifier) -> Result<Verified, CryptoError> {
        verifier.verify(&self.kid, self.message(), &self.signature)
    }
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

#[allow(clippy::large_enum_variant, reason = "one state at a time, in place: there is no heap")]
enum State<P: Provider, const OUTSTANDING: usize> {
    Generate(Group),
    Hello(P::EphemeralKey, PublicKey),
    Reply(AwaitReply<P>),
    Agree(P::EphemeralKey, PublicKey),
    Agreeing,
    Verify(Keys<P, OUTSTANDING>),
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
        Self { facts: Facts::none(mode), confirmation: None }
    }
}

impl<'c, P: Provider, const TOKEN: usize, const OUTSTANDING: usize>
    ClientHandshake<'c, P, TOKEN, OUTSTANDING>
{
    /// Begins a handshake.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`]: a string of another length or character than §2.1 allows, no scheme, a scheme
    /// twice, or mutual mode, for which this version has no client.
    pub fn new(config: &ClientConfig<'c>) -> Result<Self, Error> {
        let first = config.check()?;
        Ok(Self {
            config: *config,
            state: State::Generate(first.group()),
            answer: Answer::none(config.mode),
            named: None,
        })
    }

    /// What it needs next.
    #[must_use]
    pub const fn need(&self) -> ClientNeed {
        match &self.state {
            State::Generate(group) => ClientNeed::Generate(*group),
            State::Hello(..) => ClientNeed::Hello,
            State::Reply(_) => ClientNeed::Reply,
            State::Agree(..) | State::Agreeing => ClientNeed::Agree,
            State::Verify(..) => ClientNeed::Verify,
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
    /// [`Error::BufferTooSmall`] with [`ClientConfig::hello_len`] and [`Misuse::WrongTurn`]: nothing has changed.
    /// [`Error::Crypto`]: the handshake has failed.
    #[inline(never)]
    pub fn hello(&mut self, provider: &mut P, now: Now, out: &mut [u8]) -> Result<usize, Error> {
        if let State::Hello(_, public) = &self.state {
            let needed = self.config.hello_len(public.group());
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
        let (mut der, mut nonce) = ([0; Group::MAX_SPKI_LEN], [0; HANDSHAKE_NONCE_LEN]);
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
        message.offer = Some((config.schemes, &nonce));
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
            kid: None,
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
        self.answer = Answer::none(self.config.mode);
        error
    }

    /// The scheme that an error names for another try.
    #[inline(never)]
    fn named_scheme(&self, status: u16, body: &[u8], group: Group) -> Result<Scheme, Error> {
        let unexpected = Error::Peer(Peer::UnexpectedStatus(status));
        let fields = ErrorFields::parse(body).map_err(|_| unexpected)?;
        match fields.code.filter(|code| code.status() == status) {
            Some(Code::RetryWithScheme) => {
                let scheme = fields.scheme.ok_or(Peer::Malformed)?;
                let offered = self.config.mode != Mode::Plain && self.config.schemes.contains(&scheme);
                if !offered || self.named.is_some() || scheme.group() == group {
                    return Err(Peer::Downgrade.into());
                }
                Ok(scheme)
            }
            Some(code) => Err(Error::Refused(code)),
            None => Err(unexpected),
        }
    }

    /// Checks the answer against what was demanded, takes its facts, and completes the transcript.
    #[inline(never)]
    fn choose(&mut self, body: &[u8], waiting: &AwaitReply<P>) -> Result<PublicKey, Error> {
        let (group, transcript) = (waiting.group, waiting.transcript.as_ref());
        let answer = AnswerFields::parse(body, transcript.is_some())?;
        let mut der = [0; Group::MAX_SPKI_LEN];
        let der = match answer.public_key.base64(&mut der) {
            Ok(der) => der,
            Err(Base64Error::BufferTooSmall(_)) => return Err(Peer::InvalidPublicKey.into()),
            Err(_) => return Err(Peer::Malformed.into()),
        };
        let peer = PublicKey::from_spki(der).map_err(|_| Peer::InvalidPublicKey)?;
        if peer.group() != group {
            return Err(Peer::InvalidPublicKey.into());
        }
        let mut room = [0; Timestamp::MAX_LEN];
        let expires_at = answer.expires_at.copy_to(&mut room).map_err(|_| Peer::Malformed)?;
        self.take_facts(&answer, expires_at, waiting.sent)?;

        let (Some(transcript), Some(choice)) = (transcript, &answer.choice) else {
            return if self.config.mode == Mode::Plain { Ok(peer) } else { Err(Peer::Downgrade.into()) };
        };
        self.answer.facts.scheme = self.accept(choice, group)?;
        if choice.has_features()? {
            return Err(Peer::Downgrade.into()); // none was offered
        }
        let transcript = self.complete(transcript, &answer, choice, der, expires_at)?;
        self.take_confirmation(transcript, choice)?;
        Ok(peer)
    }

    /// Completes the transcript.
    #[inline(never)] // one frame less in its caller's
    fn complete(
        &self,
        transcript: &Transcript,
        answer: &AnswerFields<'_>,
        choice: &ChoiceFields<'_>,
        public_key: &[u8],
        expires_at: &str,
    ) -> Result<TranscriptHash, Error> {
        let mut room = [0; MAX_NONCE];
        let nonce = nonce(choice.nonce, &mut room)?;
        let kid = choice.identity.as_ref().map(IdentityFields::kid).transpose()?;
        let fields = ServerFields {
            public_key,
            nonce,
            scheme: self.answer.facts.scheme,
            session_id: &self.answer.facts.id,
            expires_at,
            token: self.answer.facts.token.as_str(),
            identifier: &[],
            kid: kid.as_ref(),
            expires_in: choice.expires_in.as_str(),
            expire_token: answer.expire_token.as_str(),
            offered_features: NameList::NONE,
            selected_features: NameList::NONE,
        };
        transcript.clone().finish(&fields).map_err(|_| Peer::Malformed.into())
    }

    /// Takes what has to confirm the answer.
    #[inline(never)] // one frame less in its caller's
    fn take_confirmation(
        &mut self,
        transcript: TranscriptHash,
        choice: &ChoiceFields<'_>,
    ) -> Result<(), Error> {
        let confirmation = Confirmation { transcript, proof: choice.proof()?, identity: None };
        let confirmation = self.answer.confirmation.insert(confirmation);
        if let Some(identity) = &choice.identity {
            let signed = (identity.kid()?, identity.signature()?);
            // Below pinned mode nobody could verify the signature: it is in the transcript, and that is all.
            if self.config.mode >= Mode::Pinned {
                confirmation.identity = Some(signed);
            }
        }
        Ok(())
    }

    /// Takes the session's facts as the answer has them.
    #[inline(never)] // one frame less in its caller's
    fn take_facts(&mut self, answer: &AnswerFields<'_>, expires_at: &str, sent: Now) -> Result<(), Error> {
        let facts = &mut self.answer.facts;
        copy_bounded(answer.session_id, &mut facts.id)
            .filter(|()| is_session_id(&facts.id))
            .ok_or(Peer::Malformed)?;
        let length = answer.token.len();
        facts.token.copy_json(answer.token).ok_or(Incompatible::TokenTooLong { length })?;
        if !is_token(facts.token.as_str()) {
            return Err(Peer::Malformed.into());
        }
        let mut ends = Timestamp::parse(expires_at.as_bytes()).map_err(|_| Peer::Malformed)?;
        let expire_token = answer.expire_token.integer()?;
        if expire_token != 0 {
            ends = ends.min(Timestamp::from_unix_secs(expire_token));
        }
        let expires_in = match &answer.choice {
            Some(choice) => Some(choice.expires_in.integer()?),
            None => None,
        };
        facts.expiry = Expiry::new(sent, ends, expires_in);
        if facts.expiry.is_over(sent) {
            return Err(Incompatible::AlreadyExpired.into());
        }
        Ok(())
    }

    /// The scheme that the answer selects, if it is one that we may accept.
    fn accept(&self, choice: &ChoiceFields<'_>, group: Group) -> Result<Scheme, Error> {
        choice
            .scheme()
            .filter(|scheme| self.config.schemes.contains(scheme) && scheme.group() == group)
            .filter(|scheme| self.named.is_none_or(|named| named == *scheme))
            .filter(|_| self.config.mode < Mode::Pinned || choice.identity.is_some())
            .ok_or(Error::Peer(Peer::Downgrade))
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
        let outcome = outcome.map_err(Error::from).and_then(|z| match self.answer.confirmation {
            Some(_) => self.confirm(provider, z),
            None => self.plain_keys(provider, z),
        });
        outcome.map_err(|error| self.failed(error))
    }

    /// Derives the keys and checks the proof.
    #[inline(never)] // one frame less in its caller's
    fn confirm(&mut self, provider: &mut P, z: P::SharedSecret) -> Result<(), Error> {
        let Some(Confirmation { transcript, proof, identity }) = &self.answer.confirmation else {
            return Err(self.wrong_turn());
        };
        let schedule = Schedule::new(provider, transcript, z)?;
        if !proof::matches(&schedule.proof(provider, transcript)?, proof) {
            return Err(Peer::Authentication.into());
        }
        if identity.is_none() && self.config.mode >= Mode::Pinned {
            return Err(Peer::Downgrade.into());
        }
        let keys = Keys::derive(provider, &schedule, self.answer.facts.scheme.aead())?;
        self.state = if identity.is_some() { State::Verify(keys) } else { State::Finish(keys) };
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
        self.state = State::Finish(keys);
        Ok(())
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

    /// Performs the slow operations that are due, one after the other, until the machine needs something else.
    ///
    /// # Errors
    /// Those of the steps.
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
}
