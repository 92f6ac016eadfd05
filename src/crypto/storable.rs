//! [`StorableKeys`]: traffic keys that leave the provider to be stored and come back (§2.7).
//!
//! # Who can implement it
//!
//! Session storage seals whatever leaves under its root key, so the provider in software hands out the bytes of its keys. Hardware
//! need not:
//!
//! - **a chip that wraps**: what leaves is the key wrapped by a key that never does (RFC 3394: 40 bytes; nonce, AES-GCM and tag: 60);
//!   PKCS #11 has `C_WrapKey` and `C_UnwrapKey` with `CKM_AES_KEY_WRAP`.
//! - **a chip whose slots survive a power cut**: what leaves is the slot's number, and the slot stays taken until the key comes back.
//! - **a chip that does neither** has no such implementation, or says [`CryptoError::Unsupported`]: its sessions live as long as its power.
//!
//! The root key itself is a [`TrafficKey`](Provider::TrafficKey) of AES-256-GCM: on a chip a slot, never bytes.

use super::provider::{Aead, CryptoError, Provider};

/// The most bytes that a traffic key leaves as.
pub const STORED_KEY_LEN: usize = 64;

/// A provider whose traffic keys can be stored.
///
/// # Security
/// What leaves may be the key itself: it goes nowhere but into storage that seals it.
pub trait StorableKeys: Provider {
    /// Writes what `key` comes back from to the front of `out`, and returns its length.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] for a key that never leaves, [`CryptoError::Failed`].
    fn store_key(
        &mut self,
        key: &Self::TrafficKey,
        out: &mut [u8; STORED_KEY_LEN],
    ) -> Result<usize, CryptoError>;

    /// The key of `aead` that left as `stored`.
    ///
    /// # Errors
    /// [`CryptoError::Authentication`] or [`CryptoError::Failed`] for anything else.
    fn restore_key(&mut self, aead: Aead, stored: &[u8]) -> Result<Self::TrafficKey, CryptoError>;
}

impl<P: StorableKeys + ?Sized> StorableKeys for &mut P {
    fn store_key(
        &mut self,
        key: &Self::TrafficKey,
        out: &mut [u8; STORED_KEY_LEN],
    ) -> Result<usize, CryptoError> {
        (**self).store_key(key, out)
    }
    fn restore_key(&mut self, aead: Aead, stored: &[u8]) -> Result<Self::TrafficKey, CryptoError> {
        (**self).restore_key(aead, stored)
    }
}
