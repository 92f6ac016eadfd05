//! Requests and responses to refuse, runs of requests of which some pass, plaintexts and routes that are refused sealed.

use crate::door::{Door, RULES};
use crate::peer::{ClientEnd, ClientSession, Policy, Scripted};
use crate::vector::{Members, load};
use dynamic_key::session::Now;
use dynamic_key::{Code, Error, Peer};
use serde_json::{Value, json};

fn door(vectors: &Value, session: &str) -> Door {
    let policy = json!({"clients": [], "schemes": ["SCHEME-EC-AES2", "SCHEME-EC-AES1"],
        "identities": [], "preference": "client", "leastMode": "plain"});
    Door::new(&vectors["sessions"][session], Policy::of(&policy, None), 7, &[1; 8])
}

fn client(vectors: &Value, session: &str) -> (ClientSession, Scripted) {
    let exchange = &vectors["sessions"][session];
    let hello = exchange["hello"].text("text");
    let end = ClientEnd::new(exchange.text("mode"), exchange.hex("clientPrivate"), hello, vec![]).unwrap();
    let accepted = end.accept(200, exchange["answer"].text("text").as_bytes()).unwrap();
    (accepted.session, accepted.provider)
}

/// Runs the steps of all cases; returns how many there are.
fn run(cases: &str) -> usize {
    let vectors = load("negative-envelope.json");
    for case in vectors.list(cases) {
        let mut door = door(&vectors, case.text("session"));
        for (number, step) in case.list("steps").iter().enumerate() {
            // An upstream that answers what cannot be passed on: in plain mode that draws no randomness.
            let (asked, reply) = door.ask(step.text("text").as_bytes(), (304, b""));
            let name = format!("{}, step {number}", case.text("name"));
            match step.get("code") {
                None => assert!(asked.is_some(), "{name}: {reply:?}"),
                Some(code) => {
                    assert_eq!(reply.code.map(Code::name), code.as_str(), "{name}");
                    assert!(asked.is_none(), "{name}");
                    assert_eq!(reply.is_sealed(), step["sealed"] == true, "{name}");
                }
            }
        }
    }
    vectors.list(cases).len()
}

#[test]
fn requests() {
    assert_eq!(run("request"), 105);
}

#[test]
fn runs_of_requests() {
    assert_eq!(run("runs"), 14);
}

/// Seals the plaintexts of all cases and returns how many were refused, sealed, with their code.
fn sealed_refusals(cases: &str) -> usize {
    let vectors = load("negative-envelope.json");
    let rules: Vec<_> =
        RULES.iter().map(|rule| json!({"method": rule.method, "path": rule.pattern})).collect();
    assert_eq!(vectors["rules"], Value::from(rules));
    for case in vectors.list(cases) {
        let name = case.text("name");
        let (mut client, mut provider) = client(&vectors, "confirmed");
        let plaintext = case.bytes("plaintext");
        let mut buffer = vec![0; 8192];
        buffer[..plaintext.len()].copy_from_slice(&plaintext);
        let (length, _) = client.seal(&mut provider, Now::UNKNOWN, &mut buffer, plaintext.len()).unwrap();
        let (asked, mut reply) = door(&vectors, "confirmed").ask(&buffer[..length], (200, b""));
        assert!(asked.is_none() && reply.is_sealed(), "{name}");
        let code = Code::from_name(case.text("code")).unwrap();
        assert_eq!((reply.code, reply.status), (Some(code), code.status()), "{name}");
        let opened = client.open(&mut provider, reply.status, &mut reply.body).unwrap();
        let error: Value = serde_json::from_slice(opened).unwrap();
        assert_eq!((&error["code"], &error["status"]), (&case["code"], &json!(code.status())), "{name}");
    }
    vectors.list(cases).len()
}

#[test]
fn plaintexts() {
    assert_eq!(sealed_refusals("plaintext"), 59);
}

#[test]
fn routes() {
    assert_eq!(sealed_refusals("route"), 77);
}

#[test]
fn responses() {
    let vectors = load("negative-envelope.json");
    for case in vectors.list("response") {
        let name = case.text("name");
        let (mut session, mut provider) = client(&vectors, case.text("session"));
        for nonce in case.texts("sent") {
            let (_, sealed) = session.seal(&mut provider, Now::UNKNOWN, &mut [0; 128], 1).unwrap();
            assert_eq!(sealed.nonce().as_bytes().to_vec(), crate::vector::unbase64(nonce));
        }
        let before = case.get("before").and_then(Value::as_array);
        for answer in before.into_iter().flatten() {
            let status = u16::try_from(answer.number("status")).unwrap();
            session.open(&mut provider, status, &mut answer.bytes("text")).unwrap();
        }
        let status = u16::try_from(case.number("status")).unwrap();
        let error = session.open(&mut provider, status, &mut case.bytes("text")).unwrap_err();
        let expected = match case.text("reason") {
            "malformed" => Peer::Malformed,
            "encryption" => Peer::Authentication,
            "unsealed" => Peer::UnexpectedStatus(status),
            other => panic!("{other}"),
        };
        assert_eq!(error, Error::Peer(expected), "{name}");
    }
    assert_eq!(vectors.list("response").len(), 72);
}
