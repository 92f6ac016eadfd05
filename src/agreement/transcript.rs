//! The transcript T of a handshake (§2.3), hashed as the messages are written and read, so that no message is kept.
//!
//! ```text
//! T = SHA-256( "dynamic-key transcript v2" ‖ 0x00 ‖ field₁ … field₂₁ ),   fieldᵢ = uint16 length ‖ bytes
//! ```

use crate::crypto::KeyId;
use crate::crypto::hash::Sha256;
use crate::crypto::provider::HASH_LEN;
#[cfg(doc)]
use crate::scheme::NameList;
use crate::scheme::Scheme;

/// T: what both ends saw. Not secret.
pub type TranscriptHash = [u8; HASH_LEN];

/// Which messages carried the handshake: field 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Binding {
    /// Dynamic Key V2 (§2).
    DynamicKeyV2,
    /// Key Agreement (§3).
    KeyAgreement,
}

impl Binding {
    /// The name that enters the transcript.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DynamicKeyV2 => "dynamic-key-v2",
            Self::KeyAgreement => "key-agreement",
        }
    }
}

/// What the client said: fields 1 to 9. A member that the binding does not have is empty.
#[derive(Clone, Copy, Debug)]
pub struct ClientFields<'a> {
    /// 1: the binding.
    pub binding: Binding,
    /// 2: the client's public key, SPKI DER as sent.
    pub public_key: &'a [u8],
    /// 3: the client's nonce.
    pub nonce: &'a [u8],
    /// 4: the offered schemes, as [`NameList::as_bytes`] has them.
    pub schemes: &'a [u8],
    /// 5: `device.id`, or the client's `identifier`.
    pub device_id: &'a [u8],
    /// 6: `device.platform`.
    pub platform: &'a str,
    /// 7: `client.type`.
    pub client_type: &'a str,
    /// 8: `client.clientId`.
    pub client_id: &'a str,
    /// 9: the client's key id.
    pub kid: Option<&'a KeyId>,
}

/// What the server said, and the features: fields 10 to 21. A member that the binding does not have is empty.
#[derive(Clone, Copy, Debug)]
pub struct ServerFields<'a> {
    /// 10: the server's public key, SPKI DER as sent.
    pub public_key: &'a [u8],
    /// 11: the server's nonce.
    pub nonce: &'a [u8],
    /// 12: the selected scheme.
    pub scheme: Scheme,
    /// 13: `sessionId`, or `client_reference_id`.
    pub session_id: &'a str,
    /// 14: `expiresAt`, the string as sent.
    pub expires_at: &'a str,
    /// 15: the token.
    pub token: &'a str,
    /// 16: the server's `identifier`.
    pub identifier: &'a [u8],
    /// 17: the server's key id.
    pub kid: Option<&'a KeyId>,
    /// 18: `expiresIn`, the digits as sent.
    pub expires_in: &'a str,
    /// 19: `expireToken`, the digits as sent.
    pub expire_token: &'a str,
    /// 20: the offered features, as [`NameList::as_bytes`] has them; empty where the binding has none.
    pub offered_features: &'a [u8],
    /// 21: the selected features, as [`NameList::as_bytes`] has them; empty where the binding has none.
    pub selected_features: &'a [u8],
}

/// A transcript that has taken the client's fields and waits for the server's.
#[derive(Clone, Debug)]
pub struct Transcript(Sha256);

/// A field over 65,535 bytes, which would have to be truncated. It is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldTooLong;

impl Transcript {
    /// Starts with the client's fields.
    ///
    /// # Errors
    /// [`FieldTooLong`] for a field over 65,535 bytes.
    #[inline]
    pub fn begin(client: &ClientFields<'_>) -> Result<Self, FieldTooLong> {
        let mut transcript = Self(Sha256::new(b"dynamic-key transcript v2\0"));
        transcript.fields(&[
            client.binding.name().as_bytes(),
            client.public_key,
            client.nonce,
            client.schemes,
            client.device_id,
            client.platform.as_bytes(),
            client.client_type.as_bytes(),
            client.client_id.as_bytes(),
            kid_bytes(client.kid),
        ])?;
        Ok(transcript)
    }

    /// Takes the server's fields and ends.
    ///
    /// # Errors
    /// [`FieldTooLong`] for a field over 65,535 bytes.
    #[inline]
    pub fn finish(mut self, server: &ServerFields<'_>) -> Result<TranscriptHash, FieldTooLong> {
        self.fields(&[
            server.public_key,
            server.nonce,
            server.scheme.name().as_bytes(),
            server.session_id.as_bytes(),
            server.expires_at.as_bytes(),
            server.token.as_bytes(),
            server.identifier,
            kid_bytes(server.kid),
            server.expires_in.as_bytes(),
            server.expire_token.as_bytes(),
            server.offered_features,
            server.selected_features,
        ])?;
        Ok(self.0.finish())
    }

    #[inline(never)]
    fn fields(&mut self, fields: &[&[u8]]) -> Result<(), FieldTooLong> {
        for field in fields {
            let length = u16::try_from(field.len()).map_err(|_| FieldTooLong)?;
            self.0.update(&length.to_be_bytes());
            self.0.update(field);
        }
        Ok(())
    }
}

fn kid_bytes(kid: Option<&KeyId>) -> &[u8] {
    kid.map_or(&[], |kid| kid.as_str().as_bytes())
}
