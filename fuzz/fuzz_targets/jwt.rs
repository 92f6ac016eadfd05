//! JWTs with any header and any claims behind the right signature: the header decides nothing, and a claim is absent, valid
//! or malformed.
//!
//! Input: the header behind its length, then the claims.
#![no_main]

use base64ct::{Base64UrlUnpadded, Encoding};
use dynamic_key::Secret;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::jose::jwt::{self, Times};
use dynamic_key::jose::{Hs256Key, JoseError, VerifyingKey};
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

const KEY: [u8; 32] = [7; 32];
const TYP: &str = "dk2+jwt";
const REFUSED: [&str; 9] = ["crit", "zip", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (header, payload) = (input.some(), input.rest());
    let encoded = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let signed = format!("{}.{}", encoded(header), encoded(payload));
    let token = format!("{signed}.{}", encoded(&oracle::hs256(&KEY, signed.as_bytes())));

    let key = Hs256Key::from_bytes(Secret::new(KEY));
    let needed = (header.len()).max(payload.len());
    let mut scratch = vec![0; needed + 1];
    let mut verify = |room: usize| {
        jwt::verify(VerifyingKey::Hs256(&key), TYP, &token, &mut scratch[..room]).map(Vec::from)
    };
    let ours = verify(needed);
    if let Some(short) = needed.checked_sub(1) {
        assert_eq!(verify(short), Err(JoseError::BufferTooSmall { needed }));
    }
    match parse(header) {
        Ok(header) => match &ours {
            Ok(claims) => assert!(is_expected(&header) && claims == payload),
            Err(JoseError::Header | JoseError::Malformed) => assert!(!is_expected(&header)),
            Err(error) => panic!("{error}"),
        },
        Err(NoJson::Malformed) => assert_eq!(ours, Err(JoseError::Malformed)),
        Err(NoJson::NumberTooLarge) => {}
    }
    claims(payload);
});

fn is_expected(header: &Node) -> bool {
    header.members().is_some()
        && header.depth() <= 16
        && header.string("alg") == Some("HS256")
        && header.string("typ") == Some(TYP)
        && REFUSED.iter().all(|name| header.get(name).is_none())
}

/// Times and strings, as both readings see them.
fn claims(payload: &[u8]) {
    let Ok(node) = parse(payload) else { return };
    let Ok([iat, nbf, exp, sid]) = dynamic_key::codec::json::object(payload, &["iat", "nbf", "exp", "sid"])
    else {
        return;
    };
    assert_eq!(
        jwt::text(sid).ok().map(|text| text.map(|text| text.bytes().collect())),
        match node.get("sid") {
            None => Some(None),
            Some(value) => value.as_str().map(|text| Some(text.as_bytes().to_vec())),
        }
    );
    if let Some(text) = node.string("sid") {
        assert!(jwt::expect(sid, text).is_ok() && jwt::expect(sid, &format!("{text}x")).is_err());
    }
    let date = |name| node.get(name).map(Node::integer);
    let dates = [date("iat"), date("nbf"), date("exp")];
    for (claim, date) in [iat, nbf, exp].into_iter().zip(dates) {
        let ours = jwt::date(claim);
        match date {
            None => assert_eq!(ours, Ok(None), "absent"),
            Some(None) => assert_eq!(ours, Err(JoseError::Malformed), "malformed"),
            Some(Some(date)) => assert_eq!(ours, Ok(Some(Timestamp::from_unix_secs(date))), "valid"),
        }
    }
    let [Some(Some(iat_secs)), Some(Some(nbf_secs)), Some(Some(exp_secs))] = dates else {
        return assert!(Times::read([iat, nbf, exp]).is_err());
    };
    let times = Times::read([iat, nbf, exp]).unwrap();
    let begins = iat_secs.max(nbf_secs);
    for now in [
        0,
        exp_secs.saturating_sub(1),
        exp_secs,
        begins,
        begins.saturating_sub(60),
        begins.saturating_sub(61),
    ] {
        let expected = if now >= exp_secs {
            Err(JoseError::Expired)
        } else if now + 60 < begins {
            Err(JoseError::NotYetValid)
        } else {
            Ok(())
        };
        assert_eq!(times.check(Timestamp::from_unix_secs(now), 60), expected, "{now}");
    }
}
