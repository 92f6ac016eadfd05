//! Noise_XX_25519_AESGCM_SHA256 by clatter: both sides know each other's static keys when it is done.
#![no_std]
#![forbid(unsafe_code)]

use clatter::crypto::cipher::AesGcm;
use clatter::crypto::dh::X25519;
use clatter::crypto::hash::Sha256;
use clatter::handshakepattern::noise_xx;
use clatter::traits::Dh;
use clatter::{KeyPair, NqHandshakeCore};
use peer_common::Rng;

/// One side of the handshake.
pub type Handshake = NqHandshakeCore<X25519, AesGcm, Sha256, Rng>;
/// A static key.
pub type Key = KeyPair<<X25519 as Dh>::PubKey, <X25519 as Dh>::PrivateKey>;

/// A static key.
#[must_use]
pub fn key(seed: u32) -> Option<Key> {
    X25519::genkey_rng(&mut Rng::new(seed)).ok()
}

/// Begins a handshake.
#[must_use]
pub fn begin(initiator: bool, key: Key) -> Option<Handshake> {
    Handshake::new(noise_xx(), &[], initiator, Some(key), None, None, None).ok()
}
