//! The server's handshake.
//!
//! ```text
//! Hello ─▶ Generate ─▶ Agree ─▶ Answer ─▶ Sign ─▶ Finish        (without an identity, and in plain mode, no Sign)
//! ```

pub(super) mod binding;
mod dynamic_key;
mod key_agreement;
mod policy;
mod refusal;

pub use dynamic_key::{DynamicKey, ServerFacts};
pub use key_agreement::{KeyAgreement, KeyAgreementFacts, KeyAgreementPolicy};
pub use policy::{Claims, ClientPolicy, ServerPolicy};
pub use refusal::{Refusal, ServerError};

use crate::agreement::proof::{Role, Statement};
use crate::agreement::schedule::Schedule;
use crate::codec::spki::{Group, PublicKey};
use crate::crypto::provider::{CryptoError, HASH_LEN, Provider};
use crate::crypto::{Signature, Signer};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Misuse};
use crate::log::format_as;
use binding::ServerBinding;
use core::fmt;

/// What a [`ServerHandshake`] needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServerNeed {
    /// [`ServerHandshake::hello`]: the body of `POST /api/info/v2`.
    Hello,
    /// [`Provider::generate`] for this group: hand the key to [`ServerHandshake::generated`].
    Generate(Group),
    /// [`ServerHandshake::agreement`] for [`Provider::agree`]: hand Z to [`ServerHandshake::agreed`].
    Agree,
    /// [`ServerHandshake::answer`]: the session's facts.
    Answer,
    /// [`ServerHandshake::statement`] for a [`Signer`]: hand the signature to [`ServerHandshake::signed`].
    Sign,
    /// [`ServerHandshake::finish`]: send the answer, keep the session.
    Finish,
    /// Nothing: the handshake has failed and its secrets are gone.
    Nothing,
}

/// The server's handshake with Dynamic Key V2 (§2.1), up to the answer and the session.
pub type ServerHandshake<P> = ServerMachine<P, DynamicKey>;

/// The server's handshake with Key Agreement (§3), up to the response and the
/// [`ServerAgreement`](crate::session::ServerAgreement).
pub type KeyAgreementServer<P> = ServerMachine<P, KeyAgreement>;

/// The server's handshake with the messages of the binding `B`: [`ServerHandshake`] or [`KeyAgreementServer`].
pub struct ServerMachine<P: Provider, B: ServerBinding<P>> {
    state: State<P, B::Keys>,
    /// What hello and answer settle. It is large and does not move with the state.
    settled: B,
}

#[allow(clippy::large_enum_variant, reason = "one state at a time, in place: there is no heap")]
enum State<P: Provider, K> {
    Hello,
    /// The peer's key.
    Generate(PublicKey),
    /// Our key, its public half, and the peer's.
    Agree(P::EphemeralKey, PublicKey, PublicKey),
    Agreeing(PublicKey),
    Answer(P::SharedSecret, PublicKey),
    Sign(K),
    Finish(K),
    Failed,
}

impl<P: Provider, B: ServerBinding<P>> fmt::Debug for ServerMachine<P, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandshake").field("need", &self.need()).finish_non_exhaustive()
    }
}

format_as! {
    [P: Provider, B: ServerBinding<P>] ServerMachine<P, B>,
    handshake => "ServerHandshake {{ need: {} }}", handshake.need()
}

impl<P: Provider, B: ServerBinding<P>> Default for ServerMachine<P, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Provider, B: ServerBinding<P>> ServerMachine<P, B> {
    /// Awaits a hello.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Hello, settled: B::NOTHING }
    }

    /// What it needs next.
    #[must_use]
    pub const fn need(&self) -> ServerNeed {
        match &self.state {
            State::Hello => ServerNeed::Hello,
            State::Generate(peer) => ServerNeed::Generate(peer.group()),
            State::Agree(..) | State::Agreeing(_) => ServerNeed::Agree,
            State::Answer(..) => ServerNeed::Answer,
            State::Sign(_) => ServerNeed::Sign,
            State::Finish(_) => ServerNeed::Finish,
            State::Failed => ServerNeed::Nothing,
        }
    }

    fn wrong_turn(&self) -> Error {
        match self.state {
            State::Failed => Misuse::HandshakeFailed.into(),
            _ => Misuse::WrongTurn.into(),
        }
    }

    /// Takes the outcome of [`Provider::generate`].
    ///
    /// # Errors
    /// [`ServerError`].
    #[inline(never)]
    pub fn generated(
        &mut self,
        outcome: Result<(P::EphemeralKey, PublicKey), CryptoError>,
    ) -> Result<(), ServerError> {
        let peer = take!(self, State::Generate(peer) => peer);
        let (private, public) = outcome?;
        if public.group() != peer.group() {
            return Err(CryptoError::Failed.into());
        }
        self.state = State::Agree(private, public, peer);
        Ok(())
    }

    /// The private key and the peer's public one, for [`Provider::agree`]. They are handed out once.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    #[inline(never)]
    pub fn agreement(&mut self) -> Result<(P::EphemeralKey, PublicKey), ServerError> {
        let (private, public, peer) =
            take!(self, State::Agree(private, public, peer) => (private, public, peer));
        self.state = State::Agreeing(public);
        Ok((private, peer))
    }

    /// Takes the outcome of [`Provider::agree`].
    ///
    /// # Errors
    /// [`ServerError`]; [`Code::InvalidPublicKey`] when the peer's key is no valid element of its group.
    #[inline(never)]
    pub fn agreed(&mut self, outcome: Result<P::SharedSecret, CryptoError>) -> Result<(), ServerError> {
        let public = take!(self, State::Agreeing(public) => public);
        self.state = State::Answer(outcome?, public);
        Ok(())
    }

    /// Draws proof and keys from Z and the transcript, which is complete.
    #[inline(never)] // one frame less in its caller's
    fn confirm(
        &self,
        provider: &mut P,
        z: P::SharedSecret,
        instance: u32,
        proof: &mut [u8; HASH_LEN],
    ) -> Result<B::Keys, ServerError> {
        let hash = self.settled.transcript();
        let schedule = Schedule::new(provider, hash, z);
        let schedule = schedule.as_ref().map_err(|error| *error)?; // where it is: a PRK is large
        *proof = schedule.proof(provider, hash)?;
        Ok(B::keys(provider, schedule, self.settled.scheme().aead(), instance)?)
    }

    /// What the server's identity has to sign, 54 bytes.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    pub fn statement(&self) -> Result<Statement, ServerError> {
        match &self.state {
            State::Sign(_) => Ok(Statement::new(Role::Server, self.settled.transcript())),
            _ => Err(ServerError::Misuse(self.wrong_turn())),
        }
    }

    /// Takes the signature and writes it into the answer, which fills `answer`.
    ///
    /// # Errors
    /// [`ServerError`].
    #[inline(never)]
    pub fn signed(
        &mut self,
        outcome: Result<Signature, CryptoError>,
        answer: &mut [u8],
    ) -> Result<(), ServerError> {
        let keys = take!(self, State::Sign(keys) => keys);
        B::fill_signature(answer, &outcome?)?;
        self.state = State::Finish(keys);
        Ok(())
    }

    /// Ends in a session, once. Store it before the answer is sent.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`] when a step is missing, [`Misuse::HandshakeFailed`] when one failed, or when the session was
    /// taken.
    #[inline(never)]
    pub fn finish(&mut self) -> Result<B::Session, ServerError> {
        let keys = take!(self, State::Finish(keys) => keys);
        Ok(self.settled.session(keys))
    }

    /// Performs the slow operations that are due before the answer is written.
    ///
    /// # Errors
    /// Those of the steps.
    #[inline(never)] // one frame less in its caller's
    pub fn compute(&mut self, provider: &mut P) -> Result<ServerNeed, ServerError> {
        loop {
            match self.need() {
                ServerNeed::Generate(group) => self.generated(provider.generate(group))?,
                ServerNeed::Agree => {
                    let (private, peer) = self.agreement()?;
                    self.agreed(provider.agree(private, &peer))?;
                }
                other => return Ok(other),
            }
        }
    }

    /// Signs the answer, which fills `answer`, where that is due.
    ///
    /// # Errors
    /// Those of the steps.
    #[inline(never)] // one frame less in its caller's
    pub fn sign(&mut self, signer: &mut impl Signer, answer: &mut [u8]) -> Result<(), ServerError> {
        let statement = self.statement()?;
        self.signed(signer.sign(statement.as_bytes()), answer)
    }
}
