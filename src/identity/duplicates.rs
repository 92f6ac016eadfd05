//! Messages that have come before.

use super::IdentityError;
use crate::crypto::hash::Sha256;
use crate::log::format_as;
use core::fmt;

/// The bytes that are kept of a message: a part of the hash of its sender and its id.
const MARK: usize = 16;

/// The last `N` messages by sender and id, `N` × 16 bytes.
///
/// # Security
/// A relay can replay what is older than the last `N`, as long as it has not expired: choose `N` for the most messages that come
/// in the longest time for which messages are valid.
#[derive(Clone)]
pub struct Duplicates<const N: usize> {
    marks: [[u8; MARK]; N],
    /// How many there are, and where the next one goes, below `N`.
    len: usize,
    next: usize,
}

impl<const N: usize> Duplicates<N> {
    /// Nothing has come.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0, "a window without width") };
        Self { marks: [[0; MARK]; N], len: 0, next: 0 }
    }

    /// Whether the message `id` of the identity at `sender` has come before.
    #[must_use]
    pub fn contains(&self, sender: &str, id: &str) -> bool {
        self.has(&mark(sender, id))
    }

    /// Takes note of a message, after it was authenticated. The oldest one is forgotten where there is no room.
    ///
    /// # Errors
    /// [`IdentityError::Duplicate`], and nothing has changed.
    pub fn insert(&mut self, sender: &str, id: &str) -> Result<(), IdentityError> {
        let mark = mark(sender, id);
        if self.has(&mark) {
            return Err(IdentityError::Duplicate);
        }
        if let Some(place) = self.marks.get_mut(self.next) {
            *place = mark;
        }
        self.next = self.next.wrapping_add(1).checked_rem(N).unwrap_or_default();
        self.len = self.len.saturating_add(1).min(N);
        Ok(())
    }

    fn has(&self, mark: &[u8; MARK]) -> bool {
        self.marks.iter().take(self.len).any(|seen| seen == mark)
    }
}

impl<const N: usize> Default for Duplicates<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for Duplicates<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duplicates").field("len", &self.len).finish_non_exhaustive()
    }
}

format_as! { [const N: usize] Duplicates<N>, window => "Duplicates {{ len: {} }}", window.len }

/// No address has a `/`, so that no two pairs are written alike.
fn mark(sender: &str, id: &str) -> [u8; MARK] {
    let mut hash = Sha256::new(sender.as_bytes());
    hash.update(b"/");
    hash.update(id.as_bytes());
    let hash = hash.finish();
    hash.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn the_same_id_of_another_sender_is_another_message() {
        let mut window = Duplicates::<4>::new();
        assert_eq!(window.insert("a", "1"), Ok(()));
        assert_eq!(window.insert("a", "1"), Err(IdentityError::Duplicate));
        assert_eq!(window.insert("b", "1"), Ok(()));
        assert_eq!(window.insert("a", "b/1"), Ok(()));
        assert!(window.contains("a", "1") && !window.contains("a/b", "2") && !window.contains("", ""));
        assert_eq!(format!("{window:?}"), "Duplicates { len: 3, .. }");
    }

    #[test]
    fn the_window_is_as_wide_as_it_says_and_a_duplicate_does_not_move_it() {
        let mut window = Duplicates::<256>::new();
        for id in 0..1000 {
            assert_eq!(window.insert("a", &format!("{id}")), Ok(()));
            for seen in id.max(255) - 255..=id {
                assert_eq!(window.insert("a", &format!("{seen}")), Err(IdentityError::Duplicate));
            }
            assert!(id < 256 || !window.contains("a", &format!("{}", id - 256)));
        }
    }
}
