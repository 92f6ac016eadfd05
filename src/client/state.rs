//! What a client knows between its calls, and what it decides: no I/O, so that every driver decides the same.

use super::exchange::{Answer, VERSION, range};
use super::storage::Keeper;
use super::{ClientError, NoAnswer};
use crate::codec::json;
use crate::crypto::{Provider, Signature};
use crate::envelope::{INTRODUCTION_LEN, introduce, sealed_len};
use crate::error::{Code, Error, Misuse};
use crate::handshake::{ClientConfig, ClientHandshake};
use crate::log::debug;
use crate::request::Request;
use crate::session::{Exchange, Facts, Mode, Now, Session};
use crate::transport::{Header, TransportError};

/// The first try of a request, or the second and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    First,
    Second,
}

/// How a try failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure<E> {
    /// Nothing has left.
    Before(Error),
    /// The transport failed.
    Transport(E),
    /// What came is no authentic answer.
    Answer(Error, Option<u32>),
}

impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Self::Before(error)
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
    pub(super) fn new(config: ClientConfig<'c>) -> Result<Self, Error> {
        config.check()?;
        Ok(Self {
            config,
            session: None,
            introduction: None,
            exchange: None,
            doubtful: false,
            back_off: BackOff::default(),
        })
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
        outcome: Result<Answer, E>,
        buffer: &[u8],
    ) -> Result<(), ClientError<E>> {
        match outcome {
            Ok(Answer { status, retry_after, body }) => {
                let body = buffer.get(body).unwrap_or_default();
                handshake.reply(status, body).map_err(|error| match error {
                    Error::Refused(code) => ClientError::Refused { code, retry_after },
                    error => ClientError::Core(error),
                })
            }
            // A stream that the gateway had closed meanwhile, most often: with fresh keys, nothing is repeated.
            Err(error) if error.request_left() && !error.is_timeout() && *attempt == Try::First => {
                *attempt = Try::Second;
                handshake.begin_again();
                Ok(())
            }
            Err(error) => Err(ClientError::Transport(error)),
        }
    }

    /// Puts the session that `handshake` ends in into the place of any other.
    pub(super) fn established(&mut self, handshake: &mut ClientHandshake<'c, P, TOKEN>) -> Result<(), Error> {
        handshake.finish_into(&mut self.session)?;
        debug!("session: {}", self.facts());
        self.introduction = handshake.introduction().copied();
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

    /// Writes and seals `request`, for a client that `signs` or not; what may be too small is found before anything changes.
    pub(super) fn seal(
        &mut self,
        provider: &mut P,
        now: Now,
        request: &Request<'_>,
        signs: bool,
        buffer: &mut [u8],
    ) -> Result<usize, Error> {
        let length = match request.write(buffer) {
            Ok(length) | Err(Error::BufferTooSmall { needed: length }) => length,
            Err(error) => return Err(error),
        };
        let introduction = if signs && self.introduction.is_some() { INTRODUCTION_LEN } else { 0 };
        let needed = sealed_len(length).saturating_add(introduction);
        if buffer.len() < needed {
            return Err(Error::BufferTooSmall { needed });
        }
        let (length, exchange) = self.session()?.seal(provider, now, buffer, length)?;
        self.exchange = Some(exchange);
        match &self.introduction {
            Some(signature) if signs => introduce(buffer, length, signature),
            _ => Ok(length),
        }
    }

    /// The headers of a request: they name the session and prove it to the gateway's front.
    pub(super) fn headers(&self) -> Result<[Header<'_>; 4], Error> {
        let facts = self.facts().ok_or(Misuse::WrongTurn)?;
        let session = Header::new("X-Session-Id", facts.id()).map_err(|_| Misuse::InvalidRequest)?;
        let token = Header::bearer(facts.token()).map_err(|_| Misuse::InvalidRequest)?;
        Ok([VERSION, Header::JSON, session, token])
    }

    /// Opens the answer where it stands in `buffer`: its body is the plaintext then.
    pub(super) fn open<E>(
        &mut self,
        provider: &mut P,
        answer: &mut Answer,
        buffer: &mut [u8],
    ) -> Result<(), Failure<E>> {
        let base = buffer.as_ptr().addr();
        let body = buffer.get_mut(answer.body.clone()).unwrap_or_default();
        let opened = self.session()?.open(provider, answer.status, body);
        let plaintext = opened.map_err(|error| Failure::Answer(error, answer.retry_after))?;
        answer.body = range(plaintext, base);
        self.exchange = None;
        self.introduction = None;
        self.back_off.succeeded();
        Ok(())
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

    /// Decides what follows a failed try (§2.6): another one, or the caller's error.
    pub(super) fn after<E: TransportError>(
        &mut self,
        now: Now,
        request: &Request<'_>,
        attempt: Try,
        failure: Failure<E>,
    ) -> Result<Try, ClientError<E>> {
        self.give_up();
        let plain = self.config.mode == Mode::Plain;
        let again = request.is_idempotent() && attempt == Try::First;
        let unknown = |cause| Err(ClientError::OutcomeUnknown { cause });
        match failure {
            // The keys are used up, though a counter is left.
            Failure::Before(Error::SessionExhausted) if attempt == Try::First => {
                self.doubtful = true;
                Ok(Try::Second)
            }
            Failure::Before(error) => Err(error.into()),
            Failure::Transport(error) if !error.request_left() => Err(ClientError::Transport(error)),
            Failure::Transport(_) if again => Ok(Try::Second),
            Failure::Transport(error) if request.is_idempotent() => Err(ClientError::Transport(error)),
            Failure::Transport(error) if error.is_timeout() => unknown(NoAnswer::Timeout),
            Failure::Transport(_) => unknown(NoAnswer::Transport),
            Failure::Answer(Error::Refused(code), retry_after) => {
                let first = attempt == Try::First;
                let renews = first && is_about_the_session(code) && self.back_off.permits(now);
                debug!("refused: {}, renewed: {}", code, renews);
                self.doubtful |= renews;
                if renews && again {
                    Ok(Try::Second)
                } else if request.is_idempotent() || (plain && !is_about_the_session(code)) {
                    Err(ClientError::Refused { code, retry_after })
                } else {
                    unknown(NoAnswer::Unsealed(code))
                }
            }
            Failure::Answer(error, _) if request.is_idempotent() => Err(ClientError::Core(error)),
            Failure::Answer(Error::Crypto(_), _) => unknown(NoAnswer::Unopened),
            Failure::Answer(..) => unknown(NoAnswer::NotAuthentic),
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
    let mut room = [0; 64];
    Code::from_name(code?.string().ok()?.copy_to(&mut room).ok()?)
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
    use crate::error::Peer;
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
        #[derive(Debug, PartialEq)]
        struct Never;
        impl TransportError for Never {
            fn request_left(&self) -> bool {
                false
            }
            fn is_timeout(&self) -> bool {
                false
            }
        }
        let config = ClientConfig::new(ClientType::Internal, "client", "device", "server");
        let mut state = State::<Software<Silent>, 0>::new(config).unwrap();
        let exhausted = || Failure::<Never>::Before(Error::SessionExhausted);
        let post = Request::post("/", b"{}");
        assert_eq!(state.after(Now::UNKNOWN, &post, Try::First, exhausted()), Ok(Try::Second));
        assert!(state.doubtful);
        let outcome = state.after(Now::UNKNOWN, &post, Try::Second, exhausted());
        assert_eq!(outcome, Err(ClientError::Core(Error::SessionExhausted)));
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
        let mut state = State::<Software<Silent>, 0>::new(config).unwrap();
        let answer = |error: Error| Failure::Answer(error, None);
        for (failure, expected) in [
            (Failure::Transport(Left { in_vain: true }), NoAnswer::Timeout),
            (Failure::Transport(Left { in_vain: false }), NoAnswer::Transport),
            (answer(Peer::Authentication.into()), NoAnswer::NotAuthentic),
            (answer(Peer::Malformed.into()), NoAnswer::NotAuthentic),
            (answer(Peer::UnexpectedStatus(502).into()), NoAnswer::NotAuthentic),
            (answer(Error::Crypto(CryptoError::Failed)), NoAnswer::Unopened),
            (answer(Error::Refused(Code::SessionExpired)), NoAnswer::Unsealed(Code::SessionExpired)),
            (answer(Error::Refused(Code::TooManyRequests)), NoAnswer::Unsealed(Code::TooManyRequests)),
        ] {
            for attempt in [Try::First, Try::Second] {
                let post = Request::post("/", b"{}");
                let outcome = state.after(Now::UNKNOWN, &post, attempt, failure);
                assert_eq!(outcome, Err(ClientError::OutcomeUnknown { cause: expected }));
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
