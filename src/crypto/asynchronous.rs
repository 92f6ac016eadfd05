//! The slow operations, awaited: an accelerator that interrupts, a secure element behind a bus, a queue to another core.
//!
//! Generating, agreeing, signing and verifying are all that is ever awaited; they happen between the steps of a
//! handshake. Hash, HKDF and AEAD stay with the [`Provider`], synchronous.
//!
//! Whatever implements the blocking traits implements these, too, and is then always ready: it works, and holds the
//! executor up for as long as it computes.

use super::provider::{CryptoError, Provider};
use super::signature::{KeyId, Signature, Signer, Verified, Verifier};
use crate::codec::spki::{Group, PublicKey};

/// A [`Provider`] whose [`generate`](Provider::generate) and [`agree`](Provider::agree) are awaited.
///
/// An implementer has a [`Provider`] for all the rest, whose types of keys these are and whose own `generate` and `agree`
/// are not called:
///
/// ```
/// # use dynamic_key::codec::spki::{Group, PublicKey};
/// # use dynamic_key::crypto::{AsyncProvider, CryptoError, Provider};
/// # async fn interrupt() {}
/// /// Gives the executor a turn before each slow operation.
/// struct Polite<P>(P);
///
/// impl<P: Provider> AsyncProvider for Polite<P> {
///     type Provider = P;
///
///     fn provider(&mut self) -> &mut P {
///         &mut self.0
///     }
///     async fn generate(&mut self, group: Group) -> Result<(P::EphemeralKey, PublicKey), CryptoError> {
///         interrupt().await;
///         self.0.generate(group)
///     }
///     async fn agree(&mut self, key: P::EphemeralKey, peer: &PublicKey) -> Result<P::SharedSecret, CryptoError> {
///         interrupt().await;
///         self.0.agree(key, peer)
///     }
/// }
/// ```
///
/// # Security
///
/// A future may be dropped at any await. What it holds then must be erased, keys that it consumed included, and an
/// operation that the hardware goes on with must leave nothing where the next one finds it.
#[expect(
    async_fn_in_trait,
    reason = "whether the future is Send is the implementer's, as in embedded-io-async"
)]
pub trait AsyncProvider {
    /// What does the rest.
    type Provider: Provider;

    /// What does the rest.
    fn provider(&mut self) -> &mut Self::Provider;

    /// As [`Provider::generate`].
    ///
    /// # Errors
    /// As [`Provider::generate`].
    async fn generate(
        &mut self,
        group: Group,
    ) -> Result<(<Self::Provider as Provider>::EphemeralKey, PublicKey), CryptoError>;

    /// As [`Provider::agree`]: validates `peer`, then agrees on Z, consuming the private key.
    ///
    /// # Errors
    /// As [`Provider::agree`].
    async fn agree(
        &mut self,
        key: <Self::Provider as Provider>::EphemeralKey,
        peer: &PublicKey,
    ) -> Result<<Self::Provider as Provider>::SharedSecret, CryptoError>;
}

/// A [`Signer`] that is awaited.
#[expect(
    async_fn_in_trait,
    reason = "whether the future is Send is the implementer's, as in embedded-io-async"
)]
pub trait AsyncSigner {
    /// The key's id.
    fn kid(&self) -> KeyId;

    /// As [`Signer::sign`].
    ///
    /// # Errors
    /// As [`Signer::sign`].
    async fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError>;
}

/// A [`Verifier`] that is awaited.
#[expect(
    async_fn_in_trait,
    reason = "whether the future is Send is the implementer's, as in embedded-io-async"
)]
pub trait AsyncVerifier {
    /// As [`Verifier::verify`].
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    async fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError>;
}

impl<P: Provider> AsyncProvider for P {
    type Provider = P;

    fn provider(&mut self) -> &mut P {
        self
    }

    async fn generate(&mut self, group: Group) -> Result<(P::EphemeralKey, PublicKey), CryptoError> {
        Provider::generate(self, group)
    }

    async fn agree(
        &mut self,
        key: P::EphemeralKey,
        peer: &PublicKey,
    ) -> Result<P::SharedSecret, CryptoError> {
        Provider::agree(self, key, peer)
    }
}

impl<S: Signer> AsyncSigner for S {
    fn kid(&self) -> KeyId {
        Signer::kid(self)
    }

    async fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        Signer::sign(self, message)
    }
}

impl<V: Verifier> AsyncVerifier for V {
    async fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        Verifier::verify(self, kid, message, signature)
    }
}
