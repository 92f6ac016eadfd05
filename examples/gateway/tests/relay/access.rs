//! Who may ask.

use crate::server::{Running, demo, exchange, folder};
use crate::support::{AUDIENCE, ONE, OTHER, Party, Relay, Told, now, request, settings, token, token_at};
use dynamic_key_gateway::relay::{ApiKey, Settings};
use dynamic_key_gateway::{Config, issuer};

const PATHS: [(&str, &str); 10] = [
    ("POST", "/v1/identity"),
    ("POST", "/v1/identity/me"),
    ("POST", "/v1/identity/me/sigPubKey"),
    ("POST", "/v1/identity/me/encPubKey"),
    ("POST", "/v1/identity/me/meta"),
    ("POST", "/v1/identity/me/recovery"),
    ("POST", "/v1/messages/send"),
    ("POST", "/v1/messages/fetch"),
    ("GET", "/v1/identity/somebody"),
    ("GET", "/v1/identity/somebody/recovery"),
];

#[test]
fn nobody_without_a_token_of_a_good_key() {
    let mut settings = settings();
    let secret = ONE.to_owned();
    let key =
        |id: &str, disabled, expires| ApiKey { id: id.into(), secret: secret.clone(), disabled, expires };
    settings.applications[0].keys.extend([
        key("disabled", true, None),
        key("expired", false, Some(now())),
        key("lasting", false, Some(now() + 3_600)),
    ]);
    let relay = Relay::with(settings);
    let good = token("one-key", ONE);
    let mut forged = good.clone();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    let (header, rest) = good.split_once('.').unwrap();
    let none = format!("eyJhbGciOiJub25lIiwia2lkIjoib25lLWtleSJ9.{}.", rest.split_once('.').unwrap().0);
    for (name, token) in [
        ("none", None),
        ("empty", Some(String::new())),
        ("a word", Some("word".into())),
        ("dots", Some("..".into())),
        ("forged", Some(forged)),
        ("a header alone", Some(header.into())),
        ("alg none", Some(none)),
        ("another key's", Some(token("other-key", ONE))),
        ("nobody's", Some(token("nobody", ONE))),
        ("disabled", Some(token("disabled", ONE))),
        ("expired key", Some(token("expired", ONE))),
        ("another audience", Some(token_at("one-key", ONE, "other.example", now()))),
        ("expired", Some(token_at("one-key", ONE, AUDIENCE, now() - 301))),
        ("not yet", Some(token_at("one-key", ONE, AUDIENCE, now() + 120))),
    ] {
        for (method, path) in PATHS {
            let told = relay.send(method, path, token.as_deref(), "{}");
            assert_eq!((told.status, &told.json["code"]), (401, &40_101.into()), "{name} {path}");
            assert!(told.json["body"].is_null());
        }
    }
    let answer = exchange(relay.address(), "POST", "/v1/identity", &[], b"");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    for key in ["one-key", "lasting"] {
        relay.send("GET", "/v1/identity/x", Some(&token(key, ONE)), "").refused(404, 40_401);
    }
    relay.send("GET", "/v1/identity/x", Some(&token("other-key", OTHER)), "").refused(404, 40_401);
}

#[test]
fn a_token_of_the_issuer_is_as_good_for_the_clients_that_are_named() {
    let folder = folder("relay-issuer");
    let mut settings = settings();
    settings.applications[0].clients = vec!["merchant".into()];
    settings.applications[1].clients = vec!["platform".into()];
    let issuer = Some(issuer::Settings::demo(folder.join("issued.redb")));
    let gateway = Running::start(Config { relay: Some(settings), issuer, ..demo() });
    let issued = |client: &str| {
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret={client}-secret");
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = exchange(gateway.address, "POST", "/token", &headers, form.as_bytes());
        answer.json()["access_token"].as_str().map(String::from)
    };
    let merchant = issued("merchant").unwrap();
    let party = Party::join(gateway.address, &merchant);
    // The same application by its key.
    let relay = Relay { gateway, one: token("one-key", ONE), other: token("other-key", OTHER) };
    let mut same = party.clone();
    let ask = same.ask(now(), dynamic_key::identity::me);
    relay.call(&request(&ask)).ok(20_012);
    relay.send("POST", &ask.target, Some(&merchant), &ask.body).ok(20_012);
    relay.send("POST", &ask.target, Some(&relay.other), &ask.body).refused(403, 40_302);
    relay.send("POST", &ask.target, Some("unknown"), &ask.body).refused(401, 40_101);
    let revoke = format!("token={merchant}&client_id=merchant&client_secret=merchant-secret");
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    exchange(relay.address(), "POST", "/revoke", &headers, revoke.as_bytes());
    relay.send("POST", &ask.target, Some(&merchant), &ask.body).refused(401, 40_101);
}

#[test]
fn a_client_that_is_not_named_acts_for_nobody() {
    let folder = folder("relay-stranger");
    let issuer = Some(issuer::Settings::demo(folder.join("issued.redb")));
    let gateway = Running::start(Config { relay: Some(settings()), issuer, ..demo() });
    let form = b"grant_type=client_credentials&client_id=merchant&client_secret=merchant-secret";
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = exchange(gateway.address, "POST", "/token", &headers, form).json();
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(exchange(gateway.address, "GET", "/v1/identity/x", &headers, b"").status, 401);
}

#[test]
fn too_many_requests_are_put_off() {
    let relay = Relay::with(Settings { requests_per_minute: 4, ..settings() });
    for _ in 0..2 {
        relay.send("GET", "/v1/identity/x", Some(&relay.one), "").refused(404, 40_401);
    }
    let told: Told = relay.send("GET", "/v1/identity/x", Some(&relay.one), "");
    told.refused(429, 42_901);
    let seconds: u64 = told.retry_after.unwrap().parse().unwrap();
    assert!((1..=16).contains(&seconds), "{seconds}");
    let health = exchange(relay.address(), "GET", "/ops/health", &[], b"");
    assert_eq!(health.status, 200, "no limit there");
}

#[test]
fn pages_of_the_origins_that_are_named_may_ask() {
    let origin = "https://app.example".to_owned();
    let config = Config { relay: Some(settings()), cors_origins: vec![origin.clone()], ..demo() };
    let gateway = Running::start(config);
    let ask = |origin: &str, path: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type"),
        ];
        exchange(gateway.address, "OPTIONS", path, &headers, b"")
    };
    for path in ["/v1/identity", "/v1/messages/fetch", "/v1/identity/x"] {
        let allowed = ask(&origin, path);
        assert_eq!(allowed.header("access-control-allow-origin"), Some(origin.as_str()));
        let headers = allowed.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization") && headers.contains("content-type"));
        assert_eq!(ask("https://evil.example", path).header("access-control-allow-origin"), None);
    }
}

#[test]
fn methods() {
    let relay = Relay::start();
    for (method, path) in PATHS {
        let wrong = if method == "GET" { "POST" } else { "PUT" };
        assert_eq!(exchange(relay.address(), wrong, path, &[], b"").status, 405, "{wrong} {path}");
    }
}
