//! The primitives below the protocol, called directly: what each figure of ours is held against.
//!
//! Every function is the whole of an operation, from the bytes of a key to bytes again, as the protocol needs it.

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use hkdf::Hkdf;
use p256::PublicKey;
use p256::ecdh::EphemeralSecret;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::TryCryptoRng;
use sha2::Sha256;

/// A P-256 key pair; the public key as an uncompressed point.
#[inline(never)]
pub fn generate(rng: &mut impl TryCryptoRng) -> Option<(EphemeralSecret, [u8; 65])> {
    let key = EphemeralSecret::try_generate_from_rng(rng).ok()?;
    let point = key.public_key().to_sec1_point(false).as_bytes().try_into().ok()?;
    Some((key, point))
}

/// Validates the peer's point and agrees on Z.
#[must_use]
#[inline(never)]
pub fn agree(key: &EphemeralSecret, peer: &[u8; 65]) -> Option<[u8; 32]> {
    let peer = PublicKey::from_sec1_bytes(peer).ok()?;
    Some((*key.diffie_hellman(&peer).raw_secret_bytes()).into())
}

/// ES256.
#[must_use]
#[inline(never)]
pub fn sign(key: &SigningKey, message: &[u8]) -> Option<[u8; 64]> {
    let signature: Signature = key.try_sign(message).ok()?;
    Some(signature.to_bytes().into())
}

/// ES256, from the bytes of the key.
#[must_use]
#[inline(never)]
pub fn verify(point: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> Option<()> {
    let key = VerifyingKey::from_sec1_bytes(point).ok()?;
    key.verify(message, &Signature::from_slice(signature).ok()?).ok()
}

/// HKDF-SHA256, one key of 32 bytes.
#[must_use]
#[inline(never)]
pub fn derive(salt: &[u8; 32], z: &[u8; 32]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), z).expand(b"dynamic-key v2 client write", &mut key).ok()?;
    Some(key)
}

/// AES-128-GCM or AES-256-GCM.
pub trait Gcm: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit {}

impl<A: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit> Gcm for A {}

/// AES-GCM with its key set-up.
#[inline(never)]
pub fn seal<A: Gcm>(key: &[u8], nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> Option<[u8; 16]> {
    let key = A::new_from_slice(key).ok()?;
    key.encrypt_inout_detached(&(*nonce).into(), aad, text.into()).ok().map(Into::into)
}

/// AES-GCM with its key set-up.
#[inline(never)]
pub fn open<A: Gcm>(key: &[u8], nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Option<()> {
    let key = A::new_from_slice(key).ok()?;
    key.decrypt_inout_detached(&(*nonce).into(), aad, text.into(), &(*tag).into()).ok()
}
