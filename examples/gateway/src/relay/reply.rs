//! The common answer, `{status, code, err, msg, txnID, first, last, continue, body}` (§4).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use dynamic_key::identity::{ChainError, IdentityError};
use dynamic_key::jose::JoseError;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::warn;

/// What was done: a code of 2xxxx and what to say of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done(pub(super) u32, pub(super) &'static str);

impl Done {
    pub(super) const REGISTERED: Self = Self(20_011, "Registered the identity.");
    pub(super) const ME: Self = Self(20_012, "All of the identity.");
    pub(super) const FOUND: Self = Self(20_013, "What the identity publishes.");
    pub(super) const SIGNING: Self = Self(20_014, "Replaced the signing key.");
    pub(super) const ENCRYPTION: Self = Self(20_015, "Replaced the encryption key.");
    pub(super) const METADATA: Self = Self(20_016, "Replaced the private metadata.");
    pub(super) const RECOVERY: Self = Self(20_017, "Replaced the recovery data.");
    pub(super) const RECOVERED: Self = Self(20_018, "The recovery data.");
    pub(super) const SENT: Self = Self(20_021, "Took the messages.");
    pub(super) const FETCHED: Self = Self(20_022, "Messages, most recent first.");
    pub(super) const EVENTS: Self = Self(20_031, "Events, most recent first.");
}

/// An answer to what could be done.
#[derive(Debug)]
pub(super) struct Success {
    pub(super) done: Done,
    /// JSON.
    pub(super) body: Option<String>,
    /// The cursors of the first and last element of a page.
    pub(super) page: Option<(String, String)>,
    /// Whether there is another page.
    pub(super) more: Option<bool>,
}

impl Success {
    pub(super) const fn new(done: Done, body: Option<String>) -> Self {
        Self { done, body, page: None, more: None }
    }
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    Header,
    Clock,
    Key,
    Expiry,
    Timeout,
    TooLarge,
    Unauthorized,
    Signature,
    Foreign,
    Customer,
    NotCurrent,
    NoIdentity,
    NoRecovery,
    NoRecipient,
    Taken,
    Older,
    Reused,
    Full,
    KeysExhausted,
    TooManyIdentities,
    TooMany(Duration),
    TooManyListen,
    Internal,
    Unavailable,
}

impl Refusal {
    /// The HTTP status, the code, and what is wrong.
    const fn parts(self) -> (StatusCode, u32, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, 40_001, "The request is malformed."),
            Self::Header => {
                (StatusCode::BAD_REQUEST, 40_002, "Something was signed otherwise or to another end.")
            }
            Self::Clock => (StatusCode::BAD_REQUEST, 40_003, "Something was signed too long ago, or later."),
            Self::Key => (StatusCode::BAD_REQUEST, 40_004, "A key is invalid, or not the one for this."),
            Self::Expiry => (StatusCode::BAD_REQUEST, 40_005, "A message has expired, or expires too late."),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, 40_801, "The request took too long."),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 41_301, "Something is too large."),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, 40_101, "The request is not authorized."),
            Self::Signature => (StatusCode::FORBIDDEN, 40_301, "A signature is wrong."),
            Self::Foreign => (StatusCode::FORBIDDEN, 40_302, "The identity is another application's."),
            Self::Customer => (StatusCode::FORBIDDEN, 40_303, "The customer is another."),
            Self::NotCurrent => (StatusCode::CONFLICT, 40_901, "The signing key is not the current one."),
            Self::NoIdentity => (StatusCode::NOT_FOUND, 40_401, "There is no such identity."),
            Self::NoRecovery => (StatusCode::NOT_FOUND, 40_402, "There is no recovery data."),
            Self::NoRecipient => (StatusCode::NOT_FOUND, 40_403, "There is no such recipient."),
            Self::Taken => (StatusCode::CONFLICT, 40_902, "The signing key is or was somebody's."),
            Self::Older => (StatusCode::CONFLICT, 40_903, "What is there was signed at that time, or later."),
            Self::Reused => (StatusCode::CONFLICT, 40_904, "The id is that of another message."),
            Self::Full => (StatusCode::CONFLICT, 40_905, "The recipient has too many messages."),
            Self::KeysExhausted => (StatusCode::CONFLICT, 40_906, "The identity has had too many keys."),
            Self::TooManyIdentities => {
                (StatusCode::CONFLICT, 40_907, "The application has too many identities.")
            }
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, 42_901, "Too many requests."),
            Self::TooManyListen => (StatusCode::TOO_MANY_REQUESTS, 42_902, "Too many listen in its name."),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 50_001, "Internal error."),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, 50_301, "Not now."),
        }
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Malformed => Self::Malformed,
            IdentityError::Chain(ChainError::Repeated) => Self::Taken,
            IdentityError::Chain(_) => Self::NotCurrent,
            IdentityError::Expired => Self::Expiry,
            IdentityError::BufferTooSmall { .. } => Self::TooLarge,
            IdentityError::Jose(JoseError::Header) => Self::Header,
            IdentityError::Address | IdentityError::Jose(JoseError::Key) => Self::Key,
            IdentityError::Jose(JoseError::Authentication) => Self::Signature,
            _ => Self::Internal,
        }
    }
}

impl From<JoseError> for Refusal {
    fn from(error: JoseError) -> Self {
        IdentityError::from(error).into()
    }
}

impl From<redb::Error> for Refusal {
    fn from(error: redb::Error) -> Self {
        warn!(%error, "the relay's database");
        Self::Internal
    }
}

macro_rules! database {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for Refusal {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}

database!(TransactionError TableError StorageError CommitError);

/// An answer that is ready, and what the log says of it.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) code: u32,
    /// By which the exchange is known.
    pub(super) transaction: String,
    /// JSON.
    pub(super) text: String,
    refusal: Option<Refusal>,
}

impl Reply {
    pub(super) fn of(outcome: Result<Success, Refusal>) -> Self {
        let transaction = transaction();
        let (status, code, text) = match &outcome {
            Ok(success) => (StatusCode::OK, success.done.0, of_success(success, &transaction)),
            Err(refusal) => {
                let (status, code, err) = refusal.parts();
                let status_code = status.as_u16();
                let text = format!(
                    r#"{{"status":{status_code},"code":{code},"err":"{err}","txnID":"{transaction}"}}"#
                );
                (status, code, text)
            }
        };
        Self { status, code, transaction, text, refusal: outcome.err() }
    }

    /// As it is answered over HTTP.
    pub(super) fn response(self) -> Response {
        let mut response = json(self.status, self.text);
        let headers = response.headers_mut();
        match self.refusal {
            Some(Refusal::TooMany(wait)) => {
                headers.insert(header::RETRY_AFTER, wait.as_secs().saturating_add(1).into());
            }
            Some(Refusal::Unauthorized) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// The members are JSON already, or such that nothing of them is ever escaped.
fn of_success(success: &Success, transaction: &str) -> String {
    let Success { done: Done(code, msg), body, page, more } = success;
    let mut text = format!(r#"{{"status":200,"code":{code},"msg":"{msg}","txnID":"{transaction}""#);
    if let Some((first, last)) = page {
        let _ = write!(text, r#","first":"{first}","last":"{last}""#);
    }
    if let Some(more) = more {
        let _ = write!(text, r#","continue":{more}"#);
    }
    if let Some(body) = body {
        let _ = write!(text, r#","body":{body}"#);
    }
    text.push('}');
    text
}

pub(super) fn json(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Nanoseconds since 1970 and a random number.
fn transaction() -> String {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{nanos}-{}", getrandom::u32().unwrap_or_default())
}
