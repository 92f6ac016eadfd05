//! The future of a request, dropped after every number of polls: what is left behind, what may follow, and who knows.

use crate::slow::Slow;
use crate::support::{
    Count, Counted, Faulty, Fuse, Link, MODES, Seeded, Soft, Wire, World, block_on, poll_times,
};
use dynamic_key::Code;
use dynamic_key::client::{AsyncClient, ClientError, NoAnswer, REQUEST_PATH};
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Mode, Now};
use std::cell::RefCell;
use std::rc::Rc;

type Device = Slow<Counted<Faulty<Soft>>>;
type Client<'w> = AsyncClient<'static, Device, Slow<Pins<'static>>, Slow<Link<'w>>>;

const SECRET: &[u8] = br#"{"password":"correct horse"}"#;

/// What happened before the request that is given up.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    /// Nothing: it shakes hands first.
    Nothing,
    /// A session stands.
    Session,
    /// A session stands that the gateway has lost: it is refused, renewed and, where that is safe, sent again.
    Lost,
}

struct Stage<'w> {
    client: Client<'w>,
    live: Count,
    fuse: Fuse,
}

fn stage<'w>(mode: Mode, before: Before, world: &'w mut World) -> Stage<'w> {
    let pins: &'static [PinnedKey] = Vec::leak(vec![world.pin()]);
    let fuse = Fuse::default();
    let (device, live) = Counted::new(Faulty::new(Software::new(Seeded(2)), &fuse));
    let config = ClientConfig {
        mode,
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
    };
    let client = AsyncClient::new(config, Slow(device), Slow(Pins(pins)), Slow(Link::honest(world))).unwrap();
    let mut stage = Stage { client, live, fuse };
    if before != Before::Nothing {
        block_on(stage.client.ensure_session(Now::UNKNOWN, &mut [0; 4096])).unwrap();
    }
    if before == Before::Lost {
        stage.client.transport_mut().0.world.end_all();
    }
    stage
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Requests that reached the upstream with this body.
fn executed(client: &mut Client<'_>, body: &[u8]) -> usize {
    client.transport_mut().0.world.upstream.iter().filter(|(_, _, sent)| sent == body).count()
}

fn give_up(mode: Mode, before: Before, idempotent: bool) {
    let session_secrets = {
        let mut world = World::new(1);
        let stage = stage(mode, Before::Session, &mut world);
        stage.live.get()
    };
    assert!(session_secrets >= 2, "two traffic keys at least");
    let request = Request { idempotent, ..Request::post("/users/login", SECRET) };
    let next = Request::post("/users/login", b"{}");
    let (mut unknown, mut known) = (0, 0);
    for polls in 0.. {
        let mut world = World::new(1);
        let Stage { mut client, live, fuse } = stage(mode, before, &mut world);
        let id = client.facts().map(|facts| facts.id().to_owned());
        let mut buffer = [0; 4096];
        let case = format!("{mode:?} {before:?}, idempotent {idempotent}, after {polls} polls");
        if poll_times(client.request(Now::UNKNOWN, &request, &mut buffer), polls).is_some() {
            assert!(polls > 4 && unknown >= 4, "{case}");
            break;
        }

        // Nothing is left but a session that stands: the old one, or a whole new one.
        let stands = client.facts().map(|facts| facts.id().to_owned());
        assert_eq!(live.get(), if stands.is_some() { session_secrets } else { 0 }, "{case}");
        assert!(
            stands.is_some() || before == Before::Nothing,
            "no session goes before another stands: {case}"
        );
        let renewed = stands.is_some() && stands != id;
        if renewed {
            assert_ne!(before, Before::Session, "{case}");
            assert!(client.transport_mut().0.world.live(&stands.unwrap()), "{case}");
        }
        assert!(!contains(&buffer, b"horse"), "the plaintext was sealed before anything was awaited: {case}");

        // Whether it may have been carried out is known.
        let times = executed(&mut client, SECRET);
        assert!(times == 0 || client.is_outcome_unknown(), "{case}");
        assert!(times <= 1, "{case}");
        let sealed = client.transport_mut().0.seen.iter().any(|wire| wire.target == REQUEST_PATH);
        if client.is_outcome_unknown() {
            unknown += 1
        } else {
            known += 1
        }
        assert!(!sealed || client.is_outcome_unknown() || before == Before::Lost, "{case}");

        // The next is another: it is answered, under its own nonce, and the given-up one is not sent again.
        let answer = block_on(client.request(Now::UNKNOWN, &next, &mut buffer));
        assert!(!client.is_outcome_unknown(), "{case}");
        if before == Before::Lost && !renewed {
            // The session that was refused still stands, so it is asked again: as after a failed renewal.
            let refused = ClientError::OutcomeUnknown { cause: NoAnswer::Unsealed(Code::InvalidSession) };
            assert_eq!(answer.map(|answer| answer.status), Err(refused), "{case}");
            let answer = block_on(client.request(Now::UNKNOWN, &next, &mut buffer));
            assert_eq!(answer.map(|answer| answer.status), Ok(200), "{case}");
        } else {
            assert_eq!(answer.map(|answer| answer.status), Ok(200), "{case}");
        }
        assert_eq!(executed(&mut client, SECRET), times, "{case}");
        assert_eq!(live.get(), session_secrets, "{case}");
        fuse.check_nonces();
        drop(client);
        assert_eq!(live.get(), 0, "{case}");
    }
    assert!(known > 0);
}

#[test]
fn the_first_request() {
    for mode in MODES {
        give_up(mode, Before::Nothing, true);
        give_up(mode, Before::Nothing, false);
    }
}

#[test]
fn a_request_of_a_session() {
    for mode in MODES {
        give_up(mode, Before::Session, true);
        give_up(mode, Before::Session, false);
    }
}

#[test]
fn a_request_that_renews() {
    for mode in MODES {
        give_up(mode, Before::Lost, true);
    }
}

/// The answer to what was given up comes after all, instead of the next one's.
#[test]
fn a_late_answer_is_no_answer_to_the_next() {
    // In plain mode nothing binds an answer to its request.
    for mode in [Mode::Confirmed, Mode::Pinned] {
        let (request, next) = (Request::get("/countries/get"), Request::post("/users/login", SECRET));
        let mut late = 0;
        for polls in 0.. {
            let mut world = World::new(1);
            let Stage { mut client, .. } = stage(mode, Before::Session, &mut world);
            let mut buffer = [0; 4096];
            if poll_times(client.request(Now::UNKNOWN, &request, &mut buffer), polls).is_some() {
                break;
            }
            let Link { seen, tamper, .. } = &mut client.transport_mut().0;
            let Some(Wire { answer: Some(given_up), target, .. }) = seen.last().cloned() else { continue };
            if target != REQUEST_PATH {
                continue;
            }
            late += 1;
            let others = Rc::new(RefCell::new(None));
            let keep = others.clone();
            *tamper = Box::new(move |wire| {
                if wire.answer.is_some() {
                    *keep.borrow_mut() = wire.answer.replace(given_up.clone());
                }
            });
            let outcome = block_on(client.request(Now::UNKNOWN, &next, &mut buffer));
            let unknown = ClientError::OutcomeUnknown { cause: NoAnswer::NotAuthentic };
            assert_eq!(outcome.map(|answer| answer.status), Err(unknown), "{mode:?} after {polls}");
            assert!(others.borrow().is_some());
            client.transport_mut().0.tamper = Box::new(|_| {});
            assert_eq!(block_on(client.request(Now::UNKNOWN, &next, &mut buffer)).unwrap().status, 200);
        }
        assert!(late >= 2, "{late}");
    }
}

/// A logout between: the session that is gone takes what was awaited along.
#[test]
fn a_logout_after_giving_up() {
    for polls in 1..6 {
        let mut world = World::new(1);
        let Stage { mut client, live, .. } = stage(Mode::Pinned, Before::Session, &mut world);
        let request = Request::post("/users/login", SECRET);
        assert!(
            poll_times(client.request(Now::UNKNOWN, &request, &mut [0; 4096]), polls).is_none() || polls > 4
        );
        client.logout();
        assert_eq!(live.get(), 0);
        assert_eq!(block_on(client.request(Now::UNKNOWN, &request, &mut [0; 4096])).unwrap().status, 200);
    }
}
