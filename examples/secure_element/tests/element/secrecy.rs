//! No secret crosses the bus: all that went over it, searched for all that was ever in a slot.

use crate::rig::{InChip, InSoftware, Tapped, all, scalar};
use crate::rows::End;
use crate::support::{DEVICE, Parley, START, Seeded, fields};
use dynamic_key::codec::base64;
use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::{Aead, KeyWrap, Provider, Recipient};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::package::{self, Expected, Package};
use dynamic_key::jose::{JoseError, KeyRef, jws};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key_secure_element::SecureElement;
use dynamic_key_secure_element::chip::{Chip, Direction, Entry, Find, Kind, Make, Sighting, search};
use dynamic_key_secure_element::frame::{IDENTITY, NO_SLOT, Opcode, RECIPIENT, SLOTS, Status};
use std::collections::BTreeSet;

fn kinds(chip: &Chip) -> Vec<Kind> {
    let kinds: BTreeSet<Kind> = chip.sightings().iter().map(|secret| secret.kind).collect();
    kinds.into_iter().collect()
}

fn expected(mode: Mode, scheme: Scheme) -> Vec<Kind> {
    let key = if scheme == Scheme::EcAes1 { Kind::Aes128 } else { Kind::Aes256 };
    let mut kinds = vec![Kind::Identity, Kind::Private, Kind::SharedSecret, Kind::Prk, key];
    if mode != Mode::Plain {
        kinds.push(Kind::Secret); // the proof's key and the exporter
    }
    kinds.sort();
    kinds
}

#[test]
fn no_secret_of_a_device_crosses_the_bus() {
    for (mode, scheme) in all() {
        let (chip, gateway) = (InChip::new(1), InSoftware(2));
        let mut house = gateway.house();
        let mut guest = chip.guest(mode, scheme, gateway.signer().1);
        house.register(chip.signer().1, DEVICE.2);
        let mut visit = guest.shake(&mut house).unwrap();
        for _ in 0..3 {
            assert_eq!(guest.call(&mut visit, &mut house), Ok(()));
        }
        if mode != Mode::Plain {
            visit.session.export(&mut guest.provider, "test", b"", &mut [0; 40]).unwrap();
        }
        drop(visit);
        // Whatever a host that has been taken over sends: no chip that is sold has this.
        assert_eq!(kinds(&chip.chip), expected(mode, scheme), "{mode:?} {scheme}");
        assert!(chip.chip.log().len() > 30, "{mode:?}: {}", chip.chip.log().len());
        assert_eq!(search(&chip.chip.log(), &chip.chip.sightings()), [], "{mode:?} {scheme}");
    }
}

#[test]
fn no_secret_of_a_gateway_crosses_the_bus() {
    for (mode, scheme) in all() {
        let (chip, device) = (InChip::new(1), InSoftware(2));
        let mut house = chip.house();
        let mut guest = device.guest(mode, scheme, chip.signer().1);
        house.register(device.signer().1, DEVICE.2);
        let mut visit = guest.shake(&mut house).unwrap();
        for _ in 0..3 {
            assert_eq!(guest.call(&mut visit, &mut house), Ok(()));
        }
        drop(house);
        assert_eq!(kinds(&chip.chip), expected(mode, scheme), "{mode:?} {scheme}");
        assert_eq!(search(&chip.chip.log(), &chip.chip.sightings()), [], "{mode:?} {scheme}");
    }
}

/// Key Agreement, with sealed fields.
#[test]
fn no_secret_of_key_agreement_crosses_the_bus() {
    for scheme in Scheme::ELLIPTIC {
        let (here, there) = (InChip::new(1), InChip::new(2));
        let (mut signer, key) = there.signer();
        let parley = Parley { mode: Mode::Pinned, scheme, accepted: &[scheme] };
        let (mut device, mut gateway) = (here.provider(), there.provider());
        let mut verifier = here.verifier(Vec::leak(vec![key]));
        let mut accord =
            parley.agree((&mut device, &mut verifier), (&mut gateway, Some(&mut signer))).unwrap();
        fields(&mut accord, &mut device, &mut gateway).unwrap();
        for chip in [&here.chip, &there.chip] {
            let mut expected = expected(Mode::Plain, scheme);
            expected.insert(4, Kind::Secret); // the proof's key; there is no exporter
            assert_eq!(kinds(chip), expected);
            assert_eq!(search(&chip.log(), &chip.sightings()), []);
        }
    }
}

/// Content packages, one chip signing and encrypting to the key in the other, which unwraps and decrypts.
#[test]
fn no_secret_of_a_content_package_crosses_the_bus() {
    let (here, there) = (InChip::new(1), InChip::new(2));
    let ((mut signer, signs), mut recipient) = (here.signer(), there.element.recipient().unwrap());
    let key = Jwk::new(*recipient.point(), Use::Encryption).unwrap();
    let sender = KeyRef::new("alice@nix", signs.kid()).unwrap();
    let to = KeyRef::new("bob@nix", key.kid()).unwrap();
    let header = jws::Header { issued_at: START, kid: &sender, target: "/v1/messages/send" };
    let package = Package { header, recipient: &to, id: "1", body: br#"{"unlock":true}"# };
    let mut buffer = [0; 1024];
    let length = package::pack(&mut here.provider(), &mut signer, &key, &package, &mut buffer).unwrap().len();

    let mut changed = buffer;
    changed[length - 2] ^= 1;
    let expected = Expected { sender: &sender, recipient: "bob@nix", id: "1" };
    let (mut provider, mut verifier) = (there.provider(), there.verifier(Vec::leak(vec![signs])));
    let outcome =
        package::unpack(&mut provider, &mut recipient, &mut verifier, &expected, &mut changed[..length]);
    assert_eq!(outcome.err(), Some(JoseError::Authentication));
    let received =
        package::unpack(&mut provider, &mut recipient, &mut verifier, &expected, &mut buffer[..length]);
    assert_eq!(received.unwrap().body.raw(), package.body);
    assert_eq!(
        kinds(&here.chip),
        [Kind::Identity, Kind::Private, Kind::SharedSecret, Kind::Aes256, Kind::Kek]
    );
    assert_eq!(
        kinds(&there.chip),
        [Kind::Identity, Kind::Recipient, Kind::SharedSecret, Kind::Aes256, Kind::Kek]
    );
    for chip in [here, there] {
        assert_eq!(search(&chip.chip.log(), &chip.chip.sightings()), []);
        chip.check_empty(&"the package");
    }
}

/// The identity's scalar is the one that the maker put in: the microscope sees what it should.
#[test]
fn the_microscope_sees_what_is_there() {
    let chip = InChip::new(1);
    let sightings = chip.chip.sightings();
    assert_eq!(sightings, [Sighting { kind: Kind::Identity, bytes: scalar().to_vec() }]);
}

/// The search can fail: an engineering sample that sends its keys is found out, whatever the key is for.
#[test]
fn a_chip_that_leaks_is_found_out() {
    for aead in [Aead::Aes128Gcm, Aead::Aes256Gcm] {
        let make = Make { sample: true, ..Make::default() };
        let (chip, bus) = Chip::power_on(scalar(), Seeded(1), make).unwrap();
        let mut bus = Tapped::new(bus);
        let element = SecureElement::new(bus.clone()).unwrap();
        let mut provider = element.provider();
        let mut leak = |slot: u8, kind: Kind| {
            let before = chip.log().len();
            let secrets: Vec<_> = chip.sightings().into_iter().filter(|secret| secret.kind == kind).collect();
            assert_eq!(search(&chip.log(), &secrets), [], "{kind:?} before");
            let (status, bytes) = bus.ask(Opcode::Dump as u8, slot, NO_SLOT, &[]);
            assert_eq!(status, Status::Done);
            assert!(secrets.iter().any(|secret| secret.bytes == bytes), "{kind:?}");
            let found = search(&chip.log()[before..], &secrets);
            let find = Find { direction: Direction::ToHost, backwards: false, form: "raw" };
            assert_eq!(found, vec![find; bytes.len() - 15], "{kind:?}: each window");
        };
        leak(IDENTITY, Kind::Identity);
        let (private, public) = provider.generate(Group::P256).unwrap();
        leak(private.slot(), Kind::Private);
        let z = provider.agree(private, &public).unwrap();
        leak(z.slot(), Kind::SharedSecret);
        let prk = provider.extract(b"salt", z).unwrap();
        leak(prk.slot(), Kind::Prk);
        let secret = provider.expand(&prk, &[b"exporter"]).unwrap();
        leak(secret.slot(), Kind::Secret);
        let key = provider.expand_key(&prk, &[b"client write"], aead).unwrap();
        let z = element.recipient().unwrap().agree(&public).unwrap();
        leak(RECIPIENT, Kind::Recipient);
        let kek = provider.concat_kdf(z, &[b"info"]).unwrap();
        leak(kek.slot(), Kind::Kek);
        leak(key.slot(), if aead == Aead::Aes128Gcm { Kind::Aes128 } else { Kind::Aes256 });
    }
}

#[test]
fn a_chip_that_is_sold_has_no_such_command() {
    let (chip, bus) = Chip::power_on(scalar(), Seeded(1), Make::default()).unwrap();
    let mut bus = Tapped::new(bus);
    let element = SecureElement::new(bus.clone()).unwrap();
    let _key = element.provider().generate(Group::P256).unwrap();
    for slot in 0..=SLOTS {
        assert_eq!(bus.ask(Opcode::Dump as u8, slot, NO_SLOT, &[]), (Status::Malformed, vec![]));
    }
    assert_eq!(search(&chip.log(), &chip.sightings()), []);
}

/// The search sees every form of a secret, wherever it begins and wherever it was cut.
#[test]
fn the_search_sees_every_form() {
    let bytes: Vec<u8> = (0..32).map(|at: u8| at.wrapping_mul(73) ^ 0x1c).collect();
    let backwards: Vec<u8> = bytes.iter().rev().copied().collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>().into_bytes();
    for length in [16, 32] {
        let secrets = [Sighting { kind: Kind::Prk, bytes: bytes[..length].to_vec() }];
        let found = |parts: &[&[u8]], direction: Direction| {
            let entry = |part: &&[u8]| Entry { direction, bytes: [&[0; 7], *part, &[0; 2]].concat() };
            !search(&parts.iter().map(entry).collect::<Vec<_>>(), &secrets).is_empty()
        };
        for direction in [Direction::ToChip, Direction::ToHost] {
            for shown in [&bytes[..length], &backwards[32 - length..]] {
                // A base64 text that holds it behind none to five other bytes, and as many after it.
                for before in 0..6 {
                    let text = [&vec![0xa5; before][..], shown, &vec![0x5a; 6 - before]].concat();
                    let mut room = [0; 64];
                    let standard = base64::encode(&text, &mut room).unwrap().as_bytes().to_vec();
                    let url = base64::url_encode(&text, &mut room).unwrap().as_bytes().to_vec();
                    for form in [text.clone(), hex(&text), standard, url] {
                        assert!(found(&[&form], direction), "{length} behind {before}");
                        assert!(found(&[&form.to_ascii_lowercase()], direction) || form != hex(&text));
                    }
                }
                if direction == Direction::ToHost {
                    let (first, second) = shown.split_at(9);
                    assert!(found(&[first, second], direction), "in two frames");
                }
                let mut other = shown.to_vec();
                other[8] ^= 1;
                assert!(!found(&[&other[..16]], direction), "another");
                assert!(!found(&[&shown[..15]], direction), "less than a window");
            }
        }
    }
}
