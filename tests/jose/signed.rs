//! Signed messages.

use crate::support::{ADDRESS, NOW, error, party, signed, unurl, url};
use dynamic_key::crypto::software::{PinnedKey, Pins};
use dynamic_key::crypto::{CryptoError, KeyId, Nobody, Signature, Signer};
use dynamic_key::jose::jws::{self, Header, Unverified};
use dynamic_key::jose::{JoseError, Json, KeyRef};

const TARGET: &str = "/v1/identity#encPubKey";

/// RFC 7515 A.3. Its header says nothing but `alg`: it is read and its signature verified, and as a message of an identity it is
/// refused.
#[test]
fn rfc_7515_a_3() {
    let payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    let token = format!(
        "eyJhbGciOiJFUzI1NiJ9.{}.{}",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let mut point = vec![4];
    point.extend(unurl("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"));
    point.extend(unurl("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
    let pins = [PinnedKey::from_point(&point.try_into().unwrap()).unwrap()];
    let mut scratch = [0; 128];
    let unverified = Unverified::parse(&token, &mut scratch).unwrap();
    assert!(unverified.kid().is_none() && unverified.target().is_none() && unverified.issued_at().is_none());
    assert_eq!(unverified.key(), Err(JoseError::Header));
    let authentic = unverified.verify(&mut Pins(&pins), &pins[0].kid()).unwrap();
    let mut out = [0; 128];
    assert_eq!(authentic.payload(&mut out), Ok(payload.as_bytes()));

    let signer = KeyRef::new("", pins[0].kid()).unwrap();
    assert_eq!(error(jws::verify(&mut Pins(&pins), &signer, "", &token, &mut scratch)), JoseError::Header);
}

#[test]
fn the_header_has_its_members_in_their_order() {
    let mut alice = party(ADDRESS, 1);
    let kid = alice.signs_as();
    let header = Header { issued_at: NOW, kid: &kid, target: "a\"b" };
    let mut out = [0; 512];
    let token = jws::sign(&mut alice.signer, &header, b"{}", &mut out).unwrap();
    let segments: Vec<&str> = token.split('.').collect();
    let expected = format!(
        r#"{{"alg":"ES256","iat":1569116334,"kid":"{ADDRESS}/{}","tgt":"a\"b"}}"#,
        alice.signer.kid()
    );
    assert_eq!((unurl(segments[0]), segments[1]), (expected.into_bytes(), "e30"));
}

#[test]
fn what_is_signed_is_verified_and_room_is_exact() {
    let mut alice = party(ADDRESS, 1);
    let pins = [party("", 9).pinned(), alice.pinned()];
    let kid = alice.signs_as();
    for length in (0..150).chain([1000]) {
        let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let target = &TARGET[..length % TARGET.len()];
        let header = Header { issued_at: NOW, kid: &kid, target };
        let needed = jws::signed_len(&header, length);
        let mut out = vec![0x55; needed + 1];
        let token = jws::sign(&mut alice.signer, &header, &payload, &mut out).unwrap().to_string();
        assert_eq!((token.len(), out[needed]), (needed, 0x55));
        let short = JoseError::BufferTooSmall { needed };
        let mut out = vec![0x55; needed];
        assert_eq!(jws::sign(&mut alice.signer, &header, &payload, &mut out[1..]), Err(short));
        assert!(out.iter().all(|byte| *byte == 0x55), "nothing has been written");

        // In two calls each.
        let unsigned = jws::begin(&header, &payload, &mut out).unwrap();
        let signature = alice.signer.sign(unsigned.signing_input()).unwrap();
        assert_eq!(unsigned.finish(&signature), Ok(&*token));
        let header_len = unurl(token.split('.').next().unwrap()).len();
        let needed = header_len.max(length);
        let mut scratch = vec![0; needed];
        let unverified = Unverified::parse(&token, &mut scratch).unwrap();
        let (message, signature) = unverified.statement();
        let verified = pins[1].verify(message, signature).unwrap();
        assert_eq!(unverified.target().map(|tgt| tgt.is(target)), Some(true));
        let authentic = unverified.verified(verified);
        assert_eq!(authentic.payload(&mut scratch), Ok(&payload[..]));

        let message = jws::verify(&mut Pins(&pins), &kid, target, &token, &mut scratch).unwrap();
        assert_eq!((message.issued_at, message.payload), (NOW, &payload[..]));
        let short = Err(JoseError::BufferTooSmall { needed });
        let refused = jws::verify(&mut Pins(&pins), &kid, target, &token, &mut scratch[1..]);
        assert_eq!(refused.map(|message| message.payload), short);
    }
}

#[derive(serde::Serialize)]
struct Meta {
    #[serde(rename = "identityType")]
    identity_type: &'static str,
}

impl Json for Meta {
    fn json_len(&self) -> usize {
        r#"{"identityType":""}"#.len() + self.identity_type.len()
    }
}

#[test]
fn json_is_signed_as_it_is_written() {
    let kid = party("", 1).signs_as();
    let header = Header { issued_at: NOW, kid: &kid, target: TARGET };
    let (mut one, mut other) = ([0; 512], [0; 512]);
    let json = jws::begin_json(&header, &Meta { identity_type: "user" }, &mut one).unwrap();
    let bytes = jws::begin(&header, br#"{"identityType":"user"}"#, &mut other).unwrap();
    assert_eq!(json.signing_input(), bytes.signing_input());
}

#[test]
fn who_signed_and_to_what_end_is_checked() {
    let (mut alice, mallory) = (party(ADDRESS, 1), party("mallory@api.example", 2));
    let pins = [alice.pinned(), mallory.pinned()];
    let kid = alice.signs_as();
    let header = Header { issued_at: NOW, kid: &kid, target: TARGET };
    let mut out = [0; 512];
    let token = jws::sign(&mut alice.signer, &header, b"{}", &mut out).unwrap();
    let mut scratch = [0; 256];
    let mut verify = |signer: &KeyRef, target: &str| {
        jws::verify(&mut Pins(&pins), signer, target, token, &mut scratch).map(drop)
    };
    assert_eq!(verify(&kid, TARGET), Ok(()));
    assert_eq!(verify(&kid, "/v1/identity#metaPublic"), Err(JoseError::Header));
    assert_eq!(verify(&kid, &TARGET[1..]), Err(JoseError::Header));
    // Another key of the address, another address of the key.
    assert_eq!(verify(&KeyRef::new(ADDRESS, mallory.signer.kid()).unwrap(), TARGET), Err(JoseError::Header));
    assert_eq!(verify(&KeyRef::new(mallory.address, kid.kid()).unwrap(), TARGET), Err(JoseError::Header));
    assert_eq!(verify(&KeyRef::new("", kid.kid()).unwrap(), TARGET), Err(JoseError::Header));

    let mut scratch = [0; 256];
    let unknown = jws::verify(&mut Pins(&pins[1..]), &kid, TARGET, token, &mut scratch);
    assert_eq!(error(unknown), JoseError::Authentication);
    assert_eq!(error(jws::verify(&mut Nobody, &kid, TARGET, token, &mut scratch)), JoseError::Authentication);

    // Mallory signs in Alice's name: with a key that is trusted, but is not hers.
    let (_, payload) = token.rsplit_once('.').unwrap().0.split_once('.').unwrap();
    let header = unurl(token.split('.').next().unwrap());
    let mut signer = mallory.signer.clone();
    let forged = signed(&mut signer, core::str::from_utf8(&header).unwrap(), &unurl(payload));
    let refused = jws::verify(&mut Pins(&pins), &kid, TARGET, &forged, &mut scratch);
    assert_eq!(error(refused), JoseError::Authentication);
}

/// A chip that is not there, and one that signs with another key than the header names.
#[test]
fn failures_of_the_signer() {
    struct Broken(KeyId);
    impl Signer for Broken {
        fn kid(&self) -> KeyId {
            self.0
        }
        fn sign(&mut self, _: &[u8]) -> Result<Signature, CryptoError> {
            Err(CryptoError::Failed)
        }
    }
    let kid = party("", 1).signs_as();
    let header = Header { issued_at: NOW, kid: &kid, target: TARGET };
    let mut out = [0; 512];
    let failed = jws::sign(&mut Broken(kid.kid()), &header, b"", &mut out);
    assert_eq!(error(failed), JoseError::Crypto(CryptoError::Failed));
    let mut other = party("", 2);
    assert_eq!(error(jws::sign(&mut other.signer, &header, b"", &mut out)), JoseError::Key);
}

#[test]
fn nothing_prints_a_message() {
    let mut alice = party(ADDRESS, 1);
    let token = signed(&mut alice.signer, r#"{"alg":"ES256","tgt":"secret"}"#, b"secret");
    let mut scratch = [0; 128];
    let unverified = Unverified::parse(&token, &mut scratch).unwrap();
    assert_eq!(format!("{unverified:?}"), "Unverified");
    let authentic = unverified.verify(&mut Pins(&[alice.pinned()]), &alice.signer.kid()).unwrap();
    assert_eq!(format!("{authentic:?}"), "Authentic");
    assert!(!url(b"secret").is_empty());
}
