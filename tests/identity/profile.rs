//! What an identity publishes, and the relay that hands it out.

use crate::support::{
    ADDRESS, NOW, answer, author, encryption, exactly, jwk, party, profile, provider, public, signed_as,
    verify,
};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::{CryptoError, Signer, Verifier};
use dynamic_key::identity::profile::{Pin, Profile};
use dynamic_key::identity::registration::Registration;
use dynamic_key::identity::response::Response;
use dynamic_key::identity::{self, IdentityError, message};
use dynamic_key::jose::JoseError;
use dynamic_key::jose::jwk::Jwk;
use serde_json::{Value, json};

#[test]
fn a_registration_is_a_profile_once_it_has_an_address() {
    let mut alice = party("", 1);
    let (signing, encryption) = (public(&alice.signer), alice.encryption_key());
    let (public, private) = (b"{\"identityType\":\"user\"}".as_slice(), b"{}".as_slice());
    let registration =
        Registration { issued_at: NOW, signing: &signing, encryption: &encryption, public, private };
    let mut out = [0; 2048];
    let request = registration.begin(&mut out).unwrap().sign([&mut alice.signer]).unwrap();
    let mut body: Value = serde_json::from_slice(request.body).unwrap();
    body["address"] = ADDRESS.into();
    body["metaPublic"] = json!({"identityType": "user"});
    body["metaPrivate"] = json!({"created": "1569116334"});
    let text = answer(&body);
    let response = Response::parse(&text).unwrap();
    let published = Profile::parse(&response).unwrap();
    assert_eq!(published.public().unwrap().as_str(), r#"{"identityType":"user"}"#);
    assert_eq!(published.private().unwrap().as_str(), r#"{"created":"1569116334"}"#);
    let pin = Pin::new(party(ADDRESS, 1).signs_as());
    let known = published.verify::<_, 1>(&mut provider(), &pin).unwrap();
    assert_eq!((*known.signing(), *known.encryption()), (signing, encryption));
    // The address is in no signature of a registration: it is the verifier who knows it.
    body["address"] = "other".into();
    assert_eq!(verify(&body, &pin), Err(IdentityError::Address));
    // What was registered was signed for no address, and what comes later for one.
    let mut key = [0; Jwk::LEN];
    encryption.write(&mut key).unwrap();
    body["address"] = ADDRESS.into();
    let iat = NOW.as_unix_secs();
    for (address, target) in [
        (ADDRESS, "/v1/identity#encPubKey"),
        ("", "/v1/identity/me/encPubKey#encPubKey"),
        ("other", "/v1/identity/me/encPubKey#encPubKey"),
        ("", "/v1/identity/me/sigPubKey#encPubKey"),
    ] {
        body["encPubKey"] = signed_as(&mut alice.signer, address, iat, target, &key).into();
        assert_eq!(verify(&body, &pin), Err(IdentityError::Address), "{address} {target}");
    }
    for target in ["/v1/identity/me/encPubKey#encPubKey", "/v1/identity/me/sigPubKey#encPubKey"] {
        body["encPubKey"] = signed_as(&mut alice.signer, ADDRESS, iat, target, &key).into();
        assert!(verify(&body, &pin).is_ok(), "{target}");
    }
}

#[test]
fn no_encryption_key_is_older_than_the_one_that_was_seen_or_signed_by_a_key_that_was_replaced() {
    let (a, b) = (party(ADDRESS, 1), party(ADDRESS, 2));
    let secs = NOW.as_unix_secs();
    let seen = Pin { key: a.signs_as(), since: NOW };
    let mut published = profile(&[&a, &b]);
    for (signer, iat, outcome) in [
        (&b, secs, Ok(())),
        (&b, secs + 1, Ok(())),
        (&b, secs - 1, Err(IdentityError::Stale)),
        (&a, secs + 1, Err(IdentityError::Stale)),
    ] {
        published["encPubKey"] = encryption(signer, &b, iat);
        assert_eq!(verify(&published, &seen).map(|_| ()), outcome);
    }
    published["encPubKey"] = encryption(&b, &b, secs + 5);
    let known = verify(&published, &seen).unwrap();
    assert_eq!(*known.pin(), Pin { key: b.signs_as(), since: Timestamp::from_unix_secs(secs + 5) });
}

#[test]
fn every_member_is_checked() {
    let a = party(ADDRESS, 1);
    let good = profile(&[&a]);
    let pin = Pin::new(a.signs_as());
    assert!(verify(&good, &pin).is_ok());
    for member in ["address", "sigPubKey", "encPubKey"] {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(member);
        assert_eq!(verify(&without, &pin), Err(IdentityError::Malformed), "without {member}");
    }
    let mut with = good.clone();
    for (member, value) in [
        ("address", json!(null)),
        ("address", json!("")),
        ("address", json!(format!("{ADDRESS}x"))),
        ("sigPubKey", json!("x")),
        ("sigPubKey", json!({})),
        ("sigChain", json!(null)),
        ("encPubKey", json!(null)),
        ("encPubKey", good["sigPubKey"].clone()),
        ("metaPublic", json!("{}")),
        ("metaPublic", json!(null)),
        ("metaPrivate", json!([])),
    ] {
        with[member] = value.clone();
        assert!(verify(&with, &pin).is_err(), "{member} {value}");
        with = good.clone();
    }
    let mallory = party(ADDRESS, 9);
    with["sigPubKey"] = jwk(&public(&mallory.signer));
    assert!(verify(&with, &pin).is_err());
    // A relay that puts its own encryption key there.
    with = good.clone();
    let forged = encryption(&mallory, &mallory, NOW.as_unix_secs());
    let good_text = good["encPubKey"].as_str().unwrap();
    for text in [
        format!(
            "{}.{}",
            good_text.rsplit_once('.').unwrap().0,
            forged.as_str().unwrap().rsplit_once('.').unwrap().1
        ),
        {
            let parts: Vec<&str> = good_text.split('.').collect();
            let payload = forged.as_str().unwrap().split('.').nth(1).unwrap();
            format!("{}.{payload}.{}", parts[0], parts[2])
        },
    ] {
        with["encPubKey"] = text.into();
        assert_eq!(verify(&with, &pin), Err(JoseError::Authentication.into()));
    }
}

#[test]
fn an_identity_that_is_known_verifies_by_its_current_key_alone() {
    let (a, b) = (party(ADDRESS, 1), party(ADDRESS, 2));
    let mut known = verify(&profile(&[&a, &b]), &Pin::new(a.signs_as())).unwrap();
    for (party, outcome) in [(&b, true), (&a, false)] {
        let signature = party.signer.clone().sign(b"message").unwrap();
        let verified = known.verify(&party.signer.kid(), b"message", &signature);
        assert_eq!(verified.is_ok(), outcome);
        let other = known.verify(&party.signer.kid(), b"massage", &signature).map(|_| ());
        assert_eq!(other, Err(CryptoError::Authentication));
    }
}

#[test]
fn the_requests_for_a_profile() {
    let mut alice = party(ADDRESS, 1);
    let kid = alice.signs_as();
    let body = exactly(|out| identity::me(&author(&kid), out)?.sign([&mut alice.signer]).map(|_| ()));
    let request = message::parse_request("/v1/identity/me", &body).unwrap();
    assert_eq!(request.signer(), &kid);
    assert!(message::parse_request("/v1/messages/fetch", &body).is_err());
    assert!(message::parse_request("/v1/identity", &body).is_err());
    let path = exactly(|out| {
        let request = identity::get(ADDRESS, out)?;
        assert_eq!((request.method, request.body), ("GET", b"".as_slice()));
        Ok(())
    });
    assert_eq!(path, b"/v1/identity/igQQD%40api.example");
    let path = exactly(|out| identity::get("a?b#c%~.", out).map(|_| ()));
    assert_eq!(path, b"/v1/identity/a%3Fb%23c%25~.");
}
