//! The client's end of Dynamic Key V2: what it says, and what it makes of an answer.

use super::binding::{ClientBinding, Sent};
use super::{ClientConfig, ClientHandshake, ClientMachine, Confirmation, Due, State};
use crate::agreement::proof::{Role, Statement};
use crate::agreement::schedule::Schedule;
use crate::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript};
use crate::codec::BufferTooSmall;
use crate::codec::cursor::Writer;
use crate::codec::json::Str;
use crate::codec::spki::{Group, PublicKey};
use crate::codec::timestamp::Timestamp;
use crate::crypto::provider::{CryptoError, Provider};
use crate::crypto::{Signature, Signer};
#[cfg(doc)]
use crate::envelope;
use crate::error::{Code, Error, Incompatible, Misuse, Peer};
use crate::handshake::HANDSHAKE_NONCE_LEN;
use crate::handshake::dynamic_key::{AnswerFields, ChoiceFields, ErrorFields, HelloMessage, OfferMessage};
use crate::handshake::members::{MAX_NONCE, nonce, server_key};
use crate::scheme::{NameList, Scheme};
use crate::session::client::Keys;
use crate::session::{Expiry, Facts, Mode, Now, Session, is_session_id, is_token};

/// The messages of Dynamic Key V2 (§2.1) at the client's end.
#[derive(Debug)]
pub struct DynamicKey<'c, const TOKEN: usize, const OUTSTANDING: usize> {
    config: ClientConfig<'c>,
    /// The scheme that a 409 named: the one that the next answer must select.
    named: Option<Scheme>,
    /// What the answer said; nothing before it came and after a failure.
    facts: Facts<TOKEN>,
    /// The client's own signature, in mutual mode.
    introduction: Option<Signature>,
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
    #[inline(never)] // what it is made of is not in its caller's frame
    pub(crate) fn begin(config: &ClientConfig<'c>) -> Self {
        let facts = Facts::none(config.mode);
        let binding = DynamicKey { config: *config, named: None, facts, introduction: None };
        ClientMachine::starting(binding, config.first_group())
    }

    /// Begins anew, in place: it is large.
    pub(crate) fn begin_again(&mut self) {
        self.state = State::Generate(self.binding.config.first_group());
        self.confirmation = None;
        self.binding.clear();
        self.binding.named = None;
    }

    /// What the client's identity has to sign, 54 bytes: the gateway's has been verified by now.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    pub fn statement(&self) -> Result<Statement, Error> {
        match (&self.state, &self.confirmation) {
            (State::Keys(_, Due::Sign), Some(confirmation)) => {
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
        let State::Keys(_, due @ Due::Sign) = &mut self.state else { return Err(self.wrong_turn()) };
        match outcome {
            Ok(signature) => {
                self.binding.introduction = Some(signature);
                *due = Due::Finish;
                Ok(())
            }
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// The client's signature, to be attached to each request by [`envelope::introduce`] until the first response has been
    /// opened: in mutual mode, once it was made.
    #[must_use]
    pub const fn introduction(&self) -> Option<&Signature> {
        self.binding.introduction.as_ref()
    }

    /// As [`ClientHandshake::finish`], into the place of the session: both are large.
    #[inline(never)]
    pub(crate) fn finish_into(
        &mut self,
        place: &mut Option<Session<P, TOKEN, OUTSTANDING>>,
    ) -> Result<(), Error> {
        let keys = take!(self, State::Keys(keys, Due::Finish) => keys);
        let session = place.insert(Session::new(Facts::none(self.binding.config.mode), keys));
        core::mem::swap(&mut session.facts, &mut self.binding.facts);
        Ok(())
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

impl<P: Provider, const TOKEN: usize, const OUTSTANDING: usize> ClientBinding<P>
    for DynamicKey<'_, TOKEN, OUTSTANDING>
{
    type Session = Session<P, TOKEN, OUTSTANDING>;
    type Keys = Keys<P, OUTSTANDING>;

    fn mode(&self) -> Mode {
        self.config.mode
    }

    #[inline(never)]
    fn write_hello(
        &self,
        provider: &mut P,
        public: &PublicKey,
        out: &mut [u8],
    ) -> Result<(usize, Option<Transcript>), Error> {
        let config = &self.config;
        let mut der = [0; Group::MAX_OWN_SPKI_LEN];
        let der = public.write_spki(&mut der)?;
        let mut nonce = [0; HANDSHAKE_NONCE_LEN];
        let offers = config.mode != Mode::Plain;
        if offers {
            provider.fill(&mut nonce)?;
        }
        let message = HelloMessage {
            public_key: der,
            device_id: config.device_id,
            platform: config.platform,
            client_type: config.client_type.name(),
            client_id: config.client_id,
            offer: offers.then_some(OfferMessage { schemes: config.schemes, nonce, kid: config.kid() }),
        };
        let length = message.write(out)?;
        let transcript = if offers { Some(self.begin_transcript(der, &nonce)?) } else { None };
        Ok((length, transcript))
    }

    /// The group of the scheme that a 409 names.
    #[inline(never)]
    fn refused(&mut self, status: u16, body: &[u8], group: Group) -> Result<Group, Error> {
        let unexpected = Error::Peer(Peer::UnexpectedStatus(status));
        let fields = ErrorFields::parse(body).map_err(|_| unexpected)?;
        match fields.code.filter(|code| code.status() == status) {
            Some(Code::RetryWithScheme) => {
                let scheme = fields.scheme.ok_or(Peer::Malformed)?;
                let offered = self.config.mode != Mode::Plain && self.config.schemes.contains(&scheme);
                if !offered || self.named.is_some() || scheme.group() == group {
                    return Err(Peer::Downgrade.into());
                }
                self.named = Some(scheme);
                Ok(scheme.group())
            }
            Some(code) => Err(Error::Refused(code)),
            None => Err(unexpected),
        }
    }

    #[inline(never)]
    fn accept(
        &mut self,
        body: &[u8],
        sent: &Sent,
        confirmation: &mut Option<Confirmation>,
    ) -> Result<PublicKey, Error> {
        let malformed = Error::Peer(Peer::Malformed);
        let mut answer = AnswerFields::default();
        answer.read(body).ok_or(malformed)?;
        let mut der = [0; Group::MAX_SPKI_LEN];
        let (peer, der) = server_key(answer.public_key(), sent.group, &mut der)?;
        let mut room = [0; Timestamp::MAX_LEN];
        let expires_at = answer.expires_at().copy_to(&mut room).map_err(|_| malformed)?;
        let Some(transcript) = &sent.transcript else {
            // Plain mode ignores what else there is.
            self.take_facts(&answer, expires_at, None, sent.at)?;
            return Ok(peer);
        };
        let mut choice = ChoiceFields::default();
        choice.read(answer.choice().ok_or(Peer::Downgrade)?).ok_or(malformed)?;
        self.take_facts(&answer, expires_at, Some(&choice), sent.at)?;
        self.facts.scheme = self.selected(choice.scheme(), sent.group).ok_or(Peer::Downgrade)?;
        if choice.has_features() {
            return Err(Peer::Downgrade.into()); // none was offered
        }
        let confirmation =
            Confirmation::take(confirmation, choice.proof(), choice.identity(), self.config.mode)?;
        self.complete(transcript, &answer, &choice, der, expires_at, confirmation).ok_or(malformed)?;
        Ok(peer)
    }

    fn plain(&self) -> Option<(&[u8], &[u8])> {
        let kdf = &self.config.plain;
        (self.config.mode == Mode::Plain).then(|| (kdf.salt_of(self.facts.id()), kdf.info))
    }

    fn keys(&self, provider: &mut P, schedule: &Schedule<'_, P::Prk>) -> Result<Self::Keys, Error> {
        Keys::derive(provider, schedule, self.facts.scheme.aead())
    }

    fn forget(&mut self) {
        self.clear();
    }

    fn session(self, keys: Self::Keys) -> Self::Session {
        Session::new(self.facts, keys)
    }
}

impl<const TOKEN: usize, const OUTSTANDING: usize> DynamicKey<'_, TOKEN, OUTSTANDING> {
    /// Forgets what the answer said: the token is a secret, too.
    fn clear(&mut self) {
        self.facts.clear();
        self.introduction = None;
    }

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

    /// Completes the transcript.
    #[inline(never)] // one frame less in its caller's
    fn complete(
        &self,
        transcript: &Transcript,
        answer: &AnswerFields<'_>,
        choice: &ChoiceFields<'_>,
        public_key: &[u8],
        expires_at: &str,
        confirmation: &mut Confirmation,
    ) -> Option<()> {
        let mut room = [0; MAX_NONCE];
        let fields = ServerFields {
            public_key,
            nonce: nonce(choice.nonce(), &mut room).ok()?,
            scheme: self.facts.scheme,
            session_id: self.facts.id(),
            expires_at,
            token: self.facts.token.as_str(),
            identifier: &[],
            kid: confirmation.kid(),
            expires_in: choice.expires_in()?.as_str(),
            expire_token: answer.expire_token()?.as_str(),
            offered_features: NameList::NONE,
            selected_features: NameList::NONE,
        };
        confirmation.transcript = transcript.clone().finish(&fields).ok()?;
        Some(())
    }

    /// Takes the session's facts as the answer has them.
    #[inline(never)] // one frame less in its caller's
    fn take_facts(
        &mut self,
        answer: &AnswerFields<'_>,
        expires_at: &str,
        choice: Option<&ChoiceFields<'_>>,
        sent: Now,
    ) -> Result<(), Error> {
        let facts = &mut self.facts;
        facts.id.read_id(answer.session_id()).filter(|id| is_session_id(id)).ok_or(Peer::Malformed)?;
        let too_long = |room: BufferTooSmall| Incompatible::TokenTooLong { length: room.needed };
        if !is_token(facts.token.copy_json(answer.token()).map_err(too_long)?) {
            return Err(Peer::Malformed.into());
        }
        let mut ends = Timestamp::parse(expires_at.as_bytes()).map_err(|_| Peer::Malformed)?;
        let expire_token = answer.expire_token().ok_or(Peer::Malformed)?.integer()?;
        if expire_token != 0 {
            ends = ends.min(Timestamp::from_unix_secs(expire_token));
        }
        let expires_in = match choice {
            Some(choice) => Some(choice.expires_in().ok_or(Peer::Malformed)?.integer()?),
            None => None,
        };
        facts.expiry = Expiry::new(sent, ends, expires_in);
        if facts.expiry.is_over(sent) {
            return Err(Incompatible::AlreadyExpired.into());
        }
        Ok(())
    }

    /// The scheme that the answer selects, if it is one that we may accept.
    fn selected(&self, scheme: Str<'_>, group: Group) -> Option<Scheme> {
        Scheme::from_json(scheme)
            .filter(|scheme| self.config.schemes.contains(scheme) && scheme.group() == group)
            .filter(|scheme| self.named.is_none_or(|named| named == *scheme))
    }
}
