//! Key Agreement: agreeing, and a call whose password is sealed.

use crate::support::{Answer, Running, demo, exchange};
use dynamic_key::crypto::software::Pins;
use dynamic_key::field::{Call, sealed_len};
use dynamic_key::handshake::{ClientNeed, KeyAgreementClient, KeyAgreementConfig};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{Agreement, Mode, Now};
use dynamic_key_gateway::config::{KeyAgreement, Limits, SealedCall};
use dynamic_key_gateway::{Config, Software};
use getrandom::SysRng;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

fn agree(gateway: &Running, mode: Mode, scheme: Scheme) -> Result<Agreement<Software>, dynamic_key::Error> {
    let schemes = [scheme];
    let config = KeyAgreementConfig { mode, schemes: &schemes, ..KeyAgreementConfig::new(b"device-1") };
    let (mut client, mut provider) = (KeyAgreementClient::new(&config)?, Software::new(SysRng));
    let pins = [gateway.pin];
    assert_eq!(client.compute(&mut provider, &mut Pins(&pins)), Ok(ClientNeed::Hello));
    let mut text = vec![0; 2048];
    let length = client.hello(&mut provider, Now::UNKNOWN, &mut text)?;
    let answer = exchange(gateway.address, "POST", "/rest/key-agreement", &JSON, &text[..length]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    client.reply(answer.status, &answer.body)?;
    client.compute(&mut provider, &mut Pins(&pins))?;
    client.finish()
}

fn seal(agreement: &mut Agreement<Software>, call: &mut Call<'_>, name: &str, value: &str) -> String {
    let mut text = vec![0; sealed_len(value.len())];
    text[..value.len()].copy_from_slice(value.as_bytes());
    let mut provider = Software::new(SysRng);
    agreement.seal(&mut provider, Now::UNKNOWN, call, name, &mut text, value.len()).unwrap();
    String::from_utf8(text).unwrap()
}

fn send(gateway: &Running, query: &str, body: &Value) -> Answer {
    let target = format!("/rest/login{query}");
    exchange(gateway.address, "POST", &target, &JSON, body.to_string().as_bytes())
}

fn login() -> Call<'static> {
    Call::new("POST", "/rest/login").unwrap()
}

#[test]
fn a_sealed_password_in_every_scheme_and_mode() {
    let gateway = Running::start(demo());
    for (mode, scheme) in
        [Mode::Confirmed, Mode::Pinned].into_iter().flat_map(|mode| Scheme::BY_STRENGTH.map(|s| (mode, s)))
    {
        let mut agreement = agree(&gateway, mode, scheme).unwrap();
        let query = format!("?client_reference_id={}", agreement.id());
        for (password, status) in [("demo", 200), ("wrong", 401), ("", 401), ("d\"e\\mo", 401)] {
            let mut call = login();
            let sealed = seal(&mut agreement, &mut call, "password", password);
            let mut answer = send(&gateway, &query, &json!({ "user": "demo", "password": sealed }));
            assert_eq!(answer.status, status, "{password}");
            let mut provider = Software::new(SysRng);
            let names = ["session_token"];
            let opened = agreement.open(&mut provider, &mut call, status, &names, &mut answer.body);
            let [place] = opened.unwrap();
            assert_eq!(
                place.map(|place| &answer.body[place]),
                (status == 200).then_some(&b"a token of the sample"[..])
            );
        }
    }
}

#[test]
fn whatever_is_wrong_is_400_without_a_body() {
    let gateway = Running::start(demo());
    let mut agreement = agree(&gateway, Mode::Pinned, Scheme::EcAes2).unwrap();
    let id = format!("?client_reference_id={}", agreement.id());
    let sealed = seal(&mut agreement, &mut login(), "password", "demo");
    let pin = seal(&mut agreement, &mut login(), "pin", "demo");
    let right = json!({ "user": "demo", "password": sealed });
    let tampered = format!("{}A{}", &sealed[..20], &sealed[21..]);
    let tampered = if tampered == sealed { sealed.replacen('A', "B", 1) } else { tampered };
    let refused = |query: &str, body: &Value| {
        let answer = send(&gateway, query, body);
        assert_eq!((answer.status, answer.body.len()), (400, 0), "{query} {body}");
    };
    for body in [
        json!({ "user": "demo", "password": tampered }),
        json!({ "user": "demo", "password": "demo" }),
        json!({ "user": "demo", "password": pin }),
        json!({ "user": "demo", "password": null }),
        json!({ "user": "demo" }),
        json!([]),
    ] {
        refused(&id, &body);
    }
    let other = agree(&gateway, Mode::Pinned, Scheme::EcAes2).unwrap();
    for query in [
        "",
        "?client_reference_id=",
        "?client_reference_id=unknown",
        &format!("?client_reference_id={}", other.id()),
        &format!("{id}&client_reference_id={}", other.id()),
        &format!("{id}&client_reference_id="),
    ] {
        refused(query, &right);
    }
    for headers in [&[][..], &[("Content-Type", "text/plain")], &[JSON[0], JSON[0]]] {
        for target in ["/rest/key-agreement".to_owned(), format!("/rest/login{id}")] {
            let answer = exchange(gateway.address, "POST", &target, headers, right.to_string().as_bytes());
            assert_eq!((answer.status, answer.body.len()), (400, 0));
        }
    }
    for body in ["", "{}", "[]", r#"{"identifier":"","nonce":"","public_key":"","supported_schemes":[]}"#] {
        let answer = exchange(gateway.address, "POST", "/rest/key-agreement", &JSON, body.as_bytes());
        assert_eq!((answer.status, answer.body.len()), (400, 0), "{body}");
    }
    assert_eq!(send(&gateway, &format!("{id}&lang=en"), &right).status, 200, "none of that took its counter");
    refused(&id, &right); // a replay
    for (method, target, status) in
        [("GET", "/rest/login", 405), ("GET", "/rest/key-agreement", 405), ("POST", "/rest/logout", 404)]
    {
        assert_eq!(exchange(gateway.address, method, target, &JSON, b"{}").status, status);
    }
}

#[test]
fn it_is_off_where_it_is_not_configured() {
    let gateway = Running::start(Config { key_agreement: None, ..demo() });
    for target in ["/rest/key-agreement", "/rest/login"] {
        assert_eq!(exchange(gateway.address, "POST", target, &JSON, b"{}").status, 404);
    }
}

#[test]
fn limits_and_ends() {
    let own = demo().key_agreement.unwrap();
    let second = std::time::Duration::from_secs(1);
    let small = KeyAgreement { agreements: 1, lifetime: second, ..own.clone() };
    let gateway = Running::start(Config { key_agreement: Some(small), ..demo() });
    let mut agreement = agree(&gateway, Mode::Pinned, Scheme::EcAes2).unwrap();
    let full = agree(&gateway, Mode::Pinned, Scheme::EcAes2).err();
    assert_eq!(full, Some(dynamic_key::Peer::UnexpectedStatus(503).into()));
    let sealed = seal(&mut agreement, &mut login(), "password", "demo");
    std::thread::sleep(second + second / 10);
    let query = format!("?client_reference_id={}", agreement.id());
    let late = send(&gateway, &query, &json!({ "user": "demo", "password": sealed }));
    assert_eq!((late.status, late.body.len()), (400, 0));
    assert!(agree(&gateway, Mode::Pinned, Scheme::EcAes2).is_ok(), "its place is free");

    let limits = Limits { handshakes_per_minute: 2, ..demo().limits };
    let gateway = Running::start(Config { limits, key_agreement: Some(own), ..demo() });
    assert!(agree(&gateway, Mode::Pinned, Scheme::EcAes2).is_ok());
    let answer = exchange(gateway.address, "POST", "/rest/key-agreement", &JSON, b"{}");
    assert_eq!((answer.status, answer.body.len()), (429, 0));
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn without_a_signature_nobody_can_pin() {
    let unsigned = KeyAgreement { sign: false, ..demo().key_agreement.unwrap() };
    let gateway = Running::start(Config { key_agreement: Some(unsigned), ..demo() });
    assert!(agree(&gateway, Mode::Confirmed, Scheme::EcAes1).is_ok());
    let pinned = agree(&gateway, Mode::Pinned, Scheme::EcAes1).err();
    assert_eq!(pinned, Some(dynamic_key::Peer::Downgrade.into()));
}

#[test]
fn configurations_that_cannot_be() {
    let own = demo().key_agreement.unwrap();
    let call = own.calls[0].clone();
    let with = |call: SealedCall| KeyAgreement { calls: vec![call], ..own.clone() };
    for wrong in [
        KeyAgreement { identifier: String::new(), ..own.clone() },
        KeyAgreement { identifier: "x".repeat(256), ..own.clone() },
        KeyAgreement { agreements: 0, ..own.clone() },
        KeyAgreement { lifetime: std::time::Duration::ZERO, ..own.clone() },
        with(SealedCall { method: "post".into(), ..call.clone() }),
        with(SealedCall { method: "GET".into(), ..call.clone() }),
        with(SealedCall { path: "rest".into(), ..call.clone() }),
        with(SealedCall { path: "/a?b".into(), ..call.clone() }),
        with(SealedCall { fields: vec![], ..call.clone() }),
        with(SealedCall { fields: vec!["a:b".into()], ..call.clone() }),
        with(SealedCall { fields: ["a"; 5].map(String::from).to_vec(), ..call.clone() }),
        with(SealedCall { answers: vec![String::new()], ..call.clone() }),
    ] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shown = format!("{wrong:?}");
        let config = Config { key_agreement: Some(wrong), ..demo() };
        let outcome = runtime.block_on(dynamic_key_gateway::Server::bind(config));
        assert!(outcome.is_err(), "{shown}");
    }
}
