//! Content packages: for whom, by whom, and under which id.

use crate::support::{ADDRESS, NOW, Party, encrypted, party, provider, signed};
use dynamic_key::crypto::Recipient;
use dynamic_key::crypto::software::Pins;
use dynamic_key::jose::jws::Header;
use dynamic_key::jose::package::{self, Expected, Package};
use dynamic_key::jose::{JoseError, KeyRef, jwe};

const TARGET: &str = "/v1/messages/send#publish";
const ID: &str = "message \"7\"";
const BODY: &[u8] = br#"{"key":"value","list":[1,2]}"#;

struct World {
    alice: Party,
    bob: Party,
    mallory: Party,
}

fn world() -> World {
    World {
        alice: party(ADDRESS, 1),
        bob: party("bob@api.example", 2),
        mallory: party("mallory@api.example", 3),
    }
}

fn packed(from: &mut Party, to: &Party, id: &str, body: &[u8]) -> Result<Vec<u8>, JoseError> {
    let (sender, recipient) = (from.signs_as(), to.reached_as());
    let header = Header { issued_at: NOW, kid: &sender, target: TARGET };
    let package = Package { header, recipient: &recipient, id, body };
    let needed = package.sealed_len();
    let mut buffer = vec![0x55; needed];
    let short =
        package::pack(&mut provider(), &mut from.signer, &to.encryption_key(), &package, &mut buffer[1..]);
    assert_eq!(short, Err(JoseError::BufferTooSmall { needed }));
    assert!(buffer.iter().all(|byte| *byte == 0x55), "nothing has been written");
    let text = package::pack(&mut provider(), &mut from.signer, &to.encryption_key(), &package, &mut buffer)?;
    assert_eq!(text.len(), needed);
    Ok(buffer)
}

/// What the recipient makes of it: the body, where everything is as expected.
fn unpacked(
    to: &mut Party,
    message: &[u8],
    from: &KeyRef,
    trusted: &[&Party],
    recipient: &str,
    id: &str,
) -> Result<Vec<u8>, JoseError> {
    let pins: Vec<_> = trusted.iter().map(|party| party.pinned()).collect();
    let mut buffer = message.to_vec();
    let expected = Expected { sender: from, recipient, id };
    let received =
        package::unpack(&mut provider(), &mut to.recipient, &mut Pins(&pins), &expected, &mut buffer)?;
    assert_eq!(received.issued_at, NOW);
    assert!(received.target.is(TARGET));
    Ok(received.body.raw().to_vec())
}

#[test]
fn what_is_packed_is_unpacked() {
    let World { mut alice, mut bob, .. } = world();
    let sender = alice.signs_as();
    let long = [&b"\""[..], &[b'x'; 1024], b"\""].concat();
    for (id, body) in [(ID, BODY), ("", b"null"), ("\u{1}\\é", b" [ ] "), ("1", &long), ("x", b"-1.5e3")] {
        let message = packed(&mut alice, &bob, id, body).unwrap();
        let received = unpacked(&mut bob, &message, &sender, &[&alice], "bob@api.example", id).unwrap();
        assert_eq!(received, body.trim_ascii());
    }
}

/// The slow operations by themselves: signing, generating and agreeing; agreeing and verifying.
#[test]
fn in_steps() {
    let World { mut alice, mut bob, .. } = world();
    let (sender, recipient) = (alice.signs_as(), bob.reached_as());
    let header = Header { issued_at: NOW, kid: &sender, target: TARGET };
    let package = Package { header, recipient: &recipient, id: ID, body: BODY };
    let mut provider = provider();
    let mut buffer = vec![0; package.sealed_len()];
    let unsigned = package::begin(&package, &mut buffer).unwrap();
    let signature = dynamic_key::crypto::Signer::sign(&mut alice.signer, unsigned.signing_input()).unwrap();
    let length = unsigned.finish(&signature).unwrap().len();
    let (ephemeral, epk) =
        dynamic_key::crypto::Provider::generate(&mut provider, dynamic_key::codec::spki::Group::P256)
            .unwrap();
    let peer = bob.recipient.public().unwrap();
    let z = dynamic_key::crypto::Provider::agree(&mut provider, ephemeral, &peer).unwrap();
    let envelope = package.envelope();
    let sealed = jwe::seal(&mut provider, z, &epk, &envelope, &mut buffer, length).unwrap().len();
    assert_eq!(sealed, package.sealed_len());

    let encrypted = jwe::Encrypted::parse(&mut buffer).unwrap();
    assert_eq!(encrypted.key(), Ok(recipient.clone()));
    let z = bob.recipient.agree(&encrypted.epk().unwrap()).unwrap();
    let unverified = package::open(&mut provider, encrypted, z).unwrap();
    assert_eq!(unverified.sender(), &sender);
    let (message, signature) = unverified.statement();
    let verified = alice.pinned().verify(message, signature).unwrap();
    let expected = Expected { sender: &sender, recipient: bob.address, id: ID };
    let received = unverified.verified(verified, &expected).unwrap();
    assert_eq!(received.body.raw(), BODY);
    let [list] = received.body.members(&["list"]).unwrap();
    assert_eq!(list.unwrap().elements().unwrap().count(), 2);
    assert!(!format!("{received:?} {package:?}").contains("value"));
}

#[test]
fn sender_recipient_and_id_are_checked() {
    let World { mut alice, mut bob, mut mallory } = world();
    let message = packed(&mut alice, &bob, ID, BODY).unwrap();
    let sender = alice.signs_as();
    let all = [&alice, &mallory];
    let mut check =
        |from: &KeyRef, to: &str, id: &str| unpacked(&mut bob, &message, from, &all, to, id).map(drop);
    assert_eq!(check(&sender, "bob@api.example", ID), Ok(()));
    assert_eq!(check(&sender, "bob@api.example", "message 8"), Err(JoseError::Claim));
    assert_eq!(check(&sender, "bob@api.example", ""), Err(JoseError::Claim));
    assert_eq!(check(&sender, "bob", ID), Err(JoseError::Claim));
    assert_eq!(check(&sender, ADDRESS, ID), Err(JoseError::Claim));
    assert_eq!(check(&mallory.signs_as(), "bob@api.example", ID), Err(JoseError::Authentication));
    // The key is right and the address is another's.
    let other = KeyRef::new(mallory.address, sender.kid()).unwrap();
    assert_eq!(check(&other, "bob@api.example", ID), Err(JoseError::Key));
    let unregistered = KeyRef::new("", sender.kid()).unwrap();
    assert_eq!(check(&unregistered, "bob@api.example", ID), Err(JoseError::Key));

    let unknown = unpacked(&mut bob, &message, &sender, &[&mallory], "bob@api.example", ID);
    assert_eq!(unknown, Err(JoseError::Authentication));
    let other = unpacked(&mut mallory, &message, &sender, &[&alice], "bob@api.example", ID);
    assert_eq!(other, Err(JoseError::Key));

    // Bob passes on what Alice sent him: it names him, and Mallory is not he.
    let encrypted = jwe::decrypt(&mut provider(), &mut bob.recipient, &mut message.clone()).unwrap().to_vec();
    let kid = mallory.reached_as();
    let header = jwe::Header { kid: &kid, content_type: Some("JWS") };
    let mut buffer = encrypted.clone();
    buffer.resize(jwe::sealed_len(&header, encrypted.len()), 0);
    jwe::encrypt(&mut provider(), &mallory.encryption_key(), &header, &mut buffer, encrypted.len()).unwrap();
    let passed_on = unpacked(&mut mallory, &buffer, &sender, &[&alice], "mallory@api.example", ID);
    assert_eq!(passed_on, Err(JoseError::Claim));

    // Mallory signs in Alice's name.
    alice.signer = mallory.signer.clone();
    let forged = packed(&mut alice, &bob, ID, BODY);
    let forged = forged.unwrap();
    let as_mallory = alice.signs_as();
    let refused =
        unpacked(&mut bob, &forged, &sender, &[&party(ADDRESS, 1), &mallory], "bob@api.example", ID);
    assert_eq!(refused, Err(JoseError::Authentication));
    assert_ne!(as_mallory, mallory.signs_as());
    let refused = unpacked(&mut bob, &forged, &mallory.signs_as(), &[&mallory], "bob@api.example", ID);
    assert_eq!(refused, Err(JoseError::Key));
    mallory.address = ADDRESS;
    assert_eq!(mallory.signs_as(), as_mallory);
}

/// Whatever stands inside, under the right keys.
#[test]
fn what_is_no_package() {
    let World { mut alice, mut bob, .. } = world();
    let (sender, recipient) = (alice.signs_as(), bob.reached_as());
    let envelope = |cty: &str| {
        format!(r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"{recipient}","epk":EPK{cty}}}"#)
    };
    let header = format!(r#"{{"alg":"ES256","iat":1569116334,"kid":"{sender}","tgt":"{TARGET}"}}"#);
    let payload = r#"{"aud":"bob@api.example","jti":"1","body":{}}"#;
    let pins = alice.pinned();
    let mut open = |cty: &str, inner: &[u8]| {
        let mut message = encrypted(&bob, &envelope(cty), [b"", b""], inner);
        let expected = Expected { sender: &sender, recipient: "bob@api.example", id: "1" };
        let mut verifier = Pins(core::slice::from_ref(&pins));
        package::unpack(&mut provider(), &mut bob.recipient, &mut verifier, &expected, &mut message).map(drop)
    };
    const JWS: &str = r#","cty":"JWS""#;
    let mut sign =
        |header: &str, payload: &str| signed(&mut alice.signer, header, payload.as_bytes()).into_bytes();
    let good = sign(&header, payload);
    assert_eq!(open(JWS, &good), Ok(()));
    for cty in ["", r#","cty":"jws""#, r#","cty":"JWT""#, r#","cty":"""#, r#","typ":"JWS""#] {
        assert_eq!(open(cty, &good), Err(JoseError::Header), "{cty}");
    }
    assert_eq!(open(r#","cty":["JWS"]"#, &good), Err(JoseError::Malformed));
    for inner in [&b""[..], b"text", b"..", b"\xff\xff", &good[1..], &[&good[..], b"\n"].concat()] {
        assert_eq!(open(JWS, inner), Err(JoseError::Malformed));
    }
    let long = header.replace(TARGET, &"x".repeat(384));
    for (header, expected) in [
        (header.replace("ES256", "none"), JoseError::Header),
        (header.replace("ES256", "HS256"), JoseError::Header),
        (header.replace(r#""iat":1569116334,"#, ""), JoseError::Header),
        (header.replace(r#","tgt""#, r#","tgs""#), JoseError::Header),
        (header.replace("kid", "kit"), JoseError::Header),
        (header.replace(r#""kid":""#, r#""kid":"/"#), JoseError::Malformed),
        (header.replace(r#""iat""#, r#""crit":["iat"],"iat""#), JoseError::Header),
        (header.replace(r#""iat""#, r#""jwk":{},"iat""#), JoseError::Header),
        (header.replace(r#""iat""#, r#""alg":"ES256","iat""#), JoseError::Malformed),
        (long, JoseError::Malformed),
    ] {
        assert_eq!(open(JWS, &sign(&header, payload)), Err(expected), "{header}");
    }
    for (payload, expected) in [
        (r#"{"jti":"1","body":{}}"#, JoseError::Claim),
        (r#"{"aud":"bob@api.example","body":{}}"#, JoseError::Claim),
        (r#"{"aud":"bob@api.example","jti":"1"}"#, JoseError::Malformed),
        (r#"{"aud":["bob@api.example"],"jti":"1","body":{}}"#, JoseError::Malformed),
        (r#"{"aud":"bob@api.example","jti":1,"body":{}}"#, JoseError::Malformed),
        (r#"{"aud":"bob@api.example","aud":"bob@api.example","jti":"1","body":{}}"#, JoseError::Malformed),
        (r#"{"aud":"bob@api.example","jti":"1","j\u0074i":"1","body":{}}"#, JoseError::Malformed),
        (r#"{"aud":"bob@api.example","jti":"1","body":}"#, JoseError::Malformed),
        (r#"[]"#, JoseError::Malformed),
        ("", JoseError::Malformed),
    ] {
        assert_eq!(open(JWS, &sign(&header, payload)), Err(expected), "{payload}");
    }
    assert_eq!(
        open(JWS, &sign(&header, r#" {"body":[],"x":1,"jti":"\u0031","aud":"bob@api.example"} "#)),
        Ok(())
    );
}

#[test]
fn what_is_no_json_is_not_packed() {
    let World { mut alice, bob, .. } = world();
    for body in [&b""[..], b"{", b"text", b"{}x", b"\xff", br#"{}},{"aud":"x""#] {
        assert_eq!(packed(&mut alice, &bob, ID, body), Err(JoseError::Malformed));
    }
}
