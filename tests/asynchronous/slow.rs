//! What blocks, made to be awaited: before and after each call, and longer for what is slow.

use crate::support::pause;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::{
    AsyncProvider, AsyncSigner, AsyncVerifier, CryptoError, KeyId, Provider, Signature, Signer, Verified,
    Verifier,
};
use dynamic_key::transport::{AsyncTransport, Request, Response, Transport};

pub(crate) struct Slow<T>(pub(crate) T);

impl<T: Transport> AsyncTransport for Slow<T> {
    type Error = T::Error;

    async fn send(&mut self, request: &Request<'_>) -> Result<(), T::Error> {
        pause().await;
        let outcome = self.0.send(request);
        pause().await;
        outcome
    }

    async fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, T::Error> {
        pause().await;
        let outcome = self.0.receive(buffer);
        pause().await;
        outcome
    }
}

impl<P: Provider> AsyncProvider for Slow<P> {
    type Provider = P;

    fn provider(&mut self) -> &mut P {
        &mut self.0
    }

    async fn generate(&mut self, group: Group) -> Result<(P::EphemeralKey, PublicKey), CryptoError> {
        pause().await;
        let outcome = Provider::generate(&mut self.0, group);
        pause().await;
        outcome
    }

    async fn agree(
        &mut self,
        key: P::EphemeralKey,
        peer: &PublicKey,
    ) -> Result<P::SharedSecret, CryptoError> {
        pause().await;
        let outcome = Provider::agree(&mut self.0, key, peer);
        pause().await;
        outcome
    }
}

impl<V: Verifier> AsyncVerifier for Slow<V> {
    async fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        pause().await;
        let outcome = Verifier::verify(&mut self.0, kid, message, signature);
        pause().await;
        outcome
    }
}

impl<S: Signer> AsyncSigner for Slow<S> {
    fn kid(&self) -> KeyId {
        Signer::kid(&self.0)
    }

    async fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        pause().await;
        let outcome = Signer::sign(&mut self.0, message);
        pause().await;
        outcome
    }
}
