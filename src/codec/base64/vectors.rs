//! The alphabet, a byte at a time without a branch: the compiler puts 16 bytes or more of a chunk into a
//! vector.

use super::{Base64Error, join, spread};

/// A chunk is so many groups of three bytes or four characters; less costs as much.
const GROUPS: usize = 16;
pub(super) const BYTES: usize = GROUPS * 3;
pub(super) const CHARACTERS: usize = GROUPS * 4;

/// For each character of a chunk, whether all that stood there were of the alphabet: all bits set or none.
pub(super) struct Judge([u8; CHARACTERS]);

impl Judge {
    pub(super) const fn new() -> Self {
        Self([0xff; CHARACTERS])
    }

    pub(super) const fn must_be_zero(&mut self, byte: u8) {
        self.0[0] &= if byte == 0 { 0xff } else { 0 };
    }

    pub(super) fn verdict(&self) -> Result<(), Base64Error> {
        let all = self.0.iter().fold(0xff, |all, good| all & good);
        if all == 0xff { Ok(()) } else { Err(Base64Error::Malformed) }
    }
}

/// What stands between the two forms: the bytes of each group, first byte lowest.
pub(super) type Groups = [u32; GROUPS];

/// Reads a chunk of bytes; the highest byte of a group is not of it.
#[inline(always)] // within the loop over chunks
pub(super) fn of_bytes(bytes: &[u8; BYTES]) -> Groups {
    let mut groups = [0; GROUPS];
    for (group, bytes) in groups.iter_mut().zip(bytes.windows(4).step_by(3)) {
        if let &[a, b, c, d] = bytes {
            *group = u32::from_le_bytes([a, b, c, d]);
        }
    }
    // There is no fourth byte behind the last group.
    let [.., a, b, c] = *bytes;
    groups[GROUPS - 1] = u32::from_le_bytes([a, b, c, 0]);
    groups
}

/// Writes a chunk of characters.
#[inline(always)] // within the loop over chunks
pub(super) fn put_characters(groups: &Groups, text: &mut [u8; CHARACTERS]) {
    let mut values = [0; GROUPS];
    for (value, group) in values.iter_mut().zip(groups) {
        *value = spread(*group);
    }
    let mut bytes = [0; CHARACTERS];
    for (bytes, values) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
        *bytes = values.to_le_bytes();
    }
    for (character, value) in text.iter_mut().zip(bytes) {
        *character = character_of(value);
    }
}

/// Reads a chunk of characters.
#[inline(always)] // within the loop over chunks
pub(super) fn of_characters(text: &[u8; CHARACTERS], judge: &mut Judge) -> Groups {
    let mut groups = values(text, judge);
    for group in &mut groups {
        *group = join(*group);
    }
    groups
}

/// Writes a chunk of bytes.
#[inline(always)] // within the loop over chunks
pub(super) fn put_bytes(groups: &Groups, bytes: &mut [u8; BYTES]) {
    for (bytes, groups) in bytes.as_chunks_mut::<12>().0.iter_mut().zip(groups.as_chunks::<4>().0) {
        // The fourth byte of a group is overwritten by the next.
        let [a, b, c, d] = groups.map(u32::to_le_bytes);
        bytes[0..4].copy_from_slice(&a);
        bytes[3..7].copy_from_slice(&b);
        bytes[6..10].copy_from_slice(&c);
        bytes[9..12].copy_from_slice(&d[..3]);
    }
}

/// The six-bit values of characters, the first of each four in the lowest byte.
fn values(text: &[u8; CHARACTERS], judge: &mut Judge) -> [u32; GROUPS] {
    let mut bytes = [0; CHARACTERS];
    for ((byte, character), good) in bytes.iter_mut().zip(text).zip(&mut judge.0) {
        *byte = value_of(*character, good);
    }
    let mut values = [0; GROUPS];
    for (values, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *values = u32::from_le_bytes(*bytes);
    }
    values
}

/// The character of a six-bit value.
const fn character_of(value: u8) -> u8 {
    // Compared as signed, which is one instruction of a vector.
    let v = value as i8;
    let mut c = value.wrapping_add(b'A');
    c = c.wrapping_add(if v > 25 { 6 } else { 0 });
    c = c.wrapping_sub(if v > 51 { 75 } else { 0 });
    c = c.wrapping_sub(if v > 61 { 15 } else { 0 });
    c.wrapping_add(if v > 62 { 3 } else { 0 })
}

/// The six-bit value of a character; `good` becomes 0 where it has none.
const fn value_of(character: u8, good: &mut u8) -> u8 {
    // Ranges are moved to the least of the signed values, so that one comparison tells what is in them.
    let letter = ((character | 0x20).wrapping_sub(b'a').wrapping_add(0x80) as i8) < -128 + 26;
    let digit = (character.wrapping_sub(b'0').wrapping_add(0x80) as i8) < -128 + 10;
    let plus = character == b'+';
    let slash = character == b'/';
    *good &= if letter | digit | plus | slash { 0xff } else { 0 };

    let c = character as i8;
    let mut v = character.wrapping_add(4);
    v = v.wrapping_sub(if c > 0x40 { 69 } else { 0 });
    v = v.wrapping_sub(if c > 0x60 { 6 } else { 0 });
    v = v.wrapping_add(if plus { 15 } else { 0 });
    v.wrapping_add(if slash { 12 } else { 0 })
}
