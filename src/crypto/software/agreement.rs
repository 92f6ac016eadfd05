//! Ephemeral keys and what is agreed with them.

use super::identity::affine;
use crate::codec::spki::{Group, PublicKey};
#[cfg(feature = "ffdhe")]
use crate::crypto::ffdhe;
use crate::crypto::provider::CryptoError;
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
#[cfg(target_pointer_width = "64")]
use p256::elliptic_curve::Group as _;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{AffinePoint, NonZeroScalar, ProjectivePoint};
use rand_core::TryCryptoRng;
use zeroize::Zeroize;

/// Room for Z of the largest group.
const MAX_SECRET_LEN: usize = if cfg!(feature = "ffdhe") { Group::Ffdhe3072.public_len() } else { 32 };

/// A private key for one agreement, erased on drop.
pub struct EphemeralKey(Private);

enum Private {
    P256(Secret<32>),
    #[cfg(feature = "ffdhe")]
    FiniteField(ffdhe::PrivateKey),
}

/// A shared secret Z (§1), erased on drop.
pub struct SharedSecret {
    bytes: Secret<MAX_SECRET_LEN>,
    length: usize,
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [] EphemeralKey, _ => "…" }

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [] SharedSecret, _ => "…" }

impl SharedSecret {
    /// Copies `z`, which is no longer than that of the largest group.
    pub(super) fn new(z: &[u8]) -> Self {
        let mut secret = Self { bytes: Secret::zero(), length: z.len() };
        if let Some(room) = secret.bytes.as_mut_bytes().get_mut(..z.len()) {
            room.copy_from_slice(z);
        }
        secret
    }

    /// Z: 32 bytes for P-256, and for a finite field as many as p has.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_bytes().get(..self.length).unwrap_or_default()
    }
}

/// Z of P-256, agreed on elsewhere.
impl From<Secret<32>> for SharedSecret {
    fn from(z: Secret<32>) -> Self {
        Self::new(z.as_bytes())
    }
}

impl EphemeralKey {
    #[inline(never)]
    pub(super) fn generate<R: TryCryptoRng>(
        group: Group,
        rng: &mut R,
    ) -> Result<(Self, PublicKey), CryptoError> {
        match group {
            Group::P256 => generate_p256(rng),
            #[cfg(feature = "ffdhe")]
            Group::Ffdhe2048 | Group::Ffdhe3072 => {
                let key = ffdhe::PrivateKey::generate(group, rng)?;
                let public = key.public_key()?;
                Ok((Self(Private::FiniteField(key)), public))
            }
            #[cfg(not(feature = "ffdhe"))]
            Group::Ffdhe2048 | Group::Ffdhe3072 => Err(CryptoError::Unsupported),
        }
    }

    #[inline(never)]
    pub(super) fn agree(self, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        match self.0 {
            Private::P256(key) => agree_p256(&key, peer),
            #[cfg(feature = "ffdhe")]
            Private::FiniteField(key) => key.agree(peer, SharedSecret::new),
        }
    }
}

/// Checks that `peer` is a valid element of its group.
pub(super) fn validate(peer: &PublicKey) -> Result<(), CryptoError> {
    match peer.group() {
        Group::P256 => affine_of(peer).map(drop),
        #[cfg(feature = "ffdhe")]
        Group::Ffdhe2048 | Group::Ffdhe3072 => ffdhe::validate(peer),
        #[cfg(not(feature = "ffdhe"))]
        Group::Ffdhe2048 | Group::Ffdhe3072 => Err(CryptoError::Unsupported),
    }
}

/// Uniform below the order and not zero: what is not is drawn again (FIPS 186-5 A.2.2), which a generator that works makes
/// necessary once in 2³² times.
#[cfg_attr(feature = "ffdhe", inline(never))] // one frame less in its caller's
fn generate_p256<R: TryCryptoRng>(rng: &mut R) -> Result<(EphemeralKey, PublicKey), CryptoError> {
    let mut key = Secret::zero();
    for _ in 0..8 {
        rng.try_fill_bytes(key.as_mut_bytes()).map_err(|_| CryptoError::Random)?;
        if let Some(public) = multiply(&key, None) {
            return Ok((EphemeralKey(Private::P256(key)), public_key(&public)));
        }
    }
    Err(CryptoError::Random)
}

#[cfg_attr(feature = "ffdhe", inline(never))] // one frame less in its caller's
fn agree_p256(key: &Secret<32>, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
    let peer = affine_of(peer).map_err(|_| CryptoError::InvalidPublicKey)?;
    multiply(key, Some(&peer)).map(shared_secret).ok_or(CryptoError::Failed)
}

#[inline(never)] // one frame less in its caller's
fn shared_secret(mut point: AffinePoint) -> SharedSecret {
    let mut x = point.x();
    let z = SharedSecret::new(&x);
    point.zeroize();
    x.zeroize();
    z
}

#[inline(never)] // one frame less in its caller's
fn public_key(point: &AffinePoint) -> PublicKey {
    PublicKey::of_coordinates(point.x().as_ref(), point.y().as_ref())
}

fn affine_of(key: &PublicKey) -> Result<AffinePoint, CryptoError> {
    match key.group() {
        Group::P256 => affine(key.as_bytes()).ok_or(CryptoError::InvalidPublicKey),
        _ => Err(CryptoError::Unsupported),
    }
}

#[cfg(feature = "jwe")]
pub(super) fn point(key: &PublicKey) -> Result<p256::PublicKey, CryptoError> {
    p256::PublicKey::from_affine(affine_of(key)?).map_err(|_| CryptoError::InvalidPublicKey)
}

/// `point`, or the generator, as many times as `key` says, if that is a key. A product is not the point at infinity: the
/// order is prime.
#[inline(never)] // one frame less in its caller's, and one copy for both
fn multiply(key: &Secret<32>, point: Option<&AffinePoint>) -> Option<AffinePoint> {
    let mut scalar = scalar(key)?;
    let mut product = match point {
        // There may be tables for the generator.
        #[cfg(target_pointer_width = "64")]
        None => ProjectivePoint::mul_by_generator(&scalar),
        _ => ProjectivePoint::from(*point.unwrap_or(&AffinePoint::GENERATOR)).mul(&scalar),
    };
    scalar.zeroize();
    let affine = to_affine(&product);
    product.zeroize();
    Some(affine)
}

#[inline(never)] // one frame less in its caller's
fn scalar(key: &Secret<32>) -> Option<NonZeroScalar> {
    NonZeroScalar::from_repr((*key.as_bytes()).into()).into_option()
}

#[inline(never)] // one frame less in its caller's
fn to_affine(point: &ProjectivePoint) -> AffinePoint {
    point.to_affine()
}
