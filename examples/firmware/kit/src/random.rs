//! Randomness: a ChaCha20 generator with the host's seed.

use board::semihosting::read_file;
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroize;

/// The generator of both images.
pub type Random = ChaCha20Rng;

/// A generator with 32 bytes of the host's file `path` as its seed.
///
/// # Security
/// The emulated board has no source of entropy, so its host stands for one. **A real device seeds the generator from its
/// own TRNG**, health-tested as its manual says, at each start; a seed in a file that is read twice gives the same keys
/// twice.
#[must_use]
pub fn random(path: &str) -> Option<Random> {
    let mut seed = [0; 32];
    let random = read_file(path, &mut seed).then(|| ChaCha20Rng::from_seed(seed));
    seed.zeroize();
    random
}
