//! The gateway's end of Key Agreement (§3), without I/O.
//!
//! ```text
//! POST /rest/key-agreement                    accept ──────────────────────────────────▶ answer
//! a call with ?client_reference_id=…          open ─▶ act, or forward ─▶ seal fields ─▶ answer
//! ```

use super::agreements::AgreementStore;
use super::{Head, Reply, SESSION_ID_LEN, Step, body_of, random_id};
use crate::codec::timestamp::Timestamp;
use crate::crypto::{Provider, Signer};
use crate::error::{Code, Error};
use crate::field::Call;
use crate::handshake::key_agreement::{MAX_IDENTIFIER, longest_response};
use crate::handshake::{KeyAgreementFacts, KeyAgreementPolicy, KeyAgreementServer, ServerError, ServerNeed};
use crate::log::debug;
use core::ops::Range;

/// What a gateway of Key Agreement is configured with. It holds no state: agreements are in an [`AgreementStore`].
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyAgreementGateway<'c> {
    /// What it accepts.
    pub policy: KeyAgreementPolicy<'c>,
    /// Its own `identifier`, 1 to 255 bytes.
    pub identifier: &'c [u8],
    /// How long an agreement lasts, in seconds: 300 by default.
    pub seconds: u64,
    /// This instance of the gateway, unique in its fleet: no two instances may seal under one number.
    pub instance: u32,
}

/// The room in bytes that [`KeyAgreementGateway::accept`] needs for its answer, whoever asks.
pub const RESPONSE_ROOM: usize = longest_response(SESSION_ID_LEN, MAX_IDENTIFIER);

/// What becomes of a call.
#[derive(Debug)]
pub enum Opened<H, const N: usize> {
    /// The fields are open and committed: act on the call, which this agreement belongs to. The places of the plaintexts in
    /// the body are in the order of the names.
    Open(H, [Option<Range<usize>>; N]),
    /// Answer with this status and an empty body.
    Reply(Reply),
}

impl KeyAgreementGateway<'_> {
    /// Answers `POST /rest/key-agreement`: `buffer` holds the body in its first `length` bytes, and then the answer.
    /// `identity` signs it; without one no client can pin this gateway. The agreement is stored before the answer is there.
    ///
    /// This performs the slow operations in place; a server whose provider is asynchronous drives a [`KeyAgreementServer`].
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] for a buffer that has not [`RESPONSE_ROOM`], before anything has changed, and
    /// [`Error::Misuse`] for a configuration that cannot be. Whatever the peer did, and whatever provider and store did, is
    /// a [`Reply`] without a body.
    #[expect(clippy::too_many_arguments, reason = "a gateway holds no state: all of it comes in")]
    pub fn accept<P: Provider, S: AgreementStore<P>>(
        &self,
        provider: &mut P,
        identity: Option<&mut dyn Signer>,
        store: &mut S,
        now: Timestamp,
        head: &Head<'_>,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<Reply, Error> {
        if buffer.len() < RESPONSE_ROOM {
            return Err(Error::BufferTooSmall { needed: RESPONSE_ROOM });
        }
        match self.try_accept(provider, identity, store, now, head, (buffer, length)) {
            Ok(length) => Ok(Reply { status: 200, length, code: None }),
            Err(error) => refuse(error),
        }
    }

    #[inline(never)] // one frame less in its caller's
    fn try_accept<P: Provider, S: AgreementStore<P>>(
        &self,
        provider: &mut P,
        identity: Option<&mut dyn Signer>,
        store: &mut S,
        now: Timestamp,
        head: &Head<'_>,
        (buffer, length): (&mut [u8], usize),
    ) -> Step<usize> {
        head.check_content_type()?;
        let mut handshake = KeyAgreementServer::<P>::new();
        handshake.hello(&self.policy, body_of(buffer, length)?)?;
        handshake.compute(provider)?;
        let length = self.answer(&mut handshake, provider, identity.as_deref(), now, buffer)?;
        if handshake.need() == ServerNeed::Sign
            && let Some(mut identity) = identity
        {
            handshake.sign(&mut identity, body_of(buffer, length)?)?;
        }
        keep(&mut handshake, store, now)?;
        Ok(length)
    }

    #[inline(never)] // one frame less in its caller's
    fn answer<P: Provider>(
        &self,
        handshake: &mut KeyAgreementServer<P>,
        provider: &mut P,
        identity: Option<&dyn Signer>,
        now: Timestamp,
        buffer: &mut [u8],
    ) -> Step<usize> {
        let mut id = [0; SESSION_ID_LEN];
        let facts = KeyAgreementFacts {
            client_reference_id: random_id(provider, &mut id)?,
            identifier: self.identifier,
            ends: now.saturating_add_secs(self.seconds),
            expires_in: Some(self.seconds),
            instance: self.instance,
            identity: identity.map(|identity| identity.kid()),
        };
        handshake.answer(provider, &facts, buffer)
    }

    /// Opens the fields `names` of a call, whose JSON fills `body` and whose query names the agreement `id`, each in place,
    /// and commits them: all that are there or none.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a name that is none. Whatever the peer did, and whatever provider and store did, is
    /// [`Opened::Reply`]; the body may have been erased.
    #[expect(clippy::too_many_arguments, reason = "a gateway holds no state: all of it comes in")]
    pub fn open<P: Provider, S: AgreementStore<P>, const N: usize>(
        &self,
        provider: &mut P,
        store: &mut S,
        now: Timestamp,
        head: &Head<'_>,
        id: &str,
        call: &mut Call<'_>,
        names: &[&str; N],
        body: &mut [u8],
    ) -> Result<Opened<S::Handle, N>, Error> {
        let opened = (|| {
            head.check_content_type()?;
            let handle = store.find(id, now)?;
            let agreement = store.agreement(&handle).ok_or(ServerError::code(Code::InvalidSession))?;
            let opened = agreement.open(provider, call, names, body)?;
            store.commit(&handle, opened.counters())?;
            Ok((handle, opened.committed(call)))
        })();
        match opened {
            Ok((handle, places)) => Ok(Opened::Open(handle, places)),
            Err(error) => refuse(error).map(Opened::Reply),
        }
    }
}

/// Stores the agreement that a handshake ends in.
#[inline(never)] // one frame less in its caller's
fn keep<P: Provider, S: AgreementStore<P>>(
    handshake: &mut KeyAgreementServer<P>,
    store: &mut S,
    now: Timestamp,
) -> Step<()> {
    Ok(store.insert(handshake.finish()?, now)?)
}

/// A refusal has no body, and one status for all that the peer did (§3). The code is for logs.
fn refuse(error: ServerError) -> Result<Reply, Error> {
    match error {
        ServerError::Misuse(error) => Err(error),
        ServerError::Refuse(refusal) => {
            debug!("refused: {}", refusal.code);
            let status = match refusal.code {
                Code::StoreUnavailable => 503,
                _ => 400,
            };
            Ok(Reply { status, length: 0, code: Some(refusal.code) })
        }
    }
}
