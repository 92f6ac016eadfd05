//! The server's handshake.
//!
//! ```text
//! Hello ─▶ Generate ─▶ Agree ─▶ Answer ─▶ Sign ─▶ Finish        (without an identity, and in plain mode, no Sign)
//! ```

mod policy;
mod refusal;
mod settled;

pub use policy::{Claims, ClientPolicy, ServerPolicy};
pub use refusal::{Refusal, ServerError};

use super::HANDSHAKE_NONCE_LEN;
use super::dynamic_key::{AnswerMessage, ChoiceMessage, Hello, fill_signature};
use crate::agreement::proof::{Role, Statement};
use crate::agreement::schedule::{PlainKdf, Schedule};
use crate::codec::spki::{Group, PublicKey};
use crate::codec::timestamp::{self, Timestamp};
use crate::crypto::provider::{CryptoError, HASH_LEN, Provider};
use crate::crypto::{KeyId, Signature, Signer};
#[cfg(doc)]
use crate::error::Code;
use crate::error::{Error, Misuse};
use crate::log::{debug, format_as};
use crate::session::server::Keys;
use crate::session::{ClientFacts, Mode, ServerSession, is_session_id, is_token};
use core::fmt;
use settled::Settled;

/// What the server gives a session, for [`ServerHandshake::answer`]. The token is never printed.
#[derive(Clone, Copy)]
pub struct ServerFacts<'a> {
    /// `[A-Za-z0-9._~-]{1,64}` with at least 128 random bits.
    pub session_id: &'a str,
    /// `[A-Za-z0-9._~+/=-]{1,4096}`.
    pub token: &'a str,
    /// The token's expiry in Unix seconds; 0 is with the session.
    pub expire_token: u64,
    /// The session's end.
    pub expires_at: Timestamp,
    /// The session's length in seconds.
    pub expires_in: u64,
    /// The instance of the gateway, unique in its fleet: the first four bytes of its responses' nonces.
    pub instance: u32,
    /// The identity that will sign, where there is one.
    pub identity: Option<KeyId>,
    /// How plain mode derives its key.
    pub plain: PlainKdf<'a>,
}

impl fmt::Debug for ServerFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFacts")
            .field("session_id", &self.session_id)
            .field("expires_at", &self.expires_at)
            .field("expires_in", &self.expires_in)
            .field("instance", &self.instance)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

format_as! {
    [] ServerFacts<'_>,
    facts => "ServerFacts {{ session_id: {}, expires_at: {}, expires_in: {}, instance: {}, identity: {} }}",
    facts.session_id, facts.expires_at, facts.expires_in, facts.instance, facts.identity
}

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

/// The server's handshake, up to the answer and the session.
pub struct ServerHandshake<P: Provider> {
    state: State<P>,
    settled: Settled,
}

#[allow(clippy::large_enum_variant, reason = "one state at a time, in place: there is no heap")]
enum State<P: Provider> {
    Hello,
    /// The peer's key.
    Generate(PublicKey),
    /// Our key, its public half, and the peer's.
    Agree(P::EphemeralKey, PublicKey, PublicKey),
    Agreeing(PublicKey),
    Answer(P::SharedSecret, PublicKey),
    Sign(Keys<P>),
    Finish(Keys<P>),
    Failed,
}

impl<P: Provider> fmt::Debug for ServerHandshake<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandshake").field("need", &self.need()).finish_non_exhaustive()
    }
}

format_as! { [P: Provider] ServerHandshake<P>, handshake => "ServerHandshake {{ need: {} }}", handshake.need() }

impl<P: Provider> Default for ServerHandshake<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Provider> ServerHandshake<P> {
    /// Awaits a hello.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Hello, settled: Settled::NOTHING }
    }

    /// What it needs next.
    #[must_use]
    pub const fn need(&self) -> ServerNeed {
        match &self.state {
            State::Hello => ServerNeed::Hello,
            State::Generate(_) => ServerNeed::Generate(self.settled.scheme.group()),
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

    /// Takes the hello that fills `body` (its key is decoded in place) and chooses the scheme. The checks come in the
    /// order of §2.1: JSON shape → client → mode → common scheme → key → the key's group.
    ///
    /// # Errors
    /// [`ServerError::Refuse`] with the code of §2.6.
    #[inline(never)]
    pub fn hello(
        &mut self,
        provider: &mut P,
        policy: &impl ServerPolicy,
        body: &mut [u8],
    ) -> Result<(), ServerError> {
        take!(self, State::Hello => ());
        let mut hello = Hello::default();
        hello.read(body)?;
        let peer = self.settled.hello(provider, policy, &hello, body)?;
        self.state = State::Generate(peer);
        debug!("hello accepted: {}", self.settled.scheme);
        Ok(())
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

    /// Whose session it will be, once the hello was accepted and until the answer is written.
    #[must_use]
    pub const fn client(&self) -> Option<&ClientFacts> {
        match self.need() {
            ServerNeed::Generate(_) | ServerNeed::Agree | ServerNeed::Answer => Some(&self.settled.client),
            _ => None,
        }
    }

    /// Derives the keys and writes the answer to the front of `out`, its signature left blank where there is an identity.
    /// Returns its length.
    ///
    /// # Errors
    /// [`ServerError::Misuse`] with [`Error::BufferTooSmall`], whose `needed` is exact, or
    /// [`Misuse::InvalidConfiguration`] for facts outside §2.1: nothing has changed. [`ServerError::Refuse`] when the
    /// provider fails.
    #[inline(never)]
    pub fn answer(
        &mut self,
        provider: &mut P,
        facts: &ServerFacts<'_>,
        out: &mut [u8],
    ) -> Result<usize, ServerError> {
        let State::Answer(_, public) = &self.state else {
            return Err(ServerError::Misuse(self.wrong_turn()));
        };
        if !is_session_id(facts.session_id) || !is_token(facts.token) {
            return Err(ServerError::Misuse(Misuse::InvalidConfiguration.into()));
        }
        let (mut der, mut time) = ([0; Group::MAX_OWN_SPKI_LEN], [0; timestamp::LEN]);
        let identity = facts.identity.as_ref().filter(|_| self.settled.mode != Mode::Plain);
        let mut message = AnswerMessage {
            public_key: public.write_spki(&mut der).map_err(Error::from)?,
            session_id: facts.session_id,
            token: facts.token,
            expire_token: facts.expire_token,
            expires_at: facts.expires_at.write(&mut time).map_err(Error::from)?,
            choice: (self.settled.mode != Mode::Plain).then_some(ChoiceMessage {
                scheme: self.settled.scheme,
                nonce: [0; HANDSHAKE_NONCE_LEN],
                expires_in: facts.expires_in,
                proof: [0; HASH_LEN],
                kid: identity,
            }),
        };
        let needed = message.length();
        if out.len() < needed {
            return Err(ServerError::Misuse(Error::BufferTooSmall { needed }));
        }

        let z = take!(self, State::Answer(z, _) => z);
        self.settled.name(facts)?;
        let keys = match self.settled.mode {
            Mode::Plain => Keys::plain(provider, &facts.plain, z, facts.session_id)?,
            _ => self.confirm(provider, z, facts.instance, &mut message)?,
        };
        let length = message.write(out).map_err(Error::from)?;
        self.state = if identity.is_some() { State::Sign(keys) } else { State::Finish(keys) };
        Ok(length)
    }

    /// Ends the transcript, draws the keys and puts the proof into the answer.
    #[inline(never)] // one frame less in its caller's
    fn confirm(
        &mut self,
        provider: &mut P,
        z: P::SharedSecret,
        instance: u32,
        message: &mut AnswerMessage<'_>,
    ) -> Result<Keys<P>, ServerError> {
        let choice = message.choice.as_mut().ok_or(Error::Misuse(Misuse::WrongTurn))?;
        provider.fill(&mut choice.nonce)?;
        self.settled.answer(message)?;
        let hash = &self.settled.hash;
        let schedule = Schedule::new(provider, hash, z);
        let schedule = schedule.as_ref().map_err(|error| *error)?; // where it is: a PRK is large
        if let Some(choice) = &mut message.choice {
            choice.proof = schedule.proof(provider, hash)?;
        }
        Ok(Keys::derive(provider, schedule, self.settled.scheme.aead(), instance)?)
    }

    /// What the server's identity has to sign, 54 bytes.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`].
    pub fn statement(&self) -> Result<Statement, ServerError> {
        match &self.state {
            State::Sign(_) => Ok(Statement::new(Role::Server, &self.settled.hash)),
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
        fill_signature(answer, &outcome?)?;
        self.state = State::Finish(keys);
        Ok(())
    }

    /// Ends in a session, once. Store it before the answer is sent.
    ///
    /// # Errors
    /// [`Misuse::WrongTurn`] when a step is missing, [`Misuse::HandshakeFailed`] when one failed, or when the session was
    /// taken.
    #[inline(never)]
    pub fn finish(&mut self) -> Result<ServerSession<P>, ServerError> {
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
