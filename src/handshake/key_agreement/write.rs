//! The messages as they are written.

use super::super::HANDSHAKE_NONCE_LEN;
use super::super::members::{self, IDENTITY_LEN, put_base64, put_identity, put_schemes, schemes_len};
use crate::codec::cursor::Writer;
use crate::codec::json::put_string;
use crate::codec::spki::Group;
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::provider::HASH_LEN;
use crate::crypto::{KeyId, Signature};
use crate::error::Error;
use crate::scheme::Scheme;

/// The request (§3).
pub(crate) struct RequestMessage<'a> {
    pub(crate) identifier: &'a [u8],
    pub(crate) nonce: [u8; HANDSHAKE_NONCE_LEN],
    /// SPKI DER.
    pub(crate) public_key: &'a [u8],
    pub(crate) schemes: &'a [Scheme],
}

impl RequestMessage<'_> {
    /// Writes the message to the front of `out` and returns its length.
    pub(crate) fn write(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Writer::new(out);
        for (name, bytes) in [
            (r#"{"identifier":""#, self.identifier),
            (r#"","nonce":""#, &self.nonce),
            (r#"","public_key":""#, self.public_key),
        ] {
            out.put(name.as_bytes());
            put_base64(&mut out, bytes);
        }
        out.put(br#"","supported_schemes":"#);
        put_schemes(&mut out, self.schemes);
        out.put(b"}");
        out.finish()
    }
}

/// The length in bytes of a request: exactly what writing it needs. `identifier` and `spki`, that of the public key in DER,
/// are lengths in bytes.
#[must_use]
pub(crate) const fn request_len(identifier: usize, spki: usize, schemes: &[Scheme]) -> usize {
    const FRAME: usize = br#"{"identifier":"","nonce":"","public_key":"","supported_schemes":}"#.len();
    FRAME
        .saturating_add(base64::encoded_len(identifier))
        .saturating_add(base64::encoded_len(HANDSHAKE_NONCE_LEN))
        .saturating_add(base64::encoded_len(spki))
        .saturating_add(schemes_len(schemes))
}

/// The response (§3).
pub(crate) struct ResponseMessage<'a> {
    pub(crate) client_reference_id: &'a str,
    pub(crate) identifier: &'a [u8],
    pub(crate) proof: [u8; HASH_LEN],
    /// SPKI DER.
    pub(crate) public_key: &'a [u8],
    pub(crate) scheme: Scheme,
    /// Seconds.
    pub(crate) expires_in: Option<u64>,
    /// Who will sign: the signature is left blank, and stands last.
    pub(crate) kid: Option<&'a KeyId>,
}

/// What stands after the blank for the signature.
const AFTER_SIGNATURE: &[u8] = br#""}}"#;

impl ResponseMessage<'_> {
    /// The length in bytes.
    pub(crate) fn length(&self) -> usize {
        self.write(&mut []).unwrap_or_else(|error| error.needed)
    }

    /// Writes the message to the front of `out` and returns its length.
    pub(crate) fn write(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Writer::new(out);
        out.put(br#"{"client_reference_id":"#);
        put_string(&mut out, self.client_reference_id);
        for (name, bytes) in [
            (r#","identifier":""#, self.identifier),
            (r#"","proof":""#, &self.proof),
            (r#"","public_key":""#, self.public_key),
        ] {
            out.put(name.as_bytes());
            put_base64(&mut out, bytes);
        }
        out.put(br#"","scheme":"#);
        put_string(&mut out, self.scheme.name());
        if let Some(seconds) = self.expires_in {
            out.put(br#","expires_in":"#);
            out.put_decimal(seconds);
        }
        if let Some(kid) = self.kid {
            put_identity(&mut out, kid);
        }
        out.put(b"}");
        out.finish()
    }
}

/// The length in bytes of the longest response whose id and identifier have these lengths.
pub(crate) const fn longest_response(client_reference_id: usize, identifier: usize) -> usize {
    const FRAME: usize =
        br#"{"client_reference_id":"","identifier":"","proof":"","public_key":"","scheme":"","expires_in":}"#
            .len();
    const DIGITS: usize = 16;
    const FIXED: usize = FRAME
        + base64::encoded_len(HASH_LEN)
        + base64::encoded_len(Group::MAX_OWN_SPKI_LEN)
        + Scheme::EcAes2.name().len()
        + DIGITS
        + IDENTITY_LEN;
    FIXED.saturating_add(client_reference_id).saturating_add(base64::encoded_len(identifier))
}

/// Writes `signature` into the response that fills `response` and was written with a blank for it.
pub(crate) fn fill_signature(response: &mut [u8], signature: &Signature) -> Result<(), Error> {
    members::fill_signature(response, signature, AFTER_SIGNATURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_response() {
        let kid = KeyId::of_point(&[4; 65]);
        let message = ResponseMessage {
            client_reference_id: "r",
            identifier: &[7; 255],
            proof: [0; HASH_LEN],
            public_key: &[0; Group::MAX_OWN_SPKI_LEN],
            scheme: Scheme::EcAes2,
            expires_in: Some((1 << 53) - 1),
            kid: Some(&kid),
        };
        assert_eq!(message.length(), longest_response(1, 255));
    }
}
