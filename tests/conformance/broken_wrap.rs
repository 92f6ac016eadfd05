//! Key wrap and recipients with one defect.

use std::cell::Cell;
use std::num::NonZeroU32;

use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::software::TrafficKey;
use dynamic_key::crypto::software::{EphemeralKey, Kek, Prk, RawKey, RecipientKey, SharedSecret, Software};
use dynamic_key::crypto::wrap::WRAPPED_LEN;
use dynamic_key::crypto::{KeyId, KeyWrap, Recipient};
use rand_core::TryCryptoRng;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrapDefect {
    OtherKeyId,
    AgreesOnce,
    RefusesXOfZero,
    ReceivesAnything,
    ReceivesWithAnotherError,
    KdfWithoutInfo,
    KdfOfTheFirstPart,
    KdfOfPartsApart,
    OtherIterations,
    CutPasswords,
    PasswordsSometimes,
    WrapsAnotherKey,
    SameContentKey,
    UnwrapsAnotherKey,
    UnwrapsAnything,
    UnwrapsWithAnotherError,
    OneContentKey,
    KeksStay,
    SealsFewMessages,
    SealsFewPackages,
    OpensFewMessages,
    OpensFewPackages,
    WrapsWithoutGenerator,
}

use WrapDefect as D;

/// The software provider with a defect.
pub(crate) struct BrokenWrap<R> {
    inner: Software<R>,
    defect: WrapDefect,
    /// The content key that was wrapped or unwrapped last.
    last: Option<RawKey>,
    calls: usize,
}

impl<R: TryCryptoRng> BrokenWrap<R> {
    pub(crate) fn new(rng: R, defect: WrapDefect) -> Self {
        Self { inner: Software::new(rng), defect, last: None, calls: 0 }
    }

    /// Any key.
    fn another(&mut self) -> Result<RawKey, CryptoError> {
        RawKey::new(Aead::Aes256Gcm, &[0x33; 32])
    }

    fn after(&mut self, defect: WrapDefect, calls: usize) -> bool {
        self.calls += usize::from(self.defect == defect);
        self.defect == defect && self.calls > calls
    }
}

impl<R: TryCryptoRng> KeyWrap for BrokenWrap<R> {
    type Kek = Kek;

    fn concat_kdf(&mut self, z: SharedSecret, other_info: &[&[u8]]) -> Result<Kek, CryptoError> {
        // All before what is dropped have been used.
        if self.after(D::KeksStay, 60) {
            return Err(CryptoError::Failed);
        }
        match self.defect {
            D::KdfWithoutInfo => self.inner.concat_kdf(z, &[]),
            D::KdfOfTheFirstPart => self.inner.concat_kdf(z, &other_info[..other_info.len().min(1)]),
            D::KdfOfPartsApart => self.inner.concat_kdf(z, &[&other_info.join(&0)]),
            _ => self.inner.concat_kdf(z, other_info),
        }
    }

    fn pbkdf2(&mut self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Result<Kek, CryptoError> {
        if self.after(D::PasswordsSometimes, 3) {
            return Err(CryptoError::Unsupported);
        }
        match self.defect {
            D::OtherIterations => self.inner.pbkdf2(password, salt, iterations.saturating_add(1)),
            D::CutPasswords => self.inner.pbkdf2(&password[..password.len().min(64)], salt, iterations),
            _ => self.inner.pbkdf2(password, salt, iterations),
        }
    }

    fn wrap(&mut self, kek: Kek) -> Result<(RawKey, [u8; WRAPPED_LEN]), CryptoError> {
        let (key, wrapped) = match self.defect {
            D::SameContentKey => Software::new(super::support::Script::new([&[0x44; 32]])).wrap(kek)?,
            D::WrapsWithoutGenerator => {
                let mut random = [0; 32];
                let _ = self.inner.fill(&mut random);
                Software::new(super::support::Script::new([&random])).wrap(kek)?
            }
            _ => self.inner.wrap(kek)?,
        };
        let key = if self.defect == D::WrapsAnotherKey { self.another()? } else { key };
        self.last = Some(key.clone());
        Ok((key, wrapped))
    }

    fn unwrap(&mut self, kek: Kek, wrapped: &[u8; WRAPPED_LEN]) -> Result<RawKey, CryptoError> {
        let key = self.inner.unwrap(kek, wrapped);
        self.last = key.clone().ok();
        match self.defect {
            D::UnwrapsAnotherKey if key.is_ok() => self.another(),
            D::UnwrapsAnything => key.or_else(|_| self.another()),
            D::UnwrapsWithAnotherError => key.map_err(|_| CryptoError::Failed),
            _ => key,
        }
    }
}

impl<R: TryCryptoRng> Provider for BrokenWrap<R> {
    type EphemeralKey = EphemeralKey;
    type SharedSecret = SharedSecret;
    type Prk = Prk;
    type Secret = Secret<HASH_LEN>;
    type TrafficKey = RawKey;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.inner.fill(out)
    }
    fn generate(&mut self, group: Group) -> Result<(EphemeralKey, PublicKey), CryptoError> {
        self.inner.generate(group)
    }
    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        self.inner.validate(peer)
    }
    fn agree(&mut self, key: EphemeralKey, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        self.inner.agree(key, peer)
    }
    fn extract(&mut self, salt: &[u8], z: SharedSecret) -> Result<Prk, CryptoError> {
        self.inner.extract(salt, z)
    }
    fn prk(&mut self, secret: &Secret<HASH_LEN>) -> Result<Prk, CryptoError> {
        self.inner.prk(secret)
    }
    fn expand(&mut self, prk: &Prk, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        self.inner.expand(prk, info)
    }
    fn expand_key(&mut self, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<RawKey, CryptoError> {
        self.inner.expand_key(prk, info, aead)
    }
    fn expand_bytes(&mut self, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.inner.expand_bytes(prk, info, out)
    }
    fn mac(&mut self, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        self.inner.mac(key, message)
    }

    fn seal(
        &mut self,
        key: &RawKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        let key = match (self.defect, &self.last) {
            (D::OneContentKey, Some(last)) => last,
            _ => key,
        };
        let mut tag = self.inner.seal(key, nonce, aad, text)?;
        // Only those of messages are long; those of packages are longer.
        let broken = match self.defect {
            D::SealsFewMessages => text.len() == 256,
            D::SealsFewPackages => text.len() > 256 && text.len() != 1024,
            _ => false,
        };
        tag[0] ^= u8::from(broken);
        Ok(tag)
    }

    fn open(
        &mut self,
        key: &RawKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        match self.defect {
            D::OpensFewMessages if text.len() == 256 => return Err(CryptoError::Authentication),
            D::OpensFewPackages if text.len() > 256 && text.len() != 1024 => {
                return Err(CryptoError::Authentication);
            }
            _ => {}
        }
        self.inner.open(key, nonce, aad, text, tag)
    }
}

/// A recipient with a defect.
pub(crate) struct BrokenRecipient(pub(crate) RecipientKey, pub(crate) WrapDefect, pub(crate) Cell<usize>);

impl Recipient for BrokenRecipient {
    type SharedSecret = SharedSecret;

    fn kid(&self) -> KeyId {
        match self.1 {
            D::OtherKeyId => KeyId::of_point(&[4; 65]),
            _ => self.0.kid(),
        }
    }

    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        self.2.set(self.2.get() + 1);
        let z = self.0.agree(peer);
        match self.1 {
            D::AgreesOnce if self.2.get() > 1 => Err(CryptoError::Failed),
            D::RefusesXOfZero if peer.as_bytes()[1..33] == [0; 32] => Err(CryptoError::InvalidPublicKey),
            D::ReceivesAnything => z.or(Ok(Secret::new([1; 32]).into())),
            D::ReceivesWithAnotherError => z.map_err(|_| CryptoError::Failed),
            _ => z,
        }
    }
}
