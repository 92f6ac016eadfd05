//! The conformance kit of the library, on a token.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should panic")]

mod rig;

use dynamic_key::conformance::{self, Bench, ROOM, Subject};
use dynamic_key_pkcs11::Hsm;
use getrandom::SysRng;
use rig::{Beside, alone, open, verify};

#[test]
fn the_whole_kit_passes_with_the_derivation_on_the_host() {
    let _alone = alone();
    let token = open();
    let beside = Beside::open();
    let before = beside.objects();
    let mut signer = token.create_identity("conformance").unwrap();
    let mut provider = Hsm::with_host_kdf(&token).unwrap();
    let point = *signer.public().point();
    let mut subject = Subject { provider: &mut provider, signer: &mut signer, point, verify };
    let mut room = [0; ROOM];
    conformance::run_all(&mut subject, &mut Bench::new(SysRng, &mut room)).unwrap();
    assert_eq!(beside.objects(), before);
}
