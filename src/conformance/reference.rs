//! Whether the software provider gives the published answers on this machine: what others are held against.

use super::keys::{known, sample};
use super::{Draws, Failure, Property};
use crate::codec::spki::{Group, PublicKey};
#[cfg(feature = "jwe")]
use crate::crypto::KeyWrap;
use crate::crypto::software::{Identity, RawKey, Software, TrafficKey};
use crate::crypto::{Aead, CryptoError, Provider, Signer};
use crate::secret::Secret;
#[cfg(feature = "jwe")]
use core::num::NonZeroU32;

/// The software provider on this machine: SHA-256, HMAC, HKDF, AES-GCM, ECDH and ECDSA against published answers. A target, its
/// flags or its compiler may break it.
///
/// # Errors
/// [`Property::Reference`].
pub fn reference() -> Result<(), Failure> {
    let property = Property::Reference;
    for (case, check) in [hmac, hkdf, aes_128_gcm, aes_256_gcm, ecdh, ecdsa].into_iter().enumerate() {
        let holds = property.succeeds(case, check())?;
        property.require(case, holds)?;
    }
    Ok(())
}

/// A key of HMAC that is shorter than 32 bytes: RFC 2104 §2 appends the zeros anyway.
fn padded(key: &[u8]) -> Secret<32> {
    let mut padded = Secret::zero();
    for (to, from) in padded.as_mut_bytes().iter_mut().zip(key) {
        *to = *from;
    }
    padded
}

/// RFC 4231 §4.2 and §4.3.
#[inline(never)]
fn hmac() -> Result<bool, CryptoError> {
    let mut software = Software::new(Draws::NONE);
    let first = software.mac(&padded(&[0x0b; 20]), &[b"Hi ", b"There"])?;
    let second = software.mac(&padded(b"Jefe"), &[b"what do ya want ", b"for nothing?"])?;
    Ok(first
        == [
            0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b,
            0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7,
        ]
        && second
            == [
                0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75,
                0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec,
                0x38, 0x43,
            ])
}

/// RFC 5869 §A.1, from its PRK on.
#[inline(never)]
fn hkdf() -> Result<bool, CryptoError> {
    let mut software = Software::new(Draws::NONE);
    let prk = software.prk(&Secret::new([
        0x07, 0x77, 0x09, 0x36, 0x2c, 0x2e, 0x32, 0xdf, 0x0d, 0xdc, 0x3f, 0x0d, 0xc4, 0x7b, 0xba, 0x63, 0x90,
        0xb6, 0xc7, 0x3b, 0xb5, 0x0f, 0x9c, 0x31, 0x22, 0xec, 0x84, 0x4a, 0xd7, 0xc2, 0xb3, 0xe5,
    ]))?;
    let mut okm = [0; 42];
    let info = [0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9];
    software.expand_bytes(&prk, &[&info], &mut okm)?;
    Ok(okm
        == [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36, 0x2f, 0x2a,
            0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf,
            0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65,
        ])
}

/// Key, nonce and text zero: test case 2 of the GCM specification.
#[inline(never)]
fn aes_128_gcm() -> Result<bool, CryptoError> {
    let (key, mut text) = (RawKey::new(Aead::Aes128Gcm, &[0; 16])?, [0; 16]);
    let tag = key.seal(&[0; 12], b"", &mut text)?;
    Ok(text
        == [0x03, 0x88, 0xda, 0xce, 0x60, 0xb6, 0xa3, 0x92, 0xf3, 0x28, 0xc2, 0xb9, 0x71, 0xb2, 0xfe, 0x78]
        && tag
            == [
                0xab, 0x6e, 0x47, 0xd4, 0x2c, 0xec, 0x13, 0xbd, 0xf5, 0x3a, 0x67, 0xb2, 0x12, 0x57, 0xbd,
                0xdf,
            ])
}

/// Key, nonce and text zero: test case 14 of the GCM specification.
#[inline(never)]
fn aes_256_gcm() -> Result<bool, CryptoError> {
    let (key, mut text) = (RawKey::new(Aead::Aes256Gcm, &[0; 32])?, [0; 16]);
    let tag = key.seal(&[0; 12], b"", &mut text)?;
    Ok(text
        == [0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18]
        && tag
            == [
                0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9,
                0x19,
            ])
}

/// NIST CAVP, ECC CDH primitive, P-256, count 0.
#[inline(never)]
fn ecdh() -> Result<bool, CryptoError> {
    let mut software = Software::new(Draws::new(&[known::PRIVATE]));
    let peer = PublicKey::p256(known::PEER).map_err(|_| CryptoError::Failed)?;
    let (key, public) = software.generate(Group::P256)?;
    Ok(public.as_bytes() == known::PUBLIC && software.agree(key, &peer)?.as_bytes() == known::Z)
}

/// RFC 6979 §A.2.5, SHA-256, "sample".
#[inline(never)]
fn ecdsa() -> Result<bool, CryptoError> {
    let mut identity = Identity::from_bytes(&Secret::new(sample::PRIVATE))?;
    Ok(identity.sign(b"sample")? == sample::SIGNATURE)
}

/// RFC 7517 §C.2 to §C.5: the content key is the published one, for it encrypts as that does.
#[cfg(feature = "jwe")]
#[inline(never)]
pub(super) fn key_wrap() -> Result<(), Failure> {
    const SALT: &[u8] =
        b"PBES2-HS256+A128KW\0\xd9\x60\x93\x70\x96\x75\x46\xf7\x7f\x08\x9b\x89\xae\x2a\x50\xd7";
    const WRAPPED: [u8; 40] = [
        0x4e, 0xba, 0x97, 0x3b, 0x0b, 0x8d, 0x51, 0xf0, 0xd5, 0xf5, 0x53, 0xd3, 0x35, 0xbc, 0x86, 0xbc, 0x42,
        0x7d, 0x24, 0xc8, 0xde, 0x7c, 0x05, 0x67, 0xf9, 0x34, 0x75, 0xb8, 0x8c, 0x51, 0xf6, 0x9e, 0xa1, 0xb1,
        0x14, 0x21, 0xf5, 0x39, 0x3b, 0x04,
    ];
    const KEY: [u8; 32] = [
        111, 27, 25, 52, 66, 29, 20, 78, 92, 176, 56, 240, 65, 208, 82, 112, 161, 131, 36, 55, 202, 236, 185,
        172, 129, 23, 153, 194, 195, 48, 253, 182,
    ];
    let unwrapped = || {
        let mut software = Software::new(Draws::NONE);
        let iterations = NonZeroU32::new(4096).ok_or(CryptoError::Failed)?;
        let kek = software.pbkdf2(b"Thus from my lips, by yours, my sin is purged.", SALT, iterations)?;
        let key = software.unwrap(kek, &WRAPPED)?;
        let published = RawKey::new(Aead::Aes256Gcm, &KEY)?;
        Ok::<_, CryptoError>(
            key.seal(&[0; 12], b"", &mut [0; 16])? == published.seal(&[0; 12], b"", &mut [0; 16])?,
        )
    };
    Property::Reference.holds(6, unwrapped())
}
