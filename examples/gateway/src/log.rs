//! What is logged: codes, statuses, times, routes as the rules write them. No path, header, token, key or body of anybody.

use crate::upstream::Failure;
use axum::http::HeaderMap;
use dynamic_key::Code;
use dynamic_key::gateway::{Reply, Rule};
use dynamic_key::session::is_session_id;
use std::net::IpAddr;
use std::time::Instant;
use tracing::{info, warn};

/// How much of a session id tells sessions apart for a reader, and is of no use to anybody else.
const SHOWN: usize = 8;

/// One request, from its head to its answer.
pub(crate) struct Event {
    peer: IpAddr,
    endpoint: &'static str,
    /// The first characters of the session id that the request names.
    session: String,
    /// The rule that admits it.
    route: Option<&'static Rule<'static>>,
    started: Instant,
}

impl Event {
    pub(crate) fn new(peer: IpAddr, endpoint: &'static str, headers: &HeaderMap) -> Self {
        let id = headers.get("x-session-id").and_then(|id| id.to_str().ok()).filter(|id| is_session_id(id));
        let session = id.and_then(|id| id.get(..SHOWN)).unwrap_or("-").to_owned();
        Self { peer, endpoint, session, route: None, started: Instant::now() }
    }

    pub(crate) const fn admitted(&mut self, rule: &'static Rule<'static>) {
        self.route = Some(rule);
    }

    fn route(&self) -> String {
        self.route.map_or_else(|| "-".into(), |rule| format!("{} {}", rule.method, rule.pattern))
    }

    /// The core's answer leaves.
    pub(crate) fn answered(&self, reply: &Reply) {
        let Self { peer, endpoint, session, started, .. } = self;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (route, status) = (self.route(), reply.status);
        let code = reply.code.map_or("-", Code::name);
        info!(%peer, endpoint, session, route, status, code, micros, "answered");
    }

    /// The rate limit has answered.
    pub(crate) fn limited(&self) {
        let Self { peer, endpoint, .. } = self;
        warn!(%peer, endpoint, "rate limit exceeded");
    }

    /// The upstream has not answered.
    pub(crate) fn upstream_failed(&self, failure: Failure) {
        let Self { session, .. } = self;
        warn!(session, route = self.route(), %failure, "upstream failed");
    }

    /// A fault of this program: nothing of a peer leads here.
    pub(crate) fn broken(&self) {
        let Self { peer, endpoint, .. } = self;
        tracing::error!(%peer, endpoint, "the core could not answer");
    }
}
