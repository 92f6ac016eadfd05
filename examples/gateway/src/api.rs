//! The endpoints: what stands between an HTTP request and the core.

use crate::http::Peer;
use crate::limit::{Exceeded, SourceLimit};
use crate::shared::{Shared, Work};
use crate::upstream::{Answer, Outgoing};
use crate::{Software, body, log, now};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use dynamic_key::Code;
use dynamic_key::envelope::sealed_len;
use dynamic_key::gateway::{ANSWER_ROOM, ERROR_ROOM, Head, Opened, Reply, Responder};
use dynamic_key::handshake::Refusal;
use getrandom::SysRng;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

type Handle = Arc<crate::store::Entry>;

/// The router of a gateway.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let cors = shared.cors.clone();
    let router = Router::new()
        .route("/api/info/v2", post(info))
        .route("/api/request/v2", post(request))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/health", get(async || json(StatusCode::OK, r#"{"status":"ok"}"#)))
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

/// `POST /api/info/v2`: a handshake, on a thread of its own for the time of its cryptography.
async fn info(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let started = Instant::now();
    if let Err(exceeded) = charge(shared.handshakes.as_ref(), peer) {
        log::refused(peer, "handshake", Code::TooManyRequests);
        return too_many(exceeded);
    }
    let (head, body) = request.into_parts();
    let Some((mut buffer, length)) = body::read(body, &shared.limits, ANSWER_ROOM).await else {
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let work = {
        let shared = Arc::clone(&shared);
        move || {
            let mut identity = shared.identity.clone();
            let (mut provider, mut sessions) = (Software::new(SysRng), &shared.sessions);
            let head = headers(&head.headers);
            let identity = Some(&mut identity as _);
            let reply = shared.gateway.accept(
                &mut provider,
                identity,
                &mut sessions,
                now(),
                &head,
                &mut buffer,
                length,
            );
            (reply, buffer)
        }
    };
    match shared.compute(Work::Slow, work).await {
        Some((Ok(reply), buffer)) => {
            log::answered(peer, "handshake", &reply, started);
            respond(reply, buffer)
        }
        _ => broken("handshake"),
    }
}

/// What becomes of an envelope.
enum Next {
    Reply(Reply, Vec<u8>),
    Forward(Box<Outgoing>, Responder<Handle>, log::Route),
}

/// `POST /api/request/v2`: open, forward, seal.
async fn request(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let started = Instant::now();
    if let Some(Err(exceeded)) = shared.failures.as_ref().map(|limit| limit.check(peer)) {
        log::refused(peer, "request", Code::TooManyRequests);
        return too_many(exceeded);
    }
    let (head, body) = request.into_parts();
    let Some((buffer, length)) = body::read(body, &shared.limits, ERROR_ROOM).await else {
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let opened = {
        let shared = Arc::clone(&shared);
        shared.clone().compute(Work::of(length), move || open(&shared, &head.headers, buffer, length)).await
    };
    match opened.flatten() {
        Some(Next::Reply(reply, buffer)) => {
            if matches!(reply.code, Some(Code::InvalidSession | Code::InvalidToken | Code::EncryptionError)) {
                // What fails is answered with its own code; the next one is not looked at.
                let _ = charge(shared.failures.as_ref(), peer);
            }
            log::answered(peer, "request", &reply, started);
            respond(reply, buffer)
        }
        Some(Next::Forward(outgoing, responder, route)) => {
            let answer = shared.upstream.send(*outgoing).await;
            if let Err(failure) = &answer {
                log::upstream_failed(&route, failure);
            }
            let retry_after = answer.as_ref().ok().and_then(|answer| answer.retry_after.clone());
            let length = answer.as_ref().map_or(0, |answer| answer.body.len());
            let sealed = {
                let shared = Arc::clone(&shared);
                shared.clone().compute(Work::of(length), move || seal(&shared, responder, answer.ok())).await
            };
            let Some((reply, buffer)) = sealed.flatten() else { return broken("request") };
            log::forwarded(peer, &route, &reply, started);
            let mut response = respond(reply, buffer);
            if let Some(retry_after) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, retry_after);
            }
            response
        }
        None => broken("request"),
    }
}

/// Opens the envelope and makes of it what goes to the upstream.
fn open(shared: &Shared, headers: &HeaderMap, mut buffer: Vec<u8>, length: usize) -> Option<Next> {
    let (mut provider, mut sessions) = (Software::new(SysRng), &shared.sessions);
    let head = self::headers(headers);
    let opened =
        shared.gateway.open_request(&mut provider, &mut sessions, now(), &head, &mut buffer, length).ok()?;
    let (responder, code) = match opened {
        Opened::Reply(reply) => return Some(Next::Reply(reply, buffer)),
        Opened::Admitted(admitted) => match shared.upstream.request(&admitted) {
            Ok(outgoing) => {
                let route = log::Route::new(headers, &admitted);
                return Some(Next::Forward(Box::new(outgoing), admitted.responder, route));
            }
            Err(code) => (admitted.responder, code),
        },
    };
    let reply = shared.gateway.seal_error(&mut provider, &mut sessions, responder, code, &mut buffer).ok()?;
    Some(Next::Reply(reply, buffer))
}

/// Seals what the upstream answered, or that it did not.
fn seal(shared: &Shared, responder: Responder<Handle>, answer: Option<Answer>) -> Option<(Reply, Vec<u8>)> {
    let (mut provider, mut sessions) = (Software::new(SysRng), &shared.sessions);
    let Some(Answer { status, body: mut buffer, .. }) = answer else {
        let mut buffer = vec![0; ERROR_ROOM];
        let code = Code::UpstreamUnavailable;
        let reply = shared.gateway.seal_error(&mut provider, &mut sessions, responder, code, &mut buffer);
        return Some((reply.ok()?, buffer));
    };
    let length = buffer.len();
    buffer.resize(sealed_len(length).max(ERROR_ROOM), 0);
    let reply =
        shared.gateway.seal_response(&mut provider, &mut sessions, responder, status, &mut buffer, length);
    Some((reply.ok()?, buffer))
}

fn headers(headers: &HeaderMap) -> Head<'_> {
    let mut head = Head::new();
    for (name, value) in headers {
        head.add(name.as_str(), value.as_bytes());
    }
    head
}

fn charge(limit: Option<&SourceLimit>, peer: IpAddr) -> Result<(), Exceeded> {
    limit.map_or(Ok(()), |limit| limit.charge(peer))
}

fn respond(reply: Reply, mut buffer: Vec<u8>) -> Response {
    buffer.truncate(reply.length);
    json(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY), buffer)
}

fn too_many(exceeded: Exceeded) -> Response {
    let refusal = Refusal::from(Code::TooManyRequests);
    let mut body = vec![0; refusal.body_len()];
    if refusal.write(&mut body).is_err() {
        return broken("request");
    }
    let mut response = json(StatusCode::TOO_MANY_REQUESTS, body);
    // Rounded up: after that many seconds there is room.
    let seconds = exceeded.retry_after.as_secs().saturating_add(1);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// A fault of this program: nothing of a peer leads here.
fn broken(endpoint: &'static str) -> Response {
    tracing::error!(endpoint, "the core could not answer");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
