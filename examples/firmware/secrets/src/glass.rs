//! The software provider, in which every secret can be seen.

use chacha20::ChaCha20Rng;
use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::software::{EphemeralKey, RawKey, SharedSecret, Software, TrafficKey};

/// What every label of the schedule begins with.
const PREFIX: &str = "dynamic-key v2 ";

pub(crate) struct Glass {
    software: Software<ChaCha20Rng>,
    /// The secrets so far, each under its label.
    pub(crate) seen: Vec<(String, Vec<u8>)>,
}

impl Glass {
    pub(crate) fn new(rng: ChaCha20Rng) -> Self {
        Self { software: Software::new(rng), seen: Vec::new() }
    }

    fn see(&mut self, info: &[&[u8]], secret: &[u8]) {
        let label = String::from_utf8_lossy(&info.concat()).into_owned();
        self.seen.push((label.strip_prefix(PREFIX).unwrap_or(&label).to_owned(), secret.to_owned()));
    }
}

impl Provider for Glass {
    type EphemeralKey = EphemeralKey;
    type SharedSecret = SharedSecret;
    type Prk = Secret<HASH_LEN>;
    type Secret = Secret<HASH_LEN>;
    type TrafficKey = Vec<u8>;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.software.fill(out)
    }

    fn generate(&mut self, group: Group) -> Result<(EphemeralKey, PublicKey), CryptoError> {
        self.software.generate(group)
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        self.software.validate(peer)
    }

    fn agree(&mut self, key: EphemeralKey, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        let z = self.software.agree(key, peer)?;
        self.see(&[b"shared secret"], z.as_bytes());
        Ok(z)
    }

    /// HMAC(salt, Z), RFC 5869 §2.2, for the salt that T is.
    fn extract(&mut self, salt: &[u8], z: SharedSecret) -> Result<Secret<HASH_LEN>, CryptoError> {
        let salt = salt.try_into().map_err(|_| CryptoError::Unsupported)?;
        let prk = Secret::new(self.software.mac(&Secret::new(salt), &[z.as_bytes()])?);
        self.see(&[b"prk"], prk.as_bytes());
        Ok(prk)
    }

    fn prk(&mut self, secret: &Secret<HASH_LEN>) -> Result<Secret<HASH_LEN>, CryptoError> {
        Ok(secret.clone())
    }

    fn expand(&mut self, prk: &Secret<HASH_LEN>, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        let mut secret = Secret::zero();
        self.expand_bytes(prk, info, secret.as_mut_bytes())?;
        Ok(secret)
    }

    fn expand_key(
        &mut self,
        prk: &Secret<HASH_LEN>,
        info: &[&[u8]],
        aead: Aead,
    ) -> Result<Vec<u8>, CryptoError> {
        let mut key = vec![0; aead.key_len()];
        self.expand_bytes(prk, info, &mut key)?;
        Ok(key)
    }

    fn expand_bytes(
        &mut self,
        prk: &Secret<HASH_LEN>,
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), CryptoError> {
        let prk = self.software.prk(prk)?;
        self.software.expand_bytes(&prk, info, out)?;
        self.see(info, out);
        Ok(())
    }

    fn mac(&mut self, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        self.software.mac(key, message)
    }

    fn seal(
        &mut self,
        key: &Vec<u8>,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        raw(key)?.seal(nonce, aad, text)
    }

    fn open(
        &mut self,
        key: &Vec<u8>,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        raw(key)?.open(nonce, aad, text, tag)
    }
}

/// The key of the algorithm that it is long enough for.
fn raw(key: &[u8]) -> Result<RawKey, CryptoError> {
    let aead = if key.len() == Aead::Aes128Gcm.key_len() { Aead::Aes128Gcm } else { Aead::Aes256Gcm };
    RawKey::new(aead, key)
}
