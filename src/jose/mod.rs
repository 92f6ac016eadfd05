//! JOSE without a heap, in the compact form only and with few algorithms (§4): what is signed with which key is the
//! caller's choice, never the header's.

pub mod api_key;
mod compact;
#[cfg(feature = "jwe")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwe")))]
pub mod jwe;
pub mod jwk;
pub mod jws;
pub mod jwt;
mod key;
mod key_ref;
#[cfg(feature = "jwe")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwe")))]
pub mod package;

pub use compact::{Json, Unsigned};
pub use key::{Algorithm, Hs256Key, SigningKey, VerifyingKey};
pub use key_ref::KeyRef;

use crate::codec::BufferTooSmall;
use crate::codec::base64::Base64Error;
use crate::codec::json::{self, JsonError, Value};
use crate::crypto::CryptoError;
use crate::error::{Error, Misuse, Peer};
use core::fmt;

/// Members that no header may have (§4): they would change what a message means, or name a key that nobody trusts.
const REFUSED_MEMBERS: [&str; 9] = ["crit", "zip", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"];

/// The most members of a header that are asked for.
const MAX_ASKED: usize = 7;

/// The members of these names of a header that has none of [`REFUSED_MEMBERS`], in one pass.
#[inline(never)] // one frame less in its caller's
fn header<'h, const N: usize>(
    text: &'h [u8],
    names: &[&str; N],
) -> Result<[Option<Value<'h>>; N], JoseError> {
    const { assert!(N <= MAX_ASKED) };
    // What is left over asks for a member without a name, and nobody looks at it.
    let mut all = [""; REFUSED_MEMBERS.len() + MAX_ASKED];
    all.iter_mut().zip(REFUSED_MEMBERS.iter().chain(names)).for_each(|(to, name)| *to = name);
    let found = json::object(text, &all)?;
    let (refused, asked) = found.split_first_chunk::<{ REFUSED_MEMBERS.len() }>().ok_or(JoseError::Header)?;
    let asked = asked.first_chunk().ok_or(JoseError::Header)?;
    if refused.iter().any(Option::is_some) { Err(JoseError::Header) } else { Ok(*asked) }
}

/// Why something of JOSE could not be made or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum JoseError {
    /// Not the compact form in canonical base64url, not JSON, a repeated member, or a claim that is not what it must be.
    Malformed,
    /// The header names another algorithm or type than is expected, or has a member that is refused.
    Header,
    /// The signature or the tag is wrong, or the key of it is not known.
    Authentication,
    /// A key is no valid P-256 key, is for another use, or is not the one that is named.
    Key,
    /// A claim is absent, or another than is expected.
    Claim,
    /// `exp` has come.
    Expired,
    /// `nbf` or `iat` has not come.
    NotYetValid,
    /// The secret is too short for a key.
    WeakKey,
    /// A [`Json`] is longer than it said.
    TooLong,
    /// The buffer is too small: `needed` bytes work and one less does not.
    BufferTooSmall {
        /// The exact length in bytes.
        needed: usize,
    },
    /// The signer or verifier failed, for another reason than a wrong signature.
    Crypto(CryptoError),
}

impl From<BufferTooSmall> for JoseError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall { needed: error.needed }
    }
}

impl From<Base64Error> for JoseError {
    fn from(error: Base64Error) -> Self {
        match error {
            Base64Error::BufferTooSmall(error) => error.into(),
            Base64Error::Malformed => Self::Malformed,
        }
    }
}

impl From<JsonError> for JoseError {
    fn from(_: JsonError) -> Self {
        Self::Malformed
    }
}

impl From<CryptoError> for JoseError {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::Authentication => Self::Authentication,
            CryptoError::InvalidPublicKey => Self::Key,
            other => Self::Crypto(other),
        }
    }
}

impl From<JoseError> for Error {
    fn from(error: JoseError) -> Self {
        match error {
            JoseError::Malformed | JoseError::Header => Peer::Malformed.into(),
            JoseError::Authentication | JoseError::Claim | JoseError::Expired | JoseError::NotYetValid => {
                Peer::Authentication.into()
            }
            JoseError::Key => Peer::InvalidPublicKey.into(),
            JoseError::WeakKey => Misuse::InvalidConfiguration.into(),
            JoseError::TooLong => Misuse::TooLong.into(),
            JoseError::BufferTooSmall { needed } => Self::BufferTooSmall { needed },
            JoseError::Crypto(error) => error.into(),
        }
    }
}

impl fmt::Display for JoseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the token is malformed"),
            Self::Header => f.write_str("the token's header is not the expected one"),
            Self::Authentication => f.write_str("the token could not be authenticated"),
            Self::Key => f.write_str("a key is invalid, or not the one for this"),
            Self::Claim => f.write_str("a claim of the token is absent or not the expected one"),
            Self::Expired => f.write_str("the token has expired"),
            Self::NotYetValid => f.write_str("the token is not valid yet"),
            Self::WeakKey => f.write_str("the secret is too short for a key"),
            Self::TooLong => f.write_str("the message is longer than it said"),
            Self::BufferTooSmall { needed } => BufferTooSmall { needed: *needed }.fmt(f),
            Self::Crypto(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for JoseError {}
