use super::*;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{ExpandedKey, Identity, Pins, RawKey};
use dynamic_key::envelope::sealed_len;
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::{
    Allowlist, Clients, Gateway, Head, KnownClient, Opened, RegisteredIdentity, TokenKey,
};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Now, Session};
use getrandom::SysRng;
use std::sync::Barrier;
use std::thread;

type Client = Session<Software, 1024>;

const START: Timestamp = Timestamp::from_unix_secs(1_780_531_200);
const LIFETIME: u64 = 60;
const ROOM: usize = 4096;

fn at(seconds: u64) -> Timestamp {
    START.saturating_add_secs(seconds)
}

fn gateway() -> Gateway<'static, Clients<'static>> {
    const KNOWN: &[KnownClient<'_>] =
        &[KnownClient { client_type: ClientType::Internal, client_id: "web", least_mode: Mode::Plain }];
    Gateway {
        clients: Clients::new(KNOWN),
        allowlist: Allowlist::new(DEFAULT_RULES).unwrap(),
        audience: "https://gateway.example",
        tokens: TokenKey::hs256(&[7; 32]).unwrap(),
        identity: None,
        session_seconds: LIFETIME,
        instance: 0,
        plain: Default::default(),
    }
}

/// Shakes hands; `None` if the store is full.
fn shake(
    gateway: &Gateway<'_, Clients<'_>>,
    store: &MemoryStore,
    mode: Mode,
    now: Timestamp,
) -> Option<Client> {
    let mut provider = Software::new(SysRng);
    let config =
        ClientConfig { mode, ..ClientConfig::new(ClientType::Internal, "web", "device-1", "server") };
    let mut client = ClientHandshake::new(&config).unwrap();
    let (status, answer) = ask(gateway, store, &mut client, now);
    if status == 503 {
        return None;
    }
    client.reply(status, &answer).unwrap();
    client.compute(&mut provider, &mut Pins(&[])).unwrap();
    Some(client.finish().unwrap())
}

/// Sends the hello of `client`: status and body of the answer.
fn ask(
    gateway: &Gateway<'_, Clients<'_>>,
    store: &MemoryStore,
    client: &mut ClientHandshake<'_, Software, 1024>,
    now: Timestamp,
) -> (u16, Vec<u8>) {
    let mut provider = Software::new(SysRng);
    assert_eq!(client.compute(&mut provider, &mut Pins(&[])), Ok(ClientNeed::Hello));
    let mut buffer = vec![0; ROOM];
    let length = client.hello(&mut provider, Now::UNKNOWN, &mut buffer).unwrap();
    let mut head = Head::new();
    head.add("x-dynamic-key-version", b"2");
    head.add("content-type", b"application/json");
    let mut sessions = store;
    let reply = gateway.accept(&mut provider, None, &mut sessions, now, &head, &mut buffer, length).unwrap();
    buffer.truncate(reply.length);
    (reply.status, buffer)
}

fn seal(client: &mut Client) -> Vec<u8> {
    let request = Request::get("/countries/get");
    let mut buffer = vec![0; sealed_len(request.plaintext_len())];
    let length = request.write(&mut buffer).unwrap();
    let (length, exchange) =
        client.seal(&mut Software::new(SysRng), Now::UNKNOWN, &mut buffer, length).unwrap();
    client.abandon(&exchange);
    buffer.truncate(length);
    buffer
}

/// Whether the envelope is served; if not, with which code it is refused.
fn open(
    gateway: &Gateway<'_, Clients<'_>>,
    store: &MemoryStore,
    client: &Client,
    envelope: &[u8],
    now: Timestamp,
) -> Result<(), &'static str> {
    let mut buffer = envelope.to_vec();
    buffer.resize(ROOM, 0);
    let token = format!("Bearer {}", client.facts().token());
    let mut head = Head::new();
    for (name, value) in [
        ("x-dynamic-key-version", "2"),
        ("content-type", "application/json"),
        ("x-session-id", client.facts().id()),
        ("authorization", &token),
    ] {
        head.add(name, value.as_bytes());
    }
    let (mut provider, mut sessions) = (Software::new(SysRng), store);
    match gateway.open_request(&mut provider, &mut sessions, now, &head, &mut buffer, envelope.len()).unwrap()
    {
        Opened::Admitted(_) => Ok(()),
        Opened::Reply(reply) => Err(reply.code.unwrap().name().trim_start_matches("DYNAMIC_KEY_V2_")),
    }
}

#[test]
fn of_requests_that_race_with_one_nonce_exactly_one_is_served() {
    const THREADS: usize = 8;
    let (gateway, store) = (gateway(), MemoryStore::new(8, 2));
    for mode in [Mode::Plain, Mode::Confirmed] {
        let mut client = shake(&gateway, &store, mode, START).unwrap();
        for _ in 0..50 {
            let envelope = seal(&mut client);
            let barrier = Barrier::new(THREADS);
            let outcomes = thread::scope(|scope| {
                let race = || {
                    barrier.wait();
                    open(&gateway, &store, &client, &envelope, START)
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(race)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
            let refused = outcomes.iter().filter(|outcome| **outcome == Err("ENCRYPTION_ERROR"));
            assert_eq!(refused.count(), THREADS - 1);
        }
    }
}

#[test]
fn many_threads_each_with_its_session() {
    let (gateway, store) = (gateway(), MemoryStore::new(64, 2));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = shake(&gateway, &store, Mode::Confirmed, START).unwrap();
                for _ in 0..100 {
                    let envelope = seal(&mut client);
                    assert_eq!(open(&gateway, &store, &client, &envelope, START), Ok(()));
                }
            });
        }
    });
    assert_eq!(store.held(), 8);
}

#[test]
fn a_full_store_refuses_and_gives_away_only_what_has_ended() {
    let (gateway, store) = (gateway(), MemoryStore::new(2, 2));
    let mut first = shake(&gateway, &store, Mode::Confirmed, START).unwrap();
    let mut second = shake(&gateway, &store, Mode::Confirmed, at(30)).unwrap();
    assert!(shake(&gateway, &store, Mode::Confirmed, at(59)).is_none());
    for client in [&mut first, &mut second] {
        let envelope = seal(client);
        assert_eq!(open(&gateway, &store, client, &envelope, at(59)), Ok(()));
    }
    // The first has ended, and its place goes to the third: it is no longer remembered.
    let mut third = shake(&gateway, &store, Mode::Confirmed, at(60)).unwrap();
    for (client, outcome) in
        [(&mut first, Err("INVALID_SESSION")), (&mut second, Ok(())), (&mut third, Ok(()))]
    {
        let envelope = seal(client);
        assert_eq!(open(&gateway, &store, client, &envelope, at(60)), outcome);
    }
    assert!(shake(&gateway, &store, Mode::Confirmed, at(60)).is_none());
    assert_eq!(store.held(), 2);
}

#[test]
fn an_ended_session_is_remembered_ten_minutes() {
    let (gateway, store) = (gateway(), MemoryStore::new(8, 2));
    for ended_early in [false, true] {
        let mut client = shake(&gateway, &store, Mode::Confirmed, START).unwrap();
        let ends = if ended_early { 10 } else { LIFETIME };
        if ended_early {
            (&mut &store).end(client.facts().id(), at(ends));
        }
        let envelope = seal(&mut client);
        for (now, code) in [
            (ends, "SESSION_EXPIRED"),
            (ends + 599, "SESSION_EXPIRED"),
            (ends + 600, "INVALID_SESSION"),
            (ends + 601, "INVALID_SESSION"),
        ] {
            assert_eq!(open(&gateway, &store, &client, &envelope, at(now)), Err(code), "{now}");
        }
        assert_eq!(store.held(), 0);
    }
}

#[test]
fn the_sweep_erases_keys_and_forgets() {
    let (gateway, store) = (gateway(), MemoryStore::new(200, 2));
    let live = |store: &MemoryStore| {
        let is_live = |slot: &&Slot| matches!(slot, Slot::Live(_));
        store.shards.iter().map(|shard| shard.lock().unwrap().slots.values().filter(is_live).count()).sum()
    };
    for second in 0..20 {
        shake(&gateway, &store, Mode::Confirmed, at(second)).unwrap();
    }
    for (now, living, held) in [(59, 20, 20), (69, 10, 20), (79, 0, 20), (669, 0, 10), (679, 0, 0)] {
        store.sweep(at(now));
        assert_eq!((live(&store), store.held()), (living, held), "{now}");
    }
}

#[test]
fn what_ended_early_is_not_there_for_a_request_in_flight() {
    let (gateway, store) = (gateway(), MemoryStore::new(8, 2));
    let client = shake(&gateway, &store, Mode::Confirmed, START).unwrap();
    let mut sessions = &store;
    let in_flight = sessions.find(client.facts().id(), START).unwrap();
    sessions.end(client.facts().id(), START);
    assert_eq!(sessions.commit(&in_flight, WireNonce::new([0; 4], 0)), Err(StoreError::Ended));
}

#[test]
fn a_plain_session_is_exhausted_when_its_set_is_full() {
    let (gateway, store) = (gateway(), MemoryStore::new(8, 2));
    let client = shake(&gateway, &store, Mode::Plain, START).unwrap();
    let mut sessions = &store;
    let entry = sessions.find(client.facts().id(), START).unwrap();
    for counter in 0..limit::PLAIN_REQUESTS {
        assert_eq!(sessions.commit(&entry, WireNonce::new([1; 4], counter)), Ok(()));
        assert_eq!(sessions.commit(&entry, WireNonce::new([1; 4], counter)), Err(StoreError::Replayed));
    }
    for _ in 0..2 {
        let next = WireNonce::new([1; 4], limit::PLAIN_REQUESTS);
        assert_eq!(sessions.commit(&entry, next), Err(StoreError::Exhausted));
    }
    assert_eq!(sessions.find(client.facts().id(), START).unwrap_err(), StoreError::Unknown);
    assert_eq!(store.held(), 0);
}

#[test]
fn a_session_is_exhausted_by_its_blocks() {
    let (gateway, store) = (gateway(), MemoryStore::new(8, 2));
    let client = shake(&gateway, &store, Mode::Confirmed, START).unwrap();
    let mut sessions = &store;
    let entry = sessions.find(client.facts().id(), START).unwrap();
    assert_eq!(sessions.charge(&entry, limit::BLOCKS), Ok(()));
    assert_eq!(sessions.charge(&entry, 1), Err(StoreError::Exhausted));
    assert_eq!(sessions.find(client.facts().id(), START).unwrap_err(), StoreError::Unknown);
    // An end that comes later finds nothing, and no place is counted twice.
    sessions.end(client.facts().id(), START);
    store.sweep(at(10_000));
    assert_eq!(store.held(), 0);
}

#[test]
fn half_open_sessions_are_bounded_and_go_after_thirty_seconds() {
    let identity = Identity::generate(&mut SysRng).unwrap();
    let key = identity.public().unwrap();
    let proof = || key.verify(b"", &identity.clone().sign(b"").unwrap()).unwrap();
    let registered = RegisteredIdentity {
        key,
        client_type: ClientType::Internal,
        client_id: "web",
        device_id: "device-1",
    };
    let mut gateway = gateway();
    gateway.clients.identities = Box::leak(Box::new([registered]));
    let store = MemoryStore::new(8, 2);
    let hello = |now| {
        let config = ClientConfig {
            mode: Mode::Mutual,
            identity: Some(key.kid()),
            ..ClientConfig::new(ClientType::Internal, "web", "device-1", "server")
        };
        let (status, answer) = ask(&gateway, &store, &mut ClientHandshake::new(&config).unwrap(), now);
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        (status, answer["sessionId"].as_str().map(str::to_owned))
    };
    let mut sessions = &store;
    let (first, second) = (hello(START).1.unwrap(), hello(at(10)).1.unwrap());
    assert_eq!((hello(at(10)).0, store.held()), (503, 2));
    assert!(shake(&gateway, &store, Mode::Confirmed, at(10)).is_some(), "others have their places");

    let entry = sessions.find(&first, at(10)).unwrap();
    assert_eq!(sessions.is_half_open(&entry), Ok(true));
    sessions.prove(&entry, proof()).unwrap();
    assert_eq!(sessions.is_half_open(&entry), Ok(false));
    assert_eq!(hello(at(20)).0, 200, "a proven one makes room");
    assert_eq!(hello(at(20)).0, 503);

    let late = sessions.find(&second, at(39)).unwrap();
    assert_eq!(sessions.find(&second, at(40)).unwrap_err(), StoreError::Unknown);
    assert_eq!(sessions.prove(&late, proof()), Err(StoreError::Unknown), "too late");
    assert!(sessions.find(&first, at(50)).is_ok(), "the proven one stays");
    store.sweep(at(50));
    assert_eq!(store.held(), 2, "the proven one and the confirmed one");
    assert_eq!([hello(at(50)).0, hello(at(50)).0, hello(at(50)).0], [200, 200, 503]);
}

#[test]
fn raw_keys_keep_a_session_small() {
    type Expanded = dynamic_key::crypto::software::Software<SysRng, ExpandedKey>;
    let (raw, expanded) = (size_of::<Entry>(), size_of::<ServerSession<Expanded>>());
    assert!(raw <= 640, "{raw}");
    assert!(
        expanded >= raw + 512,
        "{raw} and {expanded}, {} of them keys of {}",
        size_of::<ExpandedKey>(),
        size_of::<RawKey>()
    );
}
