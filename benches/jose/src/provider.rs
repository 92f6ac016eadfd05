//! A provider whose P-256 is OpenSSL's, which is josekit's, too: what is compared is then what is built on it.

use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::software::{Kek, Prk, RawKey, SharedSecret, Software};
use dynamic_key::crypto::{Aead, CryptoError, KeyId, KeyWrap, Provider, Recipient};
use dynamic_key_benches::peers::Rng;
use openssl::bn::BigNumContext;
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use std::num::NonZeroU32;

/// A key of OpenSSL's.
pub(crate) struct Key {
    key: PKey<Private>,
    pub(crate) point: [u8; 65],
}

impl Key {
    pub(crate) fn generate(group: &EcGroup) -> Result<Self, ErrorStack> {
        let key = EcKey::generate(group)?;
        let mut context = BigNumContext::new()?;
        let point = key.public_key().to_bytes(group, PointConversionForm::UNCOMPRESSED, &mut context)?;
        Ok(Self { key: PKey::from_ec_key(key)?, point: point.try_into().unwrap() })
    }

    /// Checks that `peer` is on the curve, and agrees.
    pub(crate) fn agree(&self, group: &EcGroup, peer: &[u8; 65]) -> Result<Secret<32>, ErrorStack> {
        let mut context = BigNumContext::new()?;
        let peer = EcPoint::from_bytes(group, peer, &mut context)?;
        let peer = EcKey::from_public_key(group, &peer)?;
        let peer = PKey::from_ec_key(peer)?;
        let mut z = Secret::zero();
        let mut deriver = Deriver::new(&self.key)?;
        deriver.set_peer(&peer)?;
        deriver.derive(z.as_mut_bytes())?;
        Ok(z)
    }

    pub(crate) fn scalar(&self) -> Vec<u8> {
        self.key.ec_key().unwrap().private_key().to_vec_padded(32).unwrap()
    }
}

pub(crate) fn p256() -> EcGroup {
    EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()
}

/// Agreement by OpenSSL, everything else by the software provider.
pub(crate) struct Fast {
    pub(crate) group: EcGroup,
    pub(crate) software: Software<Rng>,
}

fn failed(_: ErrorStack) -> CryptoError {
    CryptoError::Failed
}

fn point(key: &PublicKey) -> Result<&[u8; 65], CryptoError> {
    key.as_bytes().try_into().map_err(|_| CryptoError::InvalidPublicKey)
}

impl Provider for Fast {
    type EphemeralKey = Key;
    type SharedSecret = SharedSecret;
    type Prk = Prk;
    type Secret = Secret<32>;
    type TrafficKey = RawKey;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.software.fill(out)
    }
    fn generate(&mut self, _: Group) -> Result<(Key, PublicKey), CryptoError> {
        let key = Key::generate(&self.group).map_err(failed)?;
        let public = PublicKey::p256(key.point).map_err(|_| CryptoError::Failed)?;
        Ok((key, public))
    }
    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        self.software.validate(peer)
    }
    fn agree(&mut self, key: Key, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        let z = key.agree(&self.group, point(peer)?).map_err(|_| CryptoError::InvalidPublicKey)?;
        Ok(z.into())
    }
    fn extract(&mut self, salt: &[u8], z: SharedSecret) -> Result<Prk, CryptoError> {
        self.software.extract(salt, z)
    }
    fn prk(&mut self, secret: &Secret<32>) -> Result<Prk, CryptoError> {
        self.software.prk(secret)
    }
    fn expand(&mut self, prk: &Prk, info: &[&[u8]]) -> Result<Secret<32>, CryptoError> {
        self.software.expand(prk, info)
    }
    fn expand_key(&mut self, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<RawKey, CryptoError> {
        self.software.expand_key(prk, info, aead)
    }
    fn expand_bytes(&mut self, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.software.expand_bytes(prk, info, out)
    }
    fn mac(&mut self, key: &Secret<32>, message: &[&[u8]]) -> Result<[u8; 32], CryptoError> {
        self.software.mac(key, message)
    }
    fn seal(
        &mut self,
        key: &RawKey,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; 16], CryptoError> {
        self.software.seal(key, nonce, aad, text)
    }
    fn open(
        &mut self,
        key: &RawKey,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), CryptoError> {
        self.software.open(key, nonce, aad, text, tag)
    }
}

impl KeyWrap for Fast {
    type Kek = Kek;

    fn concat_kdf(&mut self, z: SharedSecret, other_info: &[&[u8]]) -> Result<Kek, CryptoError> {
        self.software.concat_kdf(z, other_info)
    }
    fn pbkdf2(&mut self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Result<Kek, CryptoError> {
        self.software.pbkdf2(password, salt, iterations)
    }
    fn wrap(&mut self, kek: Kek) -> Result<(RawKey, [u8; 40]), CryptoError> {
        self.software.wrap(kek)
    }
    fn unwrap(&mut self, kek: Kek, wrapped: &[u8; 40]) -> Result<RawKey, CryptoError> {
        self.software.unwrap(kek, wrapped)
    }
}

/// The recipient's key, by OpenSSL as well.
pub(crate) struct FastRecipient {
    pub(crate) group: EcGroup,
    pub(crate) key: Key,
}

impl Recipient for FastRecipient {
    type SharedSecret = SharedSecret;

    fn kid(&self) -> KeyId {
        KeyId::of_point(&self.key.point)
    }
    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        let z = self.key.agree(&self.group, point(peer)?).map_err(|_| CryptoError::InvalidPublicKey)?;
        Ok(z.into())
    }
}
