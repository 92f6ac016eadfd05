//! What can go wrong with identities.

use crate::codec::BufferTooSmall;
use crate::codec::json::JsonError;
use crate::crypto::CryptoError;
use crate::jose::JoseError;
use core::fmt;

/// Why a request could not be built, or an answer or a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum IdentityError {
    /// Not JSON of the form that it must have, a repeated member, or a member that is not what it must be.
    Malformed,
    /// The relay, or a peer through it, refused.
    Refused {
        /// The status that the answer names.
        status: u16,
        /// The code that it names.
        code: u32,
    },
    /// It is of another identity than was asked for, or for another one.
    Address,
    /// The keys of the identity do not follow from each other, or not from the one that is trusted.
    Chain(ChainError),
    /// What is published was signed before what is known already.
    Stale,
    /// The message has come before.
    Duplicate,
    /// The message has expired.
    Expired,
    /// Another step comes first.
    WrongTurn,
    /// The buffer is too small: `needed` bytes work and one less does not.
    BufferTooSmall {
        /// The exact length in bytes.
        needed: usize,
    },
    /// A signature, an encryption or a key is wrong.
    Jose(JoseError),
}

/// Why a chain of keys is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ChainError {
    /// A key is signed by one that does not stand before it: a link is missing, or they are out of order.
    Gap,
    /// A key has two successors.
    Fork,
    /// A key comes twice.
    Repeated,
    /// The key that was seen last is not in it: the chain ends before, or is another.
    Rollback,
    /// It has more keys than there is room for.
    TooLong,
    /// It does not end with the key that is published.
    End,
}

impl From<ChainError> for IdentityError {
    fn from(error: ChainError) -> Self {
        Self::Chain(error)
    }
}

impl From<BufferTooSmall> for IdentityError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall { needed: error.needed }
    }
}

impl From<JsonError> for IdentityError {
    fn from(_: JsonError) -> Self {
        Self::Malformed
    }
}

impl From<JoseError> for IdentityError {
    fn from(error: JoseError) -> Self {
        match error {
            JoseError::Malformed => Self::Malformed,
            JoseError::BufferTooSmall { needed } => Self::BufferTooSmall { needed },
            other => Self::Jose(other),
        }
    }
}

impl From<CryptoError> for IdentityError {
    fn from(error: CryptoError) -> Self {
        Self::Jose(error.into())
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the request, answer or message is malformed"),
            Self::Refused { status, code } => write!(f, "refused with status {status} and code {code}"),
            Self::Address => f.write_str("it belongs to another identity"),
            Self::Chain(error) => error.fmt(f),
            Self::Stale => f.write_str("what is published is older than what is known"),
            Self::Duplicate => f.write_str("the message has come before"),
            Self::Expired => f.write_str("the message has expired"),
            Self::WrongTurn => f.write_str("another step is needed first"),
            Self::BufferTooSmall { needed } => BufferTooSmall { needed: *needed }.fmt(f),
            Self::Jose(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for IdentityError {}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gap => "a key is signed by one that does not stand before it",
            Self::Fork => "a key has two successors",
            Self::Repeated => "a key comes twice",
            Self::Rollback => "the key that was seen last is not among the identity's keys",
            Self::TooLong => "the identity has more keys than there is room for",
            Self::End => "the keys do not end with the one that is published",
        })
    }
}

impl core::error::Error for ChainError {}
