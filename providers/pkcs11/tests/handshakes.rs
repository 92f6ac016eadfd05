//! Every scheme, mode and identity with keys in a token, at either end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should panic")]

mod support;

use dynamic_key_pkcs11::Hsm;
use support::{Beside, alone, open, pair::table};

#[test]
fn the_table_holds_with_the_derivation_on_the_host() {
    let _alone = alone();
    let token = open();
    let beside = Beside::open();
    let before = beside.objects();
    let created = token.create_identity("gateway and client").unwrap().public().kid();
    let identity = token.identity(&created).unwrap();
    let rows = table(&mut Hsm::with_host_kdf(&token).unwrap(), &identity);
    assert_eq!(rows, 2 * 4 * 3 * 2 * 2);
    assert_eq!(beside.objects(), before, "session objects are left");
}
