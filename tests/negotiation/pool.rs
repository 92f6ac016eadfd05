//! A provider with few keys, all real: what was generated and agreed once is remembered, so that thousands of handshakes cost
//! hashes only.

use crate::support::{Seeded, Soft};
use dynamic_key::Secret;
use dynamic_key::codec::base64;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::software::{Prk, RawKey, Software};
use std::cell::RefCell;
use std::collections::HashMap;

type Agreed = Result<Vec<u8>, CryptoError>;
/// Group, own number, the peer's public value.
type Agreement = (Group, u64, Vec<u8>);

thread_local! {
    static PUBLIC: RefCell<HashMap<(Group, u64), PublicKey>> = RefCell::default();
    static AGREED: RefCell<HashMap<Agreement, Agreed>> = RefCell::default();
}

/// Each of its keys has a number.
pub(crate) struct Pool {
    software: Soft,
    next: u64,
}

impl Pool {
    /// Its keys are numbered from `first`.
    pub(crate) fn new(first: u64) -> Self {
        Self { software: Software::new(Seeded(first)), next: first }
    }
}

/// The public half of a numbered key.
pub(crate) fn public_key(group: Group, number: u64) -> Result<PublicKey, CryptoError> {
    if let Some(known) = PUBLIC.with_borrow(|known| known.get(&(group, number)).copied()) {
        return Ok(known);
    }
    let (_, public) = Software::new(Seeded(number)).generate(group)?;
    PUBLIC.with_borrow_mut(|known| known.insert((group, number), public));
    Ok(public)
}

/// The same as a message has it.
pub(crate) fn key_text(group: Group, number: u64) -> String {
    let mut der = [0; Group::MAX_OWN_SPKI_LEN];
    let der = public_key(group, number).unwrap().write_spki(&mut der).unwrap().to_vec();
    let mut text = vec![0; base64::encoded_len(der.len())];
    base64::encode(&der, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

impl Provider for Pool {
    type EphemeralKey = (Group, u64);
    type SharedSecret = Vec<u8>;
    type Prk = Prk;
    type Secret = Secret<HASH_LEN>;
    type TrafficKey = RawKey;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.software.fill(out)
    }

    fn generate(&mut self, group: Group) -> Result<(Self::EphemeralKey, PublicKey), CryptoError> {
        let number = self.next;
        self.next += 1;
        Ok(((group, number), public_key(group, number)?))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        self.software.validate(peer)
    }

    fn agree(&mut self, (group, number): Self::EphemeralKey, peer: &PublicKey) -> Agreed {
        let place = (group, number, peer.as_bytes().to_vec());
        if let Some(known) = AGREED.with_borrow(|known| known.get(&place).cloned()) {
            return known;
        }
        let mut software = Software::new(Seeded(number));
        let (key, _) = software.generate(group)?;
        let agreed = software.agree(key, peer).map(|z| z.as_bytes().to_vec());
        AGREED.with_borrow_mut(|known| known.insert(place, agreed.clone()));
        agreed
    }

    /// HMAC(salt, Z), RFC 5869 §2.2, for a salt of 32 bytes at most: HMAC itself fills a short key with zeros.
    fn extract(&mut self, salt: &[u8], z: Vec<u8>) -> Result<Prk, CryptoError> {
        let mut key = Secret::zero();
        key.as_mut_bytes()[..salt.len()].copy_from_slice(salt);
        let prk = self.software.mac(&key, &[&z])?;
        self.software.prk(&Secret::new(prk))
    }

    fn prk(&mut self, secret: &Self::Secret) -> Result<Prk, CryptoError> {
        self.software.prk(secret)
    }

    fn expand(&mut self, prk: &Prk, info: &[&[u8]]) -> Result<Self::Secret, CryptoError> {
        self.software.expand(prk, info)
    }

    fn expand_key(&mut self, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<RawKey, CryptoError> {
        self.software.expand_key(prk, info, aead)
    }

    fn expand_bytes(&mut self, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.software.expand_bytes(prk, info, out)
    }

    fn mac(&mut self, key: &Self::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        self.software.mac(key, message)
    }

    fn seal(
        &mut self,
        key: &RawKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        self.software.seal(key, nonce, aad, text)
    }

    fn open(
        &mut self,
        key: &RawKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        self.software.open(key, nonce, aad, text, tag)
    }
}
