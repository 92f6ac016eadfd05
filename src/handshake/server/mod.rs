//! The server's handshake.
//!
//! ```text
//! Hello ─▶ Generate ─▶ Agree ─▶ Answer ─▶ Sign ─▶ Finish        (without an identity, and in plain mode, no Sign)
//! ```

mod policy;
mod refusal;

pub use policy::{Claims, ClientPolicy, ServerPolicy};
pub use refusal::{Refusal, ServerError};

use super::HANDSHAKE_NONCE_LEN;
use super::dynamic_key::{AnswerMessage, ChoiceMessage, Hello, OfferFields, fill_signature};
use crate::agreement::proof::{Role, Statement};
use crate::agreement::schedule::{Label, PlainKdf, Schedule};
use crate::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript};
use crate::codec::cursor::Writer;
use crate::codec::spki::{Group, PublicKey};
use crate::codec::timestamp::{self, Timestamp};
use crate::crypto::provider::{CryptoError, HASH_LEN, NONCE_LEN, Provider};
use crate::crypto::{KeyId, Signature, Signer};
use crate::envelope::Traffic;
use crate::error::{Code, Error, Misuse};
use crate::log::{debug, format_as};
use crate::scheme::{NameList, Scheme, negotiate};
use crate::session::server::{ClaimedIdentity, plain_response_prefix};
use crate::session::{ClientFacts, ClientType, Mode, ServerSession, SessionId, is_session_id, is_token};
use core::fmt;

/// What the server gives a session, for [`ServerHandshake::answer`]. The token is never printed.
#[derive(Clone, Copy)]
pub struct ServerFacts<'a> {
    /// `[A-Za-z0-9._~-]{1,64}` with at least 128 random bits.
    pub session_id: &'a str,
    /// `[A-Za-z0-9._~+/=-]{1,4096}`.
    pub token: &'a str,
    /// The token's expiry in Unix seconds; 0 is with the session.
    pub expire_token: u64,
    /// The session's end.
    pub expires_at: Timestamp,
    /// The session's length in seconds.
    pub expires_in: u64,
    /// The instance of the gateway, unique in its fleet: the first four bytes of its responses' nonces.
    pub instance: u32,
    /// The identity that will sign, where there is one.
    pub identity: Option<KeyId>,
    /// How plain mode derives its key.
    pub plain: PlainKdf<'a>,
}

impl fmt::Debug for ServerFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFacts")
            .field("session_id", &self.session_id)
            .field("expires_at", &self.expires_at)
            .field("expires_in", &self.expires_in)
            .field("instance", &self.instance)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

format_as! {
    [] ServerFacts<'_>,
    facts => "ServerFacts {{ session_id: {}, expires_at: {}, expires_in: {}, instance: {}, identity: {} }}",
    facts.session_id, facts.expires_at, facts.expires_in, facts.instance, facts.identity
}

/// What a [`ServerHandshake`] needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServerNeed {
    /// [`ServerHandshake::hello`]: the body of `POST /api/info/v2`.
    Hello,
    /// [`Provider::generate`] for this group: hand the key to [`ServerHandshake::generated`].
    Generate(Group),
    /// [`ServerHandshake::agreement`] for [`Provider::agree`]: hand Z to [`ServerHandshake::agreed`].
    Agree,
    /// [`ServerHandshake::answer`]: the session's facts.
    Answer,
    /// [`ServerHandshake::statement`] for a [`Signer`]: hand the signature to [`ServerHandshake::signed`].
    Sign,
    /// [`ServerHandshake::finish`]: send the answer, keep the session.
    Finish,
    /// Nothing: the handshake has failed and its secrets are gone.
    Nothing,
}

/// The server's handshake, up to the answer and the session.
pub struct ServerHandshake<P: Provider> {
    state: State<P>,
}

enum State<P: Provider> {
    Hello,
    Generate(Accepted),
    Agree(P::EphemeralKey, PublicKey, Accepted),
    Agreeing(PublicKey, Accepted),
    Answer(P::SharedSecret, PublicKey, Accepted),
    Sign(Statement, ServerSession<P>),
    Finish(ServerSession<P>),
    Failed,
}

/// What the hello settled.
struct Accepted {
    client: ClientFacts,
    /// The client's identity, in mutual mode.
    kid: Option<KeyId>,
    peer: PublicKey,
    scheme: Scheme,
    /// `None` in plain mode.
    confirmation: Option<Offered>,
}

struct Offered {
    transcript: Transcript,
    features: NameList,
}

impl<P: Provider> fmt::Debug for ServerHandshake<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandshake").field("need", &self.need()).finish_non_exhaustive()
    }
}

format_as! { [P: Provider] ServerHandshake<P>, handshake => "ServerHandshake {{ need: {} }}", handshake.need() }

impl<P: Provider> Default for ServerHandshake<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Provider> ServerHandshake<P> {
    /// Awaits a hello.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Hello }
    }

    /// What it needs next.
    #[must_use]
    pub const fn need(&self) -> ServerNeed {
        match &self.state {
            State::Hello => ServerNeed::Hello,
            State::Generate(accepted) => ServerNeed::Generate(accepted.scheme.group()),
            State::Agree(..) | State::Agreeing(..) => ServerNeed::Agree,
            State::Answer(..) => ServerNeed::Answer,
            State::Sign(..) => ServerNeed::Sign,
            State::Finish(_) => ServerNeed::Finish,
            State::Failed => ServerNeed::Nothing,
        }
    }

    fn wrong_turn(&self) -> Error {
        match self.state {
            State::Failed => Misuse::HandshakeFailed.into(),
            _ => Misuse::WrongTurn.into(),
        }
    }

    /// Takes the hello that fills `body` (its key is decoded in place) and chooses the scheme. The checks come in the
    /// order of §2.1: JSON shape → client → mode → common scheme → key → the key's group.
    ///
    /// # Errors
    /// [`ServerError::Refuse`] with the code of §2.6.
    pub fn hello(
        &mut self,
        provider: &mut P,
        policy: &impl ServerPolicy,
        body: &mut [u8],
    ) -> Result<(), ServerError> {
        take!(self, State::Hello => ());
        let mut hello = Hello::default();
        hello.read(body)?;
        let client_type =
            ClientType::from_name(&hello.client_type).ok_or(ServerError::code(Code::ClientNotAllowed))?;
        let kid = hello.offer.as_ref().and_then(|offer| offer.kid.as_ref());
        let claims = Claims {
            client_type,
            client_id: &hello.client_id,
            device_id: &hello.device_id,
            platform: &hello.platform,
            kid,
        };
        let granted = policy.client(&claims).ok_or(ServerError::code(Code::ClientNotAllowed))?;
        let mode = match (&hello.offer, kid) {
            (_, Some(_)) => Mode::Mutual,
            (Some(_), None) => Mode::Pinned,
            (None, None) => Mode::Plain,
        };
        if mode < granted.least_mode {
            return Err(ServerError::code(Code::ConfirmationRequired));
        }
        let scheme = match &hello.offer {
            Some(offer) => negotiate(&offer.schemes, granted.schemes, granted.preference),
            None => Some(Scheme::EcAes2).filter(|scheme| granted.schemes.contains(scheme)),
        };
        let scheme = scheme.ok_or(ServerError::code(Code::NoCommonScheme))?;
        let der = body.get(hello.public_key.clone()).unwrap_or_default();
        let peer = PublicKey::from_spki(der).map_err(|_| ServerError::code(Code::InvalidPublicKey))?;
        if peer.group() != scheme.group() {
            // The key will not be used: a provider without its group need not check it.
            match provider.validate(&peer) {
                Ok(()) | Err(CryptoError::Unsupported) => {}
                Err(error) => return Err(error.into()),
            }
            return Err(match mode {
                Mode::Plain => ServerError::code(Code::InvalidPublicKey),
                _ => ServerError::Refuse(Refusal { code: Code::RetryWithScheme, scheme: Some(scheme) }),
            });
        }
        let confirmation = hello.offer.as_ref().map(|offer| offered(&claims, offer, der)).transpose()?;
        let kid = kid.copied();
        let client = ClientFacts { client_type, client_id: hello.client_id, device_id: hello.device_id };
        self.state = State::Generate(Accepted { client, kid, peer, scheme, confirmation });
        debug!("hello accepted: {}", scheme);
        Ok(())
    }

    /// Takes the outcome of [`Provider::generate`].
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn generated(
        &mut self,
        outcome: Result<(P::EphemeralKey, PublicKey), CryptoError>,
    ) -> Result<(), ServerError> {
        let accepted = take!(self, State::Generate(accepted) => accepted);
        let (private, public) = outcome?;
        if public.group() != accepted.scheme.group() {
            return Err(CryptoError::Failed.into());
        }
        self.state = State::Agree(private, public, accepted);
        Ok(())
    }

    /// The private key and the peer's public one, for [`Provider::agree`]. They are handed out once.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    pub fn agreement(&mut self) -> Result<(P::EphemeralKey, PublicKey), ServerError> {
        let (private, public, accepted) =
            take!(self, State::Agree(private, public, accepted) => (private, public, accepted));
        let peer = accepted.peer;
        self.state = State::Agreeing(public, accepted);
        Ok((private, peer))
    }

    /// Takes the outcome of [`Provider::agree`].
    ///
    /// # Errors
    /// [`ServerError`]; [`Code::InvalidPublicKey`] when the peer's key is no valid element of its group.
    pub fn agreed(&mut self, outcome: Result<P::SharedSecret, CryptoError>) -> Result<(), ServerError> {
        let (public, accepted) = take!(self, State::Agreeing(public, accepted) => (public, accepted));
        self.state = State::Answer(outcome?, public, accepted);
        Ok(())
    }

    /// Whose session it will be, once the hello was accepted and until the answer is written.
    #[must_use]
    pub const fn client(&self) -> Option<&ClientFacts> {
        match &self.state {
            State::Generate(accepted)
            | State::Agree(_, _, accepted)
            | State::Agreeing(_, accepted)
            | State::Answer(_, _, accepted) => Some(&accepted.client),
            _ => None,
        }
    }

    /// Derives the keys and writes the answer to the front of `out`, its signature left blank where there is an identity.
    /// Returns its length.
    ///
    /// # Errors
    /// [`ServerError::Misuse`] with [`Error::BufferTooSmall`], whose `needed` is exact, or
    /// [`Misuse::InvalidConfiguration`] for facts outside §2.1: nothing has changed. [`ServerError::Refuse`] when the
    /// provider fails.
    pub fn answer(
        &mut self,
        provider: &mut P,
        facts: &ServerFacts<'_>,
        out: &mut [u8],
    ) -> Result<usize, ServerError> {
        let State::Answer(_, public, accepted) = &self.state else {
            return Err(ServerError::Misuse(self.wrong_turn()));
        };
        let id = SessionId::try_from(facts.session_id).ok().filter(|id| is_session_id(id));
        let id = id.filter(|_| is_token(facts.token));
        let id = id.ok_or(ServerError::Misuse(Misuse::InvalidConfiguration.into()))?;

        let (mut der, mut time) = ([0; Group::MAX_OWN_SPKI_LEN], [0; timestamp::LEN]);
        let der = public.write_spki(&mut der).map_err(Error::from)?;
        let expires_at = facts.expires_at.write(&mut time).map_err(Error::from)?;
        let kid = facts.identity.filter(|_| accepted.confirmation.is_some());
        let mut message = AnswerMessage {
            public_key: der,
            session_id: facts.session_id,
            token: facts.token,
            expire_token: facts.expire_token,
            expires_at,
            choice: accepted.confirmation.as_ref().map(|_| ChoiceMessage {
                scheme: accepted.scheme,
                nonce: [0; HANDSHAKE_NONCE_LEN],
                expires_in: facts.expires_in,
                proof: [0; HASH_LEN],
                kid: kid.as_ref(),
            }),
        };
        let needed = message.length();
        if out.len() < needed {
            return Err(ServerError::Misuse(Error::BufferTooSmall { needed }));
        }

        let State::Answer(z, _, accepted) = core::mem::replace(&mut self.state, State::Failed) else {
            return Err(ServerError::Misuse(self.wrong_turn()));
        };
        let mut ends = facts.expires_at;
        if facts.expire_token != 0 {
            ends = ends.min(Timestamp::from_unix_secs(facts.expire_token));
        }
        let Accepted { client, kid: client_kid, scheme, confirmation, .. } = accepted;
        let (Some(offered), Some(choice)) = (confirmation, &mut message.choice) else {
            let mut random = [0; 4];
            provider.fill(&mut random)?;
            let (open, seal) = facts.plain.keys(provider, z, &id)?;
            let length = message.write(out).map_err(Error::from)?;
            self.state = State::Finish(ServerSession {
                id,
                client,
                mode: Mode::Plain,
                scheme,
                ends,
                requests: Traffic { key: open, iv: [0; NONCE_LEN] },
                responses: Traffic { key: seal, iv: [0; NONCE_LEN] },
                prefix: plain_response_prefix(random),
                exporter: None,
                claimed: None,
            });
            return Ok(length);
        };

        provider.fill(&mut choice.nonce)?;
        let transcript = offered
            .transcript
            .finish(&ServerFields {
                public_key: der,
                nonce: &choice.nonce,
                scheme,
                session_id: &id,
                expires_at,
                token: facts.token,
                identifier: &[],
                kid: kid.as_ref(),
                expires_in: &digits(facts.expires_in),
                expire_token: &digits(facts.expire_token),
                offered_features: offered.features.as_bytes(),
                selected_features: NameList::NONE, // none in this version
            })
            .map_err(|_| ServerError::code(Code::MalformedRequest))?;
        let schedule = Schedule::new(provider, &transcript, z)?;
        choice.proof = schedule.proof(provider, &transcript)?;
        let requests = Traffic::derive(provider, &schedule, Label::CLIENT, scheme.aead())?;
        let responses = Traffic::derive(provider, &schedule, Label::SERVER, scheme.aead())?;
        let exporter = Some(schedule.secret(provider, Label::Exporter)?);
        let length = message.write(out).map_err(Error::from)?;
        let session = ServerSession {
            id,
            client,
            mode: if client_kid.is_some() { Mode::Mutual } else { Mode::Confirmed },
            scheme,
            ends,
            requests,
            responses,
            prefix: facts.instance.to_be_bytes(),
            exporter,
            claimed: client_kid.map(|kid| ClaimedIdentity { kid, transcript }),
        };
        self.state = match kid {
            Some(_) => State::Sign(Statement::new(Role::Server, &transcript), session),
            None => State::Finish(session),
        };
        Ok(length)
    }

    /// What the server's identity has to sign, 54 bytes.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    pub fn statement(&self) -> Result<Statement, ServerError> {
        match &self.state {
            State::Sign(statement, _) => Ok(*statement),
            _ => Err(ServerError::Misuse(self.wrong_turn())),
        }
    }

    /// Takes the signature and writes it into the answer, which fills `answer`.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn signed(
        &mut self,
        outcome: Result<Signature, CryptoError>,
        answer: &mut [u8],
    ) -> Result<(), ServerError> {
        let session = take!(self, State::Sign(_, session) => session);
        fill_signature(answer, &outcome?)?;
        self.state = State::Finish(session);
        Ok(())
    }

    /// Ends in a session. Store it before the answer is sent.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`] when a step is missing, [`Misuse::HandshakeFailed`] when one failed.
    pub fn finish(mut self) -> Result<ServerSession<P>, ServerError> {
        Ok(take!(self, State::Finish(session) => session))
    }

    /// Performs the slow operations that are due before the answer is written.
    ///
    /// # Errors
    /// Those of the steps.
    pub fn compute(&mut self, provider: &mut P) -> Result<ServerNeed, ServerError> {
        loop {
            match self.need() {
                ServerNeed::Generate(group) => self.generated(provider.generate(group))?,
                ServerNeed::Agree => {
                    let (private, peer) = self.agreement()?;
                    self.agreed(provider.agree(private, &peer))?;
                }
                other => return Ok(other),
            }
        }
    }

    /// Signs the answer, which fills `answer`, where that is due.
    ///
    /// # Errors
    /// Those of the steps.
    pub fn sign(&mut self, signer: &mut impl Signer, answer: &mut [u8]) -> Result<(), ServerError> {
        let statement = self.statement()?;
        self.signed(signer.sign(statement.as_bytes()), answer)
    }
}

/// A number as the answer has it.
fn digits(number: u64) -> heapless::String<20, u8> {
    let mut room = [0; 20];
    let mut digits = Writer::new(&mut room);
    digits.put_decimal(number);
    let digits = digits.finish_slice().ok().and_then(|digits| core::str::from_utf8(digits).ok());
    digits.and_then(|digits| heapless::String::try_from(digits).ok()).unwrap_or_default()
}

/// The offer, taken into the transcript.
fn offered(claims: &Claims<'_>, offer: &OfferFields, der: &[u8]) -> Result<Offered, ServerError> {
    let transcript = Transcript::begin(&ClientFields {
        binding: Binding::DynamicKeyV2,
        public_key: der,
        nonce: &offer.nonce,
        schemes: offer.schemes.as_bytes(),
        device_id: claims.device_id.as_bytes(),
        platform: claims.platform,
        client_type: claims.client_type.name(),
        client_id: claims.client_id,
        kid: claims.kid,
    })
    .map_err(|_| ServerError::code(Code::MalformedRequest))?;
    Ok(Offered { transcript, features: offer.features.clone() })
}
