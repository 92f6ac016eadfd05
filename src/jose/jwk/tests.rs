//! Tests of JSON Web Keys.

use super::*;
use crate::crypto::software::Identity;
use crate::secret::Secret;
use std::string::String;
use std::vec::Vec;

fn published() -> (PinnedKey, String) {
    let key = Identity::from_bytes(&Secret::new([7; 32])).unwrap().public().unwrap();
    let mut set = [0; SET_LEN];
    assert_eq!(write_set(&key, &mut set[1..]), Err(BufferTooSmall { needed: SET_LEN }));
    assert_eq!(write_set(&key, &mut set), Ok(SET_LEN));
    (key, String::from_utf8(set.to_vec()).unwrap())
}

fn read(set: &str) -> Vec<PinnedKey> {
    keys(set.as_bytes()).unwrap().collect()
}

#[test]
fn what_was_written_is_read() {
    let (key, set) = published();
    assert_eq!(read(&set), [key]);
    let json: serde_json::Value = serde_json::from_str(&set).unwrap();
    assert_eq!(json["keys"][0]["kid"], key.kid().as_str());
    assert_eq!(json["keys"][0]["alg"], "ES256");
}

/// A kid is not believed, and what is no P-256 key is passed over.
#[test]
fn a_key_has_the_thumbprint_that_it_has() {
    let (key, set) = published();
    assert_eq!(read(&set.replace(key.kid().as_str(), "another")), [key]);
    for (was, becomes) in [
        (r#""EC""#, r#""RSA""#),
        (r#""P-256""#, r#""P-384""#),
        (r#""kty":"EC","#, ""),
        (r#""x":""#, r#""x":"A"#),
        (r#""y":""#, r#""z":""#),
    ] {
        assert_eq!(read(&set.replace(was, becomes)), [], "{becomes}");
    }
    let other = set.replace(r#""x":""#, r#""x":"AAAA"#).replacen("[{", r#"[{"kty":"oct","k":""},{"#, 1);
    assert_eq!(read(&other), []);
    for no in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[]}x"#] {
        assert!(keys(no.as_bytes()).is_err(), "{no:?}");
    }
    assert_eq!(read(r#"{"keys":[]}"#), []);
}
