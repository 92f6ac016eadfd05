//! Two clients of one seed, one that blocks and one that awaits, each before its own gateway of one seed: whatever
//! happens, the same comes of it.

use crate::slow::Slow;
use crate::support::{Broken, Faulty, Fuse, Link, Lost, MODES, START, Seeded, Soft, Storm, World, block_on};
use dynamic_key::client::{AsyncClient, Client, ClientError, NoAnswer, Response};
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now, Uptime};
use std::collections::BTreeSet;

/// What a caller sees.
type Seen<E> = Result<(u16, Option<u32>, Vec<u8>), ClientError<E>>;

fn seen<E>(outcome: Result<Response<'_>, ClientError<E>>) -> Seen<E> {
    outcome.map(|answer| (answer.status, answer.retry_after, answer.body.to_vec()))
}

fn config(mode: Mode, schemes: &'static [Scheme]) -> ClientConfig<'static> {
    ClientConfig {
        mode,
        schemes,
        ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
    }
}

fn kind<E>(outcome: &Seen<E>) -> &'static str {
    match outcome {
        Ok(_) => "answered",
        Err(ClientError::OutcomeUnknown { cause: NoAnswer::Unsealed(_) }) => "unknown, with a hint",
        Err(ClientError::OutcomeUnknown { .. }) => "unknown",
        Err(ClientError::Refused { .. }) => "refused",
        Err(ClientError::Transport(_)) => "transport",
        Err(_) => "core",
    }
}

fn storm(seed: u64) -> (Storm, Pins<'static>) {
    let mut world = World::new(seed);
    world.gateway.session_seconds = 60;
    world.echoes = true;
    let pins: &'static [PinnedKey] = Vec::leak(vec![world.pin()]);
    (Storm::new(world, seed ^ 0x5707), Pins(pins))
}

/// Makes the same requests with both over the same storm.
fn sail(mode: Mode, schemes: &'static [Scheme], clock: bool, seed: u64) -> BTreeSet<&'static str> {
    let ((one, pins), (other, _)) = (storm(seed), storm(seed));
    let device = || Software::new(Seeded(seed ^ 0xc11));
    let mut blocking: Client<'_, Soft, _, _> =
        Client::new(config(mode, schemes), device(), pins, one).unwrap();
    let mut awaiting: AsyncClient<'_, Slow<Soft>, _, _> =
        AsyncClient::new(config(mode, schemes), Slow(device()), Slow(pins), Slow(other)).unwrap();
    let (mut rng, mut kinds) = (Seeded(seed), BTreeSet::new());
    let [mut buffer, mut other_buffer] = [vec![0; 16 * 1024], vec![0; 16 * 1024]];
    for number in 0..150 {
        let millis = rng.below(9000) as u64;
        for world in [&mut blocking.transport_mut().world, &mut awaiting.transport_mut().0.world] {
            world.now = world.now.saturating_add_millis(millis);
        }
        let wall = blocking.transport_mut().world.now;
        let uptime = Uptime::from_millis(wall.as_unix_millis() - START.as_unix_millis());
        let now = if clock { Now::both(wall, uptime) } else { Now::UNKNOWN };
        let body = format!("{{\"n\":{number}}}");
        let idempotent = rng.once_in(2);
        let request = Request { idempotent, ..Request::post("/users/login", body.as_bytes()) };
        if rng.once_in(40) {
            blocking.logout();
            awaiting.logout();
        }
        let outcome: Seen<Broken> = if rng.once_in(10) {
            let outcome = blocking.ensure_session(now, &mut buffer);
            assert_eq!(block_on(awaiting.ensure_session(now, &mut other_buffer)), outcome);
            outcome.map(|()| (0, None, vec![]))
        } else {
            let outcome = seen(blocking.request(now, &request, &mut buffer));
            assert_eq!(seen(block_on(awaiting.request(now, &request, &mut other_buffer))), outcome);
            outcome
        };
        kinds.insert(kind(&outcome));
        assert_eq!(format!("{:?}", awaiting.facts()), format!("{:?}", blocking.facts()));
        assert_eq!(awaiting.facts().map(|facts| facts.id()), blocking.facts().map(|facts| facts.id()));
        assert_eq!(awaiting.transport_mut().0.log, blocking.transport_mut().log);
        assert!(other_buffer == buffer, "every byte of the buffer");
        assert!(!awaiting.is_outcome_unknown(), "nothing was given up");
    }
    let upstream = |storm: &Storm| storm.world.upstream.clone();
    assert_eq!(upstream(&awaiting.transport_mut().0), upstream(blocking.transport_mut()));
    kinds
}

#[test]
fn the_same_comes_of_every_storm() {
    let mut kinds = BTreeSet::new();
    for mode in MODES {
        for seed in 0..6 {
            let schemes = if seed % 2 == 0 { &Scheme::ELLIPTIC[..] } else { &[Scheme::EcAes1] };
            kinds.extend(sail(mode, schemes, seed % 3 != 0, seed));
        }
    }
    let all = ["answered", "core", "refused", "transport", "unknown", "unknown, with a hint"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all, "every kind of outcome was compared");
}

/// Every call of cryptography fails once, in a row of a request that shakes hands, one that does not, and two after.
#[test]
fn the_same_comes_of_every_fault() {
    let post = Request::post("/users/login", b"{}");
    for mode in MODES {
        let pins: &'static [PinnedKey] = Vec::leak(vec![World::new(1).pin()]);
        let ends = || {
            let fuse = Fuse::default();
            let device = Faulty::new(Software::new(Seeded(2)), &fuse);
            (fuse.clone(), device, Faulty::new(Pins(pins), &fuse))
        };
        let blocking = |at: Option<usize>| {
            let (fuse, device, verifier) = ends();
            let mut world = World::new(1);
            let mut client: Client<'_, _, _, _> =
                Client::new(config(mode, &Scheme::ELLIPTIC), device, verifier, Link::honest(&mut world))
                    .unwrap();
            at.inspect(|at| fuse.arm(*at));
            let outcomes: [Seen<Lost>; 4] =
                [(); 4].map(|()| seen(client.request(Now::UNKNOWN, &post, &mut [0; 4096])));
            drop(client);
            fuse.check_nonces();
            (outcomes, fuse.calls(), fuse.blown(), world.upstream)
        };
        let awaiting = |at: Option<usize>| {
            let (fuse, device, verifier) = ends();
            let mut world = World::new(1);
            let link = Slow(Link::honest(&mut world));
            let mut client: AsyncClient<'_, _, _, _> =
                AsyncClient::new(config(mode, &Scheme::ELLIPTIC), Slow(device), Slow(verifier), link)
                    .unwrap();
            at.inspect(|at| fuse.arm(*at));
            let outcomes: [Seen<Lost>; 4] =
                [(); 4].map(|()| seen(block_on(client.request(Now::UNKNOWN, &post, &mut [0; 4096]))));
            drop(client);
            fuse.check_nonces();
            (outcomes, fuse.calls(), fuse.blown(), world.upstream)
        };
        let whole = blocking(None);
        assert_eq!(awaiting(None), whole);
        assert!(whole.1 > 10);
        for at in 0..whole.1 {
            let outcome = blocking(Some(at));
            assert!(outcome.2.is_some() && outcome.0.iter().any(Result::is_err), "{at}");
            assert_eq!(awaiting(Some(at)), outcome);
        }
    }
}

/// What blocks is a provider, a verifier and a signer of the awaited kind as it is.
#[test]
fn a_blocking_provider_is_always_ready() {
    let mut world = World::new(1);
    let pins = [world.pin()];
    let link = Slow(Link::honest(&mut world));
    let mut client: AsyncClient<'_, _, _, _> = AsyncClient::new(
        config(Mode::Pinned, &Scheme::ELLIPTIC),
        Software::new(Seeded(2)),
        Pins(&pins),
        link,
    )
    .unwrap();
    let request = Request::get("/countries/get");
    let mut buffer = [0; 4096];
    let answer = block_on(client.request(Now::UNKNOWN, &request, &mut buffer)).unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &br#"{"countries":["UY","PT"]}"#[..]));
}
