//! The source's registration example, byte for byte, and everything that is nearly one.

use crate::support::{
    ADDRESS, NOW, answer, author, exactly, jwk, load, party, provider, public, signed_as, unurl,
};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::identity::registration::{self, Registration};
use dynamic_key::identity::response::Response;
use dynamic_key::identity::{ChainError, IdentityError, metadata, rotation};
use dynamic_key::jose::JoseError;
use dynamic_key::jose::jwk::{Jwk, Use};
use serde_json::{Value, json};

const MEMBERS: [&str; 3] = ["encPubKey", "metaPublic", "metaPrivate"];

/// The body of the source's example, in its order, without white space.
fn example() -> String {
    let vectors = load("nix-registration.json");
    let key = &vectors["sigPubKey"];
    let text = |name: &str| key[name].as_str().unwrap();
    let [usage, kty, kid, crv, x, y] = ["use", "kty", "kid", "crv", "x", "y"].map(text);
    let jws = |name: &str| vectors["jws"][name].as_str().unwrap();
    let [encryption, public, private] = MEMBERS.map(jws);
    format!(
        r#"{{"sigPubKey":{{"use":"{usage}","kty":"{kty}","kid":"{kid}","crv":"{crv}","x":"{x}","y":"{y}"}},"encPubKey":"{encryption}","metaPublic":"{public}","metaPrivate":"{private}"}}"#
    )
}

fn verify(body: &[u8]) -> Result<(), IdentityError> {
    registration::verify(&mut provider(), body, &mut [0; 512]).map(|_| ())
}

#[test]
fn the_sources_example_is_valid_and_written_again_byte_for_byte() {
    let (vectors, body) = (load("nix-registration.json"), example());
    let mut scratch = [0; 512];
    let registered = registration::verify(&mut provider(), body.as_bytes(), &mut scratch).unwrap();
    assert_eq!(registered.issued_at, Timestamp::from_unix_secs(1_569_116_334));
    assert_eq!(registered.signing.kid().as_str(), vectors["sigPubKey"]["kid"]);
    assert_eq!(registered.encryption.kid().as_str(), vectors["encPubKeyJwk"]["kid"]);
    assert_eq!(
        (registered.public, registered.private),
        (br#"{"identityType":"user"}"#.as_slice(), b"{}".as_slice())
    );

    let registration = Registration {
        issued_at: registered.issued_at,
        signing: &registered.signing,
        encryption: &registered.encryption,
        public: registered.public,
        private: registered.private,
    };
    let mut out = [0; 2048];
    let draft = registration.begin(&mut out).unwrap();
    let jws = MEMBERS.map(|member| vectors["jws"][member].as_str().unwrap().rsplit_once('.').unwrap());
    for ((kid, statement), (input, _)) in draft.statements().into_iter().zip(jws) {
        assert_eq!((kid, statement), (registered.signing.kid(), input.as_bytes()));
    }
    let signatures = jws.map(|(_, signature)| unurl(signature).try_into().unwrap());
    let request = draft.finish(&signatures).unwrap();
    assert_eq!((request.method, request.target, request.body), ("POST", "/v1/identity", body.as_bytes()));
}

#[test]
fn no_flipped_bit_of_the_example_is_valid_and_no_part_of_it() {
    let mut body = example().into_bytes();
    for at in 0..body.len() {
        assert!(verify(&body[..at]).is_err(), "the first {at} bytes");
        for bit in 0..8 {
            body[at] ^= 1 << bit;
            assert!(verify(&body).is_err(), "bit {bit} of byte {at}");
            body[at] ^= 1 << bit;
        }
    }
    assert_eq!(verify(&body), Ok(()));
}

#[test]
fn what_is_needed_is_enough_and_one_less_is_not() {
    let mut alice = party("", 1);
    let (signing, encryption) = (public(&alice.signer), alice.encryption_key());
    let registration = Registration {
        issued_at: NOW,
        signing: &signing,
        encryption: &encryption,
        public: br#"{"identityType":"user","name":"\"\u00e9\""}"#,
        private: br#"{"a":[1,2,{}]}"#,
    };
    let body = exactly(|out| registration.begin(out)?.sign([&mut alice.signer]).map(|_| ()));
    let mut provider = provider();
    let scratch = exactly(|out| registration::verify(&mut provider, &body, out).map(|_| ()));
    assert_eq!(scratch, [registration.public, registration.private].concat());
}

#[test]
fn only_metadata_that_is_an_object_and_keys_for_their_use_are_written() {
    let mut alice = party("", 1);
    let (signing, encryption) = (public(&alice.signer), alice.encryption_key());
    let mut write = |signing: &Jwk, encryption: &Jwk, public: &str, private: &str| {
        let (public, private) = (public.as_bytes(), private.as_bytes());
        let registration = Registration { issued_at: NOW, signing, encryption, public, private };
        registration.begin(&mut [0; 2048])?.sign([&mut alice.signer]).map(|_| ())
    };
    assert_eq!(write(&signing, &encryption, "{}", " {} "), Ok(()));
    for metadata in ["", "[]", "null", "\"{}\"", "{", "{}x", r#"{"a":1,"a":1}"#, "{\"a\":\"\n\"}"] {
        assert_eq!(write(&signing, &encryption, metadata, "{}"), Err(IdentityError::Malformed), "{metadata}");
        assert_eq!(write(&signing, &encryption, "{}", metadata), Err(IdentityError::Malformed), "{metadata}");
    }
    let key = Err(IdentityError::Jose(JoseError::Key));
    assert_eq!(write(&encryption, &signing, "{}", "{}"), key);
    assert_eq!(write(&signing, &signing, "{}", "{}"), key);
    // The signer is another than the one that is registered.
    let other = public(&party("", 2).signer);
    assert_eq!(write(&other, &encryption, "{}", "{}"), key);
}

/// A registration of party 1, member by member.
fn members() -> Value {
    let mut alice = party("", 1);
    let mut sign = |member: &str, payload: &[u8]| -> Value {
        signed_as(&mut alice.signer, "", NOW.as_unix_secs(), &format!("/v1/identity#{member}"), payload)
            .into()
    };
    let alice = party("", 1);
    let mut encryption = [0; Jwk::LEN];
    alice.encryption_key().write(&mut encryption).unwrap();
    json!({
        "sigPubKey": jwk(&public(&alice.signer)),
        "encPubKey": sign("encPubKey", &encryption),
        "metaPublic": sign("metaPublic", b"{}"),
        "metaPrivate": sign("metaPrivate", b"{}"),
    })
}

#[test]
fn whatever_is_signed_otherwise_is_refused() {
    let good = members();
    let check = |body: &Value| verify(body.to_string().as_bytes());
    assert_eq!(check(&good), Ok(()));
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        check(&body)
    };
    let (header, key) = (JoseError::Header.into(), JoseError::Key.into());
    let iat = NOW.as_unix_secs();
    let mut alice = party("", 1).signer;
    let mut mallory = party("", 2).signer;
    for member in ["sigPubKey", "encPubKey", "metaPublic", "metaPrivate"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        assert_eq!(check(&body), Err(IdentityError::Malformed), "without {member}");
        for value in [json!(null), json!(7), json!([]), json!(""), json!("a.b"), json!("a.b.c"), json!({})] {
            assert!(with(member, value.clone()).is_err(), "{member} {value}");
        }
        let text = good.to_string();
        let twice = text.replacen(
            &format!("\"{member}\":"),
            &format!("\"{member}\":{},\"{member}\":", good[member]),
            1,
        );
        assert_eq!(verify(twice.as_bytes()), Err(IdentityError::Malformed), "{member} twice");
    }
    for member in MEMBERS {
        let target = format!("/v1/identity#{member}");
        // Signed to another end, by another key, for an address, by another key in our name.
        assert_eq!(with(member, signed_as(&mut alice, "", iat, "/v1/identity", b"{}").into()), Err(header));
        assert_eq!(with(member, signed_as(&mut mallory, "", iat, &target, b"{}").into()), Err(key));
        assert_eq!(with(member, signed_as(&mut alice, "a", iat, &target, b"{}").into()), Err(key));
        let forged = format!(
            "{}.{}",
            good[member].as_str().unwrap().rsplit_once('.').unwrap().0,
            signed_as(&mut mallory, "", iat, &target, b"{}").rsplit_once('.').unwrap().1
        );
        assert_eq!(with(member, forged.into()), Err(JoseError::Authentication.into()));
        for other in MEMBERS.into_iter().filter(|other| *other != member) {
            assert_eq!(with(member, good[other].clone()), Err(header), "{other} for {member}");
        }
    }
    for metadata in ["", "[]", "{", r#"{"a":1,"a":2}"#] {
        let forged = signed_as(&mut alice, "", iat, "/v1/identity#metaPublic", metadata.as_bytes());
        assert_eq!(with("metaPublic", forged.into()), Err(IdentityError::Malformed), "{metadata}");
    }
    // An encryption key that is for signatures, names another id, is private, is not on the curve, or is too long.
    let encryption = jwk(&party("", 1).encryption_key());
    let mut with_key = |name: &str, value: Value| {
        let mut key = encryption.clone();
        key[name] = value;
        let key = key.to_string();
        with("encPubKey", signed_as(&mut alice, "", iat, "/v1/identity#encPubKey", key.as_bytes()).into())
    };
    assert_eq!(with_key("extra", "ignored".into()), Ok(()));
    for (name, value) in [
        ("use", json!("sig")),
        ("kid", good["sigPubKey"]["kid"].clone()),
        ("d", encryption["x"].clone()),
        ("x", encryption["y"].clone()),
        ("crv", json!("P-384")),
    ] {
        assert_eq!(with_key(name, value), Err(key), "{name}");
    }
    assert_eq!(with_key("kid", json!(7)), Err(IdentityError::Malformed));
    assert_eq!(with_key("extra", json!("x".repeat(512))), Err(IdentityError::Malformed));
}

#[test]
fn the_answer_says_the_address_of_the_key_that_was_registered() {
    let (alice, mallory) = (public(&party("", 1).signer), public(&party("", 2).signer));
    let read =
        |body: Value| registration::address(&mut provider(), &Response::parse(&answer(&body))?, &alice);
    let key = read(json!({"address": ADDRESS, "sigPubKey": jwk(&alice)})).unwrap();
    assert_eq!((key.address(), key.kid()), (ADDRESS, alice.kid()));
    let other = read(json!({"address": ADDRESS, "sigPubKey": jwk(&mallory)}));
    assert_eq!(other, Err(JoseError::Key.into()));
    let long = "a".repeat(129);
    for address in ["", "a/b", "a b", "a\"", "\u{e9}", &long] {
        let error = read(json!({"address": address, "sigPubKey": jwk(&alice)}));
        assert_eq!(error, Err(IdentityError::Malformed), "{address}");
    }
    assert_eq!(read(json!({"sigPubKey": jwk(&alice)})), Err(IdentityError::Malformed));
    assert_eq!(read(json!({"address": ADDRESS})), Err(IdentityError::Malformed));
    let refused = br#"{"status":401,"code":40101,"err":"No."}"#;
    let response = Response::parse(refused).unwrap();
    let error = registration::address(&mut provider(), &response, &alice);
    assert_eq!(error, Err(IdentityError::Refused { status: 401, code: 40101 }));
}

#[test]
fn a_new_signing_key_is_signed_by_the_old_one_and_signs_the_encryption_key() {
    let (mut old, mut new) = (party(ADDRESS, 1), party(ADDRESS, 2));
    let kid = old.signs_as();
    let (signing, encryption) = (public(&new.signer), new.encryption_key());
    let body = exactly(|out| {
        let draft = rotation::signing_key(&author(&kid), &signing, &encryption, out)?;
        draft.sign([&mut new.signer, &mut old.signer]).map(|_| ())
    });
    let current = public(&old.signer);
    let verify =
        |address: &str, current: &Jwk, body: &[u8]| rotation::verify(&mut provider(), address, current, body);
    let rotated = verify(ADDRESS, &current, &body).unwrap();
    assert_eq!((rotated.issued_at, rotated.signing, rotated.encryption), (NOW, signing, encryption));
    assert_eq!(verify("other", &current, &body), Err(IdentityError::Address));
    assert_eq!(verify(ADDRESS, &signing, &body), Err(ChainError::Gap.into()));
    let body = String::from_utf8(body).unwrap();
    for (at, byte) in body.bytes().enumerate() {
        let mut changed = body.clone().into_bytes();
        changed[at] = byte ^ 1;
        assert!(verify(ADDRESS, &current, &changed).is_err(), "byte {at}");
    }
    // The owner of the new key has not agreed.
    let mut out = [0; 2048];
    let draft = rotation::signing_key(&author(&kid), &signing, &encryption, &mut out).unwrap();
    assert_eq!(draft.sign([&mut old.signer]), Err(JoseError::Key.into()));
    let same = rotation::signing_key(&author(&kid), &current, &encryption, &mut out).map(|_| ());
    assert_eq!(same, Err(JoseError::Key.into()));
}

#[test]
fn encryption_keys_and_metadata_are_replaced() {
    let mut alice = party(ADDRESS, 1);
    let kid = alice.signs_as();
    let encryption = alice.encryption_key();
    let body = exactly(|out| {
        rotation::encryption_key(&author(&kid), &encryption, out)?.sign([&mut alice.signer]).map(|_| ())
    });
    let signed = rotation::parse_encryption(&body).unwrap();
    let verified = signed.verify(&mut crate::support::known(&alice)).unwrap();
    assert_eq!((signed.signer(), signed.issued_at()), (&kid, NOW));
    let key = rotation::key_of(&mut provider(), &signed, &verified, Use::Encryption);
    assert_eq!(key, Ok(encryption));
    assert_eq!(
        rotation::key_of(&mut provider(), &signed, &verified, Use::Signature),
        Err(JoseError::Key.into())
    );
    let signing = public(&alice.signer);
    let wrong_use = rotation::encryption_key(&author(&kid), &signing, &mut [0; 1024]).map(|_| ());
    assert_eq!(wrong_use, Err(JoseError::Key.into()));

    let body = exactly(|out| {
        metadata::update(&author(&kid), b"{\"a\":1}", out)?.sign([&mut alice.signer]).map(|_| ())
    });
    let signed = metadata::parse(&body).unwrap();
    let verified = signed.verify(&mut crate::support::known(&alice)).unwrap();
    let payload = exactly(|out| signed.payload(&verified, out).map(|_| ()));
    assert_eq!((payload.as_slice(), metadata::check(&payload)), (b"{\"a\":1}".as_slice(), Ok(())));
    assert_eq!(rotation::parse_encryption(&body).map(|_| ()), Err(IdentityError::Malformed));
    assert!(metadata::update(&author(&kid), b"[]", &mut [0; 512]).is_err());
    let mut mallory = party(ADDRESS, 2);
    assert_ne!(mallory.signer.kid(), alice.signer.kid());
    let draft = metadata::update(&author(&kid), b"{}", &mut [0; 512])
        .map(|draft| draft.sign([&mut mallory.signer]).map(|_| ()));
    assert_eq!(draft, Ok(Err(JoseError::Key.into())));
}
