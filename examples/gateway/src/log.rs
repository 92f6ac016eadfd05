//! What is logged: codes, statuses, times, routes as the rules write them. No path, header, token, key or body of anybody.

use crate::upstream::Failure;
use axum::http::HeaderMap;
use dynamic_key::Code;
use dynamic_key::gateway::{Admitted, Reply, Rule};
use dynamic_key::session::is_session_id;
use std::net::IpAddr;
use std::time::Instant;
use tracing::{info, warn};

/// How much of a session id tells sessions apart for a reader, and is of no use to anybody else.
const SHOWN: usize = 8;

/// Which request of which session went where.
pub(crate) struct Route {
    session: String,
    client: String,
    method: &'static str,
    pattern: &'static str,
}

impl Route {
    pub(crate) fn new<H>(headers: &HeaderMap, admitted: &Admitted<'_, 'static, H>) -> Self {
        let Rule { method, pattern, .. } = *admitted.rule;
        Self { session: session(headers), client: admitted.client.client_id.as_str().into(), method, pattern }
    }
}

/// The first characters of a session id.
fn session(headers: &HeaderMap) -> String {
    let id = headers.get("x-session-id").and_then(|id| id.to_str().ok()).filter(|id| is_session_id(id));
    id.and_then(|id| id.get(..SHOWN)).unwrap_or("-").into()
}

fn name(code: Option<Code>) -> &'static str {
    code.map_or("-", Code::name)
}

fn micros(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The core has answered by itself.
pub(crate) fn answered(peer: IpAddr, endpoint: &'static str, reply: &Reply, started: Instant) {
    info!(%peer, endpoint, status = reply.status, code = name(reply.code), micros = micros(started));
}

/// A request was not looked at.
pub(crate) fn refused(peer: IpAddr, endpoint: &'static str, code: Code) {
    warn!(%peer, endpoint, status = code.status(), code = code.name());
}

/// The upstream has answered, or has not.
pub(crate) fn forwarded(peer: IpAddr, route: &Route, reply: &Reply, started: Instant) {
    let Route { session, client, method, pattern } = route;
    info!(
        %peer,
        endpoint = "request",
        session,
        client,
        route = format_args!("{method} {pattern}"),
        status = reply.status,
        code = name(reply.code),
        micros = micros(started),
    );
}

/// The upstream has not answered.
pub(crate) fn upstream_failed(route: &Route, failure: &Failure) {
    warn!(session = route.session, route = format_args!("{} {}", route.method, route.pattern), %failure, "upstream failed");
}
