//! The software provider: RustCrypto's p256, aes-gcm, hkdf, hmac and sha2, and a generator of the caller's. With the feature
//! `ffdhe` it has the finite-field groups, too.

mod aead;
mod agreement;
#[cfg(any(test, not(target_pointer_width = "64")))]
mod batch;
mod identity;
#[cfg(feature = "jwe")]
mod wrap;

pub use super::hash::Prk;
pub use aead::{ExpandedKey, RawAes256Key, RawKey, TrafficKey, UnexpandedKey};
pub use agreement::{EphemeralKey, SharedSecret};
pub use identity::{Identity, PinnedKey, Pins};
#[cfg(feature = "jwe")]
pub use wrap::{Kek, RecipientKey};

use super::hash::HmacSha256;
use super::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use super::storable::{STORED_KEY_LEN, StorableKeys};
use crate::codec::spki::{Group, PublicKey};
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use core::marker::PhantomData;
use rand_core::TryCryptoRng;

/// The software provider over a generator `R` (`rand_core` 0.10), with AEAD keys kept as `K`: [`RawKey`], which is small
/// and expanded at each use, [`RawAes256Key`], which is that for one algorithm, or [`ExpandedKey`], which is large and
/// ready.
///
/// # Security
/// Its primitives are constant-time in software: AES by bit slicing or by the processor's instructions, P-256 by complete
/// formulas. It has no protection against power analysis or fault injection.
#[derive(Clone)]
pub struct Software<R, K = RawKey> {
    rng: R,
    key: PhantomData<K>,
}

impl<R: TryCryptoRng> Software<R> {
    /// A provider that draws its randomness from `rng` and keeps raw AEAD keys.
    pub const fn new(rng: R) -> Self {
        Self { rng, key: PhantomData }
    }
}

impl<R: TryCryptoRng> Software<R, ExpandedKey> {
    /// A provider that draws its randomness from `rng` and keeps expanded AEAD keys.
    pub const fn expanded(rng: R) -> Self {
        Self { rng, key: PhantomData }
    }
}

impl<R: TryCryptoRng> Software<R, RawAes256Key> {
    /// A provider that draws its randomness from `rng` and knows AES-256-GCM only.
    pub const fn aes256(rng: R) -> Self {
        Self { rng, key: PhantomData }
    }
}

impl<R: TryCryptoRng, K: TrafficKey> Software<R, K> {
    /// A provider that draws its randomness from `rng` and keeps AEAD keys as `K`, whatever it is.
    pub const fn with_keys(rng: R) -> Self {
        Self { rng, key: PhantomData }
    }
}

impl<R, K> fmt::Debug for Software<R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Software")
    }
}

format_as! { [R, K] Software<R, K>, _ => "Software" }

impl<R: TryCryptoRng, K: TrafficKey> Provider for Software<R, K> {
    type EphemeralKey = EphemeralKey;
    type SharedSecret = SharedSecret;
    type Prk = Prk;
    type Secret = Secret<HASH_LEN>;
    type TrafficKey = K;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.rng.try_fill_bytes(out).map_err(|_| CryptoError::Random)
    }

    fn generate(&mut self, group: Group) -> Result<(EphemeralKey, PublicKey), CryptoError> {
        EphemeralKey::generate(group, &mut self.rng)
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        agreement::validate(peer)
    }

    fn agree(&mut self, key: EphemeralKey, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        key.agree(peer)
    }

    fn extract(&mut self, salt: &[u8], z: SharedSecret) -> Result<Prk, CryptoError> {
        Prk::extract(salt, z.as_bytes())
    }

    fn prk(&mut self, secret: &Secret<HASH_LEN>) -> Result<Prk, CryptoError> {
        Prk::new(secret)
    }

    fn expand(&mut self, prk: &Prk, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        let mut secret = Secret::zero();
        prk.expand(info, secret.as_mut_bytes())?;
        Ok(secret)
    }

    fn expand_key(&mut self, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<K, CryptoError> {
        let mut bytes = Secret::<32>::zero();
        let key = bytes.as_mut_bytes().get_mut(..aead.key_len()).ok_or(CryptoError::Failed)?;
        prk.expand(info, key)?;
        K::new(aead, key)
    }

    fn expand_bytes(&mut self, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        prk.expand(info, out)
    }

    fn mac(&mut self, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        Ok(HmacSha256::mac(key.as_bytes(), message))
    }

    fn seal(
        &mut self,
        key: &K,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        key.seal(nonce, aad, text)
    }

    fn open(
        &mut self,
        key: &K,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        key.open(nonce, aad, text, tag)
    }
}

impl<R: TryCryptoRng, K: UnexpandedKey> StorableKeys for Software<R, K> {
    fn store_key(&mut self, key: &K, out: &mut [u8; STORED_KEY_LEN]) -> Result<usize, CryptoError> {
        let bytes = key.as_bytes();
        out.get_mut(..bytes.len()).ok_or(CryptoError::Failed)?.copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn restore_key(&mut self, aead: Aead, stored: &[u8]) -> Result<K, CryptoError> {
        K::new(aead, stored)
    }
}
