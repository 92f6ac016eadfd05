//! How the software provider keeps an AEAD key.

#[cfg(doc)]
use crate::crypto::provider::Provider;
use crate::crypto::provider::{Aead, CryptoError, NONCE_LEN, TAG_LEN};
use crate::log::format_as;
use crate::secret::Secret;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{AesGcm, Key, KeyInit};
use core::fmt;

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

/// A key that is kept as its bytes, which may leave to be stored.
pub trait UnexpandedKey: TrafficKey {
    /// The bytes, as many as the algorithm has.
    ///
    /// # Security
    /// Copies made from them are the caller's to erase.
    fn as_bytes(&self) -> &[u8];
}

/// AES-GCM both ways needs AES in one: without the round keys of the other, keys are smaller and sooner ready.
type Aes128Gcm = AesGcm<cipher::Aes128, U12>;
type Aes256Gcm = AesGcm<cipher::Aes256, U12>;

#[cfg(target_pointer_width = "64")]
mod cipher {
    pub(super) type Aes128 = aes_gcm::aes::Aes128Enc;
    pub(super) type Aes256 = aes_gcm::aes::Aes256Enc;
}
#[cfg(not(target_pointer_width = "64"))]
mod cipher {
    use super::super::batch::Batched;

    pub(super) type Aes128 = Batched<aes_gcm::aes::Aes128Enc>;
    pub(super) type Aes256 = Batched<aes_gcm::aes::Aes256Enc>;
}

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

format_as! { [] RawKey, _ => "…" }

impl fmt::Debug for RawAes256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [] RawAes256Key, _ => "…" }

impl fmt::Debug for ExpandedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [] ExpandedKey, _ => "…" }

/// AES-GCM with nonces of 12 bytes and tags of 16.
trait Gcm: AeadInOut<NonceSize = U12, TagSize = U16> {
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

impl<A: AeadInOut<NonceSize = U12, TagSize = U16>> Gcm for A {}

/// Seals with a key that is expanded for it, where its round keys stay.
#[inline(never)] // the calls of one algorithm must not be merged with those of another
fn seal<C: Cipher>(
    key: &Key<C>,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    text: &mut [u8],
) -> Result<[u8; TAG_LEN], CryptoError> {
    let cipher = C::new(key);
    AesGcm::<_, U12>::from(&cipher).seal(nonce, aad, text)
}

/// Opens with a key that is expanded for it, where its round keys stay.
#[inline(never)]
fn open<C: Cipher>(
    key: &Key<C>,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    text: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Result<(), CryptoError> {
    let cipher = C::new(key);
    AesGcm::<_, U12>::from(&cipher).open(nonce, aad, text, tag)
}

/// AES of any key length.
trait Cipher: BlockCipherEncrypt<BlockSize = U16> + KeyInit {}

impl<C: BlockCipherEncrypt<BlockSize = U16> + KeyInit> Cipher for C {}

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
            Aead::Aes128Gcm => seal::<cipher::Aes128>(self.key().split_ref::<U16>().0, nonce, aad, text),
            Aead::Aes256Gcm => seal::<cipher::Aes256>(self.key(), nonce, aad, text),
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
            Aead::Aes128Gcm => open::<cipher::Aes128>(self.key().split_ref::<U16>().0, nonce, aad, text, tag),
            Aead::Aes256Gcm => open::<cipher::Aes256>(self.key(), nonce, aad, text, tag),
        }
    }
}

impl RawKey {
    /// The room for a key of AES-256; one of AES-128 stands in its first half.
    fn key(&self) -> &Key<cipher::Aes256> {
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

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        seal::<cipher::Aes256>(self.0.as_bytes().into(), nonce, aad, text)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        open::<cipher::Aes256>(self.0.as_bytes().into(), nonce, aad, text, tag)
    }
}

impl UnexpandedKey for RawKey {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.as_bytes().get(..self.aead.key_len()).unwrap_or_default()
    }
}

impl UnexpandedKey for RawAes256Key {
    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
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
