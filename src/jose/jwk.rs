//! JSON Web Keys (RFC 7517): the public keys of identities, one by one (§4) and as a gateway publishes them at
//! `/.well-known/jwks.json` (§2.1).

use super::JoseError;
use crate::codec::cursor::Writer;
use crate::codec::json::{self, JsonError, Value};
use crate::codec::spki::{P256_POINT_LEN, PublicKey};
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::software::PinnedKey;
use crate::crypto::{KeyId, Provider};

/// What a key is for: the member `use` (RFC 7517 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Use {
    /// `sig`: signatures, ES256.
    Signature,
    /// `enc`: encryption to it, ECDH-ES+A256KW.
    Encryption,
}

impl Use {
    /// The value of `use`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "sig",
            Self::Encryption => "enc",
        }
    }

    /// The value of `alg` that a key may name, and those of `key_ops`.
    const fn permits(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Signature => ("ES256", &["verify"]),
            Self::Encryption => ("ECDH-ES+A256KW", &["deriveKey", "deriveBits"]),
        }
    }
}

/// The public P-256 key of an identity, with what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Jwk {
    point: [u8; P256_POINT_LEN],
    usage: Use,
}

impl Jwk {
    /// The most bytes of a text that is read.
    pub const MAX_LEN: usize = 1024;

    /// The length in bytes that [`Jwk::write`] writes.
    pub const LEN: usize = ONE[0].len()
        + ONE[1].len()
        + ONE[2].len()
        + ONE[3].len()
        + ONE[4].len()
        + Use::Signature.name().len()
        + 3 * KeyId::LEN;

    /// The key with this uncompressed point, 0x04 ‖ x ‖ y, which is not checked to be on the curve.
    ///
    /// # Errors
    /// [`JoseError::Key`] where the first byte is not 0x04.
    pub const fn new(point: [u8; P256_POINT_LEN], usage: Use) -> Result<Self, JoseError> {
        match point {
            [4, ..] => Ok(Self { point, usage }),
            _ => Err(JoseError::Key),
        }
    }

    /// Reads a public key of P-256: `kty`, `crv`, `x`, `y` and `use` must be there and what they must be, `alg` and `key_ops` may
    /// be, and must then fit the use; other members are ignored, its `kid` too, for [`Jwk::kid`] is computed. The provider
    /// checks that the point is on the curve.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] for what is no JSON object of at most [`Jwk::MAX_LEN`] bytes without repeated members, or has
    /// members of other types; [`JoseError::Key`] for another kind of key, use or curve, a point that is not on it, and a
    /// private key; [`JoseError::Crypto`].
    pub fn parse<P: Provider>(provider: &mut P, text: &[u8], usage: Use) -> Result<Self, JoseError> {
        if text.len() > Self::MAX_LEN {
            return Err(JoseError::Malformed);
        }
        Self::read(provider, json::value(text)?, usage)
    }

    /// As [`Jwk::parse`], for a member of a larger text.
    ///
    /// # Errors
    /// As there.
    pub fn read<P: Provider>(provider: &mut P, jwk: Value<'_>, usage: Use) -> Result<Self, JoseError> {
        let [used, alg, operations] = jwk.members(&["use", "alg", "key_ops"])?;
        let (permitted, permitted_operations) = usage.permits();
        let used = used.ok_or(JoseError::Key)?.string()?.is(usage.name());
        let fits = alg.map(Value::string).transpose()?.is_none_or(|alg| alg.is(permitted));
        if !used || !fits {
            return Err(JoseError::Key);
        }
        for operation in operations.map(Value::elements).transpose()?.into_iter().flatten() {
            let operation = operation.string()?;
            if !permitted_operations.iter().any(|permitted| operation.is(permitted)) {
                return Err(JoseError::Key);
            }
        }
        let jwk = Self::new(public_point(jwk)?, usage)?;
        provider.validate(&jwk.public_key()?)?;
        Ok(jwk)
    }

    /// The RFC 7638 thumbprint, computed.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        KeyId::of_point(&self.point)
    }

    /// What the key is for.
    #[must_use]
    pub const fn usage(&self) -> Use {
        self.usage
    }

    /// The uncompressed point, 65 bytes.
    #[must_use]
    pub const fn point(&self) -> &[u8; P256_POINT_LEN] {
        &self.point
    }

    /// The key as a [`Provider`] agrees with it.
    ///
    /// # Errors
    /// [`JoseError::Key`]: never for a key that was constructed.
    pub fn public_key(&self) -> Result<PublicKey, JoseError> {
        PublicKey::p256(self.point).map_err(|_| JoseError::Key)
    }

    /// The key as a verifier trusts it.
    ///
    /// # Errors
    /// [`JoseError::Key`] for one that is not for signatures.
    pub fn pinned(&self) -> Result<PinnedKey, JoseError> {
        match self.usage {
            Use::Signature => Ok(PinnedKey::from_point(&self.point)?),
            Use::Encryption => Err(JoseError::Key),
        }
    }

    /// Writes `use`, `kty`, `kid`, `crv`, `x` and `y`, in this order and without white space, to the front of `out` and returns
    /// the length.
    ///
    /// # Errors
    /// [`BufferTooSmall`] with [`Jwk::LEN`].
    pub fn write(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let (x, y) = coordinates(&self.point);
        let kid = self.kid();
        let values: [&[u8]; 4] = [self.usage.name().as_bytes(), kid.as_str().as_bytes(), &x, &y];
        let mut out = Writer::new(out);
        for (before, value) in ONE.iter().zip(values) {
            out.put(before.as_bytes());
            out.put(value);
        }
        out.put(ONE[4].as_bytes());
        out.finish()
    }
}

/// A JWK around the values of `use`, `kid`, `x` and `y`.
const ONE: [&str; 5] =
    [r#"{"use":""#, r#"","kty":"EC","kid":""#, r#"","crv":"P-256","x":""#, r#"","y":""#, r#""}"#];

/// The point of a public key of P-256.
pub(super) fn public_point(jwk: Value<'_>) -> Result<[u8; P256_POINT_LEN], JoseError> {
    let [kty, crv, x, y, d] = jwk.members(&["kty", "crv", "x", "y", "d"])?;
    for (member, expected) in [(kty, "EC"), (crv, "P-256")] {
        if !member.ok_or(JoseError::Key)?.string()?.is(expected) {
            return Err(JoseError::Key);
        }
    }
    if d.is_some() {
        return Err(JoseError::Key);
    }
    let mut point = [4; P256_POINT_LEN];
    let (front, to_y) = point.split_at_mut_checked(33).ok_or(JoseError::Key)?;
    for (coordinate, room) in [(x, front.get_mut(1..)), (y, Some(to_y))] {
        let (coordinate, room) = coordinate.zip(room).ok_or(JoseError::Key)?;
        match coordinate.string()?.base64url(room) {
            Ok(decoded) if decoded.len() == 32 => {}
            _ => return Err(JoseError::Key),
        }
    }
    Ok(point)
}

/// x and y in base64url.
pub(super) fn coordinates(point: &[u8; P256_POINT_LEN]) -> ([u8; KeyId::LEN], [u8; KeyId::LEN]) {
    let (mut x, mut y) = ([0; KeyId::LEN], [0; KeyId::LEN]);
    if let [_, coordinates @ ..] = point
        && let Some((point_x, point_y)) = coordinates.split_at_checked(32)
    {
        // 32 bytes are 43 characters: neither can fail.
        let _ = base64::url_encode(point_x, &mut x);
        let _ = base64::url_encode(point_y, &mut y);
    }
    (x, y)
}

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
    // What is no P-256 key is passed over. Whatever else it claims, its own `kid` above all, is not asked.
    let key = |jwk| PinnedKey::from_point(&public_point(jwk).ok()?).ok();
    Ok(keys.ok_or(JsonError::WrongType)?.elements()?.filter_map(key))
}

/// Writes the JWK Set of one key, for signatures with ES256, to the front of `out` and returns its length.
///
/// # Errors
/// [`BufferTooSmall`] with [`SET_LEN`].
pub fn write_set(key: &PinnedKey, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let (x, y) = coordinates(key.point());
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
mod tests;
