//! Tokens: none is valid but one that was issued for this session; one that is issued is valid, as long as it lasts.
//!
//! Input: an algorithm, a time; then a token, whose bytes also serve as claims.
#![no_main]

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::{KeyId, Signer};
use dynamic_key::gateway::token::{
    Expected, LEEWAY, MAX_LEN, TokenClaims, TokenKey, is_audience, issue, issued_len, verify,
};
use dynamic_key::jose::Algorithm;
use dynamic_key::{Error, Misuse};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::{json, oracle};
use libfuzzer_sys::fuzz_target;

/// As in `tokens.json`.
const SECRET: &[u8; 32] = b"`abcdefghijklmnopqrstuvwxyz{|}~\x7f";
const KEY: [u8; 32] = *b"\x1b\xd9\x65\x7b\xd5\x26\x74\xdb\x33\x50\x04\x42\xc1\x25\xbb\x48\xcd\x9c\x4d\x49\x7a\x5d\x5c\x96\x7c\x54\x65\x57\x8b\x49\xe3\x5e";
const EXPECTED: Expected<'static> = Expected {
    session_id: "opaque-session-id",
    client_id: "internal-web-client",
    device_id: "q\"uote\\back/slash",
    audience: "https://gateway.example",
};
const IDENTITY: Identity = Identity(1);

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let algorithm = input.choose(&[Algorithm::Hs256, Algorithm::Es256]);
    let now = 1_780_527_500 + u64::from(input.short());
    if let Ok(token) = str::from_utf8(input.rest())
        && is_valid(algorithm, token, &EXPECTED, Timestamp::from_unix_secs(now))
    {
        was_issued(algorithm, token, now);
    }
    issues(algorithm, input);
});

fn key(algorithm: Algorithm) -> TokenKey {
    match algorithm {
        Algorithm::Hs256 => TokenKey::hs256(SECRET).unwrap(),
        Algorithm::Es256 => TokenKey::Es256,
    }
}

fn is_valid(algorithm: Algorithm, token: &str, expected: &Expected<'_>, now: Timestamp) -> bool {
    let (key, mut identity, kid): (_, _, KeyId) = (key(algorithm), IDENTITY, IDENTITY.kid());
    verify(key.verifying(Some((&mut identity, &kid))).unwrap(), token, expected, now).is_ok()
}

/// A token that is valid says what it must, by a second reading.
fn was_issued(algorithm: Algorithm, token: &str, now: u64) {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("{token}") };
    let signed = format!("{header}.{payload}");
    let expected = match algorithm {
        Algorithm::Hs256 => oracle::hs256(&KEY, signed.as_bytes()).to_vec(),
        Algorithm::Es256 => { IDENTITY }.sign(signed.as_bytes()).unwrap().to_vec(),
    };
    assert_eq!(oracle::base64url(signature).unwrap(), expected);
    let header = json::parse(&oracle::base64url(header).unwrap()).unwrap();
    assert_eq!((header.string("alg"), header.string("typ")), (Some(algorithm.name()), Some("dk2+jwt")));
    let claims = json::parse(&oracle::base64url(payload).unwrap()).unwrap();
    assert_eq!(claims.string("sid"), Some(EXPECTED.session_id));
    assert_eq!(claims.string("cid"), Some(EXPECTED.client_id));
    assert_eq!(claims.string("did"), Some(EXPECTED.device_id));
    assert_eq!(claims.string("aud"), Some(EXPECTED.audience));
    let date = |name| claims.get(name).unwrap().integer().unwrap();
    assert!(now < date("exp") && date("iat") <= now + LEEWAY && date("nbf") <= now + LEEWAY);
}

fn issues(algorithm: Algorithm, mut input: Input<'_>) {
    let mut text = |usual: &str| if input.flag() { input.text() } else { usual.into() };
    let (session_id, client_id) = (text(EXPECTED.session_id), text(EXPECTED.client_id));
    let (device_id, audience) = (text(EXPECTED.device_id), text(EXPECTED.audience));
    let (issued_at, lasts) = (input.long() >> (input.byte() & 31), u64::from(input.short()) * 500);
    let claims = TokenClaims {
        session_id: &session_id,
        client_id: &client_id,
        device_id: &device_id,
        audience: &audience,
        issued_at: Timestamp::from_unix_millis(issued_at),
        expires: Timestamp::from_unix_millis(issued_at).saturating_add_millis(lasts),
    };
    let begins = claims.issued_at.as_unix_secs();
    let ends = claims.expires.as_unix_millis().div_ceil(1000); // not before its session
    let (key, mut identity) = (key(algorithm), IDENTITY);
    let needed = issued_len(algorithm, &claims);
    let mut out = vec![0; needed];
    let is_issuable = oracle::is_session_id(&session_id)
        && oracle::is_claim(&client_id, 64)
        && oracle::is_claim(&device_id, 64)
        && is_audience(&audience)
        && ends < 1_000_000_000_000;
    let issued = issue(key.signing(Some(&mut identity)).unwrap(), &claims, &mut out);
    if !is_issuable {
        return assert_eq!(issued, Err(Misuse::InvalidConfiguration.into()));
    }
    let token = issued.unwrap().to_string();
    assert!(token.len() == needed && needed <= MAX_LEN && oracle::is_token(&token));
    let short = issue(key.signing(Some(&mut identity)).unwrap(), &claims, &mut out[..needed - 1]);
    assert_eq!(short, Err(Error::BufferTooSmall { needed }));

    let expected = Expected {
        session_id: &session_id,
        client_id: &client_id,
        device_id: &device_id,
        audience: &audience,
    };
    let at = |second: u64| is_valid(algorithm, &token, &expected, Timestamp::from_unix_secs(second));
    assert_eq!(at(begins), begins < ends);
    assert!(!at(ends));
    if begins < ends {
        assert!(at(ends - 1) && at(begins.saturating_sub(LEEWAY)));
        assert!(begins <= LEEWAY || !at(begins - LEEWAY - 1));
        let now = claims.issued_at;
        let other = Algorithm::Hs256;
        assert_eq!(is_valid(other, &token, &expected, now), algorithm == other);
        let longer = format!("{session_id}x");
        assert!(!is_valid(algorithm, &token, &Expected { session_id: &longer, ..expected }, now));
        assert!(
            !is_valid(algorithm, &token, &Expected { client_id: &longer, ..expected }, now)
                || longer == client_id
        );
        let mut flipped = token.clone().into_bytes();
        let place = input.below(256) % needed;
        flipped[place] ^= 1 << input.below(7);
        assert!(!is_valid(algorithm, str::from_utf8(&flipped).unwrap(), &expected, now), "{place}");
    }
}
