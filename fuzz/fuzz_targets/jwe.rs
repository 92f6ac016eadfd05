//! Encrypted messages, to an identity and under a password: one whose everything but the header is right opens if and only if a
//! second reading finds nothing in the header that is not ours; what is sealed is opened.
//!
//! Input: the kind; then a message as it is, or its header (behind its length) and its plaintext. `EPK` in a header stands for a
//! key on the curve.
#![no_main]

use base64ct::{Base64UrlUnpadded, Encoding};
use core::num::NonZeroU32;
use dynamic_key::Secret;
use dynamic_key::crypto::software::{SharedSecret, Software};
use dynamic_key::crypto::{KeyId, KeyWrap, Provider};
use dynamic_key::jose::jwe::pbes2::{self, Iterations, Parameters};
use dynamic_key::jose::jwe::{self, Encrypted, Header};
use dynamic_key::jose::{JoseError, KeyRef};
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::seeded::Seeded;
use dynamic_key_fuzz::{oracle, provider};
use libfuzzer_sys::fuzz_target;

type Soft = Software<Seeded>;
type Kek = <Soft as KeyWrap>::Kek;

/// Nobody agreed on it: agreement has targets of its own.
fn z() -> SharedSecret {
    Secret::new([7; 32]).into()
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let kind = input.below(5);
    match kind {
        0 => opened(&mut input.rest().to_vec()),
        1 => under_password(&mut input.rest().to_vec()),
        2 => sealed(input.some(), input.rest()),
        _ => {
            let (header, plaintext) = (input.some(), input.rest());
            let header = String::from_utf8_lossy(header).replace("EPK", &epk());
            let node = match parse(header.as_bytes()) {
                Ok(node) => Some(node),
                Err(NoJson::Malformed) => None,
                Err(NoJson::NumberTooLarge) => return,
            };
            made(kind == 3, &header, node.as_ref(), plaintext);
        }
    }
});

fn epk() -> String {
    let key = provider::public_key(1);
    let (x, y) = key.as_bytes()[1..].split_at(32);
    let encoded = Base64UrlUnpadded::encode_string;
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, encoded(x), encoded(y))
}

/// A message with this header, and everything else right.
fn made(is_to_identity: bool, header: &str, node: Option<&Node>, plaintext: &[u8]) {
    let mut software = Software::new(Seeded(1));
    let parties = node.and_then(|node| Some([party(node, "apu")?, party(node, "apv")?]));
    let kek = if is_to_identity {
        let [apu, apv] = parties.clone().unwrap_or_default();
        let length = |bytes: &[u8]| (bytes.len() as u32).to_be_bytes();
        let alg = b"ECDH-ES+A256KW";
        let info: [&[u8]; 7] = [&length(alg), alg, &length(&apu), &apu, &length(&apv), &apv, &[0, 0, 1, 0]];
        software.concat_kdf(z(), &info).unwrap()
    } else {
        quick(&mut software)
    };
    let (key, wrapped) = software.wrap(kek).unwrap();
    let encoded = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let (header, mut text) = (encoded(header.as_bytes()), plaintext.to_vec());
    let tag = software.seal(&key, &[9; 12], header.as_bytes(), &mut text).unwrap();
    let message = [header, encoded(&wrapped), encoded(&[9; 12]), encoded(&text), encoded(&tag)].join(".");
    let mut message = message.into_bytes();

    let node = node.filter(|node| {
        let alg = if is_to_identity { "ECDH-ES+A256KW" } else { "PBES2-HS256+A128KW" };
        oracle::is_jose_header(node, alg) && node.string("enc") == Some("A256GCM")
    });
    let opened = if is_to_identity {
        let expected = node.and_then(|node| node.get("epk")).and_then(oracle::p256_jwk).is_some();
        let opened = Encrypted::parse(&mut message)
            .and_then(|message| message.open(&mut software, z()).map(Vec::from));
        assert_eq!(opened.is_ok(), expected && parties.is_some());
        opened
    } else {
        let expected = node.is_some_and(|node| {
            let salt = node.string("p2s").and_then(oracle::base64url);
            let count = node.get("p2c").and_then(Node::integer);
            salt.is_some_and(|salt| (16..=64).contains(&salt.len()))
                && count.is_some_and(|count| (10_000..=600_000).contains(&count))
        });
        let opened = pbes2::Encrypted::parse(&mut message, Iterations::DEFAULT).and_then(|message| {
            let kek = quick(&mut software);
            message.open(&mut software, kek).map(Vec::from)
        });
        assert_eq!(opened.is_ok(), expected);
        opened
    };
    if let Ok(opened) = opened {
        assert_eq!(opened, plaintext);
    }
}

/// A derivation of one iteration, whatever a header says.
fn quick(software: &mut Soft) -> Kek {
    software.pbkdf2(b"password", b"salt", NonZeroU32::MIN).unwrap()
}

/// What `apu` or `apv` decodes to; nothing where it is absent, `None` where it is none.
fn party(header: &Node, name: &str) -> Option<Vec<u8>> {
    match header.get(name) {
        None => Some(vec![]),
        Some(party) => oracle::base64url(party.as_str()?).filter(|party| party.len() <= 128),
    }
}

/// Nobody knows the key of a message that comes as it is.
fn opened(message: &mut [u8]) {
    if let Ok(message) = Encrypted::parse(message) {
        let _ = (message.kid().is_ok(), message.key().is_ok(), message.content_type().is_ok());
        assert!(message.epk().is_ok());
        assert!(message.open(&mut Software::new(Seeded(1)), z()).is_err());
    }
}

fn under_password(message: &mut [u8]) {
    if let Ok(message) = pbes2::Encrypted::parse(message, Iterations::MAX) {
        let _ = message.content_type().is_ok();
        let mut software = Software::new(Seeded(1));
        let kek = quick(&mut software);
        assert!(message.open(&mut software, kek).is_err());
    }
}

/// Sealed and opened, in both ways, in buffers of exactly the length needed.
fn sealed(content_type: &[u8], plaintext: &[u8]) {
    let content_type = core::str::from_utf8(content_type).ok();
    let mut software = Software::new(Seeded(2));
    let kid = KeyRef::new("a@b", KeyId::of_point(&[4; 65])).unwrap();
    let header = Header { kid: &kid, content_type };
    let needed = jwe::sealed_len(&header, plaintext.len());
    let epk = provider::public_key(1);
    let mut buffer = plaintext.to_vec();
    buffer.resize(needed, 0);
    let length = plaintext.len();
    let short = jwe::seal(&mut software, z(), &epk, &header, &mut buffer[..needed - 1], length).map(drop);
    assert_eq!(short, Err(JoseError::BufferTooSmall { needed }));
    assert_eq!(jwe::seal(&mut software, z(), &epk, &header, &mut buffer, length).unwrap().len(), needed);
    let message = Encrypted::parse(&mut buffer).unwrap();
    assert_eq!(message.key().as_ref(), Ok(&kid));
    let named = message.content_type().unwrap();
    assert_eq!(named.map(|named| named.is(content_type.unwrap())), content_type.map(|_| true));
    assert_eq!(message.open(&mut software, z()).unwrap(), plaintext);

    let parameters = Parameters::draw(&mut software, Iterations::MIN).unwrap();
    let needed = pbes2::sealed_len(&parameters, content_type, length);
    let mut buffer = plaintext.to_vec();
    buffer.resize(needed, 0);
    let kek = quick(&mut software);
    pbes2::seal(&mut software, kek, &parameters, content_type, &mut buffer, length).unwrap();
    let message = pbes2::Encrypted::parse(&mut buffer, Iterations::MIN).unwrap();
    let kek = quick(&mut software);
    assert_eq!(message.open(&mut software, kek).unwrap(), plaintext);
}
