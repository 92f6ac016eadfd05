//! Signed messages: what a header says is what a second reading finds, and refused where that is none of ours; what is written is
//! read.
//!
//! Input: whether the rest is a token as it is, or header (behind its length) and payload of one; the last two are also target and
//! payload of one that is written.
#![no_main]

use base64ct::{Base64UrlUnpadded, Encoding};
use dynamic_key::codec::json::Str;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::{KeyId, Verified};
use dynamic_key::jose::jws::{self, Header, Unverified};
use dynamic_key::jose::{JoseError, KeyRef};
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    if input.flag() {
        if let Ok(token) = core::str::from_utf8(input.rest()) {
            read(token);
        }
        return;
    }
    let (header, payload) = (input.some(), input.rest());
    let encoded = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let token = format!("{}.{}.{}", encoded(header), encoded(payload), encoded(&[7; 64]));
    assert_eq!(read(&token).is_some(), oracle_accepts(header).unwrap_or_else(|| read(&token).is_some()));
    if let Ok(target) = core::str::from_utf8(header) {
        written(target, payload);
    }
});

/// Whether the header is one of ours; `None` where the second reader cannot say.
fn oracle_accepts(header: &[u8]) -> Option<bool> {
    match parse(header) {
        Ok(header) => Some(oracle::is_jose_header(&header, "ES256") && members(&header).is_some()),
        Err(NoJson::Malformed) => Some(false),
        Err(NoJson::NumberTooLarge) => None,
    }
}

/// `iat`, `kid` and `tgt`, each absent or of its type.
fn members(header: &Node) -> Option<(Option<u64>, Option<&str>, Option<&str>)> {
    let text = |name| match header.get(name) {
        None => Some(None),
        Some(value) => value.as_str().map(Some),
    };
    let issued_at = match header.get("iat") {
        None => None,
        Some(value) => Some(value.integer()?),
    };
    Some((issued_at, text("kid")?, text("tgt")?))
}

/// What we read of a token, compared with the second reading.
fn read(token: &str) -> Option<()> {
    let segments: Vec<&str> = token.split('.').collect();
    let mut scratch = vec![0; token.len()];
    let Ok(unverified) = Unverified::parse(token, &mut scratch) else { return None };
    let [header, payload, signature] = segments[..] else { panic!("three segments") };
    let header = oracle::base64url(header).unwrap();
    if let Ok(header) = parse(&header) {
        assert!(oracle::is_jose_header(&header, "ES256"));
        let text = |text: Str<'_>| String::from_utf8(text.bytes().collect()).unwrap();
        let (issued_at, kid, target) = members(&header).unwrap();
        assert_eq!(unverified.issued_at(), issued_at.map(Timestamp::from_unix_secs));
        assert_eq!(unverified.kid().map(text).as_deref(), kid);
        assert_eq!(unverified.target().map(text).as_deref(), target);
        match (unverified.key(), kid) {
            (Ok(key), Some(kid)) => assert_eq!(key.to_string(), kid),
            (Err(JoseError::Header), None) => {}
            (Err(JoseError::Malformed), Some(kid)) => assert!(KeyRef::parse(kid).is_err()),
            (other, kid) => panic!("{other:?} {kid:?}"),
        }
    }
    let (message, stated) = unverified.statement();
    assert_eq!(message, token.rsplit_once('.').unwrap().0.as_bytes());
    assert_eq!(stated[..], oracle::base64url(signature).unwrap());
    let needed = header.len().max(payload.len() / 4 * 3);
    assert!(needed <= token.len());
    let authentic = unverified.verified(Verified::vouch());
    assert_eq!(authentic.payload(&mut scratch).ok().map(Vec::from), oracle::base64url(payload));
    Some(())
}

/// What we write is read back.
fn written(target: &str, payload: &[u8]) {
    let kid = KeyRef::new("a@b", KeyId::of_point(&[4; 65])).unwrap();
    let header = Header { issued_at: Timestamp::from_unix_secs(payload.len() as u64), kid: &kid, target };
    let needed = jws::signed_len(&header, payload.len());
    let mut out = vec![0; needed];
    assert_eq!(
        jws::begin(&header, payload, &mut out[1..]).unwrap_err(),
        JoseError::BufferTooSmall { needed }
    );
    let token = jws::begin(&header, payload, &mut out).unwrap().finish(&[9; 64]).unwrap();
    let mut scratch = vec![0; needed];
    let unverified = Unverified::parse(token, &mut scratch).unwrap();
    assert!(unverified.target().unwrap().is(target));
    assert_eq!(unverified.key(), Ok(kid.clone()));
    let authentic = unverified.verified(Verified::vouch());
    assert_eq!(authentic.payload(&mut scratch), Ok(payload));
}
