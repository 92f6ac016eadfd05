//! What an issuer is configured with.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;

/// An issuer's configuration: the table `issuer` of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file of what was issued. It holds no token, only hashes of them.
    pub database: PathBuf,
    /// How long an access token lasts.
    #[serde(default = "hour")]
    pub access_seconds: u64,
    /// How long a refresh token lasts that nobody uses.
    #[serde(default = "month")]
    pub refresh_seconds: u64,
    /// Requests for tokens of one source in a minute; 0 is no limit.
    #[serde(default = "sixty")]
    pub requests_per_minute: u32,
    /// Who gets tokens.
    #[serde(default)]
    pub clients: Vec<Registered>,
}

/// A client that gets tokens.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Its secret, if it can keep one.
    pub secret: Option<String>,
    /// Its API key, if it logs in with one.
    pub api_key: Option<String>,
    /// Where its users are sent back to.
    pub redirect_uri: Option<String>,
    /// Whether it gets nothing for now.
    #[serde(default)]
    pub suspended: bool,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Settings {
    /// The demonstration: a client of each kind, and one that is suspended; 600 requests a minute.
    #[must_use]
    pub fn demo(database: PathBuf) -> Self {
        let client = |id: &str| Registered {
            id: id.into(),
            secret: Some(format!("{id}-secret")),
            api_key: None,
            redirect_uri: None,
            suspended: false,
        };
        let redirect_uri = Some("http://127.0.0.1/callback".into());
        let clients = vec![
            client("merchant"),
            Registered { api_key: Some("platform-key".into()), ..client("platform") },
            Registered { secret: None, redirect_uri, ..client("app") },
            Registered { suspended: true, ..client("suspended") },
        ];
        let (access_seconds, refresh_seconds) = (hour(), month());
        Self { database, access_seconds, refresh_seconds, requests_per_minute: 600, clients }
    }
}

/// Whether `sent` is the secret, or there is none and none was sent; the time that takes does not tell how much of it is
/// right.
pub(super) fn is(secret: Option<&str>, sent: Option<&str>) -> bool {
    match (secret, sent) {
        (Some(secret), Some(sent)) => Sha256::digest(secret) == Sha256::digest(sent),
        (None, None) => true,
        _ => false,
    }
}

const fn hour() -> u64 {
    3_600
}

const fn month() -> u64 {
    30 * 86_400
}

const fn sixty() -> u32 {
    60
}
