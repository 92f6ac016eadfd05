//! Reading a request's body, within limits of time and size.

use crate::config::Limits;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Body as _;

/// How many times the limit is read and thrown away, so that a client that writes before it reads sees the refusal.
const PATIENCE: usize = 4;

/// The body at the front of a buffer that has room for `room` bytes, and its length. One over the limit is as good as
/// none: it is no JSON, and the core says so when its turn comes. `None` when the time is up or the connection broke.
pub(crate) async fn read(body: Body, limits: &Limits, room: usize) -> Option<(Vec<u8>, usize)> {
    let (mut buffer, length) =
        tokio::time::timeout(limits.request, receive(body, limits.body_bytes)).await.ok()??;
    buffer.resize(length.max(room), 0);
    Some((buffer, length))
}

async fn receive(mut body: Body, most: usize) -> Option<(Vec<u8>, usize)> {
    let patience = most.saturating_mul(PATIENCE);
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > patience {
        return Some((Vec::new(), 0));
    }
    let mut buffer = Vec::with_capacity(if announced > most { 0 } else { announced });
    let mut received = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        received = received.saturating_add(data.len());
        if received <= most {
            buffer.extend_from_slice(&data);
        } else if received > patience {
            break;
        }
    }
    if received > most {
        buffer.clear();
    }
    let length = buffer.len();
    Some((buffer, length))
}
