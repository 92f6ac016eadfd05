//! Every scheme × mode × identity policy completes or is refused as the table says: with the software provider at both ends.
//! (`examples/secure_element` plays the same table with the chip at either end.)
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod accords;
mod rows;
#[path = "../support/mod.rs"]
mod support;

use accords::agree;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::scheme::Scheme;
use rows::{End, lacking, play};
use std::fmt;
use support::{Seeded, Soft};

/// The software provider, with an identity of this seed.
struct InSoftware(u64);

impl End for InSoftware {
    type Provider = Soft;
    type Signer = Identity;
    type Verifier = Pins<'static>;

    fn provider(&self) -> Soft {
        Software::new(Seeded(self.0))
    }
    fn signer(&self) -> (Identity, PinnedKey) {
        let identity = Identity::generate(&mut Seeded(!self.0)).unwrap();
        let key = identity.public().unwrap();
        (identity, key)
    }
    fn verifier(&self, pins: &'static [PinnedKey]) -> Pins<'static> {
        Pins(pins)
    }
    fn has(&self, scheme: Scheme) -> bool {
        Scheme::SOFTWARE.contains(&scheme)
    }
    fn check(&self, _: &dyn fmt::Debug) {}
}

#[test]
fn software_at_both_ends() {
    let (client, gateway) = (InSoftware(1), InSoftware(2));
    let stranger = InSoftware(3).signer().1;
    let played = play(&client, &gateway, Scheme::SOFTWARE, stranger);
    assert_eq!(played, 16 + Scheme::SOFTWARE.len() * (16 + 48 + 144), "the whole product");
    for scheme in Scheme::BY_STRENGTH.into_iter().filter(|scheme| !client.has(*scheme)) {
        lacking(&client, &gateway, scheme);
    }
}

#[test]
fn key_agreement_in_software_at_both_ends() {
    let stranger = InSoftware(3).signer().1;
    let played = agree(&InSoftware(1), &InSoftware(2), Scheme::SOFTWARE, stranger);
    assert_eq!(played, Scheme::SOFTWARE.len() * 24, "the whole product");
}
