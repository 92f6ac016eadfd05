//! Tokens that an API key signs.

use crate::support::{error, load, unurl, url};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::jose::api_key::{self, Claims, Unverified};
use dynamic_key::jose::jwt::Times;
use dynamic_key::jose::{Hs256Key, JoseError};

const KEY_ID: &str = "agQIBAQ@api.nix.software";
const AUDIENCE: &str = "api.nix.software";

const fn secs(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(secs)
}

const CLAIMS: Claims<'_> = Claims {
    key_id: KEY_ID,
    audience: AUDIENCE,
    times: Times {
        issued_at: secs(1_569_116_334),
        not_before: secs(1_569_116_034),
        expires: secs(1_569_116_634),
    },
};

fn key() -> Hs256Key {
    Hs256Key::from_secret(&[7; 40]).unwrap()
}

fn made(header: &str, claims: &str) -> String {
    let mut hmac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(&[7; 40]).unwrap();
    let input = format!("{}.{}", url(header.as_bytes()), url(claims.as_bytes()));
    hmac::Mac::update(&mut hmac, input.as_bytes());
    format!("{input}.{}", url(&hmac::Mac::finalize(hmac).into_bytes()))
}

fn verify(token: &str, now: u64, leeway: u64) -> Result<(), JoseError> {
    api_key::verify(&key(), KEY_ID, AUDIENCE, token, secs(now), leeway, &mut [0; 256])
}

/// Header and claims are those of the source's request; nobody has its key.
#[test]
fn as_the_source_writes_them() {
    let vectors = load("nix-registration.json");
    let theirs = vectors["apiKeyJwtHeaderAndClaimsOnly_keyUnknown"].as_str().unwrap();
    let mut out = [0; 512];
    let ours = api_key::sign(&key(), &CLAIMS, &mut out).unwrap();
    assert_eq!(ours.rsplit_once('.').unwrap().0, theirs.rsplit_once('.').unwrap().0);
    assert_eq!(verify(ours, 1_569_116_334, 0), Ok(()));
    assert_eq!(verify(theirs, 1_569_116_334, 0), Err(JoseError::Authentication));
    let mut scratch = [0; 128];
    let unverified = Unverified::parse(theirs, &mut scratch).unwrap();
    assert!(unverified.kid().unwrap().is(KEY_ID));
    assert_eq!(format!("{unverified:?}"), "Unverified");
}

#[test]
fn room_is_exact() {
    let claims = Claims { key_id: "a\"b", audience: "\\é", ..CLAIMS };
    let needed = api_key::signed_len(&claims);
    let mut out = vec![0x55; needed];
    let short = api_key::sign(&key(), &claims, &mut out[1..]);
    assert_eq!(short, Err(JoseError::BufferTooSmall { needed }));
    assert!(out.iter().all(|byte| *byte == 0x55));
    let token = api_key::sign(&key(), &claims, &mut out).unwrap();
    assert_eq!(token.len(), needed);
    let mut parts = token.split('.').map(|part| unurl(part).len());
    let needed = parts.next().unwrap().max(parts.next().unwrap());
    let mut scratch = vec![0; needed];
    let mut verify = |room: usize| {
        api_key::verify(&key(), "a\"b", "\\é", token, secs(1_569_116_334), 0, &mut scratch[..room])
    };
    assert_eq!(verify(needed), Ok(()));
    assert_eq!(verify(needed - 1), Err(JoseError::BufferTooSmall { needed }));
}

#[test]
fn times_and_audience_have_their_edges() {
    let mut out = [0; 512];
    let token = api_key::sign(&key(), &CLAIMS, &mut out).unwrap();
    for (now, leeway, expected) in [
        (1_569_116_333, 0, Err(JoseError::NotYetValid)),
        (1_569_116_274, 60, Ok(())),
        (1_569_116_273, 60, Err(JoseError::NotYetValid)),
        (1_569_116_334, 0, Ok(())),
        (1_569_116_633, 0, Ok(())),
        (1_569_116_634, 60, Err(JoseError::Expired)),
    ] {
        assert_eq!(verify(token, now, leeway), expected, "{now} {leeway}");
    }
    let header = format!(r#"{{"alg":"HS256","kid":"{KEY_ID}"}}"#);
    let check = |aud: &str| {
        let claims = format!(r#"{{"aud":{aud},"iat":1,"nbf":1,"exp":9}}"#);
        verify(&made(&header, &claims), 5, 0)
    };
    for (aud, expected) in [
        (r#""api.nix.software""#, Ok(())),
        (r#"["other","api.nix\u002esoftware"]"#, Ok(())),
        (r#"[]"#, Err(JoseError::Claim)),
        (r#"["other"]"#, Err(JoseError::Claim)),
        (r#""api.nix.softwar""#, Err(JoseError::Claim)),
        (r#"["api.nix.software",1]"#, Err(JoseError::Malformed)),
        (r#"[1,"api.nix.software"]"#, Err(JoseError::Malformed)),
        (r#"[["api.nix.software"]]"#, Err(JoseError::Malformed)),
        (r#"{"api.nix.software":1}"#, Err(JoseError::Malformed)),
        ("null", Err(JoseError::Malformed)),
    ] {
        assert_eq!(check(aud), expected, "{aud}");
    }
    for (claims, expected) in [
        (r#"{"iat":1,"nbf":1,"exp":9}"#, JoseError::Claim),
        (r#"{"aud":"api.nix.software","nbf":1,"exp":9}"#, JoseError::Claim),
        (r#"{"aud":"api.nix.software","iat":1,"exp":9}"#, JoseError::Claim),
        (r#"{"aud":"api.nix.software","iat":1,"nbf":1}"#, JoseError::Claim),
        (r#"{"aud":"api.nix.software","iat":1,"nbf":1,"exp":"9"}"#, JoseError::Malformed),
        (r#"{"aud":"api.nix.software","iat":1,"nbf":1,"exp":9.5}"#, JoseError::Malformed),
        (r#"{"aud":"api.nix.software","iat":1,"nbf":null,"exp":9}"#, JoseError::Malformed),
        (r#"{"aud":"api.nix.software","iat":1,"nbf":1,"exp":9,"exp":99}"#, JoseError::Malformed),
        ("[]", JoseError::Malformed),
    ] {
        assert_eq!(verify(&made(&header, claims), 5, 0), Err(expected), "{claims}");
    }
}

#[test]
fn the_header_decides_nothing() {
    let claims = format!(r#"{{"aud":"{AUDIENCE}","iat":1,"nbf":1,"exp":9}}"#);
    let check = |header: &str| verify(&made(header, &claims), 5, 0);
    assert_eq!(check(&format!(r#"{{"typ":"JWT","kid":"{KEY_ID}","alg":"HS256"}}"#)), Ok(()));
    for header in [
        r#"{"alg":"HS256"}"#.to_string(),
        r#"{"alg":"HS256","kid":"other"}"#.into(),
        format!(r#"{{"alg":"none","kid":"{KEY_ID}"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{KEY_ID}"}}"#),
        format!(r#"{{"alg":"HS512","kid":"{KEY_ID}"}}"#),
        format!(r#"{{"alg":"HS256","kid":"{KEY_ID}","crit":["exp"]}}"#),
        format!(r#"{{"alg":"HS256","kid":"{KEY_ID}","jwk":{{"kty":"oct","k":"AA"}}}}"#),
    ] {
        assert_eq!(check(&header), Err(JoseError::Header), "{header}");
    }
    let twice = format!(r#"{{"alg":"HS256","kid":"{KEY_ID}","kid":"{KEY_ID}"}}"#);
    assert_eq!(check(&twice), Err(JoseError::Malformed));
    assert_eq!(check(r#"{"alg":"HS256","kid":1}"#), Err(JoseError::Malformed));
    let mut scratch = [0; 256];
    assert_eq!(error(Unverified::parse("a.b", &mut scratch)), JoseError::Malformed);
}

#[test]
fn every_edit_is_refused() {
    let mut out = [0; 512];
    let token = api_key::sign(&key(), &CLAIMS, &mut out).unwrap();
    let now = 1_569_116_334;
    assert_eq!(verify(token, now, 0), Ok(()));
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut changed = token.as_bytes().to_vec();
            changed[at] ^= 1 << bit;
            assert!(verify(core::str::from_utf8(&changed).unwrap(), now, 0).is_err(), "{at} {bit}");
        }
        assert!(verify(&token[..at], now, 0).is_err());
        assert!(verify(&format!("{}{}", &token[..at], &token[at + 1..]), now, 0).is_err());
    }
}
