//! A configuration, checked and in the core's terms.

use crate::config::{Config, ConfigError, Route};
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Verified};
use dynamic_key::gateway::{Allowlist, Clients, KnownClient, RegisteredIdentity, Rule, token};
use dynamic_key::handshake::{Claims, ClientPolicy, ServerPolicy, is_claim};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode};

/// What the core borrows. It lives as long as the process: connections outlive every scope, and a process has few.
pub(crate) struct Policy {
    pub(crate) clients: Directory,
    pub(crate) allowlist: Allowlist<'static>,
}

/// The clients that are known, by type: each type has its own schemes and order. Identities are common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory {
    internal: Clients<'static>,
    external: Clients<'static>,
}

impl ServerPolicy for Directory {
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        match claims.client_type {
            ClientType::Internal => self.internal.client(claims),
            ClientType::External => self.external.client(claims),
        }
    }

    fn verify(&self, kid: &KeyId, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        self.internal.verify(kid, message, signature)
    }
}

impl Policy {
    /// Checks clients, identities, whose `keys` were read, routes, schemes and limits.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] with the first that cannot be.
    pub(crate) fn new(config: &Config, keys: Vec<PinnedKey>) -> Result<Self, ConfigError> {
        check_limits(config)?;
        check_clients(config)?;
        check_identities(config, &keys)?;
        check_routes(config)?;
        let rules = config.routes.iter().map(rule).collect::<Vec<_>>().leak();
        let allowlist = Allowlist::new(rules).map_err(|error| ConfigError::setting("routes", error))?;
        let identities = config.identities.iter().zip(keys).map(|(identity, key)| RegisteredIdentity {
            key,
            client_type: identity.client_type,
            client_id: text(&identity.client),
            device_id: text(&identity.device),
        });
        let identities = identities.collect::<Vec<_>>().leak();
        let clients = Directory {
            internal: clients(config, ClientType::Internal, identities),
            external: clients(config, ClientType::External, identities),
        };
        Ok(Self { clients, allowlist })
    }
}

/// The clients of a type.
fn clients(
    config: &Config,
    client_type: ClientType,
    identities: &'static [RegisteredIdentity<'static>],
) -> Clients<'static> {
    let (schemes, preference, least_mode) = config.policy(client_type);
    let of_type = config.clients.iter().filter(|client| client.client_type == client_type);
    let known = of_type.map(|client| KnownClient {
        client_type,
        client_id: text(&client.id),
        least_mode: client.least_mode.unwrap_or(least_mode),
    });
    Clients {
        known: known.collect::<Vec<_>>().leak(),
        identities,
        schemes: schemes.to_vec().leak(),
        preference,
    }
}

/// The audience: the configured one, else the address that the gateway listens on.
pub(crate) fn audience(
    config: &Config,
    listening: std::net::SocketAddr,
) -> Result<&'static str, ConfigError> {
    let audience = config.audience.clone().unwrap_or_else(|| format!("http://{listening}"));
    if token::is_audience(&audience) {
        Ok(text(&audience))
    } else {
        Err(ConfigError::setting("audience", "must be an origin, such as https://gateway.example"))
    }
}

fn check_limits(config: &Config) -> Result<(), ConfigError> {
    let limits = &config.limits;
    let positive: [(&str, bool); 12] = [
        ("session_seconds", config.session.as_secs() > 0),
        ("limits.body_bytes", limits.body_bytes > 0),
        ("limits.response_bytes", limits.response_bytes > 0),
        ("limits.head_seconds", !limits.head.is_zero()),
        ("limits.request_seconds", !limits.request.is_zero()),
        ("limits.upstream_connect_seconds", !limits.upstream_connect.is_zero()),
        ("limits.upstream_response_seconds", !limits.upstream_response.is_zero()),
        ("limits.connections", limits.connections > 0),
        ("limits.sessions", limits.sessions > 0),
        ("schemes", !config.schemes.is_empty()),
        ("internal.schemes", !config.policy(ClientType::Internal).0.is_empty()),
        ("external.schemes", !config.policy(ClientType::External).0.is_empty()),
    ];
    match positive.into_iter().find(|(_, holds)| !holds) {
        Some((name, _)) => Err(ConfigError::setting(name, "must not be zero or empty")),
        None => Ok(()),
    }
}

fn check_clients(config: &Config) -> Result<(), ConfigError> {
    let error = |reason: String| Err(ConfigError::setting("clients", reason));
    if config.clients.is_empty() {
        return error("none is configured, so everybody would be refused".into());
    }
    for (index, client) in config.clients.iter().enumerate() {
        if !is_claim(&client.id, 64) {
            return error(format!("{:?} is not 1 to 64 printable ASCII characters", client.id));
        }
        let is_same = |other: &crate::config::Client| {
            (other.client_type, &other.id) == (client.client_type, &client.id)
        };
        if config.clients.iter().take(index).any(is_same) {
            return error(format!("{:?} is configured twice", client.id));
        }
        let (schemes, _, least_mode) = config.policy(client.client_type);
        let is_plain = client.least_mode.unwrap_or(least_mode) == Mode::Plain;
        if is_plain && !schemes.contains(&Scheme::EcAes2) {
            return error(format!("{:?} may use plain mode, which needs SCHEME-EC-AES2", client.id));
        }
    }
    Ok(())
}

fn check_identities(config: &Config, keys: &[PinnedKey]) -> Result<(), ConfigError> {
    let error = |reason: String| Err(ConfigError::setting("identities", reason));
    for (index, (identity, key)) in config.identities.iter().zip(keys).enumerate() {
        if !is_claim(&identity.device, 64) {
            return error(format!("{:?} is not 1 to 64 printable ASCII characters", identity.device));
        }
        let is_it = |client: &crate::config::Client| {
            (client.client_type, &client.id) == (identity.client_type, &identity.client)
        };
        if !config.clients.iter().any(is_it) {
            return error(format!("names {:?}, which is no configured client of this type", identity.client));
        }
        if keys.iter().take(index).any(|other| other.kid() == key.kid()) {
            return error(format!("{} is configured twice", key.kid()));
        }
    }
    Ok(())
}

/// What the core does not ask of a rule: that the clients it names exist, and that external ones are named (§2.5).
fn check_routes(config: &Config) -> Result<(), ConfigError> {
    for route in &config.routes {
        let error = |reason: &str| {
            Err(ConfigError::setting("routes", format_args!("{} {}: {reason}", route.method, route.path)))
        };
        if route.client_types.contains(&ClientType::External) && route.clients.is_empty() {
            return error("external clients reach only routes that name them");
        }
        let is_known = |id: &String| {
            config
                .clients
                .iter()
                .any(|client| client.id == *id && route.client_types.contains(&client.client_type))
        };
        if let Some(unknown) = route.clients.iter().find(|id| !is_known(id)) {
            return error(&format!("names {unknown:?}, which is no configured client of these types"));
        }
    }
    Ok(())
}

fn rule(route: &Route) -> Rule<'static> {
    Rule {
        method: text(&route.method),
        pattern: text(&route.path),
        client_types: route.client_types.clone().leak(),
        client_ids: texts(&route.clients),
        least_mode: route.least_mode.unwrap_or(Mode::Plain),
        forward_headers: texts(&route.headers),
    }
}

fn text(text: &str) -> &'static str {
    String::from(text).leak()
}

fn texts(list: &[String]) -> &'static [&'static str] {
    list.iter().map(|item| text(item)).collect::<Vec<_>>().leak()
}
