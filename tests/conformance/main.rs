//! The conformance kit: the software provider passes it, and each of many defects is named by it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod broken_identity;
mod broken_wrap;
mod defects;

use dynamic_key::Secret;
use dynamic_key::conformance::{
    Bench, Failure, ROOM, Subject, failing_generator, failing_wrap, handshakes, key_wrap, known_answer,
    packages, run_all,
};
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, RecipientKey, Software};
use dynamic_key::crypto::{
    CryptoError, KeyId, KeyWrap, Provider, Recipient, Signature, Signer, Verified, Verifier,
};
use support::Seeded;

/// The private key of the subjects' signers.
const PRIVATE: [u8; 32] = [0x51; 32];

/// As a client pins.
fn verify(
    point: &[u8; 65],
    kid: &KeyId,
    message: &[u8],
    signature: &Signature,
) -> Result<Verified, CryptoError> {
    Pins(&[PinnedKey::from_point(point)?]).verify(kid, message, signature)
}

/// Runs the kit on what may be broken.
fn run<P: Provider>(
    mut provider: P,
    mut signer: impl Signer,
    verify: impl FnMut(&[u8; 65], &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
    only_handshakes: bool,
) -> Result<(), Failure> {
    let identity = Identity::from_bytes(&Secret::new(PRIVATE)).unwrap();
    let mut subject = Subject {
        provider: &mut provider,
        signer: &mut signer,
        point: *identity.public().unwrap().point(),
        verify,
    };
    let mut room = [0; ROOM];
    let mut bench = Bench::new(Seeded(2), &mut room);
    if only_handshakes { handshakes(&mut subject, &mut bench) } else { run_all(&mut subject, &mut bench) }
}

/// Runs what concerns key wrap on what may be broken.
fn run_wrap<P: KeyWrap>(
    mut provider: P,
    mut signer: impl Signer,
    mut recipient: impl Recipient<SharedSecret = P::SharedSecret>,
) -> Result<(), Failure> {
    let identity = Identity::from_bytes(&Secret::new(PRIVATE)).unwrap();
    let public = decrypts().public().unwrap();
    let point = public.as_bytes().try_into().unwrap();
    let mut room = [0; ROOM];
    let mut bench = Bench::new(Seeded(2), &mut room);
    key_wrap(&mut provider, &mut recipient, &point, &mut bench)?;
    let mut subject = Subject {
        provider: &mut provider,
        signer: &mut signer,
        point: *identity.public().unwrap().point(),
        verify,
    };
    packages(&mut subject, &mut recipient, &point, &mut bench)
}

/// The subjects' key that is encrypted to.
fn decrypts() -> RecipientKey {
    RecipientKey::from_bytes(&Secret::new([0x52; 32])).unwrap()
}

#[test]
fn the_software_provider_wraps_and_decrypts_with_every_kind_of_key() {
    let identity = Identity::from_bytes(&Secret::new(PRIVATE)).unwrap();
    assert_eq!(run_wrap(Software::new(Seeded(1)), identity.clone(), decrypts()), Ok(()));
    assert_eq!(run_wrap(Software::expanded(Seeded(1)), identity.clone(), decrypts()), Ok(()));
    assert_eq!(run_wrap(Software::aes256(Seeded(1)), identity, decrypts()), Ok(()));
    assert_eq!(failing_wrap(Software::new), Ok(()));
}

#[test]
fn the_software_provider_passes_with_every_kind_of_key() {
    let identity = Identity::from_bytes(&Secret::new(PRIVATE)).unwrap();
    assert_eq!(run(Software::new(Seeded(1)), identity.clone(), verify, false), Ok(()));
    assert_eq!(run(Software::expanded(Seeded(1)), identity.clone(), verify, false), Ok(()));
    assert_eq!(run(Software::aes256(Seeded(1)), identity, verify, false), Ok(()));
}

#[test]
fn the_software_provider_agrees_as_published_and_fails_with_its_generator() {
    assert_eq!(known_answer(Software::new), Ok(()));
    assert_eq!(failing_generator(Software::new), Ok(()));
}
