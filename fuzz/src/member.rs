//! Signed members of identities, without the curve: the targets vouch for their signatures.

use crate::provider::public_key;
use base64ct::{Base64UrlUnpadded, Encoding};
use dynamic_key::jose::jwk::{Jwk, Use};

/// The key of which the private half is this small number.
pub fn key(private: u8, usage: Use) -> Jwk {
    Jwk::new(public_key(private).as_bytes().try_into().unwrap(), usage).unwrap()
}

/// The text of a key.
pub fn text(key: &Jwk) -> String {
    let mut out = [0; Jwk::LEN];
    key.write(&mut out).unwrap();
    String::from_utf8(out.to_vec()).unwrap()
}

/// A JWS with a signature of zeros.
pub fn signed(address: &str, key: &Jwk, target: &str, iat: u64, payload: &[u8]) -> String {
    let header = format!(
        r#"{{"alg":"ES256","iat":{iat},"kid":{},"tgt":{}}}"#,
        serde_json::to_string(&format!("{address}/{}", key.kid())).unwrap(),
        serde_json::to_string(target).unwrap()
    );
    let url = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    format!("{}.{}.{}", url(header.as_bytes()), url(payload), url(&[0; 64]))
}
