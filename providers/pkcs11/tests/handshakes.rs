//! The table of `tests/table` in the library: every scheme, mode and identity policy, with keys in a token at either end and at both.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod rig;
#[path = "../../../tests/table/rows.rs"]
mod rows;
#[path = "../../../tests/support/mod.rs"]
mod support;

use dynamic_key::crypto::software::{Identity as SoftIdentity, PinnedKey, Pins, Software};
use dynamic_key::scheme::Scheme;
use dynamic_key_pkcs11::{HostKdf, Hsm, Identity, Token};
use rig::{Beside, alone, open, other_identity};
use rows::{End, lacking, play};
use std::fmt;
use support::{Seeded, Soft};

/// Every case of both schemes.
const ALL: usize = 16 + 2 * (16 + 48 + 144);

/// A token as one end, with an identity in it.
struct InToken {
    token: Token,
    identity: Identity,
    beside: Beside,
}

impl InToken {
    fn new() -> Self {
        let token = open();
        let created = token.create_identity("one end").unwrap();
        let identity = token.identity(&created.public().kid()).unwrap();
        Self { token, identity, beside: Beside::open() }
    }
}

impl End for InToken {
    type Provider = Hsm<HostKdf>;
    type Signer = Identity;
    type Verifier = Pins<'static>;

    fn provider(&self) -> Hsm<HostKdf> {
        Hsm::with_host_kdf(&self.token).unwrap()
    }
    fn signer(&self) -> (Identity, PinnedKey) {
        (self.identity.clone(), self.identity.public())
    }
    fn verifier(&self, pins: &'static [PinnedKey]) -> Pins<'static> {
        Pins(pins)
    }
    fn has(&self, scheme: Scheme) -> bool {
        Scheme::ELLIPTIC.contains(&scheme)
    }
    fn check(&self, case: &dyn fmt::Debug) {
        assert_eq!(self.beside.objects(), 0, "session objects are left: {case:?}");
    }
}

/// The software provider as the other end.
struct InSoftware;

impl End for InSoftware {
    type Provider = Soft;
    type Signer = SoftIdentity;
    type Verifier = Pins<'static>;

    fn provider(&self) -> Soft {
        Software::new(Seeded(1))
    }
    fn signer(&self) -> (SoftIdentity, PinnedKey) {
        let identity = SoftIdentity::generate(&mut Seeded(2)).unwrap();
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
fn the_token_as_the_device() {
    let _alone = alone();
    let stranger = other_identity().public().unwrap();
    assert_eq!(play(&InToken::new(), &InSoftware, &Scheme::ELLIPTIC, stranger), ALL);
}

#[test]
fn the_token_as_the_gateway() {
    let _alone = alone();
    let stranger = other_identity().public().unwrap();
    assert_eq!(play(&InSoftware, &InToken::new(), &Scheme::ELLIPTIC, stranger), ALL);
}

#[test]
fn the_token_at_both_ends() {
    let _alone = alone();
    let stranger = other_identity().public().unwrap();
    assert_eq!(play(&InToken::new(), &InToken::new(), &Scheme::ELLIPTIC, stranger), ALL);
}

#[test]
fn a_group_that_the_token_lacks() {
    let _alone = alone();
    let token = InToken::new();
    for scheme in [Scheme::Aes1, Scheme::Aes2] {
        lacking(&token, &InSoftware, scheme);
        lacking(&InSoftware, &token, scheme);
        token.check(&scheme);
    }
}
