//! A provider whose P-256 is that of AWS-LC, everything else of which is the software provider's.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::error::Unspecified;
use dynamic_key::Secret;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::software::{Kek, Prk, RawKey, SharedSecret, Software};
use dynamic_key::crypto::{Aead, CryptoError, KeyId, KeyWrap, Provider, Recipient};
use dynamic_key_benches::peers::Rng;
use std::num::NonZeroU32;

/// A key of AWS-LC's, drawn with its own generator: ephemeral where it is consumed, a recipient's where it is kept.
pub(crate) struct Key(PrivateKey);

impl Key {
    pub(crate) fn generate() -> Result<(Self, [u8; 65]), Unspecified> {
        let key = PrivateKey::generate(&ECDH_P256)?;
        let point = key.compute_public_key()?.as_ref().try_into().map_err(|_| Unspecified)?;
        Ok((Self(key), point))
    }

    /// Checks that `peer` is on the curve, and agrees.
    pub(crate) fn agree(&self, peer: &[u8; 65]) -> Result<Secret<32>, Unspecified> {
        let peer = UnparsedPublicKey::new(&ECDH_P256, peer);
        agree(&self.0, peer, Unspecified, |z| z.try_into().map(Secret::new).map_err(|_| Unspecified))
    }
}

fn agreed(key: &Key, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
    let peer = peer.as_bytes().try_into().map_err(|_| CryptoError::InvalidPublicKey)?;
    Ok(key.agree(peer).map_err(|_| CryptoError::InvalidPublicKey)?.into())
}

/// Key generation and agreement by AWS-LC.
pub(crate) struct Fast(pub(crate) Software<Rng>);

impl Provider for Fast {
    type EphemeralKey = Key;
    type SharedSecret = SharedSecret;
    type Prk = Prk;
    type Secret = Secret<32>;
    type TrafficKey = RawKey;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.0.fill(out)
    }
    fn generate(&mut self, group: Group) -> Result<(Key, PublicKey), CryptoError> {
        if group != Group::P256 {
            return Err(CryptoError::Unsupported);
        }
        let (key, point) = Key::generate().map_err(|_| CryptoError::Failed)?;
        Ok((key, PublicKey::p256(point).map_err(|_| CryptoError::Failed)?))
    }
    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        self.0.validate(peer)
    }
    fn agree(&mut self, key: Key, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        agreed(&key, peer)
    }
    fn extract(&mut self, salt: &[u8], z: SharedSecret) -> Result<Prk, CryptoError> {
        self.0.extract(salt, z)
    }
    fn prk(&mut self, secret: &Secret<32>) -> Result<Prk, CryptoError> {
        self.0.prk(secret)
    }
    fn expand(&mut self, prk: &Prk, info: &[&[u8]]) -> Result<Secret<32>, CryptoError> {
        self.0.expand(prk, info)
    }
    fn expand_key(&mut self, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<RawKey, CryptoError> {
        self.0.expand_key(prk, info, aead)
    }
    fn expand_bytes(&mut self, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        self.0.expand_bytes(prk, info, out)
    }
    fn mac(&mut self, key: &Secret<32>, message: &[&[u8]]) -> Result<[u8; 32], CryptoError> {
        self.0.mac(key, message)
    }
    fn seal(
        &mut self,
        key: &RawKey,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; 16], CryptoError> {
        self.0.seal(key, nonce, aad, text)
    }
    fn open(
        &mut self,
        key: &RawKey,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), CryptoError> {
        self.0.open(key, nonce, aad, text, tag)
    }
}

impl KeyWrap for Fast {
    type Kek = Kek;

    fn concat_kdf(&mut self, z: SharedSecret, other_info: &[&[u8]]) -> Result<Kek, CryptoError> {
        self.0.concat_kdf(z, other_info)
    }
    fn pbkdf2(&mut self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Result<Kek, CryptoError> {
        self.0.pbkdf2(password, salt, iterations)
    }
    fn wrap(&mut self, kek: Kek) -> Result<(RawKey, [u8; 40]), CryptoError> {
        self.0.wrap(kek)
    }
    fn unwrap(&mut self, kek: Kek, wrapped: &[u8; 40]) -> Result<RawKey, CryptoError> {
        self.0.unwrap(kek, wrapped)
    }
}

/// The recipient's key, AWS-LC's as well.
pub(crate) struct FastRecipient {
    pub(crate) key: Key,
    pub(crate) point: [u8; 65],
    kid: KeyId,
}

impl FastRecipient {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        let (key, point) = Key::generate()?;
        Ok(Self { key, point, kid: KeyId::of_point(&point) })
    }
}

impl Recipient for FastRecipient {
    type SharedSecret = SharedSecret;

    fn kid(&self) -> KeyId {
        self.kid
    }
    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        agreed(&self.key, peer)
    }
}
