//! The provider that is measured, and the identities that go with it.

use board::random::Repeatable;
pub use dynamic_key::crypto::software::{Identity, Pins, Software as Chosen};

/// The provider, over the generator of the measurements.
pub type Provider<K> = Chosen<Repeatable, K>;
