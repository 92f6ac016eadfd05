//! The primitives that a client needs, called directly: what no protocol can do without.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::Aes256Gcm;
use board::random::Repeatable;
use core::hint::black_box;
use hkdf::Hkdf;
use p256::PublicKey;
use p256::ecdh::EphemeralSecret;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::Sha256;

/// Generates, agrees, derives a key, seals and opens. `None` when anything fails.
#[must_use]
pub fn confirmed() -> Option<()> {
    let key = EphemeralSecret::try_generate_from_rng(&mut Repeatable::new(1)).ok()?;
    black_box(key.public_key().to_sec1_point(false).as_bytes());
    let peer = PublicKey::from_sec1_bytes(&black_box([4; 65])).ok()?;
    let z = key.diffie_hellman(&peer);
    let mut key = [0; 32];
    let hkdf = Hkdf::<Sha256>::new(Some(&black_box([0; 32])), z.raw_secret_bytes());
    hkdf.expand(b"client write", &mut key).ok()?;
    let aead = Aes256Gcm::new(&key.into());
    let (nonce, mut text) = ([0; 12].into(), black_box([0; 256]));
    let tag = aead.encrypt_inout_detached(&nonce, b"", text.as_mut_slice().into()).ok()?;
    aead.decrypt_inout_detached(&nonce, b"", black_box(&mut text).as_mut_slice().into(), black_box(&tag)).ok()
}
