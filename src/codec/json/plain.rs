//! The run of a string before what ends it or stands for something else.

/// How many bytes of a string come before one that ends it, starts an escape or must not be in it.
pub(super) fn plain_len(string: &[u8]) -> usize {
    let len = plain_chunks_len(string);
    let (words, tail) = string.get(len..).unwrap_or_default().as_chunks();
    for (at, word) in words.iter().enumerate() {
        let ends = word_ends_plain(usize::from_le_bytes(*word));
        if ends != 0 {
            return len.wrapping_add(at.wrapping_mul(WORD)).wrapping_add(ends.trailing_zeros() as usize / 8);
        }
    }
    let tail_len = tail.iter().position(|&byte| ends_plain(byte)).unwrap_or(tail.len());
    len.wrapping_add(words.len().wrapping_mul(WORD)).wrapping_add(tail_len)
}

/// Passes over whole chunks, without a branch for each byte, so that the compiler puts a chunk into a vector.
#[cfg(target_pointer_width = "64")]
fn plain_chunks_len(string: &[u8]) -> usize {
    let (chunks, _) = string.as_chunks::<16>();
    let is_plain = |chunk: &&[u8; 16]| !chunk.iter().fold(false, |found, &byte| found | ends_plain(byte));
    chunks.iter().take_while(is_plain).count().wrapping_mul(16)
}

/// Small processors have no vectors.
#[cfg(not(target_pointer_width = "64"))]
fn plain_chunks_len(_: &[u8]) -> usize {
    0
}

const WORD: usize = size_of::<usize>();

/// Of the bytes of a word, little-endian, for which [`ends_plain`] holds, the lowest has its highest bit set,
/// and no byte below it has.
const fn word_ends_plain(word: usize) -> usize {
    const ONES: usize = usize::MAX / 0xff;
    const QUOTES: usize = ONES * b'"' as usize;
    const BACKSLASHES: usize = ONES * b'\\' as usize;
    let (quote, backslash) = (word ^ QUOTES, word ^ BACKSLASHES);
    // What is less than the subtrahend borrows, which may disturb the bytes above only.
    let ends = (word.wrapping_sub(ONES * 0x20) & !word)
        | (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash);
    ends & (ONES * 0x80)
}

pub(super) const fn ends_plain(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}
