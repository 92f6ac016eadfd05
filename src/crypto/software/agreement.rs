//! Ephemeral keys and what is agreed with them.

use super::identity::affine;
use crate::codec::spki::{Group, PublicKey};
#[cfg(feature = "ffdhe")]
use crate::crypto::ffdhe;
use crate::crypto::provider::CryptoError;
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use p256::ecdh::EphemeralSecret;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::TryCryptoRng;

/// Room for Z of the largest group.
const MAX_SECRET_LEN: usize = if cfg!(feature = "ffdhe") { Group::Ffdhe3072.public_len() } else { 32 };

/// A private key for one agreement, erased on drop.
pub struct EphemeralKey(Private);

enum Private {
    P256(EphemeralSecret),
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
        Group::P256 => point(peer).map(drop),
        #[cfg(feature = "ffdhe")]
        Group::Ffdhe2048 | Group::Ffdhe3072 => ffdhe::validate(peer),
        #[cfg(not(feature = "ffdhe"))]
        Group::Ffdhe2048 | Group::Ffdhe3072 => Err(CryptoError::Unsupported),
    }
}

#[cfg_attr(feature = "ffdhe", inline(never))] // one frame less in its caller's
fn generate_p256<R: TryCryptoRng>(rng: &mut R) -> Result<(EphemeralKey, PublicKey), CryptoError> {
    let key = EphemeralSecret::try_generate_from_rng(rng).map_err(|_| CryptoError::Random)?;
    let point = public_half(&key).to_sec1_point(false);
    let point = point.as_bytes().try_into().map_err(|_| CryptoError::Failed)?;
    let public = PublicKey::p256(point).map_err(|_| CryptoError::Failed)?;
    Ok((EphemeralKey(Private::P256(key)), public))
}

#[cfg_attr(feature = "ffdhe", inline(never))] // one frame less in its caller's
fn agree_p256(key: &EphemeralSecret, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
    let peer = point(peer).map_err(|_| CryptoError::InvalidPublicKey)?;
    Ok(SharedSecret::new(diffie_hellman(key, &peer).raw_secret_bytes()))
}

pub(super) fn point(key: &PublicKey) -> Result<p256::PublicKey, CryptoError> {
    match key.group() {
        Group::P256 => affine(key.as_bytes()).and_then(|point| p256::PublicKey::from_affine(point).ok()),
        _ => return Err(CryptoError::Unsupported),
    }
    .ok_or(CryptoError::InvalidPublicKey)
}

#[inline(never)] // one frame less in its caller's
fn public_half(key: &EphemeralSecret) -> p256::PublicKey {
    key.public_key()
}

#[inline(never)] // one frame less in its caller's
fn diffie_hellman(key: &EphemeralSecret, peer: &p256::PublicKey) -> p256::ecdh::SharedSecret {
    key.diffie_hellman(peer)
}
