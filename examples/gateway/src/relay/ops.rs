//! What who operates a relay asks: without a token, and without a limit of the rate.

use super::Relay;
use super::reply::{Refusal, json};
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::jose::{Hs256Key, api_key, jwt};
use std::sync::Arc;

/// All packages that are linked and their licences: the tests compare it with what Cargo says.
const LICENSES: &str = include_str!("../../licenses.json");

/// `GET /ops/health`: the database answers.
pub(super) async fn health(Extract(relay): Extract<Arc<Relay>>) -> Response {
    state(relay.compute(|relay| relay.state.probe()).await.is_ok())
}

/// `GET /ops/ready`: as above, and the self-test has passed.
pub(super) async fn ready(Extract(relay): Extract<Arc<Relay>>) -> Response {
    state(relay.is_sound && relay.compute(|relay| relay.state.probe()).await.is_ok())
}

/// `GET /ops/version`.
pub(super) async fn version() -> Response {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    json(StatusCode::OK, format!(r#"{{"name":"{name}","version":"{version}"}}"#))
}

/// `GET /ops/licenses`.
pub(super) async fn licenses() -> Response {
    json(StatusCode::OK, LICENSES.to_owned())
}

fn state(good: bool) -> Response {
    match good {
        true => json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
        false => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unavailable"}"#.to_owned()),
    }
}

/// RFC 6979 A.2.5, SHA-256, `sample`: the public key's x and y, and r and s.
const POINT: [&str; 2] = [
    "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
];
const SIGNATURE: [&str; 2] = [
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
];

/// Whether what a relay relies on does what it must: signatures and tokens that are right are taken, others are not, and the
/// system gives randomness.
pub(super) fn self_test() -> bool {
    verifies(b"sample") == Some(true)
        && verifies(b"tample") == Some(false)
        && tokens().is_ok()
        && getrandom::u64().is_ok()
}

fn verifies(message: &[u8]) -> Option<bool> {
    let mut point = [4; 65];
    for (half, room) in POINT.iter().zip(point.get_mut(1..)?.chunks_exact_mut(32)) {
        room.copy_from_slice(&from_hex(half)?);
    }
    let mut signature = [0; 64];
    for (half, room) in SIGNATURE.iter().zip(signature.chunks_exact_mut(32)) {
        room.copy_from_slice(&from_hex(half)?);
    }
    Some(PinnedKey::from_point(&point).ok()?.verify(message, &signature).is_ok())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn tokens() -> Result<(), Refusal> {
    let at = Timestamp::from_unix_secs;
    let times = jwt::Times { issued_at: at(1), not_before: at(1), expires: at(2) };
    let claims = api_key::Claims { key_id: "k", audience: "a", times };
    let (key, other) = (Hs256Key::from_secret(&[1; 32])?, Hs256Key::from_secret(&[2; 32])?);
    let (mut room, mut scratch) = ([0; 256], [0; 256]);
    let token = api_key::sign(&key, &claims, &mut room)?;
    api_key::verify(&key, "k", "a", token, at(1), 0, &mut scratch)?;
    let forged = api_key::verify(&other, "k", "a", token, at(1), 0, &mut scratch);
    let late = api_key::verify(&key, "k", "a", token, at(2), 0, &mut scratch);
    if forged.is_err() && late.is_err() { Ok(()) } else { Err(Refusal::Internal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_relied_on_is_sound() {
        assert!(self_test());
        assert_eq!((verifies(b"sample"), verifies(b"")), (Some(true), Some(false)));
        assert!(from_hex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FBX").is_none());
    }
}
