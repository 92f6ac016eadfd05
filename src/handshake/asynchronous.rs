//! The slow operations of both roles, awaited between the same steps.

use super::client::{ClientMachine, ClientNeed, binding::ClientBinding};
use super::server::{ServerError, ServerMachine, ServerNeed, binding::ServerBinding};
use crate::crypto::{AsyncProvider, AsyncSigner, AsyncVerifier, Provider};
use crate::error::Error;

impl<P: Provider, B: ClientBinding<P>> ClientMachine<P, B> {
    /// As [`ClientMachine::compute`]. When the future is dropped, the key that it worked on is gone, and what remains is
    /// a handshake without a way on: drop it, too.
    ///
    /// # Errors
    /// Those of the steps.
    pub async fn compute_async(
        &mut self,
        provider: &mut impl AsyncProvider<Provider = P>,
        verifier: &mut impl AsyncVerifier,
    ) -> Result<ClientNeed, Error> {
        if let ClientNeed::Generate(group) = self.need() {
            self.generated(provider.generate(group).await)?;
        }
        if self.need() == ClientNeed::Agree {
            let (private, peer) = self.agreement()?;
            let outcome = provider.agree(private, &peer).await;
            self.agreed(provider.provider(), outcome)?;
        }
        if self.need() == ClientNeed::Verify {
            let due = self.verification()?;
            self.verified(verifier.verify(due.kid(), due.message(), due.signature()).await)?;
        }
        Ok(self.need())
    }
}

impl<P: Provider, B: ServerBinding<P>> ServerMachine<P, B> {
    /// As [`ServerMachine::compute`], and as [`ClientMachine::compute_async`] when the future is dropped.
    ///
    /// # Errors
    /// Those of the steps.
    pub async fn compute_async(
        &mut self,
        provider: &mut impl AsyncProvider<Provider = P>,
    ) -> Result<ServerNeed, ServerError> {
        loop {
            match self.need() {
                ServerNeed::Generate(group) => self.generated(provider.generate(group).await)?,
                ServerNeed::Agree => {
                    let (private, peer) = self.agreement()?;
                    self.agreed(provider.agree(private, &peer).await)?;
                }
                other => return Ok(other),
            }
        }
    }

    /// As [`ServerMachine::sign`].
    ///
    /// # Errors
    /// Those of the steps.
    pub async fn sign_async(
        &mut self,
        signer: &mut impl AsyncSigner,
        answer: &mut [u8],
    ) -> Result<(), ServerError> {
        let statement = self.statement()?;
        self.signed(signer.sign(statement.as_bytes()).await, answer)
    }
}
