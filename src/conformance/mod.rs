//! A test kit for whoever writes a [`Provider`], a [`Signer`] or a [`Verifier`](crate::crypto::Verifier).
//!
//! Secrets are opaque, so nothing can be compared but what leaves a provider: the kit puts the software provider at the other
//! end of an agreement and compares MACs, expanded bytes, ciphertexts and tags, and opens at one end what was sealed at the
//! other. It needs neither a heap nor an operating system, so that it runs on the target, too.
//!
//! ```no_run
//! use dynamic_key::conformance::{self, Bench, ROOM, Subject};
//! use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
//! # fn test(rng: impl rand_core::CryptoRng, other: impl rand_core::CryptoRng) -> Result<(), Box<dyn core::error::Error>> {
//! let (mut provider, mut signer) = (Software::new(rng), Identity::from_bytes(&[42; 32].into())?); // yours
//! let mut subject = Subject {
//!     provider: &mut provider,
//!     point: *signer.public()?.point(),
//!     signer: &mut signer,
//!     verify: |point: &[u8; 65], kid: &_, message: &[u8], signature: &_| {
//!         dynamic_key::crypto::Verifier::verify(&mut Pins(&[PinnedKey::from_point(point)?]), kid, message, signature)
//!     },
//! };
//! conformance::run_all(&mut subject, &mut Bench::new(other, &mut [0; ROOM]))?;
//! # Ok(())
//! # }
//! ```
//!
//! What needs a provider whose generator is the caller's is apart: [`known_answer`], [`failing_generator`] and, with the feature `jwe`,
//! `failing_wrap`. So is what a provider owes that wraps keys, `key_wrap` and then `packages`: it needs a key that is encrypted to.
//!
//! Points in another encoding than 0x04 ‖ x ‖ y, and the one byte that is the point at infinity, cannot reach a provider: no
//! [`PublicKey`](crate::codec::spki::PublicKey) holds one.
//!
//! # Security
//! Keys of the kit are published here. A provider that passes is interoperable and refuses what it must; that it keeps its
//! secrets, no test from outside can show.

mod aead;
mod agreement;
mod derivation;
mod generator;
mod handshake;
mod keys;
#[cfg(feature = "jwe")]
mod packages;
mod property;
mod random;
mod reference;
mod signature;
#[cfg(feature = "jwe")]
mod wrap;

pub use aead::aead;
pub use agreement::agreement;
pub use derivation::derivation;
pub use generator::{Draws, Exhausted, failing_generator, known_answer};
pub use handshake::handshakes;
#[cfg(feature = "jwe")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwe")))]
pub use packages::packages;
pub use property::{Failure, Property};
pub use random::random;
pub use reference::reference;
pub use signature::{signing, verifying};
#[cfg(feature = "jwe")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwe")))]
pub use wrap::{failing_wrap, key_wrap};

use crate::crypto::software::Software;
use crate::crypto::{CryptoError, KeyId, Provider, Signature, Signer, Verified};
use core::fmt;
use rand_core::TryCryptoRng;

/// Bytes of the room that a [`Bench`] works in.
pub const ROOM: usize = 8192;

/// What is under test.
pub struct Subject<'s, P, S, V> {
    /// The provider.
    pub provider: &'s mut P,
    /// A signer.
    pub signer: &'s mut S,
    /// The signer's public key, 0x04 ‖ x ‖ y.
    pub point: [u8; 65],
    /// Verifies as a [`Verifier`](crate::crypto::Verifier) that trusts the key with this point and no other.
    pub verify: V,
}

impl<P, S, V> fmt::Debug for Subject<'_, P, S, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// The other end: the software provider, and room to compare in.
pub struct Bench<'b, R> {
    software: Software<R>,
    room: &'b mut [u8; ROOM],
}

impl<'b, R: TryCryptoRng> Bench<'b, R> {
    /// A bench whose other end draws from `rng`, in a room that the caller lends.
    pub const fn new(rng: R, room: &'b mut [u8; ROOM]) -> Self {
        Self { software: Software::new(rng), room }
    }
}

impl<R> fmt::Debug for Bench<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bench")
    }
}

/// All that a provider, a signer and a verifier owe, each group after those that it builds on.
///
/// # Errors
/// The first property that does not hold.
pub fn run_all<P, S, V, R>(
    subject: &mut Subject<'_, P, S, V>,
    bench: &mut Bench<'_, R>,
) -> Result<(), Failure>
where
    P: Provider,
    S: Signer,
    V: FnMut(&[u8; 65], &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
    R: TryCryptoRng,
{
    reference()?;
    random(subject.provider)?;
    agreement(subject.provider, bench)?;
    derivation(subject.provider, bench)?;
    aead(subject.provider, bench)?;
    signing(subject.signer, &subject.point)?;
    verifying(&mut subject.verify)?;
    handshakes(subject, bench)
}
