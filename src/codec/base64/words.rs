//! The alphabet, one group of four characters in a word of 32 bits: for processors without vectors.

use super::{Base64Error, join, spread};

pub(super) const BYTES: usize = 3;
pub(super) const CHARACTERS: usize = 4;

/// A byte 1 in each of the four.
const ONES: u32 = 0x0101_0101;
const HIGHEST: u32 = ONES * 0x80;

/// The highest bit of each byte is set where a character was not of the alphabet.
pub(super) struct Judge(u32);

impl Judge {
    pub(super) const fn new() -> Self {
        Self(0)
    }

    pub(super) const fn must_be_zero(&mut self, byte: u8) {
        self.0 |= (byte as u32).wrapping_add(0x7f) | byte as u32;
    }

    pub(super) const fn verdict(&self) -> Result<(), Base64Error> {
        if self.0 & HIGHEST == 0 { Ok(()) } else { Err(Base64Error::Malformed) }
    }
}

/// What stands between the two forms: three bytes, first byte lowest.
pub(super) type Groups = u32;

/// Reads a chunk of bytes.
pub(super) const fn of_bytes(&[a, b, c]: &[u8; BYTES]) -> Groups {
    u32::from_le_bytes([a, b, c, 0])
}

/// Writes a chunk of characters.
pub(super) const fn put_characters(group: &Groups, text: &mut [u8; CHARACTERS]) {
    *text = characters_of(spread(*group)).to_le_bytes();
}

/// Reads a chunk of characters.
pub(super) const fn of_characters(text: &[u8; CHARACTERS], judge: &mut Judge) -> Groups {
    join(values_of(u32::from_le_bytes(*text), &mut judge.0))
}

/// Writes a chunk of bytes.
pub(super) const fn put_bytes(group: &Groups, bytes: &mut [u8; BYTES]) {
    let [first @ .., _] = group.to_le_bytes();
    *bytes = first;
}

const fn characters_of(values: u32) -> u32 {
    // In the end no sum leaves its byte, so it does not matter what passes between bytes on the way.
    values
        .wrapping_add(const { ONES * b'A' as u32 })
        .wrapping_add(ones(reach::<26>(values)).wrapping_mul(6))
        .wrapping_sub(ones(reach::<52>(values)).wrapping_mul(75))
        .wrapping_sub(ones(reach::<62>(values)).wrapping_mul(15))
        .wrapping_add(ones(reach::<63>(values)).wrapping_mul(3))
}

const fn values_of(text: u32, bad: &mut u32) -> u32 {
    let c = text & !HIGHEST;
    let plus = reach::<0x2b>(c);
    let slash = reach::<0x2f>(c);
    let digit = reach::<0x30>(c);
    let upper = reach::<0x41>(c);
    let lower = reach::<0x61>(c);
    // From '+', from '/' to '9', from 'A' to 'Z', from 'a' to 'z': each bound that is reached changes between
    // out and in.
    let inside = plus
        ^ reach::<0x2c>(c)
        ^ slash
        ^ reach::<0x3a>(c)
        ^ upper
        ^ reach::<0x5b>(c)
        ^ lower
        ^ reach::<0x7b>(c);
    *bad |= text | !inside;
    c.wrapping_add(ones(plus).wrapping_mul(19))
        .wrapping_sub(ones(slash).wrapping_mul(3))
        .wrapping_sub(ones(digit).wrapping_mul(12))
        .wrapping_sub(ones(upper).wrapping_mul(69))
        .wrapping_sub(ones(lower).wrapping_mul(6))
}

/// Of each byte, none of which is above 0x7f, tells in its highest bit whether it is at least `LEAST`.
const fn reach<const LEAST: u32>(bytes: u32) -> u32 {
    bytes.wrapping_add(const { ONES * (0x80 - LEAST) })
}

/// The highest bit of each byte, as its lowest.
const fn ones(highest: u32) -> u32 {
    (highest & HIGHEST) >> 7
}
