//! The provider of the targets: real cryptography, made fast and observed.
//!
//! Ephemeral keys come from a small pool and what was agreed with a point is remembered, so that after the first runs no
//! curve operation is left but the check that a point is on the curve. HKDF, HMAC and AES-GCM are the software provider's.
//! A run panics when a nonce is sealed twice under one key, and when something is opened that was not sealed. Any call can
//! be made to fail.

use crate::seeded::Seeded;
use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, TAG_LEN};
use dynamic_key::crypto::software::{Prk, RawKey, SharedSecret, Software, TrafficKey};
use dynamic_key::crypto::storable::{STORED_KEY_LEN, StorableKeys};
use p256::elliptic_curve::sec1::ToSec1Point;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// A private key: the number of times that the generator is taken.
pub type Scalar = u8;

/// The provider.
#[derive(Debug)]
pub struct Provider {
    software: Software<Seeded>,
    /// The private keys that are generated next, one after the other and round again.
    keys: VecDeque<Scalar>,
    /// What [`fill`](dynamic_key::crypto::Provider::fill) gives first.
    pub random: VecDeque<Vec<u8>>,
    /// How many calls succeed before one fails; `None` lets all succeed.
    pub fails_after: Option<u8>,
    /// Whether strangers seal, too: then opening proves nothing.
    pub strangers: bool,
    /// Whether one has failed.
    pub has_failed: bool,
    sealed: Sealed,
}

/// Tag and associated data of everything that was sealed, by key and nonce; `None` if sealing failed half-way.
type Sealed = Rc<RefCell<BTreeMap<([u8; 32], [u8; NONCE_LEN]), Option<([u8; TAG_LEN], Vec<u8>)>>>>;

/// An AEAD key as its bytes, the shorter ones followed by zeros.
#[derive(Clone, Debug)]
pub struct Key {
    pub aead: Aead,
    pub bytes: [u8; 32],
}

impl Key {
    fn raw(&self) -> Result<RawKey, CryptoError> {
        RawKey::new(self.aead, &self.bytes[..self.aead.key_len()])
    }
}

impl Provider {
    pub fn new(seed: u64) -> Self {
        Self::with_keys(seed, &[3, 5, 7, 11])
    }

    /// A provider that generates these keys.
    pub fn with_keys(seed: u64, keys: &[Scalar]) -> Self {
        Self {
            software: Software::new(Seeded(seed)),
            keys: keys.iter().copied().collect(),
            random: VecDeque::new(),
            fails_after: None,
            strangers: false,
            has_failed: false,
            sealed: Sealed::default(),
        }
    }

    /// The provider of another end: what one seals the other opens.
    pub fn peer(&self, seed: u64) -> Self {
        Self { sealed: self.sealed.clone(), ..Self::new(seed) }
    }

    fn may_fail(&mut self, error: CryptoError) -> Result<(), CryptoError> {
        match self.fails_after {
            Some(0) => {
                self.fails_after = None;
                self.has_failed = true;
                Err(error)
            }
            Some(left) => {
                self.fails_after = Some(left - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// The public key of a private one.
pub fn public_key(private: Scalar) -> PublicKey {
    thread_local!(static KEYS: RefCell<BTreeMap<Scalar, PublicKey>> = RefCell::default());
    KEYS.with_borrow_mut(|keys| {
        *keys.entry(private).or_insert_with(|| {
            let point = secret_key(private).public_key().to_sec1_point(false);
            PublicKey::p256(point.as_bytes().try_into().unwrap()).unwrap()
        })
    })
}

/// Z, or `None` for a point that is not on the curve.
pub fn agree(private: Scalar, peer: &PublicKey) -> Option<[u8; 32]> {
    type Agreed = BTreeMap<(Scalar, Vec<u8>), [u8; 32]>;
    thread_local!(static AGREED: RefCell<Agreed> = RefCell::default());
    let point = p256::PublicKey::from_sec1_bytes(peer.as_bytes()).ok()?;
    let agree = || {
        let z = p256::ecdh::diffie_hellman(secret_key(private).to_nonzero_scalar(), point.as_affine());
        z.raw_secret_bytes().as_slice().try_into().unwrap()
    };
    AGREED.with_borrow_mut(|agreed| {
        if agreed.len() > 4096 {
            agreed.clear();
        }
        Some(*agreed.entry((private, peer.as_bytes().into())).or_insert_with(agree))
    })
}

fn secret_key(private: Scalar) -> p256::SecretKey {
    let mut scalar = [0; 32];
    scalar[31] = private;
    p256::SecretKey::from_slice(&scalar).unwrap()
}

impl dynamic_key::crypto::Provider for Provider {
    type EphemeralKey = Scalar;
    type SharedSecret = SharedSecret;
    type Prk = Prk;
    type Secret = Secret<HASH_LEN>;
    type TrafficKey = Key;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.may_fail(CryptoError::Random)?;
        match self.random.pop_front() {
            Some(random) => out.copy_from_slice(&random),
            None => self.software.fill(out)?,
        }
        Ok(())
    }

    fn generate(&mut self, group: Group) -> Result<(Scalar, PublicKey), CryptoError> {
        self.may_fail(CryptoError::Random)?;
        if group != Group::P256 {
            return Err(CryptoError::Unsupported);
        }
        self.keys.rotate_left(1);
        let private = *self.keys.back().ok_or(CryptoError::Random)?;
        Ok((private, public_key(private)))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        self.software.validate(peer)
    }

    fn agree(&mut self, key: Scalar, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        agree(key, peer).map(|z| Secret::new(z).into()).ok_or(CryptoError::InvalidPublicKey)
    }

    fn extract(&mut self, salt: &[u8], z: SharedSecret) -> Result<Prk, CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        self.software.extract(salt, z)
    }

    fn prk(&mut self, secret: &Secret<HASH_LEN>) -> Result<Prk, CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        self.software.prk(secret)
    }

    fn expand(&mut self, prk: &Prk, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        self.software.expand(prk, info)
    }

    fn expand_key(&mut self, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<Key, CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        let mut bytes = [0; 32];
        self.software.expand_bytes(prk, info, &mut bytes[..aead.key_len()])?;
        Ok(Key { aead, bytes })
    }

    fn expand_bytes(&mut self, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        self.software.expand_bytes(prk, info, out)
    }

    fn mac(&mut self, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        self.software.mac(key, message)
    }

    fn seal(
        &mut self,
        key: &Key,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        let place = (key.bytes, *nonce);
        // A call that fails may have sealed all the same.
        assert_eq!(
            self.sealed.borrow_mut().insert(place, None),
            None,
            "a nonce is sealed twice under one key"
        );
        self.may_fail(CryptoError::Failed)?;
        let tag = key.raw()?.seal(nonce, aad, text)?;
        self.sealed.borrow_mut().insert(place, Some((tag, aad.into())));
        Ok(tag)
    }

    fn open(
        &mut self,
        key: &Key,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        key.raw()?.open(nonce, aad, text, tag)?;
        let sealed = self.sealed.borrow().get(&(key.bytes, *nonce)).cloned().flatten();
        assert!(
            self.strangers || sealed == Some((*tag, aad.into())),
            "something is opened that was not sealed"
        );
        Ok(())
    }
}

impl StorableKeys for Provider {
    fn store_key(&mut self, key: &Key, out: &mut [u8; STORED_KEY_LEN]) -> Result<usize, CryptoError> {
        self.may_fail(CryptoError::Unsupported)?;
        let length = key.aead.key_len();
        out[..length].copy_from_slice(&key.bytes[..length]);
        Ok(length)
    }

    fn restore_key(&mut self, aead: Aead, stored: &[u8]) -> Result<Key, CryptoError> {
        self.may_fail(CryptoError::Failed)?;
        if stored.len() != aead.key_len() {
            return Err(CryptoError::Failed);
        }
        let mut bytes = [0; 32];
        bytes[..stored.len()].copy_from_slice(stored);
        Ok(Key { aead, bytes })
    }
}
