//! Tests of base64.

use super::*;
use base64ct::Base64;
use std::{vec, vec::Vec};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in which every value turns up beside every other.
fn bytes(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(0x915f_77f5).wrapping_add(0x3c6e_f35f);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn encoded(input: &[u8]) -> Vec<u8> {
    let mut out = vec![0; encoded_len(input.len())];
    encode(input, &mut out).unwrap().as_bytes().to_vec()
}

#[test]
fn rfc_4648_vectors() {
    for (plain, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(encoded(plain.as_bytes()), text.as_bytes());
        let mut out = [0; 6];
        assert_eq!(decode(text.as_bytes(), &mut out), Ok(plain.as_bytes()));
        let mut out = [0; 8];
        let url = text.trim_end_matches('=');
        assert_eq!(url_encode(plain.as_bytes(), &mut out), Ok(url));
        let mut out = [0; 6];
        assert_eq!(url_decode(url.as_bytes(), &mut out), Ok(plain.as_bytes()));
    }
}

/// Both ways of turning a chunk.
macro_rules! kernel_knows_the_alphabet {
    ($kernel:ident) => {
        #[test]
        fn $kernel() {
            use super::$kernel::{
                BYTES, CHARACTERS, Judge, of_bytes, of_characters, put_bytes, put_characters,
            };
            let encode = |bytes: &[u8; BYTES]| {
                let mut text = [0; CHARACTERS];
                put_characters(&of_bytes(bytes), &mut text);
                text
            };
            let decode = |text: &[u8; CHARACTERS], judge: &mut Judge| {
                let mut bytes = [0; BYTES];
                put_bytes(&of_characters(text, judge), &mut bytes);
                bytes
            };
            // Every six bits at every place, beside others.
            for first in 0..64 {
                let six = |at: usize| (first + at * 5) % 64;
                let text: [u8; CHARACTERS] = core::array::from_fn(|at| ALPHABET[six(at)]);
                let bytes: [u8; BYTES] = core::array::from_fn(|at| {
                    let of = |at: usize| six(at) << (18 - at % 4 * 6);
                    let group = at / 3 * 4;
                    let joined = of(group) | of(group + 1) | of(group + 2) | of(group + 3);
                    (joined >> (16 - at % 3 * 8)) as u8
                });
                assert_eq!(encode(&bytes), text);
                let mut judge = Judge::new();
                assert_eq!(decode(&text, &mut judge), bytes);
                assert_eq!(judge.verdict(), Ok(()));
            }
            // Every byte at every place.
            for at in 0..CHARACTERS {
                for byte in 0..=u8::MAX {
                    let mut text = [b'z'; CHARACTERS];
                    text[at] = byte;
                    let mut judge = Judge::new();
                    let bytes = decode(&text, &mut judge);
                    assert_eq!(judge.verdict().is_ok(), ALPHABET.contains(&byte), "{at} {byte}");
                    assert!(judge.verdict().is_err() || encode(&bytes) == text, "{at} {byte}");
                }
            }
            // A verdict stands, whatever comes behind.
            for byte in 1..=u8::MAX {
                let mut judge = Judge::new();
                judge.must_be_zero(0);
                assert_eq!(judge.verdict(), Ok(()));
                judge.must_be_zero(byte);
                judge.must_be_zero(0);
                decode(&[b'A'; CHARACTERS], &mut judge);
                assert_eq!(judge.verdict(), Err(Base64Error::Malformed));
            }
        }
    };
}

kernel_knows_the_alphabet!(vectors);
kernel_knows_the_alphabet!(words);

#[test]
fn every_length_round_trips_and_agrees_with_base64ct() {
    for len in 0..=300 {
        let plain = bytes(len, 7);
        let text = encoded(&plain);
        let mut buffer = vec![0; encoded_len(len)];
        assert_eq!(text, Base64::encode(&plain, &mut buffer).unwrap().as_bytes());
        let mut out = vec![0; len];
        assert_eq!(decode(&text, &mut out), Ok(&plain[..]));

        let mut url = vec![0; url_encoded_len(len)];
        let url = url_encode(&plain, &mut url).unwrap().as_bytes();
        let padded = text.iter().map(|c| match c {
            b'+' => b'-',
            b'/' => b'_',
            c => *c,
        });
        assert!(url.iter().copied().eq(padded.take_while(|c| *c != b'=')));
        let mut secret = vec![0; url_encoded_len(len)];
        assert_eq!(url_encode_secret(&plain, &mut secret).unwrap().as_bytes(), url);
        let mut out = vec![0; len];
        assert_eq!(url_decode(url, &mut out), Ok(&plain[..]));
        assert_eq!(url_decode_secret(url, &mut out), Ok(&plain[..]));
    }
}

#[test]
fn in_place_agrees_with_the_copy() {
    for len in 0..=200 {
        let plain = bytes(len, 11);
        let text = encoded(&plain);
        for at in [0, 1, 2, 3, 17, 47, 48, 64, 300] {
            let needed = (at + text.len()).max(len);
            let mut buffer = vec![b'#'; needed + 1];
            buffer[..len].copy_from_slice(&plain);
            assert_eq!(encode_in_place(&mut buffer, len, at), Ok(at + text.len()), "{len} {at}");
            assert_eq!(&buffer[at..at + text.len()], text, "{len} {at}");
            assert_eq!(buffer[needed], b'#');
            for room in 0..needed {
                let before = buffer.clone();
                let error = encode_in_place(&mut buffer[..room], len, at);
                assert_eq!(error, Err(BufferTooSmall { needed }));
                assert_eq!(buffer, before);
            }
        }
        let mut buffer = text.clone();
        assert_eq!(decode_in_place(&mut buffer), Ok(len));
        assert_eq!(&buffer[..len], plain);
    }
    let mut buffer = [0; 8];
    let needed = usize::MAX;
    assert_eq!(encode_in_place(&mut buffer, 8, usize::MAX), Err(BufferTooSmall { needed }));
    assert_eq!(encode_in_place(&mut buffer, usize::MAX, 0), Err(BufferTooSmall { needed }));
}

#[test]
fn every_corrupted_character_is_judged_as_base64ct_does() {
    for len in [1, 2, 3, 4, 46, 47, 48, 49, 97] {
        let text = encoded(&bytes(len, 3));
        for at in 0..text.len() {
            for other in 0..=u8::MAX {
                let mut changed = text.clone();
                changed[at] = other;
                let mut expected = vec![0; len + 2];
                let expected = Base64::decode(&changed, &mut expected).ok();
                let mut out = vec![0; len + 2];
                assert_eq!(decode(&changed, &mut out).ok(), expected, "{len} {at} {other}");
                let mut in_place = changed;
                let in_place = decode_in_place(&mut in_place).ok().map(|len| &in_place[..len]);
                assert_eq!(in_place, expected, "{len} {at} {other}");
            }
        }
    }
}

#[test]
fn every_corrupted_url_character_is_judged_as_base64ct_does() {
    for len in [1, 2, 3, 11, 12, 13, 32, 47, 48, 64] {
        let mut text = [0; 90];
        let text = url_encode(&bytes(len, 5), &mut text).unwrap().as_bytes().to_vec();
        for at in 0..text.len() {
            for other in 0..=u8::MAX {
                let mut changed = text.clone();
                changed[at] = other;
                let (mut out, mut expected) = ([0; 66], [0; 66]);
                let expected = url_decode_secret(&changed, &mut expected);
                assert_eq!(url_decode(&changed, &mut out), expected, "{len} {at} {other}");
                let mut in_place = changed.clone();
                let in_place = url_decode_in_place(&mut in_place).map(|len| &in_place[..len]);
                assert_eq!(in_place, expected, "{len} {at} {other}");
                let Ok(plain) = expected else { continue };
                let mut again = [0; 90];
                assert_eq!(url_encode(plain, &mut again).unwrap().as_bytes(), changed);
            }
        }
    }
}

#[test]
fn refuses_what_is_not_canonical() {
    for text in [
        "A", "AA", "AAA", "=", "==", "===", "====", "A===", "AA=A", "A=AA", "=AAA", "AA==AAAA", "AAA=AAAA",
        "AB==", "AAB=", "AA=", "AAAAA", "AAAA=", "AAAA====", "AA==\n", " AAA", "AAA\n", "AA-_", "ÿÿ",
        "AA==AA==", "Zg==Zg==", "Zg=\0", "AA\u{1}=",
    ] {
        let mut out = [0; 16];
        assert_eq!(decode(text.as_bytes(), &mut out), Err(Base64Error::Malformed), "{text}");
        let mut text = text.as_bytes().to_vec();
        assert_eq!(decode_in_place(&mut text), Err(Base64Error::Malformed));
    }
    for text in ["A", "AAAAA", "AB", "AAB", "AA==", "AAA=", "AA+A", "AA/A", "AAA\n", "AA A", "=", "AA.A"] {
        let mut out = [0; 16];
        assert_eq!(url_decode(text.as_bytes(), &mut out), Err(Base64Error::Malformed), "{text}");
        assert_eq!(url_decode_in_place(&mut text.as_bytes().to_vec()), Err(Base64Error::Malformed), "{text}");
    }
}

#[test]
fn padding_inside_a_long_text_is_refused() {
    let text = encoded(&bytes(191, 13));
    for at in 0..text.len() - 1 {
        let mut changed = text.clone();
        changed[at] = b'=';
        let mut out = [0; 200];
        assert_eq!(decode(&changed, &mut out), Err(Base64Error::Malformed), "{at}");
    }
}

#[test]
fn needed_is_exact() {
    for len in 0..=150 {
        let plain = bytes(len, 1);
        let text = encoded(&plain);
        let mut out = vec![0; text.len()];
        let url = url_encode(&plain, &mut out).unwrap().as_bytes().to_vec();
        for room in 0..text.len() {
            let needed = text.len();
            assert_eq!(encode(&plain, &mut out[..room]), Err(BufferTooSmall { needed }));
        }
        for room in 0..url.len() {
            let needed = url.len();
            assert_eq!(url_encode(&plain, &mut out[..room]), Err(BufferTooSmall { needed }));
        }
        for room in 0..len {
            let error = Err(Base64Error::BufferTooSmall(BufferTooSmall { needed: len }));
            assert_eq!(decode(&text, &mut out[..room]), error);
            assert_eq!(url_decode(&url, &mut out[..room]), error);
        }
        assert_eq!(decode(&text, &mut out[..len]), Ok(&plain[..]));
        assert_eq!(url_decode(&url, &mut out[..len]), Ok(&plain[..]));
    }
}

#[test]
fn lengths() {
    assert_eq!([0, 1, 2, 3, 4].map(encoded_len), [0, 4, 4, 4, 8]);
    assert_eq!([0, 1, 2, 3, 4].map(url_encoded_len), [0, 2, 3, 4, 6]);
    assert_eq!([0, 1, 2, 3, 4, 5, 8].map(decoded_len_bound), [0, 0, 1, 2, 3, 3, 6]);
    assert_eq!(encoded_len(usize::MAX), usize::MAX);
    assert_eq!(url_encoded_len(usize::MAX), usize::MAX);
    for n in 0..1000 {
        assert_eq!(decoded_len_bound(url_encoded_len(n)), n);
    }
}

#[test]
fn base64url_in_place_agrees_with_the_copy() {
    for len in (0..54).chain(94..100).chain([300]) {
        let plain = bytes(len, len as u32);
        let needed = url_encoded_len(len);
        let mut text = vec![0; needed];
        url_encode(&plain, &mut text).unwrap();
        for spare in [0, 1, 70] {
            let mut buffer = vec![0x55; needed + spare];
            buffer[..len].copy_from_slice(&plain);
            assert_eq!(url_encode_in_place(&mut buffer, len), Ok(needed));
            assert_eq!(buffer[..needed], text);
            // A chunk is written whole; what is behind the text stays.
            assert!(buffer[needed..].iter().all(|&byte| byte == 0x55), "{len} {spare}");
        }
        if let Some(room) = needed.checked_sub(1).filter(|room| *room >= len) {
            let mut buffer = vec![0x55; room];
            assert_eq!(url_encode_in_place(&mut buffer, len), Err(BufferTooSmall { needed }));
            assert!(buffer.iter().all(|&byte| byte == 0x55));
        }
        let mut decoded = text.clone();
        assert_eq!(url_decode_in_place(&mut decoded), Ok(len));
        assert_eq!(decoded[..len], plain);
        // Every character replaced by some that are and some that are not of the alphabet.
        for at in 0..needed {
            for other in *b"AQ_-+/=.\0\xff" {
                let mut changed = text.clone();
                changed[at] = other;
                let mut copied = vec![0; len];
                let expected = url_decode(&changed, &mut copied).map(<[u8]>::len);
                assert_eq!(url_decode_in_place(&mut changed), expected, "{len} {at} {other}");
                assert!(expected.is_err() || changed[..len] == copied);
            }
        }
        let longer = [&text[..], b"A"].concat();
        let copied = url_decode(&longer, &mut vec![0; len + 1]).map(<[u8]>::len);
        assert_eq!(url_decode_in_place(&mut longer.clone()), copied);
    }
}
