//! The messages of Dynamic Key V2 (§2.1): hello, answer and error, written and read.

use super::is_claim;
use crate::codec::json::{self, JsonError, Str, Value};
use crate::codec::timestamp::Timestamp;
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::{KeyId, Signature};
use crate::error::{Code, Error, Misuse, Peer};
use crate::scheme::{NameList, Scheme};
use crate::session::bounded;
use core::ops::Range;
use serde::{Serialize, Serializer};

/// The most bytes of a handshake nonce; the least are 16.
const MAX_NONCE: usize = 32;

/// A handshake nonce as it came, 16 to 32 bytes.
pub type Nonce = heapless::Vec<u8, MAX_NONCE, u8>;

/// Writes `message` to the front of `out`, whose `needed` bytes the caller has computed.
fn write(message: &impl Serialize, needed: usize, out: &mut [u8]) -> Result<usize, Error> {
    let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    // `needed` is the exact length, so a writer that runs out is a defect of ours, which the tests of lengths would show.
    serde_json_core::to_slice(message, out).map_err(|_| Misuse::TooLong.into())
}

impl Serialize for NameList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The bytes that the names of an array take: each in quotes, commas between.
const fn names_len(count: usize, characters: usize) -> usize {
    characters.saturating_add(count.saturating_mul(3)).saturating_sub(if count == 0 { 0 } else { 1 })
}

/// The hello as it is written.
#[derive(Serialize)]
pub(crate) struct HelloMessage<'a> {
    #[serde(rename = "clientPublicKey")]
    pub(crate) public_key: &'a str,
    pub(crate) device: DeviceMessage<'a>,
    pub(crate) client: ClientMessage<'a>,
    #[serde(rename = "keyAgreement", skip_serializing_if = "Option::is_none")]
    pub(crate) key_agreement: Option<OfferMessage<'a>>,
}

#[derive(Serialize)]
pub(crate) struct DeviceMessage<'a> {
    pub(crate) id: &'a str,
    pub(crate) platform: &'a str,
}

#[derive(Serialize)]
pub(crate) struct ClientMessage<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(rename = "clientId")]
    pub(crate) id: &'a str,
}

#[derive(Serialize)]
pub(crate) struct OfferMessage<'a> {
    #[serde(rename = "supportedSchemes")]
    pub(crate) schemes: &'a NameList,
    pub(crate) nonce: &'a str,
}

/// The length in bytes of a hello: exactly what writing it needs. `spki` is the length of the public key in DER, `strings`
/// those of id, platform, type and clientId together once escaped, `schemes` the offer outside plain mode.
#[must_use]
pub(crate) const fn hello_len(spki: usize, strings: usize, schemes: Option<&[Scheme]>) -> usize {
    const FRAME: usize =
        br#"{"clientPublicKey":"","device":{"id":"","platform":""},"client":{"type":"","clientId":""}}"#
            .len();
    const OFFER: usize = br#","keyAgreement":{"supportedSchemes":[],"nonce":""}"#.len();
    let offer = match schemes {
        None => 0,
        Some(schemes) => {
            let (mut characters, mut rest) = (0_usize, schemes);
            while let [scheme, after @ ..] = rest {
                characters = characters.saturating_add(scheme.name().len());
                rest = after;
            }
            OFFER
                .saturating_add(names_len(schemes.len(), characters))
                .saturating_add(base64::encoded_len(super::HANDSHAKE_NONCE_LEN))
        }
    };
    FRAME.saturating_add(base64::encoded_len(spki)).saturating_add(strings).saturating_add(offer)
}

impl HelloMessage<'_> {
    pub(crate) fn write(&self, needed: usize, out: &mut [u8]) -> Result<usize, Error> {
        write(self, needed, out)
    }
}

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

/// The answer as it is written.
#[derive(Serialize)]
pub(crate) struct AnswerMessage<'a> {
    #[serde(rename = "serverPublicKey")]
    pub(crate) public_key: &'a str,
    #[serde(rename = "sessionId")]
    pub(crate) session_id: &'a str,
    pub(crate) token: &'a str,
    #[serde(rename = "expireToken")]
    pub(crate) expire_token: u64,
    #[serde(rename = "expiresAt")]
    pub(crate) expires_at: &'a str,
    #[serde(rename = "keyAgreement", skip_serializing_if = "Option::is_none")]
    pub(crate) key_agreement: Option<ChoiceMessage<'a>>,
}

/// `identity` stands last, and in it the signature, so that it can be written in after the rest.
#[derive(Serialize)]
pub(crate) struct ChoiceMessage<'a> {
    pub(crate) scheme: &'static str,
    pub(crate) nonce: &'a str,
    pub(crate) features: &'a NameList,
    #[serde(rename = "expiresIn")]
    pub(crate) expires_in: u64,
    pub(crate) proof: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<IdentityMessage<'a>>,
}

#[derive(Serialize)]
pub(crate) struct IdentityMessage<'a> {
    pub(crate) kid: &'a str,
    pub(crate) signature: &'a str,
}

/// What stands in the place of a signature that is not yet known.
pub(crate) const SIGNATURE_BLANK: &str =
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// What stands after it.
const AFTER_SIGNATURE: &str = r#""}}}"#;

impl AnswerMessage<'_> {
    /// The exact length in bytes.
    pub(crate) fn length(&self) -> usize {
        const FRAME: usize =
            br#"{"serverPublicKey":"","sessionId":"","token":"","expireToken":,"expiresAt":""}"#.len();
        const CHOICE: usize =
            br#","keyAgreement":{"scheme":"","nonce":"","features":[],"expiresIn":,"proof":""}"#.len();
        const IDENTITY: usize = br#","identity":{"kid":"","signature":""}"#.len();
        let mut length = FRAME
            .saturating_add(self.public_key.len())
            .saturating_add(self.session_id.len())
            .saturating_add(self.token.len())
            .saturating_add(decimal_len(self.expire_token))
            .saturating_add(self.expires_at.len());
        if let Some(choice) = &self.key_agreement {
            length = length
                .saturating_add(CHOICE)
                .saturating_add(choice.scheme.len())
                .saturating_add(choice.nonce.len())
                .saturating_add(
                    choice.features.iter().map(|name| name.len().saturating_add(3)).sum::<usize>(),
                )
                .saturating_sub(usize::from(!choice.features.is_empty()))
                .saturating_add(decimal_len(choice.expires_in))
                .saturating_add(choice.proof.len());
            if let Some(identity) = &choice.identity {
                length = length
                    .saturating_add(IDENTITY)
                    .saturating_add(identity.kid.len())
                    .saturating_add(identity.signature.len());
            }
        }
        length
    }

    pub(crate) fn write(&self, out: &mut [u8]) -> Result<usize, Error> {
        write(self, self.length(), out)
    }
}

/// Writes `signature` into the answer that fills `answer` and was written with [`SIGNATURE_BLANK`].
pub(crate) fn fill_signature(answer: &mut [u8], signature: &Signature) -> Result<(), Error> {
    let blank = answer
        .len()
        .checked_sub(AFTER_SIGNATURE.len())
        .and_then(|end| Some(end.checked_sub(SIGNATURE_BLANK.len())?..end))
        .and_then(|place| answer.get_mut(place))
        .filter(|place| *place == SIGNATURE_BLANK.as_bytes())
        .ok_or(Misuse::WrongTurn)?;
    base64::url_encode(signature, blank)?;
    Ok(())
}

/// The digits of `number`.
const fn decimal_len(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(digits) => (digits as usize).saturating_add(1),
        None => 1,
    }
}

/// `number` in decimal digits.
pub(crate) fn decimal(number: u64) -> heapless::String<20, u8> {
    let mut digits = heapless::Vec::<u8, 20, u8>::new();
    let mut rest = number;
    loop {
        let digit = u8::try_from(rest.checked_rem(10).unwrap_or(0)).unwrap_or(0);
        let _ = digits.push(b'0'.wrapping_add(digit));
        rest = rest.checked_div(10).unwrap_or(0);
        if rest == 0 {
            break;
        }
    }
    digits.reverse();
    heapless::String::from_utf8(digits).unwrap_or_default()
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

#[derive(Serialize)]
struct ErrorMessage {
    status: u16,
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'static str>,
}

/// The length in bytes of an error: exactly what [`write_error`] needs.
#[must_use]
pub const fn error_len(code: Code, scheme: Option<Scheme>) -> usize {
    const FRAME: usize = br#"{"status":400,"code":"","message":""}"#.len();
    let scheme = match scheme {
        Some(scheme) => br#","scheme":"""#.len().saturating_add(scheme.name().len()),
        None => 0,
    };
    FRAME.saturating_add(code.name().len()).saturating_add(code.message().len()).saturating_add(scheme)
}

/// Writes the error JSON of §2.6 to the front of `out` and returns its length; `scheme` stands beside a 409 only.
///
/// # Errors
/// [`Error::BufferTooSmall`] with [`error_len`].
pub fn write_error(code: Code, scheme: Option<Scheme>, out: &mut [u8]) -> Result<usize, Error> {
    let message = ErrorMessage {
        status: code.status(),
        code: code.name(),
        message: code.message(),
        scheme: scheme.map(Scheme::name),
    };
    write(&message, error_len(code, scheme), out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_need_exactly_what_they_say() {
        for code in Code::ALL {
            for scheme in [None, Some(Scheme::EcAes1)] {
                let needed = error_len(code, scheme);
                let mut out = [0; 256];
                assert_eq!(write_error(code, scheme, &mut out[..needed]), Ok(needed));
                let fields = ErrorFields::parse(&out[..needed]).unwrap();
                assert_eq!((fields.code, fields.scheme), (Some(code), scheme));
                assert_eq!(
                    write_error(code, scheme, &mut out[..needed - 1]),
                    Err(Error::BufferTooSmall { needed })
                );
            }
        }
    }

    #[test]
    fn decimals() {
        for number in [0, 1, 9, 10, 99, 100, 3600, 1_780_531_200, u64::MAX] {
            assert_eq!(decimal(number).as_str(), std::format!("{number}"));
            assert_eq!(decimal_len(number), decimal(number).len());
        }
    }
}
