//! Generators: one that is seeded, one that says what it is told.

use std::collections::VecDeque;

/// SplitMix64: reproducible, and no generator for anything but tests.
#[derive(Clone, Debug)]
pub struct Seeded(pub u64);

impl Seeded {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl rand_core::TryRng for Seeded {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.next() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Seeded {}

/// What a generator is to say, draw by draw: the private keys and nonces of a vector. Any other draw fails.
#[derive(Clone, Debug, Default)]
pub struct Script(VecDeque<Vec<u8>>);

impl Script {
    pub fn new<const N: usize>(draws: [&[u8]; N]) -> Self {
        Self(draws.into_iter().map(Vec::from).collect())
    }

    /// What is said after all that was written down.
    pub fn push(&mut self, draw: &[u8]) {
        self.0.push_back(draw.into());
    }
}

/// Another number of bytes was drawn than was written down.
#[derive(Clone, Copy, Debug)]
pub struct OutOfScript;

impl core::fmt::Display for OutOfScript {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("nothing of this length is in the script")
    }
}

impl core::error::Error for OutOfScript {}

impl rand_core::TryRng for Script {
    type Error = OutOfScript;

    fn try_next_u32(&mut self) -> Result<u32, OutOfScript> {
        Err(OutOfScript)
    }

    fn try_next_u64(&mut self) -> Result<u64, OutOfScript> {
        Err(OutOfScript)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), OutOfScript> {
        let draw = self.0.pop_front().filter(|draw| draw.len() == out.len()).ok_or(OutOfScript)?;
        out.copy_from_slice(&draw);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Script {}
