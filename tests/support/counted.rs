//! A provider that keeps a ledger of its secrets: which were made, and which are alive.

use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use std::cell::RefCell;
use std::rc::Rc;

/// Every secret that was made, and whether it is alive.
#[derive(Clone, Debug, Default)]
pub struct Count(Rc<RefCell<Vec<(&'static str, bool)>>>);

impl Count {
    /// How many secrets there are.
    pub fn get(&self) -> usize {
        self.0.borrow().iter().filter(|(_, alive)| *alive).count()
    }

    /// What is alive, in the order in which it was made.
    pub fn alive(&self) -> Vec<&'static str> {
        self.0.borrow().iter().filter(|(_, alive)| *alive).map(|(kind, _)| *kind).collect()
    }

    /// What was ever made.
    pub fn made(&self) -> Vec<&'static str> {
        self.0.borrow().iter().map(|(kind, _)| *kind).collect()
    }
}

#[derive(Debug)]
pub struct Counted<P> {
    inner: P,
    ledger: Count,
}

/// A secret, alive in the ledger until it is dropped. (Those of the software provider erase themselves then.)
pub struct Live<T> {
    secret: Option<T>,
    ledger: Count,
    entry: usize,
}

impl<P> Counted<P> {
    pub fn new(inner: P) -> (Self, Count) {
        let ledger = Count::default();
        (Self { inner, ledger: ledger.clone() }, ledger)
    }

    fn live<T>(&self, kind: &'static str, secret: T) -> Live<T> {
        let mut entries = self.ledger.0.borrow_mut();
        entries.push((kind, true));
        Live { secret: Some(secret), ledger: self.ledger.clone(), entry: entries.len() - 1 }
    }
}

impl<T> Live<T> {
    fn get(&self) -> &T {
        self.secret.as_ref().unwrap()
    }

    fn take(mut self) -> T {
        self.secret.take().unwrap()
    }
}

impl<T> Drop for Live<T> {
    fn drop(&mut self) {
        self.ledger.0.borrow_mut()[self.entry].1 = false;
    }
}

impl<P: Provider> Provider for Counted<P> {
    type EphemeralKey = Live<P::EphemeralKey>;
    type SharedSecret = Live<P::SharedSecret>;
    type Prk = Live<P::Prk>;
    type Secret = Live<P::Secret>;
    type TrafficKey = Live<P::TrafficKey>;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.inner.fill(out)
    }

    fn generate(&mut self, group: Group) -> Result<(Self::EphemeralKey, PublicKey), CryptoError> {
        let (private, public) = self.inner.generate(group)?;
        Ok((self.live("ephemeral key", private), public))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        self.inner.validate(peer)
    }

    fn agree(
        &mut self,
        key: Self::EphemeralKey,
        peer: &PublicKey,
    ) -> Result<Self::SharedSecret, CryptoError> {
        let z = self.inner.agree(key.take(), peer)?;
        Ok(self.live("Z", z))
    }

    fn extract(&mut self, salt: &[u8], z: Self::SharedSecret) -> Result<Self::Prk, CryptoError> {
        let prk = self.inner.extract(salt, z.take())?;
        Ok(self.live("PRK", prk))
    }

    fn prk(&mut self, secret: &Self::Secret) -> Result<Self::Prk, CryptoError> {
        let prk = self.inner.prk(secret.get())?;
        Ok(self.live("PRK", prk))
    }

    fn expand(&mut self, prk: &Self::Prk, info: &[&[u8]]) -> Result<Self::Secret, CryptoError> {
        let secret = self.inner.expand(prk.get(), info)?;
        Ok(self.live("secret", secret))
    }

    fn expand_key(
        &mut self,
        prk: &Self::Prk,
        info: &[&[u8]],
        aead: Aead,
    ) -> Result<Self::TrafficKey, CryptoError> {
        let key = self.inner.expand_key(prk.get(), info, aead)?;
        Ok(self.live("AEAD key", key))
    }

    fn expand_bytes(&mut self, prk: &Self::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.inner.expand_bytes(prk.get(), info, out)
    }

    fn mac(&mut self, key: &Self::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        self.inner.mac(key.get(), message)
    }

    fn seal(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        self.inner.seal(key.get(), nonce, aad, text)
    }

    fn open(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        self.inner.open(key.get(), nonce, aad, text, tag)
    }
}
