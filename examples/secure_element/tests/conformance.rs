//! The chip passes the conformance kit of the library, as provider, as signer and as verifier.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

#[path = "../../../tests/support/mod.rs"]
mod support;

use dynamic_key::conformance::{Bench, ROOM, Subject, failing_generator, known_answer, run_all};
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{KeyId, Signature, Verifier};
use dynamic_key_secure_element::chip::{Bus, Chip, Make};
use dynamic_key_secure_element::frame::SLOTS;
use dynamic_key_secure_element::{ElementProvider, SecureElement};
use rand_core::TryCryptoRng;
use support::Seeded;

fn element<R: TryCryptoRng + Send + 'static>(rng: R) -> (Chip, SecureElement<Bus>) {
    let (chip, bus) = Chip::power_on([0x51; 32], rng, Make::default()).unwrap();
    (chip, SecureElement::new(bus).unwrap())
}

#[test]
fn the_chip_passes() {
    let (chip, element) = element(Seeded(1));
    let mut signer = element.signer().unwrap();
    let mut subject = Subject {
        provider: &mut element.provider(),
        point: *signer.public().point(),
        signer: &mut signer,
        verify: |point: &[u8; 65], kid: &KeyId, message: &[u8], signature: &Signature| {
            element.verifier(&[PinnedKey::from_point(point)?]).verify(kid, message, signature)
        },
    };
    let mut room = [0; ROOM];
    assert_eq!(run_all(&mut subject, &mut Bench::new(Seeded(2), &mut room)), Ok(()));
    assert_eq!((chip.occupied(), element.free_slots()), (0, SLOTS), "and every slot is empty again");
}

/// Over a generator that says what it is told. The element lives for as long as the test.
fn told<R: TryCryptoRng + Send + 'static>(rng: R) -> ElementProvider<'static, Bus> {
    Box::leak(Box::new(element(rng).1)).provider()
}

#[test]
fn it_agrees_as_published_and_fails_with_its_generator() {
    assert_eq!(known_answer(told), Ok(()));
    assert_eq!(failing_generator(told), Ok(()));
}
