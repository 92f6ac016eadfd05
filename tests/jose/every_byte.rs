//! Every bit of every message flipped, every message cut at every length and every byte left out: refused, always.

use crate::support::{ADDRESS, NOW, party, provider};
use core::num::NonZeroU32;
use dynamic_key::crypto::KeyWrap;
use dynamic_key::crypto::software::Pins;
use dynamic_key::jose::jwe::pbes2::{self, Iterations, Parameters};
use dynamic_key::jose::jws::{self, Header};
use dynamic_key::jose::package::{self, Expected, Package};
use dynamic_key::jose::{JoseError, jwe};

/// Hands every changed copy of `message` to `accepts`.
fn refused(message: &[u8], mut accepts: impl FnMut(&mut [u8]) -> bool) {
    assert!(accepts(&mut message.to_vec()), "as it is");
    for at in 0..message.len() {
        for bit in 0..8 {
            let mut changed = message.to_vec();
            changed[at] ^= 1 << bit;
            assert!(!accepts(&mut changed), "{at} {bit}");
        }
        assert!(!accepts(&mut message[..at].to_vec()), "cut at {at}");
        let mut without = message.to_vec();
        without.remove(at);
        assert!(!accepts(&mut without), "without {at}");
        for inserted in *b"A.=\0" {
            let mut longer = message.to_vec();
            longer.insert(at, inserted);
            assert!(!accepts(&mut longer), "{inserted} before {at}");
        }
    }
    for behind in ["A", "AA", ".", "=", " ", "\n"] {
        assert!(!accepts(&mut [message, behind.as_bytes()].concat()), "{behind} behind");
    }
}

#[test]
fn of_a_signed_message() {
    let mut alice = party(ADDRESS, 1);
    let (pins, kid) = ([alice.pinned()], alice.signs_as());
    let header = Header { issued_at: NOW, kid: &kid, target: "t" };
    let mut out = [0; 512];
    let token = jws::sign(&mut alice.signer, &header, b"payload", &mut out).unwrap();
    let mut scratch = [0; 256];
    refused(token.as_bytes(), |text| {
        let Ok(text) = core::str::from_utf8(text) else { return false };
        jws::verify(&mut Pins(&pins), &kid, "t", text, &mut scratch).is_ok()
    });
}

#[test]
fn of_an_encrypted_message() {
    let mut bob = party(ADDRESS, 2);
    let kid = bob.reached_as();
    let header = jwe::Header { kid: &kid, content_type: Some("JWS") };
    let mut buffer = [7; 512];
    let message = jwe::encrypt(&mut provider(), &bob.encryption_key(), &header, &mut buffer, 10).unwrap();
    refused(message.as_bytes(), |text| {
        jwe::decrypt(&mut provider(), &mut bob.recipient, text).is_ok_and(|text| text == [7; 10])
    });
}

/// The derivation, which is slow, is one of a single iteration here, whatever the header says.
#[test]
fn of_a_message_under_a_password() {
    let kek = || provider().pbkdf2(b"password", b"salt", NonZeroU32::MIN).unwrap();
    let parameters = Parameters::draw(&mut provider(), Iterations::MIN).unwrap();
    let mut buffer = [7; 512];
    let message = pbes2::seal(&mut provider(), kek(), &parameters, None, &mut buffer, 10).unwrap();
    refused(message.as_bytes(), |text| {
        let Ok(encrypted) = pbes2::Encrypted::parse(text, Iterations::MAX) else { return false };
        encrypted.open(&mut provider(), kek()).is_ok_and(|text| text == [7; 10])
    });
}

#[test]
fn of_a_package() {
    let (mut alice, mut bob) = (party(ADDRESS, 1), party("bob", 2));
    let (pins, sender, recipient) = ([alice.pinned()], alice.signs_as(), bob.reached_as());
    let header = Header { issued_at: NOW, kid: &sender, target: "t" };
    let package = Package { header, recipient: &recipient, id: "1", body: b"{}" };
    let expected = Expected { sender: &sender, recipient: "bob", id: "1" };
    let mut unpack = |text: &mut [u8]| {
        package::unpack(&mut provider(), &mut bob.recipient, &mut Pins(&pins), &expected, text)
            .map(|received| assert_eq!(received.body.raw(), b"{}"))
    };
    let mut buffer = vec![0; package.sealed_len()];
    let key = party("bob", 2).encryption_key();
    let message = package::pack(&mut provider(), &mut alice.signer, &key, &package, &mut buffer).unwrap();
    let message = message.as_bytes().to_vec();
    assert_eq!(unpack(&mut message.clone()), Ok(()));
    // Every byte: the bits of the outer layer have been flipped above.
    for at in 0..message.len() {
        let mut changed = message.clone();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(unpack(&mut changed).is_err(), "{at}");
        assert!(unpack(&mut message[..at].to_vec()).is_err(), "cut at {at}");
    }
    // And of the inner, under the right keys.
    let mut bob = party("bob", 2);
    let inner = jwe::decrypt(&mut provider(), &mut bob.recipient, &mut message.clone()).unwrap().to_vec();
    refused(&inner, |text| {
        let header = package.envelope();
        let mut buffer = text.to_vec();
        buffer.resize(jwe::sealed_len(&header, text.len()), 0);
        jwe::encrypt(&mut provider(), &key, &header, &mut buffer, text.len()).unwrap();
        match unpack(&mut buffer) {
            Ok(()) => true,
            Err(JoseError::BufferTooSmall { .. }) => panic!("nobody asked for a buffer"),
            Err(_) => false,
        }
    });
}
