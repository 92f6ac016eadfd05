//! The endpoints: what stands between an HTTP request and the core.

use crate::body::{self, Body};
use crate::http::Peer;
use crate::limit::Exceeded;
use crate::log::Event;
use crate::rest;
use crate::shared::{Shared, Work};
use crate::store::Entry;
use crate::upstream::{Answer, Outgoing};
use crate::{Software, now};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use dynamic_key::Code;
use dynamic_key::envelope::sealed_len;
use dynamic_key::gateway::{ANSWER_ROOM, ERROR_ROOM, Head, Opened, Reply, Responder, Rule};
use dynamic_key::handshake::Refusal;
use getrandom::SysRng;
use std::sync::Arc;

type Handle = Arc<Entry>;

/// The router of a gateway.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let cors = shared.cors.clone();
    let router = Router::new()
        .route("/api/info/v2", post(info))
        .route("/api/request/v2", post(request))
        .route("/rest/key-agreement", post(rest::agree))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/health", get(async || json(StatusCode::OK, r#"{"status":"ok"}"#)))
        .fallback(rest::call)
        .with_state(shared);
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(middleware::map_response(no_store))
}

async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    json(StatusCode::OK, shared.jwks.clone())
}

/// `POST /api/info/v2`: a handshake.
async fn info(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let event = Event::new(peer, "handshake", &head.headers);
    if let Some(Err(exceeded)) = shared.handshakes.as_ref().map(|limit| limit.charge(peer)) {
        return too_many(&event, exceeded);
    }
    let Some(body) = body::read(body, &shared.limits, ANSWER_ROOM).await else {
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let reply = shared.compute(Work::Slow, {
        let shared = Arc::clone(&shared);
        move || accept(&shared, &head.headers, body)
    });
    finish(&event, reply.await.flatten())
}

/// `POST /api/request/v2`: open, forward, seal.
async fn request(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let mut event = Event::new(peer, "request", &head.headers);
    if let Some(Err(exceeded)) = shared.failures.as_ref().map(|limit| limit.check(peer)) {
        return too_many(&event, exceeded);
    }
    let Some(body) = body::read(body, &shared.limits, ERROR_ROOM).await else {
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let opened = shared.compute(Work::of(body.length), {
        let shared = Arc::clone(&shared);
        move || open(&shared, &head.headers, body)
    });
    let (outgoing, responder) = match opened.await.flatten() {
        Some(Next::Forward { outgoing, responder, rule }) => {
            event.admitted(rule);
            (outgoing, responder)
        }
        Some(Next::Reply(reply)) => {
            let failed = [Code::InvalidSession, Code::InvalidToken, Code::EncryptionError];
            if let (Some(limit), Some(code)) = (&shared.failures, reply.0.code)
                && failed.contains(&code)
            {
                // This one has its answer; the next one will be told.
                let _ = limit.charge(peer);
            }
            return finish(&event, Some(reply));
        }
        None => return finish(&event, None),
    };
    let answer = shared.upstream.send(*outgoing).await.map_err(|failure| event.upstream_failed(failure)).ok();
    let retry_after = answer.as_ref().and_then(|answer| answer.retry_after.clone());
    let length = answer.as_ref().map_or(0, |answer| answer.body.len());
    let reply = shared.compute(Work::of(length), {
        let shared = Arc::clone(&shared);
        move || seal(&shared, responder, answer)
    });
    let mut response = finish(&event, reply.await.flatten());
    if let Some(retry_after) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after);
    }
    response
}

/// What the core answers, at the front of its buffer.
type Written = (Reply, Vec<u8>);

/// What becomes of an envelope. Nothing of it is `None` below: then the core was misused, by this program.
enum Next {
    Reply(Written),
    Forward { outgoing: Box<Outgoing>, responder: Responder<Handle>, rule: &'static Rule<'static> },
}

fn accept(shared: &Shared, headers: &HeaderMap, body: Body) -> Option<Written> {
    let (mut provider, mut sessions) = (Software::new(SysRng), &shared.sessions);
    let mut identity = shared.identity.clone();
    let Body { mut buffer, length } = body;
    let (head, now) = (head(headers), now());
    let signer = Some(&mut identity as _);
    let reply = shared.gateway.accept(&mut provider, signer, &mut sessions, now, &head, &mut buffer, length);
    Some((reply.ok()?, buffer))
}

/// Opens the envelope and makes of it what goes to the upstream.
fn open(shared: &Shared, headers: &HeaderMap, body: Body) -> Option<Next> {
    let (gateway, upstream) = (&shared.gateway, &shared.upstream);
    let (mut provider, mut sessions) = (Software::new(SysRng), &shared.sessions);
    let Body { mut buffer, length } = body;
    let (head, now) = (head(headers), now());
    let (responder, code) =
        match gateway.open_request(&mut provider, &mut sessions, now, &head, &mut buffer, length).ok()? {
            Opened::Reply(reply) => return Some(Next::Reply((reply, buffer))),
            Opened::Admitted(admitted) => match upstream.request(&admitted) {
                Ok(outgoing) => {
                    let (responder, rule) = (admitted.responder, admitted.rule);
                    return Some(Next::Forward { outgoing: Box::new(outgoing), responder, rule });
                }
                Err(code) => (admitted.responder, code),
            },
        };
    let reply = gateway.seal_error(&mut provider, &mut sessions, responder, code, &mut buffer);
    Some(Next::Reply((reply.ok()?, buffer)))
}

/// Seals what the upstream answered, or that it did not.
fn seal(shared: &Shared, responder: Responder<Handle>, answer: Option<Answer>) -> Option<Written> {
    let (mut provider, mut sessions) = (Software::new(SysRng), &shared.sessions);
    let Some(Answer { status, body: mut buffer, .. }) = answer else {
        let (mut buffer, code) = (vec![0; ERROR_ROOM], Code::UpstreamUnavailable);
        let reply = shared.gateway.seal_error(&mut provider, &mut sessions, responder, code, &mut buffer);
        return Some((reply.ok()?, buffer));
    };
    let length = buffer.len();
    buffer.resize(sealed_len(length).max(ERROR_ROOM), 0);
    let reply =
        shared.gateway.seal_response(&mut provider, &mut sessions, responder, status, &mut buffer, length);
    Some((reply.ok()?, buffer))
}

pub(crate) fn head(headers: &HeaderMap) -> Head<'_> {
    let mut head = Head::new();
    for (name, value) in headers {
        head.add(name.as_str(), value.as_bytes());
    }
    head
}

fn finish(event: &Event, written: Option<Written>) -> Response {
    let written =
        written.and_then(|(reply, buffer)| Some((StatusCode::from_u16(reply.status).ok()?, reply, buffer)));
    let Some((status, reply, mut buffer)) = written else {
        event.broken();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    event.answered(&reply);
    buffer.truncate(reply.length);
    json(status, buffer)
}

fn too_many(event: &Event, exceeded: Exceeded) -> Response {
    event.limited();
    let refusal = Refusal::from(Code::TooManyRequests);
    let mut body = vec![0; refusal.body_len()];
    if refusal.write(&mut body).is_err() {
        return finish(event, None);
    }
    let mut response = json(StatusCode::TOO_MANY_REQUESTS, body);
    response.headers_mut().insert(header::RETRY_AFTER, exceeded.seconds().into());
    response
}

pub(crate) fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
