//! What hello and answer settle, step by step, in its place: it is large, and does not move with the machine's state.

use super::ServerFacts;
use super::policy::{Claims, ServerPolicy};
use super::refusal::{Refusal, ServerError};
use crate::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript, TranscriptHash};
use crate::codec::cursor::Writer;
use crate::codec::spki::PublicKey;
use crate::codec::timestamp::Timestamp;
use crate::crypto::KeyId;
use crate::crypto::provider::{HASH_LEN, Provider};
use crate::error::{Code, Misuse};
use crate::handshake::dynamic_key::{AnswerMessage, Hello, OfferFields};
use crate::handshake::members::names_at;
use crate::scheme::{NameList, Scheme, negotiate};
use crate::session::server::{ClaimedIdentity, Keys};
use crate::session::{ClientFacts, ClientType, Mode, ServerSession, SessionId};

/// Facts of a handshake; none is secret.
pub(super) struct Settled {
    pub(super) client: ClientFacts,
    /// The client's identity, in mutual mode.
    kid: Option<KeyId>,
    /// Plain, confirmed or mutual.
    pub(super) mode: Mode,
    pub(super) scheme: Scheme,
    /// With the client's fields, until the server's come; none in plain mode.
    transcript: Option<Transcript>,
    features: NameList,
    pub(super) id: SessionId,
    pub(super) ends: Timestamp,
    /// T, once the server's fields are there.
    pub(super) hash: TranscriptHash,
}

impl Settled {
    pub(super) const NOTHING: Self = Self {
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

    /// Takes what `hello` says, whose buffer `body` is, as far as the policy grants it. Returns the client's key.
    #[inline(never)] // one frame less in its caller's
    pub(super) fn hello<P: Provider>(
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
            provider.validate(&peer)?;
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
    pub(super) fn name(&mut self, facts: &ServerFacts<'_>) -> Result<(), ServerError> {
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
    pub(super) fn answer(&mut self, message: &AnswerMessage<'_>) -> Result<(), ServerError> {
        let (Some(transcript), Some(choice)) = (self.transcript.take(), &message.choice) else {
            return Ok(()); // plain mode
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

    /// Becomes a session, and nothing is settled any more.
    #[inline(never)] // one frame less in its caller's
    pub(super) fn session<P: Provider>(&mut self, keys: Keys<P>) -> ServerSession<P> {
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
