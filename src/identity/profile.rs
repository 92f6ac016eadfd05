//! What an identity publishes, and what a verifier knows of it.
//!
//! A profile is `{address, sigPubKey, sigChain, encPubKey, metaPublic}`, with `metaPrivate` for the identity itself. It comes from a relay
//! that nobody has to trust: signing keys hold by their chain, the encryption key by the signature of the current one.

use super::request::Place;
use super::response::Response;
use super::rotation::{self, Current, Walk, key_of, read_key};
use super::{ChainError, IdentityError, Unverified, registration};
use crate::codec::json::{Str, Value};
use crate::codec::timestamp::Timestamp;
use crate::crypto::{CryptoError, KeyId, Provider, Signature, Verified, Verifier};
use crate::jose::KeyRef;
use crate::jose::jwk::{Jwk, Use};
use crate::log::format_as;
use core::fmt;

/// What a verifier keeps of an identity from one profile to the next. Store it whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pin {
    /// The address, and the signing key that was seen last.
    pub key: KeyRef,
    /// When the encryption key that was seen last was signed: none that is older is accepted any more.
    pub since: Timestamp,
}

impl Pin {
    /// An identity of which nothing is known but its address and a key that is trusted, registered or later.
    #[must_use]
    pub const fn new(key: KeyRef) -> Self {
        Self { key, since: Timestamp::from_unix_secs(0) }
    }
}

/// A profile that nobody has verified yet.
#[must_use]
pub struct Profile<'t> {
    address: Str<'t>,
    signing: Value<'t>,
    chain: Option<Value<'t>>,
    encryption: Unverified<'t>,
    public: Option<Value<'t>>,
    private: Option<Value<'t>>,
}

impl<'t> Profile<'t> {
    /// Reads the answer to [`get`](super::get), [`me`](super::me) or a registration. Without `sigChain` the key is the registered one.
    ///
    /// # Errors
    /// [`IdentityError::Refused`], [`IdentityError::Malformed`], [`JoseError::Header`](crate::jose::JoseError::Header).
    pub fn parse(response: &Response<'t>) -> Result<Self, IdentityError> {
        let names = ["address", "sigPubKey", "sigChain", "encPubKey", "metaPublic", "metaPrivate"];
        let [address, signing, chain, encryption, public, private] = response.body()?.members(&names)?;
        if [public, private].into_iter().flatten().any(|metadata| !metadata.is_object()) {
            return Err(IdentityError::Malformed);
        }
        let targets = [registration::ENCRYPTION, Place::ENCRYPTION.target, rotation::ENCRYPTION];
        Ok(Self {
            address: address.ok_or(IdentityError::Malformed)?.string()?,
            signing: signing.ok_or(IdentityError::Malformed)?,
            chain,
            encryption: Unverified::read(encryption, &targets)?,
            public,
            private,
        })
    }

    /// Metadata that anyone may see, an object: the relay's word.
    #[must_use]
    pub const fn public(&self) -> Option<Value<'t>> {
        self.public
    }

    /// Metadata for the identity itself, an object: the relay's word.
    #[must_use]
    pub const fn private(&self) -> Option<Value<'t>> {
        self.private
    }

    /// The way through the chain of at most `N` keys, from what is known.
    ///
    /// # Errors
    /// [`IdentityError::Address`] for another identity; as [`Walk::begin`].
    pub fn walk<P: Provider, const N: usize>(
        &self,
        provider: &mut P,
        pin: &'t Pin,
    ) -> Result<Walk<'t, N>, IdentityError> {
        if !self.address.is(pin.key.address()) {
            return Err(IdentityError::Address);
        }
        match self.chain {
            Some(chain) => Walk::begin(provider, chain, pin),
            None => Walk::start(provider, self.signing, None, pin),
        }
    }

    /// The encryption key, to be verified by the key at the end of the chain.
    ///
    /// # Errors
    /// [`IdentityError::Stale`] where another key signed it, or where it is older than the one that is known;
    /// [`IdentityError::Address`].
    pub fn encryption(&self, current: &Current, pin: &Pin) -> Result<&Unverified<'t>, IdentityError> {
        let (signer, issued_at) = (self.encryption.signer(), self.encryption.issued_at());
        // There is no address before the registration, and one in everything signed after it.
        let is_registered = self.encryption.is_to(registration::ENCRYPTION);
        if signer.address() != if is_registered { "" } else { pin.key.address() } {
            return Err(IdentityError::Address);
        }
        if signer.kid() != current.key().kid() || issued_at < pin.since {
            return Err(IdentityError::Stale);
        }
        Ok(&self.encryption)
    }

    /// Takes the word of a verifier that it verified [`Profile::encryption`].
    ///
    /// # Errors
    /// As there; [`ChainError::End`] where `sigPubKey` is not the key at the end of the chain; [`IdentityError::Malformed`],
    /// [`JoseError::Key`](crate::jose::JoseError::Key).
    pub fn verified<P: Provider>(
        &self,
        provider: &mut P,
        pin: &Pin,
        current: &Current,
        verified: &Verified,
    ) -> Result<Known, IdentityError> {
        let signed = self.encryption(current, pin)?;
        let signing = *current.key();
        if read_key(provider, self.signing, Use::Signature)? != signing {
            return Err(ChainError::End.into());
        }
        let encryption = key_of(provider, signed, verified, Use::Encryption)?;
        let key = KeyRef::new(pin.key.address(), signing.kid())?;
        let reached_as = KeyRef::new(pin.key.address(), encryption.kid())?;
        Ok(Known { signing, encryption, reached_as, pin: Pin { key, since: signed.issued_at() } })
    }

    /// Verifies all of it with the software's P-256. Slow.
    ///
    /// # Errors
    /// As [`Profile::walk`], [`Walk::verify`] and [`Profile::verified`]; [`JoseError::Authentication`](crate::jose::JoseError::Authentication).
    pub fn verify<P: Provider, const N: usize>(
        &self,
        provider: &mut P,
        pin: &'t Pin,
    ) -> Result<Known, IdentityError> {
        let current = self.walk::<P, N>(provider, pin)?.verify(provider)?;
        let (message, signature) = self.encryption(&current, pin)?.statement();
        let verified = current.key().pinned()?.verify(message, signature)?;
        self.verified(provider, pin, &current, &verified)
    }
}

impl fmt::Debug for Profile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("encryption", &self.encryption).finish_non_exhaustive()
    }
}

format_as! { [] Profile<'_>, profile => "Profile {{ encryption: {} }}", profile.encryption }

/// An identity with the keys that were verified to be its own. It verifies what that identity signs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Known {
    signing: Jwk,
    encryption: Jwk,
    reached_as: KeyRef,
    pin: Pin,
}

impl Known {
    /// What to keep of it.
    #[must_use]
    pub const fn pin(&self) -> &Pin {
        &self.pin
    }

    /// Its signing key.
    #[must_use]
    pub const fn signing(&self) -> &Jwk {
        &self.signing
    }

    /// Its encryption key.
    #[must_use]
    pub const fn encryption(&self) -> &Jwk {
        &self.encryption
    }

    /// As what it signs.
    #[must_use]
    pub const fn signs_as(&self) -> &KeyRef {
        &self.pin.key
    }

    /// As what it is encrypted to.
    #[must_use]
    pub const fn reached_as(&self) -> &KeyRef {
        &self.reached_as
    }
}

impl Verifier for Known {
    fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        let key = self.signing.pinned().map_err(|_| CryptoError::Authentication)?;
        if key.kid() != *kid {
            return Err(CryptoError::Authentication);
        }
        key.verify(message, signature)
    }
}

/// An address that stands for someone.
pub(super) fn check_address(address: &str) -> Result<(), IdentityError> {
    const ANY: [u8; 65] = [4; 65];
    if address.is_empty() {
        return Err(IdentityError::Malformed);
    }
    KeyRef::new(address, KeyId::of_point(&ANY))?;
    Ok(())
}
