//! The keys that a gateway publishes, found by the kids that the client pins.
//!
//! This may travel in the clear: a kid is the thumbprint of its key (RFC 7638), recomputed here, so that no other key can
//! pass for it. Pins themselves are provisioned, never learned this way.

use dynamic_key::codec::json::{self, JsonError, Value};
use dynamic_key::crypto::KeyId;
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::transport::{Request, Transport};
use std::fmt::Display;

/// Where a gateway publishes its JWK Set.
const PATH: &str = "/.well-known/jwks.json";

/// Fetches the keys with these kids; the error is a line for a person. A pin that is not published is left out (the
/// next key of a rotation, most often), but one must be there.
pub(crate) fn fetch<T: Transport<Error: Display>>(
    transport: &mut T,
    pins: &[KeyId],
    buffer: &mut [u8],
) -> Result<Vec<PinnedKey>, String> {
    let failed = |error: T::Error| format!("{PATH}: {error}");
    transport.send(&Request { method: "GET", target: PATH, headers: &[], body: &[] }).map_err(failed)?;
    let answer = transport.receive(buffer).map_err(failed)?;
    if answer.status != 200 {
        return Err(format!("{PATH}: status {}", answer.status));
    }
    let mut keys = published(answer.body).map_err(|error| format!("{PATH}: {error}"))?;
    keys.retain(|key| pins.contains(&key.kid()));
    if keys.is_empty() {
        Err(format!("{PATH}: none of the pinned keys is published there"))
    } else {
        Ok(keys)
    }
}

/// The P-256 keys of a JWK Set, each with the thumbprint that it really has.
fn published(text: &[u8]) -> Result<Vec<PinnedKey>, JsonError> {
    let [keys] = json::object(text, &["keys"])?;
    let keys = keys.ok_or(JsonError::WrongType)?.elements()?;
    Ok(keys.filter_map(key).collect())
}

/// One JWK; `None` for what is no P-256 key. Whatever else it claims, its own `kid` above all, is not asked.
fn key(jwk: Value<'_>) -> Option<PinnedKey> {
    let [x, y] = jwk.members(&["x", "y"]).ok()?;
    let mut point = [4; 65];
    let (front, to_y) = point.split_at_mut(33);
    for (coordinate, room) in [(x?, front.get_mut(1..)?), (y?, to_y)] {
        let decoded = coordinate.string().ok()?.base64url(room).ok()?;
        (decoded.len() == 32).then_some(())?;
    }
    PinnedKey::from_point(&point).ok()
}
