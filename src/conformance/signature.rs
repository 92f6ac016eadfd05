//! Signatures.

use super::agreement::key_of;
use super::keys::{INVALID, ORDER, Point, sample};
use super::{Failure, Property};
use crate::crypto::hash::Sha256;
use crate::crypto::software::{Identity, PinnedKey};
use crate::crypto::{CryptoError, KeyId, Signature, Signer, Verified};
use crate::secret::Secret;

/// How many messages are signed, each longer by a step than the one before.
const MESSAGES: usize = 8;
const STEP: usize = 43;
const LONG: [u8; MESSAGES * STEP] = [0x42; MESSAGES * STEP];

/// [`Signer`]: its key id is that of `point`, and its signatures verify, each with a nonce of its own.
///
/// # Errors
/// The first property that does not hold.
pub fn signing<S: Signer>(signer: &mut S, point: &Point) -> Result<(), Failure> {
    Property::KeyId.require(0, signer.kid() == KeyId::of_point(point))?;
    let key = Property::KeyId.succeeds(0, PinnedKey::from_point(point))?;
    let mut halves = [None; MESSAGES];
    for (case, half) in halves.iter_mut().enumerate() {
        let message = LONG.get(..case.wrapping_mul(STEP)).unwrap_or_default();
        let signature = Property::Sign.succeeds(case, signer.sign(message))?;
        Property::Sign.succeeds(case, key.verify(message, &signature).map(drop))?;
        *half = signature.first_chunk::<32>().copied();
    }
    let unique =
        halves.iter().enumerate().all(|(at, half)| halves.iter().take(at).all(|other| other != half));
    Property::SignatureNonce.require(0, unique)
}

/// A [`Verifier`](crate::crypto::Verifier), as [`Subject::verify`](super::Subject::verify) has it: what is right is accepted,
/// and nothing else.
///
/// # Errors
/// The first property that does not hold.
pub fn verifying<V>(verify: &mut V) -> Result<(), Failure>
where
    V: FnMut(&Point, &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
{
    let mut identity = identity()?;
    let key = Property::Reference.succeeds(0, identity.public())?;
    let (point, kid) = (key.point(), key.kid());
    for length in [0, 1, 54, 55, 56, 63, 64, 65, LONG.len()] {
        let message = LONG.get(..length).unwrap_or_default();
        let signature = Property::Reference.succeeds(length, identity.sign(message))?;
        Property::Verify.succeeds(length, verify(point, &kid, message, &signature).map(drop))?;
        // ES256 knows both halves (RFC 7518 §3.4): n − s verifies if s does.
        let signature = with_other_s(signature);
        Property::Reference.succeeds(length, key.verify(message, &signature).map(drop))?;
        Property::Verify.succeeds(length, verify(point, &kid, message, &signature).map(drop))?;
    }

    let message = LONG.get(..54).unwrap_or_default();
    let signature = Property::Reference.succeeds(0, identity.sign(message))?;
    let mut refused = |property: Property,
                       case: usize,
                       kid: &KeyId,
                       message: &[u8],
                       signature: &Signature| {
        property.refuses(case, verify(point, kid, message, signature).map(drop), CryptoError::Authentication)
    };
    for (at, length) in [0, 1, 53, 55].into_iter().enumerate() {
        let other = LONG.get(..length).unwrap_or_default();
        refused(Property::WrongMessage, at, &kid, other, &signature)?;
    }
    for at in [0, 31, 32, 53] {
        let mut other = LONG;
        let other = other.get_mut(..54).unwrap_or_default();
        if let Some(byte) = other.get_mut(at) {
            *byte ^= 1;
        }
        refused(Property::WrongMessage, at, &kid, other, &signature)?;
    }

    // Another identity: under its own id, which is not trusted, and under the trusted one.
    let mut other = Property::Reference.succeeds(0, Identity::from_bytes(&Secret::new(sample::PRIVATE)))?;
    let forged = Property::Reference.succeeds(0, other.sign(message))?;
    refused(Property::WrongKeyId, 0, &other.kid(), message, &signature)?;
    refused(Property::WrongKeyId, 1, &other.kid(), message, &forged)?;
    refused(Property::WrongSigner, 0, &kid, message, &forged)?;

    for at in 0..signature.len() {
        let mut other = signature;
        if let Some(byte) = other.get_mut(at) {
            *byte ^= 0x80;
        }
        refused(Property::WrongSignature, at, &kid, message, &other)?;
    }
    for (case, value) in [[0; 32], ORDER, [0xff; 32]].into_iter().enumerate() {
        let (r, s) = halves(&signature);
        for (r, s) in [(value, s), (r, value), (value, value)] {
            refused(Property::WrongSignature, case.wrapping_add(64), &kid, message, &joined(r, s))?;
        }
    }
    invalid_keys(verify)
}

/// Points that are none, with the signature that holds for the point at infinity: R = (s⁻¹ · hash) · G + (s⁻¹ · r) · ∞ is G where
/// s is the hash, so that r has to be the x of G.
#[inline(never)]
fn invalid_keys<V>(verify: &mut V) -> Result<(), Failure>
where
    V: FnMut(&Point, &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
{
    let message = b"any";
    let generator = key_of(&super::keys::GENERATOR)?;
    let x = generator.as_bytes().get(1..33).and_then(|x| x.try_into().ok()).unwrap_or_default();
    let forged = joined(x, Sha256::new(message).finish());
    for (case, point) in INVALID.iter().enumerate() {
        let outcome = verify(point, &KeyId::of_point(point), message, &forged);
        Property::InvalidTrustedKey.require(case, outcome.is_err())?;
    }
    Ok(())
}

/// The identity of the other end. Its private key is published here.
pub(super) fn identity() -> Result<Identity, Failure> {
    Property::Reference.succeeds(0, Identity::from_bytes(&Secret::new([0x2a; 32])))
}

fn halves(signature: &Signature) -> ([u8; 32], [u8; 32]) {
    let (r, s) = signature.split_at(32);
    (r.try_into().unwrap_or_default(), s.try_into().unwrap_or_default())
}

fn joined(r: [u8; 32], s: [u8; 32]) -> Signature {
    let mut signature = [0; 64];
    for (to, from) in signature.iter_mut().zip(r.iter().chain(&s)) {
        *to = *from;
    }
    signature
}

/// With n − s for s.
fn with_other_s(signature: Signature) -> Signature {
    let (r, mut s) = halves(&signature);
    let mut borrow = false;
    for (s, n) in s.iter_mut().zip(&ORDER).rev() {
        let (difference, first) = n.overflowing_sub(*s);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        (*s, borrow) = (difference, first || second);
    }
    joined(r, s)
}
