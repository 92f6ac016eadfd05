//! SubjectPublicKeyInfo against the `spki` crate: for P-256 exactly one encoding, which is written as it was read.
#![no_main]

use dynamic_key::codec::spki::{Group, PublicKey};
use libfuzzer_sys::fuzz_target;
use p256::pkcs8::{ObjectIdentifier, SubjectPublicKeyInfoRef, der::Decode};

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

fuzz_target!(|der: &[u8]| {
    let ours = PublicKey::from_spki(der).ok();
    if let Some(key) = &ours {
        let mut out = vec![0; key.spki_len()];
        let written = key.write_spki(&mut out).unwrap().to_vec();
        assert_eq!(written.len(), key.spki_len());
        assert!(written.len() <= Group::MAX_SPKI_LEN);
        assert_eq!(PublicKey::from_spki(&written).as_ref(), Ok(key));
        assert_eq!(key.as_bytes().len(), key.group().public_len());
        if key.group() == Group::P256 {
            assert_eq!(written, der);
        }
        out.pop();
        assert!(key.write_spki(&mut out).is_err());
    }
    let ours = ours.filter(|key| key.group() == Group::P256);
    let theirs =
        SubjectPublicKeyInfoRef::from_der(der).ok().filter(|key| key.algorithm.assert_oids(EC, P256).is_ok());
    let theirs = theirs.as_ref().and_then(|key| key.subject_public_key.as_bytes());
    let theirs = theirs.filter(|point| point.len() == 65 && point[0] == 4);
    assert_eq!(ours.as_ref().map(PublicKey::as_bytes), theirs);
});
