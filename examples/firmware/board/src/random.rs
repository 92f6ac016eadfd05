//! A generator for measurements.

use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};

/// SplitMix64: the same numbers in each run, so that measurements repeat.
///
/// # Security
/// **It is no generator for keys.** The emulated board has no source of entropy; a real one has, and a driver for it goes
/// here.
#[derive(Clone)]
pub struct Repeatable(u64);

impl Repeatable {
    /// The sequence that begins at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl TryRng for Repeatable {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.try_next_u64()?.to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Repeatable {}
