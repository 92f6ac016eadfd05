//! The provider that is measured, and the identities that go with it.

use board::random::Repeatable;
#[cfg(all(feature = "jwe", not(feature = "cortex-m4")))]
pub use dynamic_key::crypto::software::RecipientKey;
#[cfg(not(feature = "cortex-m4"))]
pub use dynamic_key::crypto::software::{Identity, Pins, Software as Chosen};
#[cfg(all(feature = "jwe", feature = "cortex-m4"))]
pub use dynamic_key_cortex_m4::RecipientKey;
#[cfg(feature = "cortex-m4")]
pub use dynamic_key_cortex_m4::{CortexM4 as Chosen, Identity, Pins};

/// The provider, over the generator of the measurements.
pub type Provider<K> = Chosen<Repeatable, K>;
