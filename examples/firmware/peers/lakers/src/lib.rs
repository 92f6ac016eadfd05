//! EDHOC (RFC 9528) by lakers, method 3 (static Diffie-Hellman keys on both sides) and suite 2 (P-256, AES-CCM), and the
//! AEAD of an OSCORE message under an exported key, without OSCORE's own framing.
#![no_std]
#![forbid(unsafe_code)]

use aes::Aes128;
use ccm::aead::AeadInPlace;
use ccm::consts::{U8, U13};
use ccm::{Ccm, KeyInit};
use lakers::{Credential, EDHOCMethod, EDHOCSuite, EdhocInitiator, EdhocResponder};
use lakers_crypto_rustcrypto::Crypto;
use peer_common::Rng;

/// The method: both sides prove a static Diffie-Hellman key.
pub const METHOD: EDHOCMethod = EDHOCMethod::StatStat;
/// The provider.
pub type Provider = Crypto<Rng>;
/// The client.
pub type Initiator = EdhocInitiator<Provider>;
/// The server.
pub type Responder = EdhocResponder<Provider>;
/// The tag of a message.
pub const TAG: usize = 8;

/// A client that knows nobody yet.
#[must_use]
pub fn initiator() -> Initiator {
    Initiator::new(Crypto::new(Rng::new(3)), METHOD, EDHOCSuite::CipherSuite2)
}

/// The credential of a public key, by its x-coordinate: a CWT claims set with the COSE key `kid`.
#[must_use]
pub fn credential(kid: u8, x: &[u8; 32]) -> Option<Credential> {
    let mut set = [0; 47];
    let (head, point) = set.split_first_chunk_mut()?;
    *head = [0xa1, 0x08, 0xa1, 0x01, 0xa4, 0x01, 0x02, 0x02, 0x41, kid, 0x20, 0x01, 0x21, 0x58, 0x20];
    point.copy_from_slice(x);
    Credential::parse_ccs(&set).ok()
}

/// AES-CCM-16-64-128.
type AesCcm = Ccm<Aes128, U8, U13>;

/// Seals in place, with key set-up.
pub fn seal(key: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
    let ccm = AesCcm::new_from_slice(key).ok()?;
    ccm.encrypt_in_place_detached(&[0; 13].into(), b"", text).ok().map(Into::into)
}

/// Opens in place, with key set-up.
pub fn open(key: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> Option<()> {
    let ccm = AesCcm::new_from_slice(key).ok()?;
    ccm.decrypt_in_place_detached(&[0; 13].into(), b"", text, tag.into()).ok()
}
