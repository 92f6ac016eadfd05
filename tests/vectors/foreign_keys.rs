//! Finite-field keys as OpenSSL, Node, Python's `cryptography` and Java write them.

use crate::support::Script;
use crate::vector::{Members, load};
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::Provider;
use dynamic_key::crypto::software::Software;
use std::collections::BTreeSet;

#[test]
fn each_tool_agrees_with_us() {
    let vectors = load("ffdhe-keys.json");
    let (mut tools, mut forms) = (BTreeSet::new(), BTreeSet::new());
    for case in vectors.list("cases") {
        let group = match case.text("group") {
            "ffdhe2048" => Group::Ffdhe2048,
            "ffdhe3072" => Group::Ffdhe3072,
            other => panic!("{other}"),
        };
        let der = case.hex("publicKey");
        let key = PublicKey::from_spki(&der).unwrap_or_else(|error| panic!("{error} {case}"));
        assert_eq!(key.group(), group);
        let mut provider = Software::new(Script::new([&case.hex("private")]));
        let (private, _) = provider.generate(group).unwrap();
        assert_eq!(provider.agree(private, &key).unwrap().as_bytes(), case.hex("Z"), "{case}");
        tools.insert(case.text("tool"));
        // Ours is one of their forms; of the others they write more.
        let ours = key.spki_len();
        let form = match (der[8..].starts_with(&[6, 9]) || der[7..].starts_with(&[6, 9]), der.len() - ours) {
            (true, 0) => "PKCS #3",
            (true, 4) => "PKCS #3 with privateValueLength",
            (false, 256..) => "X9.42",
            other => panic!("{other:?} {case}"),
        };
        assert_eq!(key.write_spki(&mut [0; 809]).unwrap() == der, form == "PKCS #3");
        forms.insert(form);
    }
    assert_eq!(tools.into_iter().collect::<Vec<_>>(), ["Java", "Node", "OpenSSL", "Python cryptography"]);
    assert_eq!(forms.len(), 3);
    assert_eq!(vectors.list("cases").len(), 16);
}
