//! [`KeyWrap`] and [`Recipient`]: what encryption to an identity asks of cryptography beyond [`Provider`] (RFC 7518 §4.6, §4.8).
//!
//! # Who can implement it
//!
//! A content key reaches its recipient in three steps, each of which may stay within the hardware: agreement on Z, Concat KDF
//! to a key-encryption key, AES key wrap of the content key. Agreement is slow and happens between two calls; the others are
//! a few blocks of hash and cipher.
//!
//! - **a chip like the ATECC608**: the recipient's private key is a slot, [`Recipient::agree`] its ECDH command with the output
//!   to TempKey. Concat KDF is one SHA-256 over 0x00000001 ‖ Z ‖ OtherInfo, for which the chip's SHA command takes TempKey; the wrap
//!   is AES-ECB by a slot or TempKey, twelve rounds of twice. A chip that can do none of that hands Z over (`SharedSecret` are
//!   bytes, then), and [`KeyWrap`] is the software provider's.
//! - **PKCS #11**: `CKM_ECDH1_DERIVE` with `CKD_NULL` to a generic secret; Concat KDF by
//!   `CKM_CONCATENATE_DATA_AND_BASE`, `CKM_CONCATENATE_BASE_AND_DATA` and `CKM_SHA256_KEY_DERIVATION`, handles all the way; `C_WrapKey` and
//!   `C_UnwrapKey` with `CKM_AES_KEY_WRAP`; `CKM_PKCS5_PBKD2` for passwords. Where one is missing: [`CryptoError::Unsupported`].
//! - **ring** has no static keys for agreement and no key wrap: its provider can send, with SHA-256 of its own and the wrap of the
//!   `aes-kw` crate, and takes [`Recipient`] from the software provider. aws-lc-rs has both.

use super::provider::{CryptoError, Provider};
use super::signature::KeyId;
use crate::codec::spki::PublicKey;
use core::num::NonZeroU32;

/// The length of a wrapped content key of 32 bytes (RFC 3394 §2.2.1).
pub const WRAPPED_LEN: usize = 40;

/// Key-encryption keys and AES key wrap. The content keys are the provider's keys of AES-256-GCM.
pub trait KeyWrap: Provider {
    /// A key-encryption key. It is used once and consumed.
    type Kek;

    /// Concat KDF (NIST SP 800-56A §5.8.1, RFC 7518 §4.6.2) with SHA-256 to a key of AES-256: SHA-256(0x00000001 ‖ Z ‖ OtherInfo). Z is
    /// erased. `other_info` is joined.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`], [`CryptoError::Failed`].
    fn concat_kdf(&mut self, z: Self::SharedSecret, other_info: &[&[u8]]) -> Result<Self::Kek, CryptoError>;

    /// PBKDF2 (RFC 8018 §5.2) with HMAC-SHA256 to a key of AES-128. Slow: two blocks of SHA-256 for each iteration.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`], [`CryptoError::Failed`].
    fn pbkdf2(
        &mut self,
        password: &[u8],
        salt: &[u8],
        iterations: NonZeroU32,
    ) -> Result<Self::Kek, CryptoError>;

    /// Draws a content key and wraps it (RFC 3394 §2.2.1).
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Unsupported`], [`CryptoError::Failed`].
    fn wrap(&mut self, kek: Self::Kek) -> Result<(Self::TrafficKey, [u8; WRAPPED_LEN]), CryptoError>;

    /// Unwraps a content key (RFC 3394 §2.2.2).
    ///
    /// # Errors
    /// [`CryptoError::Authentication`] when it was not wrapped with this key.
    fn unwrap(
        &mut self,
        kek: Self::Kek,
        wrapped: &[u8; WRAPPED_LEN],
    ) -> Result<Self::TrafficKey, CryptoError>;
}

/// The encryption key of an identity: a P-256 key that agrees with many, in memory, in a slot or behind a handle.
pub trait Recipient {
    /// What is agreed on: the [`Provider::SharedSecret`] of the provider that takes it.
    type SharedSecret;

    /// The key's id.
    fn kid(&self) -> KeyId;

    /// Validates `peer`, the sender's ephemeral key, then agrees on Z. Slow.
    ///
    /// # Errors
    /// [`CryptoError::InvalidPublicKey`] when `peer` is no point on the curve, [`CryptoError::Failed`].
    fn agree(&mut self, peer: &PublicKey) -> Result<Self::SharedSecret, CryptoError>;
}

impl<R: Recipient + ?Sized> Recipient for &mut R {
    type SharedSecret = R::SharedSecret;

    fn kid(&self) -> KeyId {
        (**self).kid()
    }
    fn agree(&mut self, peer: &PublicKey) -> Result<Self::SharedSecret, CryptoError> {
        (**self).agree(peer)
    }
}

impl<P: KeyWrap + ?Sized> KeyWrap for &mut P {
    type Kek = P::Kek;

    fn concat_kdf(&mut self, z: Self::SharedSecret, other_info: &[&[u8]]) -> Result<Self::Kek, CryptoError> {
        (**self).concat_kdf(z, other_info)
    }
    fn pbkdf2(
        &mut self,
        password: &[u8],
        salt: &[u8],
        iterations: NonZeroU32,
    ) -> Result<Self::Kek, CryptoError> {
        (**self).pbkdf2(password, salt, iterations)
    }
    fn wrap(&mut self, kek: Self::Kek) -> Result<(Self::TrafficKey, [u8; WRAPPED_LEN]), CryptoError> {
        (**self).wrap(kek)
    }
    fn unwrap(
        &mut self,
        kek: Self::Kek,
        wrapped: &[u8; WRAPPED_LEN],
    ) -> Result<Self::TrafficKey, CryptoError> {
        (**self).unwrap(kek, wrapped)
    }
}
