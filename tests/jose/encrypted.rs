//! Messages encrypted to an identity.

use crate::support::{ADDRESS, Seeded, error, party, provider, unurl};
use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::software::{ExpandedKey, RawAes256Key, Software};
use dynamic_key::crypto::{CryptoError, KeyWrap, Recipient, Signer};
use dynamic_key::jose::jwe::{self, Encrypted, Header};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::{JoseError, KeyRef};

fn sealed(to: &crate::support::Party, content_type: Option<&str>, plaintext: &[u8]) -> Vec<u8> {
    let kid = to.reached_as();
    let header = Header { kid: &kid, content_type };
    let mut buffer = vec![0; jwe::sealed_len(&header, plaintext.len())];
    buffer[..plaintext.len()].copy_from_slice(plaintext);
    let length =
        jwe::encrypt(&mut provider(), &to.encryption_key(), &header, &mut buffer, plaintext.len()).unwrap();
    assert_eq!(length.len(), buffer.len());
    buffer
}

#[test]
fn what_is_sealed_is_opened_in_one_buffer_of_exactly_the_length_needed() {
    let mut bob = party(ADDRESS, 2);
    let (kid, key) = (bob.reached_as(), bob.encryption_key());
    for length in (0..200).chain([1024, 3000]) {
        let plaintext: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let content_type = [None, Some("JWS"), Some("a\"b")][length % 3];
        let header = Header { kid: &kid, content_type };
        let needed = jwe::sealed_len(&header, length);
        let mut buffer = plaintext.clone();
        buffer.resize(needed + 1, 0x55);
        let before = buffer.clone();
        let short = jwe::encrypt(&mut provider(), &key, &header, &mut buffer[..needed - 1], length);
        assert_eq!(short, Err(JoseError::BufferTooSmall { needed }));
        assert_eq!(buffer, before, "nothing has been written");
        let message = jwe::encrypt(&mut provider(), &key, &header, &mut buffer, length).unwrap();
        assert_eq!(message.len(), needed);
        let mut message = message.as_bytes().to_vec();
        assert_eq!(buffer[needed], 0x55);

        let encrypted = Encrypted::parse(&mut message).unwrap();
        assert_eq!(encrypted.key(), Ok(kid.clone()));
        let named = encrypted.content_type().unwrap();
        assert_eq!(named.map(|named| named.is(content_type.unwrap())), content_type.map(|_| true));
        let z = bob.recipient.agree(&encrypted.epk().unwrap()).unwrap();
        assert_eq!(encrypted.open(&mut provider(), z).unwrap(), plaintext);
        let opened = jwe::decrypt(&mut provider(), &mut bob.recipient, &mut buffer[..needed]).unwrap();
        assert_eq!(opened, plaintext);
    }
}

#[test]
fn the_header_has_its_members_in_their_order() {
    let bob = party(ADDRESS, 2);
    let message = String::from_utf8(sealed(&bob, Some("JWS"), b"")).unwrap();
    let segments: Vec<&str> = message.split('.').collect();
    let header = String::from_utf8(unurl(segments[0])).unwrap();
    let json: serde_json::Value = serde_json::from_str(&header).unwrap();
    let (x, y) = (json["epk"]["x"].as_str().unwrap(), json["epk"]["y"].as_str().unwrap());
    let kid = bob.reached_as();
    assert_eq!(
        header,
        format!(
            r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"{kid}","cty":"JWS","epk":{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}}}"#
        )
    );
    assert_eq!(segments.iter().skip(1).map(|text| unurl(text).len()).collect::<Vec<_>>(), [40, 12, 0, 16]);
}

/// Keys kept in any of the three ways, and in steps with a provider behind a reference.
#[test]
fn any_provider_opens() {
    fn opens(provider: &mut impl KeyWrap<SharedSecret = dynamic_key::crypto::software::SharedSecret>) {
        let mut bob = party(ADDRESS, 2);
        let mut message = sealed(&bob, None, b"text");
        assert_eq!(
            jwe::decrypt(&mut &mut *provider, &mut &mut bob.recipient, &mut message).unwrap(),
            b"text"
        );
        let kid = bob.reached_as();
        let header = Header { kid: &kid, content_type: None };
        let mut buffer = vec![7; 600];
        let (ephemeral, epk) = provider.generate(Group::P256).unwrap();
        let z = provider.agree(ephemeral, &bob.recipient.public().unwrap()).unwrap();
        let length = jwe::seal(provider, z, &epk, &header, &mut buffer, 10).unwrap().len();
        assert_eq!(jwe::decrypt(provider, &mut bob.recipient, &mut buffer[..length]).unwrap(), [7; 10]);
    }
    opens(&mut Software::new(Seeded(1)));
    opens(&mut Software::<_, ExpandedKey>::expanded(Seeded(1)));
    opens(&mut Software::<_, RawAes256Key>::aes256(Seeded(1)));
}

#[test]
fn every_message_has_keys_of_its_own() {
    let bob = party(ADDRESS, 2);
    let (kid, key) = (bob.reached_as(), bob.encryption_key());
    let header = Header { kid: &kid, content_type: None };
    let mut provider = provider();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let mut buffer = vec![0; jwe::sealed_len(&header, 8)];
        let message = jwe::encrypt(&mut provider, &key, &header, &mut buffer, 8).unwrap();
        for segment in message.split('.') {
            assert!(seen.insert(segment.to_string()), "{segment}");
        }
    }
}

#[test]
fn another_recipient_does_not_open() {
    let (bob, mut eve) = (party(ADDRESS, 2), party(ADDRESS, 3));
    let message = sealed(&bob, None, b"text");
    let mut message = message;
    let named = jwe::decrypt(&mut provider(), &mut eve.recipient, &mut message.clone()).map(drop);
    assert_eq!(error(named), JoseError::Key);
    let encrypted = Encrypted::parse(&mut message).unwrap();
    let z = eve.recipient.agree(&encrypted.epk().unwrap()).unwrap();
    assert_eq!(error(encrypted.open(&mut provider(), z)), JoseError::Authentication);
}

#[test]
fn keys_for_something_else_are_not_encrypted_to() {
    let bob = party(ADDRESS, 2);
    let (kid, key) = (bob.reached_as(), bob.encryption_key());
    let header = Header { kid: &kid, content_type: None };
    let mut buffer = vec![0; 600];
    let mut encrypt = |key: &Jwk, header: &Header<'_>| {
        error(jwe::encrypt(&mut provider(), key, header, &mut buffer, 1).map(drop))
    };
    assert_eq!(encrypt(&Jwk::new(*key.point(), Use::Signature).unwrap(), &header), JoseError::Key);
    let other = KeyRef::new(ADDRESS, bob.signer.kid()).unwrap();
    assert_eq!(encrypt(&key, &Header { kid: &other, content_type: None }), JoseError::Key);
    let mut point = *key.point();
    point[64] ^= 1;
    let off_curve = Jwk::new(point, Use::Encryption).unwrap();
    let kid = KeyRef::new(ADDRESS, off_curve.kid()).unwrap();
    assert_eq!(encrypt(&off_curve, &Header { kid: &kid, content_type: None }), JoseError::Key);
}

/// A provider whose generator fails at the `n`th draw: nothing leaves that was not encrypted.
#[test]
fn a_failing_generator_seals_nothing() {
    struct Failing(u32);
    impl rand_core::TryRng for Failing {
        type Error = core::fmt::Error;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(core::fmt::Error)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Err(core::fmt::Error)
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            self.0 = self.0.checked_sub(1).ok_or(core::fmt::Error)?;
            out.fill(0x42);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Failing {}

    let bob = party(ADDRESS, 2);
    let (kid, key) = (bob.reached_as(), bob.encryption_key());
    let header = Header { kid: &kid, content_type: None };
    let mut buffer = [0; 600];
    for draws in 0..3 {
        let failed = jwe::encrypt(&mut Software::new(Failing(draws)), &key, &header, &mut buffer, 1);
        assert_eq!(failed, Err(JoseError::Crypto(CryptoError::Random)), "{draws}");
    }
    assert!(jwe::encrypt(&mut Software::new(Failing(3)), &key, &header, &mut buffer, 1).is_ok());
}

#[test]
fn nothing_prints_a_message() {
    let bob = party(ADDRESS, 2);
    let mut message = sealed(&bob, None, b"text");
    assert_eq!(format!("{:?}", Encrypted::parse(&mut message).unwrap()), "Encrypted");
}
