//! Tokens of an issuer (§5): obtained, used, renewed before they end, given back. One lifecycle for OAuth 2.0 and for login
//! with an API key, without I/O, a clock or randomness of its own.
//!
//! [`Lifecycle`] says what it [needs](Need): a request to be sent, an answer to it, some time, a user, or nothing any more.
//! How an issuer speaks is a [`Dialect`], data. [`TokenClient`](crate::client::TokenClient) drives one over a transport.
//!
//! ```
//! use dynamic_key::codec::timestamp::Timestamp;
//! use dynamic_key::session::Now;
//! use dynamic_key::token::{Answer, Config, Credentials, Lifecycle, Need, login};
//!
//! let credentials = Credentials::confidential("device-0042", "correct horse")?.with_api_key("key-1")?;
//! let mut tokens: Lifecycle<'_, 256> = Lifecycle::new(Config::new(&login::NILO, &credentials))?;
//!
//! let now = Now::wall(Timestamp::from_unix_secs(1_780_000_000));
//! assert_eq!(tokens.need(now), Need::Request);
//! let mut buffer = [0; 256];
//! let (request, pending) = tokens.request(now, &mut buffer)?;
//! assert_eq!((request.target, request.api_key), ("/login", Some(("x-api-key", "key-1"))));
//! assert_eq!(request.body, br#"{"clientId":"device-0042","clientSecret":"correct horse"}"#);
//!
//! let body = br#"{"access_token":"eyJhbGciOi.J9","token_type":"Bearer","expires_in":3600}"#;
//! let random = 0x8000_0000;
//! tokens.answer(pending, now, random, Answer { status: 200, retry_after: None, body })?;
//! assert_eq!(tokens.access(now).map(|access| access.token), Some("eyJhbGciOi.J9"));
//! # Ok::<(), dynamic_key::token::TokenError>(())
//! ```

mod answer;
mod authorize;
mod config;
mod credentials;
mod dialect;
mod lifecycle;
pub mod login;
mod need;
pub mod oauth;
mod pkce;
mod request;
mod retry;
mod text;

pub use answer::Answer;
pub use config::Config;
pub use credentials::Credentials;
pub use dialect::{Answers, Authorize, Dialect, Encoding, Endpoint, Field, Meaning, Presence};
pub use lifecycle::Lifecycle;
pub use need::{Access, Generation, Need, Pending, Stop};
pub use pkce::{Challenge, CodeVerifier};
pub use request::Request;
pub use retry::{MAX_RETRY_AFTER, Policy};

use crate::codec::BufferTooSmall;
use crate::codec::json::JsonError;
use core::fmt;

/// Why a step of a lifecycle brought no token. What follows is what [`Lifecycle::need`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TokenError {
    /// The answer or the redirect is not what the dialect describes.
    Malformed,
    /// The issuer refused, with this status.
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The user or the issuer refused the authorization.
    Denied,
    /// The redirect has not the `state` that was sent: it is not the answer to our request.
    State,
    /// The issuer wants to be asked another time, with this status.
    Later {
        /// The HTTP status.
        status: u16,
    },
    /// The token had ended when it came.
    Expired,
    /// A token is longer than there is room for it.
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The machine needs another step first, or this is the answer to a request that was given up.
    WrongTurn,
    /// The configuration lacks what its dialect demands, or has what the protocol excludes.
    InvalidConfiguration,
    /// The buffer is too small: `needed` bytes work and one less does not. Nothing has changed.
    BufferTooSmall {
        /// The exact length in bytes.
        needed: usize,
    },
}

impl From<BufferTooSmall> for TokenError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall { needed: error.needed }
    }
}

impl From<JsonError> for TokenError {
    fn from(_: JsonError) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the issuer's answer is malformed"),
            Self::Refused { status } => write!(f, "the issuer refused with status {status}"),
            Self::Denied => f.write_str("the authorization was denied"),
            Self::State => f.write_str("the redirect answers no request of ours"),
            Self::Later { status } => write!(f, "the issuer put us off with status {status}"),
            Self::Expired => f.write_str("the token had expired when it came"),
            Self::TooLong { length } => write!(f, "a token has {length} bytes, more than there is room for"),
            Self::WrongTurn => f.write_str("another step is needed first"),
            Self::InvalidConfiguration => f.write_str("the configuration of the tokens is invalid"),
            Self::BufferTooSmall { needed } => BufferTooSmall { needed: *needed }.fmt(f),
        }
    }
}

impl core::error::Error for TokenError {}
