//! The table of `tests/table`, with the chip at either end and at both.

use crate::accords::agree;
use crate::rig::{InChip, InSoftware};
use crate::rows::{End, lacking, play};
use dynamic_key::gateway::TokenKey;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;

/// Every case of both schemes.
const ALL: usize = 16 + 2 * (16 + 48 + 144);

#[test]
fn the_chip_as_the_device() {
    let stranger = InSoftware(3).signer().1;
    assert_eq!(play(&InChip::new(1), &InSoftware(2), &Scheme::ELLIPTIC, stranger), ALL);
}

#[test]
fn the_chip_as_the_gateway() {
    let stranger = InSoftware(3).signer().1;
    assert_eq!(play(&InSoftware(1), &InChip::new(2), &Scheme::ELLIPTIC, stranger), ALL);
}

#[test]
fn a_chip_at_both_ends() {
    let stranger = InSoftware(3).signer().1;
    assert_eq!(play(&InChip::new(1), &InChip::new(2), &Scheme::ELLIPTIC, stranger), ALL);
}

#[test]
fn key_agreement_with_the_chip_at_either_end() {
    let stranger = InSoftware(3).signer().1;
    let every = 2 * 24;
    assert_eq!(agree(&InChip::new(1), &InSoftware(2), &Scheme::ELLIPTIC, stranger), every);
    assert_eq!(agree(&InSoftware(1), &InChip::new(2), &Scheme::ELLIPTIC, stranger), every);
    assert_eq!(agree(&InChip::new(1), &InChip::new(2), &Scheme::ELLIPTIC, stranger), every);
}

#[test]
fn a_group_that_the_chip_lacks() {
    let (chip, software) = (InChip::new(1), InSoftware(2));
    for scheme in [Scheme::Aes1, Scheme::Aes2] {
        assert!(!chip.has(scheme));
        lacking(&chip, &software, scheme);
        lacking(&software, &chip, scheme);
        chip.check_empty(&scheme);
    }
}

/// The gateway's identity in the chip signs tokens, too.
#[test]
fn tokens_signed_in_the_chip() {
    let (chip, device) = (InChip::new(1), InSoftware(2));
    let mut house = chip.house();
    house.gateway.tokens = TokenKey::Es256;
    let mut guest = device.guest(Mode::Pinned, Scheme::EcAes1, chip.signer().1);
    let mut visit = guest.shake(&mut house).unwrap();
    assert_eq!(guest.call(&mut visit, &mut house), Ok(()));
}

/// A device of another group asks for it first, and comes again with a key for the chip: the gateway's chip cannot check the
/// first, and need not.
#[test]
fn a_device_of_another_group_comes_again() {
    for (mode, first) in [(Mode::Confirmed, Scheme::Aes1), (Mode::Pinned, Scheme::Aes2)] {
        let (chip, device) = (InChip::new(1), InSoftware(2));
        let mut house = chip.house();
        let mut guest = device.guest(mode, Scheme::EcAes2, chip.signer().1);
        guest.config.schemes = Vec::leak(vec![first, Scheme::EcAes2]);
        let mut visit = guest.shake(&mut house).unwrap();
        assert_eq!(visit.session.facts().scheme(), Scheme::EcAes2);
        assert_eq!(guest.call(&mut visit, &mut house), Ok(()));
    }
}
