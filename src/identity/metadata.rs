//! Metadata: what an identity says of itself to everyone, at its registration, and to its relay, whenever it likes.

use super::draft::{Author, Draft};
use super::request::Place;
use super::{IdentityError, Unverified};
use crate::codec::json;

/// Replaces the private metadata, a JSON object: `POST /v1/identity/me/meta`.
///
/// # Errors
/// [`IdentityError::BufferTooSmall`]; [`IdentityError::Malformed`] for what is no JSON object.
pub fn update<'o>(
    author: &Author<'_>,
    private: &[u8],
    out: &'o mut [u8],
) -> Result<Draft<'o, 1>, IdentityError> {
    check(private)?;
    Place::METADATA.draft(author, private, out)
}

/// Takes the body of such a request apart. Its payload is to be checked with [`check`] after it was verified.
///
/// # Errors
/// [`IdentityError::Malformed`]; [`JoseError::Header`](crate::jose::JoseError::Header).
pub fn parse(body: &[u8]) -> Result<Unverified<'_>, IdentityError> {
    let [member] = json::object(body, &[Place::METADATA.member])?;
    Unverified::read(member, &[Place::METADATA.target])
}

/// Checks that `text` is a JSON object without repeated members, as metadata is.
///
/// # Errors
/// [`IdentityError::Malformed`].
pub fn check(text: &[u8]) -> Result<(), IdentityError> {
    json::object(text, &[])?;
    Ok(())
}
