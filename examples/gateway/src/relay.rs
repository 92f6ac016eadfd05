//! A relay of identities (§4): it registers them, publishes their keys, and keeps their messages until they are fetched or
//! expire.
//!
//! Who asks is authorized as an application, by a token that its API key signed or that the gateway's issuer gave; what is asked in the
//! name of an identity is signed by that identity's current key. What was answered is in the database before it is answered.

mod access;
mod event;
mod identities;
mod listen;
mod listeners;
mod messages;
mod ops;
mod recent;
mod reply;
mod settings;
mod signed;
mod socket;
mod state;
mod stream;

pub use settings::{ApiKey, Application, Settings};

use crate::body::{self, Body};
use crate::config::Limits;
use crate::http::Peer;
use crate::issuer::Issuer;
use crate::limit::SourceLimit;
use crate::{StartError, now};
use access::{Access, Caller};
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State as Extract};
use axum::response::Response;
use axum::routing::{get, post};
use event::{Event, Kind};
use listeners::Listeners;
use recent::Recent;
use reply::{Refusal, Reply, Success};
use state::State;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast};
use tracing::{info, warn};

/// How many events one who listens may be behind.
const EVENTS: usize = 1_024;
/// How often expired messages are looked for.
const SWEEP: Duration = Duration::from_secs(10);
/// How many requests for each processor are worked on at a time: most of their time they wait for the disk.
const WORKERS: usize = 8;

/// Identities, their messages, and who may ask for them.
pub(crate) struct Relay {
    settings: Settings,
    access: Access,
    state: State,
    /// What happens, once it is on the disk.
    events: broadcast::Sender<Arc<Event>>,
    /// What has happened.
    recent: Recent,
    listeners: Listeners,
    limit: Option<SourceLimit>,
    limits: Limits,
    workers: Arc<Semaphore>,
    /// Whether the self-test has passed.
    is_sound: bool,
}

/// What an endpoint answers.
type Answer = Result<Success, Refusal>;
/// What an endpoint does with a body, or with the id in its path. It verifies and waits for the disk: not for the reactor.
type Action = fn(&Relay, &Caller, &[u8]) -> Answer;

impl Relay {
    /// Opens the database, which is made where there is none.
    ///
    /// # Errors
    /// [`StartError::Config`], [`StartError::Database`].
    pub(crate) fn open(
        settings: &Settings,
        audience: &str,
        issuer: Option<Arc<Issuer>>,
        limits: &Limits,
    ) -> Result<Self, StartError> {
        settings.check()?;
        let access = Access::new(settings, audience, issuer)?;
        let database = |error| StartError::Relay(Box::new(error));
        let state = State::open(settings.database.as_deref()).map_err(database)?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from).saturating_mul(WORKERS);
        Ok(Self {
            settings: settings.clone(),
            access,
            state,
            events: broadcast::channel(EVENTS).0,
            recent: Recent::new(settings.events),
            listeners: Listeners::new(settings.listeners, settings.listeners_each),
            limit: SourceLimit::per_minute(settings.requests_per_minute),
            limits: Limits { body_bytes: settings.body_bytes, ..*limits },
            workers: Arc::new(Semaphore::new(workers)),
            is_sound: ops::self_test(),
        })
    }

    /// Those who listen are answered and may not listen any more.
    pub(crate) fn end(&self) {
        self.listeners.end();
    }

    /// Waits for so long until nobody listens any more.
    pub(crate) async fn ended(&self, wait: Duration) {
        if !self.listeners.gone(wait).await {
            warn!("some who listen were cut off");
        }
    }

    /// Remembers what has happened, and tells those who listen; there may be none.
    fn tell(&self, caller: &Caller, kind: Kind) {
        let event = self.recent.keep(Event::new(caller, kind));
        let _ = self.events.send(event);
    }

    /// Reads a body, within limits of time and size.
    async fn body(&self, body: axum::body::Body) -> Result<Vec<u8>, Refusal> {
        let Body { mut buffer, length } = body::read(body, &self.limits, 0).await.ok_or(Refusal::Timeout)?;
        buffer.truncate(length);
        Ok(buffer)
    }

    /// The address in full: within the relay it may be said without the host.
    fn canonical<'a>(&self, address: &'a str) -> Cow<'a, str> {
        match &self.settings.host {
            Some(host) if !address.contains('@') => format!("{address}@{host}").into(),
            _ => address.into(),
        }
    }

    /// Counts a request of `peer`, unless there are too many.
    fn charge(&self, peer: IpAddr) -> Result<(), Refusal> {
        let charged = self.limit.as_ref().map_or(Ok(()), |limit| limit.charge(peer));
        charged.map_err(|exceeded| Refusal::TooMany(exceeded.retry_after))
    }

    /// Computes where that holds nobody up. The result comes even where nobody waits for it any more.
    async fn compute<T: Send + 'static>(
        self: &Arc<Self>,
        compute: impl FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| Refusal::Internal)?;
        let relay = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let computed = compute(&relay);
            drop(permit);
            computed
        });
        task.await.unwrap_or(Err(Refusal::Internal))
    }
}

/// The endpoints.
pub(crate) fn router(relay: Arc<Relay>) -> Router {
    let mut router = Router::new();
    let posted: [(&'static str, Action); 8] = [
        ("/v1/identity", identities::register),
        ("/v1/identity/me", identities::me),
        ("/v1/identity/me/sigPubKey", identities::rotate),
        ("/v1/identity/me/encPubKey", identities::encryption),
        ("/v1/identity/me/meta", identities::metadata),
        ("/v1/identity/me/recovery", identities::recovery),
        ("/v1/messages/send", messages::send),
        ("/v1/messages/fetch", messages::fetch),
    ];
    for (path, action) in posted {
        let handler = async move |Extract(relay): Extract<Arc<Relay>>,
                                  Extension(Peer(peer)): Extension<Peer>,
                                  request: Request| {
            serve(relay, peer, path, action, None, request).await
        };
        router = router.route(path, post(handler));
    }
    let got: [(&'static str, Action); 2] =
        [("/v1/identity/{id}", identities::published), ("/v1/identity/{id}/recovery", identities::recovered)];
    for (path, action) in got {
        let handler = async move |Extract(relay): Extract<Arc<Relay>>,
                                  Extension(Peer(peer)): Extension<Peer>,
                                  id: Result<Path<String>, PathRejection>,
                                  request: Request| {
            // What is no address is nobody's.
            let id = id.map_or_else(|_| String::new(), |Path(id)| id);
            serve(relay, peer, path, action, Some(id), request).await
        };
        router = router.route(path, get(handler));
    }
    router
        .route("/v1/messages/listen", post(listen::listen))
        .route("/v1/messages/ws", get(socket::open))
        .route("/v1/customer/{cust}/stream/events", get(stream::events))
        .route("/v1/customer/{cust}/stream/events/listen", get(stream::listen))
        .route("/ops/health", get(ops::health))
        .route("/ops/ready", get(ops::ready))
        .route("/ops/version", get(ops::version))
        .route("/ops/licenses", get(ops::licenses))
        .with_state(relay)
}

async fn serve(
    relay: Arc<Relay>,
    peer: IpAddr,
    path: &'static str,
    action: Action,
    id: Option<String>,
    request: Request,
) -> Response {
    let outcome = respond(&relay, peer, action, id, request).await;
    finish(peer, path, outcome)
}

async fn respond(
    relay: &Arc<Relay>,
    peer: IpAddr,
    action: Action,
    id: Option<String>,
    request: Request,
) -> Answer {
    relay.charge(peer)?;
    let (head, body) = request.into_parts();
    let input = match id {
        Some(id) => id.into_bytes(),
        None => relay.body(body).await?,
    };
    relay.compute(move |relay| action(relay, &relay.access.caller(&head.headers, now())?, &input)).await
}

/// The answer, which is logged.
fn finish(peer: IpAddr, endpoint: &'static str, outcome: Answer) -> Response {
    let reply = Reply::of(outcome);
    note(peer, endpoint, &reply);
    reply.response()
}

/// What the log has of an answer.
fn note(peer: IpAddr, endpoint: &'static str, reply: &Reply) {
    let Reply { status, code, transaction, .. } = reply;
    info!(%peer, endpoint, status = status.as_u16(), code, transaction, "relay");
}

/// Removes what has expired, for ever.
pub(crate) async fn sweep(relay: Arc<Relay>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        while relay.compute(|relay| relay.state.sweep(now().as_unix_secs())).await.unwrap_or(false) {}
    }
}
