//! Plain mode's one key, its own salt and info among them, and envelopes with whole nonces.

use crate::agreement::check_envelope;
use crate::support::{Glass, Script};
use crate::vector::{Members, load};
use dynamic_key::agreement::schedule::{Label, PlainKdf, Schedule};
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::provider::{Aead, NONCE_LEN};
use dynamic_key::crypto::software::{RawKey, Software, TrafficKey};
use dynamic_key::crypto::{CryptoError, Provider};
use dynamic_key::envelope::{Aad, Traffic};
use dynamic_key::nonce::WireNonce;
use serde_json::Value;

/// The key seals what the software provider's key seals.
fn is_key(raw: &RawKey, key: &[u8]) -> Result<bool, CryptoError> {
    let (mut a, mut b) = ([7; 16], [7; 16]);
    let tags = (
        raw.seal(&[1; NONCE_LEN], b"", &mut a)?,
        RawKey::new(Aead::Aes256Gcm, key)?.seal(&[1; NONCE_LEN], b"", &mut b)?,
    );
    Ok(tags.0 == tags.1 && a == b)
}

/// Returns how many envelopes it has.
fn check(case: &Value, salt: Option<&[u8]>, info: &[u8]) -> usize {
    let id = case.text("sessionId");
    for (private, own, peer) in [
        ("clientPrivate", "clientPublicKey", "serverPublicKey"),
        ("serverPrivate", "serverPublicKey", "clientPublicKey"),
    ] {
        let mut provider = Software::new(Script::new([&case.hex(private)]));
        let (key, public) = provider.generate(Group::P256).unwrap();
        assert_eq!(public.write_spki(&mut [0; 91]).unwrap(), case.base64(own));
        let z = provider.agree(key, &PublicKey::from_spki(&case.base64(peer)).unwrap()).unwrap();
        assert_eq!(z.as_bytes(), case.hex("Z"));
        let schedule = Schedule::plain(&mut provider, &PlainKdf { salt, info }, id, z).unwrap();
        for label in [Label::ClientWrite, Label::ServerWrite] {
            let key = schedule.key(&mut provider, label, Aead::Aes256Gcm).unwrap();
            assert_eq!(is_key(&key, &case.hex("key")), Ok(true));
        }
    }
    let traffic = Traffic { key: (Aead::Aes256Gcm, case.hex("key")), iv: [0; NONCE_LEN] };
    let nonce = |sealed: &Value| WireNonce::from_bytes(sealed.base64("nonce").try_into().unwrap());
    let envelopes = match &case["envelopes"] {
        Value::Array(envelopes) => envelopes.as_slice(),
        _ => core::slice::from_ref(&case["envelope"]),
    };
    for sealed in envelopes {
        check_envelope::<<Glass as Provider>::TrafficKey>(&traffic, nonce(sealed), &Aad::session(id), sealed);
        if let Some(response) = sealed.get("response") {
            check_envelope(&traffic, nonce(response), &Aad::session(id), response);
        }
    }
    envelopes.len()
}

#[test]
fn the_worked_example() {
    assert_eq!(check(&load("confirmed.json")["plain"], None, b"dynamic-key-v2"), 1);
}

#[test]
fn salts_and_infos() {
    let vectors = load("dynamic-key-v2.json");
    let mut own_salts = 0;
    for case in vectors.list("plain") {
        let (salt, info) = (case.hex("salt"), case.hex("info"));
        assert_eq!(check(case, Some(&salt), &info), 3);
        if salt == case.text("sessionId").as_bytes() {
            assert_eq!(check(case, None, &info), 3);
        } else {
            own_salts += 1;
        }
    }
    assert_eq!((vectors.list("plain").len(), own_salts), (4, 2));
}
