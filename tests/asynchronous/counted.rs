//! A provider that counts the secrets that are alive.

use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use std::cell::Cell;
use std::rc::Rc;

/// How many secrets there are.
pub(crate) type Count = Rc<Cell<usize>>;

pub(crate) struct Counted<P> {
    inner: P,
    live: Count,
}

/// A secret, which is counted until it is dropped. (Those of the software provider erase themselves then.)
pub(crate) struct Live<T>(Option<T>, Count);

impl<P> Counted<P> {
    pub(crate) fn new(inner: P) -> (Self, Count) {
        let live = Count::default();
        (Self { inner, live: live.clone() }, live)
    }

    fn live<T>(&self, secret: T) -> Live<T> {
        self.live.set(self.live.get() + 1);
        Live(Some(secret), self.live.clone())
    }
}

impl<T> Live<T> {
    fn get(&self) -> &T {
        self.0.as_ref().unwrap()
    }

    fn take(mut self) -> T {
        self.0.take().unwrap()
    }
}

impl<T> Drop for Live<T> {
    fn drop(&mut self) {
        self.1.set(self.1.get() - 1);
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
        Ok((self.live(private), public))
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
        Ok(self.live(z))
    }

    fn extract(&mut self, salt: &[u8], z: Self::SharedSecret) -> Result<Self::Prk, CryptoError> {
        let prk = self.inner.extract(salt, z.take())?;
        Ok(self.live(prk))
    }

    fn prk(&mut self, secret: &Self::Secret) -> Result<Self::Prk, CryptoError> {
        let prk = self.inner.prk(secret.get())?;
        Ok(self.live(prk))
    }

    fn expand(&mut self, prk: &Self::Prk, info: &[&[u8]]) -> Result<Self::Secret, CryptoError> {
        let secret = self.inner.expand(prk.get(), info)?;
        Ok(self.live(secret))
    }

    fn expand_key(
        &mut self,
        prk: &Self::Prk,
        info: &[&[u8]],
        aead: Aead,
    ) -> Result<Self::TrafficKey, CryptoError> {
        let key = self.inner.expand_key(prk.get(), info, aead)?;
        Ok(self.live(key))
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
