//! Vector files and their members.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use dynamic_key::Secret;
use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::software::{Identity, PinnedKey};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// A file of `test-vectors/`.
pub(crate) fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("test-vectors").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Members, where a missing or mistyped one is a defect of the vectors.
pub(crate) trait Members {
    fn text(&self, name: &str) -> &str;
    fn number(&self, name: &str) -> u64;
    fn list(&self, name: &str) -> &[Value];
    fn hex(&self, name: &str) -> Vec<u8>;
    fn base64(&self, name: &str) -> Vec<u8>;
    fn base64url(&self, name: &str) -> Vec<u8>;
    /// The bytes of `name`, or of `nameHex`.
    fn bytes(&self, name: &str) -> Vec<u8>;
    /// Hex of exactly `N` bytes.
    fn array<const N: usize>(&self, name: &str) -> [u8; N];
    /// An array of texts.
    fn texts(&self, name: &str) -> Vec<&str>;
    fn has(&self, name: &str) -> bool;
}

impl Members for Value {
    fn text(&self, name: &str) -> &str {
        self[name].as_str().unwrap_or_else(|| panic!("{name} in {self}"))
    }

    fn number(&self, name: &str) -> u64 {
        self[name].as_u64().unwrap_or_else(|| panic!("{name} in {self}"))
    }

    fn list(&self, name: &str) -> &[Value] {
        self[name].as_array().unwrap_or_else(|| panic!("{name} in {self}"))
    }

    fn hex(&self, name: &str) -> Vec<u8> {
        unhex(self.text(name))
    }

    fn base64(&self, name: &str) -> Vec<u8> {
        unbase64(self.text(name))
    }

    fn base64url(&self, name: &str) -> Vec<u8> {
        unbase64url(self.text(name))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        let hex = format!("{name}Hex");
        if self.has(&hex) { self.hex(&hex) } else { self.text(name).into() }
    }

    fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.hex(name).try_into().unwrap()
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).iter().map(|text| text.as_str().unwrap()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let odd = if text.len() % 2 == 1 { "0" } else { "" };
    let digits = [odd, text].concat().into_bytes();
    let digits = digits.chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub(crate) fn unbase64(text: &str) -> Vec<u8> {
    let mut out = vec![0; text.len()];
    Base64::decode(text, &mut out).unwrap().to_vec()
}

pub(crate) fn unbase64url(text: &str) -> Vec<u8> {
    let mut out = vec![0; text.len()];
    Base64UrlUnpadded::decode(text, &mut out).unwrap().to_vec()
}

/// A private key as a provider draws it: a scalar, or an exponent of the group's length.
pub(crate) fn draw_of(group: Group, private: &[u8]) -> Vec<u8> {
    let length = match group {
        Group::Ffdhe2048 => 29,
        Group::Ffdhe3072 => 35,
        _ => 32,
    };
    let zeros = private.iter().take_while(|byte| **byte == 0).count();
    let digits = &private[zeros..];
    [&vec![0; length - digits.len()], digits].concat()
}

/// The public key of a JWK.
pub(crate) fn key_of(jwk: &Value) -> PinnedKey {
    let point = [vec![4], jwk.base64url("x"), jwk.base64url("y")].concat();
    let key = PinnedKey::from_point(&point.try_into().unwrap()).unwrap();
    if jwk.has("kid") {
        assert_eq!(key.kid().as_str(), jwk.text("kid"));
    }
    key
}

/// The identity of `private`, `jwk` and `kid`.
pub(crate) fn identity_of(identity: &Value) -> Identity {
    let ours = Identity::from_bytes(&Secret::new(identity.array("private"))).unwrap();
    assert_eq!(ours.public().unwrap(), key_of(&identity["jwk"]));
    assert_eq!(ours.public().unwrap().kid().as_str(), identity.text("kid"));
    ours
}

/// The identities whose private keys some vector tells, by kid.
pub(crate) fn identities() -> HashMap<String, Identity> {
    let messages = load("messages.json");
    let exchanges = messages.list("exchanges").iter();
    let found = exchanges.flat_map(|exchange| [&exchange["serverIdentity"], &exchange["clientIdentity"]]);
    found
        .filter(|identity| !identity.is_null())
        .map(|identity| (identity.text("kid").into(), identity_of(identity)))
        .collect()
}
