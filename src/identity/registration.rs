//! Registration: `POST /v1/identity`.
//!
//! The body has the signing key as it is, and by it signed, with `kid` `/kid` because there is no address yet, the encryption key and
//! both kinds of metadata: `sigPubKey`, `encPubKey`, `metaPublic`, `metaPrivate`, in this order.

use super::draft::{Author, Draft, Payload, Plain};
use super::profile::check_address;
use super::request::Place;
use super::response::Response;
use super::rotation::read_key;
use super::{IdentityError, Unverified, metadata};
use crate::codec::BufferTooSmall;
use crate::codec::cursor::Writer;
use crate::codec::json;
use crate::codec::timestamp::Timestamp;
use crate::crypto::software::PinnedKey;
use crate::crypto::{Provider, Signature, Verified};
use crate::jose::jwk::{Jwk, Use};
use crate::jose::{JoseError, KeyRef};
use crate::log::format_as;
use core::fmt;

pub(super) const ENCRYPTION: &str = "/v1/identity#encPubKey";
const PUBLIC: &str = "/v1/identity#metaPublic";
const PRIVATE: &str = "/v1/identity#metaPrivate";

/// What stands before the signing key, and before each member behind it.
const BEFORE: [&str; 4] =
    [r#"{"sigPubKey":"#, r#","encPubKey":""#, r#"","metaPublic":""#, r#"","metaPrivate":""#];

/// An identity that is to be registered.
#[derive(Clone, Copy)]
pub struct Registration<'a> {
    /// The time that the signatures claim.
    pub issued_at: Timestamp,
    /// The key with which it signs.
    pub signing: &'a Jwk,
    /// The key to which others encrypt.
    pub encryption: &'a Jwk,
    /// Metadata that anyone may see: a JSON object, such as `{"identityType":"user"}`.
    pub public: &'a [u8],
    /// Metadata for the identity and its relay: a JSON object.
    pub private: &'a [u8],
}

impl Registration<'_> {
    /// Writes the request, but for its three signatures by [`Registration::signing`].
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`]; [`IdentityError::Malformed`] for metadata that is no JSON object; [`JoseError::Key`] for keys
    /// of the wrong use.
    pub fn begin<'o>(&self, out: &'o mut [u8]) -> Result<Draft<'o, 3>, IdentityError> {
        metadata::check(self.public)?;
        metadata::check(self.private)?;
        if (self.signing.usage(), self.encryption.usage()) != (Use::Signature, Use::Encryption) {
            return Err(JoseError::Key.into());
        }
        let mut before = [0; BEFORE[0].len() + Jwk::LEN + BEFORE[1].len()];
        let mut writer = Writer::new(&mut before);
        writer.put(BEFORE[0].as_bytes());
        if let Some(room) = writer.reserve(Jwk::LEN) {
            self.signing.write(room)?;
        }
        writer.put(BEFORE[1].as_bytes());
        let before = writer.finish_slice()?;
        let mut encryption = [0; Jwk::LEN];
        self.encryption.write(&mut encryption)?;
        let kid = KeyRef::new("", self.signing.kid())?;
        let author = Author { kid: &kid, issued_at: self.issued_at };
        let part =
            |before, target, payload| Plain { before, author, target, payload: Payload::Bytes(payload) };
        let parts = [
            part(before, ENCRYPTION, &encryption),
            part(BEFORE[2].as_bytes(), PUBLIC, self.public),
            part(BEFORE[3].as_bytes(), PRIVATE, self.private),
        ];
        Draft::write(Place::REGISTRATION, &parts, b"\"}", out)
    }
}

/// Prints what is public.
impl fmt::Debug for Registration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("kid", &self.signing.kid()).finish_non_exhaustive()
    }
}

format_as! { [] Registration<'_>, registration => "Registration {{ kid: {} }}", registration.signing.kid() }

/// A registration that came, whose signatures nobody has verified yet.
#[must_use]
pub struct Received<'t> {
    signing: Jwk,
    /// `encPubKey`, `metaPublic`, `metaPrivate`.
    members: [Unverified<'t>; 3],
}

impl<'t> Received<'t> {
    /// Takes the body of a request apart. The key ids that it names must be those of its keys.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`]; [`JoseError::Header`], [`JoseError::Key`].
    pub fn parse<P: Provider>(provider: &mut P, body: &'t [u8]) -> Result<Self, IdentityError> {
        let names = ["sigPubKey", "encPubKey", "metaPublic", "metaPrivate"];
        let [signing, encryption, public, private] = json::object(body, &names)?;
        let signing = read_key(provider, signing.ok_or(IdentityError::Malformed)?, Use::Signature)?;
        let members = [
            Unverified::read(encryption, &[ENCRYPTION])?,
            Unverified::read(public, &[PUBLIC])?,
            Unverified::read(private, &[PRIVATE])?,
        ];
        for member in &members {
            let signer = member.signer();
            if !signer.address().is_empty() || signer.kid() != signing.kid() {
                return Err(JoseError::Key.into());
            }
        }
        Ok(Self { signing, members })
    }

    /// The key by which the identity signed.
    ///
    /// # Errors
    /// [`JoseError::Key`]: never.
    pub fn key(&self) -> Result<PinnedKey, IdentityError> {
        Ok(self.signing.pinned()?)
    }

    /// What is to be verified, all three by [`Received::key`].
    #[must_use]
    pub fn statements(&self) -> [(&'t [u8], &Signature); 3] {
        self.members.each_ref().map(Unverified::statement)
    }

    /// Takes the word of a verifier that it verified [`Received::statements`]. `scratch` takes both kinds of metadata.
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`]; [`IdentityError::Malformed`] for metadata that is no JSON object; [`JoseError::Key`] for
    /// an encryption key that is none.
    pub fn verified<'b, P: Provider>(
        self,
        provider: &mut P,
        verified: &[Verified; 3],
        scratch: &'b mut [u8],
    ) -> Result<Registered<'b>, IdentityError> {
        let [encryption, public, private] = &self.members;
        let [by_encryption, by_public, by_private] = verified;
        let needed = public.payload_len().saturating_add(private.payload_len());
        let (for_public, for_private) =
            scratch.split_at_mut_checked(public.payload_len()).ok_or(BufferTooSmall { needed })?;
        if for_private.len() < private.payload_len() {
            return Err(BufferTooSmall { needed }.into());
        }
        let issued_at = public.issued_at().min(private.issued_at()).min(encryption.issued_at());
        let encryption = super::rotation::key_of(provider, encryption, by_encryption, Use::Encryption)?;
        let (public, private) =
            (public.payload(by_public, for_public)?, private.payload(by_private, for_private)?);
        metadata::check(public)?;
        metadata::check(private)?;
        Ok(Registered { issued_at, signing: self.signing, encryption, public, private })
    }
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("kid", &self.signing.kid()).finish_non_exhaustive()
    }
}

format_as! { [] Received<'_>, received => "Received {{ kid: {} }}", received.signing.kid() }

/// An identity whose registration is valid.
#[derive(Clone, Copy)]
pub struct Registered<'b> {
    /// The earliest time that a signature claims: whether that is too long ago is for the relay to decide.
    pub issued_at: Timestamp,
    /// The key with which it signs.
    pub signing: Jwk,
    /// The key to which others encrypt.
    pub encryption: Jwk,
    /// Metadata that anyone may see: a JSON object.
    pub public: &'b [u8],
    /// Metadata for the identity and its relay: a JSON object.
    pub private: &'b [u8],
}

impl fmt::Debug for Registered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("kid", &self.signing.kid()).finish_non_exhaustive()
    }
}

format_as! { [] Registered<'_>, registered => "Registered {{ kid: {} }}", registered.signing.kid() }

/// Verifies a registration with the software's P-256. Slow.
///
/// # Errors
/// As [`Received::parse`] and [`Received::verified`]; [`JoseError::Authentication`].
pub fn verify<'b, P: Provider>(
    provider: &mut P,
    body: &[u8],
    scratch: &'b mut [u8],
) -> Result<Registered<'b>, IdentityError> {
    let received = Received::parse(provider, body)?;
    let key = received.key()?;
    let [encryption, public, private] = received.statements();
    let verify = |(message, signature): (&[u8], &Signature)| key.verify(message, signature);
    let verified = [verify(encryption)?, verify(public)?, verify(private)?];
    received.verified(provider, &verified, scratch)
}

/// Reads the answer to the registration of the key `signing`: the address that the identity got, with that key.
///
/// # Errors
/// [`IdentityError::Refused`]; [`IdentityError::Malformed`]; [`JoseError::Key`] where the relay registered another key.
pub fn address<P: Provider>(
    provider: &mut P,
    response: &Response<'_>,
    signing: &Jwk,
) -> Result<KeyRef, IdentityError> {
    let [address, key] = response.body()?.members(&["address", "sigPubKey"])?;
    let key = read_key(provider, key.ok_or(IdentityError::Malformed)?, Use::Signature)?;
    if key != *signing {
        return Err(JoseError::Key.into());
    }
    let mut room = [0; KeyRef::MAX_ADDRESS];
    let address = address.ok_or(IdentityError::Malformed)?.string()?;
    let address = address.copy_to(&mut room).map_err(|_| IdentityError::Malformed)?;
    check_address(address)?;
    Ok(KeyRef::new(address, key.kid())?)
}
