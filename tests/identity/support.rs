//! Identities, answers of a relay, and chains that are made link by link.

#[path = "../jose/support.rs"]
#[allow(dead_code, reason = "shared with the tests of JOSE")]
mod jose;

use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::Identity;
use dynamic_key::identity::profile::{Known, Pin, Profile};
use dynamic_key::identity::response::Response;
use dynamic_key::identity::{Author, IdentityError};
use dynamic_key::jose::KeyRef;
use dynamic_key::jose::jwk::{Jwk, Use};
pub(crate) use jose::{ADDRESS, NOW, Party, load, party, provider, signed, unurl, url};
use serde_json::{Value, json};

/// The public half of a signing key.
pub(crate) fn public(signer: &Identity) -> Jwk {
    Jwk::new(*signer.public().unwrap().point(), Use::Signature).unwrap()
}

pub(crate) fn jwk(key: &Jwk) -> Value {
    let mut out = [0; Jwk::LEN];
    key.write(&mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// An answer of the relay with this body.
pub(crate) fn answer(body: &Value) -> Vec<u8> {
    json!({"status": 200, "code": 20011, "msg": "Done.", "txnID": "1", "body": body}).to_string().into_bytes()
}

/// A message with the header that our writer makes, but any of its facts, and the right signature.
pub(crate) fn signed_as(
    signer: &mut Identity,
    address: &str,
    iat: u64,
    target: &str,
    payload: &[u8],
) -> String {
    let kid = format!("{address}/{}", signer.kid());
    signed(signer, &json!({"alg": "ES256", "iat": iat, "kid": kid, "tgt": target}).to_string(), payload)
}

/// The signing key `next`, signed by `signer`.
pub(crate) fn link(signer: &Party, next: &Party) -> Value {
    let mut key = [0; Jwk::LEN];
    public(&next.signer).write(&mut key).unwrap();
    let target = "/v1/identity/me/sigPubKey#sigPubKey";
    signed_as(&mut signer.signer.clone(), ADDRESS, NOW.as_unix_secs(), target, &key).into()
}

/// The encryption key of `party`, signed by `signer` at this time.
pub(crate) fn encryption(signer: &Party, party: &Party, iat: u64) -> Value {
    let mut key = [0; Jwk::LEN];
    party.encryption_key().write(&mut key).unwrap();
    let target = "/v1/identity/me/encPubKey#encPubKey";
    signed_as(&mut signer.signer.clone(), ADDRESS, iat, target, &key).into()
}

/// A profile whose signing keys follow from each other in this order.
pub(crate) fn profile(parties: &[&Party]) -> Value {
    let last = parties.last().unwrap();
    let links = parties.windows(2).map(|pair| link(pair[0], pair[1]));
    let chain: Vec<Value> = std::iter::once(jwk(&public(&parties[0].signer))).chain(links).collect();
    json!({
        "address": ADDRESS,
        "sigPubKey": jwk(&public(&last.signer)),
        "sigChain": chain,
        "encPubKey": encryption(last, last, NOW.as_unix_secs()),
        "metaPublic": {},
    })
}

pub(crate) fn verify(profile: &Value, pin: &Pin) -> Result<Known, IdentityError> {
    let answer = answer(profile);
    Profile::parse(&Response::parse(&answer)?)?.verify::<_, 8>(&mut provider(), pin)
}

/// What is known of `party`.
pub(crate) fn known(party: &Party) -> Known {
    let mut profile = profile(&[party]);
    profile["address"] = party.address.into();
    let mut key = [0; Jwk::LEN];
    party.encryption_key().write(&mut key).unwrap();
    let target = "/v1/identity/me/encPubKey#encPubKey";
    let iat = NOW.as_unix_secs();
    profile["encPubKey"] = signed_as(&mut party.signer.clone(), party.address, iat, target, &key).into();
    verify(&profile, &Pin::new(party.signs_as())).unwrap()
}

pub(crate) fn author(kid: &KeyRef) -> Author<'_> {
    Author { kid, issued_at: NOW }
}

/// Writes with exactly as much room as is needed, and sees every smaller room refused with that number.
pub(crate) fn exactly<T>(mut write: impl FnMut(&mut [u8]) -> Result<T, IdentityError>) -> Vec<u8> {
    let Err(IdentityError::BufferTooSmall { needed }) = write(&mut []).map(|_| ()) else {
        panic!("an empty buffer is enough")
    };
    for short in [1, needed / 2, needed - 1] {
        let error = write(&mut vec![0; short]).map(|_| ());
        assert_eq!(error, Err(IdentityError::BufferTooSmall { needed }), "{short} of {needed}");
    }
    let mut room = vec![0; needed];
    write(&mut room).map(|_| ()).unwrap();
    room
}
