//! What needs a provider whose generator is the caller's.

use super::agreement::{image, key_of};
use super::keys::{GENERATOR, ORDER, Point, SCALARS, UNUSUAL, known};
use super::{Failure, Property};
use crate::codec::spki::Group;
use crate::crypto::software::Software;
use crate::crypto::{CryptoError, Provider};
use core::fmt;
use rand_core::{TryCryptoRng, TryRng};

/// A generator that yields what is written down, 32 bytes a draw, and fails otherwise.
///
/// # Security
/// **It is no generator for keys**, but for a test that has to know them.
#[derive(Clone, Copy, Debug)]
pub struct Draws(&'static [[u8; 32]]);

/// The generator has no draw of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Exhausted;

impl Draws {
    /// Fails at the first draw.
    pub const NONE: Self = Self(&[]);

    /// Yields these, one after the other.
    #[must_use]
    pub const fn new(draws: &'static [[u8; 32]]) -> Self {
        Self(draws)
    }
}

impl TryRng for Draws {
    type Error = Exhausted;

    fn try_next_u32(&mut self) -> Result<u32, Exhausted> {
        Err(Exhausted)
    }

    fn try_next_u64(&mut self) -> Result<u64, Exhausted> {
        Err(Exhausted)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Exhausted> {
        let (draw, rest) = self.0.split_first().filter(|_| out.len() == 32).ok_or(Exhausted)?;
        out.copy_from_slice(draw);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Draws {}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the generator has no such draw")
    }
}

impl core::error::Error for Exhausted {}

/// Agreements whose private keys are known: published ones, those at the edges of the range, and with the public keys at the
/// edges of the curve. `make` makes a provider over this generator, which takes a scalar from it as 32 bytes, big-endian, in
/// one draw, as the software provider does.
///
/// # Errors
/// [`Property::KnownAgreement`], [`Property::ScalarRange`].
pub fn known_answer<P: Provider>(mut make: impl FnMut(Draws) -> P) -> Result<(), Failure> {
    super::reference()?;
    for (case, scalar) in SCALARS.iter().enumerate() {
        let draws = Draws(core::slice::from_ref(scalar));
        let peers = [known::PEER, GENERATOR];
        let edges = UNUSUAL.iter().filter(|_| *scalar == known::PRIVATE);
        for peer in peers.iter().chain(edges) {
            let property = Property::KnownAgreement;
            let expected = Property::Reference.succeeds(case, outcome(&mut Software::new(draws), peer))?;
            let outcome = property.succeeds(case, outcome(&mut make(draws), peer))?;
            property.require(case, outcome == expected)?;
        }
    }
    // 0, n and all bits are no scalars.
    const DRAWN: &[[u8; 32]] = &[[0; 32], ORDER, [0xff; 32], known::PRIVATE];
    let drawn = make(Draws(DRAWN)).generate(Group::P256);
    let (_, public) = Property::ScalarRange.succeeds(0, drawn)?;
    Property::ScalarRange.require(0, public.as_bytes() == known::PUBLIC)
}

/// The public key, and an image of Z.
#[inline(never)]
fn outcome<P: Provider>(provider: &mut P, peer: &Point) -> Result<(Point, [u8; 32]), CryptoError> {
    let (key, public) = provider.generate(Group::P256)?;
    let public = public.as_bytes().try_into().map_err(|_| CryptoError::Failed)?;
    let peer = key_of(peer).map_err(|_| CryptoError::Failed)?;
    Ok((public, image(provider, key, &peer)?))
}

/// What a provider does when its generator fails: `make` makes one over this generator.
///
/// # Errors
/// [`Property::FailingGenerator`].
pub fn failing_generator<P: Provider>(mut make: impl FnMut(Draws) -> P) -> Result<(), Failure> {
    let property = Property::FailingGenerator;
    let mut provider = make(Draws::NONE);
    property.refuses(0, provider.fill(&mut [0; 16]), CryptoError::Random)?;
    property.refuses(1, provider.generate(Group::P256), CryptoError::Random)?;
    // It fails when the first draw was no scalar.
    let mut provider = make(Draws(&[ORDER]));
    property.refuses(2, provider.generate(Group::P256), CryptoError::Random)
}
