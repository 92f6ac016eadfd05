//! Where keys are derived: in the token, or, where its owner says so, here.

use crate::error::Mechanism;
use crate::object::{self, Handle, derive};
use crate::token::{Token, TokenRng};
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::hkdf::{HkdfParams, HkdfSalt};
use cryptoki::mechanism::{Mechanism as Call, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use dynamic_key::Secret;
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, Provider};
use dynamic_key::crypto::software::{Prk, SharedSecret, Software};
use zeroize::Zeroizing;

/// What HKDF-Expand gives at the most (RFC 5869 §2.3).
const LIMIT: usize = 255 * HASH_LEN;

/// HKDF-SHA256 and HMAC-SHA256 in the token: Z and what is derived from it are session objects that cannot be read. It needs
/// `CKM_HKDF_DERIVE` and `CKM_SHA256_HMAC`.
#[derive(Clone, Copy, Debug)]
pub struct InToken(());

/// HKDF-SHA256 and HMAC-SHA256 in this process, for tokens without `CKM_HKDF_DERIVE`: see
/// [`Hsm::with_host_kdf`](crate::Hsm::with_host_kdf).
#[derive(Clone, Copy, Debug)]
pub struct HostKdf(());

/// Where keys are derived: [`InToken`] or [`HostKdf`], and nowhere else.
pub trait Derivation: Steps {}

impl Derivation for InToken {}
impl Derivation for HostKdf {}

/// The steps, which are [`Provider`]'s.
pub trait Steps {
    type SharedSecret;
    type Prk;
    type Secret;

    /// What the token must list for them.
    const NEEDS: &'static [Mechanism];

    fn agree(token: &Token, key: ObjectHandle, point: &[u8]) -> Result<Self::SharedSecret, CryptoError>;
    fn extract(token: &Token, salt: &[u8], z: Self::SharedSecret) -> Result<Self::Prk, CryptoError>;
    fn prk(token: &Token, secret: &Self::Secret) -> Result<Self::Prk, CryptoError>;
    fn expand(token: &Token, prk: &Self::Prk, info: &[&[u8]]) -> Result<Self::Secret, CryptoError>;
    fn expand_key(token: &Token, prk: &Self::Prk, info: &[&[u8]], aead: Aead) -> Result<Handle, CryptoError>;
    fn expand_bytes(
        token: &Token,
        prk: &Self::Prk,
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), CryptoError>;
    fn mac(token: &Token, key: &Self::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError>;
}

/// Z (§1) as a session object: `CKM_ECDH1_DERIVE` with `CKD_NULL`.
fn agree(
    token: &Token,
    key: ObjectHandle,
    point: &[u8],
    attributes: &[Attribute],
) -> Result<Handle, CryptoError> {
    let mechanism = Call::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), point));
    derive(token, key, &mechanism, attributes)
}

impl Steps for InToken {
    type SharedSecret = Handle;
    type Prk = Handle;
    type Secret = Handle;

    const NEEDS: &'static [Mechanism] = &[Mechanism::HkdfDerive, Mechanism::Sha256Hmac];

    fn agree(token: &Token, key: ObjectHandle, point: &[u8]) -> Result<Handle, CryptoError> {
        let attributes = object::secret(KeyType::GENERIC_SECRET, 32, &[Attribute::Derive(true)]);
        agree(token, key, point, &attributes)
    }

    fn extract(_: &Token, salt: &[u8], z: Handle) -> Result<Handle, CryptoError> {
        let salt = if salt.is_empty() { HkdfSalt::Null } else { HkdfSalt::Data(salt) };
        let attributes = object::secret(KeyType::GENERIC_SECRET, 32, &[Attribute::Derive(true)]);
        z.derive(&Call::HkdfDerive(HkdfParams::new(MechanismType::SHA256, Some(salt), None)), &attributes)
    }

    fn prk(_: &Token, secret: &Handle) -> Result<Handle, CryptoError> {
        Ok(secret.clone())
    }

    fn expand(_: &Token, prk: &Handle, info: &[&[u8]]) -> Result<Handle, CryptoError> {
        let uses = [Attribute::Derive(true), Attribute::Sign(true)];
        expand(prk, info, &object::secret(KeyType::GENERIC_SECRET, 32, &uses))
    }

    fn expand_key(_: &Token, prk: &Handle, info: &[&[u8]], aead: Aead) -> Result<Handle, CryptoError> {
        expand(prk, info, &object::secret(KeyType::AES, key_len(aead), &TRAFFIC))
    }

    fn expand_bytes(token: &Token, prk: &Handle, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        if out.is_empty() {
            return Ok(());
        }
        let length = u16::try_from(out.len()).ok().filter(|_| out.len() <= LIMIT);
        let length = length.ok_or(CryptoError::Failed)?;
        let info = info.concat();
        let params = HkdfParams::new(MechanismType::SHA256, None, Some(&info));
        let bytes = if token.has(Mechanism::HkdfData) {
            let attributes = [
                Attribute::Class(ObjectClass::DATA),
                Attribute::Token(false),
                Attribute::ValueLen(u64::from(length).into()),
            ];
            prk.derive(&Call::HkdfData(params), &attributes)?.value()?
        } else {
            prk.derive(&Call::HkdfDerive(params), &object::readable(length))?.value()?
        };
        if bytes.len() != out.len() {
            return Err(CryptoError::Failed);
        }
        out.copy_from_slice(&bytes);
        Ok(())
    }

    fn mac(_: &Token, key: &Handle, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        let message = message.concat();
        let mac = key.token().with(|session| session.sign(&Call::Sha256Hmac, key.object(), &message))?;
        mac.try_into().map_err(|_| CryptoError::Failed)
    }
}

fn expand(prk: &Handle, info: &[&[u8]], attributes: &[Attribute]) -> Result<Handle, CryptoError> {
    let info = info.concat();
    let params = HkdfParams::new(MechanismType::SHA256, None, Some(&info));
    prk.derive(&Call::HkdfDerive(params), attributes)
}

const TRAFFIC: [Attribute; 2] = [Attribute::Encrypt(true), Attribute::Decrypt(true)];

const fn key_len(aead: Aead) -> u16 {
    match aead {
        Aead::Aes128Gcm => 16,
        Aead::Aes256Gcm => 32,
    }
}

/// The software provider, whose HKDF and HMAC it is.
fn software(token: &Token) -> Software<TokenRng> {
    Software::new(TokenRng(token.clone()))
}

impl Steps for HostKdf {
    type SharedSecret = SharedSecret;
    type Prk = Prk;
    type Secret = Secret<HASH_LEN>;

    const NEEDS: &'static [Mechanism] = &[];

    fn agree(token: &Token, key: ObjectHandle, point: &[u8]) -> Result<SharedSecret, CryptoError> {
        // The object is destroyed as soon as it has been read.
        let read = agree(token, key, point, &object::readable(32))?.value()?;
        let mut z = Secret::<32>::zero();
        if read.len() != z.as_bytes().len() {
            return Err(CryptoError::Failed);
        }
        z.as_mut_bytes().copy_from_slice(&read);
        Ok(z.into())
    }

    fn extract(token: &Token, salt: &[u8], z: SharedSecret) -> Result<Prk, CryptoError> {
        software(token).extract(salt, z)
    }

    fn prk(token: &Token, secret: &Secret<HASH_LEN>) -> Result<Prk, CryptoError> {
        software(token).prk(secret)
    }

    fn expand(token: &Token, prk: &Prk, info: &[&[u8]]) -> Result<Secret<HASH_LEN>, CryptoError> {
        software(token).expand(prk, info)
    }

    fn expand_key(token: &Token, prk: &Prk, info: &[&[u8]], aead: Aead) -> Result<Handle, CryptoError> {
        let mut bytes = Zeroizing::new(vec![0; aead.key_len()]);
        software(token).expand_bytes(prk, info, &mut bytes)?;
        Handle::create(token, object::imported(KeyType::AES, &bytes, &TRAFFIC))
    }

    fn expand_bytes(token: &Token, prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        software(token).expand_bytes(prk, info, out)
    }

    fn mac(token: &Token, key: &Secret<HASH_LEN>, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        software(token).mac(key, message)
    }
}
