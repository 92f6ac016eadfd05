//! A client and a gateway over the worst of links, under virtual time: whatever the link does, no answer passes for
//! another's, nothing is carried out twice behind the client's back, and both go on working.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::client::{Client, ClientError};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now, Uptime};
use std::collections::HashMap;
use support::{START, Seeded, Soft, Storm, World, echo};

type StormClient = Client<'static, Soft, Pins<'static>, Storm>;

/// Which clocks the client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clocks {
    Wall,
    Uptime,
    Both,
    None,
}

impl Clocks {
    fn show(self, now: Timestamp) -> Now {
        let uptime = Uptime::from_millis(now.as_unix_millis() - START.as_unix_millis() + 5);
        match self {
            Self::Wall => Now::wall(now),
            Self::Uptime => Now::uptime(uptime),
            Self::Both => Now::both(now, uptime),
            Self::None => Now::UNKNOWN,
        }
    }
}

/// What the client made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Answered,
    Unknown,
    Refused,
    Failed,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    idempotent: bool,
    outcome: Outcome,
}

struct Voyage {
    client: StormClient,
    mode: Mode,
    clocks: Clocks,
    rng: Seeded,
    asked: HashMap<String, Asked>,
    /// What the upstream may have said in plain mode, where nothing binds an answer to its request.
    said: Vec<Vec<u8>>,
}

impl Voyage {
    fn new(mode: Mode, schemes: &'static [Scheme], clocks: Clocks, seed: u64) -> Self {
        let mut world = World::new(seed);
        world.gateway.session_seconds = 60;
        world.echoes = true;
        let pins: &'static [PinnedKey] = Vec::leak(vec![world.pin()]);
        let config = ClientConfig {
            mode,
            schemes,
            ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
        };
        let storm = Storm::new(world, seed ^ 0x5707);
        let client = Client::new(config, Software::new(Seeded(seed ^ 0xc11)), Pins(pins), storm).unwrap();
        Self { client, mode, clocks, rng: Seeded(seed), asked: HashMap::new(), said: vec![] }
    }

    fn storm(&mut self) -> &mut Storm {
        self.client.transport_mut()
    }

    /// Makes one request that no other is like, and checks what comes of it at once.
    fn step(&mut self, number: usize) -> Outcome {
        let millis = self.rng.below(9000) as u64;
        let world = &mut self.storm().world;
        world.now = world.now.saturating_add_millis(millis);
        let now = self.clocks.show(self.storm().world.now);
        let id = number.to_string();
        let body = format!("{{\"n\":{id}}}");
        let query = [("n", id.as_str())];
        let (request, echo) = match self.rng.below(3) {
            0 => (
                Request { query: &query, ..Request::get("/countries/get") },
                echo(&("GET".into(), format!("/countries/get?n={id}"), vec![])),
            ),
            kind => (
                Request {
                    query: &query,
                    idempotent: kind == 1,
                    ..Request::post("/users/login", body.as_bytes())
                },
                echo(&("POST".into(), format!("/users/login?n={id}"), body.clone().into())),
            ),
        };
        self.said.push(echo.clone());
        let (hellos, had_session) = (self.storm().hellos, self.client.facts().is_some());

        let mut buffer = vec![0; 16 * 1024];
        let result = self.client.request(now, &request, &mut buffer);
        let outcome = match result {
            Ok(answer) => {
                if self.mode == Mode::Plain {
                    // Nothing binds the status, nor the answer to its request: that is plain mode.
                    assert!(self.said.iter().any(|said| *said == answer.body), "somebody's answer");
                } else {
                    assert_eq!((answer.status, &*answer.body), (200, &*echo), "the answer to this request");
                }
                Outcome::Answered
            }
            Err(ClientError::OutcomeUnknown { .. }) => {
                assert!(!request.is_idempotent(), "that can simply be asked again");
                Outcome::Unknown
            }
            Err(ClientError::Refused { .. }) => Outcome::Refused,
            Err(ClientError::Core(_) | ClientError::Transport(_)) => Outcome::Failed,
            Err(other) => panic!("{other:?}"),
        };
        assert!(self.storm().hellos <= hellos + 4, "two handshakes, whose hello is repeated once");
        assert!(
            !had_session || self.client.facts().is_some(),
            "no session is given up before another stands"
        );
        if outcome == Outcome::Answered && self.mode != Mode::Plain {
            assert!(self.executions(&id) > 0);
        }
        self.asked.insert(id.clone(), Asked { idempotent: request.is_idempotent(), outcome });
        outcome
    }

    /// How often the upstream has carried out a request.
    fn executions(&mut self, id: &str) -> usize {
        let ending = format!("?n={id}");
        self.storm().world.upstream.iter().filter(|(_, path, _)| path.ends_with(&ending)).count()
    }

    /// What must hold of all requests, now that everything has arrived.
    fn account(&mut self) {
        for (id, asked) in self.asked.clone() {
            let executions = self.executions(&id);
            let most = if asked.idempotent { 2 } else { 1 };
            assert!(executions <= most, "{id} {asked:?} was carried out {executions} times");
            // In plain mode anybody can write a refusal.
            let untouched = matches!(asked.outcome, Outcome::Failed)
                || (asked.outcome == Outcome::Refused && self.mode != Mode::Plain);
            if !asked.idempotent && untouched {
                assert_eq!(executions, 0, "{id} {asked:?}: the caller may repeat it");
            }
        }
    }
}

fn sail(mode: Mode, schemes: &'static [Scheme], steps: usize) {
    for (seed, clocks) in [(1, Clocks::Wall), (2, Clocks::Uptime), (3, Clocks::Both), (4, Clocks::None)] {
        let mut voyage = Voyage::new(mode, schemes, clocks, seed);
        let mut outcomes = HashMap::<_, usize>::new();
        let mut renewed = 0;
        for number in 0..steps {
            let id = voyage.client.facts().map(|facts| facts.id().to_owned());
            *outcomes.entry(voyage.step(number)).or_default() += 1;
            renewed += usize::from(id != voyage.client.facts().map(|facts| facts.id().to_owned()));
        }
        println!("{mode:?} {clocks:?}: {outcomes:?}, {renewed} sessions");
        assert!(outcomes[&Outcome::Answered] > steps / 3 && outcomes[&Outcome::Unknown] > 0);
        assert!(renewed > steps / 30, "sessions ended and were renewed");
        voyage.account();

        // The wind drops. What was doubtful is renewed, and all is well.
        voyage.storm().calm = true;
        voyage.storm().world.now = voyage.storm().world.now.saturating_add_secs(30);
        let mut number = steps;
        while voyage.step(number) != Outcome::Answered {
            number += 1;
            voyage.storm().world.now = voyage.storm().world.now.saturating_add_secs(60);
            assert!(number < steps + 2, "{:?}", voyage.storm().log);
        }
        for number in number + 1..number + 10 {
            let outcome = voyage.step(number);
            // Without a clock the end of a session is learned from the gateway, with a request that it refuses.
            let learned = clocks == Clocks::None && outcome == Outcome::Unknown;
            assert!(outcome == Outcome::Answered || learned, "{outcome:?}");
        }
        voyage.account();
    }
}

#[test]
fn plain_mode() {
    sail(Mode::Plain, &Scheme::ELLIPTIC, 500);
}

#[test]
fn confirmed_mode_with_128_bits() {
    sail(Mode::Confirmed, &[Scheme::EcAes1], 500);
}

#[test]
fn confirmed_mode_with_256_bits() {
    sail(Mode::Confirmed, &[Scheme::EcAes2], 500);
}

#[test]
fn pinned_mode_with_128_bits() {
    sail(Mode::Pinned, &[Scheme::EcAes1, Scheme::EcAes2], 500);
}

#[test]
fn pinned_mode_with_256_bits() {
    sail(Mode::Pinned, &Scheme::ELLIPTIC, 500);
}

/// The same seed is the same voyage.
#[test]
fn a_voyage_can_be_had_again() {
    let log = |seed| {
        let mut voyage = Voyage::new(Mode::Pinned, &Scheme::ELLIPTIC, Clocks::Both, seed);
        let outcomes: Vec<_> = (0..60).map(|number| voyage.step(number)).collect();
        (outcomes, voyage.storm().log.clone())
    };
    assert_eq!(log(11), log(11));
    assert_ne!(log(11), log(12));
}
