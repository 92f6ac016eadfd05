//! The messages as they are read.

#[cfg(doc)]
use super::super::members::names_at;
use super::super::members::{MAX_NONCE, Nonce, decode_at, nonce, offered, string};
use super::{Identifier, MAX_IDENTIFIER};
use crate::codec::json::{self, Str, Value};
use crate::error::{Error, Peer};
use core::ops::Range;

/// A request as it was read.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Where the decoded bytes of `public_key` stand in the buffer.
    pub(crate) public_key: Range<usize>,
    pub(crate) identifier: Identifier,
    pub(crate) nonce: Nonce,
    /// Where the names stand in the buffer: [`names_at`].
    pub(crate) schemes: Range<usize>,
}

/// Decodes an identifier into `room`, which has the most that it may have.
pub(crate) fn identifier<'r>(text: Str<'_>, room: &'r mut [u8; MAX_IDENTIFIER]) -> Result<&'r [u8], Error> {
    match text.base64(room) {
        Ok(identifier) if !identifier.is_empty() => Ok(identifier),
        _ => Err(Peer::Malformed.into()),
    }
}

impl Request {
    /// Reads the request that fills `buffer`, in its place, for it is large; its public key is decoded in place.
    ///
    /// # Errors
    /// [`Peer::Malformed`].
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let [client, offered_nonce, key, schemes] =
            json::object(buffer, &["identifier", "nonce", "public_key", "supported_schemes"])?;
        let key = string(key)?.range();
        self.take_identifier(string(client)?)?;
        let mut room = [0; MAX_NONCE];
        let nonce = nonce(string(offered_nonce)?, &mut room)?;
        self.nonce = Nonce::from_slice(nonce).map_err(|_| Peer::Malformed)?;
        self.schemes = offered(schemes)?;
        self.public_key = decode_at(buffer, key)?;
        Ok(())
    }

    #[inline(never)] // one frame less in its caller's
    fn take_identifier(&mut self, text: Str<'_>) -> Result<(), Error> {
        let mut room = [0; MAX_IDENTIFIER];
        self.identifier.extend_from_slice(identifier(text, &mut room)?).map_err(|_| Peer::Malformed.into())
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
    pub(crate) identity: Option<Value<'a>>,
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
            identity,
            expires_in,
        })
    }

    /// How long the agreement is kept, in seconds, where the response says so.
    pub(crate) fn expires_in(&self) -> Result<Option<u64>, Error> {
        self.expires_in.map(|seconds| Ok(seconds.integer()?)).transpose()
    }
}
