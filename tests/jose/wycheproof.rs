//! The JSON Web sets of Project Wycheproof (C2SP/wycheproof, testvectors_v1, commit dac1dd4729fd), read where they lie: they are no
//! part of this repository. `WYCHEPROOF_JSON_WEB` names their folder, and `cargo test --test jose -- --ignored` runs them, as CI
//! does; without the files it fails.
//!
//! The sets judge libraries that do everything; this one refuses more. A case that the set calls valid is refused here
//! - where `alg` or `enc` is none of §4's: RSA, HMAC but HS256, other curves, other ways to wrap, CBC, other sizes of key;
//! - where its base64url has characters outside the alphabet, as 372 and 373 of the signatures have.
//!
//! What the set calls invalid is refused, with two exceptions that are none: 367 and 370 of the signatures are the very text of 357,
//! which is valid. What a JOSE library looks up by `kid`, the caller looks up here: from a set of keys of one type (1 of the
//! keys) and with one key of this id (4).
use crate::support::{provider, read, unurl};
use dynamic_key::Secret;
use dynamic_key::crypto::Recipient;
use dynamic_key::crypto::software::{Pins, RecipientKey};
use dynamic_key::jose::api_key;
use dynamic_key::jose::jwe::Encrypted;
use dynamic_key::jose::jwe::pbes2::{self, Iterations};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::{Hs256Key, jws};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn groups(file: &str) -> Vec<Value> {
    let folder = std::env::var_os("WYCHEPROOF_JSON_WEB");
    let folder = folder.unwrap_or_else(|| panic!("WYCHEPROOF_JSON_WEB names the folder of the sets"));
    let set = read(&Path::new(&folder).join(file));
    let groups = set["testGroups"].as_array().unwrap().clone();
    let tests: usize = groups.iter().map(|group| group["tests"].as_array().unwrap().len()).sum();
    assert_eq!(set["numberOfTests"], tests);
    groups
}

/// Whether the header names this key, or none.
fn names(kid: Option<dynamic_key::codec::json::Str<'_>>, key: &Value) -> bool {
    kid.is_none_or(|kid| kid.is(text(key, "kid")))
}

/// Every case as what is fixed for it by its key: ES256 with a key of P-256, HS256 with octets, nothing otherwise.
fn accepts_signature(key: &Value, token: &str) -> bool {
    let mut scratch = [0; 2048];
    match text(key, "kty") {
        "EC" => {
            let mut public = key.clone();
            public.as_object_mut().unwrap().remove("d");
            let Ok(jwk) = Jwk::parse(&mut provider(), public.to_string().as_bytes(), Use::Signature) else {
                return false;
            };
            let pins = [jwk.pinned().unwrap()];
            let Ok(unverified) = jws::Unverified::parse(token, &mut scratch) else { return false };
            if !names(unverified.kid(), key) {
                return false;
            }
            let Ok(authentic) = unverified.verify(&mut Pins(&pins), &jwk.kid()) else { return false };
            authentic.payload(&mut scratch).is_ok()
        }
        "oct" if text(key, "alg") == "HS256" => {
            let Ok(secret) = Hs256Key::from_secret(&unurl(text(key, "k"))) else { return false };
            let Ok(unverified) = api_key::Unverified::parse(token, &mut scratch) else { return false };
            if !names(unverified.kid(), key) {
                return false;
            }
            let Ok(authentic) = unverified.verify(&secret) else { return false };
            authentic.claims(&mut scratch).is_ok()
        }
        _ => false,
    }
}

/// The key that a caller finds for a header that names `kid`.
fn find<'k>(keys: &'k [Value], kid: &str) -> Option<&'k Value> {
    let of_one_type = keys.windows(2).all(|pair| pair[0]["kty"] == pair[1]["kty"]);
    let mut found = keys.iter().filter(|key| text(key, "kid") == kid);
    found.next().filter(|_| of_one_type && found.next().is_none())
}

/// How many of one kind there were: of our algorithms or not, called valid or not, accepted or not.
type Counts = BTreeMap<(bool, bool, bool), usize>;

#[test]
#[ignore = "reads the sets in place: WYCHEPROOF_JSON_WEB"]
fn signatures() {
    let mut counts = Counts::new();
    for group in groups("json_web_signature_test.json") {
        let key = group.get("private").unwrap_or(&group["public"]);
        let ours = matches!((text(key, "alg"), text(key, "crv")), ("HS256", "") | ("ES256", "P-256"));
        let tests = group["tests"].as_array().unwrap();
        for test in tests {
            let (id, token) = (test["tcId"].as_u64().unwrap(), text(test, "jws"));
            let valid = text(test, "result") == "valid";
            let same = matches!(id, 367 | 370) && token == text(&tests[0], "jws");
            let expected = (valid && ours && !matches!(id, 372 | 373)) || same;
            assert_eq!(accepts_signature(key, token), expected, "{id} {}", text(test, "comment"));
            *counts.entry((ours, valid, expected)).or_default() += 1;
        }
    }
    let accepted = counts.get(&(true, true, true)).unwrap();
    assert_eq!((*accepted, counts[&(true, false, true)]), (10, 2), "{counts:?}");
    assert_eq!(counts.values().sum::<usize>(), 401);
}

#[test]
#[ignore = "reads the sets in place: WYCHEPROOF_JSON_WEB"]
fn encryption() {
    let mut counts = Counts::new();
    for group in groups("json_web_encryption_test.json") {
        let key = &group["private"];
        for test in group["tests"].as_array().unwrap() {
            let ours = (text(key, "alg"), text(key, "crv"), text(test, "enc"))
                == ("ECDH-ES+A256KW", "P-256", "A256GCM");
            let mut message = text(test, "jwe").as_bytes().to_vec();
            let valid = text(test, "result") == "valid";
            // Where the key is none that agrees, any does: nothing gets so far.
            let d = key.get("d").filter(|_| text(key, "crv") == "P-256").and_then(Value::as_str);
            let d: [u8; 32] = d.map_or([7; 32], |d| unurl(d).try_into().unwrap());
            let mut recipient = RecipientKey::from_bytes(&Secret::new(d)).unwrap();
            assert!(pbes2::Encrypted::parse(&mut message.clone(), Iterations::MAX).is_err());
            let opened = Encrypted::parse(&mut message).and_then(|encrypted| {
                let z = recipient.agree(&encrypted.epk()?)?;
                encrypted.open(&mut provider(), z)
            });
            let comment = text(test, "comment");
            assert_eq!(opened.is_ok(), ours && valid, "{} {comment}: {opened:?}", test["tcId"]);
            if let Ok(plaintext) = &opened {
                let hex: String = plaintext.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(hex, text(test, "pt"));
            }
            *counts.entry((ours, valid, opened.is_ok())).or_default() += 1;
        }
    }
    assert_eq!(counts[&(true, true, true)], 1, "the set has one of our algorithms");
    assert_eq!(counts.values().sum::<usize>(), 139);
}

#[test]
#[ignore = "reads the sets in place: WYCHEPROOF_JSON_WEB"]
fn key_sets() {
    let mut counts = Counts::new();
    for group in groups("json_web_key_test.json") {
        let keys = group.get("private").unwrap_or(&group["public"]);
        let keys = keys.get("keys").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![keys.clone()]);
        for test in group["tests"].as_array().unwrap() {
            let token = text(test, "jws");
            let header: Value = serde_json::from_slice(&unurl(token.split('.').next().unwrap())).unwrap();
            let key = find(&keys, text(&header, "kid"));
            let ours = keys.iter().any(|key| matches!(text(key, "alg"), "HS256" | "ES256"));
            let valid = text(test, "result") == "valid";
            let accepted = key.is_some_and(|key| accepts_signature(key, token));
            assert_eq!(accepted, ours && valid, "{} {}", test["tcId"], text(test, "comment"));
            *counts.entry((ours, valid, accepted)).or_default() += 1;
        }
    }
    assert_eq!(counts[&(true, true, true)], 2);
    assert_eq!(counts.values().sum::<usize>(), 26);
}
