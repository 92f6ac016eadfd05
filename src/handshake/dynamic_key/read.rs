//! The messages as they are read: hello, answer and error.

use super::super::is_claim;
use crate::codec::base64;
use crate::codec::json::{self, JsonError, Str, Value};
use crate::codec::timestamp::Timestamp;
use crate::crypto::{KeyId, Signature};
use crate::error::{Code, Error, Peer};
use crate::scheme::{NameList, Scheme};
use crate::session::bounded;
use core::ops::Range;

/// The most bytes of a handshake nonce; the least are 16.
const MAX_NONCE: usize = 32;

/// A handshake nonce as it came, 16 to 32 bytes.
pub type Nonce = heapless::Vec<u8, MAX_NONCE, u8>;

/// A hello as it was read. Claims are what somebody claims.
#[derive(Debug)]
pub(crate) struct Hello {
    /// Where the decoded bytes of `clientPublicKey` stand in the buffer.
    pub(crate) public_key: Range<usize>,
    pub(crate) device_id: heapless::String<64, u8>,
    pub(crate) platform: heapless::String<32, u8>,
    pub(crate) client_type: heapless::String<64, u8>,
    pub(crate) client_id: heapless::String<64, u8>,
    pub(crate) offer: Option<OfferFields>,
}

/// The member `keyAgreement` of a hello.
#[derive(Debug)]
pub(crate) struct OfferFields {
    pub(crate) schemes: NameList,
    pub(crate) nonce: Nonce,
    pub(crate) features: NameList,
    pub(crate) kid: Option<KeyId>,
}

fn required(value: Option<Value<'_>>) -> Result<Value<'_>, Error> {
    value.ok_or(Error::Peer(Peer::Malformed))
}

fn string(value: Option<Value<'_>>) -> Result<Str<'_>, Error> {
    Ok(required(value)?.string()?)
}

fn claim<const N: usize>(value: Option<Value<'_>>) -> Result<heapless::String<N, u8>, Error> {
    let text = string(value)?;
    let text: heapless::String<N, u8> = bounded(text).ok_or(Peer::Malformed)?;
    if is_claim(&text, N) { Ok(text) } else { Err(Peer::Malformed.into()) }
}

fn nonce(value: Option<Value<'_>>) -> Result<Nonce, Error> {
    let mut room = [0; MAX_NONCE];
    let nonce = string(value)?.base64(&mut room).map_err(|_| Peer::Malformed)?;
    if nonce.len() < 16 {
        return Err(Peer::Malformed.into());
    }
    Nonce::from_slice(nonce).map_err(|_| Peer::Malformed.into())
}

fn names(value: Value<'_>) -> Result<NameList, Error> {
    let mut list = NameList::new();
    for element in value.elements()? {
        let mut room = [0; NameList::MAX_NAME];
        let name = element.string()?.copy_to(&mut room).map_err(|_| Peer::Malformed)?;
        list.push(name).map_err(|_| Peer::Malformed)?;
    }
    Ok(list)
}

fn kid(value: Value<'_>) -> Result<KeyId, Error> {
    let mut room = [0; KeyId::LEN];
    let text = value.string()?.copy_to(&mut room).map_err(|_| Peer::Malformed)?;
    KeyId::parse(text).ok_or(Peer::Malformed.into())
}

/// Decodes the base64 string at `range` of `buffer` in place, and says where its bytes stand.
fn decode_at(buffer: &mut [u8], range: Range<usize>) -> Result<Range<usize>, Error> {
    let malformed = Error::Peer(Peer::Malformed);
    let text = buffer.get_mut(range.clone()).ok_or(malformed)?;
    let length = json::unescape_in_place(text);
    let length = base64::decode_in_place(text.get_mut(..length).ok_or(malformed)?).map_err(|_| malformed)?;
    Ok(range.start..range.start.saturating_add(length))
}

impl Hello {
    /// Reads the hello that fills `buffer`; its public key is decoded in place.
    ///
    /// # Errors
    /// [`Peer::Malformed`].
    pub(crate) fn parse(buffer: &mut [u8]) -> Result<Self, Error> {
        let [key, device, client, offer] =
            json::object(buffer, &["clientPublicKey", "device", "client", "keyAgreement"])?;
        let [device_id, platform] = required(device)?.members(&["id", "platform"])?;
        let [kind, client_id] = required(client)?.members(&["type", "clientId"])?;
        let mut hello = Self {
            public_key: string(key)?.range(),
            device_id: claim(device_id)?,
            platform: claim(platform)?,
            client_type: claim(kind)?,
            client_id: claim(client_id)?,
            offer: offer.map(OfferFields::parse).transpose()?,
        };
        hello.public_key = decode_at(buffer, hello.public_key)?;
        Ok(hello)
    }
}

impl OfferFields {
    fn parse(value: Value<'_>) -> Result<Self, Error> {
        let [schemes, offered_nonce, features, identity] =
            value.members(&["supportedSchemes", "nonce", "features", "identity"])?;
        let schemes = names(required(schemes)?)?;
        if schemes.is_empty() {
            return Err(Peer::Malformed.into());
        }
        let identity = identity.map(|identity| identity.members(&["kid"])).transpose()?;
        Ok(Self {
            schemes,
            nonce: nonce(offered_nonce)?,
            features: features.map(names).transpose()?.unwrap_or_default(),
            kid: identity.map(|[text]| kid(required(text)?)).transpose()?,
        })
    }
}

/// An answer as it was read. What is short is copied; `token` is looked at where it stands.
#[derive(Debug)]
pub(crate) struct AnswerFields<'a> {
    pub(crate) public_key: Str<'a>,
    pub(crate) session_id: Str<'a>,
    pub(crate) token: Str<'a>,
    pub(crate) expire_token: u64,
    pub(crate) expire_token_digits: &'a str,
    pub(crate) expires_at: heapless::String<{ Timestamp::MAX_LEN }, u8>,
    pub(crate) choice: Option<ChoiceFields<'a>>,
}

/// The member `keyAgreement` of an answer.
#[derive(Debug)]
pub(crate) struct ChoiceFields<'a> {
    pub(crate) scheme: Option<Scheme>,
    pub(crate) nonce: Nonce,
    pub(crate) features: Option<Value<'a>>,
    pub(crate) expires_in: u64,
    pub(crate) expires_in_digits: &'a str,
    pub(crate) proof: [u8; 32],
    pub(crate) identity: Option<(KeyId, Signature)>,
}

fn digits(value: Value<'_>) -> Result<(u64, &str), Error> {
    let number = value.integer()?;
    Ok((number, core::str::from_utf8(value.raw()).map_err(|_| Peer::Malformed)?))
}

impl<'a> AnswerFields<'a> {
    /// Reads the answer that fills `text`; `keyAgreement` only where it `is_expected`, for plain mode ignores it.
    ///
    /// # Errors
    /// [`Peer::Malformed`].
    pub(crate) fn parse(text: &'a [u8], is_expected: bool) -> Result<Self, Error> {
        let [public_key, session_id, token, expire_token, expires_at, choice] = json::object(
            text,
            &["serverPublicKey", "sessionId", "token", "expireToken", "expiresAt", "keyAgreement"],
        )?;
        let (expire_token, expire_token_digits) = digits(required(expire_token)?)?;
        Ok(Self {
            public_key: string(public_key)?,
            session_id: string(session_id)?,
            token: string(token)?,
            expire_token,
            expire_token_digits,
            expires_at: bounded(string(expires_at)?).ok_or(Peer::Malformed)?,
            choice: choice.filter(|_| is_expected).map(ChoiceFields::parse).transpose()?,
        })
    }
}

impl<'a> ChoiceFields<'a> {
    fn parse(value: Value<'a>) -> Result<Self, Error> {
        let [scheme, answered_nonce, features, expires_in, proof, identity] =
            value.members(&["scheme", "nonce", "features", "expiresIn", "proof", "identity"])?;
        let (expires_in, expires_in_digits) = digits(required(expires_in)?)?;
        let mut room = [0; 32];
        let proof = string(proof)?.base64(&mut room).map_err(|_| Peer::Malformed)?;
        let proof = proof.try_into().map_err(|_| Peer::Malformed)?;
        let mut room = [0; NameList::MAX_NAME];
        let scheme = string(scheme)?.copy_to(&mut room).ok().and_then(Scheme::from_name);
        let nonce = nonce(answered_nonce)?;
        let identity = identity.map(identity_of).transpose()?;
        Ok(Self { scheme, nonce, features, expires_in, expires_in_digits, proof, identity })
    }

    /// The selected features.
    pub(crate) fn features(&self) -> Result<NameList, Error> {
        self.features.map_or_else(|| Ok(NameList::new()), names)
    }
}

fn identity_of(value: Value<'_>) -> Result<(KeyId, Signature), Error> {
    let [text, signature] = value.members(&["kid", "signature"])?;
    let mut room = [0; 64];
    let signature = string(signature)?.base64url(&mut room).map_err(|_| Peer::Malformed)?;
    Ok((kid(required(text)?)?, signature.try_into().map_err(|_| Peer::Malformed)?))
}

/// The error of a status other than 200, and the scheme that a 409 names.
#[derive(Debug)]
pub(crate) struct ErrorFields {
    pub(crate) code: Option<Code>,
    pub(crate) scheme: Option<Scheme>,
}

impl ErrorFields {
    /// Reads the error that fills `text`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let [code, scheme] = json::object(text, &["code", "scheme"])?;
        let mut room = [0; 64];
        let mut name = |value: Option<Value<'_>>| -> Option<heapless::String<64, u8>> {
            heapless::String::try_from(value?.string().ok()?.copy_to(&mut room).ok()?).ok()
        };
        let code = name(code).and_then(|name| Code::from_name(&name));
        let scheme = name(scheme).and_then(|name| Scheme::from_name(&name));
        Ok(Self { code, scheme })
    }
}
