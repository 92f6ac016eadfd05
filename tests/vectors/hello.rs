//! Hellos that a gateway must refuse, each with its code and nothing left behind.

use crate::peer::Policy;
use crate::support::{AUDIENCE, START, Seeded, head_of};
use crate::vector::{Members, load, unbase64};
use dynamic_key::crypto::software::Software;
use dynamic_key::gateway::{Allowlist, FixedStore, Gateway, TokenKey};
use serde_json::Value;

/// Whether the gateway refuses as the case says.
fn check(file: &Value, case: &Value) {
    let gateway = Gateway {
        clients: Policy::of(&file["gateway"], case.get("gateway")),
        allowlist: Allowlist::new(&[]).unwrap(),
        audience: AUDIENCE,
        tokens: TokenKey::hs256(&[3; 32]).unwrap(),
        identity: None,
        session_seconds: 60,
        instance: 1,
        plain: Default::default(),
    };
    let headers = case.get("headers").unwrap_or(&file["headers"]).as_array().unwrap();
    let headers: Vec<_> =
        headers.iter().map(|header| (header[0].as_str().unwrap(), header[1].as_str().unwrap())).collect();
    let text = case.bytes("text");
    let mut buffer = vec![0; text.len().max(4096)];
    buffer[..text.len()].copy_from_slice(&text);
    let mut store = FixedStore::<_, 1>::new();
    let (provider, head) = (&mut Software::new(Seeded(1)), head_of(&headers));
    let reply = gateway.accept(provider, None, &mut store, START, &head, &mut buffer, text.len()).unwrap();
    let name = case.text("name");
    assert_eq!(reply.code.map(|code| code.name()), Some(case.text("code")), "{name}");
    let body: Value = serde_json::from_slice(&buffer[..reply.length]).unwrap();
    assert_eq!((&body["code"], &body["status"]), (&case["code"], &Value::from(reply.status)), "{name}");
    assert_eq!(body.get("scheme"), case.get("scheme"), "{name}");
    assert_eq!(format!("{store:?}"), "FixedStore { live: 0, .. }", "{name}");
}

#[test]
fn what_is_no_json_of_a_hello() {
    let vectors = load("negative-json.json");
    for case in vectors.list("hello") {
        check(&vectors, case);
    }
    assert_eq!(vectors.list("hello").len(), 133);
}

#[test]
fn what_a_gateway_refuses() {
    let vectors = load("negative-hello.json");
    let (mut ran, mut finite_field, mut long) = (0, 0, vec![]);
    for case in vectors.list("hello") {
        if case.has("padTo") {
            // Whoever reads the body ends it there: it never reaches the core.
            long.push((case.text("name"), case.text("code")));
        } else if cfg!(not(feature = "ffdhe")) && case.has("requires") && !has_p256_key(case) {
            assert_eq!(case.text("requires"), "ffdhe");
            finite_field += 1;
        } else {
            check(&vectors, case);
            ran += 1;
        }
    }
    assert_eq!((ran + finite_field, vectors.list("hello").len()), (339, 340));
    assert_eq!(finite_field, if cfg!(feature = "ffdhe") { 0 } else { 93 });
    assert_eq!(long, [("a body of 1 MiB and a byte", "DYNAMIC_KEY_V2_MALFORMED_REQUEST")]);
}

/// Whether the key that came is an elliptic one, valid or not: then finite fields are only talked about.
fn has_p256_key(case: &Value) -> bool {
    let hello: Value = serde_json::from_str(case.text("text")).unwrap();
    unbase64(hello.text("clientPublicKey")).len() == 91
}
