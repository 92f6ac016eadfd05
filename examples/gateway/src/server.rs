//! A gateway that listens: [`Server`].

use crate::config::{Config, ConfigError, Limits};
use crate::http::Http;
use crate::issuer::{self, Issuer};
use crate::keys::{self, KeyError};
use crate::limit::SourceLimit;
use crate::policy::{self, Policy};
use crate::relay::{self, Relay};
use crate::rest::Rest;
use crate::sample::SampleUpstream;
use crate::shared::Shared;
use crate::store::MemoryStore;
use crate::upstream::Upstream;
use crate::{api, cors, now};
use dynamic_key::crypto::KeyId;
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::gateway::Gateway;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// How often ended sessions and agreements are looked for, so that their keys are erased.
const SWEEP: Duration = Duration::from_secs(5);

/// A gateway that listens and is not yet served.
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    public: PinnedKey,
    shared: Arc<Shared>,
    issuer: Option<Arc<Issuer>>,
    relay: Option<Arc<Relay>>,
    sample: Option<SampleUpstream>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

/// Why a gateway does not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot be used.
    Config(ConfigError),
    /// A key file cannot be used.
    Key(KeyError),
    /// The issuer's database cannot be used.
    Database(Box<redb::Error>),
    /// The relay's database cannot be used.
    Relay(Box<redb::Error>),
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<KeyError> for StartError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::Database(error) => write!(f, "the issuer's database: {error}"),
            Self::Relay(error) => write!(f, "the relay's database: {error}"),
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {}", error.kind()),
        }
    }
}

impl std::error::Error for StartError {}

impl Server {
    /// Checks the configuration, reads or generates the keys, and listens.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let registered = config.identities.iter().map(|identity| keys::public(&identity.key));
        let policy = Policy::new(&config, registered.collect::<Result<_, _>>()?)?;
        let cors = cors::layer(&config.cors_origins)?;
        let identity = keys::identity(config.identity.as_deref())?;
        let tokens = keys::token_key(config.token_secret.as_deref())?;
        let public = identity.public().map_err(|_| KeyError::Random)?;
        let issuer = config.issuer.as_ref().map(Issuer::open).transpose()?.map(Arc::new);
        let listen = |error| StartError::Listen { address: config.listen, error };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        let (url, sample) = upstream(&config).await?;
        let limits = config.limits;
        let audience = policy::audience(&config, local_addr)?;
        let relay = config.relay.as_ref().map(|own| Relay::open(own, audience, issuer.clone(), &limits));
        let relay = relay.transpose()?.map(Arc::new);
        let gateway = Gateway {
            clients: policy.clients,
            allowlist: policy.allowlist,
            audience,
            tokens,
            identity: Some(public),
            session_seconds: config.session.as_secs(),
            instance: config.instance,
            plain: Default::default(),
        };
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            gateway,
            identity,
            sessions: MemoryStore::new(limits.sessions, limits.half_open_sessions),
            rest: Rest::new(&config)?,
            upstream: Upstream::new(&url, &limits)?,
            limits,
            handshakes: SourceLimit::per_minute(limits.handshakes_per_minute),
            failures: SourceLimit::per_minute(limits.failures_per_minute),
            cors,
            jwks: keys::jwk_set(&public).into(),
            workers: Arc::new(Semaphore::new(workers)),
        };
        // Some secret stores mount files like this, so it is no error.
        let files = [&config.identity, &config.token_secret].into_iter().flatten();
        for path in files.filter(|path| keys::is_open(path)) {
            warn!(path = %path.display(), "others than its owner may read this key file");
        }
        if config.identity.is_none() {
            warn!(
                "the identity lasts as long as this process: name a file for it, so that clients can pin it"
            );
        }
        info!(%local_addr, kid = %public.kid(), upstream = url, "listening");
        Ok(Self { listener, local_addr, public, shared: Arc::new(shared), issuer, relay, sample })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The id of its identity: what clients pin.
    #[must_use]
    pub const fn kid(&self) -> KeyId {
        self.public.kid()
    }

    /// The public key of its identity.
    #[must_use]
    pub const fn identity(&self) -> PinnedKey {
        self.public
    }

    /// Serves until `shutdown` is over, then drains: no new connections, the requests in flight are answered.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Limits { head, connections, drain, .. } = self.shared.limits;
        let sweeper = Background(tokio::spawn(sweep(Arc::clone(&self.shared))));
        let sample = self.sample.map(|sample| Background(tokio::spawn(sample.serve(std::future::pending()))));
        let cors = self.shared.cors.clone();
        let mut router = api::router(self.shared);
        if let Some(issuer) = self.issuer {
            router = router.merge(issuer::router(issuer));
        }
        let relay_sweeper =
            self.relay.as_ref().map(|relay| Background(tokio::spawn(relay::sweep(Arc::clone(relay)))));
        if let Some(relay) = &self.relay {
            let relayed = relay::router(Arc::clone(relay));
            router = router.merge(match cors {
                Some(cors) => relayed.layer(cors),
                None => relayed,
            });
        }
        let shutdown = async {
            shutdown.await;
            // Who listens would else listen until its time is up.
            self.relay.iter().for_each(|relay| relay.end());
        };
        Http { head, connections, drain }.serve(self.listener, router, shutdown).await;
        if let Some(relay) = &self.relay {
            relay.ended(drain).await;
        }
        drop((sweeper, relay_sweeper, sample));
        info!("stopped");
    }
}

/// The URL of the upstream, which may be the sample one.
async fn upstream(config: &Config) -> Result<(String, Option<SampleUpstream>), StartError> {
    if let Some(url) = &config.upstream {
        return Ok((url.clone(), None));
    }
    if !config.sample_upstream {
        return Err(ConfigError::setting("upstream", "none is configured").into());
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let sample = SampleUpstream::bind().await.map_err(|error| StartError::Listen { address, error })?;
    Ok((format!("http://{}", sample.local_addr()), Some(sample)))
}

async fn sweep(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        shared.sessions.sweep(now());
        if let Some(rest) = &shared.rest {
            rest.agreements.sweep(now());
        }
    }
}

/// A task that ends with its owner.
struct Background(JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
