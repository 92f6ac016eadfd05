//! AEAD keys that remember every nonce that they have sealed with, across power cuts.

use dynamic_key::crypto::provider::{Aead, CryptoError, NONCE_LEN, TAG_LEN};
use dynamic_key::crypto::software::{RawKey, TrafficKey, UnexpandedKey};
use std::cell::RefCell;
use std::collections::HashSet;

thread_local! {
    static SEALED: RefCell<HashSet<(Vec<u8>, [u8; NONCE_LEN])>> = RefCell::default();
    static REPEATED: RefCell<usize> = RefCell::default();
}

/// How many nonces were sealed with more than once under one key in this test, since it was last asked.
pub(crate) fn repeated() -> usize {
    REPEATED.take()
}

/// How many nonces were sealed with in this test, the root key's included.
pub(crate) fn sealed() -> usize {
    SEALED.with_borrow(HashSet::len)
}

#[derive(Clone)]
pub(crate) struct Watched(RawKey);

impl TrafficKey for Watched {
    fn new(aead: Aead, key: &[u8]) -> Result<Self, CryptoError> {
        RawKey::new(aead, key).map(Self)
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        if !SEALED.with_borrow_mut(|sealed| sealed.insert((self.0.as_bytes().into(), *nonce))) {
            REPEATED.with_borrow_mut(|repeated| *repeated += 1);
        }
        self.0.seal(nonce, aad, text)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        self.0.open(nonce, aad, text, tag)
    }
}

impl UnexpandedKey for Watched {
    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
