//! Secret bytes that erase themselves.

use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes: erased on drop, compared in constant time, printed as `…`.
///
/// There is no `PartialEq`: a comparison is always spelled [`Secret::ct_eq`].
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

/// In a call of its own: secrets are dropped in many places.
#[inline(never)]
fn erase(bytes: &mut [u8]) {
    bytes.zeroize();
}

impl<const N: usize> Zeroize for Secret<N> {
    fn zeroize(&mut self) {
        erase(&mut self.0);
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

impl<const N: usize> Secret<N> {
    /// Takes over `bytes`. The caller erases its own copy, where it made one.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// `N` zero bytes, to be filled through [`Secret::as_mut_bytes`].
    #[must_use]
    pub const fn zero() -> Self {
        Self([0; N])
    }

    /// The bytes.
    ///
    /// # Security
    ///
    /// Copies made from them are the caller's to erase.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, to be written.
    pub const fn as_mut_bytes(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    /// Whether the two are equal, in time that depends on `N` only.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8; N]) -> bool {
        self.0.ct_eq(other).into()
    }
}

impl<const N: usize> From<[u8; N]> for Secret<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self::new(bytes)
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(feature = "defmt")]
impl<const N: usize> defmt::Format for Secret<N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "…");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_nothing_and_compares() {
        let secret = Secret::new([7; 4]);
        assert_eq!(std::format!("{secret:?}"), "…");
        assert!(secret.ct_eq(&[7; 4]));
        assert!(!secret.ct_eq(&[7, 7, 7, 6]));
    }

    #[test]
    fn zeroize_erases() {
        let mut secret = Secret::new([7; 4]);
        secret.zeroize();
        assert_eq!(secret.as_bytes(), &[0; 4]);
    }
}
