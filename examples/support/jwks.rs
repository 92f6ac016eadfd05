//! The keys that a gateway publishes, found by the kids that the client pins.
//!
//! This may travel in the clear: a kid is the thumbprint of its key (RFC 7638), recomputed when it is read, so that no other key can
//! pass for it. Pins themselves are provisioned, never learned this way.

use dynamic_key::crypto::KeyId;
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::jose::jwk;
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
    let published = jwk::keys(answer.body).map_err(|error| format!("{PATH}: {error}"))?;
    let keys: Vec<_> = published.filter(|key| pins.contains(&key.kid())).collect();
    if keys.is_empty() {
        Err(format!("{PATH}: none of the pinned keys is published there"))
    } else {
        Ok(keys)
    }
}
