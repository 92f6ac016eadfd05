//! A provider, a signer and a verifier of which one call fails, and that tell every nonce they sealed under.

use std::cell::RefCell;
use std::rc::Rc;

use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::software::{EphemeralKey, Prk, RawKey, SharedSecret, TrafficKey};
use dynamic_key::crypto::{KeyId, Signature, Signer, Verified, Verifier};

use super::Soft;

/// What all of one test share.
#[derive(Clone, Debug, Default)]
pub struct Fuse(Rc<RefCell<Wiring>>);

#[derive(Debug, Default)]
struct Wiring {
    calls: usize,
    blows_at: Option<usize>,
    blown: Option<&'static str>,
    sealed: Vec<(Vec<u8>, [u8; NONCE_LEN])>,
}

impl Fuse {
    /// Lets the call with this number fail, counted from now.
    pub fn arm(&self, at: usize) {
        let mut wiring = self.0.borrow_mut();
        wiring.blows_at = Some(wiring.calls + at);
        wiring.blown = None;
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.0.borrow().calls
    }

    /// The call that failed.
    pub fn blown(&self) -> Option<&'static str> {
        self.0.borrow().blown
    }

    /// Every key that sealed, with the nonces that it sealed under, must be there once.
    pub fn check_nonces(&self) {
        let mut sealed = self.0.borrow().sealed.clone();
        sealed.sort();
        let all = sealed.len();
        sealed.dedup();
        assert_eq!(sealed.len(), all, "a nonce came twice under one key");
    }

    fn call(&self, name: &'static str, error: CryptoError) -> Result<(), CryptoError> {
        let mut wiring = self.0.borrow_mut();
        let blows = wiring.blows_at == Some(wiring.calls);
        wiring.calls += 1;
        if blows {
            wiring.blown = Some(name);
            return Err(error);
        }
        Ok(())
    }
}

/// `T`, behind a fuse.
#[derive(Clone, Debug)]
pub struct Faulty<T> {
    inner: T,
    fuse: Fuse,
}

impl<T> Faulty<T> {
    pub fn new(inner: T, fuse: &Fuse) -> Self {
        Self { inner, fuse: fuse.clone() }
    }
}

impl Provider for Faulty<Soft> {
    type EphemeralKey = EphemeralKey;
    type SharedSecret = SharedSecret;
    type Prk = Prk;
    type Secret = Secret<HASH_LEN>;
    /// The bytes, so that keys can be told apart.
    type TrafficKey = (Aead, Vec<u8>);

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.fuse.call("fill", CryptoError::Random)?;
        self.inner.fill(out)
    }

    fn generate(&mut self, group: Group) -> Result<(EphemeralKey, PublicKey), CryptoError> {
        self.fuse.call("generate", CryptoError::Random)?;
        self.inner.generate(group)
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        self.fuse.call("validate", CryptoError::Failed)?;
        self.inner.validate(peer)
    }

    fn agree(&mut self, key: EphemeralKey, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        self.fuse.call("agree", CryptoError::Failed)?;
        self.inner.agree(key, peer)
    }

    fn extract(&mut self, salt: &[u8], z: SharedSecret) -> Result<Prk, CryptoError> {
        self.fuse.call("extract", CryptoError::Unsupported)?;
        self.inner.extract(salt, z)
    }

    fn prk(&mut self, secret: &Secret<HASH_LEN>) -> Result<Prk, CryptoError> {
        self.fuse.call("prk", CryptoError::Failed)?;
        self.inner.prk(secret)
    }

    fn expand(&mut self, prk: &Prk, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        self.fuse.call("expand", CryptoError::Failed)?;
        self.inner.expand(prk, info)
    }

    fn expand_key(&mut self, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<Self::TrafficKey, CryptoError> {
        self.fuse.call("expand_key", CryptoError::Failed)?;
        let mut key = vec![0; aead.key_len()];
        self.inner.expand_bytes(prk, info, &mut key)?;
        Ok((aead, key))
    }

    fn expand_bytes(&mut self, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.fuse.call("expand_bytes", CryptoError::Failed)?;
        self.inner.expand_bytes(prk, info, out)
    }

    fn mac(&mut self, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        self.fuse.call("mac", CryptoError::Failed)?;
        self.inner.mac(key, message)
    }

    fn seal(
        &mut self,
        (aead, key): &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        // A call that fails may have used its nonce all the same.
        self.fuse.0.borrow_mut().sealed.push((key.clone(), *nonce));
        self.fuse.call("seal", CryptoError::Failed)?;
        RawKey::new(*aead, key)?.seal(nonce, aad, text)
    }

    fn open(
        &mut self,
        (aead, key): &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        self.fuse.call("open", CryptoError::Failed)?;
        RawKey::new(*aead, key)?.open(nonce, aad, text, tag)
    }
}

impl<S: Signer> Signer for Faulty<S> {
    fn kid(&self) -> KeyId {
        self.inner.kid()
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        self.fuse.call("sign", CryptoError::Random)?;
        self.inner.sign(message)
    }
}

impl<V: Verifier> Verifier for Faulty<V> {
    fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        self.fuse.call("verify", CryptoError::Failed)?;
        self.inner.verify(kid, message, signature)
    }
}
