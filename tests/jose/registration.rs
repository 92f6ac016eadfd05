//! The source's registration example: signatures and key ids that were really made.

use crate::support::{load, provider, unurl};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::Pins;
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::{JoseError, KeyRef, jws};
use serde_json::Value;

const MEMBERS: [&str; 3] = ["encPubKey", "metaPublic", "metaPrivate"];

fn key(jwk: &Value, usage: Use) -> Jwk {
    Jwk::parse(&mut provider(), jwk.to_string().as_bytes(), usage).unwrap()
}

#[test]
fn both_key_ids_are_reproduced_and_the_key_is_written_as_it_was() {
    let vectors = load("nix-registration.json");
    let signing = key(&vectors["sigPubKey"], Use::Signature);
    let encryption = key(&vectors["encPubKeyJwk"], Use::Encryption);
    for (key, jwk) in [(signing, &vectors["sigPubKey"]), (encryption, &vectors["encPubKeyJwk"])] {
        assert_eq!(key.kid().as_str(), jwk["kid"]);
        let mut out = [0; Jwk::LEN];
        assert_eq!(key.write(&mut out), Ok(Jwk::LEN));
        assert_eq!(&serde_json::from_slice::<Value>(&out).unwrap(), jwk);
    }
    // What was signed, to the byte.
    let payload = unurl(vectors["jws"]["encPubKey"].as_str().unwrap().split('.').nth(1).unwrap());
    let mut out = [0; Jwk::LEN];
    encryption.write(&mut out).unwrap();
    assert_eq!(payload, out);
    assert_eq!(key(&serde_json::from_slice(&payload).unwrap(), Use::Encryption), encryption);
}

#[test]
fn the_three_signatures_verify_and_no_flipped_bit_does() {
    let vectors = load("nix-registration.json");
    let pins = [key(&vectors["sigPubKey"], Use::Signature).pinned().unwrap()];
    let signer = KeyRef::new("", pins[0].kid()).unwrap();
    for (member, expected) in MEMBERS.into_iter().zip(["", r#"{"identityType":"user"}"#, "{}"]) {
        let token = vectors["jws"][member].as_str().unwrap();
        let target = format!("/v1/identity#{member}");
        let mut scratch = [0; 512];
        let mut verify = |token: &str, target: &str| {
            let message = jws::verify(&mut Pins(&pins), &signer, target, token, &mut scratch)?;
            Ok::<_, JoseError>((message.issued_at, message.payload.to_vec()))
        };
        let (issued_at, payload) = verify(token, &target).unwrap();
        assert_eq!(issued_at, Timestamp::from_unix_secs(1_569_116_334));
        assert!(expected.is_empty() || payload == expected.as_bytes());
        for other in MEMBERS.into_iter().filter(|other| *other != member) {
            assert!(verify(token, &format!("/v1/identity#{other}")).is_err());
        }
        let mut changed = token.as_bytes().to_vec();
        for at in 0..token.len() {
            for bit in 0..7 {
                changed[at] ^= 1 << bit;
                let text = core::str::from_utf8(&changed).unwrap();
                assert!(verify(text, &target).is_err(), "{member} {at} {bit}");
                changed[at] ^= 1 << bit;
            }
            assert!(verify(&token[..at], &target).is_err(), "{member} {at}");
        }
    }
}

/// The header that our writer makes for the same facts is the one that was signed.
#[test]
fn our_header_is_the_sources() {
    let vectors = load("nix-registration.json");
    let kid = KeyRef::new("", key(&vectors["sigPubKey"], Use::Signature).kid()).unwrap();
    for member in MEMBERS {
        let token = vectors["jws"][member].as_str().unwrap();
        let target = format!("/v1/identity#{member}");
        let issued_at = Timestamp::from_unix_secs(1_569_116_334);
        let header = jws::Header { issued_at, kid: &kid, target: &target };
        let segments: Vec<&str> = token.split('.').collect();
        let mut out = [0; 1024];
        let unsigned = jws::begin(&header, &unurl(segments[1]), &mut out).unwrap();
        let signature = unurl(segments[2]).try_into().unwrap();
        assert_eq!(unsigned.finish(&signature), Ok(token));
    }
}
