//! Every fault at every single command of a handshake and a sealed call: an error of the right kind or none, no session that is
//! half made, and afterwards an empty chip that shakes hands as before.

use crate::rig::{InChip, InSoftware, all};
use crate::rows::End;
use crate::support::{DEVICE, Guest, House};
use dynamic_key::crypto::{CryptoError, Provider, Signer, Verifier};
use dynamic_key::gateway::FixedStore;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error};
use dynamic_key_secure_element::Trouble;
use dynamic_key_secure_element::chip::{Direction, Fault};
use dynamic_key_secure_element::frame::{NO_SLOT, Opcode, Status};
use std::collections::BTreeSet;

const FOR_EVER: usize = usize::MAX;

/// A fault, and how often it comes in a row.
const FAULTS: &[(Fault, usize)] = &[
    (Fault::Busy, 1),
    (Fault::Busy, 7),
    (Fault::Busy, FOR_EVER),
    (Fault::GarbledCommand(0), 1),
    (Fault::GarbledCommand(1), 2),
    (Fault::GarbledCommand(3), 1),
    (Fault::GarbledCommand(usize::MAX), 7),
    (Fault::GarbledCommand(5), FOR_EVER),
    (Fault::GarbledAnswer(0), 1),
    (Fault::GarbledAnswer(1), 1),
    (Fault::GarbledAnswer(2), 1),
    (Fault::GarbledAnswer(3), 2),
    (Fault::GarbledAnswer(6), 1),
    (Fault::GarbledAnswer(8), 7),
    (Fault::GarbledAnswer(usize::MAX), 1),
    (Fault::GarbledAnswer(7), FOR_EVER),
    (Fault::PowerLostBefore, 1),
    (Fault::PowerLostAfter, 1),
    (Fault::Late, 1),
    (Fault::WrongSlot(1), 1),
    (Fault::WrongSlot(2), 1),
    (Fault::WrongSlot(7), 1),
];

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    Whole,
    InHandshake(Error),
    InCall(Error),
}

fn run<P, V, S, G, H>(guest: &mut Guest<P, V, S>, house: &mut House<G, H>) -> Ended
where
    P: Provider,
    V: Verifier,
    S: Signer,
    G: Provider,
    H: Signer,
{
    let forwarded = house.forwarded;
    match guest.shake(house) {
        Err(error) => {
            assert_eq!(house.forwarded, forwarded);
            Ended::InHandshake(error)
        }
        Ok(mut visit) => match guest.call(&mut visit, house) {
            Ok(()) => Ended::Whole,
            Err(error) => Ended::InCall(error),
        },
    }
}

/// The commands of one run: opcode and slots.
fn commands(chip: &InChip, from: usize) -> Vec<(Opcode, [u8; 2])> {
    let log = chip.chip.log();
    let to_chip = log.iter().filter(|entry| entry.direction == Direction::ToChip).skip(from);
    to_chip
        .map(|entry| (Opcode::from_byte(entry.bytes[3]).unwrap(), [entry.bytes[4], entry.bytes[5]]))
        .collect()
}

/// What may come of a fault at a command.
fn check(fault: Fault, times: usize, opcode: Opcode, slots: [u8; 2], ended: Ended, at_gateway: bool) {
    let in_volatile_slot = slots.into_iter().any(|slot| slot != 0 && slot != NO_SLOT);
    let may_pass = match fault {
        // Tried again, a bounded number of times.
        Fault::Busy | Fault::GarbledCommand(_) | Fault::GarbledAnswer(_) => times < 8,
        Fault::WrongSlot(_) => !in_volatile_slot || opcode == Opcode::Erase,
        Fault::Late => opcode == Opcode::Erase,
        _ => false,
    };
    let must_pass = may_pass && (opcode != Opcode::Erase || !matches!(fault, Fault::WrongSlot(_)));
    let error = match ended {
        Ended::Whole => {
            assert!(may_pass);
            return;
        }
        Ended::InHandshake(error) | Ended::InCall(error) => error,
    };
    assert!(!must_pass, "{error:?}");
    if at_gateway {
        assert_eq!(error, Error::Refused(Code::StoreUnavailable), "not the device's fault");
    } else {
        // Not the peer's fault.
        let kinds = [Error::Crypto(CryptoError::Failed), Error::Crypto(CryptoError::Random)];
        assert!(kinds.contains(&error), "{error:?}");
        let is_certain = times == FOR_EVER && opcode != Opcode::Erase;
        assert!(!is_certain || error == kinds[usize::from(opcode == Opcode::Random)], "{error:?}");
    }
}

/// What the driver says went wrong.
fn check_trouble(fault: Fault, trouble: Option<Trouble>) {
    let lost = Trouble::Refused(Status::NoKey);
    let expected: &[Trouble] = match fault {
        Fault::Busy => &[Trouble::Busy],
        Fault::GarbledCommand(_) | Fault::GarbledAnswer(_) => &[Trouble::Garbled],
        Fault::PowerLostBefore | Fault::PowerLostAfter => &[Trouble::Bus, lost],
        Fault::Late => &[Trouble::Bus],
        _ => &[Trouble::WrongSlot, lost],
    };
    assert!(trouble.is_some_and(|trouble| expected.contains(&trouble)), "{trouble:?}");
}

/// Plays all faults at all commands of the chip, which is at one end of the pair. Returns what commands there were.
fn play<P, V, S, G, H>(
    chip: &InChip,
    at_gateway: bool,
    mut ends: impl FnMut() -> (Guest<P, V, S>, House<G, H>),
) -> BTreeSet<Opcode>
where
    P: Provider,
    V: Verifier,
    S: Signer,
    G: Provider,
    H: Signer,
{
    let (mut guest, mut house) = ends();
    let from = chip.chip.commands();
    let visit = guest.shake(&mut house).map(|mut visit| {
        guest.call(&mut visit, &mut house).unwrap();
        visit
    });
    let commands = commands(chip, from);
    drop((visit, guest, house));
    chip.check_empty(&"whole");

    for (fault, times) in FAULTS {
        for (at, (opcode, slots)) in commands.iter().enumerate() {
            let case = format!("{fault:?} × {times} at {at}, {opcode:?}");
            // Made again, so that what is asked while they are made is not counted.
            let (mut guest, mut house) = ends();
            chip.chip.inject(at, *fault, *times);
            let ended =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut guest, &mut house)))
                    .unwrap_or_else(|_| panic!("a panic: {case}"));
            let happened = chip.chip.mend();
            assert!(happened >= 1 && happened <= *times, "{case}: {happened}");
            check_case(&case, || check(*fault, *times, *opcode, *slots, ended, at_gateway));
            if ended != Ended::Whole {
                check_case(&case, || check_trouble(*fault, chip.element.last_trouble()));
            }

            // A gateway may keep a whole session whose client has none, and none whose handshake it failed itself.
            let most = usize::from(!at_gateway || !matches!(ended, Ended::InHandshake(_)));
            assert!(house.live() <= most, "{case}");
            *house.store = FixedStore::new();
            chip.check_empty(&case);
            // What may have lost its slot for good goes on as before.
            assert_eq!(run(&mut guest, &mut house), Ended::Whole, "{case}");
            drop((guest, house));
            chip.check_empty(&case);
        }
    }
    commands.into_iter().map(|(opcode, _)| opcode).collect()
}

/// Says at which case it fails.
fn check_case(case: &str, check: impl FnOnce()) {
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
    assert!(checked.is_ok(), "{case}");
}

fn device(mode: Mode, scheme: Scheme) -> BTreeSet<Opcode> {
    let (chip, gateway) = (InChip::new(1), InSoftware(2));
    let signer = chip.signer().1;
    play(&chip, false, || {
        let mut house = gateway.house();
        house.register(signer, DEVICE.2);
        (chip.guest(mode, scheme, gateway.signer().1), house)
    })
}

fn gateway(mode: Mode, scheme: Scheme) -> BTreeSet<Opcode> {
    let (chip, device) = (InChip::new(1), InSoftware(2));
    let signer = chip.signer().1;
    play(&chip, true, || {
        let mut house = chip.house();
        house.register(device.signer().1, DEVICE.2);
        (device.guest(mode, scheme, signer), house)
    })
}

#[test]
fn every_fault_at_every_command_of_a_device() {
    let mut opcodes = BTreeSet::new();
    for (mode, scheme) in all() {
        opcodes.extend(device(mode, scheme));
    }
    let every = [
        Opcode::Random,
        Opcode::Generate,
        Opcode::Agree,
        Opcode::Extract,
        Opcode::Expand,
        Opcode::ExpandBytes,
        Opcode::Mac,
        Opcode::Seal,
        Opcode::Open,
        Opcode::Sign,
        Opcode::Verify,
        Opcode::Erase,
    ];
    assert_eq!(opcodes.into_iter().collect::<Vec<_>>(), every);
}

#[test]
fn every_fault_at_every_command_of_a_gateway() {
    let mut opcodes = BTreeSet::new();
    for (mode, scheme) in all() {
        opcodes.extend(gateway(mode, scheme));
    }
    assert!(opcodes.contains(&Opcode::Sign) && opcodes.contains(&Opcode::Seal));
}

/// A host that restarts while the chip keeps its power finds it empty.
#[test]
fn a_host_that_restarts_resets_the_chip() {
    use dynamic_key::codec::spki::Group;
    use dynamic_key_secure_element::SecureElement;
    use dynamic_key_secure_element::chip::{Chip, Make};
    let (chip, mut bus) =
        Chip::power_on(crate::rig::scalar(), crate::support::Seeded(1), Make::default()).unwrap();
    {
        let element = SecureElement::new(&mut bus).unwrap();
        let (key, _) = element.provider().generate(Group::P256).unwrap();
        core::mem::forget(key);
        assert_eq!(chip.occupied(), 1);
    }
    let _element = SecureElement::new(&mut bus).unwrap();
    assert_eq!(chip.occupied(), 0);
}

/// A plaintext whose answer is never whole does not stay in the caller's buffer, and a used-up text is not sealed again.
#[test]
fn what_cannot_be_relied_on_is_wiped() {
    use dynamic_key::codec::spki::Group;
    use dynamic_key::crypto::Aead;
    let chip = InChip::new(1);
    let mut provider = chip.provider();
    let (key, public) = provider.generate(Group::P256).unwrap();
    let z = provider.agree(key, &public).unwrap();
    let prk = provider.extract(b"", z).unwrap();
    let key = provider.expand_key(&prk, &[b"key"], Aead::Aes256Gcm).unwrap();
    let mut sealed = *b"correct horse battery staple";
    let tag = provider.seal(&key, &[1; 12], b"aad", &mut sealed).unwrap();

    let mut text = sealed;
    chip.chip.inject(0, Fault::GarbledAnswer(usize::MAX), FOR_EVER);
    assert_eq!(provider.open(&key, &[1; 12], b"aad", &mut text, &tag), Err(CryptoError::Failed));
    assert_eq!(text, [0; 28]);
    assert_eq!(chip.chip.mend(), 8);

    let (mut out, before) = ([7; 40], chip.chip.commands());
    chip.chip.inject(0, Fault::GarbledAnswer(20), 1);
    provider.expand_bytes(&prk, &[b"label"], &mut out).unwrap();
    assert_eq!(chip.chip.mend(), 1);
    assert_eq!(chip.chip.commands() - before, 2, "the answer was asked for again, not the command");
    let opcodes = commands(&chip, before);
    assert_eq!(
        opcodes.iter().map(|(opcode, _)| *opcode).collect::<Vec<_>>(),
        [Opcode::ExpandBytes, Opcode::Repeat]
    );
    let mut text = sealed;
    assert_eq!(provider.open(&key, &[1; 12], b"other", &mut text, &tag), Err(CryptoError::Authentication));
    assert_eq!(text, sealed, "what was refused is as it was");
    provider.open(&key, &[1; 12], b"aad", &mut text, &tag).unwrap();
    assert_eq!(&text, b"correct horse battery staple");
}

/// A chip that was busy, and said so garbled: it has nothing to repeat, and is told again.
#[test]
fn a_command_that_was_not_taken_is_sent_again() {
    let chip = InChip::new(1);
    let (mut out, before) = ([0; 32], chip.chip.commands());
    chip.chip.inject(0, Fault::Busy, 1);
    chip.chip.inject(0, Fault::GarbledAnswer(6), 1);
    chip.provider().fill(&mut out).unwrap();
    let opcodes: Vec<_> = commands(&chip, before).into_iter().map(|(opcode, _)| opcode).collect();
    assert_eq!(opcodes, [Opcode::Random, Opcode::Repeat, Opcode::Random]);
    assert_ne!(out, [0; 32]);
}

/// The answer to another command is not taken for that to this one.
#[test]
fn a_late_answer_is_no_answer_to_the_next() {
    let chip = InChip::new(1);
    let (mut first, mut second) = ([0; 32], [0; 32]);
    chip.chip.inject(0, Fault::Late, 1);
    assert_eq!(chip.provider().fill(&mut first), Err(CryptoError::Random));
    chip.provider().fill(&mut second).unwrap();
    let log = chip.chip.log();
    let both = &log.last().unwrap().bytes;
    assert_eq!((both.len(), &both[41 + 7..both.len() - 2]), (82, &second[..]));
    assert_eq!(first, [0; 32]);
}
