//! Slots: a full table is an error that the caller sees, dropped handles free theirs, and a full chip goes on.

use crate::rig::{InChip, InSoftware};
use crate::rows::End;
use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::{CryptoError, Provider};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error};
use dynamic_key_secure_element::Trouble;
use dynamic_key_secure_element::chip::{Fault, Kind};
use dynamic_key_secure_element::frame::{Opcode, SLOTS};

#[test]
fn a_full_table_is_an_error() {
    let chip = InChip::new(1);
    let mut provider = chip.provider();
    let mut keys: Vec<_> = (0..SLOTS).map(|_| provider.generate(Group::P256).unwrap().0).collect();
    assert_eq!((chip.element.free_slots(), chip.chip.occupied()), (0, SLOTS.into()));
    let before = chip.chip.commands();
    assert_eq!(provider.generate(Group::P256).err(), Some(CryptoError::Failed));
    assert_eq!(chip.element.last_trouble(), Some(Trouble::NoFreeSlot));
    assert_eq!(chip.chip.commands(), before, "the chip need not be asked");
    let slots: Vec<u8> = keys.iter().map(|key| key.slot()).collect();
    assert_eq!(slots, (1..=SLOTS).collect::<Vec<_>>());

    let freed = keys.remove(3).slot();
    assert_eq!(chip.chip.occupied(), usize::from(SLOTS) - 1, "erased at once");
    assert_eq!(provider.generate(Group::P256).unwrap().0.slot(), freed);
    drop(keys);
    chip.check_empty(&"dropped");
}

/// A chip of eight slots holds two sessions as a gateway: three keys each, and a third handshake wants more than two.
#[test]
fn a_gateway_whose_chip_is_full_refuses_and_goes_on() {
    let (chip, device) = (InChip::new(1), InSoftware(2));
    let mut house = chip.house();
    let mut guest = device.guest(Mode::Pinned, Scheme::EcAes2, chip.signer().1);
    let mut visits: Vec<_> = (0..2).map(|_| guest.shake(&mut house).unwrap()).collect();
    assert_eq!(guest.shake(&mut house).err(), Some(Error::Refused(Code::StoreUnavailable)));
    assert_eq!(chip.element.last_trouble(), Some(Trouble::NoFreeSlot));
    assert_eq!((house.live(), chip.chip.occupied(), chip.element.free_slots()), (2, 6, 2));
    for visit in &mut visits {
        assert_eq!(guest.call(visit, &mut house), Ok(()), "those that stand, stand");
    }
    *house.store = dynamic_key::gateway::FixedStore::new();
    assert_eq!(chip.chip.occupied(), 0);
    let mut visit = guest.shake(&mut house).unwrap();
    assert_eq!(guest.call(&mut visit, &mut house), Ok(()));
}

/// A device renews its session while the old one stands: three keys and five are eight.
#[test]
fn a_device_has_room_to_renew_its_session() {
    let (chip, gateway) = (InChip::new(1), InSoftware(2));
    let mut house = gateway.house();
    house.register(chip.signer().1, crate::support::DEVICE.2);
    let mut guest = chip.guest(Mode::Mutual, Scheme::EcAes2, gateway.signer().1);
    let mut old = guest.shake(&mut house).unwrap();
    for _ in 0..20 {
        let mut new = guest.shake(&mut house).unwrap();
        assert_eq!(chip.chip.occupied(), 6);
        assert_eq!(guest.call(&mut old, &mut house), Ok(()));
        assert_eq!(guest.call(&mut new, &mut house), Ok(()));
        old = new;
        *house.store = dynamic_key::gateway::FixedStore::new();
        old = {
            drop(old);
            guest.shake(&mut house).unwrap()
        };
    }
    drop(old);
    chip.check_empty(&"renewed");
}

/// Erasing fails when the handle is dropped: the slot is erased before anything else is done, and not used before.
#[test]
fn a_slot_whose_erasure_failed_is_not_used_before_it_is_erased() {
    let chip = InChip::new(1);
    let mut provider = chip.provider();
    let (key, _) = provider.generate(Group::P256).unwrap();
    chip.chip.inject(0, Fault::Busy, usize::MAX);
    drop(key);
    assert_eq!((chip.chip.occupied(), chip.element.free_slots()), (1, SLOTS - 1));
    assert_eq!(chip.element.tidy(), Err(Trouble::Busy));
    assert!(chip.chip.mend() >= 16, "tried a bounded number of times, twice");
    let before = chip.chip.log().len();
    provider.fill(&mut [0; 8]).unwrap();
    assert_eq!((chip.chip.occupied(), chip.element.free_slots()), (0, SLOTS));
    assert_eq!(chip.chip.log()[before].bytes[3], Opcode::Erase as u8, "first of all");
}

/// Another kind of key than a command wants, a used one, an empty slot: refused.
#[test]
fn a_key_serves_what_it_is_for_and_once() {
    let chip = InChip::new(1);
    let mut provider = chip.provider();
    let (first, public) = provider.generate(Group::P256).unwrap();
    let (second, _) = provider.generate(Group::P256).unwrap();
    let kinds = |kind| chip.chip.sightings().iter().filter(|secret| secret.kind == kind).count();
    assert_eq!((kinds(Kind::Private), kinds(Kind::SharedSecret)), (2, 0));
    let z = provider.agree(first, &public).unwrap();
    assert_eq!(chip.chip.occupied(), 2, "Z is where the private key was");
    drop(z);
    chip.chip.inject(0, Fault::PowerLostBefore, 1);
    assert_eq!(provider.fill(&mut [0; 8]), Err(CryptoError::Random));
    assert_eq!(provider.agree(second, &public).err(), Some(CryptoError::Failed), "it is gone");
    chip.check_empty(&"lost");
}
