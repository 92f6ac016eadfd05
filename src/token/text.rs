//! Secret text that erases itself.

use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Up to `N` bytes of secret ASCII text: erased on drop, printed as `…`, compared in a time that tells the length only.
#[derive(Clone)]
pub(super) struct Text<const N: usize> {
    bytes: Secret<N>,
    /// At most `N`.
    len: usize,
}

impl<const N: usize> Text<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: Secret::zero(), len: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(self.bytes.as_bytes().get(..self.len).unwrap_or_default()).unwrap_or_default()
    }

    /// Erases what was there.
    pub(super) fn clear(&mut self) {
        self.bytes.zeroize();
        self.len = 0;
    }

    /// Takes the place of what was there; `None` leaves nothing where it does not fit.
    pub(super) fn set(&mut self, text: impl Iterator<Item = u8>) -> Option<()> {
        self.clear();
        for byte in text {
            let Some(place) = self.bytes.as_mut_bytes().get_mut(self.len) else {
                self.clear();
                return None;
            };
            *place = byte;
            self.len = self.len.saturating_add(1);
        }
        Some(())
    }

    pub(super) fn ct_eq(&self, other: &[u8]) -> bool {
        self.as_str().as_bytes().ct_eq(other).into()
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [const N: usize] Text<N>, _ => "…" }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_fits_and_nothing_else() {
        let mut text = Text::<4>::new();
        assert!(text.is_empty() && text.as_str().is_empty());
        assert_eq!(text.set("abcd".bytes()), Some(()));
        assert_eq!(text.as_str(), "abcd");
        assert!(text.ct_eq(b"abcd") && !text.ct_eq(b"abc") && !text.ct_eq(b"abce") && !text.ct_eq(b"abcde"));
        assert_eq!(std::format!("{text:?}"), "…");
        assert_eq!(text.set("x".bytes()), Some(()));
        assert_eq!((text.as_str(), text.bytes.as_bytes()), ("x", b"x\0\0\0"), "the rest is erased");
        assert_eq!(text.set("abcde".bytes()), None);
        assert_eq!((text.as_str(), text.bytes.as_bytes()), ("", &[0; 4]));
    }
}
