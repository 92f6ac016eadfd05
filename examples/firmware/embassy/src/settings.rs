//! What the host tells when the machine starts, in the place of provisioned flash and of a source of entropy.

use board::semihosting::command_line;
use chacha20::ChaCha20Rng;
use dynamic_key::crypto::software::PinnedKey;
use rand_core::SeedableRng;
use static_cell::StaticCell;

/// The room for all settings in bytes.
const ROOM: usize = 1024;

/// Settings of the form `name=value`, one space between two of them.
#[derive(Clone, Copy)]
pub struct Settings(&'static str);

impl Settings {
    /// Asks the host, once.
    #[must_use]
    pub fn read() -> Self {
        static TEXT: StaticCell<[u8; ROOM]> = StaticCell::new();
        Self(command_line(TEXT.init([0; ROOM])).unwrap_or_default())
    }

    /// The value with this name.
    ///
    /// # Errors
    /// The name, where there is none.
    pub fn get(&self, name: &'static str) -> Result<&'static str, &'static str> {
        let settings = self.0.split(' ').filter_map(|setting| setting.split_once('='));
        settings.filter(|(is, _)| *is == name).map(|(_, value)| value).next().ok_or(name)
    }

    /// The bytes that a value has in hexadecimal.
    ///
    /// # Errors
    /// The name, where the value is missing or of another length.
    pub fn bytes<const N: usize>(&self, name: &'static str) -> Result<[u8; N], &'static str> {
        let text = self.get(name)?.as_bytes();
        let mut bytes = [0; N];
        if text.len() != 2 * N {
            return Err(name);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let digits = core::str::from_utf8(digits).map_err(|_| name)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| name)?;
        }
        Ok(bytes)
    }

    /// The gateway's key, `key=` of 65 bytes.
    ///
    /// # Errors
    /// `key`, where it is none.
    pub fn key(&self) -> Result<PinnedKey, &'static str> {
        PinnedKey::from_point(&self.bytes("key")?).map_err(|_| "key")
    }

    /// A generator with the seed `name`, 32 bytes.
    ///
    /// # Security
    /// The emulated board has no source of entropy, so its host stands for one. **A real device seeds the generator from
    /// its own TRNG.**
    ///
    /// # Errors
    /// The name, where it is none.
    pub fn random(&self, name: &'static str) -> Result<ChaCha20Rng, &'static str> {
        Ok(ChaCha20Rng::from_seed(self.bytes(name)?))
    }
}
