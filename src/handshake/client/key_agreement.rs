//! The client's end of Key Agreement: what it says, and what it makes of a response.

use super::binding::{ClientBinding, Sent};
use super::{ClientMachine, Confirmation, KeyAgreementClient};
use crate::agreement::schedule::Schedule;
use crate::agreement::transcript::{Binding, ClientFields, ServerFields, Transcript};
use crate::codec::cursor::Writer;
use crate::codec::spki::{Group, PublicKey};
use crate::codec::timestamp::Timestamp;
use crate::crypto::provider::Provider;
use crate::error::{Error, Incompatible, Misuse, Peer};
use crate::handshake::HANDSHAKE_NONCE_LEN;
use crate::handshake::key_agreement::{
    DEFAULT_LIFETIME, MAX_IDENTIFIER, RequestMessage, ResponseFields, identifier, request_len,
};
use crate::handshake::members::server_key;
use crate::scheme::Scheme;
use crate::session::agreement::{Agreement, AgreementFacts, Keys};
use crate::session::{Expiry, Mode, copy_bounded, is_session_id};

/// Who a client of Key Agreement says it is, and what it demands.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyAgreementConfig<'c> {
    /// `identifier`: 1 to 255 bytes.
    pub identifier: &'c [u8],
    /// The least that the agreement must be worth: [`Mode::Pinned`] or [`Mode::Confirmed`]. The client never falls back
    /// below it.
    pub mode: Mode,
    /// The schemes that the client supports, in order of preference. Its key is one of the first one's group, and the
    /// server chooses among those of this group.
    pub schemes: &'c [Scheme],
}

impl<'c> KeyAgreementConfig<'c> {
    /// A client of pinned mode with the elliptic-curve schemes, strongest first.
    #[must_use]
    pub const fn new(identifier: &'c [u8]) -> Self {
        Self { identifier, mode: Mode::Pinned, schemes: &Scheme::ELLIPTIC }
    }

    /// The most bytes of a request with a key of `group`. For P-256 it is exactly what [`ClientMachine::hello`] needs; a
    /// finite-field key may be some bytes shorter.
    #[must_use]
    pub const fn hello_len(&self, group: Group) -> usize {
        request_len(self.identifier.len(), group.spki_len(), self.schemes)
    }

    /// The group of the first scheme, if the configuration is one.
    fn first_group(&self) -> Option<Group> {
        let (first, rest) = self.schemes.split_first()?;
        let repeated = rest.contains(first)
            || rest.iter().enumerate().any(|(at, scheme)| rest.iter().take(at).any(|other| other == scheme));
        let identified = (1..=MAX_IDENTIFIER).contains(&self.identifier.len());
        let known = matches!(self.mode, Mode::Confirmed | Mode::Pinned);
        (identified && known && !repeated).then_some(first.group())
    }
}

/// The messages of Key Agreement (§3) at the client's end.
#[derive(Debug)]
pub struct KeyAgreement<'c> {
    config: KeyAgreementConfig<'c>,
    /// What the response said; nothing before it came and after a failure.
    facts: AgreementFacts,
}

impl<'c, P: Provider> KeyAgreementClient<'c, P> {
    /// Begins a handshake.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`]: an identifier of another length than 1 to 255 bytes, no scheme, a scheme twice, or
    /// another mode than pinned and confirmed.
    pub fn new(config: &KeyAgreementConfig<'c>) -> Result<Self, Error> {
        let group = config.first_group().ok_or(Misuse::InvalidConfiguration)?;
        let facts = AgreementFacts::none(config.mode);
        Ok(ClientMachine::starting(KeyAgreement { config: *config, facts }, group))
    }
}

impl<P: Provider> ClientBinding<P> for KeyAgreement<'_> {
    type Session = Agreement<P>;
    type Keys = Keys<P>;

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
        let mut der = [0; Group::MAX_OWN_SPKI_LEN];
        let public_key = public.write_spki(&mut der)?;
        let KeyAgreementConfig { identifier, schemes, .. } = self.config;
        let mut nonce = [0; HANDSHAKE_NONCE_LEN];
        provider.fill(&mut nonce)?;
        let length = RequestMessage { identifier, nonce, public_key, schemes }.write(out)?;
        Ok((length, Some(self.begin_transcript(public_key, &nonce)?)))
    }

    /// There is no other try.
    fn refused(&mut self, status: u16, _: &[u8], _: Group) -> Result<Group, Error> {
        Err(Peer::UnexpectedStatus(status).into())
    }

    #[inline(never)]
    fn accept(
        &mut self,
        body: &[u8],
        sent: &Sent,
        confirmation: &mut Option<Confirmation>,
    ) -> Result<PublicKey, Error> {
        let response = ResponseFields::parse(body);
        let response = response.as_ref().map_err(|error| *error)?; // where it is: it is large
        let mut der = [0; Group::MAX_SPKI_LEN];
        let (peer, der) = server_key(response.public_key, sent.group, &mut der)?;
        self.take_facts(response, sent)?;
        let mode = self.config.mode;
        let confirmation = Confirmation::take(confirmation, response.proof, response.identity, mode)?;
        self.complete(sent, response, der, confirmation)?;
        Ok(peer)
    }

    fn keys(&self, provider: &mut P, schedule: &Schedule<'_, P::Prk>) -> Result<Self::Keys, Error> {
        Ok(Keys::derive(provider, schedule, self.facts.scheme.aead())?)
    }

    fn forget(&mut self) {
        self.facts = AgreementFacts::none(self.config.mode); // nothing of it is secret
    }

    fn session(self, keys: Self::Keys) -> Self::Session {
        Agreement::new(self.facts, keys)
    }
}

impl KeyAgreement<'_> {
    #[inline(never)] // one frame less in its caller's
    fn begin_transcript(&self, public_key: &[u8], nonce: &[u8]) -> Result<Transcript, Error> {
        let mut room = [0; Scheme::MAX_NAMES_LEN];
        let mut schemes = Writer::new(&mut room);
        Scheme::put_names(self.config.schemes, &mut schemes);
        Transcript::begin(&ClientFields {
            binding: Binding::KeyAgreement,
            public_key,
            nonce,
            schemes: schemes.finish_slice()?,
            device_id: self.config.identifier,
            platform: "",
            client_type: "",
            client_id: "",
            kid: None,
        })
        .map_err(|_| Misuse::InvalidConfiguration.into())
    }

    /// Takes the agreement's facts as the response has them, if they are what was demanded.
    #[inline(never)] // one frame less in its caller's
    fn take_facts(&mut self, response: &ResponseFields<'_>, sent: &Sent) -> Result<(), Error> {
        let facts = &mut self.facts;
        copy_bounded(response.client_reference_id, &mut facts.id)
            .filter(|()| is_session_id(&facts.id))
            .ok_or(Peer::Malformed)?;
        let lifetime = response.expires_in()?.unwrap_or(DEFAULT_LIFETIME);
        facts.expiry = Expiry::new(sent.at, Timestamp::from_unix_millis(u64::MAX), Some(lifetime));
        if facts.expiry.is_over(sent.at) {
            return Err(Incompatible::AlreadyExpired.into());
        }
        facts.scheme = Scheme::from_json(response.scheme)
            .filter(|scheme| self.config.schemes.contains(scheme) && scheme.group() == sent.group)
            .ok_or(Peer::Downgrade)?;
        Ok(())
    }

    /// Completes the transcript.
    #[inline(never)] // one frame less in its caller's
    fn complete(
        &self,
        sent: &Sent,
        response: &ResponseFields<'_>,
        public_key: &[u8],
        confirmation: &mut Confirmation,
    ) -> Result<(), Error> {
        let mut room = [0; MAX_IDENTIFIER];
        let fields = ServerFields {
            public_key,
            nonce: &[],
            scheme: self.facts.scheme,
            session_id: &self.facts.id,
            expires_at: "",
            token: "",
            identifier: identifier(response.identifier, &mut room)?,
            kid: confirmation.kid(),
            expires_in: "",
            expire_token: "",
            offered_features: &[],
            selected_features: &[],
        };
        let transcript = sent.transcript.as_ref().ok_or(Peer::Downgrade)?; // it began with the request
        confirmation.transcript = transcript.clone().finish(&fields).map_err(|_| Peer::Malformed)?;
        Ok(())
    }
}
