//! Key Agreement: the endpoint that agrees, and the calls whose sealed fields are opened on their way to the upstream.

use crate::agreements::{Entry, MemoryAgreements};
use crate::api::{head, json};
use crate::body::{self, Body};
use crate::config::{Config, ConfigError, SealedCall};
use crate::http::Peer;
use crate::limit::Exceeded;
use crate::log::Event;
use crate::shared::{Shared, Work};
use crate::upstream::{Answer, Outgoing};
use crate::{Software, now};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dynamic_key::codec::json as core_json;
use dynamic_key::field::{Call, is_field_name, sealed_len};
use dynamic_key::gateway::key_agreement::{Opened, RESPONSE_ROOM};
use dynamic_key::gateway::{AgreementStore, KeyAgreementGateway, Reply};
use dynamic_key::handshake::KeyAgreementPolicy;
use dynamic_key::nonce::limit;
use getrandom::SysRng;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroize;

/// What Key Agreement needs, where it is on.
pub(crate) struct Rest {
    gateway: KeyAgreementGateway<'static>,
    pub(crate) agreements: MemoryAgreements,
    /// Whether the gateway's identity signs.
    sign: bool,
    calls: &'static [SealedCall],
}

/// The most sealed fields of a call.
const MOST_FIELDS: usize = 4;

impl Rest {
    /// What the configuration says; `None` where it says nothing.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] with the first setting that cannot be.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, ConfigError> {
        let Some(own) = &config.key_agreement else { return Ok(None) };
        let error = |reason: &str| Err(ConfigError::setting("key_agreement", reason));
        if !(1..=255).contains(&own.identifier.len()) {
            return error("identifier must have 1 to 255 bytes");
        }
        if own.lifetime.is_zero() || own.agreements == 0 {
            return error("seconds and agreements must not be zero");
        }
        for call in &own.calls {
            let SealedCall { method, path, fields, answers } = call;
            if Call::new(method, path).is_err() || method == "GET" || method == "HEAD" {
                return error(&format!("{method} {path} is no method in capitals with a body, or no path"));
            }
            if !(1..=MOST_FIELDS).contains(&fields.len()) {
                return error(&format!("{method} {path} must have 1 to {MOST_FIELDS} fields"));
            }
            if let Some(name) = fields.iter().chain(answers).find(|name| !is_field_name(name)) {
                return error(&format!(
                    "{name:?} is not 1 to 64 letters, digits, dots, hyphens or underscores"
                ));
            }
        }
        let gateway = KeyAgreementGateway {
            policy: KeyAgreementPolicy {
                schemes: config.schemes.clone().leak(),
                preference: config.preference,
            },
            identifier: own.identifier.clone().into_bytes().leak(),
            seconds: own.lifetime.as_secs(),
            instance: config.instance,
        };
        let agreements = MemoryAgreements::new(own.agreements);
        Ok(Some(Self { gateway, agreements, sign: own.sign, calls: own.calls.clone().leak() }))
    }

    /// The call with this method and path, or what to answer instead.
    fn find(&self, method: &str, path: &str) -> Result<&'static SealedCall, StatusCode> {
        let of_path = |call: &&SealedCall| call.path == path;
        let found = self.calls.iter().filter(of_path).find(|call| call.method == method);
        found.ok_or_else(|| match self.calls.iter().find(of_path) {
            Some(_) => StatusCode::METHOD_NOT_ALLOWED,
            None => StatusCode::NOT_FOUND,
        })
    }
}

/// `POST /rest/key-agreement`.
pub(crate) async fn agree(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    if shared.rest.is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (head, body) = request.into_parts();
    let event = Event::new(peer, "key-agreement", &head.headers);
    if let Some(Err(exceeded)) = shared.handshakes.as_ref().map(|limit| limit.charge(peer)) {
        return too_many(&event, exceeded);
    }
    let Some(body) = body::read(body, &shared.limits, RESPONSE_ROOM).await else {
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let written = shared.compute(Work::Slow, {
        let shared = Arc::clone(&shared);
        move || accept(&shared, &head.headers, body)
    });
    match written.await.flatten() {
        Some((reply, mut buffer)) if reply.status == 200 => {
            event.answered(&reply);
            buffer.truncate(reply.length);
            json(StatusCode::OK, buffer)
        }
        written => refuse(&event, written.map(|(reply, _)| reply)),
    }
}

fn accept(shared: &Shared, headers: &HeaderMap, body: Body) -> Option<(Reply, Vec<u8>)> {
    let rest = shared.rest.as_ref()?;
    let (mut provider, mut agreements) = (Software::new(SysRng), &rest.agreements);
    let mut identity = shared.identity.clone();
    let Body { mut buffer, length } = body;
    let signer = if rest.sign { Some(&mut identity as _) } else { None };
    let reply = rest.gateway.accept(
        &mut provider,
        signer,
        &mut agreements,
        now(),
        &head(headers),
        &mut buffer,
        length,
    );
    Some((reply.ok()?, buffer))
}

/// Any other path: a call with sealed fields, if it is one that is configured.
pub(crate) async fn call(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let configured = match shared.rest.as_ref().map(|rest| rest.find(head.method.as_str(), head.uri.path())) {
        Some(Ok(configured)) => configured,
        Some(Err(status)) => return status.into_response(),
        None => return StatusCode::NOT_FOUND.into_response(),
    };
    let event = Event::new(peer, "call", &head.headers);
    if let Some(Err(exceeded)) = shared.failures.as_ref().map(|limit| limit.check(peer)) {
        return too_many(&event, exceeded);
    }
    let Some(body) = body::read(body, &shared.limits, 0).await else {
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let opened = shared.compute(Work::of(body.length), {
        let shared = Arc::clone(&shared);
        move || open(&shared, configured, head.uri.query().unwrap_or_default(), &head.headers, body)
    });
    let Admitted { entry, call, outgoing } = match opened.await {
        Some(Ok(admitted)) => admitted,
        Some(Err(reply)) => {
            if let (Some(limit), Some(Reply { status: 400, .. })) = (&shared.failures, &reply) {
                let _ = limit.charge(peer);
            }
            return refuse(&event, reply);
        }
        None => return refuse(&event, None),
    };
    let Ok(answer) = shared.upstream.send(outgoing).await.map_err(|failure| event.upstream_failed(failure))
    else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, retry_after) = (answer.status, answer.retry_after.clone());
    let sealed = shared.compute(Work::of(answer.body.len()), {
        let shared = Arc::clone(&shared);
        move || seal(&shared, configured, &entry, &call, answer)
    });
    let (Ok(status), Some(body)) = (StatusCode::from_u16(status), sealed.await.flatten()) else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    event.answered(&Reply { status: status.as_u16(), length: body.len(), code: None });
    let mut response = json(status, body);
    if let Some(retry_after) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after);
    }
    response
}

/// A call whose fields are open and committed.
struct Admitted {
    entry: Arc<Entry>,
    call: Call<'static>,
    outgoing: Outgoing,
}

/// Opens the fields and makes of the call what goes to the upstream. The error is what to answer; `None` in it is a fault of
/// this program.
fn open(
    shared: &Shared,
    configured: &'static SealedCall,
    query: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Admitted, Option<Reply>> {
    let malformed = Some(Reply { status: 400, length: 0, code: None });
    let rest = shared.rest.as_ref().ok_or(None)?;
    let mut call = Call::new(&configured.method, &configured.path).map_err(|_| None)?;
    let (id, others) = agreement_of(query).ok_or(malformed)?;
    let Body { buffer: mut opened, length } = body;
    opened.truncate(length);
    let sent = opened.clone();
    let fields: Vec<&str> = configured.fields.iter().map(String::as_str).collect();
    let head = head(headers);
    macro_rules! open {
        ($($name:ident)*) => {{
            let (mut provider, mut agreements) = (Software::new(SysRng), &rest.agreements);
            let names = [$($name),*];
            match rest.gateway.open(&mut provider, &mut agreements, now(), &head, id, &mut call, &names, &mut opened) {
                Ok(Opened::Open(entry, places)) => (entry, places.to_vec()),
                Ok(Opened::Reply(reply)) => return Err(Some(reply)),
                Err(_) => return Err(None),
            }
        }};
    }
    let (entry, places) = match *fields.as_slice() {
        [a] => open!(a),
        [a, b] => open!(a b),
        [a, b, c] => open!(a b c),
        [a, b, c, d] => open!(a b c d),
        _ => return Err(None),
    };
    let plaintexts = places.into_iter().map(|place| {
        let text = opened.get(place?)?;
        Some(Value::from(std::str::from_utf8(text).ok()?).to_string())
    });
    // All must be there: a field that is not sealed is none.
    let plaintexts: Vec<String> = plaintexts.collect::<Option<_>>().ok_or(malformed)?;
    let body = replaced(&sent, &fields, plaintexts).ok_or(malformed)?;
    opened.zeroize();
    let target = format!("{}{}{others}", configured.path, if others.is_empty() { "" } else { "?" });
    let outgoing = shared.upstream.call(&configured.method, &target, body).map_err(|_| malformed)?;
    Ok(Admitted { entry, call, outgoing })
}

/// The agreement that the query names, once, and the query's other members.
fn agreement_of(query: &str) -> Option<(&str, String)> {
    const NAME: &str = "client_reference_id=";
    let mut ids = query.split('&').filter_map(|member| member.strip_prefix(NAME));
    let (id, None) = (ids.next()?, ids.next()) else { return None };
    let others: Vec<&str> = query.split('&').filter(|member| !member.starts_with(NAME)).collect();
    Some((id, others.join("&")))
}

/// The JSON `text` with other values for the members `names`; all else as it was sent.
fn replaced(text: &[u8], names: &[&str], values: Vec<String>) -> Option<Vec<u8>> {
    let mut places: Vec<(Range<usize>, String)> = Vec::new();
    for (name, value) in names.iter().zip(values) {
        let [found] = core_json::object(text, &[name]).ok()?;
        places.push((found?.range(), value));
    }
    places.sort_by_key(|(range, _)| range.start);
    let (mut out, mut from) = (Vec::with_capacity(text.len()), 0);
    for (range, value) in places {
        out.extend_from_slice(text.get(from..range.start)?);
        out.extend_from_slice(value.as_bytes());
        from = range.end;
    }
    out.extend_from_slice(text.get(from..)?);
    Some(out)
}

/// Seals the members of the upstream's answer that are to be sealed and are strings there. `None` when that cannot be: then
/// nothing of the answer may leave.
fn seal(
    shared: &Shared,
    configured: &SealedCall,
    entry: &Arc<Entry>,
    call: &Call<'_>,
    answer: Answer,
) -> Option<Vec<u8>> {
    let rest = shared.rest.as_ref()?;
    let (mut provider, mut agreements) = (Software::new(SysRng), &rest.agreements);
    let (mut names, mut values) = (Vec::new(), Vec::new());
    if configured.answers.is_empty() {
        return Some(answer.body);
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(&answer.body) else {
        // No object has no members; an object that cannot be read might have some.
        return (!answer.body.trim_ascii_start().starts_with(b"{")).then_some(answer.body);
    };
    for name in &configured.answers {
        let Some(value) = members.get(name) else { continue };
        let Value::String(text) = value else { return None };
        let mut counters = agreements.reserve(entry, 1, limit::blocks(text.len())).ok()?;
        let mut buffer = vec![0; sealed_len(text.len())];
        buffer.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        let agreement = agreements.agreement(entry)?;
        let sealed =
            agreement.seal(&mut provider, &mut counters, call, answer.status, name, &mut buffer, text.len());
        buffer.truncate(sealed.ok()?);
        names.push(name.as_str());
        values.push(Value::from(String::from_utf8(buffer).ok()?).to_string());
    }
    replaced(&answer.body, &names, values)
}

/// A refusal has no body (§3).
fn refuse(event: &Event, reply: Option<Reply>) -> Response {
    let status = reply.and_then(|reply| StatusCode::from_u16(reply.status).ok());
    match (status, &reply) {
        (Some(status), Some(reply)) => {
            event.answered(reply);
            status.into_response()
        }
        _ => {
            event.broken();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn too_many(event: &Event, exceeded: Exceeded) -> Response {
    event.limited();
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, exceeded.seconds())]).into_response()
}
