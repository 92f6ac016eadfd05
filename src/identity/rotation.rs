//! New keys, and the chain of signing keys by which a verifier follows an identity.
//!
//! A new signing key is signed by the one that it replaces. The request has the encryption key, too, signed by the new key: that
//! proves that the new key is the identity's own, and no moment comes in which what others encrypt to hangs on a key that was replaced.
//!
//! A chain (`sigChain`) is an array: the registered key as it is, then each successor as it was signed. [`Walk`] goes through it from
//! end to end and demands that every key is signed by the one before it, that no key comes twice, and that the
//! key which the verifier trusts is among them. Whoever keeps the last key that it saw notices every fork and every rollback.

use super::draft::{Author, Draft, Payload, Plain};
use super::profile::Pin;
use super::request::Place;
use super::{ChainError, IdentityError, Unverified};
use crate::codec::json::{self, Elements, Value};
use crate::codec::timestamp::Timestamp;
use crate::crypto::software::PinnedKey;
use crate::crypto::{KeyId, Provider, Signature, Verified};
use crate::jose::jwk::{Jwk, Use};
use crate::jose::{JoseError, KeyRef};
use crate::log::format_as;
use core::fmt;

/// To what end an encryption key is signed that comes with a new signing key.
pub(super) const ENCRYPTION: &str = "/v1/identity/me/sigPubKey#encPubKey";
/// The most bytes of a signed key that is read.
const MAX_KEY: usize = 512;

/// Replaces the key of `author` by `signing`: `POST /v1/identity/me/sigPubKey`. The encryption key is signed anew: it may be
/// another one. The first signature is by the key of `author`, the second by the new one.
///
/// # Errors
/// [`IdentityError::BufferTooSmall`]; [`JoseError::Key`] for keys of the wrong use, and for the same signing key.
pub fn signing_key<'o>(
    author: &Author<'_>,
    signing: &Jwk,
    encryption: &Jwk,
    out: &'o mut [u8],
) -> Result<Draft<'o, 2>, IdentityError> {
    let usages = (signing.usage(), encryption.usage());
    if usages != (Use::Signature, Use::Encryption) || signing.kid() == author.kid.kid() {
        return Err(JoseError::Key.into());
    }
    let (mut first, mut second) = ([0; Jwk::LEN], [0; Jwk::LEN]);
    signing.write(&mut first)?;
    encryption.write(&mut second)?;
    let next = KeyRef::new(author.kid.address(), signing.kid())?;
    let new_author = Author { kid: &next, issued_at: author.issued_at };
    let part =
        |before, author, target, payload| Plain { before, author, target, payload: Payload::Bytes(payload) };
    let parts = [
        part(br#"{"sigPubKey":""#.as_slice(), *author, Place::SIGNING.target, &first),
        part(br#"","encPubKey":""#.as_slice(), new_author, ENCRYPTION, &second),
    ];
    Draft::write(Place::SIGNING, &parts, b"\"}", out)
}

/// Replaces the encryption key: `POST /v1/identity/me/encPubKey`.
///
/// # Errors
/// [`IdentityError::BufferTooSmall`]; [`JoseError::Key`] for a key of another use.
pub fn encryption_key<'o>(
    author: &Author<'_>,
    encryption: &Jwk,
    out: &'o mut [u8],
) -> Result<Draft<'o, 1>, IdentityError> {
    if encryption.usage() != Use::Encryption {
        return Err(JoseError::Key.into());
    }
    let mut key = [0; Jwk::LEN];
    encryption.write(&mut key)?;
    Place::ENCRYPTION.draft(author, &key, out)
}

/// Takes the body of a request for a new encryption key apart; the key is [`key_of`] what it says.
///
/// # Errors
/// [`IdentityError::Malformed`]; [`JoseError::Header`].
pub fn parse_encryption(body: &[u8]) -> Result<Unverified<'_>, IdentityError> {
    let [member] = json::object(body, &[Place::ENCRYPTION.member])?;
    Unverified::read(member, &[Place::ENCRYPTION.target])
}

/// A new signing key with the encryption key that it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rotated {
    /// When the new key was signed, as the old one says.
    pub issued_at: Timestamp,
    /// The new signing key.
    pub signing: Jwk,
    /// The encryption key.
    pub encryption: Jwk,
}

/// Checks the body of a request for a new signing key against the current one, with the software's P-256. Slow.
///
/// # Errors
/// [`IdentityError::Malformed`]; [`IdentityError::Address`] for another identity; [`ChainError::Gap`] where another key than
/// the current one signed, [`ChainError::Repeated`] where the new one is the current one; [`JoseError::Header`], [`JoseError::Key`],
/// [`JoseError::Authentication`].
pub fn verify<P: Provider>(
    provider: &mut P,
    address: &str,
    current: &Jwk,
    body: &[u8],
) -> Result<Rotated, IdentityError> {
    let [link, encryption] = json::object(body, &["sigPubKey", "encPubKey"])?;
    let link = Unverified::read(link, &[Place::SIGNING.target])?;
    let encryption = Unverified::read(encryption, &[ENCRYPTION])?;
    let signing = follow(provider, address, current, &link)?;
    if signing == *current {
        return Err(ChainError::Repeated.into());
    }
    let encryption = signed_by(provider, address, &signing, &encryption, Use::Encryption)?;
    Ok(Rotated { issued_at: link.issued_at(), signing, encryption })
}

fn follow<P: Provider>(
    provider: &mut P,
    address: &str,
    current: &Jwk,
    link: &Unverified<'_>,
) -> Result<Jwk, IdentityError> {
    if link.signer().kid() != current.kid() {
        return Err(ChainError::Gap.into());
    }
    signed_by(provider, address, current, link, Use::Signature)
}

#[inline(never)] // one frame less in its caller's
fn signed_by<P: Provider>(
    provider: &mut P,
    address: &str,
    signer: &Jwk,
    key: &Unverified<'_>,
    usage: Use,
) -> Result<Jwk, IdentityError> {
    if key.signer().address() != address {
        return Err(IdentityError::Address);
    }
    if key.signer().kid() != signer.kid() {
        return Err(JoseError::Key.into());
    }
    let (message, signature) = key.statement();
    let verified = signer.pinned()?.verify(message, signature)?;
    key_of(provider, key, &verified, usage)
}

/// The key that a signed member says, once its signature was verified. It must name its own id.
///
/// # Errors
/// [`IdentityError::Malformed`] also for more than 512 bytes; [`JoseError::Key`].
#[inline(never)] // one frame less in its caller's
pub fn key_of<P: Provider>(
    provider: &mut P,
    key: &Unverified<'_>,
    verified: &Verified,
    usage: Use,
) -> Result<Jwk, IdentityError> {
    let mut room = [0; MAX_KEY];
    if key.payload_len() > MAX_KEY {
        return Err(IdentityError::Malformed);
    }
    let text = key.payload(verified, &mut room)?;
    read_key(provider, json::value(text)?, usage)
}

/// A key that names its own id.
pub(super) fn read_key<P: Provider>(
    provider: &mut P,
    jwk: Value<'_>,
    usage: Use,
) -> Result<Jwk, IdentityError> {
    if jwk.raw().len() > Jwk::MAX_LEN {
        return Err(IdentityError::Malformed);
    }
    let [kid] = jwk.members(&["kid"])?;
    let key = Jwk::read(provider, jwk, usage)?;
    if !kid.ok_or(IdentityError::Malformed)?.string()?.is(key.kid().as_str()) {
        return Err(JoseError::Key.into());
    }
    Ok(key)
}

/// The way through a chain of at most `N` keys: verify each [`Walk::statement`] and hand the proof to [`Walk::verified`], until there is
/// none; then [`Walk::finish`].
#[must_use]
pub struct Walk<'t, const N: usize> {
    links: Option<Elements<'t>>,
    pin: &'t Pin,
    current: Jwk,
    next: Option<Unverified<'t>>,
    seen: heapless::Vec<KeyId, N>,
}

impl<'t, const N: usize> Walk<'t, N> {
    /// Begins at the registered key, the first element of `chain`.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`], [`JoseError::Key`], [`ChainError::TooLong`]; as [`Walk::verified`].
    pub fn begin<P: Provider>(
        provider: &mut P,
        chain: Value<'t>,
        pin: &'t Pin,
    ) -> Result<Self, IdentityError> {
        let mut links = chain.elements()?;
        let registered = links.next().ok_or(IdentityError::Malformed)?;
        Self::start(provider, registered, Some(links), pin)
    }

    pub(super) fn start<P: Provider>(
        provider: &mut P,
        registered: Value<'_>,
        links: Option<Elements<'t>>,
        pin: &'t Pin,
    ) -> Result<Self, IdentityError> {
        let current = read_key(provider, registered, Use::Signature)?;
        let mut walk = Self { links, pin, current, next: None, seen: heapless::Vec::new() };
        walk.enter()?;
        Ok(walk)
    }

    /// The key that must have signed, message and signature; `None` at the end.
    #[must_use]
    pub fn statement(&self) -> Option<(PinnedKey, &'t [u8], &Signature)> {
        let (message, signature) = self.next.as_ref()?.statement();
        Some((self.current.pinned().ok()?, message, signature))
    }

    /// Takes the word of a verifier that it verified [`Walk::statement`].
    ///
    /// # Errors
    /// [`ChainError::Gap`], [`ChainError::Fork`], [`ChainError::Repeated`], [`ChainError::TooLong`]; [`IdentityError::Address`] for a
    /// link of another identity; [`IdentityError::Malformed`], [`JoseError::Header`], [`JoseError::Key`];
    /// [`IdentityError::WrongTurn`] at the end.
    pub fn verified<P: Provider>(
        &mut self,
        provider: &mut P,
        verified: Verified,
    ) -> Result<(), IdentityError> {
        let link = self.next.take().ok_or(IdentityError::WrongTurn)?;
        self.current = key_of(provider, &link, &verified, Use::Signature)?;
        self.enter()
    }

    /// Counts the current key in and looks at the next link.
    fn enter(&mut self) -> Result<(), IdentityError> {
        let kid = self.current.kid();
        if self.seen.contains(&kid) {
            return Err(ChainError::Repeated.into());
        }
        self.seen.push(kid).map_err(|_| ChainError::TooLong)?;
        let Some(link) = self.links.as_mut().and_then(Iterator::next) else { return Ok(()) };
        let link = Unverified::read(Some(link), &[Place::SIGNING.target])?;
        if link.signer().address() != self.pin.key.address() {
            return Err(IdentityError::Address);
        }
        let signer = link.signer().kid();
        if signer != kid {
            let is_fork = self.seen.contains(&signer);
            return Err(if is_fork { ChainError::Fork } else { ChainError::Gap }.into());
        }
        self.next = Some(link);
        Ok(())
    }

    /// Verifies all that is left with the software's P-256. Slow.
    ///
    /// # Errors
    /// As [`Walk::verified`] and [`Walk::finish`]; [`JoseError::Authentication`].
    pub fn verify<P: Provider>(mut self, provider: &mut P) -> Result<Current, IdentityError> {
        while let Some((key, message, signature)) = self.statement() {
            let verified = key.verify(message, signature)?;
            self.verified(provider, verified)?;
        }
        self.finish()
    }

    /// The key at the end.
    ///
    /// # Errors
    /// [`ChainError::Rollback`] where the trusted key is not in the chain; [`IdentityError::WrongTurn`] before the end.
    pub fn finish(self) -> Result<Current, IdentityError> {
        if self.next.is_some() {
            return Err(IdentityError::WrongTurn);
        }
        if !self.seen.contains(&self.pin.key.kid()) {
            return Err(ChainError::Rollback.into());
        }
        Ok(Current(self.current))
    }
}

impl<const N: usize> fmt::Debug for Walk<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("current", &self.current.kid()).finish_non_exhaustive()
    }
}

format_as! { [const N: usize] Walk<'_, N>, walk => "Walk {{ current: {} }}", walk.current.kid() }

/// The signing key at the end of a chain that holds.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Current(Jwk);

impl Current {
    /// The key.
    #[must_use]
    pub const fn key(&self) -> &Jwk {
        &self.0
    }
}
