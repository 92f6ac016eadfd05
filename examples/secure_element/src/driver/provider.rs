//! The provider.

use super::host::Call;
use super::{SecureElement, Trouble};
use crate::frame::{Derived, MAX_LEN, NO_SLOT, Opcode};
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::KeyWrap;
use dynamic_key::crypto::provider::{Aead, CryptoError, HASH_LEN, NONCE_LEN, Provider, TAG_LEN};
use dynamic_key::crypto::wrap::WRAPPED_LEN;
use embedded_io::{Read, Write};

/// Random bytes that one command draws at the most.
const DRAW: usize = 1024;
/// What HKDF-Expand gives at the most (RFC 5869 §2.3).
const EXPAND: usize = 255 * HASH_LEN;

/// A private key in a slot.
#[derive(Clone, Copy, Debug)]
pub struct Ephemeral;
/// A shared secret Z in a slot.
#[derive(Clone, Copy, Debug)]
pub struct SharedSecret;
/// A PRK in a slot.
#[derive(Clone, Copy, Debug)]
pub struct Prk;
/// 32 secret bytes in a slot.
#[derive(Clone, Copy, Debug)]
pub struct SecretKey;
/// A key-encryption key in a slot.
#[derive(Clone, Copy, Debug)]
pub struct Kek;
/// An AEAD key in a slot.
#[derive(Clone, Copy, Debug)]
pub struct AeadKey;

/// A slot that is held: erased when it is dropped.
struct Slot<'e, B: Read + Write> {
    element: &'e SecureElement<B>,
    number: u8,
}

impl<B: Read + Write> Drop for Slot<'_, B> {
    fn drop(&mut self) {
        self.element.release(self.number);
    }
}

/// A key of the kind `K` in a slot of the chip, which is erased when this is dropped.
pub struct Handle<'e, B: Read + Write, K>(Slot<'e, B>, PhantomData<K>);

impl<B: Read + Write, K> fmt::Debug for Handle<'_, B, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0.number).finish()
    }
}

impl<'e, B: Read + Write, K> Handle<'e, B, K> {
    /// The slot's number.
    #[must_use]
    pub const fn slot(&self) -> u8 {
        self.0.number
    }

    /// The same slot, whose key has become one of another kind.
    fn becomes<L>(self) -> Handle<'e, B, L> {
        Handle(self.0, PhantomData)
    }
}

/// A provider whose secrets are in the chip: keys are [`Handle`]s.
///
/// # Security
/// No private key, Z, PRK, secret, key-encryption key or AEAD key crosses the bus, and there is no command that would send one. What does cross:
///
/// - random bytes, public keys, MACs, the messages that are sealed, opened, signed and verified, and infos and salts;
/// - content keys that are wrapped, and those that are to be unwrapped;
/// - what [`Provider::expand_bytes`] gives: ivs, and what an application exports.
///
/// The chip expands whatever its host asks for: who has taken over the host can have any label of a PRK that is there as bytes,
/// and have anything sealed and signed, for as long as he has the host. What he cannot have is a key that was erased, or the
/// identity.
pub struct ElementProvider<'e, B> {
    element: &'e SecureElement<B>,
}

impl<B> Clone for ElementProvider<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for ElementProvider<'_, B> {}

impl<B> fmt::Debug for ElementProvider<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ElementProvider")
    }
}

impl<'e, B> ElementProvider<'e, B> {
    pub(super) const fn new(element: &'e SecureElement<B>) -> Self {
        Self { element }
    }
}

impl<'e, B: Read + Write> ElementProvider<'e, B> {
    /// A command whose outcome is a new key.
    pub(super) fn make<K>(
        &self,
        opcode: Opcode,
        key: u8,
        (head, parts): (&[u8], &[&[u8]]),
        answer: &mut [u8],
    ) -> Result<Handle<'e, B, K>, Trouble> {
        let number = self.element.take()?;
        let made = Handle(Slot { element: self.element, number }, PhantomData);
        self.element.call(Call { key, to: number, head, parts, answer, ..Call::new(opcode) })?;
        Ok(made)
    }

    fn expand_into<K>(
        &self,
        prk: &Handle<'e, B, Prk>,
        kind: Derived,
        info: &[&[u8]],
    ) -> Result<Handle<'e, B, K>, CryptoError> {
        Ok(self.make(Opcode::Expand, prk.slot(), (&[kind as u8], info), &mut [])?)
    }
}

fn length_of(bytes: &[u8]) -> Result<[u8; 2], CryptoError> {
    u16::try_from(bytes.len()).map(u16::to_be_bytes).map_err(|_| CryptoError::Failed)
}

pub(super) fn point_of(key: &PublicKey) -> Result<&[u8], CryptoError> {
    match key.group() {
        Group::P256 => Ok(key.as_bytes()),
        _ => Err(CryptoError::Unsupported),
    }
}

impl<'e, B: Read + Write> Provider for ElementProvider<'e, B> {
    type EphemeralKey = Handle<'e, B, Ephemeral>;
    type SharedSecret = Handle<'e, B, SharedSecret>;
    type Prk = Handle<'e, B, Prk>;
    type Secret = Handle<'e, B, SecretKey>;
    type TrafficKey = Handle<'e, B, AeadKey>;

    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        for chunk in out.chunks_mut(DRAW) {
            let length = length_of(chunk)?;
            let call = Call { head: &length, answer: chunk, ..Call::new(Opcode::Random) };
            self.element.call(call).map_err(|_| CryptoError::Random)?;
        }
        Ok(())
    }

    fn generate(&mut self, group: Group) -> Result<(Self::EphemeralKey, PublicKey), CryptoError> {
        if group != Group::P256 {
            return Err(CryptoError::Unsupported);
        }
        let mut point = [0; 65];
        let private = self.make(Opcode::Generate, NO_SLOT, (&[], &[]), &mut point)?;
        Ok((private, PublicKey::p256(point).map_err(|_| CryptoError::Failed)?))
    }

    fn validate(&mut self, peer: &PublicKey) -> Result<(), CryptoError> {
        Ok(self.element.call(Call { head: point_of(peer)?, ..Call::new(Opcode::Validate) })?)
    }

    fn agree(
        &mut self,
        key: Self::EphemeralKey,
        peer: &PublicKey,
    ) -> Result<Self::SharedSecret, CryptoError> {
        let point = point_of(peer).map_err(|_| CryptoError::InvalidPublicKey)?;
        self.element.call(Call { key: key.slot(), head: point, ..Call::new(Opcode::Agree) })?;
        Ok(key.becomes())
    }

    fn extract(&mut self, salt: &[u8], z: Self::SharedSecret) -> Result<Self::Prk, CryptoError> {
        self.element.call(Call { key: z.slot(), head: salt, ..Call::new(Opcode::Extract) })?;
        Ok(z.becomes())
    }

    fn prk(&mut self, secret: &Self::Secret) -> Result<Self::Prk, CryptoError> {
        Ok(self.make(Opcode::AsPrk, secret.slot(), (&[], &[]), &mut [])?)
    }

    fn expand(&mut self, prk: &Self::Prk, info: &[&[u8]]) -> Result<Self::Secret, CryptoError> {
        self.expand_into(prk, Derived::Secret, info)
    }

    fn expand_key(
        &mut self,
        prk: &Self::Prk,
        info: &[&[u8]],
        aead: Aead,
    ) -> Result<Self::TrafficKey, CryptoError> {
        let kind = match aead {
            Aead::Aes128Gcm => Derived::Aes128,
            Aead::Aes256Gcm => Derived::Aes256,
        };
        self.expand_into(prk, kind, info)
    }

    fn expand_bytes(&mut self, prk: &Self::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        if out.len() > EXPAND {
            return Err(CryptoError::Failed);
        }
        let length = length_of(out)?;
        let (key, head) = (prk.slot(), &length[..]);
        Ok(self.element.call(Call {
            key,
            head,
            parts: info,
            answer: out,
            ..Call::new(Opcode::ExpandBytes)
        })?)
    }

    fn mac(&mut self, key: &Self::Secret, message: &[&[u8]]) -> Result<[u8; HASH_LEN], CryptoError> {
        let (key, mut mac) = (key.slot(), [0; HASH_LEN]);
        let call = Call { key, parts: message, answer: &mut mac, ..Call::new(Opcode::Mac) };
        self.element.call(call)?;
        Ok(mac)
    }

    fn seal(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], CryptoError> {
        let (key, mut tag, length) = (key.slot(), [0; TAG_LEN], length_of(aad)?);
        let parts: &[&[u8]] = &[nonce, &length, aad];
        self.element.call(Call { key, parts, text, answer: &mut tag, ..Call::new(Opcode::Seal) })?;
        Ok(tag)
    }

    fn open(
        &mut self,
        key: &Self::TrafficKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        let (key, length) = (key.slot(), length_of(aad)?);
        let parts: &[&[u8]] = &[nonce, tag, &length, aad];
        Ok(self.element.call(Call { key, parts, text, ..Call::new(Opcode::Open) })?)
    }
}

/// The chip has no PBKDF2: a password is known to the host, and crosses the bus anyway.
impl<'e, B: Read + Write> KeyWrap for ElementProvider<'e, B> {
    type Kek = Handle<'e, B, Kek>;

    fn concat_kdf(&mut self, z: Self::SharedSecret, other_info: &[&[u8]]) -> Result<Self::Kek, CryptoError> {
        self.element.call(Call { key: z.slot(), parts: other_info, ..Call::new(Opcode::ConcatKdf) })?;
        Ok(z.becomes())
    }

    fn pbkdf2(&mut self, _: &[u8], _: &[u8], _: NonZeroU32) -> Result<Self::Kek, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    fn wrap(&mut self, kek: Self::Kek) -> Result<(Self::TrafficKey, [u8; WRAPPED_LEN]), CryptoError> {
        let mut wrapped = [0; WRAPPED_LEN];
        self.element.call(Call { key: kek.slot(), answer: &mut wrapped, ..Call::new(Opcode::Wrap) })?;
        Ok((kek.becomes(), wrapped))
    }

    fn unwrap(
        &mut self,
        kek: Self::Kek,
        wrapped: &[u8; WRAPPED_LEN],
    ) -> Result<Self::TrafficKey, CryptoError> {
        self.element.call(Call { key: kek.slot(), head: wrapped, ..Call::new(Opcode::Unwrap) })?;
        Ok(kek.becomes())
    }
}

// The longest that leaves the chip in one answer fits a frame.
const _: () = assert!(EXPAND < MAX_LEN);
