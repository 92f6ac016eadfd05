//! Base64 of RFC 4648: §4 with padding, §5 ("base64url") without.
//!
//! Only the canonical text of some bytes is accepted: the padding that belongs there and no other, unused
//! bits zero, no white space, no line breaks.
//!
//! # Security
//!
//! No branch and no index is written here that depends on a byte or on a character but the padding, and the
//! whole text is read before it is refused. What is compiled from comparisons is the compiler's choice all
//! the same: secrets go by [`url_encode_secret`] and [`url_decode_secret`], which `base64ct` computes.

use super::BufferTooSmall;
use base64ct::{Base64UrlUnpadded, Encoding};
use core::{fmt, ops::Range};

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

// How a chunk gets from one form to the other: many groups of four characters in vectors, or, where there are
// none, one group in a word.
#[cfg(any(test, target_pointer_width = "64"))]
mod vectors;
#[cfg(any(test, not(target_pointer_width = "64")))]
mod words;

#[cfg(target_pointer_width = "64")]
use vectors as chunk;
#[cfg(not(target_pointer_width = "64"))]
use words as chunk;

use chunk::{BYTES, CHARACTERS, Judge};

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
    let needed = encode_to(input, out)?;
    Ok(out.get(..needed).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default())
}

/// As [`encode`]; the length of the text is returned.
#[inline(never)] // small: it is called for every key and nonce
pub(crate) fn encode_to(input: &[u8], out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let needed = encoded_len(input.len());
    let text = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    copy(input, text);
    encode_from_back(text, input.len(), 0..needed);
    Ok(needed)
}

/// Encodes within one buffer: the `len` bytes at its start become their padded base64 at `at`, and the end of
/// the text is returned. What of the `len` bytes lies before `at` is left as it was.
///
/// # Errors
///
/// [`BufferTooSmall`] where the bytes or the text end past the end of the buffer; nothing is written then.
pub fn encode_in_place(buffer: &mut [u8], len: usize, at: usize) -> Result<usize, BufferTooSmall> {
    let end = at.saturating_add(encoded_len(len));
    let needed = end.max(len);
    if needed > buffer.len() {
        return Err(BufferTooSmall { needed });
    }
    encode_from_back(buffer, len, at..end);
    Ok(end)
}

/// Reads canonical padded base64 (RFC 4648 §4) and writes its bytes at the start of `out`.
///
/// # Errors
///
/// [`Base64Error::BufferTooSmall`] where the bytes do not fit; nothing is written then.
/// [`Base64Error::Malformed`] for any other text; what `out` then holds is of no use.
pub fn decode<'o>(text: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], Base64Error> {
    let text = unpadded_len(text).and_then(|len| text.get(..len)).ok_or(Base64Error::Malformed)?;
    let out = room(text, out)?;
    let mut judge = Judge::new();
    for (text, bytes) in text.chunks(CHARACTERS).zip(out.chunks_mut(BYTES)) {
        decode_piece(text, bytes, &mut judge);
    }
    judge.verdict()?;
    Ok(out)
}

/// Decodes canonical padded base64 within one buffer: all of `text` is replaced by its bytes, whose number is
/// returned, at the start of the slice.
///
/// # Errors
///
/// [`Base64Error::Malformed`]; what `text` then holds is of no use.
#[inline]
pub fn decode_in_place(text: &mut [u8]) -> Result<usize, Base64Error> {
    to_bytes(text).ok_or(Base64Error::Malformed)
}

/// As [`decode_in_place`].
#[inline(never)] // its loop becomes vectors here, and not in every caller
pub(super) fn to_bytes(text: &mut [u8]) -> Option<usize> {
    let len = unpadded_len(text)?;
    decode_to_front(text.get_mut(..len)?)
}

/// Writes the base64url of `input` (RFC 4648 §5, no padding), [`url_encoded_len`] characters, at the start of
/// `out`.
///
/// # Errors
///
/// [`BufferTooSmall`] where the text does not fit; nothing is written then.
pub fn url_encode<'o>(input: &[u8], out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
    let needed = url_encoded_len(input.len());
    let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    copy(input, out);
    url_encode_in_place(out, input.len())?;
    Ok(core::str::from_utf8(out).unwrap_or_default())
}

/// Reads canonical base64url (RFC 4648 §5, no padding) and writes its bytes at the start of `out`.
///
/// # Errors
///
/// As [`decode`].
pub fn url_decode<'o>(text: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], Base64Error> {
    let out = room(text, out)?;
    let mut judge = Judge::new();
    for (text, bytes) in text.chunks(CHARACTERS).zip(out.chunks_mut(BYTES)) {
        let mut chunk = [0; CHARACTERS];
        for (to, from) in chunk.iter_mut().zip(text) {
            *to = character_of_url(*from);
        }
        decode_piece(chunk.get(..text.len()).unwrap_or_default(), bytes, &mut judge);
    }
    judge.verdict()?;
    Ok(out)
}

/// As [`url_encode`], within one buffer: the `len` bytes at its start become their base64url at its start, and the length of
/// the text is returned.
///
/// # Errors
///
/// [`BufferTooSmall`] where the text ends past the end of the buffer; nothing is written then.
pub fn url_encode_in_place(buffer: &mut [u8], len: usize) -> Result<usize, BufferTooSmall> {
    let needed = url_encoded_len(len);
    let text = buffer.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    encode_from_back(text, len, 0..needed);
    for character in text {
        *character = url_character(*character);
    }
    Ok(needed)
}

/// As [`url_decode`], within one buffer: all of `text` is replaced by its bytes, whose number is returned, at the start of
/// the slice.
///
/// # Errors
///
/// [`Base64Error::Malformed`]; what `text` then holds is of no use.
#[inline]
pub fn url_decode_in_place(text: &mut [u8]) -> Result<usize, Base64Error> {
    url_to_bytes(text).ok_or(Base64Error::Malformed)
}

/// As [`url_decode_in_place`].
#[inline(never)] // as `to_bytes`
pub(super) fn url_to_bytes(text: &mut [u8]) -> Option<usize> {
    for character in text.iter_mut() {
        *character = character_of_url(*character);
    }
    decode_to_front(text)
}

/// As [`url_encode`], for secrets.
///
/// # Errors
///
/// As there.
pub fn url_encode_secret<'o>(input: &[u8], out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
    let needed = url_encoded_len(input.len());
    let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    Base64UrlUnpadded::encode(input, out).map_err(|_| BufferTooSmall { needed })
}

/// As [`url_decode`], for secrets.
///
/// # Errors
///
/// As there.
pub fn url_decode_secret<'o>(text: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], Base64Error> {
    Base64UrlUnpadded::decode(text, room(text, out)?).map_err(|_| Base64Error::Malformed)
}

/// The room that the bytes of a text without padding take in `out`.
fn room<'o>(text: &[u8], out: &'o mut [u8]) -> Result<&'o mut [u8], Base64Error> {
    let needed = decoded_len(text).ok_or(Base64Error::Malformed)?;
    Ok(out.get_mut(..needed).ok_or(BufferTooSmall { needed })?)
}

/// The character of base64url (§5) for one of base64 (§4).
const fn url_character(character: u8) -> u8 {
    match character {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    }
}

/// The inverse; what is not of base64url becomes what is not of base64.
const fn character_of_url(character: u8) -> u8 {
    match character {
        b'-' => b'+',
        b'_' => b'/',
        b'+' | b'/' => 0,
        other => other,
    }
}

/// The length of a padded text without its padding.
const fn unpadded_len(text: &[u8]) -> Option<usize> {
    match text {
        _ if !text.len().is_multiple_of(4) => None,
        [text @ .., b'=', b'='] | [text @ .., b'='] => Some(text.len()),
        _ => Some(text.len()),
    }
}

/// Bytes of a text without padding, by its length.
const fn decoded_len(text: &[u8]) -> Option<usize> {
    if text.len() % 4 == 1 { None } else { Some(decoded_len_bound(text.len())) }
}

/// Decodes a text of the alphabet of §4 without padding to its front.
#[inline(never)] // as `to_bytes`
fn decode_to_front(text: &mut [u8]) -> Option<usize> {
    let len = decoded_len(text)?;
    let mut judge = Judge::new();
    // From front to back: what is written never reaches what is still to be read.
    let (mut from, mut to) = (0_usize, 0_usize);
    while to.wrapping_add(BYTES) <= len {
        decode_chunk(text, from, to, &mut judge);
        from = from.wrapping_add(CHARACTERS);
        to = to.wrapping_add(BYTES);
    }
    if to < len {
        let tail = decode_tail(text.get(from..)?, &mut judge);
        copy(&tail, text.get_mut(to..len)?);
    }
    judge.verdict().ok().map(|()| len)
}

/// Encodes the first `len` bytes to `text`, which ends behind them.
#[inline(never)] // its loop becomes vectors here, and not in every caller
fn encode_from_back(buffer: &mut [u8], len: usize, text: Range<usize>) {
    // From back to front: a chunk goes where it was or behind, and what is still to be read is before it.
    let chunks = len / BYTES;
    let mut from = chunks.wrapping_mul(BYTES);
    let mut to = text.start.wrapping_add(chunks.wrapping_mul(CHARACTERS));
    if from < len {
        encode_tail(buffer, from..len, to..text.end);
    }
    while from > 0 {
        from = from.wrapping_sub(BYTES);
        to = to.wrapping_sub(CHARACTERS);
        encode_chunk(buffer, from, to);
    }
}

/// Encodes the chunk of bytes at `from`, to `to`.
fn encode_chunk(buffer: &mut [u8], from: usize, to: usize) -> Option<()> {
    let groups = chunk::of_bytes(buffer.get(from..)?.first_chunk()?);
    chunk::put_characters(&groups, buffer.get_mut(to..)?.first_chunk_mut()?);
    Some(())
}

/// Decodes a chunk of characters, or what is left of the text.
fn decode_piece(text: &[u8], bytes: &mut [u8], judge: &mut Judge) {
    if let (Some(text), Some(bytes)) = (text.first_chunk(), bytes.first_chunk_mut()) {
        chunk::put_bytes(&chunk::of_characters(text, judge), bytes);
    } else {
        copy(&decode_tail(text, judge), bytes);
    }
}

/// Decodes the chunk of characters at `from`, to `to`.
fn decode_chunk(buffer: &mut [u8], from: usize, to: usize, judge: &mut Judge) -> Option<()> {
    let groups = chunk::of_characters(buffer.get(from..)?.first_chunk()?, judge);
    chunk::put_bytes(&groups, buffer.get_mut(to..)?.first_chunk_mut()?);
    Some(())
}

/// Encodes less than a chunk of bytes, with padding where there is room for it.
fn encode_tail(buffer: &mut [u8], from: Range<usize>, to: Range<usize>) {
    let mut chunk = [0; CHARACTERS];
    // Four characters for three bytes, rounded up.
    let len = from.len().wrapping_mul(4).wrapping_add(2) / 3;
    copy(buffer.get(from).unwrap_or_default(), &mut chunk);
    encode_chunk(&mut chunk, 0, 0);
    chunk.get_mut(len..).unwrap_or_default().fill(b'=');
    copy(&chunk, buffer.get_mut(to).unwrap_or_default());
}

/// The bytes of `text`, which is less than a chunk, without padding, at the front.
fn decode_tail(text: &[u8], judge: &mut Judge) -> [u8; CHARACTERS] {
    let mut chunk = [b'A'; CHARACTERS];
    copy(text, &mut chunk);
    decode_chunk(&mut chunk, 0, 0, judge);
    // The byte behind the last has the bits that the last character has to spare.
    judge.must_be_zero(chunk.get(decoded_len_bound(text.len())).copied().unwrap_or_default());
    chunk
}

/// Copies what is there, as far as there is room for it.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Three bytes, first byte lowest, as four values of six bits, each in a byte, the first in the lowest.
const fn spread(group: u32) -> u32 {
    (group >> 2 & 0x3f)
        | (group << 12 & 0x3000 | group >> 4 & 0x0f00)
        | (group << 10 & 0x3c_0000 | group >> 6 & 0x03_0000)
        | (group << 8 & 0x3f00_0000)
}

/// The inverse of [`spread`]; the highest byte is zero.
const fn join(values: u32) -> u32 {
    (values << 2 & 0xfc | values >> 12 & 0x03)
        | (values << 4 & 0xf000 | values >> 10 & 0x0f00)
        | (values << 6 & 0xc0_0000 | values >> 8 & 0x3f_0000)
}

#[cfg(test)]
mod tests;
