//! Tests of JSON Web Tokens. What needs tokens of every kind is in `tests/token.rs`.

use super::*;
use crate::crypto::software::{Identity, PinnedKey, Pins};
use crate::crypto::{CryptoError, KeyId, Signer};
use crate::secret::Secret;
use std::string::{String, ToString};
use std::{format, vec, vec::Vec};

const TYP: &str = "JWT";

fn url(bytes: &[u8]) -> String {
    let mut out = vec![0; base64::url_encoded_len(bytes.len())];
    base64::url_encode(bytes, &mut out).unwrap().to_string()
}

/// The octet key of RFC 7520 §3.5.
fn hs256_key() -> Hs256Key {
    let mut key = Secret::zero();
    base64::url_decode(b"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg", key.as_mut_bytes()).unwrap();
    Hs256Key::from_bytes(key)
}

fn identity() -> Identity {
    Identity::from_bytes(&Secret::new([0x42; 32])).unwrap()
}

fn made(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", url(header.as_bytes()), url(claims.as_bytes()));
    let mac = hs256_key().sign(input.as_bytes()).unwrap();
    format!("{input}.{}", url(&mac))
}

fn verified(token: &str) -> Result<Vec<u8>, JoseError> {
    let mut scratch = [0; 1024];
    verify(VerifyingKey::Hs256(&hs256_key()), TYP, token, &mut scratch).map(<[u8]>::to_vec)
}

const RFC_7515_CLAIMS: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
const RFC_7515_PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// Header and payload of RFC 7515 A.1.1; its key has 64 bytes and ours 32, so the MAC is that of Python's `hmac` with the
/// key of RFC 7520 §3.5.
#[test]
fn rfc_7515_a_1_under_another_key() {
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_7515_PAYLOAD}.{}",
        "3oR6NR58LpM1L8nt5Lrook9SpVNO5Ex3Kyb-yuDOCu8"
    );
    assert_eq!(token, made("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", RFC_7515_CLAIMS));
    let claims = verified(&token).unwrap();
    assert_eq!(claims, RFC_7515_CLAIMS.as_bytes());
    let [issuer, expires] = json::object(&claims, &["iss", "exp"]).unwrap();
    assert_eq!(expect(issuer, "joe"), Ok(()));
    assert_eq!(date(expires), Ok(Some(Timestamp::from_unix_secs(1_300_819_380))));
}

/// RFC 7515 A.3. Its header has no `typ`, so it is no token of ours; its signature is right.
#[test]
fn rfc_7515_a_3() {
    const SIGNATURE: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let token = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}.{SIGNATURE}");
    let mut point = [4; 65];
    base64::url_decode(b"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", &mut point[1..33]).unwrap();
    base64::url_decode(b"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", &mut point[33..]).unwrap();
    let pins = [PinnedKey::from_point(&point).unwrap()];
    let mut scratch = [0; 128];
    let key = || pins[0].kid();
    assert_eq!(
        verify(VerifyingKey::Es256(&mut Pins(&pins), &key()), TYP, &token, &mut scratch),
        Err(JoseError::Header)
    );
    let (signing_input, signature_text) = token.rsplit_once('.').unwrap();
    let unverified = || Unverified {
        signing_input,
        payload: RFC_7515_PAYLOAD,
        signature: SignatureOf::Es256(signature(signature_text).unwrap()),
    };
    let authentic = unverified().verify(VerifyingKey::Es256(&mut Pins(&pins), &key())).unwrap();
    assert_eq!(authentic.claims(&mut scratch).unwrap(), RFC_7515_CLAIMS.as_bytes());
    let stranger = identity().kid();
    let refused = unverified().verify(VerifyingKey::Es256(&mut Pins(&pins), &stranger));
    assert_eq!(refused.unwrap_err(), JoseError::Authentication);
}

#[test]
fn the_header_is_the_expected_one_or_refused() {
    let good = r#"{"alg":"HS256","typ":"JWT"}"#;
    for header in [
        good,
        r#" { "typ" : "JWT" , "kid":"any","x":{"crit":[]},"alg":"HS256" } "#,
        r#"{"\u0061lg":"HS\u003256","typ":"J\u0057T"}"#,
    ] {
        assert_eq!(verified(&made(header, "{}")), Ok(b"{}".to_vec()), "{header}");
    }
    for alg in
        ["none", "None", "NONE", "", "hs256", "HS384", "HS512", "RS256", "ES256", "HS256 ", "HS25", "HS2566"]
    {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        assert_eq!(verified(&made(&header, "{}")), Err(JoseError::Header), "{alg}");
    }
    for member in [
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""cr\u0069t":["exp"]"#,
        r#""zip":"DEF""#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""jwk":{}"#,
        r#""jku":"https://example.com""#,
        r#""x5u":"""#,
        r#""x5c":[]"#,
        r#""x5t":"""#,
        r#""x5t#S256":"""#,
    ] {
        for header in [
            format!(r#"{{"alg":"HS256","typ":"JWT",{member}}}"#),
            format!(r#"{{{member},"alg":"HS256","typ":"JWT"}}"#),
        ] {
            assert_eq!(verified(&made(&header, "{}")), Err(JoseError::Header), "{header}");
        }
    }
    for header in [
        "{}",
        r#"{"alg":"HS256"}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":null,"typ":"JWT"}"#,
        r#"{"alg":["HS256"],"typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"jwt"}"#,
        r#"{"alg":"HS256","typ":"dk2+jwt"}"#,
        r#"{"alg":"HS256","typ":"application/JWT"}"#,
        r#"{"alg":"HS256","typ":null}"#,
        r#"{"ALG":"HS256","typ":"JWT"}"#,
    ] {
        assert_eq!(verified(&made(header, "{}")), Err(JoseError::Header), "{header}");
    }
    for header in [
        "",
        "[]",
        "null",
        r#""HS256""#,
        r#"{"alg":"HS256","typ":"JWT""#,
        r#"{"alg":"HS256","typ":"JWT"}{}"#,
        r#"{"alg":"HS256","typ":"JWT","alg":"HS256"}"#,
        r#"{"alg":"none","typ":"JWT","alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"JWT","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","typ":"JWT","k":1,"k":1}"#,
        "\u{feff}{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
    ] {
        assert_eq!(verified(&made(header, "{}")), Err(JoseError::Malformed), "{header}");
    }
}

#[test]
fn the_form_is_compact_and_canonical() {
    let token = made(r#"{"alg":"HS256","typ":"JWT"}"#, "{}");
    let (input, mac) = token.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    for text in [
        "",
        ".",
        "..",
        "...",
        input,
        &format!("{input}."),
        &format!("{token}."),
        &format!(".{token}"),
        &format!("{token}.AA"),
        &format!("{header}..{payload}.{mac}"),
        &format!("{header}.{payload}.{payload}.{mac}"),
        &format!("{token}="),
        &format!("{header}=.{payload}.{mac}"),
        &format!(" {token}"),
        &format!("{token} "),
        &format!("{token}\n"),
        &format!("{token}\0"),
        &format!("Bearer {token}"),
        &format!("{header}.{payload}.é{mac}"),
        &format!("{header}.{payload}.{}", mac.replace(['-', '_'], "+")),
        &format!("{input}.{}", &mac[1..]),
        &format!("{input}.{mac}A"),
        &format!("{input}.{mac}{mac}"),
    ] {
        assert_eq!(verified(text), Err(JoseError::Malformed), "{text}");
    }
    // The two unused bits of the last character.
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let other = format!("{}{last}", &token[..token.len() - 1]);
        assert_eq!(verified(&other).is_ok(), other == token, "{last}");
    }
}

/// Claims that grow a byte at a time.
#[derive(Serialize)]
struct Padded<'a> {
    text: &'a str,
}

impl Json for Padded<'_> {
    fn json_len(&self) -> usize {
        r#"{"text":""}"#.len() + json::escaped_len(self.text)
    }
}

#[test]
fn written_in_one_buffer_of_exactly_the_length_needed() {
    let mut signer = identity();
    let key = hs256_key();
    let characters = || "abc\"\\\n\u{1}é€/".chars().cycle();
    for (length, typ) in (0..200).zip(["JWT", "a\"b", "dk2+jwt", ""].into_iter().cycle()) {
        let text: String = characters().take(length).collect();
        let claims = Padded { text: &text };
        let json = serde_json::to_string(&claims).unwrap();
        assert_eq!(json.len(), claims.json_len());
        let header = |alg| serde_json::to_string(&Header { alg, typ }).unwrap();

        let needed = signed_len(Algorithm::Hs256, typ, &claims);
        let mut out = vec![0x55; needed + 1];
        let token = sign(SigningKey::Hs256(&key), typ, &claims, &mut out).unwrap().to_string();
        let input = format!("{}.{}", url(header("HS256").as_bytes()), url(json.as_bytes()));
        assert_eq!(token, format!("{input}.{}", url(&key.sign(input.as_bytes()).unwrap())));
        assert_eq!(token.len(), needed);
        assert_eq!(out[needed], 0x55);
        assert_eq!(sign(SigningKey::Hs256(&key), typ, &claims, &mut out[..needed]), Ok(&*token));
        let short = sign(SigningKey::Hs256(&key), typ, &claims, &mut out[..needed - 1]);
        assert_eq!(short, Err(JoseError::BufferTooSmall { needed }));

        let needed = signed_len(Algorithm::Es256, typ, &claims);
        let mut out = vec![0; needed];
        let unsigned = begin(typ, &claims, &mut out).unwrap();
        let input = format!("{}.{}", url(header("ES256").as_bytes()), url(json.as_bytes()));
        assert_eq!(unsigned.signing_input(), input.as_bytes());
        assert_eq!(unsigned.finish(&[0xa5; 64]), Ok(&*format!("{input}.{}", url(&[0xa5; 64]))));
        for room in [0, 1, needed / 2, needed - 1] {
            let short = sign(SigningKey::Es256(&mut signer), typ, &claims, &mut out[..room]);
            assert_eq!(short, Err(JoseError::BufferTooSmall { needed }));
            assert_eq!(
                begin(typ, &claims, &mut out[..room]).unwrap_err(),
                JoseError::BufferTooSmall { needed }
            );
        }
    }
}

#[test]
fn signing_between_two_steps_is_the_same() {
    let mut signer = identity();
    let claims = Padded { text: "x" };
    let (mut at_once, mut in_steps) = ([0; 256], [0; 256]);
    let at_once = sign(SigningKey::Es256(&mut signer), TYP, &claims, &mut at_once).unwrap();
    let unsigned = begin(TYP, &claims, &mut in_steps).unwrap();
    let signature = signer.sign(unsigned.signing_input()).unwrap();
    assert_eq!(unsigned.finish(&signature).unwrap(), at_once);

    let pins = [signer.public().unwrap()];
    let mut scratch = [0; 256];
    let unverified = Unverified::parse(at_once, Algorithm::Es256, TYP, &mut scratch).unwrap();
    let (message, signature) = unverified.statement().unwrap();
    let witness = pins[0].verify(message, signature).unwrap();
    let authentic = unverified.verified(witness).unwrap();
    assert_eq!(authentic.claims(&mut scratch), Ok(&br#"{"text":"x"}"#[..]));
}

#[test]
fn no_algorithm_stands_in_for_another() {
    let (key, mut signer) = (hs256_key(), identity());
    let (pins, kid) = ([signer.public().unwrap()], signer.kid());
    let mut out = [0; 256];
    let mut scratch = [0; 256];
    let hs256 = sign(SigningKey::Hs256(&key), TYP, &Padded { text: "" }, &mut out).unwrap().to_string();
    let es256 =
        sign(SigningKey::Es256(&mut signer), TYP, &Padded { text: "" }, &mut out).unwrap().to_string();
    let mut verify_es256 =
        |token: &str| verify(VerifyingKey::Es256(&mut Pins(&pins), &kid), TYP, token, &mut scratch).map(drop);
    assert_eq!(verify_es256(&es256), Ok(()));
    assert_eq!(verify_es256(&hs256), Err(JoseError::Header));
    assert_eq!(verified(&es256), Err(JoseError::Header));
    // The bytes of the public key as HMAC key, which everybody has.
    let public: [u8; 32] = pins[0].point()[1..33].try_into().unwrap();
    let forged = Hs256Key::from_bytes(Secret::new(public));
    for header in [r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"alg":"ES256","typ":"JWT"}"#] {
        let input = format!("{}.e30", url(header.as_bytes()));
        let token = format!("{input}.{}", url(&forged.sign(input.as_bytes()).unwrap()));
        assert!(verify_es256(&token).is_err());
    }

    let mut scratch = [0; 256];
    let mut parse = |token, algorithm| Unverified::parse(token, algorithm, TYP, &mut scratch).unwrap();
    let swapped = parse(&hs256, Algorithm::Hs256).verify(VerifyingKey::Es256(&mut Pins(&pins), &kid));
    assert_eq!(swapped.unwrap_err(), JoseError::Authentication);
    let swapped = parse(&es256, Algorithm::Es256).verify(VerifyingKey::Hs256(&key));
    assert_eq!(swapped.unwrap_err(), JoseError::Authentication);
    // A verifier vouches for ES256 only.
    let token = parse(&hs256, Algorithm::Hs256);
    assert!(token.statement().is_none());
    assert_eq!(token.verified(Verified::vouch()).unwrap_err(), JoseError::Authentication);
}

#[test]
fn scratch_of_exactly_the_length_needed() {
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    for claims in ["{}".to_string(), format!(r#"{{"a":"{}"}}"#, "x".repeat(100))] {
        let token = made(header, &claims);
        let needed = claims.len().max(header.len());
        let mut scratch = [0; 128];
        let mut with = |room| {
            verify(VerifyingKey::Hs256(&hs256_key()), TYP, &token, &mut scratch[..room]).map(<[u8]>::to_vec)
        };
        assert_eq!(with(needed), Ok(claims.into_bytes()));
        for room in 0..needed {
            assert_eq!(with(room), Err(JoseError::BufferTooSmall { needed }));
        }
    }
}

#[test]
fn a_claim_is_absent_valid_or_malformed() {
    let claim = |value: &'static str| {
        let text = std::boxed::Box::leak(format!(r#"{{"c":{value}}}"#).into_boxed_str());
        let [claim] = json::object(text.as_bytes(), &["c"]).unwrap();
        claim
    };
    assert_eq!(date(None), Ok(None));
    assert_eq!(date(claim("0")), Ok(Some(Timestamp::from_unix_secs(0))));
    assert_eq!(date(claim("9007199254740991")), Ok(Some(Timestamp::from_unix_secs(9_007_199_254_740_991))));
    for value in [
        "null",
        "\"1\"",
        "-1",
        "-0",
        "1.0",
        "1.5",
        "1e3",
        "1E0",
        "9007199254740992",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "true",
        "[]",
        "[1]",
        "{}",
        "\"\"",
    ] {
        assert_eq!(date(claim(value)), Err(JoseError::Malformed), "{value}");
        assert_eq!(Times::read([claim("1"), claim("1"), claim(value)]), Err(JoseError::Malformed), "{value}");
    }
    for absent in 0..3 {
        let mut claims = [claim("1"); 3];
        claims[absent] = None;
        assert_eq!(Times::read(claims), Err(JoseError::Claim));
    }
    assert!(text(None).unwrap().is_none());
    assert!(text(claim(r#""\u0061""#)).unwrap().unwrap().is("a"));
    assert_eq!(expect(claim(r#""\u0061""#), "a"), Ok(()));
    for (value, error) in [
        (r#""b""#, JoseError::Claim),
        (r#""""#, JoseError::Claim),
        ("null", JoseError::Malformed),
        ("1", JoseError::Malformed),
        (r#"["a"]"#, JoseError::Malformed),
    ] {
        assert_eq!(expect(claim(value), "a"), Err(error), "{value}");
    }
    assert_eq!(expect(None, ""), Err(JoseError::Claim));
}

#[test]
fn times_to_the_millisecond() {
    let at = Timestamp::from_unix_millis;
    let times = Times { issued_at: at(100_000), not_before: at(100_000), expires: at(200_000) };
    for (now, leeway, outcome) in [
        (40_000, 60, Ok(())),
        (39_999, 60, Err(JoseError::NotYetValid)),
        (99_999, 0, Err(JoseError::NotYetValid)),
        (100_000, 0, Ok(())),
        (199_999, 60, Ok(())),
        (200_000, 60, Err(JoseError::Expired)),
        (u64::MAX, u64::MAX, Err(JoseError::Expired)),
        (0, u64::MAX, Ok(())),
    ] {
        assert_eq!(times.check(at(now), leeway), outcome, "{now}");
        let later = at(100_000).max(at(50_000));
        let issued_first = Times { issued_at: at(0), not_before: later, ..times };
        let valid_first = Times { issued_at: later, not_before: at(0), ..times };
        assert_eq!(issued_first.check(at(now), leeway), outcome, "{now}");
        assert_eq!(valid_first.check(at(now), leeway), outcome, "{now}");
    }
}

/// A chip that is not there.
struct Broken;

impl Signer for Broken {
    fn kid(&self) -> KeyId {
        identity().kid()
    }
    fn sign(&mut self, _: &[u8]) -> Result<Signature, CryptoError> {
        Err(CryptoError::Failed)
    }
}

/// Claims that are longer than they say, or shorter.
#[derive(Serialize)]
struct Liar {
    text: &'static str,
    #[serde(skip)]
    length: usize,
}

impl Json for Liar {
    fn json_len(&self) -> usize {
        self.length
    }
}

#[test]
fn failures_of_the_callers() {
    let mut out = [0; 512];
    let failed = sign(SigningKey::Es256(&mut Broken), TYP, &Padded { text: "" }, &mut out);
    assert_eq!(failed, Err(JoseError::Crypto(CryptoError::Failed)));
    let truth = Padded { text: "text" }.json_len();
    for length in 0..truth {
        let claims = Liar { text: "text", length };
        assert_eq!(sign(SigningKey::Hs256(&hs256_key()), TYP, &claims, &mut out), Err(JoseError::TooLong));
    }
    for length in [truth, truth + 1, truth + 100] {
        let claims = Liar { text: "text", length };
        let token = sign(SigningKey::Hs256(&hs256_key()), TYP, &claims, &mut out).unwrap();
        assert_eq!(verified(token), Ok(br#"{"text":"text"}"#.to_vec()));
    }
    let claims = Liar { text: "", length: usize::MAX };
    let needed = usize::MAX;
    let absurd = sign(SigningKey::Hs256(&hs256_key()), TYP, &claims, &mut out);
    assert_eq!(absurd, Err(JoseError::BufferTooSmall { needed }));
}

#[test]
fn nothing_prints_a_token() {
    let token = made(r#"{"alg":"HS256","typ":"JWT"}"#, "{}");
    let mut scratch = [0; 64];
    let unverified = Unverified::parse(&token, Algorithm::Hs256, TYP, &mut scratch).unwrap();
    assert_eq!(format!("{unverified:?}"), "Unverified");
    let authentic = unverified.verify(VerifyingKey::Hs256(&hs256_key())).unwrap();
    assert_eq!(format!("{authentic:?}"), "Authentic");
    let mut out = [0; 256];
    let unsigned = begin(TYP, &Padded { text: "" }, &mut out).unwrap();
    assert_eq!(format!("{unsigned:?}"), "Unsigned { len: 52, .. }");
}
