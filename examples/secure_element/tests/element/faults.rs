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
use dynamic_key_secure_element::frame::{Opcode, SLOTS, Status};
use std::collections::BTreeSet;
use std::fmt::Debug;

const FOR_EVER: usize = usize::MAX;

/// A fault, and how often it comes in a row.
pub(crate) const FAULTS: &[(Fault, usize)] = &[
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
    (Fault::CutCommand(1), 1),
    (Fault::CutCommand(6), 2),
    (Fault::CutCommand(usize::MAX), FOR_EVER),
    (Fault::CutAnswer(1), 1),
    (Fault::CutAnswer(7), 2),
    (Fault::CutAnswer(usize::MAX), 7),
    (Fault::CutAnswer(8), FOR_EVER),
    (Fault::LostCommand, 1),
    (Fault::LostAnswer, 1),
    (Fault::RepeatedCommand, 1),
    (Fault::RepeatedCommand, FOR_EVER),
    (Fault::RepeatedAnswer, 1),
    (Fault::RepeatedAnswer, FOR_EVER),
    (Fault::PowerLostBefore, 1),
    (Fault::PowerLostAfter, 1),
    (Fault::Late, 1),
    (Fault::Overtaken, 1),
    (Fault::WrongSlot(1), 1),
    (Fault::WrongSlot(2), 1),
    (Fault::WrongSlot(7), 1),
];

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    InHandshake(Error),
    InCall(Error),
}

fn run<P, V, S, G, H>(guest: &mut Guest<P, V, S>, house: &mut House<G, H>) -> Result<(), Ended>
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
            Err(Ended::InHandshake(error))
        }
        Ok(mut visit) => guest.call(&mut visit, house).map_err(Ended::InCall),
    }
}

/// A command of a run.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    pub(crate) opcode: Opcode,
    /// The slot that it works with is one of those that lose their keys with the power, or the slot that it puts a key into is.
    pub(crate) is_volatile: bool,
    /// Nothing but erasures comes behind it.
    pub(crate) is_last: bool,
    /// No key in such a slot is used behind it.
    pub(crate) is_dispensable: bool,
}

/// What the chip was told since: opcodes and slots.
fn told(chip: &InChip, from: usize) -> Vec<(Opcode, [u8; 2])> {
    let log = chip.chip.log();
    let to_chip = log.iter().filter(|entry| entry.direction == Direction::ToChip).skip(from);
    to_chip
        .map(|entry| (Opcode::from_byte(entry.bytes[3]).unwrap(), [entry.bytes[4], entry.bytes[5]]))
        .collect()
}

/// The commands of one run.
fn commands(chip: &InChip, from: usize) -> Vec<Command> {
    let told = told(chip, from);
    let is_volatile = |slot: u8| (1..=SLOTS).contains(&slot);
    let of = |(at, (opcode, slots)): (usize, &(Opcode, [u8; 2]))| {
        let mut behind = told[at + 1..].iter().filter(|(opcode, _)| *opcode != Opcode::Erase).peekable();
        Command {
            opcode: *opcode,
            is_volatile: slots.iter().any(|slot| is_volatile(*slot)),
            is_last: behind.peek().is_none(),
            is_dispensable: behind.all(|(_, [key, _])| !is_volatile(*key)),
        }
    };
    told.iter().enumerate().map(of).collect()
}

/// Whether a fault at a command may, or must, come to nothing.
pub(crate) fn check_end(fault: Fault, times: usize, command: Command, is_whole: bool) {
    let erases = command.opcode == Opcode::Erase;
    let may_pass = match fault {
        // What could not be erased is erased before the next command.
        _ if erases && command.is_last => true,
        Fault::Late | Fault::Overtaken | Fault::LostCommand | Fault::LostAnswer => erases,
        Fault::PowerLostBefore | Fault::PowerLostAfter => erases && command.is_dispensable,
        Fault::WrongSlot(_) => !command.is_volatile || erases,
        // The first answer is the one to the command, and the chip does nothing twice to one slot.
        Fault::RepeatedCommand | Fault::RepeatedAnswer => true,
        // The others are tried again, a bounded number of times.
        _ => times < 8,
    };
    let must_pass = may_pass && (command.is_last || !erases || !matches!(fault, Fault::WrongSlot(_)));
    assert!(if is_whole { may_pass } else { !must_pass });
}

/// The error that comes of it is not the peer's fault.
pub(crate) fn check_error(times: usize, command: Command, error: CryptoError) {
    let kinds = [CryptoError::Failed, CryptoError::Random];
    assert!(kinds.contains(&error), "{error:?}");
    let is_certain = times == FOR_EVER && command.opcode != Opcode::Erase;
    assert!(!is_certain || error == kinds[usize::from(command.opcode == Opcode::Random)], "{error:?}");
}

/// What the driver says went wrong.
fn check_trouble(fault: Fault, trouble: Option<Trouble>) {
    let lost = Trouble::Refused(Status::NoKey);
    let expected: &[Trouble] = match fault {
        Fault::Busy => &[Trouble::Busy],
        Fault::GarbledCommand(_) | Fault::GarbledAnswer(_) | Fault::CutCommand(_) | Fault::CutAnswer(_) => {
            &[Trouble::Garbled]
        }
        Fault::PowerLostBefore | Fault::PowerLostAfter => &[Trouble::Bus, lost],
        Fault::Late | Fault::Overtaken | Fault::LostCommand | Fault::LostAnswer => &[Trouble::Bus],
        _ => &[Trouble::WrongSlot, lost],
    };
    assert!(trouble.is_some_and(|trouble| expected.contains(&trouble)), "{trouble:?}");
}

/// Plays a fault, so many times in a row, at each command of the chip in `run`; what is asked in `prepare` is not counted.
/// `check` judges how it ended; then the chip must be empty, and another run whole. Returns what commands there were.
pub(crate) fn play<E: Copy + Debug + PartialEq, T>(
    chip: &InChip,
    (fault, times): (Fault, usize),
    mut prepare: impl FnMut() -> T,
    mut run: impl FnMut(&mut T) -> Result<(), E>,
    mut check: impl FnMut(&mut T, Command, Result<(), E>),
) -> BTreeSet<Opcode> {
    let mut stage = prepare();
    let from = chip.chip.commands();
    assert_eq!(run(&mut stage), Ok(()));
    let commands = commands(chip, from);
    drop(stage);
    chip.check_empty(&"whole");

    for (at, command) in commands.iter().enumerate() {
        let case = format!("{fault:?} × {times} at {at}, {:?}", command.opcode);
        let mut stage = prepare();
        chip.chip.inject(at, fault, times);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut stage)))
            .unwrap_or_else(|_| panic!("a panic: {case}"));
        let happened = chip.chip.mend();
        assert!(happened >= 1 && happened <= times, "{case}: {happened}");
        check_case(&case, || {
            check(&mut stage, *command, ended);
            if ended.is_err() {
                check_trouble(fault, chip.element.last_trouble());
            }
        });
        chip.check_empty(&case);
        // What may have lost its slot for good goes on as before.
        assert_eq!(run(&mut stage), Ok(()), "{case}");
        drop(stage);
        chip.check_empty(&case);
    }
    commands.into_iter().map(|command| command.opcode).collect()
}

/// Plays all faults at all commands of the chip, which is at one end of a handshake and a call.
fn play_all<P, V, S, G, H>(
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
    let mut opcodes = BTreeSet::new();
    for (fault, times) in FAULTS.iter().copied() {
        let check = |(_, house): &mut (_, House<G, H>), command: Command, ended: Result<(), Ended>| {
            check_end(fault, times, command, ended.is_ok());
            match ended {
                Ok(()) => {}
                Err(Ended::InHandshake(error) | Ended::InCall(error)) if at_gateway => {
                    assert_eq!(error, Error::Refused(Code::StoreUnavailable), "not the device's fault");
                }
                Err(Ended::InHandshake(Error::Crypto(error)) | Ended::InCall(Error::Crypto(error))) => {
                    check_error(times, command, error);
                }
                Err(other) => panic!("{other:?}"),
            }
            // A gateway may keep a whole session whose client has none, and none whose handshake it failed itself.
            let most = usize::from(!at_gateway || !matches!(ended, Err(Ended::InHandshake(_))));
            assert!(house.live() <= most);
            *house.store = FixedStore::new();
        };
        opcodes.extend(play(chip, (fault, times), &mut ends, |(guest, house)| run(guest, house), check));
    }
    opcodes
}

/// Says at which case it fails.
fn check_case(case: &str, check: impl FnOnce()) {
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
    assert!(checked.is_ok(), "{case}");
}

fn device(mode: Mode, scheme: Scheme) -> BTreeSet<Opcode> {
    let (chip, gateway) = (InChip::new(1), InSoftware(2));
    let signer = chip.signer().1;
    play_all(&chip, false, || {
        let mut house = gateway.house();
        house.register(signer, DEVICE.2);
        (chip.guest(mode, scheme, gateway.signer().1), house)
    })
}

fn gateway(mode: Mode, scheme: Scheme) -> BTreeSet<Opcode> {
    let (chip, device) = (InChip::new(1), InSoftware(2));
    let signer = chip.signer().1;
    play_all(&chip, true, || {
        let mut house = chip.house();
        house.register(device.signer().1, DEVICE.2);
        (device.guest(mode, scheme, signer), house)
    })
}

/// In every mode and scheme, side by side: each has a chip of its own.
fn in_all(play: fn(Mode, Scheme) -> BTreeSet<Opcode>) -> BTreeSet<Opcode> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = all().map(|(mode, scheme)| scope.spawn(move || play(mode, scheme))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn every_fault_at_every_command_of_a_device() {
    let opcodes = in_all(device);
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
    let opcodes = in_all(gateway);
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
    let opcodes = told(&chip, before);
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
    let opcodes: Vec<_> = told(&chip, before).into_iter().map(|(opcode, _)| opcode).collect();
    assert_eq!(opcodes, [Opcode::Random, Opcode::Repeat, Opcode::Random]);
    assert_ne!(out, [0; 32]);
}

/// A refusal of a garbled frame that comes twice is not taken for one of what was sent again.
#[test]
fn a_command_that_is_sent_again_has_one_outcome() {
    use dynamic_key::codec::spki::Group;
    let chip = InChip::new(1);
    chip.chip.inject(0, Fault::GarbledCommand(1), 1);
    chip.chip.inject(0, Fault::RepeatedAnswer, 1);
    let (key, public) = chip.provider().generate(Group::P256).unwrap();
    assert_eq!((chip.chip.mend(), chip.chip.occupied()), (1, 1));
    let (other, peer) = chip.provider().generate(Group::P256).unwrap();
    let agree = |key, peer| {
        let z = chip.provider().agree(key, peer).unwrap();
        let prk = chip.provider().extract(b"", z).unwrap();
        let mut bytes = [0; 32];
        chip.provider().expand_bytes(&prk, &[], &mut bytes).unwrap();
        bytes
    };
    assert_eq!(agree(key, &peer), agree(other, &public), "the public key is that of the key in the slot");
    chip.check_empty(&"agreed");
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
