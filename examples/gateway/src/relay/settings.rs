//! What a relay is configured with.

use crate::config::ConfigError;
use dynamic_key::jose::Hs256Key;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

/// A relay's configuration: the table `relay` of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file of identities and messages. Without one, which no file can say, they last as long as the process.
    #[serde(deserialize_with = "path")]
    pub database: Option<PathBuf>,
    /// The audience of the API keys' tokens. By default that of the gateway.
    pub audience: Option<String>,
    /// What stands behind the `@` of every address. Within the relay an address may be said without it.
    pub host: Option<String>,
    /// How far `iat` of what is signed may be from the relay's clock, in seconds.
    #[serde(default = "window")]
    pub clock_seconds: u64,
    /// The longest time for which a message is kept, in seconds.
    #[serde(default = "month")]
    pub message_seconds: u64,
    /// The most bytes of a message, as it is signed.
    #[serde(default = "message")]
    pub message_bytes: usize,
    /// The most messages that are kept for one identity.
    #[serde(default = "thousand")]
    pub messages_per_identity: u64,
    /// The most bytes of them.
    #[serde(default = "mailbox")]
    pub bytes_per_identity: u64,
    /// The most signing keys of one identity, one after another.
    #[serde(default = "keys")]
    pub keys_per_identity: usize,
    /// The most identities of one application.
    #[serde(default = "identities")]
    pub identities_per_application: u64,
    /// The most bytes of a request.
    #[serde(default = "body")]
    pub body_bytes: usize,
    /// The most who listen at a time.
    #[serde(default = "listeners")]
    pub listeners: u32,
    /// The most of them in the name of one identity, or of one customer.
    #[serde(default = "eight")]
    pub listeners_each: u32,
    /// The longest that a request waits for something to happen, in seconds.
    #[serde(default = "minute")]
    pub wait_seconds: u32,
    /// How often a WebSocket is pinged, in seconds: one that is silent for twice as long is closed.
    #[serde(default = "half_minute")]
    pub ping_seconds: u32,
    /// The longest that a WebSocket lasts, in seconds: then its owner authorizes itself anew.
    #[serde(default = "hour")]
    pub socket_seconds: u32,
    /// The most events of a customer that are remembered.
    #[serde(default = "events")]
    pub events: usize,
    /// Requests of one source in a minute; 0 is no limit.
    #[serde(default = "rate")]
    pub requests_per_minute: u32,
    /// Who may use the relay.
    #[serde(default)]
    pub applications: Vec<Application>,
}

/// An application: its identities are its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// The customer whose application it is. By default one of the same name.
    pub customer: Option<String>,
    /// Its API keys.
    #[serde(default)]
    pub keys: Vec<ApiKey>,
    /// The clients of the gateway's issuer that act for it.
    #[serde(default)]
    pub clients: Vec<String>,
}

/// A key with which an application signs its tokens.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// `kid` of the tokens, unique among all keys.
    pub id: String,
    /// At least 32 bytes.
    pub secret: String,
    /// Whether it is good for nothing for now.
    #[serde(default)]
    pub disabled: bool,
    /// From when on it is good for nothing, in seconds since 1970.
    pub expires: Option<u64>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Settings {
    /// The demonstration: an application with an API key, no rate limit.
    #[must_use]
    pub fn demo(database: Option<PathBuf>) -> Self {
        let key = ApiKey {
            id: "demo-key".into(),
            secret: "an API key of the demonstration, which is no secret".into(),
            disabled: false,
            expires: None,
        };
        let application = Application {
            name: "demo-app".into(),
            customer: Some("demo".into()),
            keys: vec![key],
            clients: vec!["merchant".into()],
        };
        Self {
            database,
            audience: None,
            host: None,
            clock_seconds: window(),
            message_seconds: month(),
            message_bytes: message(),
            messages_per_identity: thousand(),
            bytes_per_identity: mailbox(),
            keys_per_identity: keys(),
            identities_per_application: identities(),
            body_bytes: body(),
            listeners: listeners(),
            listeners_each: eight(),
            wait_seconds: minute(),
            ping_seconds: half_minute(),
            socket_seconds: hour(),
            events: events(),
            requests_per_minute: 0,
            applications: vec![application],
        }
    }

    /// Whether it can be.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] with the first setting that cannot be.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let sizes = [
            (self.clock_seconds, "clock_seconds"),
            (self.message_seconds, "message_seconds"),
            (self.messages_per_identity, "messages_per_identity"),
            (self.bytes_per_identity, "bytes_per_identity"),
            (self.identities_per_application, "identities_per_application"),
            (self.message_bytes as u64, "message_bytes"),
            (self.keys_per_identity as u64, "keys_per_identity"),
            (self.body_bytes as u64, "body_bytes"),
            (self.listeners.into(), "listeners"),
            (self.listeners_each.into(), "listeners_each"),
            (self.wait_seconds.into(), "wait_seconds"),
            (self.ping_seconds.into(), "ping_seconds"),
            (self.socket_seconds.into(), "socket_seconds"),
            (self.events as u64, "events"),
        ];
        if let Some((_, name)) = sizes.iter().find(|(value, _)| *value == 0) {
            return Err(ConfigError::setting("relay", format_args!("{name} must not be zero")));
        }
        let is_host = |host: &String| {
            (1..=64).contains(&host.len())
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
        };
        if !self.host.as_ref().is_none_or(is_host) {
            return Err(ConfigError::setting("relay.host", "must be a host name, such as relay.example"));
        }
        check_applications(&self.applications)
    }
}

fn check_applications(applications: &[Application]) -> Result<(), ConfigError> {
    let wrong = |reason: &str| Err(ConfigError::setting("relay.applications", reason));
    let (mut names, mut ids, mut clients) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    if applications.is_empty() {
        return wrong("none is configured: everybody would be refused");
    }
    for application in applications {
        let Application { name, customer, keys, .. } = application;
        if [Some(name), customer.as_ref()].into_iter().flatten().any(|name| !is_name(name)) {
            return wrong("names and customers are 1 to 64 letters, digits, dots, hyphens or underscores");
        }
        if !names.insert(name) {
            return wrong("two have the same name");
        }
        if !application.clients.iter().all(|client| clients.insert(client)) {
            return wrong("a client acts for two of them, or twice for one");
        }
        for key in keys {
            if !ids.insert(&key.id) {
                return wrong("two keys have the same id");
            }
            if Hs256Key::from_secret(key.secret.as_bytes()).is_err() {
                return wrong(&format!("the secret of {:?} has less than 32 bytes", key.id));
            }
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    PathBuf::deserialize(deserializer).map(Some)
}

const fn window() -> u64 {
    300
}

const fn month() -> u64 {
    30 * 86_400
}

const fn message() -> usize {
    64 * 1024
}

const fn thousand() -> u64 {
    1_000
}

const fn mailbox() -> u64 {
    16 << 20
}

const fn keys() -> usize {
    64
}

const fn identities() -> u64 {
    100_000
}

const fn body() -> usize {
    256 * 1024
}

const fn listeners() -> u32 {
    1_024
}

const fn eight() -> u32 {
    8
}

const fn minute() -> u32 {
    60
}

const fn half_minute() -> u32 {
    30
}

const fn hour() -> u32 {
    3_600
}

const fn events() -> usize {
    1_024
}

const fn rate() -> u32 {
    600
}
