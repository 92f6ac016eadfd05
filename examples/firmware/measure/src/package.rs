//! Two identities and what they send each other: signed messages, encrypted ones, and content packages, of 1 KB each.

use crate::bare;
use crate::provider::{Chosen, Identity, Pins, Provider, RecipientKey};
use aes_gcm::Aes256Gcm;
use aes_kw::{KeyInit, KwAes256};
use board::random::Repeatable;
use core::hint::black_box;
use dynamic_key::Secret;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{PinnedKey, RawAes256Key};
use dynamic_key::crypto::{Recipient, Signer};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::package::{self, Expected, Package};
use dynamic_key::jose::{JoseError, KeyRef, jwe, jws};
use sha2::{Digest, Sha256};

/// The bytes that are sent.
pub const SIZE: usize = 1024;
/// Room for a package with so many bytes.
pub const ROOM: usize = 3072;
/// The characters of the header of a message as [`Pair::encrypt`] makes it: what AES-GCM authenticates with the text.
pub const HEADER: usize = 322;
/// The id of the message.
const ID: &str = "d290f1ee6c54";
/// To what end it is signed.
const TARGET: &str = "/v1/messages/send";
/// The private keys of the sender and of the recipient.
pub const KEYS: [[u8; 32]; 2] = [[7; 32], [8; 32]];

/// JSON of [`SIZE`] bytes: what a package carries.
#[must_use]
pub const fn body() -> [u8; SIZE] {
    let mut body = [b'x'; SIZE];
    body[0] = b'"';
    body[SIZE - 1] = b'"';
    body
}

/// A sender, a recipient, and what each knows of the other.
pub struct Pair {
    provider: Provider<RawAes256Key>,
    signer: Identity,
    recipient: RecipientKey,
    sender: KeyRef,
    to: KeyRef,
    key: Jwk,
    pins: [PinnedKey; 1],
}

impl Pair {
    /// The two.
    ///
    /// # Errors
    /// Never.
    pub fn new() -> Result<Self, JoseError> {
        let [signs, decrypts] = black_box(KEYS);
        let signer = Identity::from_bytes(&Secret::new(signs))?;
        let recipient = RecipientKey::from_bytes(&Secret::new(decrypts))?;
        let point = recipient.public()?.as_bytes().try_into().map_err(|_| JoseError::Key)?;
        Ok(Self {
            provider: Chosen::aes256(Repeatable::new(1)),
            sender: KeyRef::new(black_box("alice@nix.example"), signer.kid())?,
            to: KeyRef::new(black_box("bob@nix.example"), recipient.kid())?,
            key: Jwk::new(point, Use::Encryption)?,
            pins: [signer.public()?],
            signer,
            recipient,
        })
    }

    /// Signs `payload`.
    ///
    /// # Errors
    /// None, if there is room.
    pub fn sign<'o>(&mut self, payload: &[u8], out: &'o mut [u8]) -> Result<&'o str, JoseError> {
        jws::sign(&mut self.signer, &header(&self.sender), payload, out)
    }

    /// Verifies what [`Pair::sign`] signed, and returns the payload.
    ///
    /// # Errors
    /// [`JoseError::Authentication`].
    pub fn verify<'o>(&self, token: &str, scratch: &'o mut [u8]) -> Result<&'o [u8], JoseError> {
        Ok(jws::verify(&mut Pins(&self.pins), &self.sender, TARGET, token, scratch)?.payload)
    }

    /// Encrypts the [`SIZE`] bytes at the front of `buffer`.
    ///
    /// # Errors
    /// None, if there is room.
    pub fn encrypt<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b str, JoseError> {
        let header = jwe::Header { kid: &self.to, content_type: None };
        jwe::encrypt(&mut self.provider, &self.key, &header, buffer, SIZE)
    }

    /// Decrypts what [`Pair::encrypt`] encrypted.
    ///
    /// # Errors
    /// [`JoseError::Authentication`].
    pub fn decrypt<'b>(&mut self, message: &'b mut [u8]) -> Result<&'b mut [u8], JoseError> {
        jwe::decrypt(&mut self.provider, &mut self.recipient, message)
    }

    /// Signs and encrypts a package with this body.
    ///
    /// # Errors
    /// None, if there is room.
    pub fn pack<'b>(&mut self, body: &[u8], buffer: &'b mut [u8]) -> Result<&'b str, JoseError> {
        let package = Package { header: header(&self.sender), recipient: &self.to, id: ID, body };
        package::pack(&mut self.provider, &mut self.signer, &self.key, &package, buffer)
    }

    /// Decrypts and verifies what [`Pair::pack`] packed, and returns the body.
    ///
    /// # Errors
    /// [`JoseError::Authentication`].
    pub fn unpack<'b>(&mut self, message: &'b mut [u8]) -> Result<&'b [u8], JoseError> {
        let expected = Expected { sender: &self.sender, recipient: self.to.address(), id: ID };
        let (provider, recipient) = (&mut self.provider, &mut self.recipient);
        Ok(package::unpack(provider, recipient, &mut Pins(&self.pins), &expected, message)?.body.raw())
    }
}

const fn header(sender: &KeyRef) -> jws::Header<'_> {
    jws::Header { issued_at: Timestamp::from_unix_secs(1_780_527_600), kid: sender, target: TARGET }
}

/// Concat KDF with SHA-256 (RFC 7518 §4.6.2), for A256KW and no parties.
#[must_use]
pub fn concat_kdf(z: &[u8; 32]) -> [u8; 32] {
    let parts: [&[u8]; 6] =
        [&[0, 0, 0, 1], z, &[0, 0, 0, 14], b"ECDH-ES+A256KW", &[0; 8], &256_u32.to_be_bytes()];
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// What encryption to an agreed Z takes: Concat KDF, the wrap of a content key, AES-GCM with a header of the same length.
#[must_use]
pub fn seal(z: &[u8; 32], key: &[u8; 32], nonce: &[u8; 12], text: &mut [u8]) -> Option<([u8; 40], [u8; 16])> {
    let mut wrapped = [0; 40];
    KwAes256::new(&concat_kdf(z).into()).wrap_key(key, &mut wrapped).ok()?;
    Some((wrapped, bare::seal::<Aes256Gcm>(key, nonce, &black_box([b'e'; HEADER]), text)?))
}

/// The other way.
#[must_use]
pub fn open(
    z: &[u8; 32],
    wrapped: &[u8; 40],
    nonce: &[u8; 12],
    text: &mut [u8],
    tag: &[u8; 16],
) -> Option<()> {
    let mut key = [0; 32];
    KwAes256::new(&concat_kdf(z).into()).unwrap_key(wrapped, &mut key).ok()?;
    bare::open::<Aes256Gcm>(&key, nonce, &black_box([b'e'; HEADER]), text, tag)
}
