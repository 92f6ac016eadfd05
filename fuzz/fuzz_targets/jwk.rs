//! JSON Web Keys: read if and only if a second reading finds a key of P-256 for the use that is asked for, on its curve; written
//! as they are read; with the thumbprint that the hash of their canonical text is.
//!
//! Input: the use, then the key.
#![no_main]

use base64ct::{Base64UrlUnpadded, Encoding};
use dynamic_key::crypto::software::Software;
use dynamic_key::jose::jwk::{Jwk, Use, keys};
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::oracle;
use dynamic_key_fuzz::seeded::Seeded;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let usage = input.choose(&[Use::Signature, Use::Encryption]);
    let text = input.rest();
    let mut provider = Software::new(Seeded(1));
    let ours = Jwk::parse(&mut provider, text, usage).ok();
    // A set of it, which asks for less.
    let set = [br#"{"keys":["#, text, b"]}"].concat();
    let of_set = keys(&set).ok().map(|keys| keys.count());
    match parse(text) {
        Ok(node) => {
            let point = (text.len() <= Jwk::MAX_LEN).then(|| expected(&node, usage)).flatten();
            assert_eq!(ours.map(|key| key.point().to_vec()), point);
            if point.is_some() {
                assert_eq!(of_set, Some(1));
            }
        }
        Err(NoJson::Malformed) => assert!(ours.is_none()),
        Err(NoJson::NumberTooLarge) => {}
    }
    let Some(key) = ours else { return };
    assert_eq!(key.usage(), usage);
    let mut out = [0; Jwk::LEN];
    assert_eq!(key.write(&mut out), Ok(Jwk::LEN));
    assert_eq!(Jwk::parse(&mut provider, &out, usage), Ok(key));
    let (x, y) = key.point()[1..].split_at(32);
    let encoded = Base64UrlUnpadded::encode_string;
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encoded(x), encoded(y));
    assert_eq!(key.kid().as_str(), encoded(&Sha256::digest(canonical)));
});

fn expected(key: &Node, usage: Use) -> Option<Vec<u8>> {
    let (alg, operations): (_, &[&str]) = match usage {
        Use::Signature => ("ES256", &["verify"]),
        Use::Encryption => ("ECDH-ES+A256KW", &["deriveKey", "deriveBits"]),
    };
    let point = oracle::p256_jwk(key).filter(|_| key.depth() <= 64)?;
    let fits = key.string("use")? == usage.name()
        && key.get("alg").is_none_or(|named| named.as_str() == Some(alg))
        && key.get("key_ops").is_none_or(|named| {
            named.elements().is_some_and(|named| {
                named.iter().all(|named| named.as_str().is_some_and(|named| operations.contains(&named)))
            })
        });
    (fits && p256::PublicKey::from_sec1_bytes(&point).is_ok()).then_some(point)
}
