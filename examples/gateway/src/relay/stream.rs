//! The events of a customer: those of late, page by page, and those to come.

use super::access::Caller;
use super::event::Kind;
use super::listen::{Hints, wait};
use super::messages::{LIMIT, cursor, place};
use super::recent::Part;
use super::reply::{Done, Refusal, Success};
use super::{Answer, Relay, finish, now};
use crate::http::Peer;
use axum::extract::{Extension, Path, RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use dynamic_key::identity::response::Cursor;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

const EVENTS: &str = "/v1/customer/:cust/stream/events";
const LISTEN: &str = "/v1/customer/:cust/stream/events/listen";

/// What is asked for, and how long to wait for it, in seconds.
#[derive(Debug)]
struct Query {
    part: Part,
    wait: Option<u32>,
}

/// `GET /v1/customer/:cust/stream/events`.
pub(super) async fn events(
    Extract(relay): Extract<Arc<Relay>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(customer): Path<String>,
    RawQuery(query): RawQuery,
    head: HeaderMap,
) -> Response {
    let answer = async {
        let (caller, Query { part, wait }) = admit(&relay, peer, customer, query, head).await?;
        if wait.is_some() { Err(Refusal::Malformed) } else { page(&relay, &caller.customer, &part) }
    };
    finish(peer, EVENTS, answer.await)
}

/// `GET /v1/customer/:cust/stream/events/listen`.
pub(super) async fn listen(
    Extract(relay): Extract<Arc<Relay>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(customer): Path<String>,
    RawQuery(query): RawQuery,
    head: HeaderMap,
) -> Response {
    let answer = async {
        let (Caller { customer, .. }, query) = admit(&relay, peer, customer, query, head).await?;
        let Query { part, wait: seconds } = query;
        let mut seat = relay.listeners.enter()?;
        // No address has a slash.
        seat.claim(&format!("customer/{customer}"))?;
        let (owner, wanted) = (Arc::clone(&customer), part.clone());
        let hints = Hints::of(&relay, move |event| event.caller.customer == owner && wanted.wants(event));
        let seconds = if part.last.is_some() { Some(0) } else { seconds };
        wait(&relay, seconds, hints, move |relay| page(relay, &customer, &part)).await
    };
    finish(peer, LISTEN, answer.await)
}

/// Who asks, and for what: nobody sees the events of another customer.
async fn admit(
    relay: &Arc<Relay>,
    peer: IpAddr,
    customer: String,
    query: Option<String>,
    head: HeaderMap,
) -> Result<(Caller, Query), Refusal> {
    relay.charge(peer)?;
    let caller = relay.compute(move |relay| relay.access.caller(&head, now())).await?;
    if *caller.customer != *customer {
        return Err(Refusal::Customer);
    }
    let query = Query::read(query.as_deref().unwrap_or_default()).ok_or(Refusal::Malformed)?;
    Ok((caller, query))
}

fn page(relay: &Relay, customer: &str, part: &Part) -> Answer {
    let (events, more) = relay.recent.page(customer, part);
    let ends = events.first().zip(events.last());
    let page = ends.map(|(first, last)| (cursor(first.place), cursor(last.place)));
    let body = Value::from_iter(events.iter().map(|event| event.json())).to_string();
    Ok(Success { page, more: Some(more), ..Success::new(Done::EVENTS, Some(body)) })
}

impl Query {
    /// Reads `last`, `first`, `limit`, `wait` and `type`, each once at most. None of them has anything to escape.
    fn read(query: &str) -> Option<Self> {
        let (mut last, mut first, mut limit, mut wait, mut kinds) = (None, None, None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let to = match name {
                "last" => &mut last,
                "first" => &mut first,
                "limit" => &mut limit,
                "wait" => &mut wait,
                "type" => &mut kinds,
                _ => return None,
            };
            if to.replace(value).is_some() {
                return None;
            }
        }
        let at = |text: Option<&str>| match text {
            Some(text) => place(&Cursor::new(text).ok()?).ok().map(Some),
            None => Some(None),
        };
        let number = |text: Option<&str>| match text {
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok().map(Some),
            Some(_) => None,
            None => Some(None),
        };
        let kind = |name: &str| Kind::NAMES.into_iter().find(|kind| *kind == name);
        let kinds = kinds.map(|kinds| kinds.split(',').map(kind).collect::<Option<Vec<_>>>());
        let limit = number(limit)?.unwrap_or(LIMIT.0).min(LIMIT.1);
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0)?;
        let kinds = kinds.unwrap_or(Some(Vec::new()))?;
        Some(Self { part: Part { last: at(last)?, first: at(first)?, limit, kinds }, wait: number(wait)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_it_is_meant_or_not_at_all() {
        let query =
            Query::read("type=message.sent,identity.meta&limit=5&first=00000000000000ff&wait=9").unwrap();
        let Part { last, first, limit, kinds } = query.part;
        assert_eq!((last, first, limit, query.wait), (None, Some(255), 5, Some(9)));
        assert_eq!(kinds, ["message.sent", "identity.meta"]);
        let all = Query::read("").unwrap();
        assert_eq!((all.part.limit, all.part.kinds.len(), all.wait), (32, 0, None));
        assert_eq!(Query::read("limit=1000").unwrap().part.limit, 100);
        for wrong in [
            "limit=0",
            "limit=-1",
            "limit=+1",
            "limit=",
            "limit",
            "limit=1&limit=1",
            "kind=x",
            "type=",
            "type=x",
            "type=message.sent,",
            "first=ff",
            "last=",
            "wait=1.5",
            "wait=4294967296",
            "first=%30",
        ] {
            assert!(Query::read(wrong).is_none(), "{wrong}");
        }
    }
}
