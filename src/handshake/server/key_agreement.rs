//! The server's end of Key Agreement: what it makes of a request, and what it answers.

use super::binding::ServerBinding;
use super::{KeyAgreementServer, ServerError, State};
use crate::agreement::schedule::Schedule;
use crate::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript, TranscriptHash};
use crate::codec::spki::{Group, PublicKey};
use crate::codec::timestamp::Timestamp;
use crate::crypto::provider::{Aead, CryptoError, HASH_LEN, Provider};
use crate::crypto::{KeyId, Signature};
use crate::error::{Code, Error, Misuse};
use crate::handshake::key_agreement::{Identifier, MAX_IDENTIFIER, Request, ResponseMessage, fill_signature};
use crate::handshake::members::names_at;
use crate::log::debug;
use crate::scheme::{NameList, Preference, Scheme, negotiate};
use crate::session::agreement::{Keys, ServerAgreement};
use crate::session::{SessionId, is_session_id};

/// What a server of Key Agreement accepts, of anybody: an `identifier` proves nothing.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyAgreementPolicy<'p> {
    /// The schemes that are accepted. Of them only those of the group of the key that came are considered.
    pub schemes: &'p [Scheme],
    /// Whose order decides among them.
    pub preference: Preference,
}

/// What the server gives an agreement, for [`KeyAgreementServer::answer`].
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyAgreementFacts<'a> {
    /// `[A-Za-z0-9._~-]{1,64}` with at least 128 random bits.
    pub client_reference_id: &'a str,
    /// The server's own `identifier`, 1 to 255 bytes.
    pub identifier: &'a [u8],
    /// The agreement's end: 300 s from now, by default.
    pub ends: Timestamp,
    /// The hint `expires_in`, in seconds, where it is given.
    pub expires_in: Option<u64>,
    /// The instance of the gateway, unique in its fleet: the first four bytes of its fields' nonces.
    pub instance: u32,
    /// The identity that will sign, where there is one.
    pub identity: Option<KeyId>,
}

impl KeyAgreementFacts<'_> {
    /// The id, if all is as §3 has it.
    fn id(&self) -> Option<SessionId> {
        let identified = (1..=MAX_IDENTIFIER).contains(&self.identifier.len());
        let hinted = self.expires_in.is_none_or(|seconds| seconds < 1 << 53);
        let id = SessionId::try_from(self.client_reference_id).ok()?;
        (identified && hinted && is_session_id(&id)).then_some(id)
    }
}

/// The messages of Key Agreement (§3) at the server's end, and what they settled; none of it is secret.
#[derive(Debug)]
pub struct KeyAgreement {
    identifier: Identifier,
    scheme: Scheme,
    /// With the client's fields, until the server's come.
    transcript: Option<Transcript>,
    id: SessionId,
    ends: Timestamp,
    instance: u32,
    /// T, once the server's fields are there.
    hash: TranscriptHash,
}

impl<P: Provider> ServerBinding<P> for KeyAgreement {
    type Session = ServerAgreement<P>;
    type Keys = Keys<P>;

    const NOTHING: Self = Self {
        identifier: Identifier::new(),
        scheme: Scheme::EcAes2,
        transcript: None,
        id: SessionId::new(),
        ends: Timestamp::from_unix_millis(0),
        instance: 0,
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
        _: u32,
    ) -> Result<Self::Keys, CryptoError> {
        Keys::derive(provider, schedule, aead)
    }

    fn fill_signature(answer: &mut [u8], signature: &Signature) -> Result<(), Error> {
        fill_signature(answer, signature)
    }

    #[inline(never)] // one frame less in its caller's
    fn session(&mut self, keys: Self::Keys) -> Self::Session {
        ServerAgreement {
            id: core::mem::take(&mut self.id),
            identifier: core::mem::take(&mut self.identifier),
            scheme: self.scheme,
            ends: self.ends,
            instance: self.instance,
            keys,
        }
    }
}

impl<P: Provider> KeyAgreementServer<P> {
    /// Takes the request that fills `body` (its key is decoded in place) and chooses the scheme.
    ///
    /// # Errors
    /// [`ServerError::Refuse`]: answer with the status of its code and an empty body (§3).
    #[inline(never)]
    pub fn hello(&mut self, policy: &KeyAgreementPolicy<'_>, body: &mut [u8]) -> Result<(), ServerError> {
        take!(self, State::Hello => ());
        let mut request = Request::default();
        request.read(body)?;
        let peer = self.settled.request(policy, &request, body)?;
        self.settled.identifier.clone_from(&request.identifier);
        self.state = State::Generate(peer);
        debug!("request accepted: {}", self.settled.scheme);
        Ok(())
    }

    /// Derives the keys and writes the response to the front of `out`, its signature left blank where there is an identity.
    /// Returns its length.
    ///
    /// # Errors
    /// [`ServerError::Misuse`] with [`Error::BufferTooSmall`], whose `needed` is exact, or
    /// [`Misuse::InvalidConfiguration`] for facts outside §3: nothing has changed. [`ServerError::Refuse`] when the
    /// provider fails.
    #[inline(never)]
    pub fn answer(
        &mut self,
        provider: &mut P,
        facts: &KeyAgreementFacts<'_>,
        out: &mut [u8],
    ) -> Result<usize, ServerError> {
        let State::Answer(_, public) = &self.state else {
            return Err(ServerError::Misuse(self.wrong_turn()));
        };
        let id = facts.id().ok_or(ServerError::Misuse(Misuse::InvalidConfiguration.into()))?;
        let mut der = [0; Group::MAX_OWN_SPKI_LEN];
        let mut message = ResponseMessage {
            client_reference_id: facts.client_reference_id,
            identifier: facts.identifier,
            proof: [0; HASH_LEN],
            public_key: public.write_spki(&mut der).map_err(Error::from)?,
            scheme: self.settled.scheme,
            expires_in: facts.expires_in,
            kid: facts.identity.as_ref(),
        };
        let needed = message.length();
        if out.len() < needed {
            return Err(ServerError::Misuse(Error::BufferTooSmall { needed }));
        }

        let z = take!(self, State::Answer(z, _) => z);
        let settled = &mut self.settled;
        (settled.id, settled.ends, settled.instance) = (id, facts.ends, facts.instance);
        settled.response(&message)?;
        let keys = self.confirm(provider, z, facts.instance, &mut message.proof)?;
        let length = message.write(out).map_err(Error::from)?;
        self.state = if message.kid.is_some() { State::Sign(keys) } else { State::Finish(keys) };
        Ok(length)
    }
}

impl KeyAgreement {
    /// Takes what `request` says, whose buffer `body` is, as far as the policy grants it. Returns the client's key.
    #[inline(never)] // one frame less in its caller's
    fn request(
        &mut self,
        policy: &KeyAgreementPolicy<'_>,
        request: &Request,
        body: &[u8],
    ) -> Result<PublicKey, ServerError> {
        let public_key = body.get(request.public_key.clone()).unwrap_or_default();
        let peer = PublicKey::from_spki(public_key).map_err(|_| ServerError::code(Code::InvalidPublicKey))?;
        let mut accepted = heapless::Vec::<Scheme, { Scheme::BY_STRENGTH.len() }>::new();
        for scheme in Scheme::BY_STRENGTH {
            if scheme.group() == peer.group() && policy.schemes.contains(&scheme) {
                let _ = accepted.push(scheme); // there is room for all
            }
        }
        let mut schemes = NameList::new();
        names_at(body, &request.schemes, &mut schemes)?;
        let scheme = negotiate(&schemes, &accepted, policy.preference);
        self.scheme = scheme.ok_or(ServerError::code(Code::NoCommonScheme))?;
        let transcript = Transcript::begin(&ClientFields {
            binding: Binding::KeyAgreement,
            public_key,
            nonce: &request.nonce,
            schemes: schemes.as_bytes(),
            device_id: &request.identifier,
            platform: "",
            client_type: "",
            client_id: "",
            kid: None,
        });
        self.transcript = Some(transcript.map_err(|_| ServerError::code(Code::MalformedRequest))?);
        Ok(peer)
    }

    /// Ends the transcript with what the response says.
    #[inline(never)] // one frame less in its caller's
    fn response(&mut self, message: &ResponseMessage<'_>) -> Result<(), ServerError> {
        let transcript = self.transcript.take().ok_or(Error::Misuse(Misuse::WrongTurn))?;
        let hash = transcript.finish(&ServerFields {
            public_key: message.public_key,
            nonce: &[],
            scheme: message.scheme,
            session_id: message.client_reference_id,
            expires_at: "",
            token: "",
            identifier: message.identifier,
            kid: message.kid,
            expires_in: "",
            expire_token: "",
            offered_features: &[],
            selected_features: &[],
        });
        self.hash = hash.map_err(|_| ServerError::code(Code::MalformedRequest))?;
        Ok(())
    }
}
