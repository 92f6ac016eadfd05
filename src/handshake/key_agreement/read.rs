//! The messages as they are read.

use super::super::members::{IdentityFields, string};
use super::MAX_IDENTIFIER;
use crate::codec::json::{self, Str, Value};
use crate::error::{Error, Peer};

/// Decodes an identifier into `room`, which has the most that it may have.
pub(crate) fn identifier<'r>(text: Str<'_>, room: &'r mut [u8; MAX_IDENTIFIER]) -> Result<&'r [u8], Error> {
    match text.base64(room) {
        Ok(identifier) if !identifier.is_empty() => Ok(identifier),
        _ => Err(Peer::Malformed.into()),
    }
}

/// A response as it was read: views of its members, whose grammar has been checked, and no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseFields<'a> {
    pub(crate) client_reference_id: Str<'a>,
    pub(crate) identifier: Str<'a>,
    pub(crate) proof: Str<'a>,
    pub(crate) public_key: Str<'a>,
    pub(crate) scheme: Str<'a>,
    pub(crate) identity: Option<IdentityFields<'a>>,
    pub(crate) expires_in: Option<Value<'a>>,
}

impl<'a> ResponseFields<'a> {
    /// Reads the response that fills `text`.
    ///
    /// # Errors
    /// [`Peer::Malformed`].
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, Error> {
        let [client_reference_id, identifier, proof, public_key, scheme, identity, expires_in] =
            json::object(
                text,
                &[
                    "client_reference_id",
                    "identifier",
                    "proof",
                    "public_key",
                    "scheme",
                    "identity",
                    "expires_in",
                ],
            )?;
        Ok(Self {
            client_reference_id: string(client_reference_id)?,
            identifier: string(identifier)?,
            proof: string(proof)?,
            public_key: string(public_key)?,
            scheme: string(scheme)?,
            identity: identity.map(IdentityFields::parse).transpose()?,
            expires_in,
        })
    }

    /// How long the agreement is kept, in seconds, where the response says so.
    pub(crate) fn expires_in(&self) -> Result<Option<u64>, Error> {
        self.expires_in.map(|seconds| Ok(seconds.integer()?)).transpose()
    }
}
