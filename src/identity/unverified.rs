//! Signed members, taken apart.

use super::IdentityError;
use crate::codec::base64;
use crate::codec::json::Value;
use crate::codec::timestamp::Timestamp;
use crate::crypto::{Signature, Verified, Verifier};
use crate::jose::{JoseError, KeyRef, jws};
use crate::log::format_as;
use core::fmt;

/// The most bytes of a header that is read: an address, a thumbprint and a target, with room to spare.
const MAX_HEADER: usize = 384;

/// A signed member whose signature nobody has verified yet.
#[must_use]
pub struct Unverified<'t> {
    signing_input: &'t str,
    payload: &'t str,
    signature: Signature,
    signer: KeyRef,
    issued_at: Timestamp,
    target: &'static str,
}

impl<'t> Unverified<'t> {
    /// Takes a compact JWS apart that was signed to one of these ends.
    #[inline(never)] // one frame less in its caller's
    pub(super) fn parse(token: &'t str, targets: &[&'static str]) -> Result<Self, IdentityError> {
        let (signing_input, _) = token.rsplit_once(['.']).ok_or(IdentityError::Malformed)?;
        let (header, payload) = signing_input.split_once(['.']).ok_or(IdentityError::Malformed)?;
        let mut room = [0; MAX_HEADER];
        let header =
            base64::url_decode(header.as_bytes(), &mut room).map_err(|_| IdentityError::Malformed)?;
        let read = jws::Unverified::read(token, header)?;
        let target = read.target().ok_or(JoseError::Header)?;
        let target = *targets.iter().find(|expected| target.is(expected)).ok_or(JoseError::Header)?;
        let issued_at = read.issued_at().ok_or(JoseError::Header)?;
        let (signature, signer) = (*read.statement().1, read.key()?);
        Ok(Self { signing_input, payload, signature, signer, issued_at, target })
    }

    /// As [`Unverified::parse`], for a string of JSON. It has no escapes: nothing in a JWS has to be escaped.
    pub(super) fn read(member: Option<Value<'t>>, targets: &[&'static str]) -> Result<Self, IdentityError> {
        let token = member.ok_or(IdentityError::Malformed)?.string()?;
        Self::parse(token.as_plain().ok_or(IdentityError::Malformed)?, targets)
    }

    /// Who claims to have signed it, with which key.
    #[must_use]
    pub const fn signer(&self) -> &KeyRef {
        &self.signer
    }

    /// When, as the signer says.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Whether it was signed to this end.
    pub(super) fn is_to(&self, target: &str) -> bool {
        self.target == target
    }

    /// What is to be verified: the message and its signature.
    #[must_use]
    pub const fn statement(&self) -> (&'t [u8], &Signature) {
        (self.signing_input.as_bytes(), &self.signature)
    }

    /// The bytes that [`Unverified::payload`] needs.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        base64::decoded_len_bound(self.payload.len())
    }

    /// Takes the word of a verifier that it verified [`Unverified::statement`], by the key of [`Unverified::signer`], and
    /// decodes the payload to the front of `out`.
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`] with [`Unverified::payload_len`], [`IdentityError::Malformed`].
    pub fn payload<'b>(&self, _: &Verified, out: &'b mut [u8]) -> Result<&'b mut [u8], IdentityError> {
        let decoded = base64::url_decode(self.payload.as_bytes(), out).map_err(JoseError::from)?.len();
        out.get_mut(..decoded).ok_or(IdentityError::Malformed)
    }

    /// Verifies the signature by the key of [`Unverified::signer`]. Slow.
    ///
    /// # Errors
    /// [`JoseError::Authentication`], [`JoseError::Crypto`].
    ///
    /// # Security
    /// The verifier says whether this key is trusted, and knows no addresses: compare [`Unverified::signer`] with the one that is expected.
    pub fn verify(&self, verifier: &mut dyn Verifier) -> Result<Verified, IdentityError> {
        let (message, signature) = self.statement();
        Ok(verifier.verify(&self.signer.kid(), message, signature)?)
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("signer", &self.signer).finish_non_exhaustive()
    }
}

format_as! { [] Unverified<'_>, unverified => "Unverified {{ signer: {} }}", unverified.signer }
