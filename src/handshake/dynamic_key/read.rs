//! The messages as they are read: hello, answer and error.

use super::super::is_claim;
#[cfg(doc)]
use super::super::members::names_at;
use super::super::members::{
    MAX_NONCE, Nonce, decode_at, kid, names, nonce, offered, required, string, text,
};
use crate::codec::json::{self, JsonError, Str, Value};
use crate::crypto::signature::KeyId;
use crate::error::{Code, Error, Peer};
use crate::scheme::{NameList, Scheme};
use crate::session::{ClientType, copy_bounded};
use core::ops::Range;

/// A hello as it was read. Claims are what somebody claims.
#[derive(Debug, Default)]
pub(crate) struct Hello {
    /// Where the decoded bytes of `clientPublicKey` stand in the buffer.
    pub(crate) public_key: Range<usize>,
    pub(crate) device_id: heapless::String<64, u8>,
    pub(crate) platform: heapless::String<32, u8>,
    /// `None` for a type that nobody has.
    pub(crate) client_type: Option<ClientType>,
    pub(crate) client_id: heapless::String<64, u8>,
    pub(crate) offer: Option<OfferFields>,
}

/// The member `keyAgreement` of a hello.
#[derive(Debug, Default)]
pub(crate) struct OfferFields {
    /// Where the names stand in the buffer: [`names_at`].
    pub(crate) schemes: Range<usize>,
    pub(crate) nonce: Nonce,
    /// As `schemes`; empty where there is no such member.
    pub(crate) features: Range<usize>,
    pub(crate) kid: Option<KeyId>,
}

fn claim<const N: usize>(value: Option<Value<'_>>) -> Result<heapless::String<N, u8>, Error> {
    let mut text = heapless::String::new();
    copy_bounded(string(value)?, &mut text).ok_or(Peer::Malformed)?;
    if is_claim(&text, N) { Ok(text) } else { Err(Peer::Malformed.into()) }
}

impl Hello {
    /// Reads the hello that fills `buffer`, in its place, for it is large; its public key is decoded in place.
    ///
    /// # Errors
    /// [`Peer::Malformed`].
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let [key, device, client, offer] =
            json::object(buffer, &["clientPublicKey", "device", "client", "keyAgreement"])?;
        let [device_id, platform] = required(device)?.members(&["id", "platform"])?;
        let [kind, client_id] = required(client)?.members(&["type", "clientId"])?;
        let key = string(key)?.range();
        self.device_id = claim(device_id)?;
        self.platform = claim(platform)?;
        self.client_type = ClientType::from_name(&claim::<64>(kind)?);
        self.client_id = claim(client_id)?;
        if let Some(offer) = offer {
            OfferFields::read(offer, &mut self.offer)?;
        }
        self.public_key = decode_at(buffer, key)?;
        Ok(())
    }
}

impl OfferFields {
    /// Reads an offer into its place: it is large.
    #[inline(never)] // one frame less in its caller's
    fn read(value: Value<'_>, place: &mut Option<Self>) -> Result<(), Error> {
        place.insert(Self::default()).fill(value)
    }

    #[inline(never)] // one frame less in its caller's
    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        let [schemes, offered_nonce, features, identity] =
            value.members(&["supportedSchemes", "nonce", "features", "identity"])?;
        self.schemes = offered(schemes)?;
        let identity = identity.map(|identity| identity.members(&["kid"])).transpose()?;
        let mut room = [0; MAX_NONCE];
        let nonce = nonce(string(offered_nonce)?, &mut room)?;
        self.nonce = Nonce::from_slice(nonce).map_err(|_| Peer::Malformed)?;
        if let Some(features) = features {
            names(features, &mut NameList::new())?;
            self.features = features.range();
        }
        if let Some([id]) = &identity {
            kid(id, self.kid.insert(KeyId::NONE)).ok_or(Peer::Malformed)?;
        }
        Ok(())
    }
}

/// An answer as it was read: its members where they stand, to be judged one by one. A string that is missing is
/// [`Str::MISSING`].
#[derive(Debug, Default)]
pub(crate) struct AnswerFields<'a>([Option<Value<'a>>; 6]);

/// The member `keyAgreement` of an answer, as [`AnswerFields`].
#[derive(Debug, Default)]
pub(crate) struct ChoiceFields<'a>([Option<Value<'a>>; 6]);

impl<'a> AnswerFields<'a> {
    /// Reads the answer that fills `text`.
    pub(crate) fn read(&mut self, text: &'a [u8]) -> Option<()> {
        let names = &["serverPublicKey", "sessionId", "token", "expireToken", "expiresAt", "keyAgreement"];
        json::find(text, names, &mut self.0).ok()
    }

    pub(crate) fn public_key(&self) -> Str<'a> {
        text(&self.0[0])
    }

    pub(crate) fn session_id(&self) -> Str<'a> {
        text(&self.0[1])
    }

    pub(crate) fn token(&self) -> Str<'a> {
        text(&self.0[2])
    }

    pub(crate) const fn expire_token(&self) -> Option<Value<'a>> {
        self.0[3]
    }

    pub(crate) fn expires_at(&self) -> Str<'a> {
        text(&self.0[4])
    }

    /// What [`ChoiceFields`] reads.
    pub(crate) const fn choice(&self) -> Option<Value<'a>> {
        self.0[5]
    }
}

impl<'a> ChoiceFields<'a> {
    /// Reads what `AnswerFields::choice` is.
    pub(crate) fn read(&mut self, choice: Value<'a>) -> Option<()> {
        let names = &["scheme", "nonce", "features", "expiresIn", "proof", "identity"];
        choice.find(names, &mut self.0).ok()
    }

    pub(crate) fn scheme(&self) -> Str<'a> {
        text(&self.0[0])
    }

    pub(crate) fn nonce(&self) -> Str<'a> {
        text(&self.0[1])
    }

    /// Whether a feature is selected, or something that is no list.
    pub(crate) fn has_features(&self) -> bool {
        self.0[2].is_some_and(|features| !features.is_empty_array())
    }

    pub(crate) const fn expires_in(&self) -> Option<Value<'a>> {
        self.0[3]
    }

    pub(crate) fn proof(&self) -> Str<'a> {
        text(&self.0[4])
    }

    pub(crate) const fn identity(&self) -> Option<Value<'a>> {
        self.0[5]
    }
}

/// The error of a status other than 200, and the scheme that a 409 names.
#[derive(Debug)]
pub(crate) struct ErrorFields {
    pub(crate) code: Option<Code>,
    pub(crate) scheme: Option<Scheme>,
}

impl ErrorFields {
    /// Reads the error that fills `body`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, JsonError> {
        let mut found = [None; 2];
        json::find(body, &["code", "scheme"], &mut found)?;
        let [code, scheme] = &found;
        Ok(Self { code: Code::from_json(text(code)), scheme: Scheme::from_json(text(scheme)) })
    }
}
