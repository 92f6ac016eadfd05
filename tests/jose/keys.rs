//! JSON Web Keys.

use crate::support::{provider, unurl};
use dynamic_key::codec::BufferTooSmall;
use dynamic_key::crypto::KeyId;
use dynamic_key::jose::JoseError;
use dynamic_key::jose::jwk::{Jwk, Use};

const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";

fn parse(text: &str, usage: Use) -> Result<Jwk, JoseError> {
    Jwk::parse(&mut provider(), text.as_bytes(), usage)
}

fn jwk(members: &str) -> String {
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"{members}}}"#)
}

/// RFC 7517 appendix A.1, its key of P-256; its RSA key is none of ours. The `kid` there is "1", and ours is computed.
#[test]
fn rfc_7517_a_1() {
    let text = jwk(r#","use":"enc","kid":"1""#);
    let key = parse(&text, Use::Encryption).unwrap();
    let point = [&[4][..], &unurl(X), &unurl(Y)].concat();
    assert_eq!((&key.point()[..], key.usage()), (&point[..], Use::Encryption));
    assert_eq!(key.public_key().unwrap().as_bytes(), point);
    assert_eq!(parse(&text, Use::Signature), Err(JoseError::Key));
    let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
    assert_eq!(parse(rsa, Use::Signature), Err(JoseError::Key));
}

/// RFC 7638 §3.1's rule: the hash over exactly `crv`, `kty`, `x` and `y` in this order. Its example is an RSA key, which is none of
/// ours, so that the rule is applied here to a key of RFC 7517 by another implementation of it.
#[test]
fn rfc_7638_3() {
    use sha2::{Digest, Sha256};
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{X}","y":"{Y}"}}"#);
    let hash = crate::support::url(&Sha256::digest(canonical.as_bytes()));
    let key = parse(&jwk(r#","use":"sig","kid":"another""#), Use::Signature).unwrap();
    assert_eq!(key.kid(), KeyId::parse(&hash).unwrap());
    assert_eq!(key.pinned().unwrap().kid(), key.kid());
    assert_eq!(parse(&jwk(r#","use":"enc""#), Use::Encryption).unwrap().pinned(), Err(JoseError::Key));
}

#[test]
fn what_is_written_is_read_and_room_is_exact() {
    for usage in [Use::Signature, Use::Encryption] {
        let key = parse(&jwk(&format!(r#","use":"{}""#, usage.name())), usage).unwrap();
        let mut out = [0; Jwk::LEN];
        for room in 0..Jwk::LEN {
            assert_eq!(key.write(&mut out[..room]), Err(BufferTooSmall { needed: Jwk::LEN }));
        }
        assert_eq!(key.write(&mut out), Ok(Jwk::LEN));
        let text = core::str::from_utf8(&out).unwrap();
        let (name, kid) = (usage.name(), key.kid());
        assert_eq!(
            text,
            format!(r#"{{"use":"{name}","kty":"EC","kid":"{kid}","crv":"P-256","x":"{X}","y":"{Y}"}}"#)
        );
        assert_eq!(parse(text, usage), Ok(key));
    }
}

#[test]
fn the_use_is_enforced() {
    for (members, signature, encryption) in [
        ("", false, false),
        (r#","use":"sig""#, true, false),
        (r#","use":"enc""#, false, true),
        (r#","use":"SIG""#, false, false),
        (r#","use":"""#, false, false),
        (r#","use":"sig","alg":"ES256""#, true, false),
        (r#","use":"sig","alg":"ES384""#, false, false),
        (r#","use":"sig","alg":"ECDH-ES+A256KW""#, false, false),
        (r#","use":"enc","alg":"ECDH-ES+A256KW""#, false, true),
        (r#","use":"enc","alg":"ECDH-ES""#, false, false),
        (r#","use":"enc","alg":"ES256""#, false, false),
        (r#","use":"sig","key_ops":["verify"]"#, true, false),
        (r#","use":"sig","key_ops":["verify","sign"]"#, false, false),
        (r#","use":"sig","key_ops":["deriveKey"]"#, false, false),
        (r#","use":"sig","key_ops":[]"#, true, false),
        (r#","use":"enc","key_ops":["deriveBits","deriveKey"]"#, false, true),
        (r#","use":"enc","key_ops":["encrypt"]"#, false, false),
        (r#","key_ops":["verify"]"#, false, false),
        (r#","use":"sig","other":{"use":"enc"},"kid":7"#, true, false),
    ] {
        let text = jwk(members);
        for (usage, fits) in [(Use::Signature, signature), (Use::Encryption, encryption)] {
            let parsed = parse(&text, usage);
            assert_eq!(
                parsed.map(|key| key.usage()),
                if fits { Ok(usage) } else { Err(JoseError::Key) },
                "{members}"
            );
        }
    }
}

#[test]
fn everything_else_is_refused() {
    let good = jwk(r#","use":"sig""#);
    assert!(parse(&good, Use::Signature).is_ok());
    for (was, becomes) in [
        (r#""EC""#, r#""RSA""#),
        (r#""EC""#, r#""ec""#),
        (r#""P-256""#, r#""P-384""#),
        (r#""P-256""#, r#""secp256k1""#),
        (r#""kty":"EC","#, ""),
        (r#""crv":"P-256","#, ""),
        (r#""x":"M"#, r#""x":"AAAAM"#),
        (r#""x":"M"#, r#""x":""#),
        (r#""x":"M"#, r#""x":"N"#),
        (r#""y":"4"#, r#""y":"5"#),
        (r#""y":"4"#, r#""y":"=4"#),
        (r#""y":"#, r#""z":"#),
        ("IFyM", "IFyN"),
        (r#""use""#, r#""d":"AA","use""#),
        (r#""use""#, r#""d":null,"use""#),
    ] {
        assert_eq!(
            parse(&good.replacen(was, becomes, 1), Use::Signature),
            Err(JoseError::Key),
            "{was} {becomes}"
        );
    }
    for (was, becomes) in [
        (r#""EC""#, "1"),
        (r#""sig""#, "null"),
        (r#""sig""#, r#"["sig"]"#),
        (r#""use""#, r#""x":"","use""#),
        (r#""use""#, r#""kty":"EC","use""#),
        (r#""use""#, r#""\u0075se":"enc","use""#),
        (r#""use""#, r#""alg":1,"use""#),
        (r#""use""#, r#""key_ops":"verify","use""#),
        (r#""use""#, r#""key_ops":[1],"use""#),
        ("}", "},"),
        ("}", ""),
        ("{", "[{"),
    ] {
        let text = good.replacen(was, becomes, 1);
        assert_eq!(parse(&text, Use::Signature), Err(JoseError::Malformed), "{was} {becomes}");
    }
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    assert!(parse(&padded(Jwk::MAX_LEN), Use::Signature).is_ok());
    assert_eq!(parse(&padded(Jwk::MAX_LEN + 1), Use::Signature), Err(JoseError::Malformed));
    for text in ["", "null", "[]", "\"\"", "{}x"] {
        assert_eq!(parse(text, Use::Signature), Err(JoseError::Malformed), "{text}");
    }
}

#[test]
fn every_flipped_bit_of_a_coordinate_leaves_the_curve() {
    let key = parse(&jwk(r#","use":"sig""#), Use::Signature).unwrap();
    for bit in 0..64 * 8 {
        let mut point = *key.point();
        point[1 + bit / 8] ^= 1 << (bit % 8);
        let mut out = [0; Jwk::LEN];
        Jwk::new(point, Use::Signature).unwrap().write(&mut out).unwrap();
        assert_eq!(Jwk::parse(&mut provider(), &out, Use::Signature), Err(JoseError::Key), "{bit}");
    }
    let mut point = *key.point();
    for first in (0..=u8::MAX).filter(|first| *first != 4) {
        point[0] = first;
        assert_eq!(Jwk::new(point, Use::Signature), Err(JoseError::Key));
    }
}
