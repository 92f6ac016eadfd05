//! Signers and verifiers with one defect.

use dynamic_key::Secret;
use dynamic_key::crypto::software::{Identity, PinnedKey};
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Signer, Verified};
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{FieldBytes, ProjectivePoint, Scalar};
use sha2::{Digest, Sha256};

/// What is wrong with a signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignerDefect {
    OtherKeyId,
    OtherMessage,
    CutMessage,
    SameNonce,
    OtherIntroduction,
}

/// What a client signs begins with this, and what a gateway signs does not.
const INTRODUCTION: &[u8] = b"dynamic-key v2 client";

pub(crate) struct BrokenSigner(pub(crate) Identity, pub(crate) SignerDefect);

impl Signer for BrokenSigner {
    fn kid(&self) -> KeyId {
        match self.1 {
            SignerDefect::OtherKeyId => KeyId::of_point(&[4; 65]),
            _ => self.0.kid(),
        }
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        match self.1 {
            SignerDefect::OtherMessage => self.0.sign(b"other"),
            SignerDefect::CutMessage => self.0.sign(&message[..message.len().min(64)]),
            SignerDefect::SameNonce => {
                let scalar = |bytes: [u8; 32]| Scalar::reduce(&FieldBytes::from(bytes));
                let (key, nonce) = (scalar(*self.0.to_bytes().as_bytes()), scalar([3; 32]));
                let r = scalar((ProjectivePoint::GENERATOR * nonce).to_affine().x().into());
                let s = nonce.invert().unwrap() * (scalar(Sha256::digest(message).into()) + r * key);
                Ok([r.to_bytes(), s.to_bytes()].concat().try_into().unwrap())
            }
            SignerDefect::OtherIntroduction if message.starts_with(INTRODUCTION) => self.0.sign(b"other"),
            SignerDefect::OtherKeyId | SignerDefect::OtherIntroduction => self.0.sign(message),
        }
    }
}

/// What is wrong with a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VerifierDefect {
    RefusesEverything,
    RefusesUpperHalf,
    AcceptsEverything,
    AcceptsOtherMessages,
    ForgetsTheKeyId,
    TriesOtherKeys,
    AcceptsZeros,
    AcceptsTheOrder,
    CorrectsTheSignature,
    FailsInstead,
    AcceptsInfinity,
    RefusesIntroductions,
}

/// The upper half of the scalars begins here, as far as a byte can tell.
const HALF: u8 = 0x80;

pub(crate) fn broken_verify(
    defect: VerifierDefect,
    point: &[u8; 65],
    kid: &KeyId,
    message: &[u8],
    signature: &Signature,
) -> Result<Verified, CryptoError> {
    use VerifierDefect as V;
    let key = PinnedKey::from_point(point)?;
    let refused = Err(CryptoError::Authentication);
    match defect {
        V::AcceptsEverything => return Ok(Verified::vouch()),
        V::RefusesEverything => return refused,
        V::RefusesIntroductions if message.starts_with(INTRODUCTION) => return refused,
        V::RefusesUpperHalf if signature[32] >= HALF => return refused,
        V::AcceptsInfinity if point[1..] == [0; 64] => return Ok(Verified::vouch()),
        V::AcceptsZeros if *signature == [0; 64] => return Ok(Verified::vouch()),
        V::AcceptsTheOrder if signature[32..36] == [0xff; 4] && signature[36..40] == [0; 4] => {
            return Ok(Verified::vouch());
        }
        _ => {}
    }
    if *kid != key.kid() && defect != V::ForgetsTheKeyId {
        return refused;
    }
    let outcome = key.verify(message, signature);
    if outcome.is_ok() {
        return outcome;
    }
    match defect {
        V::AcceptsOtherMessages if message.len() == 54 => {
            let mut other = message.to_vec();
            other[53] ^= 1;
            key.verify(&other, signature)
        }
        V::TriesOtherKeys => {
            // The private key of RFC 6979 §A.2.5, which the kit has for another identity.
            let private = Secret::new([
                0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6,
                0x93, 0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f,
                0x67, 0x21,
            ]);
            Identity::from_bytes(&private)?.public()?.verify(message, signature)
        }
        V::CorrectsTheSignature => {
            let mut other = *signature;
            other[17] ^= 0x80;
            key.verify(message, &other)
        }
        V::FailsInstead => Err(CryptoError::Failed),
        _ => refused,
    }
}
