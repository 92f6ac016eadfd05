//! The handshake's request, answered: [`Gateway::accept`].

use super::{
    ANSWER_ROOM, Gateway, Head, Reply, SESSION_ID_LEN, SessionStore, Step, body_of, random_id, refuse, token,
};
use crate::codec::timestamp::Timestamp;
use crate::crypto::{Provider, Signer};
use crate::error::{Error, Misuse};
use crate::handshake::{ServerError, ServerFacts, ServerHandshake, ServerNeed, ServerPolicy};
use crate::session::ClientFacts;
use token::TokenClaims;

impl<'c, C: ServerPolicy> Gateway<'c, C> {
    /// Answers `POST /api/info/v2`: `buffer` holds the body in its first `length` bytes, and then the answer. `identity`
    /// signs it; without one no client can pin this gateway. The session is stored before the answer is there.
    ///
    /// This performs the slow operations in place; a server whose provider is asynchronous drives a [`ServerHandshake`].
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] for a buffer that has not [`ANSWER_ROOM`], before anything has changed, and
    /// [`Error::Misuse`] for a configuration that cannot be. Whatever the peer did, and whatever provider and store did, is
    /// a [`Reply`].
    #[expect(clippy::too_many_arguments, reason = "a gateway holds no state: all of it comes in")]
    pub fn accept<P: Provider, S: SessionStore<P>>(
        &self,
        provider: &mut P,
        identity: Option<&mut dyn Signer>,
        store: &mut S,
        now: Timestamp,
        head: &Head<'_>,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<Reply, Error> {
        if buffer.len() < ANSWER_ROOM {
            return Err(Error::BufferTooSmall { needed: ANSWER_ROOM });
        }
        let body = (&mut *buffer, length);
        match self.try_accept(provider, identity, store, now, head, body) {
            Ok(length) => Ok(Reply { status: 200, length, code: None }),
            Err(error) => refuse(error, buffer),
        }
    }

    #[inline(never)] // one frame less in its caller's
    fn try_accept<P: Provider, S: SessionStore<P>>(
        &self,
        provider: &mut P,
        mut identity: Option<&mut dyn Signer>,
        store: &mut S,
        now: Timestamp,
        head: &Head<'_>,
        (buffer, length): (&mut [u8], usize),
    ) -> Step<usize> {
        head.check()?;
        let mut handshake = ServerHandshake::<P>::new();
        handshake.hello(provider, &self.clients, body_of(buffer, length)?)?;
        handshake.compute(provider)?;
        let length = self.answer(&mut handshake, provider, &mut identity, now, buffer)?;
        if handshake.need() == ServerNeed::Sign
            && let Some(mut identity) = identity
        {
            handshake.sign(&mut identity, body_of(buffer, length)?)?;
        }
        keep(&mut handshake, store, now)?;
        Ok(length)
    }

    /// Gives the session its id, its token and its end, and writes the answer but for its signature.
    #[inline(never)] // one frame less in its caller's
    fn answer<P: Provider>(
        &self,
        handshake: &mut ServerHandshake<P>,
        provider: &mut P,
        identity: &mut Option<&mut dyn Signer>,
        now: Timestamp,
        buffer: &mut [u8],
    ) -> Step<usize> {
        let mut id = [0; SESSION_ID_LEN];
        let session_id = random_id(provider, &mut id)?;
        let client = handshake.client().ok_or(ServerError::Misuse(Misuse::WrongTurn.into()))?;
        let mut token = [0; token::MAX_LEN];
        let token = self.issue(session_id, client, now, identity, &mut token)?;
        self.write_answer(handshake, provider, identity.as_deref(), (session_id, token), now, buffer)
    }

    #[inline(never)] // one frame less in its caller's
    fn write_answer<P: Provider>(
        &self,
        handshake: &mut ServerHandshake<P>,
        provider: &mut P,
        identity: Option<&dyn Signer>,
        (session_id, token): (&str, &str),
        now: Timestamp,
        buffer: &mut [u8],
    ) -> Step<usize> {
        let facts = ServerFacts {
            session_id,
            token,
            expire_token: 0,
            expires_at: now.saturating_add_secs(self.session_seconds),
            expires_in: self.session_seconds,
            instance: self.instance,
            identity: identity.map(|identity| identity.kid()),
            plain: self.plain,
        };
        handshake.answer(provider, &facts, buffer)
    }

    /// Writes the session's token.
    #[inline(never)] // one frame less in its caller's
    fn issue<'o>(
        &self,
        session_id: &str,
        client: &ClientFacts,
        now: Timestamp,
        identity: &mut Option<&mut dyn Signer>,
        out: &'o mut [u8],
    ) -> Step<&'o str> {
        let claims = TokenClaims {
            session_id,
            client_id: &client.client_id,
            device_id: &client.device_id,
            audience: self.audience,
            issued_at: now,
            expires: now.saturating_add_secs(self.session_seconds),
        };
        let signer: Option<&mut dyn Signer> = match identity {
            Some(identity) => Some(&mut **identity),
            None => None,
        };
        Ok(token::issue(self.tokens.signing(signer)?, &claims, out)?)
    }
}

/// Stores the session that a handshake ends in.
#[inline(never)] // one frame less in its caller's
fn keep<P: Provider, S: SessionStore<P>>(
    handshake: &mut ServerHandshake<P>,
    store: &mut S,
    now: Timestamp,
) -> Step<()> {
    Ok(store.insert(handshake.finish()?, now)?)
}
