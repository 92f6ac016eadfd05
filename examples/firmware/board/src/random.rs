//! A generator for measurements.

use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};

/// The upper bytes of a linear congruential generator: the same in each run, so that measurements repeat, and as little code as the
/// driver of a source of entropy.
///
/// # Security
/// **It is no generator for keys.** The emulated board has no source of entropy; a real one has, and a driver for it goes
/// here.
#[derive(Clone)]
pub struct Repeatable(u32);

impl Repeatable {
    /// The sequence that begins at `seed`.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Self(seed)
    }
}

impl TryRng for Repeatable {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut number = [0; 4];
        self.try_fill_bytes(&mut number).map(|()| u32::from_le_bytes(number))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut number = [0; 8];
        self.try_fill_bytes(&mut number).map(|()| u64::from_le_bytes(number))
    }

    #[inline(never)] // as a driver is
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for byte in out {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = self.0.to_be_bytes()[0];
        }
        Ok(())
    }
}

impl TryCryptoRng for Repeatable {}
