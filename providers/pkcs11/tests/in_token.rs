//! A token with `CKM_HKDF_DERIVE`: no secret leaves it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should panic")]

mod support;

use dynamic_key::conformance::{self, Bench, ROOM, Subject};
use dynamic_key_pkcs11::Hsm;
use getrandom::SysRng;
use support::{Beside, alone, open, verify};

#[test]
#[ignore = "wants a token with CKM_HKDF_DERIVE, which SoftHSM2 lacks"]
fn the_kit_passes() {
    let _alone = alone();
    let token = open();
    let beside = Beside::open();
    let before = beside.objects();
    let mut signer = token.create_identity("conformance").unwrap();
    let mut provider = Hsm::new(&token).unwrap();
    let point = *signer.public().point();
    let mut subject = Subject { provider: &mut provider, signer: &mut signer, point, verify };
    let mut room = [0; ROOM];
    conformance::run_all(&mut subject, &mut Bench::new(SysRng, &mut room)).unwrap();
    assert_eq!(beside.objects(), before);
}
