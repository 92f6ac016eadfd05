//! Killed in the middle of work: what was answered until then is there, all of it.

use crate::server::{Dial, Program, folder};
use crate::support::{ONE, Party, Relay, Told, Written, now, provider, request, token};
use dynamic_key::client::relay;
use dynamic_key::identity::message::Ask;
use dynamic_key::identity::profile::Pin;
use dynamic_key::identity::response::{Pages, Response};
use dynamic_key::identity::{me, registration};
use dynamic_key::transport::http1::Http1;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

const CONFIG: &str = r#"
    upstream = "http://127.0.0.1:9"
    [[clients]]
    type = "internal"
    id = "internal-web-client"
    [relay]
    audience = "relay.example"
    database = "relayed.redb"
    requests_per_minute = 0
    keys_per_identity = 1000
    [[relay.applications]]
    name = "one"
    [[relay.applications.keys]]
    id = "one-key"
    secret = "the secret of the one application"
"#;
/// How many answers come before the kill.
const ANSWERS: usize = 40;
const THREADS: usize = 4;

/// Whether the relay answered, and with success; `None` where it was killed before.
fn answered(address: SocketAddr, token: &str, written: &Written, buffer: &mut [u8]) -> Option<bool> {
    let mut transport = Http1::new(Dial(address), "relay").unwrap();
    let response = relay(&mut transport, Some(token), &request(written), buffer).ok()?;
    Some(response.is_success())
}

/// What is done until the kill: what follows makes what was done before durable, so each alone, too.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    Registrations,
    Rotations,
    Messages,
    All,
}

/// What was answered.
struct Life {
    registered: Party,
    /// As it is now.
    party: Party,
    /// What was asked for last, and not answered.
    next: Option<Party>,
    sent: Vec<String>,
    others: Vec<Party>,
}

/// Registers; `None` where the relay was killed before.
fn join(address: SocketAddr, token: &str, buffer: &mut [u8]) -> Option<Party> {
    let mut party = Party::new();
    let written = party.registration(now());
    let mut transport = Http1::new(Dial(address), "relay").unwrap();
    let response = relay(&mut transport, Some(token), &request(&written), buffer).ok()?;
    party.me = registration::address(&mut provider(), &response, &party.signing()).unwrap();
    Some(party)
}

/// Registers and works until the relay is gone.
fn live(address: SocketAddr, token: &str, work: Work, answers: &AtomicUsize) -> Option<Life> {
    let mut buffer = vec![0; 64 * 1024];
    let party = join(address, token, &mut buffer)?;
    answers.fetch_add(1, Ordering::Relaxed);
    let registered = party.clone();
    let mut life = Life { registered, party, next: None, sent: Vec::new(), others: Vec::new() };
    for turn in 0.. {
        let now_for = match work {
            Work::All => [Work::Rotations, Work::Messages, Work::Registrations][turn % 3],
            one => one,
        };
        if now_for == Work::Registrations {
            let Some(other) = join(address, token, &mut buffer) else { return Some(life) };
            life.others.push(other);
        } else if now_for == Work::Rotations {
            let mut next = Party::new();
            let written = life.party.rotation(&mut next, now());
            let Some(success) = answered(address, token, &written, &mut buffer) else {
                life.next = Some(next);
                return Some(life);
            };
            assert!(success);
            life.party = next;
        } else {
            let id = format!("m{turn}");
            let to = life.party.me.address().to_owned();
            let written = life.party.message(&to, &id);
            let Some(success) = answered(address, token, &written, &mut buffer) else { return Some(life) };
            assert!(success);
            life.sent.push(id);
        }
        answers.fetch_add(1, Ordering::Relaxed);
    }
    None
}

/// The key that counts: that of the last rotation, whose answer may have been lost.
fn settle(address: SocketAddr, token: &str, life: &mut Life) {
    let mut buffer = vec![0; 64 * 1024];
    let mine = life.party.ask(now(), me);
    match answered(address, token, &mine, &mut buffer).unwrap() {
        true => {}
        false => {
            life.party = life.next.take().expect("a rotation that was answered is there");
            let mine = life.party.ask(now(), me);
            assert!(answered(address, token, &mine, &mut buffer).unwrap());
        }
    }
}

#[test]
fn nothing_that_was_answered_is_lost_when_the_kill_comes_in_the_middle() {
    for (work, name) in [
        (Work::Registrations, "registrations"),
        (Work::Rotations, "rotations"),
        (Work::Messages, "messages"),
        (Work::All, "all"),
    ] {
        killed(work, &format!("relay-killed-{name}"));
    }
}

fn killed(work: Work, name: &str) {
    let folder = folder(name);
    let config = folder.join("gateway.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let start = || {
        Program::start(&["--config", config.to_str().unwrap(), "--listen", "127.0.0.1:0", "--log", "error"])
    };
    let (token, answers) = (token("one-key", ONE), AtomicUsize::new(0));
    let program = start();
    let address = program.address;
    let mut lives: Vec<Life> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|_| scope.spawn(|| live(address, &token, work, &answers))).collect();
        while answers.load(Ordering::Relaxed) < ANSWERS {
            assert!(threads.iter().any(|thread| !thread.is_finished()), "somebody works");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        program.signal("KILL");
        let lives = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        program.finish();
        lives
    });
    assert!(!lives.is_empty());

    let program = start();
    let address = program.address;
    for life in &mut lives {
        settle(address, &token, life);
        let mut ids = Vec::new();
        let mut pages = Pages::new();
        while !pages.is_done() {
            let ask = Ask { last: pages.next().copied(), limit: Some(100), ..Ask::default() };
            let told: Told = crate::support::call(address, &token, &request(&life.party.fetch(&ask)));
            pages.turn(&Response::parse(told.ok(20_022).to_string().as_bytes()).unwrap()).unwrap();
            ids.extend(told.ids());
        }
        for id in &life.sent {
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{id} in {ids:?}");
        }
        // One message may have been kept whose answer was lost.
        assert!(ids.len() <= life.sent.len() + 1);
        for other in &mut life.others {
            let mine = other.ask(now(), me);
            crate::support::call(address, &token, &request(&mine)).ok(20_012);
        }
        let path = format!("/v1/identity/{}", life.party.me.address());
        let answer = crate::server::exchange(
            address,
            "GET",
            &path,
            &[("Authorization", &format!("Bearer {token}"))],
            b"",
        );
        let profile = &answer.json()["body"];
        let known = Party::verify(profile, &Pin::new(life.registered.me.clone())).unwrap();
        assert_eq!(known.signing(), &life.party.signing(), "every rotation that was answered");
        // And it goes on.
        let to = life.party.me.address().to_owned();
        let next = life.party.message(&to, "after");
        crate::support::call(address, &token, &request(&next)).ok(20_021);
    }
    program.signal("TERM");
    assert!(program.finish().0);
}

#[test]
fn a_restart_keeps_ids_and_places() {
    let folder = folder("relay-restarted");
    let settings = || dynamic_key_gateway::relay::Settings {
        database: Some(folder.join("r.redb")),
        ..crate::support::settings()
    };
    let relay = Relay::with(settings());
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let sent = alice.message(bob.me.address(), "a");
    relay.call(&request(&sent)).ok(20_021);
    let before = relay.call(&request(&bob.fetch(&Ask::default())));
    drop(relay);
    let relay = Relay::with(settings());
    relay.call(&request(&sent)).ok(20_021);
    let after = relay.call(&request(&bob.fetch(&Ask::default())));
    assert_eq!((after.ids(), &after.json["last"]), (before.ids(), &before.json["last"]));
}
