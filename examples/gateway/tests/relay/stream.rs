//! The events of a customer.

use crate::listening::{send, until};
use crate::support::{Party, Relay, Told, now, request, settings};
use dynamic_key::identity::{metadata, recovery, rotation};
use dynamic_key_gateway::relay::Settings;
use serde_json::Value;
use std::thread;

const EVENTS: &str = "/v1/customer/one/stream/events";

fn get(relay: &Relay, query: &str) -> Told {
    relay.send("GET", &format!("{EVENTS}{query}"), Some(&relay.one), "")
}

fn types(told: &Told) -> Vec<&str> {
    let events = told.ok(20_031)["body"].as_array().unwrap();
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// Everything that an identity can do, once.
fn everything(relay: &Relay) -> (Party, Party) {
    let (mut alice, bob) = (relay.join(), relay.join());
    let key = bob.encryption();
    for written in [
        alice.ask(now() + 1, |author, out| rotation::encryption_key(author, &key, out)),
        alice.ask(now() + 1, |author, out| metadata::update(author, b"{\"private\":true}", out)),
        alice.ask(now() + 1, |author, out| recovery::update(author, "a.b.c.d.e", out)),
    ] {
        assert_eq!(relay.call(&request(&written)).status, 200);
    }
    let mut next = Party::new();
    relay.call(&request(&alice.rotation(&mut next, now() + 1))).ok(20_014);
    send(relay, &mut next, &bob, "hello");
    (next, bob)
}

#[test]
fn whatever_happens_is_told_and_nothing_of_what_was_said() {
    let relay = Relay::start();
    let (alice, bob) = everything(&relay);
    let told = get(&relay, "");
    let all = [
        "message.sent",
        "identity.sigPubKey",
        "identity.recovery",
        "identity.meta",
        "identity.encPubKey",
        "identity.registered",
        "identity.registered",
    ];
    assert_eq!(types(&told), all);
    let events = told.json["body"].as_array().unwrap();
    for event in events {
        assert_eq!(event["application"], "one");
        assert!(event["time"].as_u64().unwrap().abs_diff(now()) < 60);
    }
    let message = &events[0];
    assert_eq!((&message["from"], &message["to"]), (&alice.me.address().into(), &bob.me.address().into()));
    assert!(message["id"] == "hello" && message["bytes"].as_u64().unwrap() > 100);
    let of_alice = events[1..5].iter().chain(&events[6..]);
    assert!(of_alice.into_iter().all(|event| event["address"] == alice.me.address()));
    assert_eq!(events[5]["address"], bob.me.address());
    let text = told.json.to_string();
    for said in ["a.b.c.d.e", "private", "eyJhbGciOi", alice.me.kid().as_str()] {
        assert!(!text.contains(said), "{said}");
    }
    // What comes again has happened before.
    let mut known = alice.clone();
    relay.call(&request(&known.registration(now()))).ok(20_011);
    assert_eq!(types(&get(&relay, "")), all);
}

#[test]
fn they_are_a_customers_own() {
    let relay = Relay::start();
    relay.join();
    let other = |path: &str, token| relay.send("GET", path, token, "");
    for path in [EVENTS, "/v1/customer/one/stream/events/listen"] {
        other(path, None).refused(401, 40_101);
        other(path, Some(&relay.other)).refused(403, 40_303);
    }
    other("/v1/customer/nobody/stream/events", Some(&relay.one)).refused(403, 40_303);
    let own = other("/v1/customer/other/stream/events", Some(&relay.other));
    assert!(types(&own).is_empty() && own.json["first"].is_null() && own.json["continue"] == false);
}

#[test]
fn page_by_page_and_by_type() {
    let relay = Relay::start();
    everything(&relay);
    let (mut seen, mut query) = (0, "?limit=3".to_owned());
    for (count, more) in [(3, true), (3, true), (1, false)] {
        let page = get(&relay, &query);
        assert_eq!((types(&page).len(), &page.json["continue"]), (count, &more.into()));
        query = format!("?limit=3&last={}", page.json["last"].as_str().unwrap());
        seen += count;
    }
    assert_eq!(seen, 7);
    assert!(types(&get(&relay, &query)).is_empty());
    let some = get(&relay, "?type=identity.meta,identity.registered&limit=2");
    assert_eq!(
        (types(&some), &some.json["continue"]),
        (vec!["identity.meta", "identity.registered"], &true.into())
    );
    let first = some.json["first"].as_str().unwrap();
    let since = get(&relay, &format!("?first={first}"));
    assert_eq!(types(&since), ["message.sent", "identity.sigPubKey", "identity.recovery"]);
    for wrong in ["?limit=0", "?type=x", "?first=1", "?x=1", "?wait=1", "?limit=1&limit=2"] {
        get(&relay, wrong).refused(400, 40_001);
    }
}

#[test]
fn so_many_are_remembered() {
    let relay = Relay::with(Settings { events: 3, ..settings() });
    everything(&relay);
    let told = get(&relay, "");
    assert_eq!(types(&told), ["message.sent", "identity.sigPubKey", "identity.recovery"]);
    assert_eq!(told.json["continue"], false);
}

#[test]
fn what_comes_is_waited_for_if_it_is_asked_for() {
    let relay = Relay::with(Settings { listeners: 1, ..settings() });
    let (mut alice, bob) = (relay.join(), relay.join());
    let newest = get(&relay, "?limit=1").json["first"].as_str().unwrap().to_owned();
    let listen = |query: &str| get(&relay, &format!("/listen?first={newest}&{query}"));
    assert!(types(&listen("wait=0")).is_empty());
    assert_eq!(
        types(&get(&relay, "/listen?limit=1")),
        ["identity.registered"],
        "what is there comes at once"
    );
    assert!(types(&get(&relay, "/listen?last=0000000000000001")).is_empty());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            loop {
                // Who looks for a place has it now and then.
                let told = listen("type=message.sent&wait=60");
                if told.status != 503 {
                    return told;
                }
            }
        });
        until("somebody waits", || listen("wait=0").status == 503);
        let carol = relay.join();
        assert!(!waiting.is_finished() && listen("wait=0").status == 503, "another type");
        send(&relay, &mut alice, &bob, "1");
        let told = waiting.join().unwrap();
        assert_eq!(types(&told), ["message.sent"]);
        assert_eq!(told.json["body"][0]["to"], Value::from(bob.me.address()));
        drop(carol);
    });
    let none = listen("type=identity.meta&wait=1");
    assert!(types(&none).is_empty());
}
