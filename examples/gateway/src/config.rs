//! What a gateway is configured with: a TOML file, the flags, or a program that fills in a [`Config`].

mod error;
mod names;

pub use error::ConfigError;

use crate::{issuer, relay};
use dynamic_key::handshake::key_agreement::DEFAULT_LIFETIME;
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode};
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A gateway's configuration. Unknown keys of a file are errors; what is absent has the value of [`Config::default`].
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The upstream, `http://host[:port][/prefix]`. There is no default.
    pub upstream: Option<String>,
    /// Start the sample upstream on a free loopback port where no `upstream` is named. Not for files.
    #[serde(skip)]
    pub sample_upstream: bool,
    /// The gateway's origin, the audience of its tokens. By default `http://` and the address it listens on.
    pub audience: Option<String>,
    /// This instance, unique among those that share sessions. Sessions in memory are shared with none.
    pub instance: u32,
    /// The file of the identity key, PKCS #8 PEM or JWK: generated where there is none. Without a name the identity
    /// lasts as long as the process.
    pub identity: Option<PathBuf>,
    /// The file of the token secret, at least 32 bytes in hexadecimal: generated where there is none. Without a name
    /// it lasts as long as the process, as sessions in memory do.
    pub token_secret: Option<PathBuf>,
    /// How long a session lasts, in whole seconds.
    #[serde(rename = "session_seconds", deserialize_with = "names::seconds")]
    pub session: Duration,
    /// The least mode of every client that neither names its own nor has one by its type.
    #[serde(deserialize_with = "names::one")]
    pub least_mode: Mode,
    /// The schemes that are accepted. The finite-field ones cost the gateway some milliseconds a handshake: they are off
    /// until they are named.
    #[serde(deserialize_with = "names::list")]
    pub schemes: Vec<Scheme>,
    /// Whose order decides among them.
    #[serde(deserialize_with = "names::one")]
    pub preference: Preference,
    /// What is different for internal clients.
    pub internal: TypePolicy,
    /// What is different for external clients.
    pub external: TypePolicy,
    /// The clients. None is an error: everybody would be refused.
    pub clients: Vec<Client>,
    /// The identities of clients in mutual mode.
    pub identities: Vec<Identity>,
    /// The routes; by default those of the Dynamic Key V2 documentation, for internal clients.
    pub routes: Vec<Route>,
    /// Key Agreement, off where it is not configured.
    pub key_agreement: Option<KeyAgreement>,
    /// The origins whose pages may call this gateway from a browser, such as `https://app.example`.
    pub cors_origins: Vec<String>,
    /// An issuer of tokens beside the gateway.
    pub issuer: Option<issuer::Settings>,
    /// A relay of identities beside the gateway.
    pub relay: Option<relay::Settings>,
    /// Sizes, times and rates.
    pub limits: Limits,
}

/// What is different for the clients of one type; what is absent is as for all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TypePolicy {
    /// The least mode of those that do not name their own.
    #[serde(deserialize_with = "names::some")]
    pub least_mode: Option<Mode>,
    /// The schemes that are accepted.
    #[serde(deserialize_with = "names::some_list")]
    pub schemes: Option<Vec<Scheme>>,
    /// Whose order decides among them.
    #[serde(deserialize_with = "names::some")]
    pub preference: Option<Preference>,
}

/// A client that the gateway knows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// `client.type`.
    #[serde(rename = "type", deserialize_with = "names::one")]
    pub client_type: ClientType,
    /// `client.clientId`.
    pub id: String,
    /// The least mode of its sessions.
    #[serde(default, deserialize_with = "names::some")]
    pub least_mode: Option<Mode>,
}

/// An identity of a client, bound to exactly this type, client and device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The file of its public key: SPKI PEM or JWK.
    pub key: PathBuf,
    /// `client.type`.
    #[serde(rename = "type", deserialize_with = "names::one")]
    pub client_type: ClientType,
    /// `client.clientId`: that of a configured client.
    pub client: String,
    /// `device.id`.
    pub device: String,
}

/// A route and who reaches it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The method, in capital letters.
    pub method: String,
    /// The path; a segment `:name` stands for any one segment.
    pub path: String,
    /// The types of client.
    #[serde(default = "internal", deserialize_with = "names::list")]
    pub client_types: Vec<ClientType>,
    /// The clients of these types; none stands for all of them, but external clients must be named.
    #[serde(default)]
    pub clients: Vec<String>,
    /// The least mode; by default whatever mode a client's session may have.
    #[serde(default, deserialize_with = "names::some")]
    pub least_mode: Option<Mode>,
    /// Sealed headers that go on besides `accept` and `accept-language`.
    #[serde(default)]
    pub headers: Vec<String>,
}

/// Key Agreement: `POST /rest/key-agreement`, and the calls whose sensitive fields are sealed with what was agreed. Schemes
/// and preference are those of all.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyAgreement {
    /// What the responses call this gateway: 1 to 255 bytes.
    pub identifier: String,
    /// How long an agreement lasts, in whole seconds.
    #[serde(rename = "seconds", deserialize_with = "names::seconds")]
    pub lifetime: Duration,
    /// The most agreements at a time.
    pub agreements: usize,
    /// Whether the gateway's identity signs. Without it a response has no member `identity`, and no client can pin.
    pub sign: bool,
    /// The calls.
    pub calls: Vec<SealedCall>,
}

impl Default for KeyAgreement {
    fn default() -> Self {
        Self {
            identifier: "dynamic-key-gateway".into(),
            lifetime: Duration::from_secs(DEFAULT_LIFETIME),
            agreements: 100_000,
            sign: true,
            calls: Vec::new(),
        }
    }
}

/// A call with sealed fields: it goes to the upstream with the same method and path, its fields opened.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedCall {
    /// The method, in capital letters.
    pub method: String,
    /// The path, letter for letter.
    pub path: String,
    /// The members of the request that must be sealed: 1 to 4.
    pub fields: Vec<String>,
    /// The members of the upstream's answer that are sealed where they are strings.
    #[serde(default)]
    pub answers: Vec<String>,
}

/// Sizes, times and rates.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most bytes of a request's body.
    pub body_bytes: usize,
    /// The most bytes of an upstream's body. Sealed it takes a third more, and a peer may stop at 1 MiB.
    pub response_bytes: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    #[serde(rename = "head_seconds", deserialize_with = "names::seconds")]
    pub head: Duration,
    /// How long the body of a request may take.
    #[serde(rename = "request_seconds", deserialize_with = "names::seconds")]
    pub request: Duration,
    /// How long connecting to the upstream may take.
    #[serde(rename = "upstream_connect_seconds", deserialize_with = "names::seconds")]
    pub upstream_connect: Duration,
    /// How long the upstream's whole answer may take, connecting included.
    #[serde(rename = "upstream_response_seconds", deserialize_with = "names::seconds")]
    pub upstream_response: Duration,
    /// How long requests in flight may take to end after a signal.
    #[serde(rename = "drain_seconds", deserialize_with = "names::seconds")]
    pub drain: Duration,
    /// The most connections at a time.
    pub connections: usize,
    /// The most sessions at a time. One takes less than 1 KB, a plain one 16 bytes more for each request it carries.
    pub sessions: usize,
    /// The most sessions at a time whose client has not yet proven the identity that it claims.
    pub half_open_sessions: usize,
    /// Handshakes of one source in a minute; 0 is no limit.
    pub handshakes_per_minute: u32,
    /// Envelopes of one source in a minute that fail session, token or tag; 0 is no limit.
    pub failures_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            response_bytes: 768_000,
            head: Duration::from_secs(30),
            request: Duration::from_secs(30),
            upstream_connect: Duration::from_secs(3),
            upstream_response: Duration::from_secs(20),
            drain: Duration::from_secs(10),
            connections: 4096,
            sessions: 100_000,
            half_open_sessions: 1_000,
            handshakes_per_minute: 120,
            failures_per_minute: 60,
        }
    }
}

/// A gateway that refuses plain mode, and everybody until clients and an upstream are named.
impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            upstream: None,
            sample_upstream: false,
            audience: None,
            instance: 0,
            identity: None,
            token_secret: None,
            session: Duration::from_secs(3600),
            least_mode: Mode::Confirmed,
            schemes: Scheme::ELLIPTIC.to_vec(),
            preference: Preference::Client,
            internal: TypePolicy::default(),
            external: TypePolicy::default(),
            clients: Vec::new(),
            identities: Vec::new(),
            routes: default_routes(),
            key_agreement: None,
            cors_origins: Vec::new(),
            issuer: None,
            relay: None,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// What holds for the clients of a type: the schemes, whose order decides, the least mode.
    pub(crate) fn policy(&self, client_type: ClientType) -> (&[Scheme], Preference, Mode) {
        let own = match client_type {
            ClientType::Internal => &self.internal,
            ClientType::External => &self.external,
        };
        (
            own.schemes.as_deref().unwrap_or(&self.schemes),
            own.preference.unwrap_or(self.preference),
            own.least_mode.unwrap_or(self.least_mode),
        )
    }

    /// The demonstration: the sample upstream behind it, `internal-web-client` for all its routes, the external
    /// `partner-acme-corp` for `/countries/get` and `/lang/get`, every mode and scheme, Key Agreement with a sealed password
    /// at `/rest/login`, a relay that forgets, no rate limits.
    #[must_use]
    pub fn demo() -> Self {
        let partner = "partner-acme-corp";
        let client =
            |client_type, id: &str| Client { client_type, id: id.into(), least_mode: Some(Mode::Plain) };
        let for_partner = |path: &str| Route {
            client_types: vec![ClientType::External],
            clients: vec![partner.into()],
            ..Route::get(path)
        };
        let mut routes = default_routes();
        routes.extend(["/countries/get", "/lang/get"].map(for_partner));
        Self {
            sample_upstream: true,
            least_mode: Mode::Plain,
            schemes: Scheme::BY_STRENGTH.to_vec(),
            clients: vec![
                client(ClientType::Internal, "internal-web-client"),
                client(ClientType::External, partner),
            ],
            routes,
            key_agreement: Some(KeyAgreement {
                calls: vec![SealedCall {
                    method: "POST".into(),
                    path: "/rest/login".into(),
                    fields: vec!["password".into()],
                    answers: vec!["session_token".into()],
                }],
                ..KeyAgreement::default()
            }),
            relay: Some(relay::Settings::demo(None)),
            limits: Limits { handshakes_per_minute: 0, failures_per_minute: 0, ..Limits::default() },
            ..Self::default()
        }
    }

    /// Reads a file. Its relative paths are relative to the folder it stands in.
    ///
    /// # Errors
    /// [`ConfigError::Read`], [`ConfigError::Syntax`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |error| ConfigError::Read { path: path.to_owned(), error: std::io::Error::kind(&error) };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let mut config = Self::from_toml(&text).map_err(|error| error.in_file(path))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let own = [&mut config.identity, &mut config.token_secret].into_iter().flatten();
        let issuer = config.issuer.iter_mut().map(|issuer| &mut issuer.database);
        let relay = config.relay.iter_mut().filter_map(|relay| relay.database.as_mut());
        let databases = issuer.chain(relay);
        for file in own.chain(config.identities.iter_mut().map(|identity| &mut identity.key)).chain(databases)
        {
            *file = folder.join(&*file);
        }
        Ok(config)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::syntax(text, &error))
    }
}

impl Route {
    fn get(path: &str) -> Self {
        Self {
            method: "GET".into(),
            path: path.into(),
            client_types: internal(),
            clients: Vec::new(),
            least_mode: None,
            headers: Vec::new(),
        }
    }
}

fn internal() -> Vec<ClientType> {
    vec![ClientType::Internal]
}

fn default_routes() -> Vec<Route> {
    let route = |rule: &dynamic_key::gateway::Rule<'_>| Route {
        method: rule.method.into(),
        client_types: rule.client_types.into(),
        ..Route::get(rule.pattern)
    };
    dynamic_key::gateway::allowlist::DEFAULT_RULES.iter().map(route).collect()
}
