//! A gateway over HTTP/1.1 on one stream at a time: what stands between [`Server`] and [`Gateway`] on a small device.
//!
//! The endpoints are `POST /api/info/v2`, `POST /api/request/v2` and `GET /.well-known/jwks.json` (§2.1, §2.4).

use super::{ANSWER_ROOM, Admitted, ERROR_ROOM, Gateway, Head, Opened, Reply, SessionStore};
use crate::client::{HANDSHAKE_PATH, REQUEST_PATH};
use crate::codec::timestamp::Timestamp;
use crate::crypto::{Provider, Signer};
use crate::error::{Code, Error};
use crate::handshake::ServerPolicy;
use crate::jose::jwk;
use crate::log::{debug, format_as};
use crate::transport::Header;
use crate::transport::http1::{Answer, Incoming, Server, ServerError};
use core::fmt;
use embedded_io::{Read, Write};

/// Where the gateway publishes its public key, as a JWK Set.
pub const KEYS_PATH: &str = "/.well-known/jwks.json";

/// A gateway and what it works with.
pub struct Service<'s, 'c, C, P, S> {
    /// The gateway.
    pub gateway: &'s Gateway<'c, C>,
    /// Its cryptography.
    pub provider: &'s mut P,
    /// Its identity, where it has one.
    pub identity: Option<&'s mut dyn Signer>,
    /// Its sessions.
    pub store: &'s mut S,
}

/// Which endpoint was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Endpoint {
    /// `/api/info/v2`.
    Handshake,
    /// `/api/request/v2`.
    Request,
    /// `/.well-known/jwks.json`.
    Keys,
    /// None of them, or no request.
    None,
}

/// An exchange that is over, for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Served {
    /// Which endpoint was asked.
    pub endpoint: Endpoint,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The gateway's own error, where the answer is one.
    pub code: Option<Code>,
    /// What is wrong with the gateway itself, where that is why it answered 500.
    pub fault: Option<Error>,
}

/// What an admitted request comes to: the upstream's status and the length of its body, which it wrote to the room that it
/// was given. `None` is no answer, `DYNAMIC_KEY_V2_UPSTREAM_UNAVAILABLE`.
pub type Forwarded = Option<(u16, usize)>;

/// What goes out, its body at the front of the buffer.
struct Outcome {
    endpoint: Endpoint,
    status: u16,
    length: usize,
    code: Option<Code>,
    fault: Option<Error>,
}

impl Outcome {
    const fn empty(endpoint: Endpoint, status: u16) -> Self {
        Self { endpoint, status, length: 0, code: None, fault: None }
    }

    fn of(endpoint: Endpoint, reply: Result<Reply, Error>) -> Self {
        match reply {
            Ok(Reply { status, length, code }) => Self { endpoint, status, length, code, fault: None },
            Err(fault) => Self { fault: Some(fault), ..Self::empty(endpoint, 500) },
        }
    }
}

impl<'c, C: ServerPolicy, P: Provider, S: SessionStore<P>> Service<'_, 'c, C, P, S> {
    /// Receives the next request of `server` and answers it; `None` when the stream has ended.
    ///
    /// `buffer` holds the head of a request and then its body, or the answer, whichever is longer; behind the body of an
    /// envelope, which takes at least [`ERROR_ROOM`], it is what `upstream` writes its answer to and what this is sealed
    /// in. A client whose head leaves too little room is answered 431. `now` is asked once a request has come.
    ///
    /// # Errors
    ///
    /// The server's; after any but [`ServerError::Idle`] the stream is not to be used again.
    pub fn serve<T: Read + Write>(
        &mut self,
        server: &mut Server<T>,
        buffer: &mut [u8],
        now: impl FnOnce() -> Timestamp,
        upstream: impl FnOnce(&Admitted<'_, 'c, S::Handle>, &mut [u8]) -> Forwarded,
    ) -> Result<Option<Served>, ServerError<T::Error>> {
        let incoming = match server.receive(buffer) {
            Ok(Some(incoming)) => incoming,
            Ok(None) => return Ok(None),
            Err(ServerError::Refused(refusal)) => {
                debug!("request refused: {}", refusal);
                let outcome = Outcome::empty(Endpoint::None, refusal.status());
                return respond(server, &outcome, &[]).map(Some);
            }
            Err(error) => return Err(error),
        };
        let (outcome, buffer) = self.outcome(incoming, now, upstream);
        let body = buffer.get(..outcome.length).unwrap_or_default();
        respond(server, &outcome, body).map(Some)
    }

    /// What a request comes to, and the buffer at whose front its answer is.
    #[inline(never)] // one frame less in its caller's
    fn outcome<'b>(
        &mut self,
        incoming: Incoming<'b>,
        now: impl FnOnce() -> Timestamp,
        upstream: impl FnOnce(&Admitted<'_, 'c, S::Handle>, &mut [u8]) -> Forwarded,
    ) -> (Outcome, &'b mut [u8]) {
        let (endpoint, method) = match incoming.target() {
            HANDSHAKE_PATH => (Endpoint::Handshake, "POST"),
            REQUEST_PATH => (Endpoint::Request, "POST"),
            KEYS_PATH => (Endpoint::Keys, "GET"),
            _ => return (Outcome::empty(Endpoint::None, 404), incoming.body),
        };
        let is_head = method == "GET" && incoming.method() == "HEAD";
        if incoming.method() != method && !is_head {
            return (Outcome::empty(endpoint, 405), incoming.body);
        }
        let mut head = Head::new();
        incoming.headers().for_each(|(name, value)| head.add(name, value));
        let (buffer, length) = (incoming.body, incoming.length);
        match endpoint {
            Endpoint::Handshake => (self.accept(now(), &head, buffer, length), buffer),
            Endpoint::Request => self.request(now(), &head, (buffer, length), upstream),
            _ => (self.keys(buffer), buffer),
        }
    }

    #[inline(never)] // one frame less in its caller's
    fn accept(&mut self, now: Timestamp, head: &Head<'_>, buffer: &mut [u8], length: usize) -> Outcome {
        if buffer.len() < ANSWER_ROOM {
            return Outcome::empty(Endpoint::Handshake, 431);
        }
        let identity: Option<&mut dyn Signer> = match &mut self.identity {
            Some(identity) => Some(&mut **identity),
            None => None,
        };
        let reply = self.gateway.accept(self.provider, identity, self.store, now, head, buffer, length);
        Outcome::of(Endpoint::Handshake, reply)
    }

    /// Opens, forwards and seals. The request stays where it came while the upstream writes behind it.
    #[inline(never)] // one frame less in its caller's
    fn request<'b>(
        &mut self,
        now: Timestamp,
        head: &Head<'_>,
        (buffer, length): (&'b mut [u8], usize),
        upstream: impl FnOnce(&Admitted<'_, 'c, S::Handle>, &mut [u8]) -> Forwarded,
    ) -> (Outcome, &'b mut [u8]) {
        let outcome = |reply| Outcome::of(Endpoint::Request, reply);
        let Self { gateway, provider, store, .. } = self;
        let Some((request, room)) = buffer.split_at_mut_checked(length.max(ERROR_ROOM)) else {
            return (Outcome::empty(Endpoint::Request, 431), &mut []);
        };
        let (responder, forwarded) = match gateway.open_request(*provider, *store, now, head, request, length)
        {
            Ok(Opened::Admitted(admitted)) => {
                let forwarded = upstream(&admitted, room);
                (admitted.responder, forwarded)
            }
            Ok(Opened::Reply(reply)) => return (outcome(Ok(reply)), request),
            Err(error) => return (outcome(Err(error)), request),
        };
        let responder = match forwarded {
            Some((status, length)) => {
                match gateway.seal_response(*provider, *store, responder, status, room, length) {
                    Ok(reply) => return (outcome(Ok(reply)), room),
                    // The answer is too long to be sealed where it is: the client is told that there is none.
                    Err((Error::BufferTooSmall { .. }, Some(responder))) => responder,
                    Err((error, _)) => return (outcome(Err(error)), room),
                }
            }
            None => responder,
        };
        let code = Code::UpstreamUnavailable;
        let sealed = gateway.seal_error(*provider, *store, responder, code, request);
        (outcome(sealed.map_err(|(error, _)| error)), request)
    }

    fn keys(&self, buffer: &mut [u8]) -> Outcome {
        match self.gateway.identity.as_ref().map(|key| jwk::write_set(key, buffer)) {
            Some(Ok(length)) => Outcome { length, ..Outcome::empty(Endpoint::Keys, 200) },
            Some(Err(_)) => Outcome::empty(Endpoint::Keys, 431),
            None => Outcome::empty(Endpoint::Keys, 404),
        }
    }
}

impl<C, P, S> fmt::Debug for Service<'_, '_, C, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

format_as! { [C, P, S] Service<'_, '_, C, P, S>, _ => "Service" }

/// Sends the answer (§2.1: nothing of it is to be kept by anybody on the way).
#[inline(never)] // one frame less in its caller's
fn respond<T: Read + Write>(
    server: &mut Server<T>,
    outcome: &Outcome,
    body: &[u8],
) -> Result<Served, ServerError<T::Error>> {
    let Outcome { endpoint, status, code, fault, .. } = *outcome;
    let second = match (status, endpoint) {
        (405, Endpoint::Keys) => ALLOW_GET,
        (405, _) => ALLOW_POST,
        _ => Header::JSON,
    };
    let headers = [NO_STORE, second];
    // A type is that of a body.
    let headers = if body.is_empty() && status != 405 { headers.split_at(1).0 } else { &headers };
    server.answer(&Answer { status, headers, body })?;
    Ok(Served { endpoint, status, code, fault })
}

const NO_STORE: Header<'static> = constant("Cache-Control", "no-store");
const ALLOW_GET: Header<'static> = constant("Allow", "GET, HEAD");
const ALLOW_POST: Header<'static> = constant("Allow", "POST");

const fn constant(name: &'static str, value: &'static str) -> Header<'static> {
    match Header::new(name, value) {
        Ok(header) => header,
        Err(_) => Header::JSON,
    }
}
