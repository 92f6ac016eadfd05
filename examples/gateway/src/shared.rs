//! What all requests of a gateway share.

use crate::config::Limits;
use crate::limit::SourceLimit;
use crate::policy::Directory;
use crate::rest::Rest;
use crate::store::MemoryStore;
use crate::upstream::Upstream;
use axum::body::Bytes;
use dynamic_key::crypto::software::Identity;
use dynamic_key::gateway::Gateway;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tower_http::cors::CorsLayer;

/// Bodies up to this length are opened and sealed where they arrive: that takes less than handing them over.
const SMALL: usize = 32 * 1024;

pub(crate) struct Shared {
    pub(crate) gateway: Gateway<'static, Directory>,
    pub(crate) identity: Identity,
    pub(crate) sessions: MemoryStore,
    /// Key Agreement, where it is on.
    pub(crate) rest: Option<Rest>,
    pub(crate) upstream: Upstream,
    pub(crate) limits: Limits,
    pub(crate) handshakes: Option<SourceLimit>,
    pub(crate) failures: Option<SourceLimit>,
    pub(crate) cors: Option<CorsLayer>,
    /// The JWK Set.
    pub(crate) jwks: Bytes,
    /// As many permits as there are processors: more threads would only make all of them slower.
    pub(crate) workers: Arc<Semaphore>,
}

/// How long a computation takes.
pub(crate) enum Work {
    /// Microseconds.
    Quick,
    /// As long as a thousand others.
    Slow,
}

impl Work {
    /// Opening or sealing so many bytes.
    pub(crate) const fn of(length: usize) -> Self {
        if length <= SMALL { Self::Quick } else { Self::Slow }
    }
}

impl Shared {
    /// Computes here, or on another thread so that other connections do not wait. `None` if it panicked.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        work: Work,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        match work {
            Work::Quick => Some(compute()),
            Work::Slow => {
                let permit = Arc::clone(&self.workers).acquire_owned().await.ok()?;
                // The permit goes along: nobody may be waiting for the result any more.
                let compute = move || (compute(), permit);
                tokio::task::spawn_blocking(compute).await.ok().map(|(computed, _)| computed)
            }
        }
    }
}
