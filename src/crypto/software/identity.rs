//! P-256 identities in memory: ES256 signatures made, and verified by the keys that a client pins.

use crate::crypto::provider::CryptoError;
use crate::crypto::signature::{KeyId, Signature, Signer, Verified, Verifier};
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::point::AffineCoordinates;
use rand_core::TryCryptoRng;

/// A P-256 identity key in memory: signs ES256 with RFC 6979 nonces. Erased on drop.
#[derive(Clone)]
pub struct Identity {
    key: p256::ecdsa::SigningKey,
    kid: KeyId,
}

impl Identity {
    /// Takes over a private scalar of 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] when it is not in 1 … n−1.
    pub fn from_bytes(scalar: &Secret<32>) -> Result<Self, CryptoError> {
        let key = signing_key(scalar).ok_or(CryptoError::Failed)?;
        let kid = KeyId::of_point(&verifying_point(&key)?);
        Ok(Self { key, kid })
    }

    /// Generates an identity.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when the generator fails.
    pub fn generate<R: TryCryptoRng>(rng: &mut R) -> Result<Self, CryptoError> {
        let key = p256::ecdsa::SigningKey::try_generate_from_rng(rng).map_err(|_| CryptoError::Random)?;
        let kid = KeyId::of_point(&verifying_point(&key)?);
        Ok(Self { key, kid })
    }

    /// The private scalar, 32 bytes big-endian, to be stored.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<32> {
        Secret::new(self.key.to_bytes().into())
    }

    /// The public half, as peers pin it.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]: never for a key that was constructed.
    pub fn public(&self) -> Result<PinnedKey, CryptoError> {
        PinnedKey::from_point(&verifying_point(&self.key)?)
    }
}

#[inline(never)] // one frame less in its caller's
fn signing_key(scalar: &Secret<32>) -> Option<p256::ecdsa::SigningKey> {
    p256::ecdsa::SigningKey::from_slice(scalar.as_bytes()).ok()
}

fn verifying_point(key: &p256::ecdsa::SigningKey) -> Result<[u8; 65], CryptoError> {
    key.verifying_key().to_sec1_point(false).as_bytes().try_into().map_err(|_| CryptoError::Failed)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("kid", &self.kid).finish_non_exhaustive()
    }
}

format_as! { [] Identity, identity => "Identity {{ kid: {} }}", identity.kid }

impl Signer for Identity {
    fn kid(&self) -> KeyId {
        self.kid
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        sign(&self.key, message).map(|signature| signature.to_bytes().into()).ok_or(CryptoError::Failed)
    }
}

/// The public key of an identity that is trusted, with the thumbprint that was computed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PinnedKey {
    point: [u8; 65],
    kid: KeyId,
}

impl PinnedKey {
    /// Takes an uncompressed point (65 bytes, 0x04 ‖ x ‖ y), which is checked when a signature is verified.
    ///
    /// # Errors
    /// [`CryptoError::InvalidPublicKey`] when the first byte is not 0x04.
    pub fn from_point(point: &[u8; 65]) -> Result<Self, CryptoError> {
        match point {
            [4, ..] => Ok(Self { point: *point, kid: KeyId::of_point(point) }),
            _ => Err(CryptoError::InvalidPublicKey),
        }
    }

    /// The RFC 7638 thumbprint.
    #[must_use]
    pub const fn kid(&self) -> KeyId {
        self.kid
    }

    /// The uncompressed point, 65 bytes.
    #[must_use]
    pub const fn point(&self) -> &[u8; 65] {
        &self.point
    }

    /// Verifies an ES256 signature by this key.
    ///
    /// # Errors
    /// [`CryptoError::Authentication`].
    #[inline(never)] // one frame less in its caller's
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        let parsed = self.parse(signature);
        let (key, signature) = parsed.as_ref().ok_or(CryptoError::Authentication)?;
        verify(key, message, signature).ok_or(CryptoError::Authentication)
    }

    #[inline(never)] // gone before the verification, which takes the most stack of all
    fn parse(&self, signature: &Signature) -> Option<(p256::ecdsa::VerifyingKey, p256::ecdsa::Signature)> {
        let key = p256::ecdsa::VerifyingKey::from_affine(affine(&self.point)?).ok()?;
        Some((key, p256::ecdsa::Signature::from_slice(signature).ok()?))
    }
}

#[inline(never)] // one frame less in its caller's
fn sign(key: &p256::ecdsa::SigningKey, message: &[u8]) -> Option<p256::ecdsa::Signature> {
    key.try_sign(message).ok()
}

#[inline(never)] // one frame less in its caller's
fn verify(
    key: &p256::ecdsa::VerifyingKey,
    message: &[u8],
    signature: &p256::ecdsa::Signature,
) -> Option<Verified> {
    key.verify(message, signature).is_ok().then(Verified::vouch)
}

/// The identities that a client pins: several, so that the gateway can rotate its key. None trusts nobody.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pins<'p>(pub &'p [PinnedKey]);

impl Verifier for Pins<'_> {
    fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        let key = self.0.iter().find(|key| key.kid == *kid).ok_or(CryptoError::Authentication)?;
        key.verify(message, signature)
    }
}

/// The point on the curve with these bytes, 0x04 ‖ x ‖ y: no other form is parsed, hence none is linked.
#[inline(never)]
pub(super) fn affine(bytes: &[u8]) -> Option<p256::AffinePoint> {
    let (&[4], coordinates) = bytes.split_first_chunk()? else { return None };
    let (x, y) = coordinates.split_at_checked(32)?;
    p256::AffinePoint::from_coordinates(x.try_into().ok()?, y.try_into().ok()?).into_option()
}
