//! Registered, published, and what an identity replaces.

use crate::support::{Party, Relay, Written, call, now, provider, request, settings, unurl, url};
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::Software;
use dynamic_key::identity::profile::Pin;
use dynamic_key::identity::recovery::{self, Keys, Recovery};
use dynamic_key::identity::response::Response;
use dynamic_key::identity::{me, metadata, rotation};
use dynamic_key::jose::jwe::pbes2::Iterations;
use dynamic_key::jose::jwk::Jwk;
use dynamic_key_gateway::relay::Settings;
use getrandom::SysRng;
use serde_json::{Value, json};

/// The signature of a member, or something else of it, is another: its third segment from the end on is what is changed.
fn flipped(body: &str, member: &str) -> String {
    let mut value: Value = serde_json::from_str(body).unwrap();
    let place = if member == "messages" { &mut value[member][0] } else { &mut value[member] };
    let (input, signature) = place.as_str().unwrap().rsplit_once('.').unwrap();
    let mut bytes = unurl(signature);
    bytes[40] ^= 1;
    *place = format!("{input}.{}", url(&bytes)).into();
    value.to_string()
}

fn with(body: &str, member: &str, value: impl Into<Value>) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    body[member] = value.into();
    body.to_string()
}

fn key(key: &Jwk) -> Vec<u8> {
    let mut room = vec![0; Jwk::LEN];
    key.write(&mut room).unwrap();
    room
}

#[test]
fn an_identity_is_registered_and_anybody_authorized_can_verify_it() {
    let relay = Relay::start();
    let mut party = Party::new();
    let body = party.registration(now());
    let told = relay.call(&request(&body));
    party.registered(&told);
    let profile = &told.json["body"];
    assert_eq!(profile["metaPublic"], json!({"identityType": "user"}));
    assert_eq!(profile["metaPrivate"], json!({"note": "mine"}));
    let published = relay.published(party.me.address());
    assert!(published["metaPrivate"].is_null());
    let known = Party::verify(&published, &Pin::new(party.me.clone())).unwrap();
    assert_eq!((known.signing(), known.encryption()), (&party.signing(), &party.encryption()));
    let path = format!("/v1/identity/{}", party.me.address());
    relay.send("GET", &path, Some(&relay.other), "").ok(20_013);

    let ask = party.ask(now(), me);
    let told = relay.call(&request(&ask));
    assert_eq!(told.ok(20_012)["body"]["metaPrivate"], json!({"note": "mine"}));

    // Again, and by another signature of the same keys: nothing changes, nobody else is made.
    for body in [&body, &party.clone().registration(now())] {
        let mut party =
            Party { me: dynamic_key::jose::KeyRef::new("", party.signer.kid()).unwrap(), ..party.clone() };
        let told = relay.post("/v1/identity", &body.body);
        party.registered(&told);
        assert_eq!(told.json["body"]["address"], profile["address"]);
        assert_eq!(told.json["body"]["encPubKey"], profile["encPubKey"]);
    }
    relay.send("POST", "/v1/identity", Some(&relay.other), &body.body).refused(409, 40_902);
    let mut other = Party { recipient: Party::new().recipient, ..party.clone() };
    relay.post("/v1/identity", &other.registration(now()).body).refused(409, 40_902);
}

#[test]
fn a_registration_is_right_in_every_part_or_none() {
    let relay = Relay::start();
    let mut party = Party::new();
    let body = party.registration(now()).body;
    let kid = format!("/{}", party.signer.kid());
    let encryption = key(&party.encryption());
    for member in ["encPubKey", "metaPublic", "metaPrivate"] {
        relay.post("/v1/identity", &flipped(&body, member)).refused(403, 40_301);
        for value in [Value::Null, json!(7), json!({}), json!("a.b"), json!("a.b.c"), json!("")] {
            relay.post("/v1/identity", &with(&body, member, value)).refused(400, 40_001);
        }
        let tgt = format!("/v1/identity#{member}");
        let payload: &[u8] = if member == "encPubKey" { &encryption } else { b"{}" };
        let mut signed = |kid: &str, at, tgt: &str| with(&body, member, party.jws(kid, at, tgt, payload));
        let wrong = format!("/{}", Party::new().signer.kid());
        relay.post("/v1/identity", &signed(&wrong, now(), &tgt)).refused(400, 40_004);
        relay.post("/v1/identity", &signed(&format!("x{kid}"), now(), &tgt)).refused(400, 40_004);
        relay.post("/v1/identity", &signed(&kid, now(), "/v1/identity#x")).refused(400, 40_002);
        relay.post("/v1/identity", &signed(&kid, now(), &format!("{tgt}x"))).refused(400, 40_002);
        relay.post("/v1/identity", &signed(&kid, now() - 400, &tgt)).refused(400, 40_003);
        relay.post("/v1/identity", &signed(&kid, now() + 400, &tgt)).refused(400, 40_003);
    }
    for metadata in ["[]", "7", "{", r#"{"a":1,"a":2}"#, "null"] {
        let signed = party.jws(&kid, now(), "/v1/identity#metaPublic", metadata.as_bytes());
        relay.post("/v1/identity", &with(&body, "metaPublic", signed)).refused(400, 40_001);
    }
    let long = format!(r#"{{"a":"{}"}}"#, "a".repeat(4096));
    let signed = party.jws(&kid, now(), "/v1/identity#metaPrivate", long.as_bytes());
    relay.post("/v1/identity", &with(&body, "metaPrivate", signed)).refused(413, 41_301);
    // Another's key with its own signatures of nobody.
    let other: Value = serde_json::from_slice(&key(&Party::new().signing())).unwrap();
    relay.post("/v1/identity", &with(&body, "sigPubKey", other)).refused(400, 40_004);
    let mut off: Value = serde_json::from_str(&body).unwrap();
    off["sigPubKey"]["x"] = off["sigPubKey"]["y"].clone();
    relay.post("/v1/identity", &off.to_string()).refused(400, 40_004);
    for text in ["", "{}", "[]", "{", &format!("{body}x"), &body.replacen('{', r#"{"encPubKey":"","#, 1)] {
        relay.post("/v1/identity", text).refused(400, 40_001);
    }
    relay.post("/v1/identity", &"a".repeat(300 * 1024)).refused(400, 40_001);
    party.registered(&relay.post("/v1/identity", &body));
}

#[test]
fn what_is_asked_in_the_name_of_an_identity_is_signed_by_it_just_now() {
    let relay = Relay::start();
    let (mut party, mut stranger) = (relay.join(), relay.join());
    let mine = party.me.to_string();
    let other_key = format!("{}/{}", party.me.address(), stranger.signer.kid());
    for path in [
        "/v1/identity/me#request",
        "/v1/identity/me/encPubKey#encPubKey",
        "/v1/identity/me/meta#metaPrivate",
        "/v1/identity/me/recovery#recovery",
        "/v1/messages/fetch#request",
        "/v1/messages/send#messages",
    ] {
        let (path, member) = path.split_once('#').unwrap();
        let target = format!("{path}#{member}");
        let body = |jws: String| match member {
            "messages" => json!({ member: [jws] }).to_string(),
            _ => json!({ member: jws }).to_string(),
        };
        let good = body(party.jws(&mine, now(), &target, b"{}"));
        relay.post(path, &flipped(&good, member)).refused(403, 40_301);
        relay.send("POST", path, Some(&relay.other), &good).refused(403, 40_302);
        let elsewhere = format!("{path}#{member}2");
        for (kid, at, tgt, refusal) in [
            (mine.as_str(), now(), elsewhere.as_str(), (400, 40_002)),
            (&mine, now(), "/v1/identity/you#request", (400, 40_002)),
            (&mine, now() - 400, &target, (400, 40_003)),
            (&mine, now() + 400, &target, (400, 40_003)),
            (&other_key, now(), &target, (409, 40_901)),
            (&mine.replace('/', "x/"), now(), &target, (404, 40_401)),
            (&format!("/{}", party.me.kid()), now(), &target, (404, 40_401)),
        ] {
            let told = relay.post(path, &body(party.jws(kid, at, tgt, b"{}")));
            told.refused(refusal.0, refusal.1);
        }
        // The stranger's signature under the other's name, and the current key by the stranger.
        relay.post(path, &body(stranger.jws(&mine, now(), &target, b"{}"))).refused(403, 40_301);
        relay.post(path, &body(stranger.jws(&other_key, now(), &target, b"{}"))).refused(409, 40_901);
        for text in ["", "[]", "{}", "{", r#"{"request":1}"#, r#"{"messages":[]}"#, r#"{"messages":{}}"#] {
            relay.post(path, text).refused(400, 40_001);
        }
        let twice = good.replacen('{', &format!(r#"{{"{member}":"","#), 1);
        relay.post(path, &twice).refused(400, 40_001);
    }
}

#[test]
fn what_replaces_something_was_signed_later() {
    let relay = Relay::start();
    let mut party = relay.join();
    let start = now();
    let next = Party::new().encryption();
    let encryption = |party: &mut Party, key: &Jwk, at| {
        party.ask(at, |author, out| rotation::encryption_key(author, key, out))
    };
    let first = encryption(&mut party, &next, start + 1);
    let told = relay.call(&request(&first));
    told.ok(20_015);
    assert_eq!(
        relay.post(&first.target, &first.body).ok(20_015)["body"],
        told.json["body"],
        "the same again"
    );
    let known = Party::verify(&relay.published(party.me.address()), &Pin::new(party.me.clone())).unwrap();
    assert_eq!(known.encryption(), &next);
    let third = Party::new().encryption();
    let second = encryption(&mut party, &third, start + 2);
    relay.call(&request(&second)).ok(20_015);
    relay.call(&request(&first)).refused(409, 40_903);
    let same_time = encryption(&mut party, &next, start + 2);
    relay.call(&request(&same_time)).refused(409, 40_903);
    let signing = encryption(&mut party, &third, start + 3);
    let bad = party.jws(
        &party.me.to_string(),
        start + 3,
        "/v1/identity/me/encPubKey#encPubKey",
        &key(&party.signing()),
    );
    relay.post(&signing.target, &json!({"encPubKey": bad}).to_string()).refused(400, 40_004);
    let known = Party::verify(&relay.published(party.me.address()), known.pin()).unwrap();
    assert_eq!(known.encryption(), &third);

    let update = |party: &mut Party, text: &'static str, at| {
        party.ask(at, |author, out| metadata::update(author, text.as_bytes(), out))
    };
    let first = update(&mut party, r#"{"n":1}"#, start + 1);
    relay.call(&request(&first)).ok(20_016);
    let second = update(&mut party, r#"{"n":2}"#, start + 2);
    let told = relay.call(&request(&second));
    assert_eq!(told.ok(20_016)["body"]["metaPrivate"], json!({"n": 2}));
    relay.call(&request(&first)).refused(409, 40_903);
    relay.call(&request(&second)).ok(20_016);
    let ask = party.ask(now(), me);
    assert_eq!(relay.call(&request(&ask)).ok(20_012)["body"]["metaPrivate"], json!({"n": 2}));
    let mine = party.me.to_string();
    let mut signed = |payload: &str| {
        let jws = party.jws(&mine, start + 3, "/v1/identity/me/meta#metaPrivate", payload.as_bytes());
        relay.post("/v1/identity/me/meta", &json!({"metaPrivate": jws}).to_string())
    };
    signed("[]").refused(400, 40_001);
    signed(&format!(r#"{{"a":"{}"}}"#, "a".repeat(4096))).refused(413, 41_301);
}

#[test]
fn recovery_data_goes_with_the_keys_that_are_in_it() {
    let relay = Relay::start();
    let mut party = relay.join();
    let path = format!("/v1/identity/{}/recovery", party.me.address());
    let get = |token: &str| relay.send("GET", &path, Some(token), "");
    get(&relay.one).refused(404, 40_402);
    let keys = Keys { signing: party.signer.to_bytes(), encryption: party.signer.to_bytes() };
    let rounds = Iterations::new(10_000).unwrap();
    let mut room = vec![0; 1024];
    let sealed = keys.seal(&mut provider(), b"a password", rounds, &mut room).unwrap().to_owned();
    let update = |party: &mut Party, at| party.ask(at, |author, out| recovery::update(author, &sealed, out));
    let start = now();
    let second = update(&mut party, start + 2);
    relay.call(&request(&second)).ok(20_017);
    relay.call(&request(&second)).ok(20_017);
    let first = update(&mut party, start + 1);
    relay.call(&request(&first)).refused(409, 40_903);
    get(&relay.other).refused(403, 40_302);
    let answer = get(&relay.one).ok(20_018).to_string();

    let mut known = Party::verify(&relay.published(party.me.address()), &Pin::new(party.me.clone())).unwrap();
    let response = Response::parse(answer.as_bytes()).unwrap();
    let mut room = vec![0; 4096];
    let recovery = Recovery::parse(&response, &party.me).unwrap();
    let mut provider = Software::new(SysRng);
    let opened = recovery.open(&mut provider, &mut known, b"a password", rounds, &mut room).unwrap();
    assert_eq!(Keys::take(opened).unwrap().signing.as_bytes(), party.signer.to_bytes().as_bytes());

    let mine = party.me.to_string();
    let target = "/v1/identity/me/recovery#recovery";
    for (payload, refusal) in [
        ("a.b.c", (400, 40_001)),
        ("", (400, 40_001)),
        (&*format!("a.b.c.d.{}", "e".repeat(8192)), (413, 41_301)),
    ] {
        let jws = party.jws(&mine, start + 3, target, payload.as_bytes());
        let told = relay.post("/v1/identity/me/recovery", &json!({"recovery": jws}).to_string());
        told.refused(refusal.0, refusal.1);
    }

    let mut next = Party::new();
    let rotation: Written = party.rotation(&mut next, now());
    relay.call(&request(&rotation)).ok(20_014);
    get(&relay.one).refused(404, 40_402);
    relay.call(&request(&second)).refused(409, 40_901);
    let third = update(&mut next, start);
    relay.call(&request(&third)).ok(20_017);
    get(&relay.one).ok(20_018);
}

#[test]
fn what_is_no_address_is_nobodys() {
    let relay = Relay::start();
    for id in ["%ff", "%00", "%2F", "a%20b", "\"", "%C3%A9", "me%2Fmeta", &"a".repeat(4_000)] {
        relay.send("GET", &format!("/v1/identity/{id}"), Some(&relay.one), "").refused(404, 40_401);
        relay.send("GET", &format!("/v1/identity/{id}/recovery"), Some(&relay.one), "").refused(404, 40_401);
    }
}

#[test]
fn of_many_registrations_of_a_key_at_once_one_identity_comes() {
    let relay = Relay::start();
    let mut party = Party::new();
    let body = party.registration(now());
    let addresses: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
        let register = || {
            let told = call(relay.address(), &relay.one, &request(&body));
            told.ok(20_011)["body"]["address"].as_str().unwrap().to_owned()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(register)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(addresses.len(), 1, "{addresses:?}");
}

#[test]
fn an_application_has_so_many_identities_and_no_more() {
    let relay = Relay::with(Settings { identities_per_application: 2, ..settings() });
    let first = relay.join();
    relay.join();
    let mut third = Party::new();
    let body = third.registration(now());
    relay.call(&request(&body)).refused(409, 40_907);
    relay.call(&request(&first.clone().registration(now()))).ok(20_011);
    relay.send("POST", &body.target, Some(&relay.other), &body.body).ok(20_011);
}

#[test]
fn within_the_relay_an_address_may_be_said_without_its_host() {
    let relay = Relay::with(Settings { host: Some("relay.example".into()), ..settings() });
    let mut party = relay.join();
    let (local, host) = party.me.address().split_once('@').unwrap();
    assert_eq!(host, "relay.example");
    assert_eq!(relay.published(local), relay.published(party.me.address()));
    assert_eq!(relay.published(&party.me.address().replace('@', "%40")), relay.published(local));
    relay
        .send("GET", &format!("/v1/identity/{local}@other.example"), Some(&relay.one), "")
        .refused(404, 40_401);
    let message = party.clone().message(local, "short");
    relay.call(&request(&message)).ok(20_021);
    // What it signs names it in full.
    let jws = party.jws(&format!("{local}/{}", party.me.kid()), now(), "/v1/identity/me#request", b"{}");
    relay.post("/v1/identity/me", &json!({"request": jws}).to_string()).refused(404, 40_401);
}
