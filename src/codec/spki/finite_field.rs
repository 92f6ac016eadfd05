//! Public keys of the finite-field groups of RFC 7919 as SubjectPublicKeyInfo: PKCS #3 `dhKeyAgreement` (RFC 3279 §2.3.3 has the
//! frame) and X9.42 `dhPublicNumber`.
//!
//! What is read is DER to the byte: each length and each integer in its only form, nothing after what belongs there.

use super::{Group, PublicKey};
use crate::codec::cursor::{Reader, Writer};

/// p of ffdhe2048, RFC 7919 appendix A.1.
pub(crate) const FFDHE2048_P: [u8; 256] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xad, 0xf8, 0x54, 0x58, 0xa2, 0xbb, 0x4a, 0x9a, 0xaf,
    0xdc, 0x56, 0x20, 0x27, 0x3d, 0x3c, 0xf1, 0xd8, 0xb9, 0xc5, 0x83, 0xce, 0x2d, 0x36, 0x95, 0xa9, 0xe1,
    0x36, 0x41, 0x14, 0x64, 0x33, 0xfb, 0xcc, 0x93, 0x9d, 0xce, 0x24, 0x9b, 0x3e, 0xf9, 0x7d, 0x2f, 0xe3,
    0x63, 0x63, 0x0c, 0x75, 0xd8, 0xf6, 0x81, 0xb2, 0x02, 0xae, 0xc4, 0x61, 0x7a, 0xd3, 0xdf, 0x1e, 0xd5,
    0xd5, 0xfd, 0x65, 0x61, 0x24, 0x33, 0xf5, 0x1f, 0x5f, 0x06, 0x6e, 0xd0, 0x85, 0x63, 0x65, 0x55, 0x3d,
    0xed, 0x1a, 0xf3, 0xb5, 0x57, 0x13, 0x5e, 0x7f, 0x57, 0xc9, 0x35, 0x98, 0x4f, 0x0c, 0x70, 0xe0, 0xe6,
    0x8b, 0x77, 0xe2, 0xa6, 0x89, 0xda, 0xf3, 0xef, 0xe8, 0x72, 0x1d, 0xf1, 0x58, 0xa1, 0x36, 0xad, 0xe7,
    0x35, 0x30, 0xac, 0xca, 0x4f, 0x48, 0x3a, 0x79, 0x7a, 0xbc, 0x0a, 0xb1, 0x82, 0xb3, 0x24, 0xfb, 0x61,
    0xd1, 0x08, 0xa9, 0x4b, 0xb2, 0xc8, 0xe3, 0xfb, 0xb9, 0x6a, 0xda, 0xb7, 0x60, 0xd7, 0xf4, 0x68, 0x1d,
    0x4f, 0x42, 0xa3, 0xde, 0x39, 0x4d, 0xf4, 0xae, 0x56, 0xed, 0xe7, 0x63, 0x72, 0xbb, 0x19, 0x0b, 0x07,
    0xa7, 0xc8, 0xee, 0x0a, 0x6d, 0x70, 0x9e, 0x02, 0xfc, 0xe1, 0xcd, 0xf7, 0xe2, 0xec, 0xc0, 0x34, 0x04,
    0xcd, 0x28, 0x34, 0x2f, 0x61, 0x91, 0x72, 0xfe, 0x9c, 0xe9, 0x85, 0x83, 0xff, 0x8e, 0x4f, 0x12, 0x32,
    0xee, 0xf2, 0x81, 0x83, 0xc3, 0xfe, 0x3b, 0x1b, 0x4c, 0x6f, 0xad, 0x73, 0x3b, 0xb5, 0xfc, 0xbc, 0x2e,
    0xc2, 0x20, 0x05, 0xc5, 0x8e, 0xf1, 0x83, 0x7d, 0x16, 0x83, 0xb2, 0xc6, 0xf3, 0x4a, 0x26, 0xc1, 0xb2,
    0xef, 0xfa, 0x88, 0x6b, 0x42, 0x38, 0x61, 0x28, 0x5c, 0x97, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff,
];

/// p of ffdhe3072, RFC 7919 appendix A.2.
pub(crate) const FFDHE3072_P: [u8; 384] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xad, 0xf8, 0x54, 0x58, 0xa2, 0xbb, 0x4a, 0x9a, 0xaf,
    0xdc, 0x56, 0x20, 0x27, 0x3d, 0x3c, 0xf1, 0xd8, 0xb9, 0xc5, 0x83, 0xce, 0x2d, 0x36, 0x95, 0xa9, 0xe1,
    0x36, 0x41, 0x14, 0x64, 0x33, 0xfb, 0xcc, 0x93, 0x9d, 0xce, 0x24, 0x9b, 0x3e, 0xf9, 0x7d, 0x2f, 0xe3,
    0x63, 0x63, 0x0c, 0x75, 0xd8, 0xf6, 0x81, 0xb2, 0x02, 0xae, 0xc4, 0x61, 0x7a, 0xd3, 0xdf, 0x1e, 0xd5,
    0xd5, 0xfd, 0x65, 0x61, 0x24, 0x33, 0xf5, 0x1f, 0x5f, 0x06, 0x6e, 0xd0, 0x85, 0x63, 0x65, 0x55, 0x3d,
    0xed, 0x1a, 0xf3, 0xb5, 0x57, 0x13, 0x5e, 0x7f, 0x57, 0xc9, 0x35, 0x98, 0x4f, 0x0c, 0x70, 0xe0, 0xe6,
    0x8b, 0x77, 0xe2, 0xa6, 0x89, 0xda, 0xf3, 0xef, 0xe8, 0x72, 0x1d, 0xf1, 0x58, 0xa1, 0x36, 0xad, 0xe7,
    0x35, 0x30, 0xac, 0xca, 0x4f, 0x48, 0x3a, 0x79, 0x7a, 0xbc, 0x0a, 0xb1, 0x82, 0xb3, 0x24, 0xfb, 0x61,
    0xd1, 0x08, 0xa9, 0x4b, 0xb2, 0xc8, 0xe3, 0xfb, 0xb9, 0x6a, 0xda, 0xb7, 0x60, 0xd7, 0xf4, 0x68, 0x1d,
    0x4f, 0x42, 0xa3, 0xde, 0x39, 0x4d, 0xf4, 0xae, 0x56, 0xed, 0xe7, 0x63, 0x72, 0xbb, 0x19, 0x0b, 0x07,
    0xa7, 0xc8, 0xee, 0x0a, 0x6d, 0x70, 0x9e, 0x02, 0xfc, 0xe1, 0xcd, 0xf7, 0xe2, 0xec, 0xc0, 0x34, 0x04,
    0xcd, 0x28, 0x34, 0x2f, 0x61, 0x91, 0x72, 0xfe, 0x9c, 0xe9, 0x85, 0x83, 0xff, 0x8e, 0x4f, 0x12, 0x32,
    0xee, 0xf2, 0x81, 0x83, 0xc3, 0xfe, 0x3b, 0x1b, 0x4c, 0x6f, 0xad, 0x73, 0x3b, 0xb5, 0xfc, 0xbc, 0x2e,
    0xc2, 0x20, 0x05, 0xc5, 0x8e, 0xf1, 0x83, 0x7d, 0x16, 0x83, 0xb2, 0xc6, 0xf3, 0x4a, 0x26, 0xc1, 0xb2,
    0xef, 0xfa, 0x88, 0x6b, 0x42, 0x38, 0x61, 0x1f, 0xcf, 0xdc, 0xde, 0x35, 0x5b, 0x3b, 0x65, 0x19, 0x03,
    0x5b, 0xbc, 0x34, 0xf4, 0xde, 0xf9, 0x9c, 0x02, 0x38, 0x61, 0xb4, 0x6f, 0xc9, 0xd6, 0xe6, 0xc9, 0x07,
    0x7a, 0xd9, 0x1d, 0x26, 0x91, 0xf7, 0xf7, 0xee, 0x59, 0x8c, 0xb0, 0xfa, 0xc1, 0x86, 0xd9, 0x1c, 0xae,
    0xfe, 0x13, 0x09, 0x85, 0x13, 0x92, 0x70, 0xb4, 0x13, 0x0c, 0x93, 0xbc, 0x43, 0x79, 0x44, 0xf4, 0xfd,
    0x44, 0x52, 0xe2, 0xd7, 0x4d, 0xd3, 0x64, 0xf2, 0xe2, 0x1e, 0x71, 0xf5, 0x4b, 0xff, 0x5c, 0xae, 0x82,
    0xab, 0x9c, 0x9d, 0xf6, 0x9e, 0xe8, 0x6d, 0x2b, 0xc5, 0x22, 0x36, 0x3a, 0x0d, 0xab, 0xc5, 0x21, 0x97,
    0x9b, 0x0d, 0xea, 0xda, 0x1d, 0xbf, 0x9a, 0x42, 0xd5, 0xc4, 0x48, 0x4e, 0x0a, 0xbc, 0xd0, 0x6b, 0xfa,
    0x53, 0xdd, 0xef, 0x3c, 0x1b, 0x20, 0xee, 0x3f, 0xd5, 0x9d, 0x7c, 0x25, 0xe4, 0x1d, 0x2b, 0x66, 0xc6,
    0x2e, 0x37, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// g of both groups.
const GENERATOR: &[u8] = &[2];

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// `dhKeyAgreement`, 1.2.840.113549.1.3.1 (PKCS #3).
const DH_KEY_AGREEMENT: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01];
/// `dhPublicNumber`, 1.2.840.10046.2.1 (X9.42).
const DH_PUBLIC_NUMBER: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3e, 0x02, 0x01];

/// The most bytes of a key that a peer may send: ffdhe3072 in the X9.42 form, with a y as long as p.
pub(super) const MAX_PEER_LEN: usize = {
    let [p, q] = [integer_len(384, true), integer_len(384, false)];
    let parameters = element_len(p.wrapping_add(G_LEN).wrapping_add(q));
    let algorithm = element_len(element_len(DH_PUBLIC_NUMBER.len()).wrapping_add(parameters));
    element_len(algorithm.wrapping_add(element_len(p.wrapping_add(1))))
};

/// Bytes of g as INTEGER.
const G_LEN: usize = integer_len(GENERATOR.len(), false);

/// Bytes of an element with `contents` bytes in it.
const fn element_len(contents: usize) -> usize {
    let header = match contents {
        0..=0x7f => 2,
        0x80..=0xff => 3,
        _ => 4, // the longest is far below 64 KiB
    };
    contents.wrapping_add(header)
}

/// Bytes of an INTEGER of `magnitude` bytes, of which the first is not 0 and `has_top_bit` or not.
const fn integer_len(magnitude: usize, has_top_bit: bool) -> usize {
    element_len(magnitude.wrapping_add(has_top_bit as usize))
}

fn put_header(out: &mut Writer<'_>, tag: u8, contents: usize) {
    let [high, low] = (contents as u16).to_be_bytes();
    match contents {
        0..=0x7f => out.put(&[tag, low]),
        0x80..=0xff => out.put(&[tag, 0x81, low]),
        _ => out.put(&[tag, 0x82, high, low]),
    }
}

fn has_top_bit(magnitude: &[u8]) -> bool {
    magnitude.first().is_some_and(|first| first & 0x80 != 0)
}

fn put_integer(out: &mut Writer<'_>, magnitude: &[u8]) {
    let positive: &[u8] = if has_top_bit(magnitude) { &[0] } else { &[] };
    put_header(out, INTEGER, magnitude.len().wrapping_add(positive.len()));
    out.put(positive);
    out.put(magnitude);
}

/// p, big-endian.
const fn prime(group: Group) -> Option<&'static [u8]> {
    match group {
        Group::P256 => None,
        Group::Ffdhe2048 => Some(&FFDHE2048_P),
        Group::Ffdhe3072 => Some(&FFDHE3072_P),
    }
}

/// The bytes of y that are written: without zeros in front, but at least one.
fn magnitude(y: &[u8]) -> &[u8] {
    let zeros = y.iter().take_while(|byte| **byte == 0).count();
    y.get(zeros.min(y.len().saturating_sub(1))..).unwrap_or_default()
}

/// Bytes of PKCS #3 parameters.
const fn parameters_len(group: Group) -> usize {
    element_len(integer_len(group.public_len(), true).wrapping_add(G_LEN))
}

/// Bytes of an AlgorithmIdentifier of ours.
const fn algorithm_len(group: Group) -> usize {
    element_len(element_len(DH_KEY_AGREEMENT.len()).wrapping_add(parameters_len(group)))
}

/// Bytes of a key of ours whose y is an INTEGER of `y` bytes.
const fn spki_len(group: Group, y: usize) -> usize {
    element_len(algorithm_len(group).wrapping_add(element_len(y.wrapping_add(1))))
}

/// The most bytes of a key of ours.
pub(super) const fn longest(group: Group) -> usize {
    spki_len(group, integer_len(group.public_len(), true))
}

/// Bytes of `key` as it is written.
pub(super) fn len(key: &PublicKey) -> usize {
    let y = magnitude(key.as_bytes());
    spki_len(key.group(), integer_len(y.len(), has_top_bit(y)))
}

/// Puts `key` in PKCS #3's form, without `privateValueLength`.
pub(super) fn put(key: &PublicKey, out: &mut Writer<'_>) {
    let Some(p) = prime(key.group()) else { return };
    let (group, y) = (key.group(), magnitude(key.as_bytes()));
    let y_len = integer_len(y.len(), has_top_bit(y));
    let bits = y_len.wrapping_add(1);
    put_header(out, SEQUENCE, algorithm_len(group).wrapping_add(element_len(bits)));
    put_header(out, SEQUENCE, element_len(DH_KEY_AGREEMENT.len()).wrapping_add(parameters_len(group)));
    put_header(out, OBJECT_IDENTIFIER, DH_KEY_AGREEMENT.len());
    out.put(DH_KEY_AGREEMENT);
    put_header(out, SEQUENCE, integer_len(p.len(), true).wrapping_add(G_LEN));
    put_integer(out, p);
    put_integer(out, GENERATOR);
    put_header(out, BIT_STRING, bits);
    out.put(&[0]); // unused bits
    put_integer(out, y);
}

/// The contents of the next element, which has this tag, and a length in its only form.
fn element<'a>(der: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    der.expect(&[tag])?;
    let len = match der.byte()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(der.byte()?).checked_sub(0x80)?.saturating_add(0x80),
        0x82 => usize::from(u16::from_be_bytes(*der.array()?)).checked_sub(0x100)?.saturating_add(0x100),
        _ => return None, // indefinite, longer than any key, or of a longer form than it needs
    };
    der.take(len)
}

/// The magnitude of the next INTEGER, which is not negative and has no byte too many; that of 0 is one byte.
fn integer<'a>(der: &mut Reader<'a>) -> Option<&'a [u8]> {
    match element(der, INTEGER)? {
        [0] => Some(&[0]),
        [0, magnitude @ ..] if has_top_bit(magnitude) => Some(magnitude),
        [0, ..] | [] => None,
        magnitude => Some(magnitude).filter(|magnitude| !has_top_bit(magnitude)),
    }
}

/// Whether `q` is (p−1)/2, for an odd p with its top bit set.
fn is_half(q: &[u8], p: &[u8]) -> bool {
    let carries = core::iter::once(&0).chain(p);
    q.len() == p.len() && q.iter().zip(p).zip(carries).all(|((q, p), above)| *q == p >> 1 | above << 7)
}

/// `privateValueLength`: bits of an exponent, so from 1 to those of p (PKCS #3 §9).
fn is_private_value_length(length: &[u8], p: &[u8]) -> bool {
    let bits = match *length {
        [low] => u16::from(low),
        [high, low] => u16::from_be_bytes([high, low]),
        _ => return false,
    };
    (1..=p.len().saturating_mul(8)).contains(&usize::from(bits))
}

/// Whether an AlgorithmIdentifier's contents are those of a group whose prime is `p`, in one of the three forms.
fn is_algorithm(contents: &[u8], p: &[u8]) -> Option<()> {
    let mut contents = Reader::new(contents);
    let form = element(&mut contents, OBJECT_IDENTIFIER)?;
    let mut parameters = Reader::new(element(&mut contents, SEQUENCE)?);
    let group = integer(&mut parameters)? == p && integer(&mut parameters)? == GENERATOR;
    let rest = match form {
        DH_KEY_AGREEMENT => parameters.is_empty() || is_private_value_length(integer(&mut parameters)?, p),
        DH_PUBLIC_NUMBER => is_half(integer(&mut parameters)?, p),
        _ => false,
    };
    (group && rest && contents.is_empty() && parameters.is_empty()).then_some(())
}

/// Reads the key that fills `der`.
pub(super) fn read(der: &[u8]) -> Option<PublicKey> {
    let mut whole = Reader::new(der);
    let mut der = Reader::new(element(&mut whole, SEQUENCE)?);
    let (algorithm, bits) = (element(&mut der, SEQUENCE)?, element(&mut der, BIT_STRING)?);
    let mut bits = Reader::new(bits);
    bits.expect(&[0])?; // unused bits
    let y = integer(&mut bits)?;
    if !whole.is_empty() || !der.is_empty() || !bits.is_empty() {
        return None;
    }
    let of = |group| is_algorithm(algorithm, prime(group)?).map(|()| group);
    let group = [Group::Ffdhe2048, Group::Ffdhe3072].into_iter().find_map(of)?;
    PublicKey::new(group, y)
}

#[cfg(test)]
mod tests {
    use super::super::SpkiError;
    use super::*;
    use crate::codec::BufferTooSmall;
    use std::vec::Vec;
    use std::{format, vec};

    const GROUPS: [Group; 2] = [Group::Ffdhe2048, Group::Ffdhe3072];

    fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
        let contents = contents.concat();
        let mut header = [0; 4];
        let mut out = Writer::new(&mut header);
        put_header(&mut out, tag, contents.len());
        [out.finish_slice().unwrap(), &contents].concat()
    }

    fn integer(magnitude: &[u8]) -> Vec<u8> {
        let zero: &[u8] = if magnitude[0] >= 0x80 { &[0] } else { &[] };
        element(INTEGER, &[zero, magnitude])
    }

    /// The three forms of a key.
    fn forms(group: Group, y: &[u8]) -> [Vec<u8>; 3] {
        let p = prime(group).unwrap();
        let q: Vec<u8> =
            p.iter().zip(core::iter::once(&0).chain(p)).map(|(p, above)| p >> 1 | above << 7).collect();
        let of = |oid: &[u8], more: &[u8]| {
            let parameters = element(SEQUENCE, &[&integer(p), &integer(GENERATOR), more]);
            let algorithm = element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[oid]), &parameters]);
            element(SEQUENCE, &[&algorithm, &element(BIT_STRING, &[&[0], &integer(y)])])
        };
        [
            of(DH_KEY_AGREEMENT, &[]),
            of(DH_KEY_AGREEMENT, &[2, 2, 0, 0xe1]),
            of(DH_PUBLIC_NUMBER, &integer(&q)),
        ]
    }

    #[test]
    fn all_forms_of_each_group_are_one_key() {
        for group in GROUPS {
            let long = vec![0xc3; group.public_len()];
            for y in [&[2][..], &[0x80], &[0x7f; 100], &[0x80; 200], &long[1..], &long] {
                let forms = forms(group, y);
                let keys = forms.each_ref().map(|der| PublicKey::from_spki(der).unwrap());
                assert!(keys[0] == keys[1] && keys[0] == keys[2]);
                assert_eq!(keys[0].group(), group);
                assert_eq!(keys[0].as_bytes().strip_suffix(y).unwrap().iter().max().unwrap_or(&0), &0);
                let needed = forms[0].len();
                assert_eq!(keys[0].spki_len(), needed);
                let mut out = vec![0; needed];
                assert_eq!(keys[2].write_spki(&mut out).unwrap(), forms[0]);
                assert_eq!(keys[2].write_spki(&mut out[1..]), Err(BufferTooSmall { needed }));
                assert!(format!("{:?}", keys[0]).starts_with("PublicKey(Ffdhe"));
            }
            let [pkcs3, _, x942] = forms(group, &long);
            assert_eq!(pkcs3.len(), group.spki_len());
            assert!(x942.len() <= Group::MAX_SPKI_LEN && pkcs3.len() <= Group::MAX_OWN_SPKI_LEN);
        }
        assert_eq!(GROUPS.map(Group::spki_len), [553, 809]);
        assert_eq!((Group::MAX_SPKI_LEN, Group::MAX_OWN_SPKI_LEN), (1195, 809));
    }

    /// All but y and the bits of `privateValueLength` stands fast.
    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        for group in GROUPS {
            let y = vec![0x5a; 20];
            for der in forms(group, &y) {
                let end = der.len() - y.len();
                let length = der.windows(4).position(|window| window == [2, 2, 0, 0xe1]);
                for at in (0..end)
                    .filter(|at| length.is_none_or(|length| ![2, 3].contains(&(at.wrapping_sub(length)))))
                {
                    for bit in 0..8 {
                        let mut other = der.clone();
                        other[at] ^= 1 << bit;
                        assert_eq!(PublicKey::from_spki(&other), Err(SpkiError::Unrecognised), "{at}");
                    }
                }
                for len in 0..der.len() {
                    assert_eq!(PublicKey::from_spki(&der[..len]), Err(SpkiError::Unrecognised), "{len}");
                }
                assert_eq!(PublicKey::from_spki(&[&der[..], &[0]].concat()), Err(SpkiError::Unrecognised));
            }
        }
    }

    #[test]
    fn what_makes_no_key() {
        let y = [1; 256];
        assert!(PublicKey::finite_field(Group::Ffdhe2048, &y).is_ok());
        for (group, y) in [(Group::Ffdhe3072, &y[..]), (Group::Ffdhe2048, &y[1..]), (Group::P256, &y[..65])] {
            assert_eq!(PublicKey::finite_field(group, y), Err(SpkiError::Unrecognised));
        }
    }
}
