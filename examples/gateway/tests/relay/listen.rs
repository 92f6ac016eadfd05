//! Waiting for messages with one request.

use crate::listening::{PATIENCE, cursor, is_taken, listen, patient, send, until, wait, wait_for_place};
use crate::server::read_answer;
use crate::support::{Party, Relay, now, request, settings};
use dynamic_key::identity::message::{self, Ask};
use dynamic_key::identity::response::Cursor;
use dynamic_key_gateway::relay::Settings;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// One place to listen.
fn narrow() -> Settings {
    Settings { listeners: 1, ..settings() }
}

/// Waits a minute in a thread: what is told.
fn wait_long<'s>(
    scope: &'s thread::Scope<'s, '_>,
    relay: &'s Relay,
    party: &Party,
) -> thread::ScopedJoinHandle<'s, crate::support::Told> {
    let mut party = party.clone();
    scope.spawn(move || wait_for_place(relay, &mut party, None, 60))
}

#[test]
fn what_is_kept_comes_at_once_and_what_comes_is_waited_for() {
    let relay = Relay::with(narrow());
    let (mut alice, mut bob, mut carol) = (relay.join(), relay.join(), relay.join());
    for id in ["1", "2", "3"] {
        send(&relay, &mut alice, &bob, id);
    }
    let told = wait(&relay, &mut bob, None, 60);
    told.ok(20_022);
    assert_eq!(told.ids(), ["3", "2", "1"]);
    assert_eq!(told.json["continue"], false);

    let first = cursor(&told, "first");
    thread::scope(|scope| {
        let mut waiting = bob.clone();
        let relay = &relay;
        let waiting = scope.spawn(move || wait_for_place(relay, &mut waiting, first, 60));
        until("bob waits", || is_taken(relay, &mut carol));
        // What others get does not end it.
        send(relay, &mut bob, &alice, "other");
        send(relay, &mut alice, &carol, "other");
        assert!(is_taken(relay, &mut carol) && !waiting.is_finished());
        send(relay, &mut alice, &bob, "4");
        let told = waiting.join().unwrap();
        assert_eq!(told.ids(), ["4"]);
    });
}

#[test]
fn nobody_waits_longer_than_asked_for_or_than_allowed() {
    let (hour, second) =
        (Settings { wait_seconds: 3_600, ..settings() }, Settings { wait_seconds: 1, ..settings() });
    let (hour, second) = (Relay::with(hour), Relay::with(second));
    let none = Ask::default();
    let last = Some(Cursor::new("0000000000000001").unwrap());
    for (relay, ask, least) in [
        (&hour, Ask { wait: Some(0), ..none }, 0),
        (&hour, Ask { wait: Some(1), ..none }, 1),
        (&hour, Ask { last, wait: Some(3_600), ..none }, 0),
        (&second, Ask { wait: Some(u32::MAX), ..none }, 1),
        (&second, none, 1),
    ] {
        let mut bob = relay.join();
        let started = Instant::now();
        let told = relay.call(&request(&listen(&mut bob, &ask)));
        let (json, took) = (told.ok(20_022), started.elapsed());
        assert_eq!((&json["body"], &json["continue"]), (&serde_json::json!([]), &false.into()));
        assert!(json["first"].is_null() && json["last"].is_null());
        assert!(took >= Duration::from_secs(least) && took < PATIENCE, "{ask:?}: {took:?}");
    }
}

/// One sends as fast as it can while the other asks again and again for what is behind the last one that it has.
#[test]
fn none_is_lost_or_twice_between_what_is_kept_and_what_comes() {
    const COUNT: usize = 120;
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    thread::scope(|scope| {
        let (relay, to) = (&relay, bob.clone());
        scope.spawn(move || (0..COUNT).for_each(|id| send(relay, &mut alice, &to, &id.to_string())));
        let (mut ids, mut first) = (Vec::new(), None);
        while ids.len() < COUNT {
            let page = wait(relay, &mut bob, first, 20);
            let (newest, mut new) = (cursor(&page, "first"), page.ids());
            assert!(!new.is_empty(), "{} of {COUNT}", ids.len());
            assert_eq!(page.json["continue"], false, "a page has room for all of them");
            new.reverse();
            ids.extend(new);
            first = newest;
        }
        let all: Vec<String> = (0..COUNT).map(|id| id.to_string()).collect();
        assert_eq!(ids, all);
    });
}

/// Sends a request to wait a minute, and does not wait for the answer.
fn begin_to_wait(relay: &Relay, party: &mut Party) -> TcpStream {
    let body = listen(party, &Ask { wait: Some(60), ..Ask::default() }).body;
    let mut stream = TcpStream::connect(relay.address()).unwrap();
    stream.set_nonblocking(true).unwrap();
    let head =
        format!("POST /v1/messages/listen HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {}", relay.one);
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream
}

/// The same, until somebody waits.
fn waiting(relay: &Relay, party: &mut Party, other: &mut Party) -> TcpStream {
    let mut stream = begin_to_wait(relay, party);
    until("somebody waits", || {
        // Who looked had the place.
        if stream.peek(&mut [0]).is_ok() {
            stream = begin_to_wait(relay, party);
        }
        is_taken(relay, other) && stream.peek(&mut [0]).is_err()
    });
    stream
}

#[test]
fn who_goes_away_leaves_its_place() {
    let relay = Relay::with(narrow());
    let (mut bob, mut carol) = (relay.join(), relay.join());
    drop(waiting(&relay, &mut bob, &mut carol));
    until("bob is gone", || !is_taken(&relay, &mut carol));
}

#[test]
fn the_end_of_the_relay_is_that_of_waiting() {
    let mut relay = patient(narrow());
    let (mut bob, mut carol) = (relay.join(), relay.join());
    let mut stream = waiting(&relay, &mut bob, &mut carol);
    let started = Instant::now();
    relay.gateway.join();
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    stream.set_nonblocking(false).unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!((answer.status, &answer.json()["body"]), (200, &serde_json::json!([])));
}

#[test]
fn one_identity_does_not_take_all_the_places() {
    let relay = Relay::with(Settings { listeners_each: 1, ..settings() });
    let (mut alice, mut bob, mut carol) = (relay.join(), relay.join(), relay.join());
    thread::scope(|scope| {
        let waiting = wait_long(scope, &relay, &bob);
        let mut second = None;
        until("bob waits", || {
            let told = wait(&relay, &mut bob, None, 0);
            let refused = told.status != 200;
            second = Some(told);
            refused
        });
        second.unwrap().refused(429, 42_902);
        wait(&relay, &mut carol, None, 0).ok(20_022);
        send(&relay, &mut alice, &bob, "1");
        assert_eq!(waiting.join().unwrap().ids(), ["1"]);
        assert_eq!(wait(&relay, &mut bob, None, 0).ids(), ["1"]);
    });
}

#[test]
fn a_key_that_is_replaced_hears_nothing_more() {
    let relay = Relay::with(narrow());
    let (mut bob, mut carol) = (relay.join(), relay.join());
    let old = bob.clone();
    thread::scope(|scope| {
        let waiting = wait_long(scope, &relay, &old);
        until("bob waits", || is_taken(&relay, &mut carol));
        let mut next = Party::new();
        relay.call(&request(&bob.rotation(&mut next, now()))).ok(20_014);
        waiting.join().unwrap().refused(409, 40_901);
        wait(&relay, &mut next, None, 0).ok(20_022);
    });
}

#[test]
fn only_who_has_signed_to_listen_does() {
    let relay = Relay::start();
    let mut bob = relay.join();
    let none = Ask { wait: Some(0), ..Ask::default() };
    let body = listen(&mut bob, &none).body;
    let path = "/v1/messages/listen";
    relay.post(path, &body).ok(20_022);
    relay.send("POST", path, None, &body).refused(401, 40_101);
    relay.send("POST", path, Some(&relay.other), &body).refused(403, 40_302);
    let fetch = bob.ask(now(), |author, out| message::fetch(author, &none, out)).body;
    relay.post(path, &fetch).refused(400, 40_002);
    relay.post("/v1/messages/fetch", &body).refused(400, 40_002);
    let old = bob.ask(now() - 1_000, |author, out| message::listen(author, &none, out)).body;
    relay.post(path, &old).refused(400, 40_003);
    let mut stranger = Party::new();
    stranger.me = bob.me.clone();
    let kid = bob.me.to_string();
    let forged = stranger.jws(&kid, now(), "/v1/messages/listen#request", b"{}");
    relay.post(path, &serde_json::json!({ "request": forged }).to_string()).refused(403, 40_301);
}
