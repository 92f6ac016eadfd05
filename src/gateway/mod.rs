//! The gateway's end, without I/O: what a server does between reading a request and writing its answer.
//!
//! ```text
//! POST /api/info/v2      accept ─────────────────────────────────────────────▶ answer
//! POST /api/request/v2   open_request ─▶ forward to the upstream ─▶ seal_response ─▶ answer
//! ```

mod admitted;
pub mod agreements;
pub mod allowlist;
pub mod clients;
pub mod forward;
pub mod head;
pub mod key_agreement;
pub mod path;
pub mod serve;
pub mod sessions;
pub mod status;
pub mod token;

pub use admitted::{Admitted, Opened, Reply, Responder, Sealed};
pub use agreements::{AgreementStore, FixedAgreements};
pub use allowlist::{Allowlist, Rule};
pub use clients::{Clients, KnownClient, RegisteredIdentity};
pub use head::Head;
pub use key_agreement::KeyAgreementGateway;
pub use sessions::{FixedStore, SessionStore, StoreError};
pub use token::TokenKey;

use crate::agreement::schedule::PlainKdf;
use crate::codec::base64;
use crate::codec::timestamp::Timestamp;
use crate::crypto::software::{PinnedKey, Pins};
use crate::crypto::{KeyId, Provider, Signature, Signer, Verifier};
use crate::envelope::{self, Envelope};
use crate::error::{Code, Error, Misuse};
use crate::handshake::dynamic_key::{error_len, longest_answer, write_error};
use crate::handshake::{ServerError, ServerFacts, ServerHandshake, ServerNeed, ServerPolicy};
use crate::log::{debug, format_as};
use crate::nonce::limit;
use crate::request::Layout;
use crate::session::{ClaimedIdentity, ClientFacts, Committed, Mode};
use allowlist::{Caller, RouteError};
use forward::HeaderFilter;
use status::{Outcome, outcome};
use token::{Expected, TokenClaims};

/// What a gateway is configured with. It holds no state: sessions are in a [`SessionStore`].
#[derive(Debug)]
pub struct Gateway<'c, C> {
    /// Which clients there are, and what each is granted.
    pub clients: C,
    /// Which routes they reach.
    pub allowlist: Allowlist<'c>,
    /// The gateway's origin, such as `https://gateway.example`: the audience of its tokens.
    pub audience: &'c str,
    /// Signs the tokens.
    pub tokens: TokenKey,
    /// The public half of the gateway's identity, where it has one: verifies tokens that are signed with ES256.
    pub identity: Option<PinnedKey>,
    /// How long a session lasts, in seconds.
    pub session_seconds: u64,
    /// This instance of the gateway, unique in its fleet: no two instances may seal under one number.
    pub instance: u32,
    /// How plain mode derives its key.
    pub plain: PlainKdf<'c>,
}

format_as! {
    [C] Gateway<'_, C>,
    gateway => "Gateway {{ audience: {}, identity: {}, session_seconds: {}, instance: {} }}",
    gateway.audience, gateway.identity.map(|key| key.kid()), gateway.session_seconds, gateway.instance
}

/// The room in bytes that answers of the gateway's own need in any case, whatever else the buffer holds: the longest
/// error, sealed.
pub const ERROR_ROOM: usize = {
    let (mut most, mut rest) = (0, Code::ALL.as_slice());
    while let [code, after @ ..] = rest {
        let length = error_len(*code, None);
        most = if length > most { length } else { most };
        rest = after;
    }
    envelope::sealed_len(most)
};

/// The room in bytes that [`Gateway::accept`] needs for its answer, whoever asks.
pub const ANSWER_ROOM: usize = longest_answer(SESSION_ID_LEN, token::MAX_LEN);

/// The outcome of a step: what to answer instead, unsealed.
type Step<T> = Result<T, ServerError>;

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

    /// Seals the upstream's answer, whose body is the first `length` bytes of `buffer`, as the response to an admitted
    /// request. What becomes of status and body is §2.4's: see [`status::outcome`].
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

/// Stores the session that a handshake ends in.
#[inline(never)] // one frame less in its caller's
fn keep<P: Provider, S: SessionStore<P>>(
    handshake: &mut ServerHandshake<P>,
    store: &mut S,
    now: Timestamp,
) -> Step<()> {
    Ok(store.insert(handshake.finish()?, now)?)
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

/// An unsealed error.
fn refuse(error: ServerError, buffer: &mut [u8]) -> Result<Reply, Error> {
    match error {
        ServerError::Misuse(error) => Err(error),
        ServerError::Refuse(refusal) => {
            debug!("refused: {}", refusal.code);
            let length = refusal.write(buffer)?;
            Ok(Reply { status: refusal.code.status(), length, code: Some(refusal.code) })
        }
    }
}

/// The characters of a session id: 32 bytes of base64url.
const SESSION_ID_LEN: usize = base64::url_encoded_len(32);

/// A session id of 256 random bits.
#[inline(never)] // one frame less in its caller's
fn random_id<'o, P: Provider>(provider: &mut P, out: &'o mut [u8; SESSION_ID_LEN]) -> Step<&'o str> {
    let mut random = [0; 32];
    provider.fill(&mut random)?;
    Ok(base64::url_encode(&random, out).map_err(Error::from)?)
}

fn body_of(buffer: &mut [u8], length: usize) -> Step<&mut [u8]> {
    buffer.get_mut(..length).ok_or(ServerError::Misuse(Error::BufferTooSmall { needed: length }))
}

impl From<Code> for ServerError {
    fn from(code: Code) -> Self {
        Self::code(code)
    }
}

impl From<StoreError> for ServerError {
    fn from(error: StoreError) -> Self {
        Self::code(match error {
            StoreError::Unknown | StoreError::Exhausted => Code::InvalidSession,
            StoreError::Ended => Code::SessionExpired,
            StoreError::Replayed => Code::EncryptionError,
            StoreError::Unavailable => Code::StoreUnavailable,
        })
    }
}
