//! Sessions that outlive the power: no nonce is ever sealed twice, whatever the storage does, short of telling the past.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod flash;
mod lifecycle;
mod memory;
mod nor;
mod record;
mod watched;

use dynamic_key::client::Client;
use dynamic_key::crypto::provider::Aead;
use dynamic_key::crypto::software::{PinnedKey, Pins, Software, TrafficKey};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Mode, Now, SessionStorage, Vault};
use support::{Link, Seeded, World};
use watched::Watched;

type Provider = Software<Seeded, Watched>;
type Stored<'w, D> =
    Client<'static, Provider, Pins<'w>, Link<'w>, 512, core::convert::Infallible, Vault<Watched, D>>;

/// The root key of all the devices here.
const ROOT: [u8; 32] = [0x5a; 32];

fn root() -> Watched {
    Watched::new(Aead::Aes256Gcm, &ROOT).unwrap()
}

fn provider(seed: u64) -> Provider {
    Software::with_keys(Seeded(seed))
}

fn config(mode: Mode) -> ClientConfig<'static> {
    ClientConfig {
        mode,
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
    }
}

/// A device that has just got its power, and reserves `block` counters at a time.
fn boot<'w, D: SessionStorage>(
    world: &'w mut World,
    pins: &'w [PinnedKey],
    storage: D,
    block: u32,
    seed: u64,
) -> Stored<'w, D> {
    let client = Client::new(config(Mode::Pinned), provider(seed), Pins(pins), Link::honest(world)).unwrap();
    client.with_storage(Vault::new(storage, root()).with_block(block))
}

/// One request, which must be answered.
fn call<D: SessionStorage>(client: &mut Stored<'_, D>) {
    let mut buffer = [0; 2048];
    let answer = client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer).unwrap();
    assert_eq!(answer.status, 200);
}

/// How many handshakes went over the wire.
fn handshakes<D: SessionStorage>(client: &mut Stored<'_, D>) -> usize {
    client.transport_mut().seen.iter().filter(|wire| wire.target == "/api/info/v2").count()
}
