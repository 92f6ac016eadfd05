//! Tokens and their verdicts (§2.8).

use crate::vector::{Members, identity_of, key_of, load};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::Pins;
use dynamic_key::gateway::TokenKey;
use dynamic_key::gateway::token::{self, Expected, TokenClaims};
use dynamic_key::jose::{SigningKey, VerifyingKey};
use serde_json::Value;

#[test]
fn verdicts() {
    let vectors = load("tokens.json");
    let secret = vectors.list("hs256")[0].hex("secret");
    let TokenKey::Hs256(hs256) = TokenKey::hs256(&secret).unwrap() else { panic!("asked for HS256") };
    let pins = [key_of(&vectors["es256"]["jwk"])];
    let kid = pins[0].kid();
    let expected = &vectors["expected"];
    let expected = Expected {
        session_id: expected.text("sid"),
        client_id: expected.text("cid"),
        device_id: expected.text("did"),
        audience: expected.text("aud"),
    };
    assert_eq!(vectors.number("leeway"), token::LEEWAY);
    let mut valid = 0;
    for case in vectors.list("tokens") {
        let mut verifier = Pins(&pins);
        let key = match case.text("alg") {
            "HS256" => VerifyingKey::Hs256(&hs256),
            "ES256" => VerifyingKey::Es256(&mut verifier, &kid),
            other => panic!("{other}"),
        };
        let now = Timestamp::from_unix_secs(case.number("now"));
        let verdict = token::verify(key, case.text("token"), &expected, now);
        assert_eq!(verdict.is_ok(), case["valid"] == true, "{case}");
        valid += usize::from(verdict.is_ok());
    }
    assert_eq!((valid, vectors.list("tokens").len()), (20, 323));
}

/// Both implementations write the same bytes.
#[test]
fn issued() {
    let vectors = load("tokens.json");
    let (expected, issued) = (&vectors["expected"], &vectors["issued"]);
    let claims = TokenClaims {
        session_id: expected.text("sid"),
        client_id: expected.text("cid"),
        device_id: expected.text("did"),
        audience: expected.text("aud"),
        issued_at: Timestamp::from_unix_secs(issued.number("iat")),
        expires: Timestamp::from_unix_secs(issued.number("exp")),
    };
    let TokenKey::Hs256(hs256) = TokenKey::hs256(&vectors.list("hs256")[0].hex("secret")).unwrap() else {
        panic!("asked for HS256")
    };
    let mut identity = identity_of(&vectors["es256"]);
    for (alg, key) in [("HS256", SigningKey::Hs256(&hs256)), ("ES256", SigningKey::Es256(&mut identity))] {
        let of = |case: &&Value| case.text("name") == "issued" && case.text("alg") == alg;
        let case = vectors.list("tokens").iter().find(of).unwrap();
        let mut out = vec![0; token::issued_len(key.algorithm(), &claims)];
        assert_eq!(token::issue(key, &claims, &mut out), Ok(case.text("token")));
    }
}
