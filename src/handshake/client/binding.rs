//! What the messages of a binding do for the client's machine.

use super::Confirmation;
use crate::agreement::schedule::Schedule;
use crate::agreement::transcript::Transcript;
use crate::codec::spki::{Group, PublicKey};
use crate::crypto::provider::Provider;
use crate::error::Error;
use crate::session::{Mode, Now};

/// The messages of a binding, and what they leave: [`DynamicKey`](super::DynamicKey) or
/// [`KeyAgreement`](super::KeyAgreement).
///
/// It stays in its place while the machine's state moves: what an answer says is large.
pub trait ClientBinding<P: Provider> {
    /// What the handshake ends in.
    type Session;
    /// What seals and opens for it.
    type Keys;

    /// The least that the session must be worth.
    fn mode(&self) -> Mode;

    /// Writes the hello and begins the transcript: `None` in plain mode.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`], from which there is another try; the provider's.
    fn write_hello(
        &self,
        provider: &mut P,
        public: &PublicKey,
        out: &mut [u8],
    ) -> Result<(usize, Option<Transcript>), Error>;

    /// Takes a status other than 200: the group for another try, where the binding has one.
    ///
    /// # Errors
    /// What the handshake ends with.
    fn refused(&mut self, status: u16, body: &[u8], group: Group) -> Result<Group, Error>;

    /// Checks the answer against what was demanded, takes its facts, and completes the transcript: `None` in plain mode.
    ///
    /// # Errors
    /// What the handshake ends with.
    fn accept(
        &mut self,
        body: &[u8],
        sent: &Sent,
        confirmation: &mut Option<Confirmation>,
    ) -> Result<PublicKey, Error>;

    /// The salt and the `info` of the key schedule in plain mode, which has no transcript; `None` in every other.
    fn plain(&self) -> Option<(&[u8], &[u8])> {
        None
    }

    /// Derives what seals and opens.
    ///
    /// # Errors
    /// The provider's.
    fn keys(&self, provider: &mut P, schedule: &Schedule<'_, P::Prk>) -> Result<Self::Keys, Error>;

    /// Forgets what the answer said: some of it is secret, too.
    fn forget(&mut self);

    /// Ends in a session of what the answer said.
    fn session(self, keys: Self::Keys) -> Self::Session;
}

/// What was sent and awaits its answer.
#[derive(Debug)]
pub struct Sent {
    /// The group of the public key.
    pub(super) group: Group,
    /// `None` in plain mode, which has no transcript.
    pub(super) transcript: Option<Transcript>,
    pub(super) at: Now,
}
