//! What an unsealed error can do, which anybody on the wire can write (§2.6): give a hint, and no more.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::client::{Client, ClientError, NoAnswer};
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Mode, Now, Uptime};
use dynamic_key::{Code, Error, Peer};
use std::cell::RefCell;
use std::rc::Rc;
use support::{Link, Lost, MODES, Seeded, Soft, Wire, World, forged};

/// What the man on the wire says instead of the gateway.
#[derive(Clone, Copy, Debug, Default)]
struct Man {
    /// To so many of the next requests, this, after the gateway has answered.
    requests: Option<(Code, usize)>,
    /// To every hello, this, in the gateway's place.
    hellos: Option<Code>,
}

type Hinted<'w> = Client<'static, Soft, Pins<'static>, Link<'w>>;

fn client(mode: Mode, world: &mut World) -> (Hinted<'_>, Rc<RefCell<Man>>) {
    let config = ClientConfig {
        mode,
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
    };
    let pins: &'static [PinnedKey] = Vec::leak(vec![world.pin()]);
    let man = Rc::new(RefCell::new(Man::default()));
    let (tongue, mut link) = (man.clone(), Link::honest(world));
    link.tamper = Box::new(move |wire: &mut Wire| {
        let mut man = tongue.borrow_mut();
        match (&mut wire.answer, wire.target.as_str()) {
            (Some(answer), "/api/request/v2") => {
                if let Some((code, times)) = &mut man.requests
                    && *times > 0
                {
                    *times -= 1;
                    *answer = forged(*code);
                }
            }
            (Some(answer), _) => {
                if let Some(code) = man.hellos {
                    *answer = forged(code);
                }
            }
            (None, _) => {}
        }
    });
    (Client::new(config, Software::new(Seeded(2)), Pins(pins), link).unwrap(), man)
}

const GET: Request<'static> = Request::get("/countries/get");
const POST: Request<'static> = Request::post("/users/login", b"{}");

/// How often hello was said.
fn hellos(client: &mut Hinted<'_>) -> usize {
    client.transport_mut().seen.iter().filter(|wire| wire.target == "/api/info/v2").count()
}

fn executions(client: &mut Hinted<'_>) -> usize {
    client.transport_mut().world.upstream.len()
}

fn id(client: &Hinted<'_>) -> String {
    client.facts().unwrap().id().into()
}

fn is_about_the_session(code: Code) -> bool {
    matches!(code, Code::InvalidSession | Code::SessionExpired | Code::InvalidToken | Code::EncryptionError)
}

/// Whether a gateway says it of a request only in an envelope.
fn is_sealed(mode: Mode, code: Code) -> bool {
    let sealed = matches!(
        code,
        Code::RouteNotAllowed
            | Code::UpstreamUnavailable
            | Code::ClientNotAllowed
            | Code::ConfirmationRequired
    );
    sealed && mode != Mode::Plain
}

#[test]
fn every_code_to_a_request_that_may_be_repeated() {
    for (mode, code) in MODES.into_iter().flat_map(|mode| Code::ALL.map(|code| (mode, code))) {
        let mut world = World::new(1);
        let (mut client, man) = client(mode, &mut world);
        let mut buffer = [0; 4096];
        client.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
        let before = id(&client);
        man.borrow_mut().requests = Some((code, 1));
        let outcome = client.request(Now::UNKNOWN, &GET, &mut buffer).map(|answer| answer.status);
        if is_about_the_session(code) {
            assert_eq!(outcome, Ok(200), "{mode:?} {code}: renewed and repeated");
            assert_eq!((hellos(&mut client), executions(&mut client)), (2, 2));
            assert_ne!(id(&client), before);
            continue;
        }
        let expected = if is_sealed(mode, code) {
            ClientError::Core(Error::Peer(Peer::UnexpectedStatus(code.status())))
        } else {
            ClientError::Refused { code, retry_after: None }
        };
        assert_eq!(outcome, Err(expected), "{mode:?}");
        assert_eq!((hellos(&mut client), executions(&mut client)), (1, 1));
        assert_eq!(id(&client), before);
        assert_eq!(client.request(Now::UNKNOWN, &GET, &mut buffer).unwrap().status, 200, "it stands");
        assert_eq!((hellos(&mut client), id(&client)), (1, before));
    }
}

#[test]
fn every_code_to_a_request_that_may_not() {
    for (mode, code) in MODES.into_iter().flat_map(|mode| Code::ALL.map(|code| (mode, code))) {
        let mut world = World::new(1);
        let (mut client, man) = client(mode, &mut world);
        let mut buffer = [0; 4096];
        client.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
        let before = id(&client);
        man.borrow_mut().requests = Some((code, 1));
        let error = client.request(Now::UNKNOWN, &POST, &mut buffer).unwrap_err();
        let expected = if mode == Mode::Plain && !is_about_the_session(code) {
            // All errors of plain mode are unsealed, so they are believed.
            ClientError::Refused { code, retry_after: None }
        } else {
            let sealed = is_sealed(mode, code);
            ClientError::OutcomeUnknown {
                cause: if sealed { NoAnswer::NotAuthentic } else { NoAnswer::Unsealed(code) },
            }
        };
        assert_eq!(error, expected, "{mode:?} {code}");
        assert_eq!((hellos(&mut client), executions(&mut client)), (1, 1), "never repeated");
        assert_eq!(id(&client), before, "the session stands until another does");
        assert_eq!(client.request(Now::UNKNOWN, &POST, &mut buffer).unwrap().status, 200);
        let renewed = is_about_the_session(code);
        assert_eq!((hellos(&mut client), id(&client) != before), (1 + usize::from(renewed), renewed));
        assert_eq!(executions(&mut client), 2);
    }
}

/// However often the man on the wire lies, a request causes one renewal at the most.
#[test]
fn hints_without_end_cause_one_renewal_for_a_request() {
    for mode in MODES {
        let mut world = World::new(1);
        let (mut client, man) = client(mode, &mut world);
        let mut buffer = [0; 4096];
        client.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
        man.borrow_mut().requests = Some((Code::InvalidSession, usize::MAX));
        for number in 1..=20 {
            let request = if number % 3 == 0 { POST } else { GET };
            let outcome = client.request(Now::UNKNOWN, &request, &mut buffer);
            assert!(outcome.is_err());
            assert!(hellos(&mut client) <= 1 + number, "{mode:?}: {} after {number}", hellos(&mut client));
            client.transport_mut().world.end_all();
        }
        man.borrow_mut().requests = None;
        assert_eq!(client.request(Now::UNKNOWN, &GET, &mut buffer).unwrap().status, 200);
    }
}

#[test]
fn with_a_clock_renewals_become_rare() {
    for mode in MODES {
        let mut world = World::new(1);
        let (mut client, man) = client(mode, &mut world);
        let mut buffer = [0; 4096];
        let at = |millis| Now::uptime(Uptime::from_millis(millis));
        client.ensure_session(at(0), &mut buffer).unwrap();
        man.borrow_mut().requests = Some((Code::EncryptionError, usize::MAX));
        for number in 0..20 {
            assert!(client.request(at(1), &GET, &mut buffer).is_err());
            assert_eq!(hellos(&mut client), 2, "one in the first second, {number}");
        }
        for tenth in 0..600 {
            assert!(client.request(at(1000 + tenth * 100), &GET, &mut buffer).is_err());
            client.transport_mut().world.end_all();
        }
        // After 1, 2, 4, 8, 16 and 32 seconds.
        assert!((6..=8).contains(&hellos(&mut client)), "{}", hellos(&mut client));
        man.borrow_mut().requests = None;
        assert_eq!(client.request(at(200_000), &GET, &mut buffer).unwrap().status, 200);
    }
}

/// Whoever can say that a session is gone, and can keep another from being made, has not taken away the one that stands.
#[test]
fn a_session_whose_renewal_fails_is_used_further() {
    for mode in MODES {
        for request in [GET, POST] {
            let mut world = World::new(1);
            let (mut client, man) = client(mode, &mut world);
            let mut buffer = [0; 4096];
            client.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
            let before = id(&client);
            *man.borrow_mut() =
                Man { requests: Some((Code::SessionExpired, 1)), hellos: Some(Code::StoreUnavailable) };
            let refused = ClientError::Refused { code: Code::StoreUnavailable, retry_after: None };
            if request.is_idempotent() {
                assert_eq!(client.request(Now::UNKNOWN, &request, &mut buffer).unwrap_err(), refused);
            } else {
                let unknown = ClientError::OutcomeUnknown { cause: NoAnswer::Unsealed(Code::SessionExpired) };
                assert_eq!(client.request(Now::UNKNOWN, &request, &mut buffer).unwrap_err(), unknown);
                assert_eq!(client.request(Now::UNKNOWN, &request, &mut buffer).unwrap_err(), refused);
            }
            assert_eq!(id(&client), before);
            assert_eq!(client.request(Now::UNKNOWN, &request, &mut buffer).unwrap().status, 200);
            assert_eq!(id(&client), before, "{mode:?}");
        }
    }
}

/// A refusal of the first hello is told as it is, whoever wrote it, and the next call tries again.
#[test]
fn every_code_to_a_hello() {
    for (mode, code) in MODES.into_iter().flat_map(|mode| Code::ALL.map(|code| (mode, code))) {
        let mut world = World::new(1);
        let (mut client, man) = client(mode, &mut world);
        let mut buffer = [0; 4096];
        man.borrow_mut().hellos = Some(code);
        let error: ClientError<Lost> = client.request(Now::UNKNOWN, &POST, &mut buffer).unwrap_err();
        match code {
            Code::RetryWithScheme => assert_eq!(error, ClientError::Core(Error::Peer(Peer::Malformed))),
            code => assert_eq!(error, ClientError::Refused { code, retry_after: None }),
        }
        assert!(client.facts().is_none());
        man.borrow_mut().hellos = None;
        assert_eq!(client.request(Now::UNKNOWN, &POST, &mut buffer).unwrap().status, 200, "{mode:?} {code}");
        client.logout();
        assert!(client.facts().is_none());
        assert_eq!(client.request(Now::UNKNOWN, &POST, &mut buffer).unwrap().status, 200);
    }
}
