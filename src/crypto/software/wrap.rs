//! Key wrap and the keys that are encrypted to.

use super::agreement::{SharedSecret, point};
use super::{Software, TrafficKey};
use crate::codec::spki::PublicKey;
use crate::crypto::hash::Sha256;
use crate::crypto::provider::{Aead, CryptoError, HASH_LEN};
use crate::crypto::signature::KeyId;
use crate::crypto::wrap::{KeyWrap, Recipient, WRAPPED_LEN};
use crate::log::format_as;
use crate::secret::Secret;
use aes_gcm::KeyInit;
use aes_gcm::aead::consts::{U16, U32};
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::aes::{Aes128Dec, Aes128Enc, Aes256Dec, Aes256Enc};
use aes_kw::AesKw;
use core::fmt;
use core::num::NonZeroU32;
use hmac::Hmac;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::TryCryptoRng;

/// A key-encryption key, erased on drop.
pub struct Kek(Bytes);

enum Bytes {
    Aes128(Secret<16>),
    Aes256(Secret<32>),
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [] Kek, _ => "…" }

impl Kek {
    fn wrap(&self, key: &Secret<32>) -> [u8; WRAPPED_LEN] {
        match &self.0 {
            Bytes::Aes128(kek) => wrap(&AesKw::<Aes128Enc>::new(kek.as_bytes().into()), key),
            Bytes::Aes256(kek) => wrap(&AesKw::<Aes256Enc>::new(kek.as_bytes().into()), key),
        }
    }

    #[inline(never)] // one frame less in its caller's
    fn unwrap(&self, wrapped: &[u8; WRAPPED_LEN]) -> Option<Secret<32>> {
        let mut key = Secret::zero();
        let out = key.as_mut_bytes();
        match &self.0 {
            Bytes::Aes128(kek) => AesKw::<Aes128Dec>::new(kek.as_bytes().into()).unwrap_key(wrapped, out),
            Bytes::Aes256(kek) => AesKw::<Aes256Dec>::new(kek.as_bytes().into()).unwrap_key(wrapped, out),
        }
        .ok()?;
        Some(key)
    }
}

#[inline(never)] // one frame less in its caller's
fn wrap(cipher: &AesKw<impl BlockCipherEncrypt<BlockSize = U16>>, key: &Secret<32>) -> [u8; WRAPPED_LEN] {
    cipher.wrap_fixed_key::<U32>(key.as_bytes().into()).into()
}

/// Concat KDF with SHA-256 for at most one hash of key (NIST SP 800-56A §5.8.1).
fn concat_kdf(z: &[u8], other_info: &[&[u8]]) -> Secret<HASH_LEN> {
    let mut hash = Sha256::new(&1_u32.to_be_bytes());
    hash.update(z);
    other_info.iter().for_each(|part| hash.update(part));
    Secret::new(hash.finish())
}

impl<R: TryCryptoRng, K: TrafficKey> KeyWrap for Software<R, K> {
    type Kek = Kek;

    fn concat_kdf(&mut self, z: SharedSecret, other_info: &[&[u8]]) -> Result<Kek, CryptoError> {
        Ok(Kek(Bytes::Aes256(concat_kdf(z.as_bytes(), other_info))))
    }

    fn pbkdf2(&mut self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Result<Kek, CryptoError> {
        let mut kek = Secret::zero();
        pbkdf2::pbkdf2::<Hmac<sha2::Sha256>>(password, salt, iterations.get(), kek.as_mut_bytes())
            .map_err(|_| CryptoError::Failed)?;
        Ok(Kek(Bytes::Aes128(kek)))
    }

    fn wrap(&mut self, kek: Kek) -> Result<(K, [u8; WRAPPED_LEN]), CryptoError> {
        let mut key = Secret::zero();
        self.rng.try_fill_bytes(key.as_mut_bytes()).map_err(|_| CryptoError::Random)?;
        let wrapped = kek.wrap(&key);
        Ok((K::new(Aead::Aes256Gcm, key.as_bytes())?, wrapped))
    }

    fn unwrap(&mut self, kek: Kek, wrapped: &[u8; WRAPPED_LEN]) -> Result<K, CryptoError> {
        let key = kek.unwrap(wrapped).ok_or(CryptoError::Authentication)?;
        K::new(Aead::Aes256Gcm, key.as_bytes())
    }
}

/// A P-256 encryption key in memory. Erased on drop.
#[derive(Clone)]
pub struct RecipientKey {
    key: p256::SecretKey,
    public: [u8; 65],
}

impl RecipientKey {
    /// Takes over a private scalar of 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] when it is not in 1 … n−1.
    pub fn from_bytes(scalar: &Secret<32>) -> Result<Self, CryptoError> {
        Self::new(p256::SecretKey::from_slice(scalar.as_bytes()).map_err(|_| CryptoError::Failed)?)
    }

    /// Generates a key.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when the generator fails.
    pub fn generate<R: TryCryptoRng>(rng: &mut R) -> Result<Self, CryptoError> {
        Self::new(p256::SecretKey::try_generate_from_rng(rng).map_err(|_| CryptoError::Random)?)
    }

    #[inline(never)] // one frame less in its caller's
    fn new(key: p256::SecretKey) -> Result<Self, CryptoError> {
        let point = key.public_key().to_sec1_point(false);
        let public = point.as_bytes().try_into().map_err(|_| CryptoError::Failed)?;
        Ok(Self { key, public })
    }

    /// The private scalar, 32 bytes big-endian, to be stored.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<32> {
        Secret::new(self.key.to_bytes().into())
    }

    /// The public half, to be published.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]: never for a key that was constructed.
    pub fn public(&self) -> Result<PublicKey, CryptoError> {
        PublicKey::p256(self.public).map_err(|_| CryptoError::Failed)
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecipientKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

format_as! { [] RecipientKey, key => "RecipientKey {{ kid: {} }}", key.kid() }

impl Recipient for RecipientKey {
    type SharedSecret = SharedSecret;

    fn kid(&self) -> KeyId {
        KeyId::of_point(&self.public)
    }

    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        let peer = point(peer).map_err(|_| CryptoError::InvalidPublicKey)?;
        Ok(SharedSecret::new(diffie_hellman(&self.key, &peer).raw_secret_bytes()))
    }
}

#[inline(never)] // one frame less in its caller's
fn diffie_hellman(key: &p256::SecretKey, peer: &p256::PublicKey) -> p256::ecdh::SharedSecret {
    p256::ecdh::diffie_hellman(key.to_nonzero_scalar(), peer.as_affine())
}

#[cfg(test)]
mod tests;
