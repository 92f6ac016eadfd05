//! The messages as they are written: hello, answer and error.

use super::super::HANDSHAKE_NONCE_LEN;
use super::super::members::{self, IDENTITY_LEN, put_base64, put_identity, put_schemes, schemes_len};
use crate::codec::cursor::Writer;
use crate::codec::json::put_string;
use crate::codec::spki::Group;
use crate::codec::timestamp;
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::provider::HASH_LEN;
use crate::crypto::{KeyId, Signature};
use crate::error::{Code, Error};
use crate::scheme::Scheme;

/// The hello (§2.1).
pub(crate) struct HelloMessage<'a> {
    /// SPKI DER.
    pub(crate) public_key: &'a [u8],
    pub(crate) device_id: &'a str,
    pub(crate) platform: &'a str,
    pub(crate) client_type: &'static str,
    pub(crate) client_id: &'a str,
    /// `None` in plain mode.
    pub(crate) offer: Option<OfferMessage<'a>>,
}

/// The member `keyAgreement` of a hello.
pub(crate) struct OfferMessage<'a> {
    pub(crate) schemes: &'a [Scheme],
    pub(crate) nonce: [u8; HANDSHAKE_NONCE_LEN],
    /// The client's identity, in mutual mode.
    pub(crate) kid: Option<&'a KeyId>,
}

impl HelloMessage<'_> {
    /// Writes the message to the front of `out` and returns its length.
    pub(crate) fn write(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Writer::new(out);
        out.put(br#"{"clientPublicKey":""#);
        put_base64(&mut out, self.public_key);
        for (name, value) in [
            (r#"","device":{"id":"#, self.device_id),
            (r#","platform":"#, self.platform),
            (r#"},"client":{"type":"#, self.client_type),
            (r#","clientId":"#, self.client_id),
        ] {
            out.put(name.as_bytes());
            put_string(&mut out, value);
        }
        if let Some(OfferMessage { schemes, nonce, kid }) = &self.offer {
            out.put(br#"},"keyAgreement":{"supportedSchemes":"#);
            put_schemes(&mut out, schemes);
            out.put(br#","nonce":""#);
            put_base64(&mut out, nonce);
            out.put(b"\"");
            if let Some(kid) = kid {
                out.put(br#","identity":{"kid":"#);
                put_string(&mut out, kid.as_str());
                out.put(b"}");
            }
        }
        out.put(b"}}");
        out.finish()
    }
}

/// The length in bytes of a hello: exactly what writing it needs. `spki` is the length of the public key in DER, `strings`
/// those of id, platform, type and clientId together once escaped, `schemes` the offer outside plain mode; `identified` in
/// mutual mode.
#[must_use]
pub(crate) const fn hello_len(
    spki: usize,
    strings: usize,
    schemes: Option<&[Scheme]>,
    identified: bool,
) -> usize {
    const FRAME: usize =
        br#"{"clientPublicKey":"","device":{"id":"","platform":""},"client":{"type":"","clientId":""}}"#
            .len();
    const OFFER: usize = br#","keyAgreement":{"supportedSchemes":,"nonce":""}"#.len();
    const IDENTITY: usize = br#","identity":{"kid":""}"#.len() + KeyId::LEN;
    let offer = match schemes {
        None => 0,
        Some(schemes) => {
            let identity = if identified { IDENTITY } else { 0 };
            OFFER
                .saturating_add(schemes_len(schemes))
                .saturating_add(base64::encoded_len(HANDSHAKE_NONCE_LEN))
                .saturating_add(identity)
        }
    };
    FRAME.saturating_add(base64::encoded_len(spki)).saturating_add(strings).saturating_add(offer)
}

/// The answer (§2.1).
pub(crate) struct AnswerMessage<'a> {
    /// SPKI DER.
    pub(crate) public_key: &'a [u8],
    pub(crate) session_id: &'a str,
    pub(crate) token: &'a str,
    pub(crate) expire_token: u64,
    pub(crate) expires_at: &'a str,
    /// `None` in plain mode.
    pub(crate) choice: Option<ChoiceMessage<'a>>,
}

/// The member `keyAgreement` of an answer. No feature is ever selected in this version.
pub(crate) struct ChoiceMessage<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) nonce: [u8; HANDSHAKE_NONCE_LEN],
    pub(crate) expires_in: u64,
    pub(crate) proof: [u8; HASH_LEN],
    /// Who will sign: the signature is left blank, and stands last, so that it can be written in after the rest.
    pub(crate) kid: Option<&'a KeyId>,
}

/// What stands after the blank for the signature.
const AFTER_SIGNATURE: &[u8] = br#""}}}"#;

impl AnswerMessage<'_> {
    /// The length in bytes.
    pub(crate) fn length(&self) -> usize {
        self.write(&mut []).unwrap_or_else(|error| error.needed)
    }

    /// Writes the message to the front of `out` and returns its length.
    pub(crate) fn write(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Writer::new(out);
        out.put(br#"{"serverPublicKey":""#);
        put_base64(&mut out, self.public_key);
        out.put(br#"","sessionId":"#);
        put_string(&mut out, self.session_id);
        out.put(br#","token":"#);
        put_string(&mut out, self.token);
        out.put(br#","expireToken":"#);
        out.put_decimal(self.expire_token);
        out.put(br#","expiresAt":"#);
        put_string(&mut out, self.expires_at);
        if let Some(choice) = &self.choice {
            out.put(br#","keyAgreement":{"scheme":"#);
            put_string(&mut out, choice.scheme.name());
            out.put(br#","nonce":""#);
            put_base64(&mut out, &choice.nonce);
            out.put(br#"","features":[],"expiresIn":"#);
            out.put_decimal(choice.expires_in);
            out.put(br#","proof":""#);
            put_base64(&mut out, &choice.proof);
            out.put(b"\"");
            if let Some(kid) = choice.kid {
                put_identity(&mut out, kid);
            }
            out.put(b"}");
        }
        out.put(b"}");
        out.finish()
    }
}

/// The length in bytes of the longest answer whose session id and token have these lengths.
pub(crate) const fn longest_answer(session_id: usize, token: usize) -> usize {
    const FRAME: usize =
        br#"{"serverPublicKey":"","sessionId":"","token":"","expireToken":,"expiresAt":""}"#.len();
    const CHOICE: usize =
        br#","keyAgreement":{"scheme":"","nonce":"","features":[],"expiresIn":,"proof":""}"#.len();
    const DIGITS: usize = 20;
    const STRINGS: usize = base64::encoded_len(Group::MAX_OWN_SPKI_LEN)
        + timestamp::LEN
        + Scheme::EcAes2.name().len()
        + base64::encoded_len(HANDSHAKE_NONCE_LEN)
        + base64::encoded_len(HASH_LEN);
    const FIXED: usize = FRAME + CHOICE + IDENTITY_LEN + STRINGS + 2 * DIGITS;
    FIXED.saturating_add(session_id).saturating_add(token)
}

/// Writes `signature` into the answer that fills `answer` and was written with a blank for it.
pub(crate) fn fill_signature(answer: &mut [u8], signature: &Signature) -> Result<(), Error> {
    members::fill_signature(answer, signature, AFTER_SIGNATURE)
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
    let mut out = Writer::new(out);
    out.put(br#"{"status":"#);
    out.put_decimal(code.status().into());
    out.put(br#","code":"#);
    put_string(&mut out, code.name());
    out.put(br#","message":"#);
    put_string(&mut out, code.message());
    if let Some(scheme) = scheme {
        out.put(br#","scheme":"#);
        put_string(&mut out, scheme.name());
    }
    out.put(b"}");
    Ok(out.finish()?)
}

#[cfg(test)]
mod tests {
    use super::super::read::ErrorFields;
    use super::*;

    #[test]
    fn the_longest_answer() {
        let kid = KeyId::of_point(&[4; 65]);
        let choice = ChoiceMessage {
            scheme: Scheme::EcAes2,
            nonce: [0; HANDSHAKE_NONCE_LEN],
            expires_in: u64::MAX,
            proof: [0; HASH_LEN],
            kid: Some(&kid),
        };
        let message = AnswerMessage {
            public_key: &[0; Group::MAX_OWN_SPKI_LEN],
            session_id: "s",
            token: "t",
            expire_token: u64::MAX,
            expires_at: "2026-06-04T00:00:00.000Z",
            choice: Some(choice),
        };
        assert_eq!(message.length(), longest_answer(1, 1));
    }

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
}
