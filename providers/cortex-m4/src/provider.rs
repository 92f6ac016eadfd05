//! The provider.

use crate::assembly::{Point, Scalar};
use core::fmt;
use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::software::{ExpandedKey, RawAes256Key, RawKey, Software, TrafficKey};
use dynamic_key::crypto::storable::{STORED_KEY_LEN, StorableKeys};
use rand_core::TryCryptoRng;

/// So many draws that are no scalar, each of which has a chance of 2⁻³², are the generator's fault.
const DRAWS: usize = 8;

/// The provider whose P-256 is assembly; everything else is that of [`Software`], over a generator `R` (`rand_core` 0.10), with
/// AEAD keys kept as `K`.
///
/// # Security
/// Agreement runs in constant time on a processor without a data cache: see the crate's documentation.
#[derive(Clone)]
pub struct CortexM4<R, K = RawKey> {
    pub(crate) software: Software<R, K>,
}

impl<R: TryCryptoRng> CortexM4<R> {
    /// A provider that draws its randomness from `rng` and keeps raw AEAD keys.
    pub const fn new(rng: R) -> Self {
        Self { software: Software::new(rng) }
    }
}

impl<R: TryCryptoRng> CortexM4<R, ExpandedKey> {
    /// A provider that draws its randomness from `rng` and keeps expanded AEAD keys.
    pub const fn expanded(rng: R) -> Self {
        Self { software: Software::expanded(rng) }
    }
}

impl<R: TryCryptoRng> CortexM4<R, RawAes256Key> {
    /// A provider that draws its randomness from `rng` and knows AES-256-GCM only.
    pub const fn aes256(rng: R) -> Self {
        Self { software: Software::aes256(rng) }
    }
}

impl<R, K> fmt::Debug for CortexM4<R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CortexM4")
    }
}

/// A P-256 private key for one agreement, in 1 … n−1, erased on drop.
pub struct EphemeralKey(Scalar);

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A scalar in 1 … n−1, drawn until it is one (FIPS 186-5 §A.2.2), 32 bytes big-endian a draw.
#[inline(never)] // one frame less in its caller's
pub(crate) fn draw_scalar(
    scalar: &mut Option<Scalar>,
    mut fill: impl FnMut(&mut [u8]) -> Result<(), CryptoError>,
) -> Result<(), CryptoError> {
    let mut bytes = Secret::<32>::zero();
    for _ in 0..DRAWS {
        fill(bytes.as_mut_bytes())?;
        scalar.clone_from(&Scalar::from_bytes(bytes.as_bytes()));
        if scalar.is_some() {
            return Ok(());
        }
    }
    Err(CryptoError::Random)
}

/// 0x04 ‖ x ‖ y of a P-256 key.
pub(crate) fn point_of(peer: &PublicKey) -> Option<&[u8; 65]> {
    match peer.group() {
        Group::P256 => peer.as_bytes().try_into().ok(),
        _ => None,
    }
}

impl<R: TryCryptoRng, K: TrafficKey> Provider for CortexM4<R, K> {
    type EphemeralKey = EphemeralKey;
    type SharedSecret = <Software<R, K> as Provider>::SharedSecret;
    type Prk = <Software<R, K> as Provider>::Prk;
    type Secret = <Software<R, K> as Provider>::Secret;
    type TrafficKey = <Software<R, K> as Provider>::TrafficKey;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.software.fill(out)
    }

    fn generate(&mut self, group: Group) -> Result<(EphemeralKey, PublicKey), CryptoError> {
        if group != Group::P256 {
            return Err(CryptoError::Unsupported);
        }
        let mut scalar = None;
        draw_scalar(&mut scalar, |bytes| self.software.fill(bytes))?;
        let scalar = scalar.as_ref().ok_or(CryptoError::Failed)?;
        let point = scalar.public_key().ok_or(CryptoError::Failed)?;
        let public = PublicKey::p256(point).map_err(|_| CryptoError::Failed)?;
        Ok((EphemeralKey(scalar.clone()), public))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        let valid = point_of(peer).is_some_and(Point::is_on_curve);
        if valid { Ok(()) } else { Err(CryptoError::InvalidPublicKey) }
    }

    fn agree(&mut self, key: EphemeralKey, peer: &PublicKey) -> Result<Self::SharedSecret, CryptoError> {
        let peer = point_of(peer).and_then(Point::from_bytes);
        peer.and_then(|peer| key.0.agree(&peer)).map(Into::into).ok_or(CryptoError::InvalidPublicKey)
    }

    fn extract(&mut self, salt: &[u8], z: Self::SharedSecret) -> Result<Self::Prk, CryptoError> {
        self.software.extract(salt, z)
    }

    fn prk(&mut self, secret: &Self::Secret) -> Result<Self::Prk, CryptoError> {
        self.software.prk(secret)
    }

    fn expand(&mut self, prk: &Self::Prk, info: &[&[u8]]) -> Result<Self::Secret, CryptoError> {
        self.software.expand(prk, info)
    }

    fn expand_key(
        &mut self,
        prk: &Self::Prk,
        info: &[&[u8]],
        aead: Aead,
    ) -> Result<Self::TrafficKey, CryptoError> {
        self.software.expand_key(prk, info, aead)
    }

    fn expand_bytes(&mut self, prk: &Self::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.software.expand_bytes(prk, info, out)
    }

    fn mac(&mut self, key: &Self::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        self.software.mac(key, message)
    }

    fn seal(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        self.software.seal(key, nonce, aad, text)
    }

    fn open(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        self.software.open(key, nonce, aad, text, tag)
    }
}

/// Where keys are kept raw.
impl<R: TryCryptoRng, K: TrafficKey> StorableKeys for CortexM4<R, K>
where
    Software<R, K>: StorableKeys,
{
    fn store_key(
        &mut self,
        key: &Self::TrafficKey,
        out: &mut [u8; STORED_KEY_LEN],
    ) -> Result<usize, CryptoError> {
        self.software.store_key(key, out)
    }

    fn restore_key(&mut self, aead: Aead, stored: &[u8]) -> Result<Self::TrafficKey, CryptoError> {
        self.software.restore_key(aead, stored)
    }
}
