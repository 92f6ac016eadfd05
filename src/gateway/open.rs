//! A sealed request, opened and admitted: [`Gateway::open_request`].

use super::allowlist::{Caller, RouteError, Rule};
use super::forward::HeaderFilter;
use super::token::{self, Expected};
use super::{Admitted, ERROR_ROOM, Gateway, Head, Opened, Responder, SessionStore, Step, body_of, refuse};
use crate::codec::timestamp::Timestamp;
use crate::crypto::software::Pins;
use crate::crypto::{KeyId, Provider, Signature, Verifier};
use crate::envelope::Envelope;
use crate::error::{Code, Error};
use crate::handshake::{ServerError, ServerPolicy};
use crate::log::debug;
use crate::request::Layout;
use crate::session::{ClaimedIdentity, ClientFacts, Committed, Mode};

impl<'c, C: ServerPolicy> Gateway<'c, C> {
    /// Opens `POST /api/request/v2`: `buffer` holds the body in its first `length` bytes, and then the plaintext or an
    /// answer. The checks come in the order of §2.4: parse → session → expiry → token → authenticate → commit → identity →
    /// route.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] for a buffer that has not [`ERROR_ROOM`] for an answer: nothing has changed. Whatever the
    /// peer did, and whatever provider and store did, is [`Opened::Reply`].
    pub fn open_request<'b, P: Provider, S: SessionStore<P>>(
        &self,
        provider: &mut P,
        store: &mut S,
        now: Timestamp,
        head: &Head<'_>,
        buffer: &'b mut [u8],
        length: usize,
    ) -> Result<Opened<'b, 'c, S::Handle>, Error> {
        // Found before anything is committed: who has committed a request must be able to answer it.
        let needed = length.max(ERROR_ROOM);
        if buffer.len() < needed {
            return Err(Error::BufferTooSmall { needed });
        }
        let (session, committed, introduction) =
            match self.commit(provider, store, now, head, (&mut *buffer, length)) {
                Ok(opened) => opened,
                Err(error) => return refuse(error, buffer).map(Opened::Reply),
            };
        let Some((client, mode, claimed)) = store
            .session(&session)
            .map(|session| (session.client().clone(), session.mode(), session.claimed().copied()))
        else {
            return refuse(Code::SessionExpired.into(), buffer).map(Opened::Reply);
        };
        let plaintext = committed.plaintext();
        let responder = Responder { session, committed };
        let text = buffer.get_mut(plaintext.clone()).unwrap_or_default();
        let proven = match mode {
            Mode::Mutual => self.prove(store, &responder.session, claimed, introduction.as_ref()),
            _ => Ok(()),
        };
        let code = match proven.and_then(|()| self.admit(&client, mode, text)) {
            Ok((rule, layout)) => {
                let request = layout.view(buffer.get(plaintext).unwrap_or_default())?;
                return Ok(Opened::Admitted(Admitted { request, rule, client, responder }));
            }
            Err(code) => code,
        };
        debug!("refused: {}", code);
        // The buffer has the room: nobody needs the responder back.
        self.seal_error(provider, store, responder, code, buffer)
            .map(Opened::Reply)
            .map_err(|(error, _)| error)
    }

    /// Up to the commit: everything here is answered unsealed.
    #[inline(never)] // one frame less in its caller's
    fn commit<P: Provider, S: SessionStore<P>>(
        &self,
        provider: &mut P,
        store: &mut S,
        now: Timestamp,
        head: &Head<'_>,
        (buffer, length): (&mut [u8], usize),
    ) -> Step<(S::Handle, Committed, Option<Signature>)> {
        head.check()?;
        let body = body_of(buffer, length)?;
        let envelope = Envelope::parse(body)?;
        let handle = store.find(head.session_id()?, now)?;
        let session = store.session(&handle).ok_or(ServerError::code(Code::SessionExpired))?;
        if now >= session.ends() {
            return Err(ServerError::code(Code::SessionExpired));
        }
        let expected = Expected {
            session_id: session.id(),
            client_id: &session.client().client_id,
            device_id: &session.client().device_id,
            audience: self.audience,
        };
        self.verify(head.token()?, &expected, now)?;
        let introduction = match session.claimed() {
            Some(_) => envelope.introduction(body)?,
            None => None,
        };
        let opened = session.open(provider, envelope, body)?;
        store.commit(&handle, opened.nonce())?;
        Ok((handle, opened.committed(), introduction))
    }

    /// Verifies the client's signature while its session is half-open (§2.3). Slow, then.
    fn prove<P: Provider, S: SessionStore<P>>(
        &self,
        store: &mut S,
        handle: &S::Handle,
        claimed: Option<ClaimedIdentity>,
        introduction: Option<&Signature>,
    ) -> Result<(), Code> {
        let unavailable = |_| Code::StoreUnavailable;
        if !store.is_half_open(handle).map_err(unavailable)? {
            return Ok(());
        }
        let (claimed, signature) = claimed.zip(introduction).ok_or(Code::ClientNotAllowed)?;
        let proof = self.clients.verify(claimed.kid(), claimed.statement().as_bytes(), signature);
        store.prove(handle, proof.map_err(|_| Code::ClientNotAllowed)?).map_err(unavailable)
    }

    #[inline(never)] // one frame less in its caller's
    fn verify(&self, token: &str, expected: &Expected<'_>, now: Timestamp) -> Result<(), Code> {
        let kid = self.identity.map(|identity| identity.kid());
        let pins = self.identity.as_slice();
        let mut verifier = Pins(pins);
        let identity: Option<(&mut dyn Verifier, &KeyId)> = match &kid {
            Some(kid) => Some((&mut verifier, kid)),
            None => None,
        };
        let key = self.tokens.verifying(identity).map_err(|_| Code::InvalidToken)?;
        Ok(token::verify(key, token, expected, now)?)
    }

    /// Reads the request that fills `text`: by which rule it goes on, and where its members stand.
    #[inline(never)] // one frame less in its caller's
    fn admit(
        &self,
        client: &ClientFacts,
        mode: Mode,
        text: &mut [u8],
    ) -> Result<(&'c Rule<'c>, Layout), Code> {
        let layout = Layout::of(text).map_err(|_| Code::MalformedRequest)?;
        let request = layout.view(text).map_err(|_| Code::MalformedRequest)?;
        let caller = Caller { client_type: client.client_type, client_id: &client.client_id, mode };
        let rule =
            self.allowlist.find(request.method(), request.path(), &caller).map_err(|error| match error {
                RouteError::ModeTooWeak => Code::ConfirmationRequired,
                _ => Code::RouteNotAllowed,
            })?;
        let mut filter = HeaderFilter::new(rule);
        for (name, value) in request.headers() {
            filter.admit(name.bytes(), value.bytes()).map_err(|_| Code::MalformedRequest)?;
        }
        Ok((rule, layout))
    }
}
