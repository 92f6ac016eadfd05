//! The way of §2.7: memory, else storage, else a handshake, which is saved.

use crate::memory::{Broken, Fault, Memory};
use crate::support::{Link, START, Seeded, World, block_on};
use crate::watched::repeated;
use crate::{boot, call, config, handshakes, provider, root};
use dynamic_key::client::{AsyncClient, Client, ClientError};
use dynamic_key::crypto::CryptoError;
use dynamic_key::crypto::software::{Identity, Pins};
use dynamic_key::gateway::RegisteredIdentity;
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::session::storage::stored_len;
use dynamic_key::session::{Mode, Now, Session, StorageError, Uptime, Vault};
use dynamic_key::{Code, Error};

#[test]
fn a_session_outlives_the_power() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    for seed in 0..20 {
        let mut device = boot(&mut world, &pins, memory.clone(), 4, seed);
        for _ in 0..seed {
            call(&mut device);
        }
        assert_eq!(handshakes(&mut device), usize::from(seed == 1), "{seed}");
        assert_eq!(device.vault().failure(), None);
    }
    assert_eq!((repeated(), world.upstream.len()), (0, 190));
}

/// With blocks of four, the first save is enough for four requests, and each load reserves four.
#[test]
fn counters_are_reserved_before_they_are_used() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    let mut device = boot(&mut world, &pins, memory.clone(), 4, 1);
    let mut buffer = [0; 2048];
    device.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
    assert_eq!(memory.saves(), 1);
    for requests in 1..=12 {
        call(&mut device);
        assert_eq!(memory.saves(), (requests - 1) / 4 + 1, "{requests}");
    }
    drop(device);
    let mut device = boot(&mut world, &pins, memory.clone(), 4, 2);
    device.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
    assert_eq!(memory.saves(), 4, "a load is durable before it returns");
    for requests in 13..=16 {
        call(&mut device);
        assert_eq!((memory.saves(), requests), (4, requests));
    }
    call(&mut device);
    assert_eq!((memory.saves(), handshakes(&mut device), repeated()), (5, 0, 0));
}

/// 16 KiB go with each counter; a longer message takes the counters that it needs.
#[test]
fn long_messages_take_their_share_of_blocks() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    let mut device = boot(&mut world, &pins, memory.clone(), 1, 1);
    let body = format!("[\"{}\"]", "x".repeat(40_000));
    let request = Request { body: Some(body.as_bytes()), ..Request::new("GET", "/countries/get") };
    let mut buffer = vec![0; 100_000];
    for saves in 1..=5 {
        assert_eq!(device.request(Now::UNKNOWN, &request, &mut buffer).unwrap().status, 200);
        assert_eq!(memory.saves(), saves);
    }
    assert_eq!((handshakes(&mut device), device.vault().failure()), (1, None));
}

#[test]
fn a_renewed_session_takes_the_place_of_the_old() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    call(&mut boot(&mut world, &pins, memory.clone(), 4, 1));
    world.end_all();
    let mut device = boot(&mut world, &pins, memory.clone(), 4, 2);
    call(&mut device);
    assert_eq!(handshakes(&mut device), 1, "what was loaded is refused");
    let id = device.facts().unwrap().id().to_owned();
    drop(device);
    let mut device = boot(&mut world, &pins, memory.clone(), 4, 3);
    call(&mut device);
    assert_eq!((handshakes(&mut device), device.facts().unwrap().id()), (0, &*id));
    assert_eq!(repeated(), 0);
}

#[test]
fn logout_erases() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    let mut device = boot(&mut world, &pins, memory.clone(), 4, 1);
    call(&mut device);
    memory.fails(Fault::WriteLost);
    assert_eq!(device.logout(), Err(Broken));
    assert!(device.facts().is_none() && !memory.bytes().is_empty());
    memory.fails(Fault::None);
    assert_eq!(device.logout(), Ok(()));
    assert!(memory.bytes().is_empty());
    call(&mut device);
    assert_eq!((handshakes(&mut device), memory.bytes().is_empty()), (2, false));
}

#[test]
fn a_plain_session_is_never_stored() {
    let (mut world, memory) = (World::new(1), Memory::default());
    for seed in 0..2 {
        let client =
            Client::new(config(Mode::Plain), provider(seed), Pins(&[]), Link::honest(&mut world)).unwrap();
        let mut client: crate::Stored<'_, _> = client.with_storage(Vault::new(memory.clone(), root()));
        call(&mut client);
        assert_eq!((handshakes(&mut client), memory.saves()), (1, 0));
    }
}

/// Before the gateway has verified it, a session of mutual mode is not stored.
#[test]
fn a_mutual_session_is_stored_once_it_is_proven() {
    let mut world = World::new(1);
    let (pins, memory) = ([world.pin()], Memory::default());
    let identity = Identity::generate(&mut Seeded(7)).unwrap();
    let config = config(Mode::Mutual);
    world.gateway.clients.identities = Box::leak(Box::new([RegisteredIdentity {
        key: identity.public().unwrap(),
        client_type: config.client_type,
        client_id: config.client_id,
        device_id: config.device_id,
    }]));
    let mut buffer = [0; 4096];
    let get = Request::get("/countries/get");
    for (seed, saves, signatures) in [(1, [0, 0, 1], [false, true, false]), (2, [2, 2, 2], [false; 3])] {
        let link = Link::honest(&mut world);
        let client = Client::mutual(config, provider(seed), Pins(&pins), identity.clone(), link).unwrap();
        let mut client: Client<'_, _, _, _, 512, _, _> =
            client.with_storage(Vault::new(memory.clone(), root()));
        client.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
        assert_eq!(memory.saves(), saves[0]);
        for saves in &saves[1..] {
            assert_eq!(client.request(Now::UNKNOWN, &get, &mut buffer).unwrap().status, 200);
            assert_eq!(memory.saves(), *saves);
        }
        let seen = client.transport_mut().seen.iter().filter(|wire| wire.target == "/api/request/v2");
        let signed: Vec<bool> =
            seen.map(|wire| String::from_utf8_lossy(&wire.body).contains("signature")).collect();
        assert_eq!(signed, signatures[1..]);
    }
    assert_eq!(repeated(), 0);
}

/// A wall clock knows how long the power was off; another clock counts what it saw.
#[test]
fn stored_sessions_end() {
    let up = |seconds: u64| Uptime::from_millis(seconds * 1000);
    let at = |seconds: u64| START.saturating_add_millis(seconds * 1000);
    for (saved, loaded, over) in [
        (Now::wall(at(0)), Now::wall(at(3599)), false),
        (Now::wall(at(0)), Now::wall(at(3600)), true),
        (Now::both(at(0), up(9)), Now::both(at(3599), up(1)), false),
        (Now::both(at(0), up(9)), Now::both(at(3600), up(1)), true),
        (Now::uptime(up(100_000)), Now::uptime(up(0)), false),
        (Now::UNKNOWN, Now::uptime(up(1_000_000)), false),
        (Now::UNKNOWN, Now::wall(at(3600)), true),
        (Now::UNKNOWN, Now::UNKNOWN, false),
    ] {
        let (mut world, memory) = (World::new(1), Memory::default());
        let pins = [world.pin()];
        let mut buffer = [0; 2048];
        boot(&mut world, &pins, memory.clone(), 4, 1).ensure_session(saved, &mut buffer).unwrap();
        world.now = at(0);
        let mut device = boot(&mut world, &pins, memory.clone(), 4, 2);
        // The gateway's clock stands still: what is made anew has an end that has passed, which is not what is tested.
        let outcome = device.ensure_session(loaded, &mut buffer);
        assert_eq!(handshakes(&mut device), usize::from(over), "{saved:?} {loaded:?} {outcome:?}");
    }
    // What is left of an hour by a clock that begins with each boot.
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    let mut buffer = [0; 2048];
    for (boots, (first, last, shakes)) in
        [(50, 1050, 1), (5, 2005, 0), (5, 504, 0), (0, 96, 0), (0, 5, 1)].into_iter().enumerate()
    {
        let mut device = boot(&mut world, &pins, memory.clone(), 1, boots as u64);
        for moment in [first, last] {
            let get = Request::get("/countries/get");
            device.request(Now::uptime(up(moment)), &get, &mut buffer).unwrap();
        }
        assert_eq!(handshakes(&mut device), shakes, "{boots}");
    }
}

#[test]
fn the_buffer_is_exact() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    call(&mut boot(&mut world, &pins, memory.clone(), 4, 1));
    let mut device = boot(&mut world, &pins, memory.clone(), 4, 2);
    let needed = stored_len(512);
    let mut buffer = vec![0; needed];
    let outcome = device.ensure_session(Now::UNKNOWN, &mut buffer[1..]);
    assert_eq!(outcome, Err(ClientError::Core(Error::BufferTooSmall { needed })));
    device.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
    assert_eq!(handshakes(&mut device), 0);
}

#[test]
fn what_is_loaded_exports_nothing() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    call(&mut boot(&mut world, &pins, memory.clone(), 4, 1));
    let (mut provider, config) = (provider(3), config(Mode::Pinned));
    let mut session: Option<Session<_, 512>> = None;
    let mut vault = Vault::new(memory, root());
    let (owner, mut buffer) = (config.owner().unwrap(), [0; 1024]);
    assert_eq!(vault.load(&mut provider, &owner, Now::UNKNOWN, &mut session, &mut buffer), Ok(true));
    let session = session.unwrap();
    assert_eq!(session.remaining(), 64);
    assert_eq!(session.export(&mut provider, "a", b"", &mut [0; 32]), Err(CryptoError::Unsupported));
}

#[test]
fn the_awaiting_client_loads_what_the_blocking_one_saved() {
    let (mut world, memory) = (World::new(1), Memory::default());
    let pins = [world.pin()];
    call(&mut boot(&mut world, &pins, memory.clone(), 4, 1));
    let config = ClientConfig { platform: "server", ..config(Mode::Pinned) };
    let client =
        AsyncClient::new(config, provider(2), Pins(&pins), Awaited(Link::honest(&mut world))).unwrap();
    let mut client: AsyncClient<'_, _, _, _, 512, _, _> =
        client.with_storage(Vault::new(memory.clone(), root()).with_block(4));
    let mut buffer = [0; 2048];
    for _ in 0..9 {
        let answer =
            block_on(client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer)).unwrap();
        assert_eq!((answer.status, answer.gateway_code()), (200, None::<Code>));
    }
    assert!(client.transport_mut().0.seen.iter().all(|wire| wire.target == "/api/request/v2"));
    assert_eq!((client.vault().failure(), memory.saves(), repeated()), (None::<&StorageError<_>>, 4, 0));
    assert_eq!(client.logout(), Ok(()));
    assert!(memory.bytes().is_empty());
}

struct Awaited<'w>(Link<'w>);

impl dynamic_key::transport::AsyncTransport for Awaited<'_> {
    type Error = crate::support::Lost;

    async fn send(&mut self, request: &dynamic_key::transport::Request<'_>) -> Result<(), Self::Error> {
        dynamic_key::transport::Transport::send(&mut self.0, request)
    }
    async fn receive<'b>(
        &mut self,
        buffer: &'b mut [u8],
    ) -> Result<dynamic_key::transport::Response<'b>, Self::Error> {
        dynamic_key::transport::Transport::receive(&mut self.0, buffer)
    }
}
