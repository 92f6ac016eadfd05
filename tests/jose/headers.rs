//! What a header may say and what it may not: the algorithms are the caller's, some members are refused, and a member is
//! absent, valid or malformed.

use crate::support::{ADDRESS, Party, encrypted, error, party, provider, signed};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Recipient;
use dynamic_key::jose::JoseError;
use dynamic_key::jose::jwe::Encrypted;
use dynamic_key::jose::jws::Unverified;

/// Each of them refused in any header, whatever it says.
const REFUSED: [&str; 13] = [
    r#""crit":["exp"]"#,
    r#""crit":[]"#,
    r#""crit":null"#,
    r#""cr\u0069t":["b64"]"#,
    r#""zip":"DEF""#,
    r#""b64":false"#,
    r#""b64":true"#,
    r#""jwk":{}"#,
    r#""jku":"https://example.com""#,
    r#""x5u":"""#,
    r#""x5c":[]"#,
    r#""x5t":"""#,
    r#""x5t#S256":"""#,
];

/// `iat`, `kid` and `tgt`.
type Read = (Option<Timestamp>, Option<String>, Option<String>);

fn read(header: &str) -> Result<Read, JoseError> {
    let token = signed(&mut party("", 1).signer, header, b"{}");
    let mut scratch = [0; 1024];
    let unverified = Unverified::parse(&token, &mut scratch)?;
    let text = |text: dynamic_key::codec::json::Str<'_>| String::from_utf8(text.bytes().collect()).unwrap();
    Ok((unverified.issued_at(), unverified.kid().map(text), unverified.target().map(text)))
}

#[test]
fn of_a_signed_message() {
    let some = |text: &str| Some(text.to_string());
    assert_eq!(
        read(r#" { "tgt" : "\u0061", "kid":"a\/b","x":{"crit":[]},"\u0061lg":"ES\u003256", "iat":5 } "#),
        Ok((Some(Timestamp::from_unix_secs(5)), some("a/b"), some("a")))
    );
    assert_eq!(read(r#"{"alg":"ES256"}"#), Ok((None, None, None)));
    for alg in
        ["none", "None", "", "es256", "ES384", "ES512", "HS256", "RS256", "EdDSA", "ES256 ", "ES256K", "ES25"]
    {
        assert_eq!(read(&format!(r#"{{"alg":"{alg}","kid":"k"}}"#)), Err(JoseError::Header), "{alg}");
    }
    for member in REFUSED {
        assert_eq!(read(&format!(r#"{{"alg":"ES256",{member}}}"#)), Err(JoseError::Header), "{member}");
        assert_eq!(read(&format!(r#"{{{member},"alg":"ES256"}}"#)), Err(JoseError::Header), "{member}");
    }
    for header in ["{}", r#"{"ALG":"ES256"}"#, r#"{"kid":"k"}"#] {
        assert_eq!(read(header), Err(JoseError::Header), "{header}");
    }
    for members in [
        r#""alg":null"#,
        r#""alg":["ES256"]"#,
        r#""alg":"ES256","alg":"ES256""#,
        r#""alg":"none","\u0061lg":"ES256""#,
        r#""alg":"ES256","x":1,"x":1"#,
        r#""alg":"ES256","kid":"a","kid":"b""#,
        r#""alg":"ES256","kid":1"#,
        r#""alg":"ES256","kid":null"#,
        r#""alg":"ES256","tgt":null"#,
        r#""alg":"ES256","tgt":["a"]"#,
        r#""alg":"ES256","iat":"1""#,
        r#""alg":"ES256","iat":null"#,
        r#""alg":"ES256","iat":1.5"#,
        r#""alg":"ES256","iat":-1"#,
        r#""alg":"ES256","iat":1e3"#,
        r#""alg":"ES256","iat":9007199254740992"#,
        r#""alg":"ES256","#,
        r#""alg":"ES256" "kid":"a""#,
    ] {
        assert_eq!(read(&format!("{{{members}}}")), Err(JoseError::Malformed), "{members}");
    }
    for header in ["", "[]", "null", r#""ES256""#, r#"{"alg":"ES256"}{}"#, "\u{feff}{\"alg\":\"ES256\"}"] {
        assert_eq!(read(header), Err(JoseError::Malformed), "{header}");
    }
}

#[test]
fn of_a_signed_message_that_is_too_long_or_too_deep() {
    let members: Vec<String> = (0..64).map(|at| format!(r#""{at}":0"#)).collect();
    assert_eq!(read(&format!(r#"{{"alg":"ES256",{}}}"#, members.join(","))), Err(JoseError::Malformed));
    assert!(read(&format!(r#"{{"alg":"ES256",{}}}"#, members[1..].join(","))).is_ok());
    let deep = |depth: usize| format!(r#"{{"alg":"ES256","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(read(&deep(15)).is_ok());
    assert_eq!(read(&deep(16)), Err(JoseError::Malformed));
}

/// The compact form and no other; base64url in its canonical form and no other.
#[test]
fn of_a_signed_message_in_another_form() {
    let token = signed(&mut party("", 1).signer, r#"{"alg":"ES256"}"#, b"{}");
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    let mut scratch = [0; 256];
    assert!(Unverified::parse(&token, &mut scratch).is_ok());
    for text in [
        "",
        ".",
        "..",
        "...",
        input,
        &format!("{input}."),
        &format!(".{payload}.{signature}"),
        &format!("{token}."),
        &format!(".{token}"),
        &format!("{token}.AA"),
        &format!("{token}="),
        &format!("{header}=.{payload}.{signature}"),
        &format!(" {token}"),
        &format!("{token}\n"),
        &format!("{input}.{}", &signature[1..]),
        &format!("{input}.{signature}A"),
        &format!("{input}.{signature}AA"),
        &format!("{input}.{signature}{signature}"),
        &format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#),
    ] {
        assert_eq!(Unverified::parse(text, &mut scratch).map(drop), Err(JoseError::Malformed), "{text}");
    }
}

fn opened(to: &mut Party, header: &str, parties: [&[u8]; 2]) -> Result<Vec<u8>, JoseError> {
    let mut message = encrypted(to, header, parties, b"text");
    let encrypted = Encrypted::parse(&mut message)?;
    let z = to.recipient.agree(&encrypted.epk()?)?;
    Ok(encrypted.open(&mut provider(), z)?.to_vec())
}

#[test]
fn of_an_encrypted_message() {
    let mut bob = party(ADDRESS, 2);
    let mut open = |members: &str| opened(&mut bob, &format!("{{{members}}}"), [b"", b""]);
    const GOOD: &str = r#""alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":EPK"#;
    assert_eq!(open(GOOD), Ok(b"text".to_vec()));
    for more in [r#""kid":"any""#, r#""cty":"JWS","typ":"JOSE""#, r#""x":{"zip":1,"crit":[]}"#, r#""p2c":1"#]
    {
        assert_eq!(open(&format!("{GOOD},{more}")), Ok(b"text".to_vec()), "{more}");
    }
    assert_eq!(
        open(r#" "e\u0070k" : EPK , "enc":"A256\u0047CM","alg":"ECDH-ES\u002bA256KW" "#),
        Ok(b"text".to_vec())
    );
    for member in REFUSED {
        assert_eq!(open(&format!("{GOOD},{member}")), Err(JoseError::Header), "{member}");
        assert_eq!(open(&format!("{member},{GOOD}")), Err(JoseError::Header), "{member}");
    }
    for alg in ["ECDH-ES", "ECDH-ES+A128KW", "A256KW", "dir", "RSA-OAEP", "PBES2-HS256+A128KW", "none", ""] {
        let other = GOOD.replace("ECDH-ES+A256KW", alg);
        assert_eq!(open(&other), Err(JoseError::Header), "{alg}");
    }
    for enc in ["A128GCM", "A192GCM", "A128CBC-HS256", "A256CBC-HS512", "a256gcm", "A256GCMKW", ""] {
        assert_eq!(open(&GOOD.replace("A256GCM", enc)), Err(JoseError::Header), "{enc}");
    }
    for members in [
        r#""enc":"A256GCM","epk":EPK"#,
        r#""alg":"ECDH-ES+A256KW","epk":EPK"#,
        r#""alg":"ECDH-ES+A256KW","enc":"A256GCM""#,
    ] {
        assert_eq!(open(members), Err(JoseError::Header), "{members}");
    }
    for members in [
        format!("{GOOD},{}", r#""alg":"ECDH-ES+A256KW""#),
        format!("{GOOD},{}", r#""epk":EPK"#),
        format!("{GOOD},{}", r#""kid":"a","kid":"b""#),
        format!("{GOOD},{}", r#""apu":1"#),
        format!("{GOOD},{}", r#""apv":null"#),
        format!("{GOOD},{}", r#""apu":"A""#),
        format!("{GOOD},{}", r#""apu":"AB=""#),
        format!("{GOOD},"),
        GOOD.replace("EPK", "null"),
        GOOD.replace("EPK", r#""EPK""#),
        GOOD.replace("\"A256GCM\"", "null"),
    ] {
        assert_eq!(open(&members), Err(JoseError::Malformed), "{members}");
    }
}

/// What is in `epk` decides what is agreed on: only a P-256 key on its curve is agreed with.
#[test]
fn of_a_message_with_a_wrong_ephemeral_key() {
    let mut bob = party(ADDRESS, 2);
    let mut open = |epk: &str| {
        let header = format!(r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{epk}}}"#);
        opened(&mut bob, &header, [b"", b""]).map(drop)
    };
    let (x, y) =
        ("gTli65eTQ7z-Bh147ff8K3m7k2UiDiG2LpYkWAaFJCc", "cLAnjKa4bzjD7DJVPwa9EPrRzMG7rOD7Vsi9Y9uQo5k");
    let on = |x: &str, y: &str| format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
    let (zero, one) = ("A".repeat(43), format!("{}E", "A".repeat(42)));
    let field = "_____wAAAAEAAAAAAAAAAAAAAAD_______________8";
    for (epk, why) in [
        (on(x, y), "no point of the curve"),
        (on(&zero, &zero), "zero"),
        (on(&zero, &one), "no point"),
        (on(field, &zero), "not reduced"),
        (on(x, &y[1..]), "short"),
        (on(&format!("AAAA{x}"), y), "long"),
        (on("", ""), "empty"),
        (on(x, y).replace("P-256", "P-384"), "another curve"),
        (on(x, y).replace("P-256", "secp256k1"), "another curve"),
        (on(x, y).replace("EC", "OKP"), "another type"),
        (on(x, y).replace(r#""kty":"EC","#, ""), "no type"),
        (on(x, y).replace(r#""crv":"P-256","#, ""), "no curve"),
        (on(x, y).replace(r#","y""#, r#","z""#), "compressed"),
        ("{}".into(), "empty"),
        (r#"{"kty":"oct","k":"AA"}"#.into(), "octets"),
        (r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#.into(), "X25519"),
        (on(x, y).replace('}', r#","d":"AA"}"#), "private"),
    ] {
        assert_eq!(open(&epk), Err(JoseError::Key), "{why}");
    }
    for epk in ["[]", "1", &on(x, y).replace('}', r#","x":""}"#), &on(x, y).replace("\"EC\"", "1")] {
        assert_eq!(open(epk), Err(JoseError::Malformed), "{epk}");
    }
}

/// Both parties enter the derivation as they are decoded.
#[test]
fn of_a_message_that_names_its_parties() {
    let mut bob = party(ADDRESS, 2);
    let header = |more: &str| format!(r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":EPK{more}}}"#);
    let mut open = |more: &str, parties| opened(&mut bob, &header(more), parties).map(drop);
    assert_eq!(open(r#","apu":"QWxpY2U","apv":"Qm9i""#, [b"Alice", b"Bob"]), Ok(()));
    assert_eq!(open(r#","apv":"Qm\u0039i""#, [b"", b"Bob"]), Ok(()));
    assert_eq!(open(r#","apu":"","apv":"""#, [b"", b""]), Ok(()));
    for parties in [[&b""[..], &b""[..]], [b"Bob", b"Alice"], [b"AliceB", b"ob"]] {
        assert_eq!(open(r#","apu":"QWxpY2U","apv":"Qm9i""#, parties), Err(JoseError::Authentication));
    }
    let long = crate::support::url(&[7; 128]);
    assert_eq!(open(&format!(r#","apu":"{long}""#), [&[7; 128], b""]), Ok(()));
    let longer = crate::support::url(&[7; 129]);
    assert_eq!(open(&format!(r#","apu":"{longer}""#), [&[7; 129], b""]), Err(JoseError::Malformed));
}

#[test]
fn of_an_encrypted_message_in_another_form() {
    let mut bob = party(ADDRESS, 2);
    let header = r#"{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":EPK}"#;
    let message = String::from_utf8(encrypted(&bob, header, [b"", b""], b"text")).unwrap();
    let mut open = |text: &str| {
        let mut text = text.as_bytes().to_vec();
        let encrypted = Encrypted::parse(&mut text)?;
        let z = bob.recipient.agree(&encrypted.epk()?)?;
        encrypted.open(&mut provider(), z).map(drop)
    };
    assert_eq!(open(&message), Ok(()));
    let parts: Vec<&str> = message.split('.').collect();
    for at in 0..5 {
        let with = |part: &str| {
            let mut parts = parts.clone();
            parts[at] = part;
            parts.join(".")
        };
        let (longer, shorter) = (format!("{}A", parts[at]), &parts[at][1..]);
        for other in [
            "",
            " ",
            "=",
            "é",
            &longer,
            &format!("{longer}A"),
            &format!("{longer}AAA"),
            shorter,
            parts[(at + 1) % 5],
        ] {
            let refused = open(&with(other)).unwrap_err();
            // What is well-formed there is not authentic.
            let expected = if at == 3 { JoseError::Authentication } else { JoseError::Malformed };
            assert!(refused == expected || refused == JoseError::Malformed, "{at} {other} {refused:?}");
        }
        let mut missing = parts.clone();
        missing.remove(at);
        assert_eq!(open(&missing.join(".")), Err(JoseError::Malformed));
    }
    for text in [
        "",
        "....",
        &format!("{message}."),
        &format!(".{message}"),
        &format!("{message}.AA"),
        &format!("{message}\n"),
    ] {
        assert_eq!(open(text), Err(JoseError::Malformed), "{text}");
    }
    assert_eq!(error(open(r#"{"protected":"","ciphertext":""}"#)), JoseError::Malformed);
}
