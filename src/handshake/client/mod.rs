//! The client's handshake.
//!
//! ```text
//! Generate ─▶ Hello ─▶ Reply ─▶ Agree ─▶ Verify ─▶ Sign ─▶ Finish        (Verify from pinned mode on, Sign in mutual)
//!    ▲                   │ RETRY_WITH_SCHEME
//!    └───────────────────┘ once
//! ```

pub(super) mod binding;
mod config;
mod dynamic_key;
mod key_agreement;
mod verification;

pub use config::ClientConfig;
pub use dynamic_key::DynamicKey;
pub use key_agreement::{KeyAgreement, KeyAgreementConfig};
pub use verification::Verification;

use super::members;
use crate::agreement::proof::{self, Role, Statement};
use crate::agreement::schedule::Schedule;
use crate::agreement::transcript::TranscriptHash;
use crate::codec::json::{Str, Value};
use crate::codec::spki::{Group, PublicKey};
#[cfg(doc)]
use crate::crypto::Signer;
use crate::crypto::provider::{CryptoError, HASH_LEN, Provider};
use crate::crypto::{KeyId, Signature, Verified, Verifier};
#[cfg(doc)]
use crate::error::Incompatible;
use crate::error::{Error, Misuse, Peer};
use crate::log::{debug, format_as};
use crate::session::{Mode, Now};
use binding::{ClientBinding, Sent};
use core::fmt;

/// What a [`ClientHandshake`] needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ClientNeed {
    /// [`Provider::generate`] for this group: hand the key to [`ClientHandshake::generated`].
    Generate(Group),
    /// [`ClientHandshake::hello`]: write the hello and send it to `POST /api/info/v2`.
    Hello,
    /// [`ClientHandshake::reply`]: the status and body of the answer.
    Reply,
    /// [`ClientHandshake::agreement`] for [`Provider::agree`]: hand Z to [`ClientHandshake::agreed`].
    Agree,
    /// [`ClientHandshake::verification`] for a [`Verifier`]: hand the outcome to [`ClientHandshake::verified`].
    Verify,
    /// [`ClientHandshake::statement`] for a [`Signer`]: hand the signature to [`ClientHandshake::signed`].
    Sign,
    /// [`ClientHandshake::finish`]: the session is there.
    Finish,
    /// Nothing: the handshake has failed and its secrets are gone. Begin another.
    Nothing,
}

/// The client's handshake with Dynamic Key V2 (§2.1), up to the session. `TOKEN` is the room for the session's token in
/// bytes, `OUTSTANDING` the number of requests that may await their responses at once.
pub type ClientHandshake<'c, P, const TOKEN: usize, const OUTSTANDING: usize = 1> =
    ClientMachine<P, DynamicKey<'c, TOKEN, OUTSTANDING>>;

/// The client's handshake with Key Agreement (§3), up to the [`Agreement`](crate::session::Agreement).
pub type KeyAgreementClient<'c, P> = ClientMachine<P, KeyAgreement<'c>>;

/// The client's handshake with the messages of the binding `B`: [`ClientHandshake`] or [`KeyAgreementClient`].
pub struct ClientMachine<P: Provider, B: ClientBinding<P>> {
    /// It is large and does not move with the state.
    binding: B,
    state: State<P, B::Keys>,
    /// `None` before the answer came, after a failure and in plain mode.
    confirmation: Option<Confirmation>,
}

impl<P: Provider, B: ClientBinding<P>> fmt::Debug for ClientMachine<P, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake").field("need", &self.need()).finish_non_exhaustive()
    }
}

format_as! {
    [P: Provider, B: ClientBinding<P>] ClientMachine<P, B>,
    handshake => "ClientHandshake {{ need: {} }}", handshake.need()
}

/// What is secret stays in its place from one turn to the next: it is large.
#[allow(clippy::large_enum_variant, reason = "one state at a time, in place: there is no heap")]
enum State<P: Provider, K> {
    Generate(Group),
    /// Our key, until it is handed out for the agreement.
    Key(Option<P::EphemeralKey>, Turn),
    /// What seals and opens, until the session takes it.
    Keys(K, Due),
    Failed,
}

/// The messages that stand between our key and the agreement.
enum Turn {
    Hello(PublicKey),
    Reply(Sent),
    Agree(PublicKey),
}

/// The signatures that stand between the keys and the session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Verify,
    Sign,
    Finish,
}

/// What has to confirm the answer.
#[derive(Debug)]
pub struct Confirmation {
    transcript: TranscriptHash,
    proof: [u8; HASH_LEN],
    /// Who signed the answer, if somebody did: from pinned mode on.
    identity: Option<(KeyId, Signature)>,
}

impl Confirmation {
    /// Takes what an answer says into `place`, for a client of `mode`; the transcript is to be completed yet.
    #[inline(never)] // one frame less in its caller's
    fn take<'p>(
        place: &'p mut Option<Self>,
        proof: Str<'_>,
        identity: Option<Value<'_>>,
        mode: Mode,
    ) -> Result<&'p mut Self, Error> {
        let confirmation =
            place.insert(Self { transcript: [0; HASH_LEN], proof: [0; HASH_LEN], identity: None });
        members::identity(identity, &mut confirmation.identity)?;
        // Below pinned mode nobody could verify the signature: its kid is in the transcript, and that is all.
        if mode >= Mode::Pinned && confirmation.identity.is_none() {
            return Err(Peer::Downgrade.into());
        }
        members::proof(proof, &mut confirmation.proof)?;
        Ok(confirmation)
    }

    fn kid(&self) -> Option<&KeyId> {
        self.identity.as_ref().map(|(kid, _)| kid)
    }
}

impl<P: Provider, B: ClientBinding<P>> ClientMachine<P, B> {
    /// Begins with a key of `group`.
    const fn starting(binding: B, group: Group) -> Self {
        Self { binding, state: State::Generate(group), confirmation: None }
    }

    /// What it needs next.
    #[must_use]
    pub const fn need(&self) -> ClientNeed {
        match &self.state {
            State::Generate(group) => ClientNeed::Generate(*group),
            State::Key(_, Turn::Hello(_)) => ClientNeed::Hello,
            State::Key(_, Turn::Reply(_)) => ClientNeed::Reply,
            State::Key(_, Turn::Agree(_)) => ClientNeed::Agree,
            State::Keys(_, Due::Verify) => ClientNeed::Verify,
            State::Keys(_, Due::Sign) => ClientNeed::Sign,
            State::Keys(_, Due::Finish) => ClientNeed::Finish,
            State::Failed => ClientNeed::Nothing,
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
    /// [`Misuse::WrongTurn`]; the provider's error, after which the handshake has failed.
    #[inline(never)]
    pub fn generated(
        &mut self,
        outcome: Result<(P::EphemeralKey, PublicKey), CryptoError>,
    ) -> Result<(), Error> {
        let State::Generate(group) = self.state else { return Err(self.wrong_turn()) };
        match outcome {
            Ok((private, public)) if public.group() == group => {
                self.state = State::Key(Some(private), Turn::Hello(public));
                Ok(())
            }
            Ok(_) => Err(self.failed(CryptoError::Failed.into())),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Writes the hello to the front of `out` and returns its length. `now` is when it is sent: lifetimes count from it.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the exact length, at most that of the configuration's `hello_len`: a larger buffer is all
    /// that it takes; a nonce has been drawn, and the next hello has another. [`Misuse::WrongTurn`]: nothing has changed.
    /// [`Error::Crypto`]: the handshake has failed.
    #[inline(never)]
    pub fn hello(&mut self, provider: &mut P, now: Now, out: &mut [u8]) -> Result<usize, Error> {
        let State::Key(_, turn) = &mut self.state else { return Err(self.wrong_turn()) };
        let Turn::Hello(public) = turn else { return Err(Misuse::WrongTurn.into()) };
        match self.binding.write_hello(provider, public, out) {
            Ok((length, transcript)) => {
                *turn = Turn::Reply(Sent { group: public.group(), transcript, at: now });
                debug!("hello: {} bytes", length);
                Ok(length)
            }
            Err(error @ Error::BufferTooSmall { .. }) => Err(error),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Takes the answer: its HTTP status and the whole of its body.
    ///
    /// With Dynamic Key V2, a 409 that names an offered scheme of another group leads back to [`ClientNeed::Generate`], once.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`]: nothing has changed. After any other the handshake has failed: [`Peer::Malformed`],
    /// [`Peer::InvalidPublicKey`], [`Peer::Downgrade`], [`Error::Refused`] with the gateway's code (a hint from whoever
    /// sits on the wire), [`Peer::UnexpectedStatus`], [`Incompatible`].
    #[inline(never)]
    pub fn reply(&mut self, status: u16, body: &[u8]) -> Result<(), Error> {
        let State::Key(_, turn) = &mut self.state else { return Err(self.wrong_turn()) };
        let Turn::Reply(sent) = turn else { return Err(Misuse::WrongTurn.into()) };
        let outcome = if status == 200 {
            let accepted = self.binding.accept(body, sent, &mut self.confirmation);
            accepted.map(|peer| *turn = Turn::Agree(peer))
        } else {
            let again = self.binding.refused(status, body, sent.group);
            again.map(|group| self.state = State::Generate(group))
        };
        outcome.map_err(|error| self.failed(error))
    }

    /// Fails, and forgets what the answer said.
    #[inline(never)]
    fn failed(&mut self, error: Error) -> Error {
        self.state = State::Failed;
        self.confirmation = None;
        self.binding.forget();
        error
    }

    /// The private key and the peer's public one, for [`Provider::agree`]. They are handed out once.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    #[inline(never)]
    pub fn agreement(&mut self) -> Result<(P::EphemeralKey, PublicKey), Error> {
        let State::Key(private, Turn::Agree(peer)) = &mut self.state else { return Err(self.wrong_turn()) };
        let private = private.take().ok_or(Misuse::WrongTurn)?;
        Ok((private, *peer))
    }

    /// Takes the outcome of [`Provider::agree`], derives the keys and checks the proof.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`]: nothing has changed. After any other the handshake has failed: [`Peer::InvalidPublicKey`],
    /// [`Peer::Authentication`], [`Error::Crypto`].
    #[inline(never)]
    pub fn agreed(
        &mut self,
        provider: &mut P,
        outcome: Result<P::SharedSecret, CryptoError>,
    ) -> Result<(), Error> {
        if !matches!(self.state, State::Key(None, Turn::Agree(_))) {
            return Err(self.wrong_turn());
        }
        let keys = match outcome {
            Ok(z) => self.keys(provider, z),
            Err(error) => Err(error.into()),
        };
        self.derived(keys)
    }

    /// Goes on with the keys, or ends.
    #[inline(never)] // one frame less in its caller's
    fn derived(&mut self, keys: Result<B::Keys, Error>) -> Result<(), Error> {
        let due = if self.binding.mode() >= Mode::Pinned { Due::Verify } else { Due::Finish };
        match keys {
            Ok(keys) => {
                self.state = State::Keys(keys, due);
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Derives the keys, under the transcript or, in plain mode, its salt, and checks the proof.
    fn keys(&self, provider: &mut P, z: P::SharedSecret) -> Result<B::Keys, Error> {
        let (salt, plain) = match (self.binding.plain(), &self.confirmation) {
            (Some((salt, info)), _) => (salt, Some(info)),
            (None, Some(Confirmation { transcript, .. })) => (transcript.as_slice(), None),
            (None, None) => return Err(Peer::Downgrade.into()),
        };
        match &Schedule::salted(provider, salt, plain, z) {
            // Where it is: a PRK is large.
            Ok(schedule) => {
                self.check_proof(provider, schedule).and_then(|()| self.binding.keys(provider, schedule))
            }
            Err(error) => Err((*error).into()),
        }
    }

    /// Checks the proof, in every mode but plain, in which nothing is proven.
    #[inline(never)] // one frame less in its caller's
    fn check_proof(&self, provider: &mut P, schedule: &Schedule<'_, P::Prk>) -> Result<(), Error> {
        if schedule.is_plain() {
            return Ok(());
        }
        let Some(Confirmation { transcript, proof, identity }) = &self.confirmation else {
            return Err(Peer::Downgrade.into());
        };
        if !proof::matches(&schedule.proof(provider, transcript)?, proof) {
            return Err(Peer::Authentication.into());
        }
        if self.binding.mode() >= Mode::Pinned && identity.is_none() {
            return Err(Peer::Downgrade.into());
        }
        Ok(())
    }

    /// The gateway's signature, to be verified by a key that the client pins.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    pub fn verification(&self) -> Result<Verification, Error> {
        match (&self.state, &self.confirmation) {
            (
                State::Keys(_, Due::Verify),
                Some(Confirmation { transcript, identity: Some((kid, signature)), .. }),
            ) => {
                let statement = Statement::new(Role::Server, transcript);
                Ok(Verification { kid: *kid, statement, signature: *signature })
            }
            _ => Err(self.wrong_turn()),
        }
    }

    /// Takes the outcome of [`Verification::run`].
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`]: nothing has changed. [`Peer::Authentication`]: the handshake has failed.
    #[inline(never)]
    pub fn verified(&mut self, outcome: Result<Verified, CryptoError>) -> Result<(), Error> {
        let next = if self.binding.mode() == Mode::Mutual { Due::Sign } else { Due::Finish };
        let State::Keys(_, due @ Due::Verify) = &mut self.state else { return Err(self.wrong_turn()) };
        match outcome {
            Ok(Verified { .. }) => {
                *due = next;
                Ok(())
            }
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Ends in a session.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`] when a step is missing, [`Misuse::HandshakeFailed`] when one failed.
    #[inline(never)]
    pub fn finish(self) -> Result<B::Session, Error> {
        match self.state {
            State::Keys(keys, Due::Finish) => Ok(self.binding.session(keys)),
            State::Failed => Err(Misuse::HandshakeFailed.into()),
            _ => Err(Misuse::WrongTurn.into()),
        }
    }

    /// Performs the slow operations that are due, one after the other, until the machine needs something else. Signing, in
    /// mutual mode, is left to [`ClientHandshake::sign`].
    ///
    /// # Errors
    /// Those of the steps.
    #[inline(never)] // one frame less in its caller's
    pub fn compute(&mut self, provider: &mut P, verifier: &mut impl Verifier) -> Result<ClientNeed, Error> {
        if let State::Generate(group) = self.state {
            self.generated(provider.generate(group))?;
        }
        if let State::Key(_, Turn::Agree(_)) = self.state {
            let (private, peer) = self.agreement()?;
            let outcome = provider.agree(private, &peer);
            self.agreed(provider, outcome)?;
        }
        if let State::Keys(_, Due::Verify) = self.state {
            self.verified(self.verification()?.run(verifier))?;
        }
        Ok(self.need())
    }
}
