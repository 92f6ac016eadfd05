//! What a provider of cryptography must do, and the software one.

#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(feature = "ffdhe")]
pub mod ffdhe;
pub(crate) mod hash;
pub mod provider;
pub mod signature;
pub mod software;
pub mod storable;
#[cfg(feature = "jwe")]
pub mod wrap;

#[cfg(feature = "async")]
pub use asynchronous::{AsyncProvider, AsyncSigner, AsyncVerifier};
pub use provider::{Aead, CryptoError, Provider};
pub use signature::{KeyId, Nobody, SIGNATURE_LEN, Signature, Signer, Verified, Verifier};
pub use storable::StorableKeys;
#[cfg(feature = "jwe")]
pub use wrap::{KeyWrap, Recipient};

/// SHA-256 of `message` (FIPS 180-4), for signers and verifiers whose primitive takes a hash: the code is that of the handshake.
#[must_use]
pub fn sha256(message: &[u8]) -> [u8; provider::HASH_LEN] {
    hash::Sha256::digest(message)
}
