//! Public keys as SubjectPublicKeyInfo, DER (RFC 5280 §4.1, RFC 5480).
//!
//! P-256 is recognised by its whole template, byte for byte: what is not written exactly as we write it is no key. The
//! finite-field groups of RFC 7919, behind the feature `ffdhe`, have three forms (§1).

#[cfg(feature = "ffdhe")]
mod finite_field;

#[cfg(feature = "ffdhe")]
pub(crate) use finite_field::{FFDHE2048_P, FFDHE3072_P};

use super::{
    BufferTooSmall,
    cursor::{Reader, Writer},
};
use core::fmt;

/// Bytes of an uncompressed P-256 point (SEC 1 §2.3.3): 0x04 ‖ x ‖ y.
pub const P256_POINT_LEN: usize = 65;

/// `SEQUENCE { SEQUENCE { id-ecPublicKey, secp256r1 }, BIT STRING { …` up to the point.
const P256_TEMPLATE: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// First byte of an uncompressed point.
const UNCOMPRESSED: u8 = 0x04;

/// Room for the public value of the largest group that is read.
const CAPACITY: usize = if cfg!(feature = "ffdhe") { Group::Ffdhe3072.public_len() } else { P256_POINT_LEN };

/// A group in which a key is agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Group {
    /// NIST P-256 (secp256r1).
    P256,
    /// ffdhe2048 of RFC 7919.
    Ffdhe2048,
    /// ffdhe3072 of RFC 7919.
    Ffdhe3072,
}

impl Group {
    /// Bytes of a public value: the uncompressed point, or y padded to the length of p.
    #[must_use]
    pub const fn public_len(self) -> usize {
        match self {
            Self::P256 => P256_POINT_LEN,
            Self::Ffdhe2048 => 256,
            Self::Ffdhe3072 => 384,
        }
    }

    /// The most bytes of a SubjectPublicKeyInfo that a peer may send: 91, and with the feature `ffdhe` 1195.
    #[cfg(not(feature = "ffdhe"))]
    pub const MAX_SPKI_LEN: usize = Self::P256.spki_len();
    /// The most bytes of a SubjectPublicKeyInfo that a peer may send: 91, and with the feature `ffdhe` 1195.
    #[cfg(feature = "ffdhe")]
    pub const MAX_SPKI_LEN: usize = finite_field::MAX_PEER_LEN;

    /// The most bytes of a SubjectPublicKeyInfo of ours, of any group: 91, and with the feature `ffdhe` 809.
    pub const MAX_OWN_SPKI_LEN: usize =
        if cfg!(feature = "ffdhe") { Self::Ffdhe3072.spki_len() } else { Self::P256.spki_len() };

    /// The most bytes of a SubjectPublicKeyInfo of ours: 91 for P-256, always; with the feature `ffdhe` 553 for ffdhe2048
    /// and 809 for ffdhe3072, one or more less for a small y.
    #[must_use]
    pub const fn spki_len(self) -> usize {
        match self {
            Self::P256 => P256_TEMPLATE.len().wrapping_add(P256_POINT_LEN),
            #[cfg(feature = "ffdhe")]
            Self::Ffdhe2048 | Self::Ffdhe3072 => finite_field::longest(self),
            // No constructor makes such a key.
            #[cfg(not(feature = "ffdhe"))]
            Self::Ffdhe2048 | Self::Ffdhe3072 => 0,
        }
    }
}

/// A public key: a group and a public value of its length.
///
/// # Security
///
/// Whether a point is on the curve, or y within its bounds, is for the provider to check when it agrees.
#[derive(Clone, Copy)]
pub struct PublicKey {
    group: Group,
    value: [u8; CAPACITY],
}

/// A SubjectPublicKeyInfo is not one that we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SpkiError {
    /// Not exactly the encoding of a key of a group that we know.
    Unrecognised,
}

impl fmt::Display for SpkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the public key is not the exact DER of a key of a known group")
    }
}

impl core::error::Error for SpkiError {}

impl PublicKey {
    /// A P-256 key from its uncompressed point, 0x04 ‖ x ‖ y.
    ///
    /// # Errors
    ///
    /// [`SpkiError::Unrecognised`] where the first byte is not 0x04.
    pub fn p256(point: [u8; P256_POINT_LEN]) -> Result<Self, SpkiError> {
        if point[0] != UNCOMPRESSED {
            return Err(SpkiError::Unrecognised);
        }
        Self::new(Group::P256, &point).ok_or(SpkiError::Unrecognised)
    }

    /// A finite-field key from y, big-endian and padded to the length of p.
    ///
    /// # Errors
    ///
    /// [`SpkiError::Unrecognised`] for P-256 and for another length.
    #[cfg(feature = "ffdhe")]
    pub fn finite_field(group: Group, y: &[u8]) -> Result<Self, SpkiError> {
        if group == Group::P256 || y.len() != group.public_len() {
            return Err(SpkiError::Unrecognised);
        }
        Self::new(group, y).ok_or(SpkiError::Unrecognised)
    }

    /// The group.
    #[must_use]
    pub const fn group(&self) -> Group {
        self.group
    }

    /// The public value, [`Group::public_len`] bytes: for P-256 the uncompressed point, for a finite field y.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.value.get(..self.group.public_len()).unwrap_or_default()
    }

    /// Reads the DER of a SubjectPublicKeyInfo: for P-256 exactly the 91 bytes that [`PublicKey::write_spki`]
    /// writes. With the feature `ffdhe` also PKCS #3's `dhKeyAgreement` with p and g of a group, with or without
    /// `privateValueLength`, and X9.42's `dhPublicNumber` with exactly its p, g and q.
    ///
    /// # Errors
    ///
    /// [`SpkiError::Unrecognised`] for everything else: other groups, parameters or encodings, compressed
    /// points, bytes behind the key.
    pub fn from_spki(der: &[u8]) -> Result<Self, SpkiError> {
        let key = p256_from_spki(der);
        #[cfg(feature = "ffdhe")]
        let key = key.or_else(|| finite_field::read(der));
        key.ok_or(SpkiError::Unrecognised)
    }

    /// Bytes that [`PublicKey::write_spki`] writes.
    #[must_use]
    pub fn spki_len(&self) -> usize {
        match self.group {
            Group::P256 => Group::P256.spki_len(),
            #[cfg(feature = "ffdhe")]
            Group::Ffdhe2048 | Group::Ffdhe3072 => finite_field::len(self),
            #[cfg(not(feature = "ffdhe"))]
            Group::Ffdhe2048 | Group::Ffdhe3072 => 0,
        }
    }

    /// Writes the DER of a SubjectPublicKeyInfo: 91 bytes for P-256; for a finite field PKCS #3's form without
    /// `privateValueLength`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] where `out` is shorter than [`PublicKey::spki_len`].
    pub fn write_spki<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], BufferTooSmall> {
        let mut out = Writer::new(out);
        match self.group {
            Group::P256 => {
                out.put(&P256_TEMPLATE);
                out.put(self.as_bytes());
            }
            #[cfg(feature = "ffdhe")]
            Group::Ffdhe2048 | Group::Ffdhe3072 => finite_field::put(self, &mut out),
            #[cfg(not(feature = "ffdhe"))]
            Group::Ffdhe2048 | Group::Ffdhe3072 => {}
        }
        out.finish_slice()
    }

    /// The value 0, to be written through [`PublicKey::as_mut_bytes`].
    /// The P-256 key at these coordinates, which the caller has checked or computed.
    pub(crate) fn of_coordinates(x: &[u8; 32], y: &[u8; 32]) -> Self {
        let mut key = Self::zero(Group::P256);
        let coordinates = [UNCOMPRESSED].iter().chain(x).chain(y);
        for (to, from) in key.value.iter_mut().zip(coordinates) {
            *to = *from;
        }
        key
    }

    pub(crate) const fn zero(group: Group) -> Self {
        Self { group, value: [0; CAPACITY] }
    }

    /// The public value, to be written.
    pub(crate) fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.value.get_mut(..self.group.public_len()).unwrap_or_default()
    }

    /// A key of `group` whose value is `public` after as many zeros as it takes.
    fn new(group: Group, public: &[u8]) -> Option<Self> {
        let mut key = Self::zero(group);
        let zeros = group.public_len().checked_sub(public.len())?;
        key.as_mut_bytes().get_mut(zeros..)?.copy_from_slice(public);
        Some(key)
    }
}

fn p256_from_spki(der: &[u8]) -> Option<PublicKey> {
    let mut der = Reader::new(der);
    der.expect(&P256_TEMPLATE)?;
    let point = der.array()?;
    if !der.is_empty() {
        return None;
    }
    PublicKey::p256(*point).ok()
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.group == other.group && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, ", self.group)?;
        for byte in self.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for PublicKey {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "PublicKey({}, {=[u8]:02x})", self.group, self.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::base64;
    use std::{format, vec::Vec};

    /// The generator of P-256 (SEC 2 §2.4.2), so that the curve crate accepts it.
    const POINT: [u8; 65] = [
        0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
        0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
        0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce,
        0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
    ];

    fn der() -> Vec<u8> {
        let mut out = [0; 91];
        PublicKey::p256(POINT).unwrap().write_spki(&mut out).unwrap().to_vec()
    }

    #[test]
    fn round_trip() {
        let key = PublicKey::from_spki(&der()).unwrap();
        assert_eq!(key, PublicKey::p256(POINT).unwrap());
        assert_eq!(key.group(), Group::P256);
        assert_eq!(key.as_bytes(), POINT);
        assert_eq!(key.spki_len(), 91);
        assert!(format!("{key:?}").starts_with("PublicKey(P256, 046b17"));
    }

    #[test]
    fn reads_and_writes_what_openssl_writes() {
        // openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -outform DER | base64
        let text = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE060afjOcO9orAYEPBSEdq0uvMuZ1\
                    O+xuF6s0uy+nw3L+LEdezw/GRm4tQTYNBeq0yt40W6JNPR+eOghM6DD7mA==";
        let mut der = [0; 91];
        let der = base64::decode(text.as_bytes(), &mut der).unwrap();
        let key = PublicKey::from_spki(der).unwrap();
        assert_eq!(key.as_bytes(), &der[26..]);
        let mut out = [0; 91];
        assert_eq!(key.write_spki(&mut out), Ok(der));
    }

    #[test]
    fn every_flipped_byte_of_the_template_and_every_cut_is_refused() {
        let der = der();
        for at in 0..27 {
            for bit in 0..8 {
                let mut other = der.clone();
                other[at] ^= 1 << bit;
                assert_eq!(PublicKey::from_spki(&other), Err(SpkiError::Unrecognised), "{at}");
            }
        }
        for len in 0..der.len() {
            assert_eq!(PublicKey::from_spki(&der[..len]), Err(SpkiError::Unrecognised), "{len}");
        }
        let longer = [&der[..], &[0]].concat();
        assert_eq!(PublicKey::from_spki(&longer), Err(SpkiError::Unrecognised));
    }

    #[test]
    fn other_points_are_other_keys() {
        let mut other = POINT;
        other[64] ^= 1;
        assert_ne!(PublicKey::p256(other).unwrap(), PublicKey::p256(POINT).unwrap());
        for first in (0..=u8::MAX).filter(|&first| first != 4) {
            other[0] = first;
            assert_eq!(PublicKey::p256(other), Err(SpkiError::Unrecognised));
        }
    }

    #[test]
    fn needed_is_exact() {
        let key = PublicKey::p256(POINT).unwrap();
        let mut out = [0; 91];
        for len in 0..91 {
            assert_eq!(key.write_spki(&mut out[..len]), Err(BufferTooSmall { needed: 91 }));
        }
        assert_eq!(key.write_spki(&mut out).unwrap().len(), 91);
    }
}
