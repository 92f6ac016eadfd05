//! The keys of signatures: HS256 in memory, ES256 behind [`Signer`] and [`Verifier`].

use super::JoseError;
use crate::crypto::provider::{CryptoError, HASH_LEN};
use crate::crypto::signature::SIGNATURE_LEN;
use crate::crypto::{KeyId, Signer, Verifier};
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// An algorithm of signatures (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
}

impl Algorithm {
    /// The value of `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Es256 => "ES256",
        }
    }

    /// The length of a signature in bytes.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        match self {
            Self::Hs256 => HASH_LEN,
            Self::Es256 => SIGNATURE_LEN,
        }
    }
}

/// A key for HS256 (RFC 7518 §3.2) of 32 bytes or more: erased on drop, never printed.
#[derive(Clone, Debug)]
pub struct Hs256Key(
    /// As HMAC takes it: with zeros up to a block of SHA-256 (RFC 2104 §2).
    Secret<BLOCK>,
);

/// The length of a block of SHA-256 in bytes.
const BLOCK: usize = 64;

format_as! { [] Hs256Key, _ => "…" }

impl Hs256Key {
    /// The least length of a secret in bytes.
    pub const MIN_SECRET: usize = 32;

    /// Derives the key from a secret of at least 32 bytes: HKDF-SHA256(secret, no salt, `info`, 32).
    ///
    /// # Errors
    /// [`JoseError::WeakKey`] for a shorter secret.
    ///
    /// # Security
    /// Length is not entropy: 32 random bytes are a secret, a sentence is not.
    pub fn derive(secret: &[u8], info: &[u8]) -> Result<Self, JoseError> {
        if secret.len() < Self::MIN_SECRET {
            return Err(JoseError::WeakKey);
        }
        let mut key = Secret::<32>::zero();
        Hkdf::<Sha256>::new(None, secret)
            .expand(info, key.as_mut_bytes())
            .map_err(|_| CryptoError::Failed)?;
        Ok(Self::from_bytes(key))
    }

    /// Takes over a key of 32 random bytes.
    #[must_use]
    pub fn from_bytes(key: Secret<32>) -> Self {
        let mut block = Secret::zero();
        block.as_mut_bytes().iter_mut().zip(key.as_bytes()).for_each(|(to, from)| *to = *from);
        Self(block)
    }

    /// Takes a secret of at least 32 bytes as it is, as other implementations do: that of an API key. One that is longer than
    /// 64 bytes is hashed first, which is HMAC's own rule (RFC 2104 §2).
    ///
    /// # Errors
    /// [`JoseError::WeakKey`] for a shorter secret.
    ///
    /// # Security
    /// As [`Hs256Key::derive`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, JoseError> {
        if secret.len() < Self::MIN_SECRET {
            return Err(JoseError::WeakKey);
        }
        if secret.len() > BLOCK {
            return Ok(Self::from_bytes(Secret::new(Sha256::digest(secret).into())));
        }
        let mut block = Secret::zero();
        block.as_mut_bytes().iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        Ok(Self(block))
    }

    fn hmac(&self, message: &[u8]) -> Result<Hmac<Sha256>, CryptoError> {
        let mut hmac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.as_bytes()).map_err(|_| CryptoError::Failed)?;
        hmac.update(message);
        Ok(hmac)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; HASH_LEN], CryptoError> {
        Ok(self.hmac(message)?.finalize().into_bytes().into())
    }

    /// Compares in constant time.
    pub(super) fn verify(&self, message: &[u8], mac: &[u8; HASH_LEN]) -> Result<(), CryptoError> {
        self.hmac(message)?.verify_slice(mac).map_err(|_| CryptoError::Authentication)
    }
}

/// What signs, and so with which algorithm.
pub enum SigningKey<'k> {
    /// HS256 with this key.
    Hs256(&'k Hs256Key),
    /// ES256 by this identity. Slow; see [`Unsigned`](super::Unsigned) for signing between two steps.
    Es256(&'k mut dyn Signer),
}

impl SigningKey<'_> {
    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::Hs256,
            Self::Es256(_) => Algorithm::Es256,
        }
    }
}

impl fmt::Debug for SigningKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm().name())
    }
}

format_as! { [] SigningKey<'_>, key => "SigningKey({})", key.algorithm() }

/// What a signature must be by, and so with which algorithm.
pub enum VerifyingKey<'k> {
    /// HS256 with this key.
    Hs256(&'k Hs256Key),
    /// ES256 by the identity with this id, whatever `kid` the header has. Slow; see
    /// [`Unverified`](super::jwt::Unverified) for verifying between two steps.
    Es256(&'k mut dyn Verifier, &'k KeyId),
}

impl VerifyingKey<'_> {
    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::Hs256,
            Self::Es256(..) => Algorithm::Es256,
        }
    }
}

impl fmt::Debug for VerifyingKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.algorithm().name())
    }
}

format_as! { [] VerifyingKey<'_>, key => "VerifyingKey({})", key.algorithm() }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::base64;
    use std::format;

    /// RFC 7520 §4.4, the octet key of figure 5 and the JWS of figure 36.
    #[test]
    fn rfc_7520_hs256() {
        let mut key = Secret::zero();
        base64::url_decode(b"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg", key.as_mut_bytes()).unwrap();
        let key = Hs256Key::from_bytes(key);
        let input = b"eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.\
            SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUg\
            cm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0\
            IGJlIHN3ZXB0IG9mZiB0by4";
        let mut mac = [0; 32];
        base64::url_decode(b"s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0", &mut mac).unwrap();
        assert_eq!(key.sign(input), Ok(mac));
        assert_eq!(key.verify(input, &mac), Ok(()));
        for bit in 0..256 {
            let mut wrong = mac;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.verify(input, &wrong), Err(CryptoError::Authentication));
        }
    }

    #[test]
    fn a_short_secret_is_no_key() {
        for length in 0..32 {
            assert_eq!(Hs256Key::derive(&[7; 32][..length], b"").unwrap_err(), JoseError::WeakKey);
        }
        let key = |secret: &[u8], info: &[u8]| *Hs256Key::derive(secret, info).unwrap().0.as_bytes();
        assert_ne!(key(&[7; 32], b""), key(&[7; 33], b""));
        assert_ne!(key(&[7; 32], b"a"), key(&[7; 32], b"b"));
    }

    /// RFC 7515 A.1, whose key has 64 bytes; RFC 4231 §4.7, whose key has 131.
    #[test]
    fn secrets_as_they_are() {
        let mut secret = [0; 64];
        base64::url_decode(
            b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
            &mut secret,
        )
        .unwrap();
        let input = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let mut mac = [0; 32];
        base64::url_decode(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", &mut mac).unwrap();
        assert_eq!(Hs256Key::from_secret(&secret).unwrap().verify(input, &mac), Ok(()));
        let long = Hs256Key::from_secret(&[0xaa; 131]).unwrap();
        let mac = long.sign(b"Test Using Larger Than Block-Size Key - Hash Key First").unwrap();
        assert_eq!(mac[..8], [0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f]);
        let short = Hs256Key::from_bytes(Secret::new([7; 32])).sign(b"").unwrap();
        assert_eq!(Hs256Key::from_secret(&[7; 32]).unwrap().sign(b""), Ok(short));
        assert_eq!(Hs256Key::from_secret(&[7; 31]).unwrap_err(), JoseError::WeakKey);
    }

    #[test]
    fn keys_print_nothing() {
        let key = Hs256Key::from_bytes(Secret::new([0x5a; 32]));
        assert_eq!(format!("{key:?}"), "Hs256Key(…)");
        assert_eq!(format!("{:?}", SigningKey::Hs256(&key)), "SigningKey(HS256)");
        assert_eq!(format!("{:?}", VerifyingKey::Hs256(&key)), "VerifyingKey(HS256)");
    }
}
