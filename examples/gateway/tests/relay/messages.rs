//! Messages: whose they are, for whom, each once.

use crate::support::{Party, Relay, call, now, request, send_short, settings, wait_until};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::identity::Duplicates;
use dynamic_key::identity::message::{self, Ask, Message, Messages};
use dynamic_key::identity::profile::Pin;
use dynamic_key::identity::response::Response;
use dynamic_key_gateway::relay::Settings;
use serde_json::json;

const SEND: &str = "/v1/messages/send";
const TARGET: &str = "/v1/messages/send#messages";

fn payload(to: &str, id: &str, expires: u64) -> String {
    json!({"to": to, "id": id, "exp": expires, "body": "a.b.c.d.e"}).to_string()
}

#[test]
fn a_message_comes_as_it_was_signed_and_its_recipient_verifies_it() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let sent = alice.message(bob.me.address(), "hello");
    relay.call(&request(&sent)).ok(20_021);
    let told = relay.call(&request(&bob.fetch(&Ask::default())));
    let answer = told.ok(20_022).to_string();
    assert_eq!(told.json["continue"], false);
    assert_eq!(told.json["first"], told.json["last"]);
    assert_eq!(format!(r#"{{"messages":["{}"]}}"#, told.messages()[0]), sent.body);

    let mut known = Party::verify(&relay.published(alice.me.address()), &Pin::new(alice.me.clone())).unwrap();
    let response = Response::parse(answer.as_bytes()).unwrap();
    let (mut window, mut scratch) = (Duplicates::<8>::new(), vec![0; 4096]);
    let mut messages = Messages::of_page(&response).unwrap();
    let message = messages.next().unwrap().unwrap();
    let at = Some(Timestamp::from_unix_secs(now()));
    let taken =
        message::receive(&message, &mut known, &[bob.me.address()], at, &mut window, &mut scratch).unwrap();
    assert_eq!((taken.id.as_str(), &*taken.body), ("hello", &b"a.b.c.d.e"[..]));
    assert!(messages.next().is_none());
    // Whoever else fetches gets nothing of it.
    assert!(relay.call(&request(&alice.fetch(&Ask::default()))).messages().is_empty());
}

#[test]
fn the_same_again_is_taken_and_not_delivered_again() {
    let relay = Relay::start();
    let (mut alice, mut bob, mut carol) = (relay.join(), relay.join(), relay.join());
    let (to, expires) = (bob.me.address().to_owned(), now() + 60);
    let mine = alice.me.to_string();
    let mut send = |payload: &str, at| {
        let jws = alice.jws(&mine, at, TARGET, payload.as_bytes());
        relay.post(SEND, &json!({"messages": [jws]}).to_string())
    };
    let first = payload(&to, "a", expires);
    send(&first, now()).ok(20_021);
    send(&first, now()).ok(20_021);
    // Signed anew, and twice in one request.
    send(&first, now() - 10).ok(20_021);
    let twice = alice.message(&to, "b").body.replace(']', "");
    let jws = twice.split('"').nth(3).unwrap();
    relay.post(SEND, &json!({"messages": [jws, jws]}).to_string()).ok(20_021);
    // Another message under the id, to whomever.
    let mine = alice.me.to_string();
    let mut send = |payload: &str| {
        let jws = alice.jws(&mine, now(), TARGET, payload.as_bytes());
        relay.post(SEND, &json!({"messages": [jws]}).to_string())
    };
    send(&payload(&to, "a", expires + 1)).refused(409, 40_904);
    send(&payload(carol.me.address(), "a", expires)).refused(409, 40_904);
    // Another sender may call its own so.
    relay.call(&request(&carol.message(&to, "a"))).ok(20_021);
    let told = relay.call(&request(&bob.fetch(&Ask::default())));
    assert_eq!(told.ids(), ["a", "b", "a"]);
    assert!(relay.call(&request(&carol.fetch(&Ask::default()))).messages().is_empty());
}

#[test]
fn of_the_same_many_times_at_once_one_is_delivered() {
    let relay = Relay::start();
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let to = bob.me.address().to_owned();
    let sent: Vec<_> = (0..4).map(|id| alice.message(&to, &format!("m{id}"))).collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                sent.iter().for_each(|sent| {
                    call(relay.address(), &relay.one, &request(sent)).ok(20_021);
                });
            });
        }
    });
    let mut ids = relay.call(&request(&bob.fetch(&Ask::default()))).ids();
    ids.sort();
    assert_eq!(ids, ["m0", "m1", "m2", "m3"]);
}

#[test]
fn a_request_is_taken_as_a_whole_or_not_at_all() {
    let relay = Relay::start();
    let (mut alice, mut bob, mut carol) = (relay.join(), relay.join(), relay.join());
    let to = bob.me.address().to_owned();
    let (mine, hers) = (alice.me.to_string(), carol.me.to_string());
    let expires = now() + 60;
    let good = alice.jws(&mine, now(), TARGET, payload(&to, "good", expires).as_bytes());
    let other = Party::join(relay.address(), &relay.other).clone();
    let foreign =
        other.clone().jws(&other.me.to_string(), now(), TARGET, payload(&to, "f", expires).as_bytes());
    let mut signed = |text: String| alice.jws(&mine, now(), TARGET, text.as_bytes());
    let month = 30 * 86_400;
    for (name, bad, refusal) in [
        ("nobody", signed(payload("nobody", "x", expires)), (404, 40_403)),
        ("expired", signed(payload(&to, "x", now())), (400, 40_005)),
        ("for too long", signed(payload(&to, "x", now() + month + 60)), (400, 40_005)),
        ("no id", signed(payload(&to, "", expires)), (400, 40_001)),
        ("an id too long", signed(payload(&to, &"x".repeat(65), expires)), (400, 40_001)),
        ("an id that is none", signed(payload(&to, "a b", expires)), (400, 40_001)),
        ("no address", signed(payload("a/b", "x", expires)), (400, 40_001)),
        ("no time", signed(payload(&to, "x", 0).replace("\"exp\":0", "\"exp\":-1")), (400, 40_001)),
        ("no body", signed(payload(&to, "x", expires).replace("a.b.c.d.e", "a b")), (400, 40_001)),
        ("no object", signed("[]".into()), (400, 40_001)),
        ("another application's", foreign, (403, 40_302)),
        ("no JWS", "a.b".into(), (400, 40_001)),
    ] {
        let told = relay.post(SEND, &json!({"messages": [good, bad]}).to_string());
        assert_eq!((told.status, &told.json["code"]), (refusal.0, &refusal.1.into()), "{name}");
    }
    for bad in [json!([good, 7]), json!([good, null]), json!([]), json!({}), json!("x")] {
        relay.post(SEND, &json!({ "messages": bad }).to_string()).refused(400, 40_001);
    }
    assert!(relay.call(&request(&bob.fetch(&Ask::default()))).messages().is_empty());
    // Two senders of the application in one request.
    let second = carol.jws(&hers, now(), TARGET, payload(&to, "hers", expires).as_bytes());
    relay.post(SEND, &json!({"messages": [good, second]}).to_string()).ok(20_021);
    assert_eq!(relay.call(&request(&bob.fetch(&Ask::default()))).ids(), ["hers", "good"]);
    let many: Vec<&str> = std::iter::repeat_n(good.as_str(), 65).collect();
    relay.post(SEND, &json!({ "messages": many }).to_string()).refused(413, 41_301);
}

#[test]
fn an_application_reaches_identities_of_others() {
    let relay = Relay::start();
    let mut alice = relay.join();
    let mut bob = Party::join(relay.address(), &relay.other);
    relay.call(&request(&alice.message(bob.me.address(), "a"))).ok(20_021);
    let fetch = bob.fetch(&Ask::default());
    relay.call(&request(&fetch)).refused(403, 40_302);
    let told = relay.send("POST", &fetch.target, Some(&relay.other), &fetch.body);
    assert_eq!(told.ids(), ["a"]);
}

#[test]
fn only_the_current_key_sends_and_fetches() {
    let relay = Relay::start();
    let (mut alice, mut next) = (relay.join(), Party::new());
    let before = alice.message(alice.clone().me.address(), "before");
    relay.call(&request(&before)).ok(20_021);
    relay.call(&request(&alice.rotation(&mut next, now()))).ok(20_014);
    relay.call(&request(&alice.clone().message(alice.me.address(), "late"))).refused(409, 40_901);
    relay.call(&request(&alice.fetch(&Ask::default()))).refused(409, 40_901);
    relay.call(&request(&before)).refused(409, 40_901);
    assert_eq!(relay.call(&request(&next.fetch(&Ask::default()))).ids(), ["before"]);
}

#[test]
fn a_mailbox_has_an_end_and_what_expires_gives_room() {
    let relay = Relay::with(Settings { messages_per_identity: 3, ..settings() });
    let (mut alice, mut bob) = (relay.join(), relay.join());
    let to = bob.me.address().to_owned();
    let mine = alice.me.to_string();
    let mut jws = String::new();
    let short = send_short(|expires| {
        jws = alice.jws(&mine, now(), TARGET, payload(&to, "short", expires).as_bytes());
        relay.post(SEND, &json!({"messages": [jws]}).to_string())
    });
    relay.call(&request(&alice.message(&to, "a"))).ok(20_021);
    relay.call(&request(&alice.message(&to, "b"))).ok(20_021);
    let over = alice.message(&to, "c");
    let told = relay.call(&request(&over));
    if now() < short {
        told.refused(409, 40_905);
    }
    wait_until(short);
    relay.call(&request(&over)).ok(20_021);
    relay.call(&request(&alice.message(&to, "d"))).refused(409, 40_905);
    relay.call(&request(&over)).ok(20_021);
    assert_eq!(relay.call(&request(&bob.fetch(&Ask::default()))).ids(), ["c", "b", "a"]);
    // The id of what has expired is free, its message is not taken any more.
    relay.post(SEND, &json!({"messages": [jws]}).to_string()).refused(400, 40_005);
    relay.call(&request(&alice.message(alice.clone().me.address(), "short"))).ok(20_021);
}

#[test]
fn bytes_are_counted_and_messages_bounded() {
    let relay = Relay::with(Settings { bytes_per_identity: 2_000, message_bytes: 1_200, ..settings() });
    let (mut alice, bob) = (relay.join(), relay.join());
    let mut send = |id: &str, length: usize, expires: u64| {
        let (to, expires) = (bob.me.address(), Timestamp::from_unix_secs(expires));
        let body = "b".repeat(length);
        let sent =
            alice.ask(now(), |author, out| Message { to, id, expires, body: &body }.begin(author, out));
        relay.call(&request(&sent))
    };
    let long = now() + 3_600;
    send("long", 1_000, long).refused(413, 41_301);
    send("a", 400, long).ok(20_021);
    let short = send_short(|expires| send("b", 400, expires));
    let told = send("c", 400, long);
    if now() < short {
        told.refused(409, 40_905);
    }
    wait_until(short);
    send("c", 400, long).ok(20_021);
    send("d", 400, long).refused(409, 40_905);
}
