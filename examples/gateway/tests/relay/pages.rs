//! Page by page, back in time.

use crate::support::{Party, Relay, Told, now, request, send_short, wait_until};
use dynamic_key::identity::message::Ask;
use dynamic_key::identity::response::{Cursor, Pages, Response};
use serde_json::json;

const SEND: &str = "/v1/messages/send";
const TARGET: &str = "/v1/messages/send#messages";

/// Sends messages with these ids in this order, each until then.
fn send(relay: &Relay, from: &mut Party, to: &Party, messages: &[(String, u64)]) -> Told {
    let mine = from.me.to_string();
    let texts: Vec<String> = messages
        .iter()
        .map(|(id, expires)| {
            let payload = json!({"to": to.me.address(), "id": id, "exp": expires, "body": "a.b"});
            from.jws(&mine, now(), TARGET, payload.to_string().as_bytes())
        })
        .collect();
    relay.post(SEND, &json!({ "messages": texts }).to_string())
}

fn until(ids: &[&str], expires: u64) -> Vec<(String, u64)> {
    ids.iter().map(|id| ((*id).to_owned(), expires)).collect()
}

fn fetch(relay: &Relay, party: &mut Party, ask: Ask) -> Told {
    let told = relay.call(&request(&party.fetch(&ask)));
    told.ok(20_022);
    told
}

fn turn(pages: &mut Pages, told: &Told) {
    pages.turn(&Response::parse(told.json.to_string().as_bytes()).unwrap()).unwrap();
}

fn cursor(told: &Told, name: &str) -> Option<Cursor> {
    told.json[name].as_str().map(|text| Cursor::new(text).unwrap())
}

#[test]
fn all_once_most_recent_first_whatever_comes_and_goes_between() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let long = now() + 600;
    send(&relay, &mut alice, &bob, &until(&["1", "2", "3"], long)).ok(20_021);
    let short = send_short(|expires| send(&relay, &mut alice, &bob, &until(&["4x", "5x"], expires)));
    send(&relay, &mut alice, &bob, &until(&["6", "7", "8", "9"], long)).ok(20_021);
    let (mut pages, mut ids, mut count) = (Pages::new(), Vec::new(), 0);
    while !pages.is_done() {
        let told =
            fetch(&relay, &mut bob, Ask { last: pages.next().copied(), limit: Some(2), ..Ask::default() });
        turn(&mut pages, &told);
        ids.extend(told.ids());
        count += 1;
        match count {
            // Something new comes, and something that was due goes.
            1 => {
                send(&relay, &mut alice, &bob, &until(&["new"], long)).ok(20_021);
            }
            2 => wait_until(short),
            _ => {}
        }
    }
    assert_eq!((ids.join(" ").as_str(), count), ("9 8 7 6 3 2 1", 4));
    let all = fetch(&relay, &mut bob, Ask::default());
    assert_eq!(all.ids(), ["new", "9", "8", "7", "6", "3", "2", "1"]);
    assert_eq!(all.json["continue"], false);
}

#[test]
fn a_cursor_outlives_what_it_points_at() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let long = now() + 600;
    send(&relay, &mut alice, &bob, &until(&["1", "2"], long)).ok(20_021);
    // What expires before it is seen is sent again.
    let (at, short) = loop {
        let short = send_short(|expires| send(&relay, &mut alice, &bob, &until(&["x"], expires)));
        let told = fetch(&relay, &mut bob, Ask { limit: Some(1), ..Ask::default() });
        if told.ids() == ["x"] {
            break (cursor(&told, "last").unwrap(), short);
        }
        wait_until(short);
    };
    wait_until(short);
    // Sending sweeps, so it is gone by now.
    send(&relay, &mut alice, &bob, &until(&["3"], long)).ok(20_021);
    assert_eq!(fetch(&relay, &mut bob, Ask { last: Some(at), ..Ask::default() }).ids(), ["2", "1"]);
    assert_eq!(fetch(&relay, &mut bob, Ask { first: Some(at), ..Ask::default() }).ids(), ["3"]);
}

#[test]
fn what_is_behind_a_cursor_can_be_paged_too() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let long = now() + 600;
    let empty = fetch(&relay, &mut bob, Ask::default());
    assert!(empty.messages().is_empty() && empty.json["last"].is_null() && empty.json["first"].is_null());
    assert_eq!(empty.json["continue"], false);
    send(&relay, &mut alice, &bob, &until(&["1", "2"], long)).ok(20_021);
    let first = cursor(&fetch(&relay, &mut bob, Ask::default()), "first");
    assert!(fetch(&relay, &mut bob, Ask { first, ..Ask::default() }).messages().is_empty());
    send(&relay, &mut alice, &bob, &until(&["3", "4", "5"], long)).ok(20_021);
    let limit = Some(2);
    let told = fetch(&relay, &mut bob, Ask { first, limit, ..Ask::default() });
    assert_eq!((told.ids(), &told.json["continue"]), (vec!["5".to_owned(), "4".into()], &true.into()));
    let last = cursor(&told, "last");
    let told = fetch(&relay, &mut bob, Ask { first, last, limit, ..Ask::default() });
    assert_eq!((told.ids(), &told.json["continue"]), (vec!["3".to_owned()], &false.into()));
    // The other way round there is nothing.
    assert!(
        fetch(&relay, &mut bob, Ask { first: last, last: first, ..Ask::default() }).messages().is_empty()
    );
}

#[test]
fn pages_have_limits() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let ids: Vec<String> = (0..110).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for part in ids.chunks(50) {
        send(&relay, &mut alice, &bob, &until(part, now() + 600)).ok(20_021);
    }
    let count = |bob: &mut Party, limit| fetch(&relay, bob, Ask { limit, ..Ask::default() }).messages().len();
    assert_eq!((count(&mut bob, None), count(&mut bob, Some(7))), (32, 7));
    assert_eq!(count(&mut bob, Some(u32::MAX)), 100);
    let mine = bob.me.to_string();
    for ask in [
        json!({"limit": 0}),
        json!({"limit": -1}),
        json!({"limit": "7"}),
        json!({"last": ""}),
        json!({"last": "x"}),
        json!({"last": "0000000000000001f"}),
        json!({"last": "+000000000000001"}),
        json!({"last": "000000000000001F"}),
        json!({"first": "é"}),
        json!([]),
    ] {
        let jws = bob.jws(&mine, now(), "/v1/messages/fetch#request", ask.to_string().as_bytes());
        let told = relay.post("/v1/messages/fetch", &json!({"request": jws}).to_string());
        assert_eq!((told.status, &told.json["code"]), (400, &40_001.into()), "{ask}");
    }
}

#[test]
fn a_page_of_long_messages_is_shorter() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let (mine, expires) = (alice.me.to_string(), now() + 600);
    for id in 0..10 {
        let body = "b".repeat(40_000);
        let payload = json!({"to": bob.me.address(), "id": id.to_string(), "exp": expires, "body": body});
        let jws = alice.jws(&mine, now(), TARGET, payload.to_string().as_bytes());
        relay.post(SEND, &json!({"messages": [jws]}).to_string()).ok(20_021);
    }
    let (mut pages, mut ids, mut count) = (Pages::new(), Vec::new(), 0);
    while !pages.is_done() {
        let told = fetch(&relay, &mut bob, Ask { last: pages.next().copied(), ..Ask::default() });
        turn(&mut pages, &told);
        ids.extend(told.ids());
        count += 1;
    }
    assert_eq!((ids.join("").as_str(), count), ("9876543210", 2));
}
