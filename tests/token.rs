//! The session token (§2.8): against the vectors of `test-vectors/tokens.json`, and against whoever edits one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    clippy::string_slice,
    reason = "a test that fails should panic"
)]

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::signature::Nobody;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins};
use dynamic_key::crypto::{KeyId, Signer};
use dynamic_key::gateway::token::{
    self, Expected, LEEWAY, MAX_AUDIENCE, MAX_LEN, TokenClaims, TokenError, TokenKey, is_audience, issue,
    issued_len,
};
use dynamic_key::jose::{Algorithm, Hs256Key, SigningKey, VerifyingKey};
use dynamic_key::session::is_token;
use dynamic_key::{Code, Error, Misuse, Secret};
use serde_json::Value;

/// Both keys of a gateway.
struct Keys {
    hs256: TokenKey,
    identity: Identity,
    public: PinnedKey,
    kid: KeyId,
}

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Hs256, Algorithm::Es256];

impl Keys {
    fn new(secret: &[u8], scalar: [u8; 32]) -> Self {
        let identity = Identity::from_bytes(&Secret::new(scalar)).unwrap();
        let (public, kid) = (identity.public().unwrap(), identity.kid());
        Self { hs256: TokenKey::hs256(secret).unwrap(), identity, public, kid }
    }

    fn key(&self, algorithm: Algorithm) -> &TokenKey {
        match algorithm {
            Algorithm::Hs256 => &self.hs256,
            Algorithm::Es256 => &TokenKey::Es256,
        }
    }

    fn issue(&mut self, algorithm: Algorithm, claims: &TokenClaims<'_>) -> String {
        let mut out = [0; MAX_LEN];
        let mut identity = self.identity.clone();
        let key = self.key(algorithm).signing(Some(&mut identity)).unwrap();
        let token = issue(key, claims, &mut out).unwrap().to_string();
        assert!(is_token(&token));
        assert_eq!(token.len(), issued_len(algorithm, claims));
        token
    }

    fn verify(
        &self,
        algorithm: Algorithm,
        token: &str,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let mut pins = Pins(core::slice::from_ref(&self.public));
        let key = self.key(algorithm).verifying(Some((&mut pins, &self.kid))).unwrap();
        token::verify(key, token, expected, now)
    }
}

const fn secs(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(secs)
}

const CLAIMS: TokenClaims<'_> = TokenClaims {
    session_id: "opaque-session-id",
    client_id: "internal-web-client",
    device_id: "q\"uote\\back/slash",
    audience: "https://gateway.example",
    issued_at: secs(1_780_527_600),
    expires: secs(1_780_531_200),
};

const EXPECTED: Expected<'_> = expected(&CLAIMS);

const fn expected<'a>(claims: &TokenClaims<'a>) -> Expected<'a> {
    Expected {
        session_id: claims.session_id,
        client_id: claims.client_id,
        device_id: claims.device_id,
        audience: claims.audience,
    }
}

fn keys() -> Keys {
    Keys::new(&[0x61; 32], [0x42; 32])
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn vectors() -> (Value, Keys) {
    let vectors: Value = serde_json::from_str(include_str!("../test-vectors/tokens.json")).unwrap();
    let secret = unhex(vectors["hs256"][0]["secret"].as_str().unwrap());
    let scalar = unhex(vectors["es256"]["private"].as_str().unwrap());
    let keys = Keys::new(&secret, scalar.try_into().unwrap());
    (vectors, keys)
}

#[test]
fn vectors_of_an_independent_gateway() {
    let (vectors, keys) = vectors();
    let text = |value: &'static str| vectors["expected"][value].as_str().unwrap();
    assert_eq!(
        [text("sid"), text("cid"), text("did"), text("aud")],
        [CLAIMS.session_id, CLAIMS.client_id, CLAIMS.device_id, CLAIMS.audience]
    );
    assert_eq!(vectors["leeway"].as_u64(), Some(LEEWAY));
    assert_eq!(vectors["es256"]["kid"], keys.kid.as_str());
    let mut counts = [0; 2];
    for case in vectors["tokens"].as_array().unwrap() {
        let algorithm = match case["alg"].as_str().unwrap() {
            "HS256" => Algorithm::Hs256,
            "ES256" => Algorithm::Es256,
            other => panic!("{other}"),
        };
        let (token, now) = (case["token"].as_str().unwrap(), secs(case["now"].as_u64().unwrap()));
        let valid = case["valid"].as_bool().unwrap();
        let outcome = keys.verify(algorithm, token, &EXPECTED, now);
        assert_eq!(outcome.is_ok(), valid, "{} {}: {}", case["alg"], case["name"], case["why"]);
        counts[usize::from(valid)] += 1;
    }
    assert!(counts[0] >= 300 && counts[1] >= 20, "{counts:?}");
}

#[test]
fn issues_the_token_of_the_vectors() {
    let (vectors, mut keys) = vectors();
    let issued = |alg: &str| {
        let cases = vectors["tokens"].as_array().unwrap().iter();
        let mut found = cases.filter(|case| case["alg"] == alg && case["name"] == "issued");
        found.next().unwrap()["token"].as_str().unwrap()
    };
    assert_eq!(keys.issue(Algorithm::Hs256, &CLAIMS), issued("HS256"));
    // Another implementation may draw its nonce: all but the signature is the same.
    let signed = |token: &str| token.rsplit_once('.').unwrap().0.to_string();
    assert_eq!(signed(&keys.issue(Algorithm::Es256, &CLAIMS)), signed(issued("ES256")));

    for pair in vectors["hs256"].as_array().unwrap() {
        let bytes = |name: &str| unhex(pair[name].as_str().unwrap());
        let derived = TokenKey::hs256(&bytes("secret")).unwrap();
        let given = Hs256Key::from_bytes(Secret::new(bytes("key").try_into().unwrap()));
        let (mut one, mut other) = ([0; MAX_LEN], [0; MAX_LEN]);
        assert_eq!(
            issue(derived.signing(None).unwrap(), &CLAIMS, &mut one),
            issue(SigningKey::Hs256(&given), &CLAIMS, &mut other)
        );
    }
}

#[test]
fn any_printable_name_comes_through() {
    let mut keys = keys();
    let all: String = (0x20..=0x7e_u8).map(char::from).collect();
    let names =
        [&all[..64], &all[31..], &"\"".repeat(64), &"\\".repeat(64), " ", "/", "\\u0041", "</script>"];
    for algorithm in ALGORITHMS {
        for name in names {
            for claims in
                [TokenClaims { client_id: name, ..CLAIMS }, TokenClaims { device_id: name, ..CLAIMS }]
            {
                let token = keys.issue(algorithm, &claims);
                let now = CLAIMS.issued_at;
                assert_eq!(keys.verify(algorithm, &token, &expected(&claims), now), Ok(()), "{name}");
                assert_eq!(keys.verify(algorithm, &token, &EXPECTED, now), Err(TokenError), "{name}");
            }
        }
    }
}

#[test]
fn the_longest_token_is_as_long_as_promised() {
    let mut keys = keys();
    let claims = TokenClaims {
        session_id: &"~".repeat(64),
        client_id: &"\"".repeat(64),
        device_id: &"\\".repeat(64),
        audience: &"a".repeat(MAX_AUDIENCE),
        issued_at: secs(999_999_999_998),
        expires: secs(999_999_999_999),
    };
    let token = keys.issue(Algorithm::Es256, &claims);
    assert_eq!(token.len(), MAX_LEN);
    assert_eq!(keys.verify(Algorithm::Es256, &token, &expected(&claims), claims.issued_at), Ok(()));
    let token = keys.issue(Algorithm::Hs256, &claims);
    assert_eq!(keys.verify(Algorithm::Hs256, &token, &expected(&claims), claims.issued_at), Ok(()));
}

#[test]
fn a_buffer_of_exactly_the_length_needed() {
    let mut keys = keys();
    let mut identity = keys.identity.clone();
    for algorithm in ALGORITHMS {
        let needed = issued_len(algorithm, &CLAIMS);
        let mut out = vec![0; needed];
        for room in 0..needed {
            let key = keys.key(algorithm).signing(Some(&mut identity)).unwrap();
            assert_eq!(issue(key, &CLAIMS, &mut out[..room]), Err(Error::BufferTooSmall { needed }));
        }
        assert!(out.iter().all(|byte| *byte == 0), "nothing has been written");
        assert_eq!(keys.issue(algorithm, &CLAIMS).len(), needed);
    }
    let needed = issued_len(Algorithm::Es256, &CLAIMS);
    assert_eq!(
        token::begin(&CLAIMS, &mut vec![0; needed - 1]).unwrap_err(),
        Error::BufferTooSmall { needed }
    );
}

#[test]
fn what_cannot_be_verified_is_not_issued() {
    let keys = keys();
    let (long, text) = ("x".repeat(65), "a".repeat(MAX_AUDIENCE + 1));
    let refused = [
        TokenClaims { session_id: "", ..CLAIMS },
        TokenClaims { session_id: &long, ..CLAIMS },
        TokenClaims { session_id: "a b", ..CLAIMS },
        TokenClaims { client_id: "", ..CLAIMS },
        TokenClaims { client_id: &long, ..CLAIMS },
        TokenClaims { client_id: "a\nb", ..CLAIMS },
        TokenClaims { device_id: "", ..CLAIMS },
        TokenClaims { device_id: &long, ..CLAIMS },
        TokenClaims { device_id: "é", ..CLAIMS },
        TokenClaims { audience: "", ..CLAIMS },
        TokenClaims { audience: &text, ..CLAIMS },
        TokenClaims { audience: "a\"b", ..CLAIMS },
        TokenClaims { issued_at: secs(1_000_000_000_000), ..CLAIMS },
        TokenClaims { expires: secs(1_000_000_000_000), ..CLAIMS },
        TokenClaims { expires: Timestamp::from_unix_millis(u64::MAX), ..CLAIMS },
    ];
    let mut out = [0; 2048];
    for claims in refused {
        let error = Err(Error::Misuse(Misuse::InvalidConfiguration));
        assert_eq!(issue(keys.hs256.signing(None).unwrap(), &claims, &mut out), error, "{claims:?}");
        assert_eq!(token::begin(&claims, &mut out).map(drop), error.map(drop), "{claims:?}");
    }
    assert!(is_audience("https://[::1]:8443") && is_audience(&text[1..]));
    for audience in ["", "a b", "a\\", "a\"", "\u{7f}", "ä", &text] {
        assert!(!is_audience(audience), "{audience}");
    }
}

#[test]
fn keys_that_are_missing_or_weak_are_refused() {
    let misuse = Error::Misuse(Misuse::InvalidConfiguration);
    for length in [0, 1, 16, 31] {
        assert_eq!(TokenKey::hs256(&vec![7; length]).unwrap_err(), misuse);
    }
    assert_eq!(TokenKey::Es256.signing(None).unwrap_err(), misuse);
    assert_eq!(TokenKey::Es256.verifying(None).unwrap_err(), misuse);
    assert_eq!(format!("{:?}", keys().hs256), "Hs256(Hs256Key(…))");
}

#[test]
fn times_have_their_edges() {
    let mut keys = keys();
    let (start, end) = (CLAIMS.issued_at.as_unix_millis(), CLAIMS.expires.as_unix_millis());
    for algorithm in ALGORITHMS {
        let token = keys.issue(algorithm, &CLAIMS);
        for (now, valid) in [
            (0, false),
            (start - 60_001, false),
            (start - 60_000, true),
            (start - 1, true),
            (start, true),
            (end - 1, true),
            (end, false),
            (end + 1, false),
            (end + 60_000, false),
            (u64::MAX, false),
        ] {
            let outcome = keys.verify(algorithm, &token, &EXPECTED, Timestamp::from_unix_millis(now));
            assert_eq!(outcome.is_ok(), valid, "{now}");
        }
        // A fraction of a second is the whole second at either end: never a moment less than the session's.
        for fraction in [1, 999] {
            let issued_at = Timestamp::from_unix_millis(start + fraction);
            let expires = Timestamp::from_unix_millis(end - 1000 + fraction);
            let claims = TokenClaims { issued_at, expires, ..CLAIMS };
            assert_eq!(keys.issue(algorithm, &claims), token, "{fraction}");
        }
    }
}

#[test]
fn another_sessions_token_is_refused() {
    let mut keys = keys();
    for algorithm in ALGORITHMS {
        let token = keys.issue(algorithm, &CLAIMS);
        let verify = |expected| keys.verify(algorithm, &token, &expected, CLAIMS.issued_at);
        assert_eq!(verify(EXPECTED), Ok(()));
        for expected in [
            Expected { session_id: "opaque-session-iD", ..EXPECTED },
            Expected { session_id: "opaque-session-i", ..EXPECTED },
            Expected { session_id: "", ..EXPECTED },
            Expected { client_id: "internal-web-client2", ..EXPECTED },
            Expected { client_id: CLAIMS.device_id, device_id: CLAIMS.client_id, ..EXPECTED },
            Expected { device_id: "q\\\"uote\\\\back/slash", ..EXPECTED },
            Expected { audience: "https://gateway.example/", ..EXPECTED },
            Expected { audience: "http://gateway.example", ..EXPECTED },
        ] {
            assert_eq!(verify(expected), Err(TokenError), "{expected:?}");
        }
    }
    assert_eq!(Code::from(TokenError), Code::InvalidToken);
    let (one, other) = (keys.issue(Algorithm::Hs256, &CLAIMS), Keys::new(&[0x62; 32], [0x43; 32]));
    assert_eq!(other.verify(Algorithm::Hs256, &one, &EXPECTED, CLAIMS.issued_at), Err(TokenError));
    let one = keys.issue(Algorithm::Es256, &CLAIMS);
    assert_eq!(other.verify(Algorithm::Es256, &one, &EXPECTED, CLAIMS.issued_at), Err(TokenError));
    let nobody = VerifyingKey::Es256(&mut Nobody, &keys.kid);
    assert_eq!(token::verify(nobody, &one, &EXPECTED, CLAIMS.issued_at), Err(TokenError));
}

#[test]
fn every_edit_is_refused() {
    let mut keys = keys();
    for algorithm in ALGORITHMS {
        let token = keys.issue(algorithm, &CLAIMS);
        let refused =
            |text: &str| keys.verify(algorithm, text, &EXPECTED, CLAIMS.issued_at) == Err(TokenError);
        for at in 0..token.len() {
            let byte = token.as_bytes()[at];
            // Every other character, or for the slower algorithm every flipped bit that leaves one.
            for other in (0..0x80_u8).filter(|other| {
                *other != byte && (algorithm == Algorithm::Hs256 || (other ^ byte).is_power_of_two())
            }) {
                let mut edited = token.clone().into_bytes();
                edited[at] = other;
                let edited = String::from_utf8(edited).unwrap();
                assert!(refused(&edited), "{at} {other}");
            }
            for inserted in ["A", ".", "=", " ", "é"] {
                assert!(refused(&format!("{}{inserted}{}", &token[..at], &token[at..])), "{at} {inserted}");
            }
            assert!(refused(&token[..at]) && refused(&token[at + 1..]), "{at}");
            assert!(refused(&format!("{}{}", &token[..at], &token[at + 1..])), "{at}");
        }
        for behind in ["A", "AA", ".", "=", " ", "\n", "é"] {
            assert!(refused(&format!("{token}{behind}")), "{behind}");
        }
        assert!(!refused(&token));
    }
}
