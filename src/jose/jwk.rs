//! JSON Web Keys (RFC 7517): the public keys of identities, as a gateway publishes them at `/.well-known/jwks.json` (§2.1).

use crate::codec::cursor::Writer;
use crate::codec::json::{self, JsonError, Value};
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::KeyId;
use crate::crypto::software::PinnedKey;

/// The P-256 keys of a JWK Set, each with the thumbprint that it really has.
///
/// # Errors
/// [`JsonError`] for a text that is no JWK Set.
///
/// # Security
/// Who publishes a key says nothing of whose it is: keep those whose [`PinnedKey::kid`] is pinned, and no others. That
/// a point is on its curve is checked when a signature is verified.
pub fn keys(set: &[u8]) -> Result<impl Iterator<Item = PinnedKey>, JsonError> {
    let [keys] = json::object(set, &["keys"])?;
    Ok(keys.ok_or(JsonError::WrongType)?.elements()?.filter_map(key))
}

/// One JWK; `None` for what is no P-256 key. Whatever else it claims, its own `kid` above all, is not asked.
fn key(jwk: Value<'_>) -> Option<PinnedKey> {
    let [kty, crv, x, y] = jwk.members(&["kty", "crv", "x", "y"]).ok()?;
    for (member, expected) in [(kty?, "EC"), (crv?, "P-256")] {
        (member.string().ok()?.copy_to(&mut [0; 8]).ok()? == expected).then_some(())?;
    }
    let mut point = [4; 65];
    let (front, to_y) = point.split_at_mut_checked(33)?;
    for (coordinate, room) in [(x?, front.get_mut(1..)?), (y?, to_y)] {
        let decoded = coordinate.string().ok()?.base64url(room).ok()?;
        (decoded.len() == 32).then_some(())?;
    }
    PinnedKey::from_point(&point).ok()
}

/// Writes the JWK Set of one key, for signatures with ES256, to the front of `out` and returns its length.
///
/// # Errors
/// [`BufferTooSmall`] with [`SET_LEN`].
pub fn write_set(key: &PinnedKey, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let (mut x, mut y) = ([0; KeyId::LEN], [0; KeyId::LEN]);
    if let [_, point @ ..] = key.point()
        && let Some((point_x, point_y)) = point.split_at_checked(32)
    {
        base64::url_encode(point_x, &mut x)?;
        base64::url_encode(point_y, &mut y)?;
    }
    let mut out = Writer::new(out);
    let kid = key.kid();
    let values: [&[u8]; 3] = [&x, &y, kid.as_str().as_bytes()];
    for (before, value) in SET.iter().zip(values) {
        out.put(before.as_bytes());
        out.put(value);
    }
    out.put(SET[3].as_bytes());
    out.finish()
}

/// A JWK Set of one key around the values of `x`, `y` and `kid`.
const SET: [&str; 4] = [
    r#"{"keys":[{"kty":"EC","crv":"P-256","x":""#,
    r#"","y":""#,
    r#"","kid":""#,
    r#"","use":"sig","alg":"ES256"}]}"#,
];

/// The length of the JWK Set of one key in bytes.
pub const SET_LEN: usize = SET[0].len() + SET[1].len() + SET[2].len() + SET[3].len() + 3 * KeyId::LEN;

#[cfg(test)]
mod tests {
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
}
