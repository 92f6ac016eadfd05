//! A token with `CKM_HKDF_DERIVE`, from which no secret comes: NSS's, which `check` reaches through p11-kit.
//!
//! NSS's token cannot seal for callers that ask for the length first, as the wrapper does: it forgets the tag (`NSC_Encrypt`, 3.87).
//! So the kit's AEAD fails on it, and what it derived shows in what it opens, in its MACs, and in handshakes up to both
//! sessions. Sealing in a token is tested on SoftHSM2.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

mod rig;

use dynamic_key::Error;
use dynamic_key::codec::spki::Group;
use dynamic_key::conformance::{self, Bench, Failure, Property, ROOM};
use dynamic_key::crypto::software::Software;
use dynamic_key::crypto::{Aead, CryptoError, Provider};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key_pkcs11::{Hsm, Mechanism};
use getrandom::SysRng;
use rig::steps::{Shake, shake};
use rig::{Beside, alone, open, other_identity};

#[test]
#[ignore = "wants a token with CKM_HKDF_DERIVE: check runs it on NSS's"]
fn the_kit_passes_but_for_sealing() {
    let _alone = alone();
    let (token, beside) = (open(), Beside::open());
    assert!(token.has(Mechanism::HkdfDerive) && token.has(Mechanism::HkdfData));
    let mut signer = token.create_identity("conformance").unwrap();
    let (mut hsm, point) = (Hsm::new(&token).unwrap(), *signer.public().point());
    let mut room = [0; ROOM];
    let bench = &mut Bench::new(SysRng, &mut room);
    conformance::random(&mut hsm).unwrap();
    conformance::agreement(&mut hsm, bench).unwrap();
    conformance::derivation(&mut hsm, bench).unwrap();
    conformance::signing(&mut signer, &point).unwrap();
    let failed = Error::Crypto(CryptoError::Failed);
    let forgotten = Failure { property: Property::Seal, case: 0, error: Some(failed) };
    assert_eq!(conformance::aead(&mut hsm, bench), Err(forgotten), "NSS has learned it: use run_all");
    assert_eq!(beside.objects(), 0);
}

#[test]
#[ignore = "wants a token with CKM_HKDF_DERIVE: check runs it on NSS's"]
fn derived_keys_open_what_software_sealed() {
    let _alone = alone();
    let (token, beside) = (open(), Beside::open());
    let (mut hsm, mut software) = (Hsm::new(&token).unwrap(), Software::<_>::new(SysRng));
    for aead in [Aead::Aes128Gcm, Aead::Aes256Gcm] {
        let (key, public) = hsm.generate(Group::P256).unwrap();
        let (other, peer) = software.generate(Group::P256).unwrap();
        let z = hsm.agree(key, &peer).unwrap();
        let prk = hsm.extract(b"salt", z).unwrap();
        let key = hsm.expand_key(&prk, &[b"one", b"label"], aead).unwrap();
        let z = software.agree(other, &public).unwrap();
        let their_prk = software.extract(b"salt", z).unwrap();
        let other = software.expand_key(&their_prk, &[b"onelabel"], aead).unwrap();
        for length in [0, 1, 15, 16, 17, 256, 1000] {
            let (mut text, nonce, aad) = (vec![0x42; length], [length as u8; 12], b"aad");
            let mut tag = software.seal(&other, &nonce, aad, &mut text).unwrap();
            tag[0] ^= 1;
            let before = text.clone();
            let wrong = hsm.open(&key, &nonce, aad, &mut text, &tag);
            assert_eq!((wrong, &text), (Err(CryptoError::Authentication), &before));
            tag[0] ^= 1;
            hsm.open(&key, &nonce, aad, &mut text, &tag).unwrap();
            assert_eq!(text, vec![0x42; length]);
        }
        // The PRK and the key.
        assert_eq!(beside.objects(), 2);
    }
    assert_eq!(beside.objects(), 0);
}

#[test]
#[ignore = "wants a token with CKM_HKDF_DERIVE: check runs it on NSS's"]
fn handshakes_in_every_mode_whose_keys_never_leave_the_token() {
    let _alone = alone();
    let (token, beside) = (open(), Beside::open());
    let created = token.create_identity("gateway and client").unwrap().public().kid();
    let (mut own, mut other) = (token.identity(&created).unwrap(), other_identity());
    let (own_key, other_key) = (own.public(), other.public().unwrap());
    let (mut hsm, mut software) = (Hsm::new(&token).unwrap(), Software::<_>::new(SysRng));
    for scheme in Scheme::ELLIPTIC {
        for mode in [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Mutual] {
            let mutual = mode == Mode::Mutual;
            let client = mutual.then_some(&mut own as _);
            let as_client = Shake { scheme, mode, pin: other_key, client };
            shake(&mut hsm, &mut software, &mut other, as_client, |_| {}).unwrap();
            let client = mutual.then_some(&mut other as _);
            let as_gateway = Shake { scheme, mode, pin: own_key, client };
            shake(&mut software, &mut hsm, &mut own, as_gateway, |_| {}).unwrap();
        }
    }
    assert_eq!(beside.objects(), 0);
}
