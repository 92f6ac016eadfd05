//! Base64 of RFC 4648: §4 with padding, §5 ("base64url") without.
//!
//! Only the canonical text of some bytes is accepted: the padding that belongs there and no other, unused bits zero, no
//! white space, no line breaks.
//!
//! # Security
//!
//! Neither a branch nor an index depends on the bytes or on characters of the alphabet: time depends on lengths, on the
//! padding, and on whether the text was valid.

use super::BufferTooSmall;
use base64ct::{Base64UrlUnpadded, Encoding};
use core::fmt;

/// A text is not canonical base64, or its bytes do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Base64Error {
    /// A character outside the alphabet, a wrong length or padding, or unused bits that are not zero.
    Malformed,
    /// The bytes do not fit the buffer.
    BufferTooSmall(BufferTooSmall),
}

impl fmt::Display for Base64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the text is not canonical base64"),
            Self::BufferTooSmall(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Base64Error {}

impl From<BufferTooSmall> for Base64Error {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall(error)
    }
}

/// Bytes in a chunk that is encoded at once, and characters in its text.
const CHUNK: usize = 48;
const TEXT_CHUNK: usize = 64;

/// Characters of the padded text of `n` bytes; `usize::MAX` where there is no such text.
#[must_use]
pub const fn encoded_len(n: usize) -> usize {
    n.div_ceil(3).saturating_mul(4)
}

/// Characters of the base64url text of `n` bytes; `usize::MAX` where there is no such text.
#[must_use]
pub const fn url_encoded_len(n: usize) -> usize {
    let tail = match n % 3 {
        0 => 0,
        rest => rest.wrapping_add(1),
    };
    (n / 3).saturating_mul(4).saturating_add(tail)
}

/// The most bytes that `n` characters of either kind decode to.
#[must_use]
pub const fn decoded_len_bound(n: usize) -> usize {
    // n / 4 · 3 + n % 4 · 3 / 4, which cannot overflow.
    n.wrapping_sub(n.div_ceil(4))
}

/// Writes the padded base64 of `input` (RFC 4648 §4), [`encoded_len`] characters, at the start of `out`.
///
/// # Errors
///
/// [`BufferTooSmall`] where the text does not fit; nothing is written then.
pub fn encode<'o>(input: &[u8], out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
    let needed = encoded_len(input.len());
    let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    let (chunks, rest) = input.as_chunks::<CHUNK>();
    let (text_chunks, text_rest) = out.as_chunks_mut::<TEXT_CHUNK>();
    for (bytes, text) in chunks.iter().zip(text_chunks.iter_mut()) {
        *text = encode_chunk(bytes);
    }
    // A tail of 46 or 47 bytes has a whole chunk of text.
    let text_rest = match text_chunks.get_mut(chunks.len()) {
        Some(last) => &mut last[..],
        None => text_rest,
    };
    for (bytes, text) in rest.chunks(3).zip(text_rest.as_chunks_mut().0) {
        *text = encode_group(bytes);
    }
    Ok(core::str::from_utf8(out).unwrap_or_default())
}

/// Encodes within one buffer: the `len` bytes at its start become their padded base64 at `at`, wherever that is, and the
/// end of the text is returned. What lies before `at` is left as it was, or as bytes of the text's source.
///
/// # Errors
///
/// [`BufferTooSmall`] where `at` + [`encoded_len`] is past the end; nothing is written then.
pub fn encode_in_place(buffer: &mut [u8], len: usize, at: usize) -> Result<usize, BufferTooSmall> {
    let needed = at.saturating_add(encoded_len(len)).max(len);
    let buffer = buffer.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    // From back to front: group i is written at 4 i + at or later, and what is still to be read ends at 3 i.
    let chunks = len / CHUNK;
    let mut from = len;
    let mut to = at.wrapping_add(encoded_len(len));
    let end = to;
    while from > chunks.wrapping_mul(CHUNK) {
        let group = match from % 3 {
            0 => 3,
            partial => partial,
        };
        let start = from.wrapping_sub(group);
        let text = encode_group(buffer.get(start..from).unwrap_or_default());
        from = start;
        to = to.wrapping_sub(4);
        put(buffer, to, text);
    }
    while let Some(start) = from.checked_sub(CHUNK) {
        let Some(bytes) = buffer.get(start..).and_then(<[u8]>::first_chunk) else { break };
        let text: [u8; TEXT_CHUNK] = encode_chunk(bytes);
        from = start;
        to = to.wrapping_sub(TEXT_CHUNK);
        put(buffer, to, text);
    }
    Ok(end)
}

/// Reads canonical padded base64 (RFC 4648 §4) and writes its bytes at the start of `out`.
///
/// # Errors
///
/// [`Base64Error::BufferTooSmall`] where the bytes do not fit; nothing is written then.
/// [`Base64Error::Malformed`] for any other text; what `out` then holds is of no use.
pub fn decode<'o>(text: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], Base64Error> {
    let needed = decoded_len(text)?;
    let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    let mut bad = 0;
    let (chunks, text_rest) = text.as_chunks::<TEXT_CHUNK>();
    let (out_chunks, mut out_rest) = out.as_chunks_mut::<CHUNK>();
    for (text, bytes) in chunks.iter().zip(out_chunks.iter_mut()) {
        *bytes = decode_chunk(text, &mut bad);
    }
    let text_rest = if chunks.len() > out_chunks.len() {
        // A last chunk with padding.
        chunks.last().map_or(text_rest, |last| &last[..])
    } else {
        text_rest
    };
    for group in text_rest.as_chunks().0 {
        let len = out_rest.len().min(3);
        let bytes = decode_group(group, len, &mut bad);
        let Some((to, rest)) = out_rest.split_at_mut_checked(len) else { break };
        for (to, from) in to.iter_mut().zip(bytes) {
            *to = from;
        }
        out_rest = rest;
    }
    if bad == 0 { Ok(out) } else { Err(Base64Error::Malformed) }
}

/// Decodes canonical padded base64 within one buffer: all of `text` is replaced by its bytes, whose number is returned,
/// at the start of the slice.
///
/// # Errors
///
/// [`Base64Error::Malformed`]; what `text` then holds is of no use.
pub fn decode_in_place(text: &mut [u8]) -> Result<usize, Base64Error> {
    let len = decoded_len(text)?;
    let mut bad = 0;
    let (mut from, mut to) = (0_usize, 0_usize);
    while to.wrapping_add(CHUNK) <= len {
        let Some(chunk) = text.get(from..).and_then(<[u8]>::first_chunk) else { break };
        let bytes = decode_chunk(chunk, &mut bad);
        put(text, to, bytes);
        from = from.wrapping_add(TEXT_CHUNK);
        to = to.wrapping_add(CHUNK);
    }
    while let Some(group) = text.get(from..).and_then(<[u8]>::first_chunk) {
        let bytes = decode_group(group, len.wrapping_sub(to).min(3), &mut bad);
        put(text, to, bytes);
        from = from.wrapping_add(4);
        to = to.wrapping_add(3);
    }
    if bad == 0 { Ok(len) } else { Err(Base64Error::Malformed) }
}

/// Writes the base64url of `input` (RFC 4648 §5, no padding), [`url_encoded_len`] characters, at the start of `out`.
///
/// # Errors
///
/// [`BufferTooSmall`] where the text does not fit; nothing is written then.
pub fn url_encode<'o>(input: &[u8], out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
    let needed = url_encoded_len(input.len());
    let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    Base64UrlUnpadded::encode(input, out).map_err(|_| BufferTooSmall { needed })
}

/// Reads canonical base64url (RFC 4648 §5, no padding) and writes its bytes at the start of `out`.
///
/// # Errors
///
/// As [`decode`].
pub fn url_decode<'o>(text: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], Base64Error> {
    if text.len() % 4 == 1 {
        return Err(Base64Error::Malformed);
    }
    let needed = decoded_len_bound(text.len());
    let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    Base64UrlUnpadded::decode(text, out).map_err(|_| Base64Error::Malformed)
}

/// Bytes of a padded text, by its length and padding.
fn decoded_len(text: &[u8]) -> Result<usize, Base64Error> {
    if !text.len().is_multiple_of(4) {
        return Err(Base64Error::Malformed);
    }
    let padding = match text {
        [.., b'=', b'='] => 2,
        [.., b'='] => 1,
        _ => 0,
    };
    Ok(decoded_len_bound(text.len()).wrapping_sub(padding))
}

/// Copies an array to `at` in a buffer that has room for it.
fn put<const N: usize>(buffer: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(to) = buffer.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *to = bytes;
    }
}

/// One to three bytes as four characters.
fn encode_group(bytes: &[u8]) -> [u8; 4] {
    let mut word = [0; 4];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    let mut text = spread(word).to_le_bytes().map(character);
    for padding in text.iter_mut().skip(bytes.len().wrapping_add(1)) {
        *padding = b'=';
    }
    text
}

fn encode_chunk(bytes: &[u8; CHUNK]) -> [u8; TEXT_CHUNK] {
    let mut text = [0; TEXT_CHUNK];
    for (to, from) in text.as_chunks_mut::<4>().0.iter_mut().zip(bytes.as_chunks::<3>().0) {
        *to = spread([from[0], from[1], from[2], 0]).to_le_bytes();
    }
    text.map(character)
}

/// Four characters as three bytes, or, where `len` is less than 3, as `len` bytes and padding, of which [`decoded_len`] has
/// seen that it is there. `bad` becomes other than zero where the group is not canonical.
fn decode_group(text: &[u8; 4], len: usize, bad: &mut u8) -> [u8; 3] {
    let mut text = *text;
    for padding in text.iter_mut().skip(len.wrapping_add(1)) {
        *padding = b'A';
    }
    let bytes = join(u32::from_le_bytes(text.map(|c| value(c, bad))));
    for unused in bytes.iter().skip(len) {
        *bad |= unused;
    }
    bytes
}

fn decode_chunk(text: &[u8; TEXT_CHUNK], bad: &mut u8) -> [u8; CHUNK] {
    let values = text.map(|c| value(c, bad));
    let mut bytes = [0; CHUNK];
    for (to, from) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(values.as_chunks::<4>().0) {
        *to = join(u32::from_le_bytes(*from));
    }
    bytes
}

/// Three bytes as four values of six bits, each in a byte, the first in the lowest.
const fn spread(bytes: [u8; 4]) -> u32 {
    let word = u32::from_be_bytes(bytes);
    (word >> 26) | (word >> 12 & 0x3f00) | (word << 2 & 0x3f_0000) | (word << 16 & 0x3f00_0000)
}

/// The inverse of [`spread`].
const fn join(values: u32) -> [u8; 3] {
    let word =
        (values << 26) | (values << 12 & 0x3f0_0000) | (values >> 2 & 0xf_c000) | (values >> 16 & 0x3f00);
    let [a, b, c, _] = word.to_be_bytes();
    [a, b, c]
}

/// The character of a six-bit value.
const fn character(value: u8) -> u8 {
    let v = value as i8;
    let mut c = value.wrapping_add(b'A');
    c = c.wrapping_add(if v > 25 { 6 } else { 0 });
    c = c.wrapping_sub(if v > 51 { 75 } else { 0 });
    c = c.wrapping_sub(if v > 61 { 15 } else { 0 });
    c.wrapping_add(if v > 62 { 3 } else { 0 })
}

/// The six-bit value of a character; `bad` becomes other than zero where it has none.
const fn value(character: u8, bad: &mut u8) -> u8 {
    let c = character as i8;
    let upper = c > 0x40 && c < 0x5b;
    let lower = c > 0x60 && c < 0x7b;
    let digit = c > 0x2f && c < 0x3a;
    let plus = c == 0x2b;
    let slash = c == 0x2f;
    *bad |= !(upper | lower | digit | plus | slash) as u8;
    let mut v = character.wrapping_add(4);
    v = v.wrapping_sub(if c > 0x40 { 69 } else { 0 });
    v = v.wrapping_sub(if c > 0x60 { 6 } else { 0 });
    v = v.wrapping_add(if plus { 15 } else { 0 });
    v.wrapping_add(if slash { 12 } else { 0 })
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn every_value_has_its_character() {
        for v in 0..64 {
            let mut bad = 0;
            assert_eq!(character(v), ALPHABET[usize::from(v)]);
            assert_eq!(value(character(v), &mut bad), v);
            assert_eq!(bad, 0);
        }
        for c in (0..=u8::MAX).filter(|c| !ALPHABET.contains(c)) {
            let mut bad = 0;
            value(c, &mut bad);
            assert_ne!(bad, 0, "{c}");
        }
    }

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
            let mut out = vec![0; len];
            assert_eq!(url_decode(url, &mut out), Ok(&plain[..]));
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
        for len in [1, 2, 3, 4, 5, 6, 46, 47, 48, 49, 50, 51, 95, 96, 97] {
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
    fn every_corrupted_url_character_is_refused_or_canonical() {
        for len in [1, 2, 3, 32, 64] {
            let mut text = [0; 90];
            let text = url_encode(&bytes(len, 5), &mut text).unwrap().as_bytes().to_vec();
            for at in 0..text.len() {
                for other in 0..=u8::MAX {
                    let mut changed = text.clone();
                    changed[at] = other;
                    let mut out = [0; 64];
                    let Ok(plain) = url_decode(&changed, &mut out) else { continue };
                    let mut again = [0; 90];
                    assert_eq!(url_encode(plain, &mut again).unwrap().as_bytes(), changed);
                }
            }
        }
    }

    #[test]
    fn refuses_what_is_not_canonical() {
        for text in [
            "A", "AA", "AAA", "=", "==", "===", "====", "A===", "AA=A", "A=AA", "=AAA", "AA==AAAA",
            "AAA=AAAA", "AB==", "AAB=", "AA=", "AAAAA", "AAAA=", "AAAA====", "AA==\n", " AAA", "AAA\n",
            "AA-_", "ÿÿ", "AA==AA==", "Zg==Zg==", "Zg=\0", "AA\u{1}=",
        ] {
            let mut out = [0; 16];
            assert_eq!(decode(text.as_bytes(), &mut out), Err(Base64Error::Malformed), "{text}");
            let mut text = text.as_bytes().to_vec();
            assert_eq!(decode_in_place(&mut text), Err(Base64Error::Malformed));
        }
        for text in ["A", "AAAAA", "AB", "AAB", "AA==", "AAA=", "AA+A", "AA/A", "AAA\n", "AA A", "=", "AA.A"]
        {
            let mut out = [0; 16];
            assert_eq!(url_decode(text.as_bytes(), &mut out), Err(Base64Error::Malformed), "{text}");
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
}
