//! The chip passes the conformance kit of the library, as provider, as signer and as verifier.

use crate::rig::{InChip, chip_over};
use crate::support::Seeded;
use dynamic_key::conformance::{
    Bench, ROOM, Subject, failing_generator, failing_wrap, key_wrap, known_answer, packages, run_all,
};
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{KeyId, Signature, Verifier};
use dynamic_key_secure_element::ElementProvider;
use dynamic_key_secure_element::chip::{Bus, Make};
use rand_core::TryCryptoRng;

#[test]
fn the_chip_passes() {
    let chip = InChip::new(1);
    let mut signer = chip.element.signer().unwrap();
    let mut subject = Subject {
        provider: &mut chip.element.provider(),
        point: *signer.public().point(),
        signer: &mut signer,
        verify: |point: &[u8; 65], kid: &KeyId, message: &[u8], signature: &Signature| {
            chip.element.verifier(&[PinnedKey::from_point(point)?]).verify(kid, message, signature)
        },
    };
    let mut room = [0; ROOM];
    let mut bench = Bench::new(Seeded(2), &mut room);
    assert_eq!(run_all(&mut subject, &mut bench), Ok(()));
    let mut recipient = chip.element.recipient().unwrap();
    let point = *recipient.point();
    assert_eq!(key_wrap(subject.provider, &mut recipient, &point, &mut bench), Ok(()));
    assert_eq!(packages(&mut subject, &mut recipient, &point, &mut bench), Ok(()));
    assert_eq!(chip.element.recipient().unwrap().point(), &point, "there for good");
    chip.check_empty(&"the kit");
}

/// Over a generator that says what it is told.
fn told<R: TryCryptoRng + Send + 'static>(rng: R) -> ElementProvider<'static, Bus> {
    chip_over(rng, Make::default()).1.provider()
}

#[test]
fn it_agrees_as_published_and_fails_with_its_generator() {
    assert_eq!(known_answer(told), Ok(()));
    assert_eq!(failing_generator(told), Ok(()));
    assert_eq!(failing_wrap(told), Ok(()));
}
