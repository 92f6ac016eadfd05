//! What the messages of a binding do for the server's machine.

use crate::agreement::schedule::Schedule;
use crate::agreement::transcript::TranscriptHash;
use crate::crypto::Signature;
use crate::crypto::provider::{Aead, CryptoError, Provider};
use crate::error::Error;
use crate::scheme::Scheme;

/// The messages of a binding, what they settle, and what they leave: [`DynamicKey`](super::DynamicKey) or
/// [`KeyAgreement`](super::KeyAgreement). The steps `hello` and `answer`, into which policy and facts enter, are its own.
///
/// It stays in its place while the machine's state moves: what messages settle is large.
pub trait ServerBinding<P: Provider> {
    /// What the handshake ends in.
    type Session;
    /// What seals and opens for it.
    type Keys;

    /// Nothing is settled yet.
    const NOTHING: Self;

    /// The scheme that was selected.
    fn scheme(&self) -> Scheme;

    /// T, once the answer is written.
    fn transcript(&self) -> &TranscriptHash;

    /// Derives what seals and opens.
    ///
    /// # Errors
    /// The provider's.
    fn keys(
        provider: &mut P,
        schedule: &Schedule<'_, P::Prk>,
        aead: Aead,
        instance: u32,
    ) -> Result<Self::Keys, CryptoError>;

    /// Writes the signature into the answer that fills `answer` and was written with a blank for it.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`](crate::Misuse::WrongTurn) for an answer without the blank.
    fn fill_signature(answer: &mut [u8], signature: &Signature) -> Result<(), Error>;

    /// Becomes a session, and nothing is settled any more.
    fn session(&mut self, keys: Self::Keys) -> Self::Session;
}
