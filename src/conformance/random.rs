//! Randomness.

use super::{Failure, Property};
use crate::crypto::Provider;

/// Slices of up to this length are filled.
const LONGEST: usize = 67;
/// So often that a byte which is drawn each time is the same each time in one of 2⁸⁸ runs.
const DRAWS: usize = 12;

/// [`Provider::fill`]: every byte of a slice of any length is drawn anew.
///
/// # Errors
/// [`Property::Random`].
///
/// # Security
/// It finds a generator that is stuck, or that forgets a part of the slice, and judges the quality of none.
pub fn random<P: Provider>(provider: &mut P) -> Result<(), Failure> {
    for length in 0..=LONGEST {
        let (mut first, mut changed) = ([0; LONGEST], [false; LONGEST]);
        let first = first.get_mut(..length).unwrap_or_default();
        Property::Random.succeeds(length, provider.fill(first))?;
        for _ in 1..DRAWS {
            let mut next = [0; LONGEST];
            let next = next.get_mut(..length).unwrap_or_default();
            Property::Random.succeeds(length, provider.fill(next))?;
            for ((changed, first), next) in changed.iter_mut().zip(&*first).zip(&*next) {
                *changed |= first != next;
            }
        }
        Property::Random.require(length, changed.iter().take(length).all(|changed| *changed))?;
    }
    Ok(())
}
