//! [`Provider`]: what the core asks of cryptography.
//!
//! # Who can implement it
//!
//! The trait was held against four implementers before it was fixed.
//!
//! - **ring**: its agreement consumes the private key and hands the secret to a closure ([`Provider::agree`] consumes and
//!   returns an opaque value, which such a provider fills inside the closure); its AEAD keys are objects
//!   ([`Provider::TrafficKey`] is whatever the provider likes); its HKDF fills byte slices ([`Provider::expand_key`]).
//! - **`p256-cortex-m4-sys`**: assembly over byte arrays, with neither hash nor AEAD. A provider wraps the software one and
//!   overrides [`Provider::generate`], [`Provider::validate`] and [`Provider::agree`]; the types of keys are its own.
//! - **a chip like the ATECC608** (`examples/secure_element` is one, simulated): keys live in slots and Z never leaves them.
//!   `EphemeralKey`, `SharedSecret`, `Prk`, `Secret` and `TrafficKey` are slot numbers; no method asks for their bytes. What
//!   leaves by design is public or becomes so: random bytes, the 12-byte ivs (the wire shows the nonces that they mask), MACs, and exports that the application asks for.
//!   Every call is fallible, because a bus is.
//! - **PKCS #11**: handles, again (`providers/pkcs11`). On a token without `CKM_HKDF_DERIVE` there is no such provider, unless its
//!   owner opts into deriving on the host.
//!
//! Generating, agreeing, signing and verifying are slow (10⁶ to 10⁸ instructions, or a bus transaction), so the handshake
//! machines never call them: a driver does, between two steps. Everything else is called from inside a step.

use crate::codec::spki::{Group, PublicKey};
use core::fmt;

/// The length of an AEAD nonce in bytes.
pub const NONCE_LEN: usize = 12;
/// The length of an AEAD tag in bytes.
pub const TAG_LEN: usize = 16;
/// The length of a SHA-256 hash, of an HMAC-SHA256 and of every [`Provider::Secret`] in bytes.
pub const HASH_LEN: usize = 32;

/// An AEAD algorithm, NIST SP 800-38D: nonces of 12 bytes, tags of 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Aead {
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
}

impl Aead {
    /// The length of a key in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm => 32,
        }
    }
}

/// What went wrong in a provider. It says nothing of the data that it worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CryptoError {
    /// The peer's public key is not a valid element of its group (§1).
    InvalidPublicKey,
    /// A tag, a MAC or a signature is wrong, or its key is not known.
    Authentication,
    /// The random generator failed.
    Random,
    /// The provider lacks the group or the algorithm.
    Unsupported,
    /// Anything else: a bus fault, a full slot table, a lost power rail.
    Failed,
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidPublicKey => "the public key is not a valid element of its group",
            Self::Authentication => "authentication failed",
            Self::Random => "the random generator failed",
            Self::Unsupported => "the provider does not support this operation",
            Self::Failed => "the provider failed",
        })
    }
}

impl core::error::Error for CryptoError {}

/// Keys, agreement, HKDF-SHA256, HMAC-SHA256, AEAD and randomness: software, assembly, a secure element or an HSM.
///
/// Secrets are the provider's own types and may be handles; it erases them when they are dropped. After a failed call
/// nothing that the caller holds has changed.
pub trait Provider {
    /// An ephemeral private key. It is used once and consumed.
    type EphemeralKey;
    /// A shared secret Z (§1). It is consumed by [`Provider::extract`].
    type SharedSecret;
    /// The PRK of HKDF, from which keys and secrets are expanded one after the other.
    type Prk;
    /// 32 secret bytes that serve as HMAC key, or as PRK in their turn: the exporter and the other secrets of §2.3.
    type Secret;
    /// An AEAD key.
    type TrafficKey;

    /// Fills `out` with random bytes fit for keys.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when the generator fails; `out` must not be used then.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError>;

    /// Generates an ephemeral key pair. Slow.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Unsupported`] for a group it lacks, [`CryptoError::Failed`].
    fn generate(&mut self, group: Group) -> Result<(Self::EphemeralKey, PublicKey), CryptoError>;

    /// Checks that `peer` is a valid element of its group: for P-256 a point on the curve (SP 800-56A §5.6.2.3).
    ///
    /// # Errors
    /// [`CryptoError::InvalidPublicKey`] when it is not, [`CryptoError::Unsupported`] for a group it lacks.
    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError>;

    /// Validates `peer`, then agrees on Z, consuming the private key. Slow.
    ///
    /// # Errors
    /// [`CryptoError::InvalidPublicKey`] when `peer` is invalid or of another group, or Z is degenerate (§1).
    fn agree(&mut self, key: Self::EphemeralKey, peer: &PublicKey)
    -> Result<Self::SharedSecret, CryptoError>;

    /// HKDF-Extract(salt, IKM = Z), RFC 5869 §2.2. Z is erased.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`], [`CryptoError::Failed`].
    fn extract(&mut self, salt: &[u8], z: Self::SharedSecret) -> Result<Self::Prk, CryptoError>;

    /// Takes a secret as PRK, which RFC 5869 §3.3 allows for one that is as good as random.
    ///
    /// # Errors
    /// [`CryptoError::Failed`].
    fn prk(&mut self, secret: &Self::Secret) -> Result<Self::Prk, CryptoError>;

    /// HKDF-Expand(prk, info, 32) into a new secret, RFC 5869 §2.3. `info` is joined.
    ///
    /// # Errors
    /// [`CryptoError::Failed`].
    fn expand(&mut self, prk: &Self::Prk, info: &[&[u8]]) -> Result<Self::Secret, CryptoError>;

    /// HKDF-Expand(prk, info, the key length of `aead`) into an AEAD key. `info` is joined.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] for an algorithm it lacks, [`CryptoError::Failed`].
    fn expand_key(
        &mut self,
        prk: &Self::Prk,
        info: &[&[u8]],
        aead: Aead,
    ) -> Result<Self::TrafficKey, CryptoError>;

    /// HKDF-Expand(prk, info, `out.len()`) into bytes that leave the provider: ivs, and what an application exports.
    ///
    /// # Errors
    /// [`CryptoError::Failed`], also for more than 8160 bytes.
    fn expand_bytes(&mut self, prk: &Self::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError>;

    /// HMAC-SHA256(key, message), RFC 2104. `message` is joined.
    ///
    /// # Errors
    /// [`CryptoError::Failed`].
    fn mac(&mut self, key: &Self::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError>;

    /// Encrypts `text` in place and returns the tag.
    ///
    /// # Errors
    /// [`CryptoError::Failed`]; `text` must be taken for destroyed.
    ///
    /// # Security
    /// The caller never repeats a nonce under one key.
    fn seal(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError>;

    /// Verifies `tag`, then decrypts `text` in place.
    ///
    /// # Errors
    /// [`CryptoError::Authentication`] when the tag is wrong: no plaintext has been written.
    fn open(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError>;
}

impl<P: Provider + ?Sized> Provider for &mut P {
    type EphemeralKey = P::EphemeralKey;
    type SharedSecret = P::SharedSecret;
    type Prk = P::Prk;
    type Secret = P::Secret;
    type TrafficKey = P::TrafficKey;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        (**self).fill(out)
    }
    fn generate(&mut self, group: Group) -> Result<(Self::EphemeralKey, PublicKey), CryptoError> {
        (**self).generate(group)
    }
    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        (**self).validate(peer)
    }
    fn agree(
        &mut self,
        key: Self::EphemeralKey,
        peer: &PublicKey,
    ) -> Result<Self::SharedSecret, CryptoError> {
        (**self).agree(key, peer)
    }
    fn extract(&mut self, salt: &[u8], z: Self::SharedSecret) -> Result<Self::Prk, CryptoError> {
        (**self).extract(salt, z)
    }
    fn prk(&mut self, secret: &Self::Secret) -> Result<Self::Prk, CryptoError> {
        (**self).prk(secret)
    }
    fn expand(&mut self, prk: &Self::Prk, info: &[&[u8]]) -> Result<Self::Secret, CryptoError> {
        (**self).expand(prk, info)
    }
    fn expand_key(
        &mut self,
        prk: &Self::Prk,
        info: &[&[u8]],
        aead: Aead,
    ) -> Result<Self::TrafficKey, CryptoError> {
        (**self).expand_key(prk, info, aead)
    }
    fn expand_bytes(&mut self, prk: &Self::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        (**self).expand_bytes(prk, info, out)
    }
    fn mac(&mut self, key: &Self::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        (**self).mac(key, message)
    }
    fn seal(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        (**self).seal(key, nonce, aad, text)
    }
    fn open(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        (**self).open(key, nonce, aad, text, tag)
    }
}
