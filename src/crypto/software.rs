//! The software provider: RustCrypto's p256, aes-gcm, hkdf, hmac and sha2, and a generator of the caller's.

use super::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use super::signature::{KeyId, Signature, Signer, Verified, Verifier};
use crate::codec::spki::{Group, PublicKey};
use crate::secret::Secret;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aes::{Aes128Enc, Aes256Enc};
use aes_gcm::{AesGcm, KeyInit};
use core::fmt;
use core::marker::PhantomData;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use p256::ecdh::EphemeralSecret;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::TryCryptoRng;
use sha2::Sha256;

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

/// AES-GCM both ways needs AES in one: without the round keys of the other, keys are smaller and sooner ready.
type Aes128Gcm = AesGcm<Aes128Enc, U12>;
type Aes256Gcm = AesGcm<Aes256Enc, U12>;

/// An AEAD key as its bytes: 33 bytes, expanded at each use.
#[derive(Clone)]
pub struct RawKey {
    aead: Aead,
    bytes: Secret<32>,
}

/// A key of AES-256-GCM as its 32 bytes, expanded at each use; there is no other. Firmware that offers no scheme but
/// SCHEME-EC-AES2 saves the flash of AES-128 with it.
#[derive(Clone)]
pub struct RawAes256Key(Secret<32>);

/// An AEAD key with its round keys and its GHASH key: some 384 bytes on a host, ready for use.
#[derive(Clone)]
pub enum ExpandedKey {
    /// AES-128-GCM.
    Aes128Gcm(Aes128Gcm),
    /// AES-256-GCM.
    Aes256Gcm(Aes256Gcm),
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for RawAes256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for ExpandedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// AES-GCM with nonces of 12 bytes and tags of 16.
trait Gcm: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit {
    fn expand(key: &[u8]) -> Result<Self, CryptoError> {
        Self::new_from_slice(key).map_err(|_| CryptoError::Failed)
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        let tag = self.encrypt_inout_detached(nonce.into(), aad, text.into());
        tag.map(Into::into).map_err(|_| CryptoError::Failed)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let opened = self.decrypt_inout_detached(nonce.into(), aad, text.into(), tag.into());
        opened.map_err(|_| CryptoError::Authentication)
    }
}

impl<A: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit> Gcm for A {}

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
        match self.aead {
            Aead::Aes128Gcm => Aes128Gcm::new(self.key().split_ref::<U16>().0).seal(nonce, aad, text),
            Aead::Aes256Gcm => Aes256Gcm::new(self.key()).seal(nonce, aad, text),
        }
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        match self.aead {
            Aead::Aes128Gcm => Aes128Gcm::new(self.key().split_ref::<U16>().0).open(nonce, aad, text, tag),
            Aead::Aes256Gcm => Aes256Gcm::new(self.key()).open(nonce, aad, text, tag),
        }
    }
}

impl RawKey {
    /// The room for a key of AES-256; one of AES-128 stands in its first half.
    fn key(&self) -> &aes_gcm::Key<Aes256Gcm> {
        self.bytes.as_bytes().into()
    }
}

impl TrafficKey for RawAes256Key {
    fn new(aead: Aead, key: &[u8]) -> Result<Self, CryptoError> {
        if aead != Aead::Aes256Gcm {
            return Err(CryptoError::Unsupported);
        }
        let key: &[u8; 32] = key.try_into().map_err(|_| CryptoError::Failed)?;
        Ok(Self(Secret::new(*key)))
    }

    #[inline(never)] // one frame less in its caller's
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        Aes256Gcm::new(self.0.as_bytes().into()).seal(nonce, aad, text)
    }

    #[inline(never)] // one frame less in its caller's
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        Aes256Gcm::new(self.0.as_bytes().into()).open(nonce, aad, text, tag)
    }
}

impl TrafficKey for ExpandedKey {
    fn new(aead: Aead, key: &[u8]) -> Result<Self, CryptoError> {
        match aead {
            Aead::Aes128Gcm => Aes128Gcm::expand(key).map(Self::Aes128Gcm),
            Aead::Aes256Gcm => Aes256Gcm::expand(key).map(Self::Aes256Gcm),
        }
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        match self {
            Self::Aes128Gcm(key) => key.seal(nonce, aad, text),
            Self::Aes256Gcm(key) => key.seal(nonce, aad, text),
        }
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        match self {
            Self::Aes128Gcm(key) => key.open(nonce, aad, text, tag),
            Self::Aes256Gcm(key) => key.open(nonce, aad, text, tag),
        }
    }
}

/// A P-256 private key for one agreement, erased on drop.
pub struct EphemeralKey(EphemeralSecret);

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

fn hmac(key: &[u8], message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
    let mut hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_err(|_| CryptoError::Failed)?;
    message.iter().for_each(|part| hmac.update(part));
    Ok(hmac.finalize().into_bytes().into())
}

fn hkdf_expand(prk: &Secret<HASH_LEN>, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
    let hkdf = Hkdf::<Sha256>::from_prk(prk.as_bytes()).map_err(|_| CryptoError::Failed)?;
    hkdf.expand_multi_info(info, out).map_err(|_| CryptoError::Failed)
}

fn p256_key(key: &PublicKey) -> Result<p256::PublicKey, CryptoError> {
    match key.group() {
        Group::P256 => affine(key.as_bytes()).and_then(|point| p256::PublicKey::from_affine(point).ok()),
        _ => return Err(CryptoError::Unsupported),
    }
    .ok_or(CryptoError::InvalidPublicKey)
}

/// The point on the curve with these bytes, 0x04 ‖ x ‖ y: no other form is parsed, hence none is linked.
#[inline(never)]
fn affine(bytes: &[u8]) -> Option<p256::AffinePoint> {
    let (&[4], coordinates) = bytes.split_first_chunk()? else { return None };
    let (x, y) = coordinates.split_at_checked(32)?;
    p256::AffinePoint::from_coordinates(x.try_into().ok()?, y.try_into().ok()?).into_option()
}

#[inline(never)] // one frame less in its caller's
fn public_half(key: &EphemeralSecret) -> p256::PublicKey {
    key.public_key()
}

#[inline(never)] // one frame less in its caller's
fn diffie_hellman(key: &EphemeralSecret, peer: &p256::PublicKey) -> p256::ecdh::SharedSecret {
    key.diffie_hellman(peer)
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

    #[inline(never)]
    fn generate(&mut self, group: Group) -> Result<(EphemeralKey, PublicKey), CryptoError> {
        if group != Group::P256 {
            return Err(CryptoError::Unsupported);
        }
        let key = EphemeralSecret::try_generate_from_rng(&mut self.rng).map_err(|_| CryptoError::Random)?;
        let public = PublicKey::p256(point_of(&public_half(&key))?).map_err(|_| CryptoError::Failed)?;
        Ok((EphemeralKey(key), public))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        p256_key(peer).map(drop)
    }

    #[inline(never)]
    fn agree(&mut self, key: EphemeralKey, peer: &PublicKey) -> Result<Secret<32>, CryptoError> {
        let peer = p256_key(peer).map_err(|_| CryptoError::InvalidPublicKey)?;
        let z = diffie_hellman(&key.0, &peer);
        let mut secret = Secret::zero();
        secret.as_mut_bytes().copy_from_slice(z.raw_secret_bytes());
        Ok(secret)
    }

    fn extract(&mut self, salt: &[u8], z: Secret<32>) -> Result<Secret<HASH_LEN>, CryptoError> {
        // HKDF-Extract is HMAC(salt, IKM).
        hmac(salt, &[z.as_bytes()]).map(Secret::new)
    }

    fn expand(&mut self, prk: &Secret<HASH_LEN>, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        let mut secret = Secret::zero();
        hkdf_expand(prk, info, secret.as_mut_bytes())?;
        Ok(secret)
    }

    fn expand_key(&mut self, prk: &Secret<HASH_LEN>, info: &[&[u8]], aead: Aead) -> Result<K, CryptoError> {
        let mut bytes = Secret::<32>::zero();
        let key = bytes.as_mut_bytes().get_mut(..aead.key_len()).ok_or(CryptoError::Failed)?;
        hkdf_expand(prk, info, key)?;
        K::new(aead, key)
    }

    fn expand_bytes(
        &mut self,
        prk: &Secret<HASH_LEN>,
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        hkdf_expand(prk, info, out)
    }

    fn mac(&mut self, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        hmac(key.as_bytes(), message)
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
            let key = p256::ecdsa::VerifyingKey::from_affine(affine(&self.point)?).ok()?;
            let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
            key.verify(message, &signature).ok()
        };
        check().map(|()| Verified::vouch()).ok_or(CryptoError::Authentication)
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
