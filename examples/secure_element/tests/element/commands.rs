//! The chip itself, spoken to without the driver: what it refuses, and that nothing makes it talk.

use crate::rig::{Tapped, scalar};
use crate::support::Seeded;
use dynamic_key_secure_element::chip::{Chip, Kind, Make, search};
use dynamic_key_secure_element::frame::{Crc, IDENTITY, NO_SLOT, Opcode, RECIPIENT, SLOTS, Status};

fn chip() -> (Chip, Tapped) {
    let (chip, bus) = Chip::power_on(scalar(), Seeded(1), Make::default()).unwrap();
    (chip, Tapped::new(bus))
}

/// A key of each kind: private in 1, Z in 2, PRK in 3, secret in 4, AES-128 in 5 and AES-256 in 6.
fn filled() -> (Chip, Tapped) {
    let (chip, mut bus) = chip();
    let mut done = |opcode: Opcode, key, to, payload: &[u8]| {
        let (status, payload) = bus.ask(opcode as u8, key, to, payload);
        assert_eq!(status, Status::Done, "{opcode:?}");
        payload
    };
    let peer = done(Opcode::Generate, NO_SLOT, 1, &[]);
    for to in [2, 3] {
        done(Opcode::Generate, NO_SLOT, to, &[]);
        done(Opcode::Agree, to, NO_SLOT, &peer);
    }
    done(Opcode::Extract, 3, NO_SLOT, b"salt");
    for kind in 0..3 {
        done(Opcode::Expand, 3, 4 + kind, &[kind, b'i']);
    }
    (chip, bus)
}

const KINDS: [(u8, Kind); 7] = [
    (IDENTITY, Kind::Identity),
    (1, Kind::Private),
    (2, Kind::SharedSecret),
    (3, Kind::Prk),
    (4, Kind::Secret),
    (5, Kind::Aes128),
    (6, Kind::Aes256),
];

/// A command that a key of the right kind would carry out.
fn payload(opcode: Opcode, point: &[u8]) -> Vec<u8> {
    match opcode {
        Opcode::Agree | Opcode::Receive => point.to_vec(),
        Opcode::Unwrap => vec![0; 40],
        Opcode::Expand => vec![0, b'i'],
        Opcode::ExpandBytes => vec![0, 16, b'j'], // what a key was expanded from would give that key
        Opcode::Seal => vec![0; 14],
        Opcode::Open => vec![0; 30],
        _ => b"message".to_vec(),
    }
}

#[test]
fn a_key_serves_its_own_kind_of_command_alone() {
    let serves: [(Opcode, &[Kind]); 13] = [
        (Opcode::Agree, &[Kind::Private]),
        (Opcode::Extract, &[Kind::SharedSecret]),
        (Opcode::AsPrk, &[Kind::Secret]),
        (Opcode::Expand, &[Kind::Prk]),
        (Opcode::ExpandBytes, &[Kind::Prk]),
        (Opcode::Mac, &[Kind::Secret]),
        (Opcode::Seal, &[Kind::Aes128, Kind::Aes256]),
        (Opcode::Open, &[Kind::Aes128, Kind::Aes256]),
        (Opcode::Sign, &[Kind::Identity]),
        (Opcode::Receive, &[]),
        (Opcode::ConcatKdf, &[Kind::SharedSecret]),
        (Opcode::Wrap, &[]),
        (Opcode::Unwrap, &[]),
    ];
    for (opcode, kinds) in serves {
        for (slot, kind) in KINDS {
            let (chip, mut bus) = filled();
            let point = bus.ask(Opcode::Public as u8, IDENTITY, NO_SLOT, &[]).1;
            let (status, answer) = bus.ask(opcode as u8, slot, 7, &payload(opcode, &point));
            let expected = match opcode {
                _ if !kinds.contains(&kind) => Status::NoKey,
                Opcode::Open => Status::Authentication,
                _ => Status::Done,
            };
            assert_eq!(status, expected, "{opcode:?} with {kind:?}");
            assert!(status == Status::Done || answer.is_empty());
            assert!(status != Status::NoKey || chip.occupied() == 6, "nothing has changed");
            assert_eq!(search(&chip.log(), &chip.sightings()), []);
        }
        let (_, mut bus) = filled();
        for slot in [7, SLOTS, SLOTS + 1, 0x80, NO_SLOT] {
            assert_eq!(bus.ask(opcode as u8, slot, 8, &payload(opcode, &[4; 65])), (Status::NoKey, vec![]));
        }
    }
}

#[test]
fn a_private_key_is_used_once() {
    let (chip, mut bus) = chip();
    let peer = bus.ask(Opcode::Generate as u8, NO_SLOT, 1, &[]).1;
    let mut other = peer.clone();
    other[64] ^= 1;
    assert_eq!(bus.ask(Opcode::Validate as u8, NO_SLOT, NO_SLOT, &other).0, Status::InvalidPoint);
    assert_eq!(bus.ask(Opcode::Agree as u8, 1, NO_SLOT, &other).0, Status::InvalidPoint);
    assert_eq!(chip.occupied(), 0, "gone, whatever came of it");
    assert_eq!(bus.ask(Opcode::Agree as u8, 1, NO_SLOT, &peer).0, Status::NoKey);

    bus.ask(Opcode::Generate as u8, NO_SLOT, 1, &[]);
    assert_eq!(bus.ask(Opcode::Agree as u8, 1, NO_SLOT, &peer).0, Status::Done);
    assert_eq!(bus.ask(Opcode::Agree as u8, 1, NO_SLOT, &peer).0, Status::NoKey, "it is Z now");
}

#[test]
fn a_slot_that_is_taken_is_not_written_over() {
    let (chip, mut bus) = filled();
    let before = chip.sightings().len();
    for to in 0..=6 {
        for (opcode, key) in [(Opcode::Generate, NO_SLOT), (Opcode::AsPrk, 4), (Opcode::Expand, 3)] {
            assert_eq!(bus.ask(opcode as u8, key, to, &[0, b'i']), (Status::Occupied, vec![]));
        }
    }
    assert_eq!(bus.ask(Opcode::Generate as u8, NO_SLOT, SLOTS + 1, &[]).0, Status::Malformed);
    assert_eq!((chip.occupied(), chip.sightings().len()), (6, before));
}

/// Key wrap: the key that is encrypted to agrees and does nothing else, and a key-encryption key wraps or unwraps once.
#[test]
fn a_key_encryption_key_is_used_once() {
    let (chip, mut bus) = chip();
    let mut ask = |opcode: Opcode, key, to, payload: &[u8]| bus.ask(opcode as u8, key, to, payload);
    assert_eq!(ask(Opcode::Public, RECIPIENT, NO_SLOT, &[]).0, Status::NoKey, "not made yet");
    let point = ask(Opcode::Generate, NO_SLOT, RECIPIENT, &[]).1;
    assert_eq!(ask(Opcode::Generate, NO_SLOT, RECIPIENT, &[]).0, Status::Occupied, "once");
    assert_eq!(ask(Opcode::Erase, RECIPIENT, NO_SLOT, &[]).0, Status::NoKey, "for good");
    assert_eq!(ask(Opcode::Reset, NO_SLOT, NO_SLOT, &[]).0, Status::Done);
    assert_eq!(ask(Opcode::Public, RECIPIENT, NO_SLOT, &[]), (Status::Done, point.clone()));
    for opcode in [Opcode::Agree, Opcode::Sign, Opcode::Seal, Opcode::Mac, Opcode::ExpandBytes, Opcode::Wrap]
    {
        assert_eq!(ask(opcode, RECIPIENT, 1, &payload(opcode, &point)).0, Status::NoKey, "{opcode:?}");
    }
    let mut other = point.clone();
    other[64] ^= 1;
    assert_eq!(ask(Opcode::Receive, RECIPIENT, 1, &other).0, Status::InvalidPoint);
    for slot in [1, 2] {
        assert_eq!(ask(Opcode::Receive, RECIPIENT, slot, &point).0, Status::Done);
        assert_eq!(ask(Opcode::ConcatKdf, slot, NO_SLOT, b"info").0, Status::Done);
        for opcode in [Opcode::Extract, Opcode::Seal, Opcode::Mac, Opcode::Expand, Opcode::Sign] {
            assert_eq!(ask(opcode, slot, 3, &payload(opcode, &point)).0, Status::NoKey, "{opcode:?}");
        }
    }
    assert_eq!(ask(Opcode::Receive, RECIPIENT, 1, &point).0, Status::Occupied);
    let (status, wrapped) = ask(Opcode::Wrap, 1, NO_SLOT, &[]);
    assert_eq!((status, wrapped.len()), (Status::Done, 40));
    assert_eq!(ask(Opcode::Unwrap, 1, NO_SLOT, &wrapped).0, Status::NoKey, "it is the content key now");
    assert_eq!(ask(Opcode::Unwrap, 2, NO_SLOT, &wrapped).0, Status::Done);
    let sealed = ask(Opcode::Seal, 1, NO_SLOT, &[0; 20]);
    assert_eq!(sealed, ask(Opcode::Seal, 2, NO_SLOT, &[0; 20]), "the same key");
    assert_eq!(ask(Opcode::Receive, RECIPIENT, 3, &point).0, Status::Done);
    assert_eq!(ask(Opcode::ConcatKdf, 3, NO_SLOT, b"other info").0, Status::Done);
    assert_eq!(ask(Opcode::Unwrap, 3, NO_SLOT, &wrapped).0, Status::Authentication);
    assert_eq!((ask(Opcode::Unwrap, 3, NO_SLOT, &wrapped).0, chip.occupied()), (Status::NoKey, 2), "gone");
    assert_eq!(search(&chip.log(), &chip.sightings()), []);
}

#[test]
fn the_identity_stays() {
    let (chip, mut bus) = chip();
    let point = bus.ask(Opcode::Public as u8, IDENTITY, NO_SLOT, &[]).1;
    assert_eq!(bus.ask(Opcode::Erase as u8, IDENTITY, NO_SLOT, &[]).0, Status::NoKey);
    assert_eq!(bus.ask(Opcode::Reset as u8, NO_SLOT, NO_SLOT, &[]).0, Status::Done);
    assert_eq!(bus.ask(Opcode::Public as u8, IDENTITY, NO_SLOT, &[]), (Status::Done, point));
    assert_eq!(chip.occupied(), 0);
}

/// Frames of chance, most of them with the right checksum: the chip answers each, and lives.
#[test]
fn nothing_makes_the_chip_talk() {
    let (chip, mut bus) = filled();
    let mut rng = Seeded(0xf022);
    for round in 0..2000 {
        let length = rng.below(90);
        let mut frame: Vec<u8> = (0..length).map(|_| rng.next() as u8).collect();
        let whole = length >= 6 && !rng.once_in(8);
        if whole {
            frame[..2].copy_from_slice(&(length as u16 - 2).to_be_bytes());
            frame[3] = Opcode::ALL[rng.below(Opcode::ALL.len())] as u8;
            frame[4] = rng.below(10) as u8;
            frame[5] = rng.below(10) as u8;
            // A chip that is emptied at once is asked nothing.
            if [Opcode::Reset as u8, Opcode::Erase as u8].contains(&frame[3]) {
                continue;
            }
        }
        let mut crc = Crc::new();
        crc.update(&frame);
        frame.extend_from_slice(&crc.to_bytes());
        let answer = bus.send(&frame);
        let status = answer.get(6).copied().and_then(Status::from_byte).unwrap();
        assert!(whole || status == Status::Garbled || length >= 6, "{round}");
    }
    assert_eq!(bus.ask(Opcode::Random as u8, NO_SLOT, NO_SLOT, &[0, 8]).1.len(), 8, "it lives");
    assert_eq!(search(&chip.log(), &chip.sightings()), []);
}
