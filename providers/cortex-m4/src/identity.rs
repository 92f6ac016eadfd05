//! P-256 identities: ES256 signatures made, and verified by the keys that a client pins.

use crate::assembly::{Point, Scalar};
use crate::provider::draw_scalar;
use core::fmt;
use dynamic_key::Secret;
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Signer, Verified, Verifier, sha256};
use rand_core::TryCryptoRng;
use rfc6979::KGenerator;
use rfc6979::bigint::U256;
use sha2::Sha256;

/// The order n of the group.
const ORDER: U256 = U256::from_be_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
/// A nonce leads to no signature with a chance of 2⁻²⁵⁶.
const NONCES: usize = 4;

/// A P-256 identity key in memory: signs ES256 with RFC 6979 nonces. Erased on drop.
///
/// # Security
/// The nonce depends on the key and the message alone: no generator can spoil it, and whoever can disturb one of two runs over
/// the same message learns the key. Against faults, sign in a secure element.
#[derive(Clone)]
pub struct Identity {
    key: Scalar,
    public: PinnedKey,
}

impl Identity {
    /// Takes over a private scalar of 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] when it is not in 1 … n−1.
    pub fn from_bytes(scalar: &Secret<32>) -> Result<Self, CryptoError> {
        let key = Scalar::from_bytes(scalar.as_bytes());
        Self::new(key.as_ref().ok_or(CryptoError::Failed)?)
    }

    /// Generates an identity.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when the generator fails.
    pub fn generate<R: TryCryptoRng>(rng: &mut R) -> Result<Self, CryptoError> {
        let mut key = None;
        draw_scalar(&mut key, |bytes| rng.try_fill_bytes(bytes).map_err(|_| CryptoError::Random))?;
        Self::new(key.as_ref().ok_or(CryptoError::Failed)?)
    }

    /// The private scalar, 32 bytes big-endian, to be stored.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<32> {
        self.key.to_bytes()
    }

    /// The public half, as peers pin it.
    ///
    /// # Errors
    /// Never.
    pub fn public(&self) -> Result<PinnedKey, CryptoError> {
        Ok(self.public)
    }

    fn new(key: &Scalar) -> Result<Self, CryptoError> {
        let point = key.public_key().ok_or(CryptoError::Failed)?;
        Ok(Self { public: PinnedKey::from_point(&point)?, key: key.clone() })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("kid", &self.public.kid()).finish_non_exhaustive()
    }
}

impl Signer for Identity {
    fn kid(&self) -> KeyId {
        self.public.kid()
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        let hash = sha256(message);
        let key = self.key.to_bytes();
        let mut nonces = KGenerator::<Sha256, U256>::new(key.as_bytes(), &hash, &[], &ORDER);
        let mut bytes = Secret::<32>::zero();
        for _ in 0..NONCES {
            nonces.fill_next_k(bytes.as_mut_bytes());
            let nonce = Scalar::from_bytes(bytes.as_bytes());
            if let Some(signature) = self.key.sign(&hash, nonce.as_ref().ok_or(CryptoError::Failed)?) {
                return Ok(signature);
            }
        }
        Err(CryptoError::Failed)
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
        let key = self.0.iter().find(|key| key.kid() == *kid).ok_or(CryptoError::Authentication)?;
        let point = Point::from_bytes(key.point()).ok_or(CryptoError::Authentication)?;
        let verifies = point.verifies(&sha256(message), signature);
        verifies.then(Verified::vouch).ok_or(CryptoError::Authentication)
    }
}
