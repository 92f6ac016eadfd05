//! What a client knows between its calls, and what it decides: no I/O, so that every driver decides the same.

use super::exchange::{Answer, VERSION, range};
use super::storage::Keeper;
use super::{ClientError, NoAnswer};
use crate::codec::json;
use crate::crypto::{Provider, Signature};
use crate::envelope::{INTRODUCTION_LEN, introduce, sealed_len};
use crate::error::{Code, Error, Misuse, Peer};
use crate::handshake::{ClientConfig, ClientHandshake};
use crate::log::debug;
use crate::request::Request;
use crate::session::{Exchange, Facts, Mode, Now, Session};
use crate::transport::{Header, Response, TransportError};
use core::ops::Range;

/// The first try of a request, or the second and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    First,
    Second,
}

impl Try {
    /// Whether it was the first. The next one is the second.
    const fn was_first(&mut self) -> bool {
        matches!(core::mem::replace(self, Self::Second), Self::First)
    }
}

pub(super) struct State<'c, P: Provider, const TOKEN: usize> {
    config: ClientConfig<'c>,
    session: Option<Session<P, TOKEN>>,
    /// The client's signature, which goes with each request of a session of mutual mode until its first answer opens.
    introduction: Option<Signature>,
    /// The request that awaits its answer.
    exchange: Option<Exchange>,
    /// A hint said that the gateway does not know the session: it is replaced before the next request.
    doubtful: bool,
    back_off: BackOff,
}

impl<'c, P: Provider, const TOKEN: usize> State<'c, P, TOKEN> {
    /// Without a session; `config` has been checked.
    pub(super) fn new(config: ClientConfig<'c>) -> Self {
        Self {
            config,
            session: None,
            introduction: None,
            exchange: None,
            doubtful: false,
            back_off: BackOff::default(),
        }
    }

    /// Begins a handshake. The doubt that led to it ends with it: whatever becomes of it, a session that stands is replaced
    /// only by a new one that stands, and is used until it is refused again.
    pub(super) fn begin(&mut self) -> ClientHandshake<'c, P, TOKEN> {
        self.doubtful = false;
        ClientHandshake::begin(&self.config)
    }

    /// Takes what came for the hello of `handshake`, which begins anew once.
    pub(super) fn answered<E: TransportError>(
        &mut self,
        handshake: &mut ClientHandshake<'c, P, TOKEN>,
        attempt: &mut Try,
        outcome: Result<Response<'_>, E>,
    ) -> Result<(), ClientError<E>> {
        match outcome {
            Ok(Response { status, retry_after, body, .. }) => {
                handshake.reply(status, body).map_err(|error| match error {
                    Error::Refused(code) => ClientError::Refused { code, retry_after: retry_after.seconds() },
                    error => ClientError::Core(error),
                })
            }
            // A stream that the gateway had closed meanwhile, most often: with fresh keys, nothing is repeated.
            Err(error) if error.request_left() && !error.is_timeout() && attempt.was_first() => {
                handshake.begin_again();
                Ok(())
            }
            Err(error) => Err(ClientError::Transport(error)),
        }
    }

    /// Puts the session that `handshake` ends in into the place of any other, for a client that `signs` or not.
    pub(super) fn established(
        &mut self,
        handshake: &mut ClientHandshake<'c, P, TOKEN>,
        signs: bool,
    ) -> Result<(), Error> {
        handshake.finish_into(&mut self.session)?;
        debug!("session: {}", self.facts());
        self.introduction = if signs { handshake.introduction().copied() } else { None };
        Ok(())
    }

    /// Has the storage do what is due before `request`: load the session once, and reserve what it seals with next. A session of
    /// mutual mode is kept once the gateway has verified its introduction.
    pub(super) fn keep<K: Keeper<P>>(
        &mut self,
        keeper: &mut K,
        provider: &mut P,
        now: Now,
        request: Option<&Request<'_>>,
        buffer: &mut [u8],
    ) -> Result<(), Error> {
        if !K::KEEPS || self.config.mode == Mode::Plain || self.doubtful {
            return Ok(());
        }
        let owner = self.config.owner()?;
        if self.session.is_none() && keeper.may_have() {
            keeper.load(provider, &owner, now, &mut self.session, buffer)?;
        }
        let len = request.map_or(0, Request::plaintext_len);
        match &mut self.session {
            Some(session) if self.introduction.is_none() && !session.has_reserved(len) => {
                Ok(keeper.reserve(provider, &owner, session, now, len, buffer)?)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn logout(&mut self) {
        self.session = None;
        self.doubtful = false;
    }

    pub(super) const fn facts(&self) -> Option<&Facts<TOKEN>> {
        match &self.session {
            Some(session) => Some(session.facts()),
            None => None,
        }
    }

    /// Whether the session can seal another request and nothing is said against it.
    pub(super) fn has_session(&mut self, now: Now) -> bool {
        let usable =
            self.session.as_mut().is_some_and(|session| !session.is_over(now) && session.remaining() > 0);
        usable && !self.doubtful
    }

    fn session(&mut self) -> Result<&mut Session<P, TOKEN>, Error> {
        self.session.as_mut().ok_or(Misuse::WrongTurn.into())
    }

    /// Writes and seals `request`, for a client that `signs` or not; what may be too small is found before anything changes. `None`: a
    /// new session is needed first.
    pub(super) fn seal(
        &mut self,
        provider: &mut P,
        now: Now,
        request: &Request<'_>,
        signs: bool,
        attempt: &mut Try,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Error> {
        let length = match request.write(buffer) {
            Ok(length) | Err(Error::BufferTooSmall { needed: length }) => length,
            Err(error) => return Err(error),
        };
        let introduction = if signs && self.introduction.is_some() { INTRODUCTION_LEN } else { 0 };
        let needed = sealed_len(length).saturating_add(introduction);
        if buffer.len() < needed {
            return Err(Error::BufferTooSmall { needed });
        }
        let (length, exchange) = match self.session()?.seal(provider, now, buffer, length) {
            Ok(sealed) => sealed,
            Err(error) => return self.unsealed(attempt, error).map(|()| None),
        };
        self.exchange = Some(exchange);
        match &self.introduction {
            Some(signature) if signs => introduce(buffer, length, signature).map(Some),
            _ => Ok(Some(length)),
        }
    }

    /// The headers of a request: they name the session and prove it to the gateway's front.
    pub(super) fn headers(&self) -> Result<[Header<'_>; 4], Error> {
        let [session, token] = Header::of_session(self.facts().ok_or(Misuse::WrongTurn)?);
        Ok([VERSION, Header::JSON, session, token])
    }

    /// Takes what came for a request, into the buffer at the addresses of `place`: the answer, opened where it stands, or `None`
    /// where the request is to be sent again.
    pub(super) fn settled<E: TransportError>(
        &mut self,
        provider: &mut P,
        now: Now,
        request: &Request<'_>,
        attempt: &mut Try,
        outcome: Result<Response<'_>, E>,
        place: &Range<usize>,
    ) -> Result<Option<Answer>, ClientError<E>> {
        let idempotent = request.is_idempotent();
        let Response { status, retry_after, body, .. } = match outcome {
            Ok(response) => response,
            Err(error) => return self.unanswered(idempotent, attempt, error).map(|()| None),
        };
        let retry_after = retry_after.seconds();
        // A transport that answers from elsewhere has no authentic answer.
        let opened = match range(body, place) {
            Some(_) => self.session()?.open(provider, status, body),
            None => Err(Peer::Authentication.into()),
        };
        match opened.map(|plaintext| range(plaintext, place)) {
            Ok(body) => {
                self.exchange = None;
                self.introduction = None;
                self.back_off.succeeded();
                Ok(Some(Answer { status, retry_after, body: body.unwrap_or_default() }))
            }
            Err(error) => self.unopened(now, idempotent, attempt, error, retry_after).map(|()| None),
        }
    }

    /// Whether a request that was sealed has neither been answered nor failed.
    #[cfg(feature = "async")]
    pub(super) const fn awaits_answer(&self) -> bool {
        self.exchange.is_some()
    }

    /// Awaits no answer any more. One that comes after all is refused.
    pub(super) fn give_up(&mut self) {
        if let (Some(session), Some(exchange)) = (&mut self.session, self.exchange.take()) {
            session.abandon(&exchange);
        }
    }

    /// Decides what follows when a request could not be sealed: another try, or the caller's error. Nothing has left.
    fn unsealed(&mut self, attempt: &mut Try, error: Error) -> Result<(), Error> {
        // The keys are used up, though a counter is left.
        if error == Error::SessionExhausted && attempt.was_first() {
            self.doubtful = true;
            return Ok(());
        }
        Err(error)
    }

    /// The same when the transport failed (§2.6).
    fn unanswered<E: TransportError>(
        &mut self,
        idempotent: bool,
        attempt: &mut Try,
        error: E,
    ) -> Result<(), ClientError<E>> {
        self.give_up();
        if !error.request_left() {
            Err(ClientError::Transport(error))
        } else if !idempotent {
            let cause = if error.is_timeout() { NoAnswer::Timeout } else { NoAnswer::Transport };
            Err(ClientError::OutcomeUnknown { cause })
        } else if attempt.was_first() {
            Ok(())
        } else {
            Err(ClientError::Transport(error))
        }
    }

    /// The same when what came is no authentic answer (§2.6).
    fn unopened<E>(
        &mut self,
        now: Now,
        idempotent: bool,
        attempt: &mut Try,
        error: Error,
        retry_after: Option<u32>,
    ) -> Result<(), ClientError<E>> {
        self.give_up();
        let mut about_the_session = false;
        let cause = match error {
            Error::Refused(code) => {
                about_the_session = is_about_the_session(code);
                let renews = about_the_session && attempt.was_first() && self.back_off.permits(now);
                debug!("refused: {}, renewed: {}", code, renews);
                self.doubtful |= renews;
                if renews && idempotent {
                    return Ok(());
                }
                NoAnswer::Unsealed(code)
            }
            Error::Crypto(_) => NoAnswer::Unopened,
            _ => NoAnswer::NotAuthentic,
        };
        let plain = self.config.mode == Mode::Plain;
        match error {
            Error::Refused(code) if idempotent || (plain && !about_the_session) => {
                Err(ClientError::Refused { code, retry_after })
            }
            error if idempotent => Err(ClientError::Core(error)),
            _ => Err(ClientError::OutcomeUnknown { cause }),
        }
    }
}

/// Whether a new session may mend it.
const fn is_about_the_session(code: Code) -> bool {
    matches!(code, Code::InvalidSession | Code::SessionExpired | Code::InvalidToken | Code::EncryptionError)
}

/// The code of an error of the gateway, if `text` is one.
pub(super) fn code_of(text: &[u8]) -> Option<Code> {
    let [code] = json::object(text, &["code"]).ok()?;
    Code::from_json(code?.string().ok()?)
}

/// How soon after a renewal that a hint caused another hint may cause one: after 1 s, 2 s, … 64 s, until an authentic
/// answer has come. Without a clock each request may cause one.
#[derive(Clone, Copy, Debug, Default)]
struct BackOff {
    /// In milliseconds of the clock that was there.
    until: u64,
    renewals: u32,
}

impl BackOff {
    const FIRST_MILLIS: u64 = 1000;
    const MOST_DOUBLINGS: u32 = 6;

    fn permits(&mut self, now: Now) -> bool {
        let now = match now {
            Now { uptime: Some(uptime), .. } => uptime.as_millis(),
            Now { wall: Some(wall), .. } => wall.as_unix_millis(),
            _ => return true,
        };
        // A clock that stepped back by more than the longest wait holds nothing up.
        let longest = Self::FIRST_MILLIS << Self::MOST_DOUBLINGS;
        if now < self.until && self.until.saturating_sub(now) <= longest {
            return false;
        }
        self.until = now.saturating_add(Self::FIRST_MILLIS << self.renewals.min(Self::MOST_DOUBLINGS));
        self.renewals = self.renewals.saturating_add(1);
        true
    }

    const fn succeeded(&mut self) {
        self.renewals = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::CryptoError;
    use crate::crypto::software::Software;
    use crate::session::client::tests::Silent;
    use crate::session::{ClientType, Uptime};

    #[test]
    fn hints_renew_less_and_less_often() {
        let mut back_off = BackOff::default();
        let at = |millis| Now::uptime(Uptime::from_millis(millis));
        assert!(back_off.permits(at(5)));
        assert!(!back_off.permits(at(1004)));
        assert!(back_off.permits(at(1005)));
        assert!(!back_off.permits(at(3004)));
        assert!(back_off.permits(at(3005)));
        back_off.succeeded();
        assert!(back_off.permits(at(7005)));
        assert!(!back_off.permits(at(8004)));
        assert!(back_off.permits(at(8005)));
        for _ in 0..20 {
            assert!(back_off.permits(Now::UNKNOWN));
        }
    }

    /// A key may be used up before its counters are. Nothing has left, so any request is repeated under a new one.
    #[test]
    fn an_exhausted_session_is_renewed_once() {
        let config = ClientConfig::new(ClientType::Internal, "client", "device", "server");
        let mut state = State::<Software<Silent>, 0>::new(config);
        let mut attempt = Try::First;
        assert_eq!(state.unsealed(&mut attempt, Error::SessionExhausted), Ok(()));
        assert!(state.doubtful);
        assert_eq!(state.unsealed(&mut attempt, Error::SessionExhausted), Err(Error::SessionExhausted));
    }

    /// A caller can tell who it was that left it in doubt.
    #[test]
    fn a_request_that_has_left_fails_with_what_came_instead_of_an_answer() {
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Left {
            in_vain: bool,
        }
        impl TransportError for Left {
            fn request_left(&self) -> bool {
                true
            }
            fn is_timeout(&self) -> bool {
                self.in_vain
            }
        }
        let config = ClientConfig::new(ClientType::Internal, "client", "device", "server");
        let mut state = State::<Software<Silent>, 0>::new(config);
        let unknown = |cause| Err(ClientError::OutcomeUnknown { cause });
        for attempt in [Try::First, Try::Second] {
            for (in_vain, cause) in [(true, NoAnswer::Timeout), (false, NoAnswer::Transport)] {
                let outcome = state.unanswered(false, &mut attempt.clone(), Left { in_vain });
                assert_eq!(outcome, unknown(cause));
            }
            for (error, cause) in [
                (Peer::Authentication.into(), NoAnswer::NotAuthentic),
                (Peer::Malformed.into(), NoAnswer::NotAuthentic),
                (Peer::UnexpectedStatus(502).into(), NoAnswer::NotAuthentic),
                (Error::Crypto(CryptoError::Failed), NoAnswer::Unopened),
                (Error::Refused(Code::SessionExpired), NoAnswer::Unsealed(Code::SessionExpired)),
                (Error::Refused(Code::TooManyRequests), NoAnswer::Unsealed(Code::TooManyRequests)),
            ] {
                let outcome = state.unopened::<Left>(Now::UNKNOWN, false, &mut attempt.clone(), error, None);
                assert_eq!(outcome, unknown(cause));
            }
        }
    }

    #[test]
    fn a_clock_that_steps_back_holds_nothing_up() {
        let mut back_off = BackOff::default();
        assert!(back_off.permits(Now::uptime(Uptime::from_millis(10_000_000))));
        assert!(back_off.permits(Now::uptime(Uptime::from_millis(0))));
    }
}
