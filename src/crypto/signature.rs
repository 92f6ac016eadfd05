//! Identities: ES256 signatures (RFC 7518 §3.4) and the keys behind them, found by their thumbprint (RFC 7638).

use super::hash::Sha256;
use super::provider::CryptoError;
use crate::codec::base64;
use crate::codec::json::Str;
use core::convert::Infallible;
use core::fmt;

/// The length of an ES256 signature in bytes: r ‖ s.
pub const SIGNATURE_LEN: usize = 64;
/// An ES256 signature, r ‖ s.
pub type Signature = [u8; SIGNATURE_LEN];

/// A key id: the RFC 7638 thumbprint of a P-256 key as 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; Self::LEN]);

impl KeyId {
    /// The length in characters.
    pub const LEN: usize = 43;

    /// Takes 43 characters that are the base64url of 32 bytes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let characters: [u8; Self::LEN] = text.as_bytes().try_into().ok()?;
        let mut hash = characters;
        (base64::url_decode_in_place(&mut hash) == Ok(32)).then_some(Self(characters))
    }

    /// In the place of an id that is yet to be read.
    pub(crate) const NONE: Self = Self([0; Self::LEN]);

    /// As [`KeyId::parse`], of a string as it was sent, in place.
    pub(crate) fn read(&mut self, text: Str<'_>) -> Option<()> {
        // Nothing but 43 characters are the base64url of 32 bytes.
        let mut hash = [0; 32];
        text.base64url(&mut hash).ok().filter(|hash| hash.len() == 32)?;
        text.copy_to(&mut self.0).ok().map(|_| ())
    }

    /// The thumbprint of the P-256 key with this uncompressed point (65 bytes, 0x04 ‖ x ‖ y), RFC 7638 §3.
    #[must_use]
    pub fn of_point(point: &[u8; 65]) -> Self {
        let (mut x, mut y) = ([0; Self::LEN], [0; Self::LEN]);
        if let [_, coordinates @ ..] = point
            && let Some((point_x, point_y)) = coordinates.split_at_checked(32)
        {
            // 32 bytes are 43 characters: neither can fail.
            let _ = base64::url_encode(point_x, &mut x);
            let _ = base64::url_encode(point_y, &mut y);
        }
        let mut hash = Sha256::new(br#"{"crv":"P-256","kty":"EC","x":""#);
        hash.update(&x);
        hash.update(br#"","y":""#);
        hash.update(&y);
        hash.update(br#""}"#);
        let hash = hash.finish();
        let mut characters = [0; Self::LEN];
        let _ = base64::url_encode(&hash, &mut characters);
        Self(characters)
    }

    /// The 43 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Base64url is ASCII.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for KeyId {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

/// Signs with the one identity that it stands for: a key in memory, in a slot or behind a handle.
pub trait Signer {
    /// The key's id.
    fn kid(&self) -> KeyId;

    /// ES256 over `message`. Slow.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Failed`].
    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError>;
}

/// Verifies for the identities that it trusts: pinned keys, a registry.
pub trait Verifier {
    /// Verifies an ES256 signature by the trusted key `kid`, whose thumbprint was recomputed from the key itself. Slow.
    ///
    /// # Errors
    /// [`CryptoError::Authentication`] when no trusted key has this id or the signature is wrong, without saying which.
    fn verify(&mut self, kid: &KeyId, message: &[u8], signature: &Signature)
    -> Result<Verified, CryptoError>;
}

/// The proof that a signature was verified, which only a verifier makes: without one no pinned session begins.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Verified(());

impl Verified {
    /// Vouches that the implementer of [`Verifier`] that calls this has verified the signature.
    ///
    /// # Security
    /// Call it in an implementation of [`Verifier`], after the verification, and nowhere else.
    pub const fn vouch() -> Self {
        Self(())
    }
}

/// No identity at all: signs nothing, trusts nobody. For gateways without identity and clients of the confirmed mode.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Nobody;

impl Verifier for Nobody {
    fn verify(&mut self, _: &KeyId, _: &[u8], _: &Signature) -> Result<Verified, CryptoError> {
        Err(CryptoError::Authentication)
    }
}

impl<V: Verifier + ?Sized> Verifier for &mut V {
    fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        (**self).verify(kid, message, signature)
    }
}

/// Nobody's: what stands for a client's identity outside mutual mode.
impl Signer for Infallible {
    fn kid(&self) -> KeyId {
        match *self {}
    }
    fn sign(&mut self, _: &[u8]) -> Result<Signature, CryptoError> {
        match *self {}
    }
}

impl<S: Signer + ?Sized> Signer for &mut S {
    fn kid(&self) -> KeyId {
        (**self).kid()
    }
    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        (**self).sign(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_id_is_43_canonical_characters() {
        assert!(KeyId::parse("IizO3eZ4OcYzY0Z5cyqpOfpQJ-bIzdryoUjZGP-WuBA").is_some());
        assert!(KeyId::parse("IizO3eZ4OcYzY0Z5cyqpOfpQJ-bIzdryoUjZGP-WuBB").is_none(), "unused bits");
        assert!(KeyId::parse("IizO3eZ4OcYzY0Z5cyqpOfpQJ+bIzdryoUjZGP-WuBA").is_none(), "alphabet");
        assert!(KeyId::parse("IizO3eZ4OcYzY0Z5cyqpOfpQJ-bIzdryoUjZGP-WuB").is_none(), "length");
    }
}
