//! Where sessions end: messages, blocks, time, places in a store; and what must not end them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::codec::base64;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{Pins, Software};
use dynamic_key::gateway::sessions::{REMEMBERED_MILLIS, Replay};
use dynamic_key::gateway::{FixedStore, Opened, SessionStore, StoreError};
use dynamic_key::handshake::{ServerFacts, ServerHandshake};
use dynamic_key::nonce::{WireNonce, limit};
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{Mode, Now, ServerSession, Uptime};
use dynamic_key::{Code, Error};
use support::{
    Device, DeviceSession, MODES, START, Seeded, Soft, World, call, head_of, hello_headers, request_headers,
    seal,
};

const REQUEST: &str = "/api/request/v2";
const HANDSHAKE: &str = "/api/info/v2";

fn device(mode: Mode, world: &World) -> Device {
    Device::new(mode, &Scheme::ELLIPTIC, world)
}

/// A request through `world`: the code of an unsealed error, or that it was served.
fn ask(session: &mut DeviceSession, provider: &mut Soft, world: &mut World) -> Result<(), Code> {
    let (text, exchange) = seal(session, provider, &Request::get("/countries/get"));
    let headers = request_headers(session.facts().id(), session.facts().token());
    let (status, mut answer) = world.serve(REQUEST, &headers, &text);
    match session.open(provider, status, &mut answer) {
        Ok(_) => Ok(()),
        Err(Error::Refused(code)) => {
            session.abandon(&exchange);
            Err(code)
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn after(millis: u64) -> Timestamp {
    START.saturating_add_millis(millis)
}

#[test]
fn a_plain_client_seals_2_to_the_15() {
    let mut world = World::new(1);
    let (mut session, mut provider) = device(Mode::Plain, &world).shake(&mut world);
    let mut buffer = [0; 128];
    for sealed in 0..1 << 15 {
        assert_eq!(session.remaining(), (1 << 15) - sealed);
        let (_, exchange) = session.seal(&mut provider, Now::UNKNOWN, &mut buffer, 0).unwrap();
        session.abandon(&exchange);
    }
    for _ in 0..3 {
        let error = session.seal(&mut provider, Now::UNKNOWN, &mut buffer, 0).unwrap_err();
        assert_eq!((error, session.remaining()), (Error::SessionExhausted, 0));
    }
}

#[test]
fn the_other_modes_begin_with_2_to_the_24() {
    for mode in [Mode::Confirmed, Mode::Pinned] {
        let mut world = World::new(1);
        let (mut session, mut provider) = device(mode, &world).shake(&mut world);
        assert_eq!(session.remaining(), 1 << 24);
        call(&mut session, &mut provider, &mut world);
        assert_eq!(session.remaining(), (1 << 24) - 1);
    }
}

/// A gateway's set of nonces ends a plain session where its own room or the key does, whichever comes first.
#[test]
fn a_plain_session_ends_where_its_nonces_have_no_room() {
    fn requests<const ROOM: usize>() -> u64 {
        let mut replay = Box::new(Replay::<1, ROOM>::new(Mode::Plain));
        let nonce = |number| WireNonce::new([1, 2, 3, 4], number);
        let full = (0..).find(|number| replay.commit(nonce(*number)).is_err()).unwrap();
        assert_eq!(replay.commit(nonce(full)), Err(StoreError::Exhausted));
        assert_eq!(replay.commit(nonce(full / 2)), Err(StoreError::Replayed), "it never forgets");
        full
    }
    let check = || {
        assert_eq!(requests::<3>(), 3);
        assert_eq!(requests::<{ (1 << 15) - 1 }>(), (1 << 15) - 1);
        assert_eq!(requests::<{ 1 << 15 }>(), 1 << 15);
        assert_eq!(requests::<{ (1 << 15) + 1 }>(), 1 << 15, "2^16 messages for one key, both ways together");
    };
    // Half a megabyte in place.
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(check);
    thread.unwrap().join().unwrap();
}

#[test]
fn a_plain_session_that_is_full_is_gone() {
    let mut world = World::new(1);
    let (mut other, mut others) = Device { seed: 9, ..device(Mode::Plain, &world) }.shake(&mut world);
    let (mut session, mut provider) = device(Mode::Plain, &world).shake(&mut world);
    for _ in 0..64 {
        assert_eq!(ask(&mut session, &mut provider, &mut world), Ok(()));
    }
    for _ in 0..3 {
        assert_eq!(ask(&mut session, &mut provider, &mut world), Err(Code::InvalidSession));
    }
    assert_eq!(world.upstream.len(), 64);
    assert_eq!(ask(&mut other, &mut others, &mut world), Ok(()), "another session does not care");
}

#[test]
fn a_key_seals_so_many_blocks_and_no_more() {
    let mut replay = Replay::<2, 0>::new(Mode::Confirmed);
    assert_eq!(replay.charge(limit::BLOCKS + 1), Err(StoreError::Exhausted));
    assert_eq!((replay.charge(limit::BLOCKS), replay.charge(0)), (Ok(()), Ok(())));
    assert_eq!(replay.charge(1), Err(StoreError::Exhausted));
    assert_eq!(replay.charge(u64::MAX), Err(StoreError::Exhausted));
    for mode in MODES {
        let mut world = World::new(1);
        let (mut session, mut provider) = device(mode, &world).shake(&mut world);
        let id = session.facts().id().to_owned();
        let store = &mut *world.store;
        let handle = SessionStore::<Soft>::find(store, &id, START).unwrap();
        let answer = limit::blocks(world.answer.1.len());
        SessionStore::<Soft>::charge(store, &handle, limit::BLOCKS - answer).unwrap();
        assert_eq!(ask(&mut session, &mut provider, &mut world), Ok(()), "the last block");
        assert_eq!(ask(&mut session, &mut provider, &mut world), Err(Code::InvalidSession));
        assert!(!world.live(&id), "{mode:?}");
        assert_eq!(ask(&mut session, &mut provider, &mut world), Err(Code::InvalidSession));
    }
}

#[test]
fn a_session_ends_on_the_millisecond_and_is_remembered_for_ten_minutes() {
    for mode in MODES {
        let mut world = World::new(1);
        world.now = after(1); // a token's end has no fraction of a second, and must not come first
        let (mut session, mut provider) = device(mode, &world).shake(&mut world);
        let end = 1 + world.gateway.session_seconds * 1000;
        for (now, expected) in [
            (0, Ok(())),
            (end - 1, Ok(())),
            (end, Err(Code::SessionExpired)),
            (end + REMEMBERED_MILLIS - 1, Err(Code::SessionExpired)),
            (end + REMEMBERED_MILLIS, Err(Code::InvalidSession)),
            // A clock that steps back revives nothing.
            (end - 1, Err(Code::InvalidSession)),
        ] {
            world.now = after(now);
            assert_eq!(ask(&mut session, &mut provider, &mut world), expected, "{mode:?} at {now}");
        }
    }
}

#[test]
fn a_session_that_was_ended_is_remembered_from_then_on() {
    let mut world = World::new(1);
    let (mut session, mut provider) = device(Mode::Pinned, &world).shake(&mut world);
    world.now = after(5000);
    let id = session.facts().id().to_owned();
    world.end(&id);
    for (now, code) in [
        (5000, Code::SessionExpired),
        (5000 + REMEMBERED_MILLIS - 1, Code::SessionExpired),
        (5000 + REMEMBERED_MILLIS, Code::InvalidSession),
    ] {
        world.now = after(now);
        assert_eq!(ask(&mut session, &mut provider, &mut world), Err(code), "at {now}");
    }
}

/// The client's clocks: each kind ends the session on its own, and none does not.
#[test]
fn a_client_seals_nothing_past_the_end() {
    let start = Uptime::from_millis(77);
    let (wall, uptime) =
        (|millis| Now::wall(after(millis)), |millis| Now::uptime(Uptime::from_millis(77 + millis)));
    for mode in MODES {
        let mut world = World::new(1);
        let device = device(mode, &world);
        let (status, answer) = world.serve(HANDSHAKE, &hello_headers(), &device.hello());
        let end = world.gateway.session_seconds * 1000;
        let seal = |sent: Now, now: Now| {
            let (mut handshake, mut provider) = started(&device, sent);
            handshake.reply(status, &answer).unwrap();
            handshake.compute(&mut provider, &mut Pins(&device.pins)).unwrap();
            let mut session = handshake.finish().unwrap();
            session.seal(&mut provider, now, &mut [0; 128], 0).map(|_| ())
        };
        assert_eq!(seal(wall(0), wall(end - 1)), Ok(()));
        assert_eq!(seal(wall(0), wall(end)), Err(Error::SessionExpired));
        assert_eq!(seal(Now::UNKNOWN, wall(end)), Err(Error::SessionExpired), "expiresAt is a time of day");
        assert_eq!(seal(Now::UNKNOWN, Now::UNKNOWN), Ok(()));
        // `expiresIn` counts from the hello; plain mode has none.
        let expected = if mode == Mode::Plain { Ok(()) } else { Err(Error::SessionExpired) };
        assert_eq!(seal(Now::uptime(start), uptime(end - 1)), Ok(()));
        assert_eq!(seal(Now::uptime(start), uptime(end)), expected, "{mode:?}");
        // The wall clock of a device is an hour behind; the other clock knows better.
        let late = Now::both(Timestamp::from_unix_millis(START.as_unix_millis() - end), start);
        let now = Now { uptime: uptime(end).uptime, ..late };
        assert_eq!(seal(late, now), expected);
    }
}

fn started(device: &Device, sent: Now) -> (support::DeviceHandshake<'static>, Soft) {
    let mut provider = Software::new(Seeded(device.seed));
    let mut handshake = support::DeviceHandshake::new(&device.config).unwrap();
    handshake.compute(&mut provider, &mut Pins(&device.pins)).unwrap();
    handshake.hello(&mut provider, sent, &mut [0; 1024]).unwrap();
    (handshake, provider)
}

/// A gateway's session, ready to be stored.
fn server_session(id: &str, ends: Timestamp) -> ServerSession<Soft> {
    let world = World::new(1);
    let mut provider = Software::new(Seeded(5));
    let mut server = ServerHandshake::new();
    server
        .hello(&mut provider, &world.gateway.clients, &mut device(Mode::Confirmed, &world).hello())
        .unwrap();
    server.compute(&mut provider).unwrap();
    let facts = ServerFacts {
        session_id: id,
        token: "t",
        expire_token: 0,
        expires_at: ends,
        expires_in: 60,
        instance: 1,
        identity: None,
        plain: Default::default(),
    };
    server.answer(&mut provider, &facts, &mut [0; 1024]).unwrap();
    server.finish().unwrap()
}

#[test]
fn a_store_gives_away_the_place_of_what_has_ended_only() {
    let mut store = FixedStore::<Soft, 3>::new();
    let far = after(1_000_000_000);
    store.insert(server_session("short", after(1000)), START).unwrap();
    store.insert(server_session("long", far), START).unwrap();
    store.insert(server_session("other", far), START).unwrap();
    let found = |store: &mut FixedStore<Soft, 3>, id: &str, now| store.find(id, now).map(|_| ());

    // Full of what lives.
    assert_eq!(store.insert(server_session("new", far), after(999)), Err(StoreError::Unavailable));
    for id in ["short", "long", "other"] {
        assert_eq!(found(&mut store, id, after(999)), Ok(()));
    }
    // One has ended, and one is ended later: the first of them makes room.
    assert_eq!(found(&mut store, "short", after(1000)), Err(StoreError::Ended));
    store.end("other", after(2000));
    let stale = store.find("long", after(2000)).unwrap();
    store.insert(server_session("new", far), after(2001)).unwrap();
    assert_eq!(found(&mut store, "short", after(2001)), Err(StoreError::Unknown));
    assert_eq!(found(&mut store, "other", after(2001)), Err(StoreError::Ended));
    store.insert(server_session("newer", far), after(2002)).unwrap();
    assert_eq!(found(&mut store, "other", after(2002)), Err(StoreError::Unknown));
    assert_eq!(store.insert(server_session("newest", far), after(2003)), Err(StoreError::Unavailable));

    // A handle is of one tenant of its place and of no later one.
    store.end("long", after(2004));
    assert!(store.session(&stale).is_none());
    store.insert(server_session("newest", far), after(2005)).unwrap();
    assert!(store.session(&stale).is_none());
    assert_eq!(store.commit(&stale, WireNonce::new([0; 4], 0)), Err(StoreError::Ended));
    assert_eq!(store.charge(&stale, 1), Err(StoreError::Ended));
    store.end("nobody", after(2006));
    for id in ["new", "newer", "newest"] {
        assert_eq!(found(&mut store, id, after(2006)), Ok(()));
    }
}

/// A gateway whose store is full says so, and serves those who are in it.
#[test]
fn a_full_store_refuses_and_serves() {
    let mut world = World::new(1);
    let (mut session, mut provider) = device(Mode::Pinned, &world).shake(&mut world);
    for seed in 0..31 {
        Device { seed: 100 + seed, ..device(MODES[seed as usize % 3], &world) }.shake(&mut world);
    }
    let hello = Device { seed: 999, ..device(Mode::Pinned, &world) }.hello();
    for _ in 0..3 {
        let (status, body) = world.serve(HANDSHAKE, &hello_headers(), &hello);
        let body = String::from_utf8(body).unwrap();
        assert!(status == 503 && body.contains(Code::StoreUnavailable.name()), "{body}");
    }
    assert_eq!(ask(&mut session, &mut provider, &mut world), Ok(()));
    // An hour later all of them have ended, and there is room: the first one's.
    world.now = after(3_600_000);
    assert_eq!(ask(&mut session, &mut provider, &mut world), Err(Code::SessionExpired));
    assert_eq!(world.serve(HANDSHAKE, &hello_headers(), &hello).0, 200);
    assert_eq!(ask(&mut session, &mut provider, &mut world), Err(Code::InvalidSession));
}

/// Whoever has committed a request whose session then ends says so, unsealed.
#[test]
fn a_session_may_end_between_a_request_and_its_answer() {
    for mode in MODES {
        let mut world = World::new(1);
        let (mut session, mut provider) = device(mode, &world).shake(&mut world);
        let (text, _) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
        let id = session.facts().id().to_owned();
        let headers = request_headers(&id, session.facts().token());
        let mut buffer = text.clone();
        buffer.resize(2048, 0);
        let World { gateway, provider: own, store, .. } = &mut world;
        let store = &mut **store;
        let opened = gateway.open_request(own, store, START, &head_of(&headers), &mut buffer, text.len());
        let Opened::Admitted(admitted) = opened.unwrap() else { panic!("it is admitted") };
        let responder = admitted.responder;
        SessionStore::<Soft>::end(store, &id, START);
        let reply = gateway.seal_response(own, store, responder, 200, &mut buffer, 2).unwrap();
        assert_eq!(reply.code, Some(Code::SessionExpired));
        let error = session.open(&mut provider, reply.status, &mut buffer[..reply.length]).unwrap_err();
        assert_eq!(error, Error::Refused(Code::SessionExpired));
    }
}

/// A million envelopes that nobody sealed, and the session does not notice: `cargo test --release`. Some thousands
/// without optimisation.
#[test]
fn a_million_forged_envelopes() {
    const FORGED: u64 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    let mut world = World::new(1);
    let (mut session, mut provider) = device(Mode::Pinned, &world).shake(&mut world);
    let headers = request_headers(session.facts().id(), session.facts().token());
    let head = head_of(&headers);
    let (genuine, exchange) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
    session.abandon(&exchange);
    let World { gateway, provider: own, store, .. } = &mut world;
    let store = &mut **store;
    let mut rng = Seeded(6);
    let mut buffer = vec![0; 1024];
    for number in 0..FORGED {
        // Any counter, near and far, under the shortest data that is not malformed.
        let counter = if number % 2 == 0 { number % 4096 } else { rng.next() % limit::MESSAGES };
        let mut nonce_text = [0; 16];
        base64::encode(WireNonce::new([0; 4], counter).as_bytes(), &mut nonce_text).unwrap();
        buffer[..10].copy_from_slice(b"{\"nonce\":\"");
        buffer[10..26].copy_from_slice(&nonce_text);
        buffer[26..36].copy_from_slice(b"\",\"data\":\"");
        buffer[36..60].copy_from_slice(b"AAAAAAAAAAAAAAAAAAAAAA==");
        buffer[60..62].copy_from_slice(b"\"}");
        let opened = gateway.open_request(own, store, START, &head, &mut buffer, 62).unwrap();
        let Opened::Reply(reply) = opened else { panic!("admitted") };
        assert_eq!(reply.code, Some(Code::EncryptionError));
    }
    // Even the first counter is still free.
    buffer[..genuine.len()].copy_from_slice(&genuine);
    let opened = gateway.open_request(own, store, START, &head, &mut buffer, genuine.len()).unwrap();
    assert!(matches!(opened, Opened::Admitted(_)));
    call(&mut session, &mut provider, &mut world);
}
