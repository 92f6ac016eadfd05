//! What HTTP sees beside the protocol: methods, the JWK Set, origins.

use crate::support::{Answer, Running, demo, exchange};
use dynamic_key::crypto::{KeyId, software::PinnedKey};
use dynamic_key_gateway::Config;

fn ask(gateway: &Running, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let answer = exchange(gateway.address, method, target, headers, b"");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {target}");
    answer
}

#[test]
fn methods_and_paths() {
    let gateway = Running::start(demo());
    for (method, target, status) in [
        ("GET", "/health", 200),
        ("GET", "/.well-known/jwks.json", 200),
        ("GET", "/api/info/v2", 405),
        ("PUT", "/api/info/v2", 405),
        ("OPTIONS", "/api/info/v2", 405),
        ("GET", "/api/request/v2", 405),
        ("DELETE", "/api/request/v2", 405),
        ("POST", "/health", 405),
        ("POST", "/.well-known/jwks.json", 405),
        ("POST", "/api/info", 404),
        ("POST", "/api/info/v2/", 404),
        ("GET", "/", 404),
        ("GET", "/countries/get", 404),
    ] {
        assert_eq!(ask(&gateway, method, target, &[]).status, status, "{method} {target}");
    }
    let health = ask(&gateway, "GET", "/health", &[]);
    assert_eq!(
        (health.header("content-type"), &*health.body),
        (Some("application/json"), &b"{\"status\":\"ok\"}"[..])
    );
}

#[test]
fn the_jwk_set_holds_the_pinned_key_and_nothing_private() {
    let gateway = Running::start(demo());
    let answer = ask(&gateway, "GET", "/.well-known/jwks.json", &[]);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let set = answer.json();
    let [key] = set["keys"].as_array().unwrap().as_slice() else { panic!("{set}") };
    let member = |name: &str| key[name].as_str().unwrap();
    for (name, value) in [("kty", "EC"), ("crv", "P-256"), ("use", "sig"), ("alg", "ES256")] {
        assert_eq!(member(name), value);
    }
    assert_eq!(key.as_object().unwrap().len(), 7, "{key}");
    let mut point = [4; 65];
    for (at, name) in [(1, "x"), (33, "y")] {
        dynamic_key::codec::base64::url_decode(member(name).as_bytes(), &mut point[at..at + 32]).unwrap();
    }
    assert_eq!(member("kid"), KeyId::of_point(&point).as_str());
    assert_eq!(PinnedKey::from_point(&point).unwrap(), gateway.pin);
}

#[test]
fn no_origin_is_served_by_default() {
    let gateway = Running::start(demo());
    let preflight = [
        ("Origin", "https://app.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    let answer = ask(&gateway, "OPTIONS", "/api/info/v2", &preflight);
    assert_eq!(answer.status, 405);
    assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{answer:?}");
}

#[test]
fn listed_origins_are_served() {
    let origins = vec!["https://app.example".into(), "http://localhost:5173".into()];
    let gateway = Running::start(Config { cors_origins: origins, ..demo() });
    for (origin, allowed) in [
        ("https://app.example", true),
        ("http://localhost:5173", true),
        ("http://app.example", false),
        ("https://app.example:8443", false),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let preflight = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            (
                "Access-Control-Request-Headers",
                "authorization,content-type,x-dynamic-key-version,x-session-id",
            ),
        ];
        let answer = ask(&gateway, "OPTIONS", "/api/request/v2", &preflight);
        assert_eq!(answer.header("access-control-allow-origin"), allowed.then_some(origin));
        assert!(answer.header("access-control-allow-credentials").is_none());
        if allowed {
            assert_eq!(answer.status, 200);
            assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
            let headers = answer.header("access-control-allow-headers").unwrap();
            for name in ["authorization", "content-type", "x-dynamic-key-version", "x-session-id"] {
                assert!(headers.contains(name), "{headers}");
            }
        }
        let answer = ask(&gateway, "POST", "/api/info/v2", &[("Origin", origin)]);
        assert_eq!(answer.code().0, 400);
        assert_eq!(answer.header("access-control-allow-origin"), allowed.then_some(origin), "errors, too");
    }
}
