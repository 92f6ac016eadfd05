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
    /// The answer is below what was demanded: no `keyAgreement`, no scheme that was offered, a feature that was not, or what is no list of
    /// features.
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
    #[inline(never)] // small: it is called behind every step of the provider's
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

/// Defines [`Code`]: of each its name behind the prefix, the status and the sentence.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident: $name:literal, $status:literal, $message:literal;)*) => {
        /// An error code of the wire (§2.6).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// All codes, in the order of §2.6.
            pub const ALL: [Self; 15] = [$(Self::$code),*];

            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => concat!("DYNAMIC_KEY_V2_", $name),)*
                }
            }

            /// The HTTP status that comes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$code => $status,)*
                }
            }

            /// The sentence that stands beside it on the wire: nothing of the request.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$code => $message,)*
                }
            }
        }

        /// What tells the codes apart: their names without the prefix, in the order of [`Code::ALL`], a comma behind each.
        const NAMES: &[u8] = concat!($($name, ","),*).as_bytes();
    };
}

codes! {
    /// The version header is absent or not `2`.
    MissingVersion: "MISSING_VERSION", 400, "The header X-Dynamic-Key-Version: 2 is required.";
    /// A public key is no valid one (§1).
    InvalidPublicKey: "INVALID_PUBLIC_KEY", 400, "The public key is not valid.";
    /// Not the JSON of the protocol, over a limit, or not base64.
    MalformedRequest: "MALFORMED_REQUEST", 400, "The request is malformed.";
    /// The client is unknown, or claims an identity that is not its own.
    ClientNotAllowed: "CLIENT_NOT_ALLOWED", 403, "The client is not allowed.";
    /// No scheme is common to both.
    NoCommonScheme: "NO_COMMON_SCHEME", 400, "No offered scheme is supported.";
    /// The chosen scheme needs a key of another group.
    RetryWithScheme: "RETRY_WITH_SCHEME", 409, "Retry with a key for the named scheme.";
    /// The mode is below the gateway's policy.
    ConfirmationRequired: "CONFIRMATION_REQUIRED", 400, "A stronger mode is required.";
    /// No, unknown, long ended or exhausted session.
    InvalidSession: "INVALID_SESSION", 400, "The session is not valid.";
    /// The session is past its end.
    SessionExpired: "SESSION_EXPIRED", 401, "The session has expired.";
    /// The token is absent, wrong, outside its time, or another session's.
    InvalidToken: "INVALID_TOKEN", 401, "The token is not valid.";
    /// Repeated nonce, wrong tag, reflected envelope: one code for all.
    EncryptionError: "ENCRYPTION_ERROR", 400, "The envelope could not be opened.";
    /// No rule admits the route.
    RouteNotAllowed: "ROUTE_NOT_ALLOWED", 404, "The route is not allowed.";
    /// Rate limit.
    TooManyRequests: "TOO_MANY_REQUESTS", 429, "Too many requests.";
    /// The session store cannot answer.
    StoreUnavailable: "STORE_UNAVAILABLE", 503, "The session store is unavailable.";
    /// The upstream did not answer.
    UpstreamUnavailable: "UPSTREAM_UNAVAILABLE", 502, "The upstream is unavailable.";
}

impl Code {
    /// What every code begins with.
    pub const PREFIX: &'static str = "DYNAMIC_KEY_V2_";

    /// The code with this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix(Self::PREFIX)?;
        let code = NAMES.split(|byte| *byte == b',').position(|known| known == name.as_bytes())?;
        Self::ALL.get(code).copied()
    }

    /// As [`Code::from_name`], of a string as it was sent.
    pub(crate) fn from_json(name: Str<'_>) -> Option<Self> {
        let mut room = [0; 64]; // the longest has 36 characters
        Self::from_name(name.copy_to(&mut room).ok()?)
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
        for name in [
            "",
            ",",
            "INVALID_TOKEN,",
            "INVALID_TOKEN,ENCRYPTION_ERROR",
            "INVALID_TOKE",
            "INVALID_TOKENS",
            "invalid_token",
        ] {
            assert_eq!(Code::from_name(&std::format!("{}{name}", Code::PREFIX)), None, "{name}");
        }
        for name in ["", "INVALID_TOKEN", "DYNAMIC_KEY_V2", "DYNAMIC_KEY_V3_INVALID_TOKEN"] {
            assert_eq!(Code::from_name(name), None, "{name}");
        }
    }
}
