//! Answers that a client must refuse, and the ones that it accepts.

use crate::peer::ClientEnd;
use crate::vector::{Members, key_of, load};
use dynamic_key::{Error, Incompatible, Peer};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether the error belongs to the reason that the vectors give, which is informative.
fn fits(reason: &str, error: Error) -> bool {
    use Peer::{Authentication, Downgrade, InvalidPublicKey, Malformed, UnexpectedStatus};
    match (reason, error) {
        ("malformed" | "below mode", Error::Peer(Malformed | Downgrade | UnexpectedStatus(_)))
        | ("public key", Error::Peer(InvalidPublicKey))
        // A 409 whose scheme has a name that the client does not know names none to it.
        | ("retry", Error::Peer(Downgrade | Malformed))
        | ("not offered", Error::Peer(Downgrade))
        | ("proof" | "identity", Error::Peer(Authentication)) => true,
        // 4097 characters have no room, which comes before their form.
        ("malformed", Error::Incompatible(Incompatible::TokenTooLong { length })) => length == 4097,
        _ => false,
    }
}

fn client<'v>(vectors: &'v Value, name: &str) -> (Option<ClientEnd>, &'v Value) {
    let client = &vectors["clients"][name];
    let pins = client.get("pins").and_then(Value::as_array).into_iter().flatten().map(key_of).collect();
    let end = ClientEnd::new(client.text("mode"), client.hex("clientPrivate"), client.text("hello"), pins);
    let end = match (end, client.has("first409")) {
        (Some(_), true) if cfg!(not(feature = "ffdhe")) => None, // its first key was a finite-field one
        (Some(end), true) => {
            let (hello, conflict) = (client.text("firstHello"), client.text("first409"));
            Some(end.after(client.hex("firstPrivate"), hello, conflict))
        }
        (end, _) => end,
    };
    (end, client)
}

#[test]
fn what_a_client_refuses() {
    let vectors = load("negative-answer.json");
    let (mut ran, mut skipped) = (0, BTreeMap::<_, usize>::new());
    for case in vectors.list("answer") {
        let (Some(client), _) = client(&vectors, case.text("client")) else {
            *skipped.entry(case.text("client")).or_default() += 1;
            continue;
        };
        let status = u16::try_from(case.number("status")).unwrap();
        match client.accept(status, &case.bytes("text")) {
            Ok(_) => panic!("accepted: {case}"),
            Err(error) => assert!(fits(case.text("reason"), error), "{error:?} for {case}"),
        }
        ran += 1;
    }
    let mut expected = BTreeMap::from([("features", 6)]);
    if cfg!(not(feature = "ffdhe")) {
        expected.insert("retried", 3);
    }
    assert_eq!(skipped, expected);
    assert_eq!((ran + skipped.values().sum::<usize>(), vectors.list("answer").len()), (282, 282));
}

#[test]
fn what_a_client_accepts() {
    let vectors = load("negative-answer.json");
    let mut accepted = vec![];
    for name in vectors["clients"].as_object().unwrap().keys() {
        let (Some(client), vector) = client(&vectors, name) else { continue };
        client.accept(200, vector.text("accepted").as_bytes()).unwrap();
        accepted.push(name);
    }
    let finite_field: &[&str] = if cfg!(feature = "ffdhe") { &["retried"] } else { &[] };
    assert_eq!(accepted, [&["both groups", "confirmed", "mutual", "pinned", "plain"], finite_field].concat());
}
