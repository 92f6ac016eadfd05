//! Every fault at every command of a content package, packed in the chip and unpacked in it: an error of the right kind or none,
//! nothing of the text before it is authentic, no key that stays, and no secret on the bus.

use crate::faults::{Command, FAULTS, check_end, check_error, play};
use crate::rig::{InChip, InSoftware};
use crate::rows::End;
use crate::support::{START, Seeded};
use dynamic_key::crypto::software::RecipientKey;
use dynamic_key::crypto::{CryptoError, KeyId, KeyWrap, Provider, Recipient, Signer};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::package::{self, Expected, Package};
use dynamic_key::jose::{JoseError, KeyRef, jws};
use dynamic_key_secure_element::chip::{Fault, Kind, search};
use dynamic_key_secure_element::frame::Opcode;
use std::collections::BTreeSet;

const BODY: &[u8] = br#"{"unlock":true}"#;

fn sender(kid: KeyId) -> KeyRef {
    KeyRef::new("alice@nix", kid).unwrap()
}

fn pack<P: KeyWrap, S: Signer>(provider: &mut P, signer: &mut S, key: &Jwk) -> Result<Vec<u8>, JoseError> {
    let (kid, recipient) = (sender(signer.kid()), KeyRef::new("bob@nix", key.kid()).unwrap());
    let header = jws::Header { issued_at: START, kid: &kid, target: "/v1/messages/send" };
    let package = Package { header, recipient: &recipient, id: "1", body: BODY };
    let mut buffer = [0; 1024];
    Ok(package::pack(provider, signer, key, &package, &mut buffer)?.as_bytes().to_vec())
}

/// What is unpacked is what was packed.
fn unpack<E: End<Provider: KeyWrap<SharedSecret = R::SharedSecret>>, R: Recipient>(
    end: &E,
    recipient: &mut R,
    signs: dynamic_key::crypto::software::PinnedKey,
    text: &mut [u8],
) -> Result<(), JoseError> {
    let sender = sender(signs.kid());
    let expected = Expected { sender: &sender, recipient: "bob@nix", id: "1" };
    let mut verifier = end.verifier(Vec::leak(vec![signs]));
    let received = package::unpack(&mut end.provider(), recipient, &mut verifier, &expected, text)?;
    assert_eq!(received.body.raw(), BODY);
    Ok(())
}

/// The error is the chip's, and nobody else's.
fn check((fault, times): (Fault, usize), command: Command, ended: Result<(), JoseError>) {
    check_end(fault, times, command, ended.is_ok());
    match ended {
        Ok(()) => {}
        Err(JoseError::Crypto(error)) => check_error(times, command, error),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn every_fault_at_every_command_of_a_sender() {
    let there = InSoftware(2);
    let mut recipient = RecipientKey::generate(&mut Seeded(3)).unwrap();
    let key = Jwk::new(recipient.public().unwrap().as_bytes().try_into().unwrap(), Use::Encryption).unwrap();
    let mut opcodes = BTreeSet::new();
    for (fault, times) in FAULTS.iter().copied() {
        let chip = InChip::new(1);
        let (signer, signs) = chip.signer();
        opcodes.extend(play(
            &chip,
            (fault, times),
            || signer,
            |signer| {
                let mut text = pack(&mut chip.provider(), signer, &key)?;
                unpack(&there, &mut recipient, signs, &mut text)
            },
            |_, command, ended| check((fault, times), command, ended),
        ));
        assert_eq!(search(&chip.chip.log(), &chip.chip.sightings()), [], "{fault:?} × {times}");
    }
    let every = [
        Opcode::Random,
        Opcode::Generate,
        Opcode::Agree,
        Opcode::ConcatKdf,
        Opcode::Seal,
        Opcode::Wrap,
        Opcode::Sign,
        Opcode::Erase,
    ];
    assert_eq!(opcodes.into_iter().collect::<Vec<_>>(), every);
}

#[test]
fn every_fault_at_every_command_of_a_recipient() {
    let there = InSoftware(2);
    let (mut signer, signs) = there.signer();
    let (mut opcodes, mut shown) = (BTreeSet::new(), 0);
    for (fault, times) in FAULTS.iter().copied() {
        let chip = InChip::new(1);
        let key = Jwk::new(*chip.element.recipient().unwrap().point(), Use::Encryption).unwrap();
        let sealed = pack(&mut there.provider(), &mut signer, &key).unwrap();
        opcodes.extend(play(
            &chip,
            (fault, times),
            || sealed.clone(),
            |text| {
                text.clone_from(&sealed);
                let mut recipient =
                    chip.element.recipient().map_err(|trouble| JoseError::Crypto(trouble.into()))?;
                unpack(&chip, &mut recipient, signs, text)
            },
            |text, command, ended| {
                check((fault, times), command, ended);
                // What is decrypted and not verified begins as all these headers do.
                let is_shown = text[1..].windows(8).any(|window| window == b"eyJhbGci");
                assert!(
                    !is_shown || ended.is_err() && [Opcode::Erase, Opcode::Verify].contains(&command.opcode)
                );
                shown += usize::from(is_shown);
            },
        ));
        assert_eq!(search(&chip.chip.log(), &chip.chip.sightings()), [], "{fault:?} × {times}");
    }
    let every = [
        Opcode::Receive,
        Opcode::ConcatKdf,
        Opcode::Open,
        Opcode::Unwrap,
        Opcode::Public,
        Opcode::Verify,
        Opcode::Erase,
    ];
    assert_eq!(opcodes.into_iter().collect::<Vec<_>>(), every);
    assert!(shown > 0, "the text would be seen");
}

/// Whatever becomes of the answers while the key that is encrypted to is made: it is made once, and is the one that is published.
#[test]
fn every_fault_while_the_key_that_is_encrypted_to_is_made() {
    for (fault, times) in FAULTS.iter().copied() {
        for (at, opcode) in [Opcode::Public, Opcode::Generate].into_iter().enumerate() {
            let case = format!("{fault:?} × {times} at {opcode:?}");
            let chip = InChip::new(1);
            chip.chip.inject(at, fault, times);
            let first = chip.element.recipient().map(|recipient| *recipient.point());
            assert!(chip.chip.mend() >= 1, "{case}");
            // The slot of this key is not one of those that a chip takes for another.
            let ended = first.map(drop).map_err(|trouble| JoseError::Crypto(trouble.into()));
            let command = Command { opcode, is_volatile: false, is_last: at == 1, is_dispensable: true };
            check((fault, times), command, ended);
            let point = *chip.element.recipient().unwrap().point();
            assert!(first.is_err() || first == Ok(point), "{case}");
            let made = chip.chip.sightings().iter().filter(|secret| secret.kind == Kind::Recipient).count();
            assert_eq!(made, 1, "{case}");
            assert_eq!(search(&chip.chip.log(), &chip.chip.sightings()), [], "{case}");
            chip.check_empty(&case);

            let (there, key) = (InSoftware(2), Jwk::new(point, Use::Encryption).unwrap());
            let (mut signer, signs) = there.signer();
            let mut text = pack(&mut there.provider(), &mut signer, &key).unwrap();
            let mut recipient = chip.element.recipient().unwrap();
            assert_eq!(unpack(&chip, &mut recipient, signs, &mut text), Ok(()), "{case}");
        }
    }
}

/// Power that is lost between two commands, with a key in its slot: an error by name, and nothing of it is left.
#[test]
fn a_key_encryption_key_does_not_outlive_the_power() {
    let chip = InChip::new(1);
    let mut provider = chip.provider();
    let point = *chip.element.recipient().unwrap().point();
    let public = dynamic_key::codec::spki::PublicKey::p256(point).unwrap();
    for receives in [false, true] {
        let z = chip.element.recipient().unwrap().agree(&public).unwrap();
        let kek = provider.concat_kdf(z, &[b"info"]).unwrap();
        chip.chip.inject(0, Fault::PowerLostBefore, 1);
        assert_eq!(provider.fill(&mut [0; 8]), Err(CryptoError::Random));
        assert_eq!((chip.chip.mend(), chip.chip.occupied()), (1, 0));
        let outcome =
            if receives { provider.unwrap(kek, &[0; 40]).map(drop) } else { provider.wrap(kek).map(drop) };
        assert_eq!(outcome, Err(CryptoError::Failed));
        chip.check_empty(&receives);
    }
    assert_eq!(*chip.element.recipient().unwrap().point(), point, "this key lasts");
}
