//! A provider through which keys can be seen, and which takes a Z of any length.

use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::software::{RawKey, Software, TrafficKey};

use super::Script;

/// The software provider without agreement: its secrets are the bytes that they are.
#[derive(Debug)]
pub struct Glass(Software<Script>);

impl Glass {
    pub fn new() -> Self {
        Self(Software::new(Script::default()))
    }
}

impl Provider for Glass {
    type EphemeralKey = ();
    type SharedSecret = Vec<u8>;
    type Prk = Secret<HASH_LEN>;
    type Secret = Secret<HASH_LEN>;
    type TrafficKey = (Aead, Vec<u8>);

    fn fill(&mut self, _: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError::Random)
    }

    fn generate(&mut self, _: Group) -> Result<((), PublicKey), CryptoError> {
        Err(CryptoError::Unsupported)
    }

    fn validate(&mut self, _: &PublicKey) -> Result<(), CryptoError> {
        Err(CryptoError::Unsupported)
    }

    fn agree(&mut self, (): (), _: &PublicKey) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// HMAC(salt, Z), RFC 5869 §2.2, for the salt that T is.
    fn extract(&mut self, salt: &[u8], z: Vec<u8>) -> Result<Secret<HASH_LEN>, CryptoError> {
        let salt = salt.try_into().map_err(|_| CryptoError::Unsupported)?;
        self.0.mac(&Secret::new(salt), &[&z]).map(Secret::new)
    }

    fn prk(&mut self, secret: &Secret<HASH_LEN>) -> Result<Secret<HASH_LEN>, CryptoError> {
        Ok(secret.clone())
    }

    fn expand(&mut self, prk: &Self::Secret, info: &[&[u8]]) -> Result<Self::Secret, CryptoError> {
        let prk = self.0.prk(prk)?;
        self.0.expand(&prk, info)
    }

    fn expand_key(
        &mut self,
        prk: &Self::Secret,
        info: &[&[u8]],
        aead: Aead,
    ) -> Result<(Aead, Vec<u8>), CryptoError> {
        let mut key = vec![0; aead.key_len()];
        self.expand_bytes(prk, info, &mut key)?;
        Ok((aead, key))
    }

    fn expand_bytes(
        &mut self,
        prk: &Self::Secret,
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let prk = self.0.prk(prk)?;
        self.0.expand_bytes(&prk, info, out)
    }

    fn mac(&mut self, key: &Self::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        self.0.mac(key, message)
    }

    fn seal(
        &mut self,
        (aead, key): &(Aead, Vec<u8>),
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        RawKey::new(*aead, key)?.seal(nonce, aad, text)
    }

    fn open(
        &mut self,
        (aead, key): &(Aead, Vec<u8>),
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        RawKey::new(*aead, key)?.open(nonce, aad, text, tag)
    }
}
