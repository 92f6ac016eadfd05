//! The keys that are encrypted to. Concat KDF and key wrap are those of the software provider.

use crate::assembly::{Point, Scalar};
use crate::provider::{CortexM4, draw_scalar, point_of};
use core::fmt;
use core::num::NonZeroU32;
use dynamic_key::Secret;
use dynamic_key::codec::spki::PublicKey;
use dynamic_key::crypto::software::{Kek, SharedSecret, Software, TrafficKey};
use dynamic_key::crypto::wrap::WRAPPED_LEN;
use dynamic_key::crypto::{CryptoError, KeyId, KeyWrap, Provider, Recipient};
use rand_core::TryCryptoRng;

impl<R: TryCryptoRng, K: TrafficKey> KeyWrap for CortexM4<R, K> {
    type Kek = Kek;

    fn concat_kdf(&mut self, z: SharedSecret, other_info: &[&[u8]]) -> Result<Kek, CryptoError> {
        self.software.concat_kdf(z, other_info)
    }

    fn pbkdf2(&mut self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Result<Kek, CryptoError> {
        self.software.pbkdf2(password, salt, iterations)
    }

    fn wrap(
        &mut self,
        kek: Kek,
    ) -> Result<(<Software<R, K> as Provider>::TrafficKey, [u8; WRAPPED_LEN]), CryptoError> {
        self.software.wrap(kek)
    }

    fn unwrap(
        &mut self,
        kek: Kek,
        wrapped: &[u8; WRAPPED_LEN],
    ) -> Result<<Software<R, K> as Provider>::TrafficKey, CryptoError> {
        self.software.unwrap(kek, wrapped)
    }
}

/// A P-256 encryption key in memory. Erased on drop.
#[derive(Clone)]
pub struct RecipientKey {
    key: Scalar,
    public: PublicKey,
    kid: KeyId,
}

impl RecipientKey {
    /// Takes over a private scalar of 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] when it is not in 1 … n−1.
    pub fn from_bytes(scalar: &Secret<32>) -> Result<Self, CryptoError> {
        let key = Scalar::from_bytes(scalar.as_bytes());
        Self::new(key.as_ref().ok_or(CryptoError::Failed)?)
    }

    /// Generates a key.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when the generator fails.
    pub fn generate<R: TryCryptoRng>(rng: &mut R) -> Result<Self, CryptoError> {
        let mut key = None;
        draw_scalar(&mut key, |bytes| rng.try_fill_bytes(bytes).map_err(|_| CryptoError::Random))?;
        Self::new(key.as_ref().ok_or(CryptoError::Failed)?)
    }

    #[inline(never)] // one frame less in its caller's
    fn new(key: &Scalar) -> Result<Self, CryptoError> {
        let point = key.public_key().ok_or(CryptoError::Failed)?;
        let public = PublicKey::p256(point).map_err(|_| CryptoError::Failed)?;
        Ok(Self { key: key.clone(), public, kid: KeyId::of_point(&point) })
    }

    /// The private scalar, 32 bytes big-endian, to be stored.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<32> {
        self.key.to_bytes()
    }

    /// The public half, to be published.
    ///
    /// # Errors
    /// Never.
    pub fn public(&self) -> Result<PublicKey, CryptoError> {
        Ok(self.public)
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecipientKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Recipient for RecipientKey {
    type SharedSecret = SharedSecret;

    fn kid(&self) -> KeyId {
        self.kid
    }

    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        let peer = point_of(peer).and_then(Point::from_bytes);
        peer.and_then(|peer| self.key.agree(&peer)).map(Into::into).ok_or(CryptoError::InvalidPublicKey)
    }
}
