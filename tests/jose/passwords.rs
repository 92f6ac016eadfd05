//! Messages under a password.

use crate::support::{error, provider, under_password, unurl, url};
use dynamic_key::crypto::software::Software;
use dynamic_key::crypto::{CryptoError, KeyWrap};
use dynamic_key::jose::JoseError;
use dynamic_key::jose::jwe::pbes2::{self, Encrypted, Iterations, Parameters};

const PASSWORD: &[u8] = b"Thus from my lips, by yours, my sin is purged.";
const SALT: [u8; 16] = [7; 16];

#[test]
fn what_is_sealed_is_opened_and_room_is_exact() {
    let mut provider = provider();
    for (length, content_type) in [(0, None), (1, Some("jwk+json")), (500, Some("a\"b"))] {
        let parameters = Parameters::draw(&mut provider, Iterations::MIN).unwrap();
        let needed = pbes2::sealed_len(&parameters, content_type, length);
        let plaintext: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let mut buffer = plaintext.clone();
        buffer.resize(needed + 1, 0x55);
        let before = buffer.clone();
        let kek = || parameters.derive(&mut crate::support::provider(), PASSWORD).unwrap();
        let short = &mut buffer[..needed - 1];
        let refused = pbes2::seal(&mut provider, kek(), &parameters, content_type, short, length);
        assert_eq!(refused, Err(JoseError::BufferTooSmall { needed }));
        let refused = pbes2::encrypt(&mut provider, PASSWORD, Iterations::MIN, content_type, short, length);
        assert_eq!(refused, Err(JoseError::BufferTooSmall { needed }));
        assert_eq!(buffer, before, "nothing has been written");
        let sealed =
            pbes2::seal(&mut provider, kek(), &parameters, content_type, &mut buffer, length).unwrap();
        assert_eq!(sealed.len(), needed);
        let mut sealed = sealed.as_bytes().to_vec();
        let encrypted = Encrypted::parse(&mut sealed, Iterations::MIN).unwrap();
        let named = encrypted.content_type().unwrap();
        assert_eq!(named.map(|named| named.is(content_type.unwrap())), content_type.map(|_| true));
        let kek = encrypted.parameters().derive(&mut provider, PASSWORD).unwrap();
        assert_eq!(encrypted.open(&mut provider, kek).unwrap(), plaintext);

        let (message, behind) = buffer.split_at_mut(needed);
        assert_eq!(behind, [0x55]);
        let mut copy = message.to_vec();
        let wrong = pbes2::decrypt(&mut provider, &PASSWORD[1..], Iterations::MIN, &mut copy);
        assert_eq!(error(wrong), JoseError::Authentication);
        let opened = pbes2::decrypt(&mut provider, PASSWORD, Iterations::MIN, message).unwrap();
        assert_eq!(opened, plaintext);
    }
}

#[test]
fn the_header_has_its_members_in_their_order() {
    let mut buffer = [0; 512];
    let iterations = Iterations::new(10_001).unwrap();
    let message =
        pbes2::encrypt(&mut provider(), PASSWORD, iterations, Some("jwk+json"), &mut buffer, 2).unwrap();
    let header = String::from_utf8(unurl(message.split('.').next().unwrap())).unwrap();
    let json: serde_json::Value = serde_json::from_str(&header).unwrap();
    let salt = json["p2s"].as_str().unwrap();
    assert_eq!(unurl(salt).len(), 16);
    assert_eq!(
        header,
        format!(
            r#"{{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","cty":"jwk+json","p2s":"{salt}","p2c":10001}}"#
        )
    );
}

/// Counts what it is asked to do, and does nothing: PBKDF2 must not begin before its count has been judged.
#[test]
fn the_count_is_bounded_before_any_work() {
    let parse = |count: &str, salt: &[u8], most: u32| {
        let header =
            format!(r#"{{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2s":"{}","p2c":{count}}}"#, url(salt));
        let mut message =
            format!("{}.{}.{}.AA.{}", url(header.as_bytes()), url(&[0; 40]), url(&[0; 12]), url(&[0; 16]))
                .into_bytes();
        let most = Iterations::new(most).unwrap();
        Encrypted::parse(&mut message, most).map(|encrypted| encrypted.parameters().clone()).map(drop)
    };
    let default = Iterations::default().get();
    assert_eq!((Iterations::MIN.get(), default, Iterations::MAX.get()), (10_000, 600_000, 2_000_000));
    for (count, most, expected) in [
        ("9999", default, Err(JoseError::Header)),
        ("10000", default, Ok(())),
        ("600000", default, Ok(())),
        ("600001", default, Err(JoseError::Header)),
        ("600001", 600_001, Ok(())),
        ("10001", 10_000, Err(JoseError::Header)),
        ("2000000", 2_000_000, Ok(())),
        ("2000001", 2_000_000, Err(JoseError::Header)),
        ("4294967296", 2_000_000, Err(JoseError::Header)),
        ("4294977296", 2_000_000, Err(JoseError::Header)),
        ("9007199254740991", 2_000_000, Err(JoseError::Header)),
        ("9007199254740992", 2_000_000, Err(JoseError::Malformed)),
        ("0", default, Err(JoseError::Header)),
        ("-10000", default, Err(JoseError::Malformed)),
        ("10000.0", default, Err(JoseError::Malformed)),
        ("1e5", default, Err(JoseError::Malformed)),
        ("\"10000\"", default, Err(JoseError::Malformed)),
        ("null", default, Err(JoseError::Malformed)),
    ] {
        assert_eq!(parse(count, &SALT, most), expected, "{count} {most}");
    }
    for length in [0, 1, 8, 15, 16, 17, 63, 64, 65, 66, 300] {
        let expected = if (16..=64).contains(&length) { Ok(()) } else { Err(JoseError::Header) };
        assert_eq!(parse("10000", &vec![7; length], default), expected, "{length}");
    }
    for count in [0, 1, 9_999, 2_000_001, u32::MAX] {
        assert_eq!(Iterations::new(count), None);
    }
}

/// Salts of any permitted length, headers as others write them, and what is refused in them.
#[test]
fn headers_of_others() {
    let open = |header: &str, salt: &[u8]| {
        let mut message = under_password(&header.replace("SALT", &url(salt)), PASSWORD, salt, 10_000);
        pbes2::decrypt(&mut provider(), PASSWORD, Iterations::default(), &mut message)
            .map(|text| text.to_vec())
    };
    const GOOD: &str = r#""alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2s":"SALT","p2c":10000"#;
    let whole = |members: &str| format!("{{{members}}}");
    for salt in [&[1; 16][..], &[2; 33], &[3; 64]] {
        assert_eq!(open(&whole(GOOD), salt), Ok(b"text".to_vec()));
    }
    assert_eq!(open(&whole(&format!(r#"{GOOD},"kid":"k","x":[]"#)), &SALT), Ok(b"text".to_vec()));
    for (was, becomes) in [
        ("PBES2-HS256+A128KW", "PBES2-HS384+A192KW"),
        ("PBES2-HS256+A128KW", "PBES2-HS512+A256KW"),
        ("PBES2-HS256+A128KW", "ECDH-ES+A256KW"),
        ("PBES2-HS256+A128KW", "A128KW"),
        ("A256GCM", "A128CBC-HS256"),
        ("A256GCM", "A128GCM"),
        (r#","p2c":10000"#, ""),
        (r#""p2s":"SALT","#, ""),
        (r#""p2s":"#, r#""zip":"DEF","p2s":"#),
        (r#""p2s":"#, r#""crit":["p2s"],"p2s":"#),
    ] {
        assert_eq!(open(&whole(&GOOD.replace(was, becomes)), &SALT), Err(JoseError::Header), "{becomes}");
    }
    for (was, becomes) in [
        (r#""p2c""#, r#""p2c":10000,"p2c""#),
        (r#""p2s""#, r#""p2s":"SALT","p2s""#),
        (r#""SALT""#, r#""SALT=""#),
        (r#""SALT""#, "null"),
        (r#""SALT""#, r#"["SALT"]"#),
    ] {
        assert_eq!(open(&whole(&GOOD.replace(was, becomes)), &SALT), Err(JoseError::Malformed), "{becomes}");
    }
    // RFC 7517 appendix C: too few iterations, and another content encryption.
    let rfc = r#"{"alg":"PBES2-HS256+A128KW","p2s":"2WCTcJZ1Rvd_CJuJripQ1w","p2c":4096,"enc":"A128CBC-HS256","cty":"jwk+json"}"#;
    assert_eq!(open(rfc, &SALT), Err(JoseError::Header));
    assert_eq!(open(&rfc.replace("A128CBC-HS256", "A256GCM"), &SALT), Err(JoseError::Header));
}

#[test]
fn an_empty_password_and_a_silent_generator() {
    let mut buffer = [0; 512];
    let mut encrypt = |password: &[u8]| {
        pbes2::encrypt(&mut provider(), password, Iterations::MIN, None, &mut buffer, 1).map(drop)
    };
    assert_eq!(encrypt(b""), Err(JoseError::WeakKey));
    assert_eq!(encrypt(b"a"), Ok(()));
    struct Silent;
    impl rand_core::TryRng for Silent {
        type Error = core::fmt::Error;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(core::fmt::Error)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Err(core::fmt::Error)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Err(core::fmt::Error)
        }
    }
    impl rand_core::TryCryptoRng for Silent {}
    fn draw(provider: &mut impl KeyWrap) -> JoseError {
        error(Parameters::draw(provider, Iterations::MIN).map(drop))
    }
    assert_eq!(draw(&mut Software::new(Silent)), JoseError::Crypto(CryptoError::Random));
}
