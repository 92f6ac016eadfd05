//! The answer to an admitted request, sealed: [`Gateway::seal_response`], [`Gateway::seal_error`].

use super::status::{Outcome, outcome};
use super::{ERROR_ROOM, Gateway, Reply, Responder, Sealed, SessionStore, refuse};
use crate::crypto::Provider;
use crate::envelope;
use crate::error::{Code, Error};
use crate::handshake::ServerPolicy;
use crate::handshake::dynamic_key::write_error;
use crate::nonce::limit;
use crate::session::Mode;

impl<'c, C: ServerPolicy> Gateway<'c, C> {
    /// Seals the upstream's answer, whose body is the first `length` bytes of `buffer`, as the response to an admitted
    /// request. What becomes of status and body is §2.4's: see [`status::outcome`](super::status::outcome).
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the exact length, together with the responder, so that the caller can answer from a
    /// larger buffer: at least [`ERROR_ROOM`].
    pub fn seal_response<P: Provider, S: SessionStore<P>>(
        &self,
        provider: &mut P,
        store: &mut S,
        responder: Responder<S::Handle>,
        status: u16,
        buffer: &mut [u8],
        length: usize,
    ) -> Sealed<S::Handle> {
        let body = buffer.get(..length).unwrap_or_default();
        match outcome(status, body) {
            Outcome::Body(status) => seal(provider, store, responder, (status, None), buffer, length),
            Outcome::Empty(status) => seal(provider, store, responder, (status, None), buffer, 0),
            Outcome::Unavailable => {
                self.seal_error(provider, store, responder, Code::UpstreamUnavailable, buffer)
            }
        }
    }

    /// Answers an admitted request with an error of the gateway's own: sealed, in plain mode unsealed. For
    /// [`Code::UpstreamUnavailable`], for example.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] for a buffer that has not [`ERROR_ROOM`], together with the responder.
    pub fn seal_error<P: Provider, S: SessionStore<P>>(
        &self,
        provider: &mut P,
        store: &mut S,
        responder: Responder<S::Handle>,
        code: Code,
        buffer: &mut [u8],
    ) -> Sealed<S::Handle> {
        if buffer.len() < ERROR_ROOM {
            return Err((Error::BufferTooSmall { needed: ERROR_ROOM }, Some(responder)));
        }
        let is_plain = store.session(&responder.session).is_none_or(|session| session.mode() == Mode::Plain);
        if is_plain {
            return refuse(code.into(), buffer).map_err(|error| (error, None));
        }
        match write_error(code, None, buffer) {
            Ok(length) => seal(provider, store, responder, (code.status(), Some(code)), buffer, length),
            Err(error) => Err((error, Some(responder))),
        }
    }
}

/// Seals the first `length` bytes of `buffer`. What fails after the commit is answered unsealed: nothing is ever sealed
/// twice under one counter.
fn seal<P: Provider, S: SessionStore<P>>(
    provider: &mut P,
    store: &mut S,
    responder: Responder<S::Handle>,
    (status, code): (u16, Option<Code>),
    buffer: &mut [u8],
    length: usize,
) -> Sealed<S::Handle> {
    let needed = envelope::sealed_len(length).max(ERROR_ROOM);
    if buffer.len() < needed {
        return Err((Error::BufferTooSmall { needed }, Some(responder)));
    }
    let Responder { session: handle, committed } = responder;
    if let Err(error) = store.charge(&handle, limit::blocks(length)) {
        return refuse(error.into(), buffer).map_err(|error| (error, None));
    }
    let Some(session) = store.session(&handle) else {
        return refuse(Code::SessionExpired.into(), buffer).map_err(|error| (error, None));
    };
    match session.seal(provider, committed, status, buffer, length) {
        Ok(length) => Ok(Reply { status, length, code }),
        Err((error, _)) => refuse(error.into(), buffer).map_err(|error| (error, None)),
    }
}
