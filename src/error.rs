//! What can go wrong, in families that a caller can act on, and the codes of the wire (§2.6).

use crate::codec::BufferTooSmall;
use crate::codec::json::{JsonError, Str};
use crate::crypto::CryptoError;
use core::fmt;

/// An error of the core. It holds no strings, no secrets and nothing of the message that caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The peer misbehaved, or somebody on the wire did.
    Peer(Peer),
    /// The two cannot work together as they are configured.
    Incompatible(Incompatible),
    /// The caller misused the API.
    Misuse(Misuse),
    /// The buffer is too small: `needed` bytes work and one less does not. Nothing has changed.
    BufferTooSmall {
        /// The exact length in bytes.
        needed: usize,
    },
    /// The session is past its end: make a new one.
    SessionExpired,
    /// A key has sealed as many messages, or blocks, as it may (§2.4): make a new session.
    SessionExhausted,
    /// The peer answered with an error of its own. Unsealed, it is a hint from whoever sits on the wire (§2.6).
    Refused(Code),
    /// The provider failed, for a reason that is not the peer's.
    Crypto(CryptoError),
}

/// How a peer misbehaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Peer {
    /// The message is not what §2.1 to §2.4 describe.
    Malformed,
    /// The public key is no valid element of its group.
    InvalidPublicKey,
    /// Whatever follows an authentication: a proof, a signature, a tag or a nonce is wrong.
    Authentication,
    /// The answer is below what was demanded: no `keyAgreement`, a scheme or a feature that was not offered.
    Downgrade,
    /// A status without a code of the protocol.
    UnexpectedStatus(u16),
}

/// Why the two cannot work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Incompatible {
    /// The token does not fit the capacity that the session has for it.
    TokenTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The answer's session has already ended by this clock.
    AlreadyExpired,
}

/// How the API was misused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Misuse {
    /// The machine needs another step first: see its `need`.
    WrongTurn,
    /// The handshake has failed; its secrets are gone.
    HandshakeFailed,
    /// A string of the configuration has a length or a character that the protocol excludes (§2.1).
    InvalidConfiguration,
    /// A request has a method, path, header or body that the protocol excludes (§2.4, §2.5).
    InvalidRequest,
    /// As many requests are outstanding as the session has room for (in plain mode one).
    TooManyOutstanding,
    /// The message is longer than the call allows.
    TooLong,
}

impl From<BufferTooSmall> for Error {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall { needed: error.needed }
    }
}

impl From<JsonError> for Error {
    fn from(_: JsonError) -> Self {
        Self::Peer(Peer::Malformed)
    }
}

impl From<Peer> for Error {
    fn from(error: Peer) -> Self {
        Self::Peer(error)
    }
}

impl From<Incompatible> for Error {
    fn from(error: Incompatible) -> Self {
        Self::Incompatible(error)
    }
}

impl From<Misuse> for Error {
    fn from(error: Misuse) -> Self {
        Self::Misuse(error)
    }
}

impl From<CryptoError> for Error {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::InvalidPublicKey => Self::Peer(Peer::InvalidPublicKey),
            CryptoError::Authentication => Self::Peer(Peer::Authentication),
            other => Self::Crypto(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(Peer::Malformed) => f.write_str("the peer's message is malformed"),
            Self::Peer(Peer::InvalidPublicKey) => f.write_str("the peer's public key is invalid"),
            Self::Peer(Peer::Authentication) => f.write_str("the message could not be authenticated"),
            Self::Peer(Peer::Downgrade) => f.write_str("the peer answered below what was demanded"),
            Self::Peer(Peer::UnexpectedStatus(status)) => write!(f, "the peer answered with status {status}"),
            Self::Incompatible(Incompatible::TokenTooLong { length }) => {
                write!(f, "the session has no room for a token of {length} bytes")
            }
            Self::Incompatible(Incompatible::AlreadyExpired) => {
                f.write_str("the new session has already expired by this clock")
            }
            Self::Misuse(Misuse::WrongTurn) => f.write_str("another step comes first"),
            Self::Misuse(Misuse::HandshakeFailed) => f.write_str("the handshake has failed"),
            Self::Misuse(Misuse::InvalidConfiguration) => f.write_str("the configuration is invalid"),
            Self::Misuse(Misuse::InvalidRequest) => f.write_str("the request is invalid"),
            Self::Misuse(Misuse::TooManyOutstanding) => f.write_str("too many requests are outstanding"),
            Self::Misuse(Misuse::TooLong) => f.write_str("the message is too long"),
            Self::BufferTooSmall { needed } => {
                write!(f, "the buffer is too small: {needed} bytes are needed")
            }
            Self::SessionExpired => f.write_str("the session has expired"),
            Self::SessionExhausted => f.write_str("the session's key is exhausted"),
            Self::Refused(code) => write!(f, "the peer refused: {code}"),
            Self::Crypto(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// An error code of the wire (§2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Code {
    /// The version header is absent or not `2`.
    MissingVersion,
    /// A public key is no valid one (§1).
    InvalidPublicKey,
    /// Not the JSON of the protocol, over a limit, or not base64.
    MalformedRequest,
    /// The client is unknown, or claims an identity that is not its own.
    ClientNotAllowed,
    /// No scheme is common to both.
    NoCommonScheme,
    /// The chosen scheme needs a key of another group.
    RetryWithScheme,
    /// The mode is below the gateway's policy.
    ConfirmationRequired,
    /// No, unknown, long ended or exhausted session.
    InvalidSession,
    /// The session is past its end.
    SessionExpired,
    /// The token is absent, wrong, outside its time, or another session's.
    InvalidToken,
    /// Repeated nonce, wrong tag, reflected envelope: one code for all.
    EncryptionError,
    /// No rule admits the route.
    RouteNotAllowed,
    /// Rate limit.
    TooManyRequests,
    /// The session store cannot answer.
    StoreUnavailable,
    /// The upstream did not answer.
    UpstreamUnavailable,
}

impl Code {
    /// All codes, in the order of §2.6.
    pub const ALL: [Self; 15] = [
        Self::MissingVersion,
        Self::InvalidPublicKey,
        Self::MalformedRequest,
        Self::ClientNotAllowed,
        Self::NoCommonScheme,
        Self::RetryWithScheme,
        Self::ConfirmationRequired,
        Self::InvalidSession,
        Self::SessionExpired,
        Self::InvalidToken,
        Self::EncryptionError,
        Self::RouteNotAllowed,
        Self::TooManyRequests,
        Self::StoreUnavailable,
        Self::UpstreamUnavailable,
    ];

    /// What every code begins with.
    pub const PREFIX: &'static str = "DYNAMIC_KEY_V2_";

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingVersion => "DYNAMIC_KEY_V2_MISSING_VERSION",
            Self::InvalidPublicKey => "DYNAMIC_KEY_V2_INVALID_PUBLIC_KEY",
            Self::MalformedRequest => "DYNAMIC_KEY_V2_MALFORMED_REQUEST",
            Self::ClientNotAllowed => "DYNAMIC_KEY_V2_CLIENT_NOT_ALLOWED",
            Self::NoCommonScheme => "DYNAMIC_KEY_V2_NO_COMMON_SCHEME",
            Self::RetryWithScheme => "DYNAMIC_KEY_V2_RETRY_WITH_SCHEME",
            Self::ConfirmationRequired => "DYNAMIC_KEY_V2_CONFIRMATION_REQUIRED",
            Self::InvalidSession => "DYNAMIC_KEY_V2_INVALID_SESSION",
            Self::SessionExpired => "DYNAMIC_KEY_V2_SESSION_EXPIRED",
            Self::InvalidToken => "DYNAMIC_KEY_V2_INVALID_TOKEN",
            Self::EncryptionError => "DYNAMIC_KEY_V2_ENCRYPTION_ERROR",
            Self::RouteNotAllowed => "DYNAMIC_KEY_V2_ROUTE_NOT_ALLOWED",
            Self::TooManyRequests => "DYNAMIC_KEY_V2_TOO_MANY_REQUESTS",
            Self::StoreUnavailable => "DYNAMIC_KEY_V2_STORE_UNAVAILABLE",
            Self::UpstreamUnavailable => "DYNAMIC_KEY_V2_UPSTREAM_UNAVAILABLE",
        }
    }

    /// The HTTP status that comes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::MissingVersion
            | Self::InvalidPublicKey
            | Self::MalformedRequest
            | Self::NoCommonScheme
            | Self::ConfirmationRequired
            | Self::InvalidSession
            | Self::EncryptionError => 400,
            Self::SessionExpired | Self::InvalidToken => 401,
            Self::ClientNotAllowed => 403,
            Self::RouteNotAllowed => 404,
            Self::RetryWithScheme => 409,
            Self::TooManyRequests => 429,
            Self::UpstreamUnavailable => 502,
            Self::StoreUnavailable => 503,
        }
    }

    /// The sentence that stands beside it on the wire: nothing of the request.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::MissingVersion => "The header X-Dynamic-Key-Version: 2 is required.",
            Self::InvalidPublicKey => "The public key is not valid.",
            Self::MalformedRequest => "The request is malformed.",
            Self::ClientNotAllowed => "The client is not allowed.",
            Self::NoCommonScheme => "No offered scheme is supported.",
            Self::RetryWithScheme => "Retry with a key for the named scheme.",
            Self::ConfirmationRequired => "A stronger mode is required.",
            Self::InvalidSession => "The session is not valid.",
            Self::SessionExpired => "The session has expired.",
            Self::InvalidToken => "The token is not valid.",
            Self::EncryptionError => "The envelope could not be opened.",
            Self::RouteNotAllowed => "The route is not allowed.",
            Self::TooManyRequests => "Too many requests.",
            Self::StoreUnavailable => "The session store is unavailable.",
            Self::UpstreamUnavailable => "The upstream is unavailable.",
        }
    }

    /// The code with this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// As [`Code::from_name`], of a string as it was sent.
    pub(crate) fn from_json(name: Str<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|code| name.is(code.name()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_distinct_names_with_the_prefix() {
        for code in Code::ALL {
            assert!(code.name().starts_with(Code::PREFIX));
            assert_eq!(Code::from_name(code.name()), Some(code));
        }
        assert_eq!(Code::from_name("DYNAMIC_KEY_V2_"), None);
    }
}
