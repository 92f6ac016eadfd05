//! What a server answers when a step fails.

use crate::crypto::CryptoError;
use crate::error::{Code, Error, Peer};
use crate::handshake::dynamic_key::{error_len, write_error};
use crate::scheme::Scheme;
use core::fmt;

/// An error that the server answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Refusal {
    /// Its code.
    pub code: Code,
    /// The scheme that a 409 names.
    pub scheme: Option<Scheme>,
}

impl Refusal {
    /// The length of its JSON in bytes.
    #[must_use]
    pub const fn body_len(&self) -> usize {
        error_len(self.code, self.scheme)
    }

    /// Writes its JSON (§2.6) to the front of `out` and returns the length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with [`Refusal::body_len`].
    pub fn write(&self, out: &mut [u8]) -> Result<usize, Error> {
        write_error(self.code, self.scheme, out)
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, scheme: None }
    }
}

/// Why a step of the server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServerError {
    /// The peer, or the provider: answer with this. The handshake has failed.
    Refuse(Refusal),
    /// The caller can mend it, and nothing has changed.
    Misuse(Error),
}

impl ServerError {
    /// Refuses with `code`.
    pub(crate) fn code(code: Code) -> Self {
        Self::Refuse(code.into())
    }
}

impl From<Error> for ServerError {
    fn from(error: Error) -> Self {
        match error {
            Error::Peer(Peer::InvalidPublicKey) => Self::code(Code::InvalidPublicKey),
            Error::Peer(Peer::Authentication) => Self::code(Code::EncryptionError),
            Error::Peer(_) => Self::code(Code::MalformedRequest),
            Error::SessionExpired => Self::code(Code::SessionExpired),
            // A failing provider: nothing is served unchecked.
            Error::Crypto(_) => Self::code(Code::StoreUnavailable),
            other => Self::Misuse(other),
        }
    }
}

impl From<CryptoError> for ServerError {
    fn from(error: CryptoError) -> Self {
        Error::from(error).into()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(refusal) => write!(f, "refused with {}", refusal.code),
            Self::Misuse(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ServerError {}
