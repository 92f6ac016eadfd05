//! The server's end of Dynamic Key V2: what hello and answer settle, step by step, in its place.

use super::binding::ServerBinding;
use super::policy::{Claims, ServerPolicy};
use super::refusal::{Refusal, ServerError};
use super::{ServerHandshake, ServerNeed, State};
use crate::agreement::schedule::{PlainKdf, Schedule};
use crate::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript, TranscriptHash};
use crate::codec::cursor::Writer;
use crate::codec::spki::{Group, PublicKey};
use crate::codec::timestamp::{self, Timestamp};
use crate::crypto::provider::{Aead, CryptoError, HASH_LEN, Provider};
use crate::crypto::{KeyId, Signature};
use crate::error::{Code, Error, Misuse};
use crate::handshake::HANDSHAKE_NONCE_LEN;
use crate::handshake::dynamic_key::{AnswerMessage, ChoiceMessage, Hello, OfferFields, fill_signature};
use crate::handshake::members::names_at;
use crate::log::{debug, format_as};
use crate::scheme::{NameList, Scheme, negotiate};
use crate::session::server::{ClaimedIdentity, Keys};
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

impl<P: Provider> ServerHandshake<P> {
    /// Takes the hello that fills `body` (its key is decoded in place) and chooses the scheme. The checks come in the
    /// order of §2.1: JSON shape → client → mode → common scheme → key → the key's group.
    ///
    /// # Errors
    /// [`ServerError::Refuse`] with the code of §2.6.
    #[inline(never)]
    pub fn hello(
        &mut self,
        provider: &mut P,
        policy: &impl ServerPolicy,
        body: &mut [u8],
    ) -> Result<(), ServerError> {
        take!(self, State::Hello => ());
        let mut hello = Hello::default();
        hello.read(body)?;
        let peer = self.settled.hello(provider, policy, &hello, body)?;
        self.state = State::Generate(peer);
        debug!("hello accepted: {}", self.settled.scheme);
        Ok(())
    }

    /// Whose session it will be, once the hello was accepted and until the answer is written.
    #[must_use]
    pub const fn client(&self) -> Option<&ClientFacts> {
        match self.need() {
            ServerNeed::Generate(_) | ServerNeed::Agree | ServerNeed::Answer => Some(&self.settled.client),
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
    #[inline(never)]
    pub fn answer(
        &mut self,
        provider: &mut P,
        facts: &ServerFacts<'_>,
        out: &mut [u8],
    ) -> Result<usize, ServerError> {
        let State::Answer(_, public) = &self.state else {
            return Err(ServerError::Misuse(self.wrong_turn()));
        };
        if !is_session_id(facts.session_id) || !is_token(facts.token) {
            return Err(ServerError::Misuse(Misuse::InvalidConfiguration.into()));
        }
        let (mut der, mut time) = ([0; Group::MAX_OWN_SPKI_LEN], [0; timestamp::LEN]);
        let identity = facts.identity.as_ref().filter(|_| self.settled.mode != Mode::Plain);
        let mut message = AnswerMessage {
            public_key: public.write_spki(&mut der).map_err(Error::from)?,
            session_id: facts.session_id,
            token: facts.token,
            expire_token: facts.expire_token,
            expires_at: facts.expires_at.write(&mut time).map_err(Error::from)?,
            choice: (self.settled.mode != Mode::Plain).then_some(ChoiceMessage {
                scheme: self.settled.scheme,
                nonce: [0; HANDSHAKE_NONCE_LEN],
                expires_in: facts.expires_in,
                proof: [0; HASH_LEN],
                kid: identity,
            }),
        };
        let needed = message.length();
        if out.len() < needed {
            return Err(ServerError::Misuse(Error::BufferTooSmall { needed }));
        }

        let z = take!(self, State::Answer(z, _) => z);
        self.settled.name(facts)?;
        let keys = match self.settled.mode {
            Mode::Plain => Keys::plain(provider, &facts.plain, z, facts.session_id)?,
            _ => self.prove(provider, z, facts.instance, &mut message)?,
        };
        let length = message.write(out).map_err(Error::from)?;
        self.state = if identity.is_some() { State::Sign(keys) } else { State::Finish(keys) };
        Ok(length)
    }

    /// Ends the transcript, draws the keys and puts the proof into the answer.
    fn prove(
        &mut self,
        provider: &mut P,
        z: P::SharedSecret,
        instance: u32,
        message: &mut AnswerMessage<'_>,
    ) -> Result<Keys<P>, ServerError> {
        if let Some(choice) = &mut message.choice {
            provider.fill(&mut choice.nonce)?;
        }
        self.settled.answer(message)?;
        let choice = message.choice.as_mut().ok_or(Error::Misuse(Misuse::WrongTurn))?;
        self.confirm(provider, z, instance, &mut choice.proof)
    }
}

/// The messages of Dynamic Key V2 (§2.1) at the server's end, and what they settled; none of it is secret.
#[derive(Debug)]
pub struct DynamicKey {
    client: ClientFacts,
    /// The client's identity, in mutual mode.
    kid: Option<KeyId>,
    /// Plain, confirmed or mutual.
    mode: Mode,
    scheme: Scheme,
    /// With the client's fields, until the server's come; none in plain mode.
    transcript: Option<Transcript>,
    features: NameList,
    id: SessionId,
    ends: Timestamp,
    /// T, once the server's fields are there.
    hash: TranscriptHash,
}

impl<P: Provider> ServerBinding<P> for DynamicKey {
    type Session = ServerSession<P>;
    type Keys = Keys<P>;

    const NOTHING: Self = Self {
        client: ClientFacts {
            client_type: ClientType::External,
            client_id: heapless::String::new(),
            device_id: heapless::String::new(),
        },
        kid: None,
        mode: Mode::Plain,
        scheme: Scheme::EcAes2,
        transcript: None,
        features: NameList::new(),
        id: SessionId::new(),
        ends: Timestamp::from_unix_millis(0),
        hash: [0; HASH_LEN],
    };

    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn transcript(&self) -> &TranscriptHash {
        &self.hash
    }

    fn keys(
        provider: &mut P,
        schedule: &Schedule<'_, P::Prk>,
        aead: Aead,
        instance: u32,
    ) -> Result<Self::Keys, CryptoError> {
        Keys::derive(provider, schedule, aead, instance.to_be_bytes())
    }

    fn fill_signature(answer: &mut [u8], signature: &Signature) -> Result<(), Error> {
        fill_signature(answer, signature)
    }

    #[inline(never)] // one frame less in its caller's
    fn session(&mut self, keys: Keys<P>) -> ServerSession<P> {
        ServerSession {
            id: core::mem::take(&mut self.id),
            client: ClientFacts {
                client_type: self.client.client_type,
                client_id: core::mem::take(&mut self.client.client_id),
                device_id: core::mem::take(&mut self.client.device_id),
            },
            mode: self.mode,
            scheme: self.scheme,
            ends: self.ends,
            claimed: self.kid.take().map(|kid| ClaimedIdentity { kid, transcript: self.hash }),
            keys,
        }
    }
}

impl DynamicKey {
    /// Takes what `hello` says, whose buffer `body` is, as far as the policy grants it. Returns the client's key.
    #[inline(never)] // one frame less in its caller's
    fn hello<P: Provider>(
        &mut self,
        provider: &mut P,
        policy: &impl ServerPolicy,
        hello: &Hello,
        body: &[u8],
    ) -> Result<PublicKey, ServerError> {
        let kid = hello.offer.as_ref().and_then(|offer| offer.kid.as_ref());
        let claims = Claims {
            client_type: hello.client_type.ok_or(ServerError::code(Code::ClientNotAllowed))?,
            client_id: &hello.client_id,
            device_id: &hello.device_id,
            platform: &hello.platform,
            kid,
        };
        let granted = policy.client(&claims).ok_or(ServerError::code(Code::ClientNotAllowed))?;
        let mode = match (&hello.offer, kid) {
            (_, Some(_)) => Mode::Mutual,
            (Some(_), None) => Mode::Confirmed,
            (None, None) => Mode::Plain,
        };
        // A gateway cannot see whether a client pins.
        let counts_as = if mode == Mode::Confirmed { Mode::Pinned } else { mode };
        if counts_as < granted.least_mode {
            return Err(ServerError::code(Code::ConfirmationRequired));
        }
        let mut schemes = NameList::new();
        let scheme = match &hello.offer {
            Some(offer) => {
                names_at(body, &offer.schemes, &mut schemes)?;
                negotiate(&schemes, granted.schemes, granted.preference)
            }
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
        if let Some(offer) = &hello.offer {
            self.transcript = Some(begin(&claims, offer, &schemes, der)?);
            names_at(body, &offer.features, &mut self.features)?;
        }
        (self.mode, self.scheme, self.kid) = (mode, scheme, kid.copied());
        self.client.client_type = claims.client_type;
        self.client.client_id.clone_from(&hello.client_id);
        self.client.device_id.clone_from(&hello.device_id);
        Ok(peer)
    }

    /// Takes the session's name and end.
    fn name(&mut self, facts: &ServerFacts<'_>) -> Result<(), ServerError> {
        let id = SessionId::try_from(facts.session_id);
        self.id = id.map_err(|_| ServerError::Misuse(Misuse::InvalidConfiguration.into()))?;
        self.ends = match facts.expire_token {
            0 => facts.expires_at,
            token => facts.expires_at.min(Timestamp::from_unix_secs(token)),
        };
        Ok(())
    }

    /// Ends the transcript with what the answer says.
    #[inline(never)] // one frame less in its caller's
    fn answer(&mut self, message: &AnswerMessage<'_>) -> Result<(), ServerError> {
        let (Some(transcript), Some(choice)) = (self.transcript.take(), &message.choice) else {
            return Err(ServerError::Misuse(Misuse::WrongTurn.into())); // plain mode has none
        };
        let hash = transcript.finish(&ServerFields {
            public_key: message.public_key,
            nonce: &choice.nonce,
            scheme: self.scheme,
            session_id: message.session_id,
            expires_at: message.expires_at,
            token: message.token,
            identifier: &[],
            kid: choice.kid,
            expires_in: &digits(choice.expires_in),
            expire_token: &digits(message.expire_token),
            offered_features: self.features.as_bytes(),
            selected_features: NameList::NONE, // none in this version
        });
        self.hash = hash.map_err(|_| ServerError::code(Code::MalformedRequest))?;
        Ok(())
    }
}

/// The transcript of the client's fields.
#[inline(never)] // one frame less in its caller's
fn begin(
    claims: &Claims<'_>,
    offer: &OfferFields,
    schemes: &NameList,
    public_key: &[u8],
) -> Result<Transcript, ServerError> {
    Transcript::begin(&ClientFields {
        binding: Binding::DynamicKeyV2,
        public_key,
        nonce: &offer.nonce,
        schemes: schemes.as_bytes(),
        device_id: claims.device_id.as_bytes(),
        platform: claims.platform,
        client_type: claims.client_type.name(),
        client_id: claims.client_id,
        kid: claims.kid,
    })
    .map_err(|_| ServerError::code(Code::MalformedRequest))
}

/// A number as the answer has it.
fn digits(number: u64) -> heapless::String<20, u8> {
    let mut room = [0; 20];
    let mut digits = Writer::new(&mut room);
    digits.put_decimal(number);
    let digits = digits.finish_slice().ok().and_then(|digits| core::str::from_utf8(digits).ok());
    digits.and_then(|digits| heapless::String::try_from(digits).ok()).unwrap_or_default()
}
