//! The images that the ledger measures.
//!
//! `src/bin/flash_*.rs` are one role in one mode each, which only have a size; `src/bin/calls.rs` runs both roles in all
//! modes and schemes and prints what each call costs.
#![no_std]
#![forbid(unsafe_code)]

pub mod bare;
pub mod images;
#[cfg(feature = "jwe")]
pub mod package;
pub mod provider;
pub mod roles;

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::KeyId;
use dynamic_key::handshake::{Claims, ClientConfig, ClientPolicy, ServerFacts, ServerPolicy};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode};

/// The room for a token in a client's session: none where frames are looked at, for the caller chooses it.
pub const TOKEN: usize = if cfg!(frames) { 0 } else { 384 };

/// A sensor of the house.
#[must_use]
pub const fn config(mode: Mode, schemes: &[Scheme]) -> ClientConfig<'_> {
    let mut config =
        ClientConfig::new(ClientType::Internal, "sensor-fleet", "5f0c7a52-8f64-4c1e-9a7e", "cortex-m");
    config.mode = mode;
    config.schemes = schemes;
    config
}

/// Admits everybody with the elliptic-curve schemes.
pub struct Open;

impl ServerPolicy for Open {
    fn client(&self, _: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        Some(ClientPolicy {
            schemes: &Scheme::ELLIPTIC,
            preference: Preference::Client,
            least_mode: Mode::Plain,
        })
    }
}

/// What a gateway grants: a session id of 128 bits and a token of the length of its JWTs.
#[must_use]
pub const fn facts(identity: Option<KeyId>) -> ServerFacts<'static> {
    ServerFacts {
        session_id: "TK0mRu4VxwEFr7CbKqKQGA",
        token: "eyJhbGciOiJIUzI1NiIsInR5cCI6ImRrMitqd3QifQ.eyJzaWQiOiJUSzBtUnU0Vnh3RUZyN0NiS3FLUUdBIiwiY2lkIjoic2V\
                uc29yLWZsZWV0IiwiZGlkIjoiNWYwYzdhNTItOGY2NC00YzFlLTlhN2UiLCJpYXQiOjE3ODA1Mjc2MDAsIm5iZiI6MTc4MDUyNzYwMCw\
                iZXhwIjoxNzgwNTMxMjAwLCJhdWQiOiJodHRwczovL2dhdGV3YXkuZXhhbXBsZSJ9.Nq3wq0f7e0lq0cY3lJ5l0k0n1dEo2m4iY1oS9mXb2oM",
        expire_token: 0,
        expires_at: Timestamp::from_unix_secs(1_780_531_200),
        expires_in: 3600,
        instance: 7,
        identity,
        plain: dynamic_key::agreement::schedule::PlainKdf { salt: None, info: b"dynamic-key-v2" },
    }
}
