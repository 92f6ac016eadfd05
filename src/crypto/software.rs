//! The software provider: RustCrypto's p256, aes-gcm, hkdf, hmac and sha2, and a generator of the caller's.

use super::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use super::signature::{KeyId, Signature, Signer, Verified, Verifier};
use crate::codec::spki::{Group, PublicKey};
use crate::secret::Secret;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use core::fmt;
use core::marker::PhantomData;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use p256::ecdh::EphemeralSecret;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::TryCryptoRng;
use sha2::Sha256;

/// The software provider over a generator `R` (`rand_core` 0.10), with AEAD keys kept as `K`: [`RawKey`], which is small
/// and expanded at each use, or [`ExpandedKey`], which is large and ready.
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

impl<R, K> fmt::Debug for Software<R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Software")
    }
}

/// How the software provider keeps an AEAD key.
pub trait TrafficKey: Sized {
    /// Takes over a key, whose length is that of `aead`.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] for any other length.
    fn new(aead: Aead, key: &[u8]) -> Result<Self, CryptoError>;

    /// See [`Provider::seal`].
    ///
    /// # Errors
    /// As there.
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError>;

    /// See [`Provider::open`].
    ///
    /// # Errors
    /// As there.
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError>;
}

/// An AEAD key as its bytes: 33 bytes, expanded at each use.
#[derive(Clone)]
pub struct RawKey {
    aead: Aead,
    bytes: Secret<32>,
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// An AEAD key with its round keys and its GHASH key: some 624 bytes on a host, ready for use.
#[derive(Clone)]
pub enum ExpandedKey {
    /// AES-128-GCM.
    Aes128Gcm(Aes128Gcm),
    /// AES-256-GCM.
    Aes256Gcm(Aes256Gcm),
}

impl fmt::Debug for ExpandedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl TrafficKey for ExpandedKey {
    fn new(aead: Aead, key: &[u8]) -> Result<Self, CryptoError> {
        match aead {
            Aead::Aes128Gcm => Aes128Gcm::new_from_slice(key).map(Self::Aes128Gcm),
            Aead::Aes256Gcm => Aes256Gcm::new_from_slice(key).map(Self::Aes256Gcm),
        }
        .map_err(|_| CryptoError::Failed)
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        match self {
            Self::Aes128Gcm(key) => key.encrypt_inout_detached(nonce.into(), aad, text.into()),
            Self::Aes256Gcm(key) => key.encrypt_inout_detached(nonce.into(), aad, text.into()),
        }
        .map(Into::into)
        .map_err(|_| CryptoError::Failed)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        match self {
            Self::Aes128Gcm(key) => key.decrypt_inout_detached(nonce.into(), aad, text.into(), tag.into()),
            Self::Aes256Gcm(key) => key.decrypt_inout_detached(nonce.into(), aad, text.into(), tag.into()),
        }
        .map_err(|_| CryptoError::Authentication)
    }
}

impl RawKey {
    fn expanded(&self) -> Result<ExpandedKey, CryptoError> {
        let key = self.bytes.as_bytes().get(..self.aead.key_len()).ok_or(CryptoError::Failed)?;
        ExpandedKey::new(self.aead, key)
    }
}

impl TrafficKey for RawKey {
    fn new(aead: Aead, key: &[u8]) -> Result<Self, CryptoError> {
        let mut bytes = Secret::zero();
        match bytes.as_mut_bytes().get_mut(..key.len()) {
            Some(room) if key.len() == aead.key_len() => room.copy_from_slice(key),
            _ => return Err(CryptoError::Failed),
        }
        Ok(Self { aead, bytes })
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        self.expanded()?.seal(nonce, aad, text)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        self.expanded()?.open(nonce, aad, text, tag)
    }
}

/// A P-256 private key for one agreement, erased on drop.
pub struct EphemeralKey(EphemeralSecret);

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

fn hkdf(prk: &Secret<HASH_LEN>) -> Result<Hkdf<Sha256>, CryptoError> {
    Hkdf::from_prk(prk.as_bytes()).map_err(|_| CryptoError::Failed)
}

fn p256_key(key: &PublicKey) -> Result<p256::PublicKey, CryptoError> {
    // `PublicKey` holds 65 bytes that begin with 0x04, so no compressed form reaches the parser, which checks the curve.
    match key.group() {
        Group::P256 => {
            p256::PublicKey::from_sec1_bytes(key.as_bytes()).map_err(|_| CryptoError::InvalidPublicKey)
        }
        _ => Err(CryptoError::Unsupported),
    }
}

fn point_of(key: &p256::PublicKey) -> Result<[u8; 65], CryptoError> {
    key.to_sec1_point(false).as_bytes().try_into().map_err(|_| CryptoError::Failed)
}

impl<R: TryCryptoRng, K: TrafficKey> Provider for Software<R, K> {
    type EphemeralKey = EphemeralKey;
    type SharedSecret = Secret<32>;
    type Secret = Secret<HASH_LEN>;
    type TrafficKey = K;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.rng.try_fill_bytes(out).map_err(|_| CryptoError::Random)
    }

    fn generate(&mut self, group: Group) -> Result<(EphemeralKey, PublicKey), CryptoError> {
        if group != Group::P256 {
            return Err(CryptoError::Unsupported);
        }
        let key = EphemeralSecret::try_generate_from_rng(&mut self.rng).map_err(|_| CryptoError::Random)?;
        let public = PublicKey::p256(point_of(&key.public_key())?).map_err(|_| CryptoError::Failed)?;
        Ok((EphemeralKey(key), public))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        p256_key(peer).map(drop)
    }

    fn agree(&mut self, key: EphemeralKey, peer: &PublicKey) -> Result<Secret<32>, CryptoError> {
        let peer = p256_key(peer).map_err(|_| CryptoError::InvalidPublicKey)?;
        let z = key.0.diffie_hellman(&peer);
        let mut secret = Secret::zero();
        secret.as_mut_bytes().copy_from_slice(z.raw_secret_bytes());
        Ok(secret)
    }

    fn extract(&mut self, salt: &[u8], z: Secret<32>) -> Result<Secret<HASH_LEN>, CryptoError> {
        let mut prk = Secret::zero();
        let mut hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(salt).map_err(|_| CryptoError::Failed)?;
        hmac.update(z.as_bytes());
        prk.as_mut_bytes().copy_from_slice(&hmac.finalize().into_bytes());
        Ok(prk)
    }

    fn expand(&mut self, prk: &Secret<HASH_LEN>, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        let mut secret = Secret::zero();
        hkdf(prk)?.expand_multi_info(info, secret.as_mut_bytes()).map_err(|_| CryptoError::Failed)?;
        Ok(secret)
    }

    fn expand_key(&mut self, prk: &Secret<HASH_LEN>, info: &[&[u8]], aead: Aead) -> Result<K, CryptoError> {
        let mut bytes = Secret::<32>::zero();
        let key = bytes.as_mut_bytes().get_mut(..aead.key_len()).ok_or(CryptoError::Failed)?;
        hkdf(prk)?.expand_multi_info(info, key).map_err(|_| CryptoError::Failed)?;
        K::new(aead, key)
    }

    fn expand_bytes(
        &mut self,
        prk: &Secret<HASH_LEN>,
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        hkdf(prk)?.expand_multi_info(info, out).map_err(|_| CryptoError::Failed)
    }

    fn mac(&mut self, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        let mut hmac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()).map_err(|_| CryptoError::Failed)?;
        for part in message {
            hmac.update(part);
        }
        Ok(hmac.finalize().into_bytes().into())
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
        let key = p256::ecdsa::SigningKey::from_slice(scalar.as_bytes()).map_err(|_| CryptoError::Failed)?;
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

fn verifying_point(key: &p256::ecdsa::SigningKey) -> Result<[u8; 65], CryptoError> {
    key.verifying_key().to_sec1_point(false).as_bytes().try_into().map_err(|_| CryptoError::Failed)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Signer for Identity {
    fn kid(&self) -> KeyId {
        self.kid
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        let signature: p256::ecdsa::Signature =
            self.key.try_sign(message).map_err(|_| CryptoError::Failed)?;
        Ok(signature.to_bytes().into())
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
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        let check = || {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.point)?;
            let signature = p256::ecdsa::Signature::from_slice(signature)?;
            key.verify(message, &signature)
        };
        check().map(|()| Verified::vouch()).map_err(|_| CryptoError::Authentication)
    }
}

/// The identities that a client pins: several, so that the gateway can rotate its key. None trusts nobody.
#[derive(Clone, Copy, Debug)]
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
