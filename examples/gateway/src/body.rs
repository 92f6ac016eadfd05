//! Reading a request's body, within limits of time and size.

use crate::config::Limits;
use axum::body::Body as Stream;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::timeout;

/// How many times the limit is read and thrown away, so that a client that writes before it reads sees the refusal.
const PATIENCE: usize = 4;
/// What is taken for granted of an announced length.
const CREDIT: usize = 16 * 1024;

/// A body at the front of a buffer.
pub(crate) struct Body {
    pub(crate) buffer: Vec<u8>,
    pub(crate) length: usize,
}

/// Reads a body into a buffer of at least `room` bytes. One that is over the limit or breaks off is as good as none: it is
/// no JSON, and the core says so when its turn comes. `None` when the time is up.
pub(crate) async fn read(stream: Stream, limits: &Limits, room: usize) -> Option<Body> {
    let received = timeout(limits.request, receive(stream, limits.body_bytes)).await.ok()?;
    let mut buffer = received.unwrap_or_default();
    let length = buffer.len();
    buffer.resize(length.max(room), 0);
    Some(Body { buffer, length })
}

async fn receive(mut stream: Stream, most: usize) -> Option<Vec<u8>> {
    let patience = most.saturating_mul(PATIENCE);
    let announced = usize::try_from(stream.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > patience {
        return None;
    }
    let mut buffer = Vec::with_capacity(announced.min(CREDIT));
    let mut received = 0_usize;
    while let Some(frame) = stream.frame().await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        received = received.saturating_add(data.len());
        if received <= most {
            buffer.extend_from_slice(&data);
        } else if received > patience {
            break;
        }
    }
    (received <= most).then_some(buffer)
}
