//! What the other protocols need of the machine, in the versions of the traits that they have.
#![no_std]
#![forbid(unsafe_code)]

use board::random::Repeatable;
use core::hint::black_box;
use rand_core::{CryptoRng, Error, RngCore};
use rand_core_10::TryRng;

/// The length of the message that is measured.
pub const MESSAGE: usize = 256;

/// The generator of the measurements, as a `rand_core` 0.6 one.
#[derive(Clone)]
pub struct Rng(Repeatable);

impl Rng {
    /// The sequence that begins at `seed`.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Self(Repeatable::new(seed))
    }
}

impl Default for Rng {
    fn default() -> Self {
        Self::new(1)
    }
}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        let Ok(number) = self.0.try_next_u32();
        number
    }

    fn next_u64(&mut self) -> u64 {
        let Ok(number) = self.0.try_next_u64();
        number
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        let Ok(()) = self.0.try_fill_bytes(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Rng {}

/// Stands for a transport: it takes the message in the buffer away and leaves another in its place, of which the optimiser
/// knows nothing. Returns its length.
pub fn exchange(buffer: &mut [u8], length: usize) -> usize {
    black_box((&mut *buffer, length));
    black_box(length).min(buffer.len())
}
