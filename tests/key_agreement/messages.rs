//! Both messages altered on their way: every bit, every cut, and every field of the transcript by name.

use crate::ends::{Host, MODES, accept, config, request};
use dynamic_key::codec::base64;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error, Peer};
use serde_json::{Value, json};

/// Every bit of every byte flipped, every byte replaced by some that JSON cares about, and every prefix.
fn variants(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flips = (0..text.len()).flat_map(move |at| (0..8).map(move |bit| (at, text[at] ^ (1 << bit))));
    let others = (0..text.len()).flat_map(|at| b"\"\\0".map(|byte| (at, byte)));
    let edited = flips.chain(others).filter(|(at, byte)| text[*at] != *byte).map(|(at, byte)| {
        let mut text = text.to_vec();
        text[at] = byte;
        text
    });
    edited.chain((0..text.len()).map(|length| text[..length].to_vec()))
}

/// What a message means to another parser; who does not pin verifies no signature.
fn meaning(mode: Mode, text: &[u8]) -> Option<Value> {
    let mut root: Value = serde_json::from_slice(text).ok()?;
    if let Some(identity) = root.get_mut("identity").and_then(Value::as_object_mut) {
        identity.retain(|name, _| name == "kid" || (name == "signature" && mode == Mode::Pinned));
    }
    let names = ["identifier", "nonce", "public_key", "supported_schemes"];
    let answer = ["client_reference_id", "identifier", "proof", "public_key", "scheme", "identity"];
    root.as_object_mut()?.retain(|name, _| names.contains(&&**name) || answer.contains(&&**name));
    Some(root)
}

#[test]
fn every_byte_of_a_request() {
    for mode in MODES {
        let config = config(mode, &Scheme::ELLIPTIC);
        let (_, _, text) = request(&config, 5);
        let host = Host::new(mode);
        let (mut refused, mut answered) = (0, 0);
        for altered in variants(&text) {
            match host.answer(&altered) {
                Err(code) => {
                    assert_eq!(code.status(), 400);
                    let known = [Code::MalformedRequest, Code::InvalidPublicKey, Code::NoCommonScheme];
                    assert!(known.contains(&code), "{code}");
                    refused += 1;
                }
                Ok((response, ..)) => {
                    let same = meaning(mode, &altered) == meaning(mode, &text);
                    match accept(&config, 5, &response) {
                        Ok(_) => assert!(same, "accepted: {}", String::from_utf8_lossy(&altered)),
                        Err(error) => assert_eq!((error, same), (Peer::Authentication.into(), false)),
                    }
                    answered += 1;
                }
            }
        }
        println!("{mode:?}: {refused} refused, {answered} answered");
        assert!(refused > 7 * text.len() && answered > text.len() / 4, "both happen");
    }
}

#[test]
fn every_byte_of_a_response() {
    for mode in MODES {
        let config = config(mode, &Scheme::ELLIPTIC);
        let (_, _, text) = request(&config, 5);
        let (response, ..) = Host::new(mode).answer(&text).unwrap();
        let (mut refused, mut neutral) = (0, 0);
        for altered in variants(&response) {
            match accept(&config, 5, &altered) {
                Ok(_) => {
                    let shown = String::from_utf8_lossy(&altered);
                    assert_eq!(meaning(mode, &altered), meaning(mode, &response), "accepted: {shown}");
                    neutral += 1;
                }
                Err(error) => {
                    assert!(matches!(error, Error::Peer(_)), "{error:?}");
                    refused += 1;
                }
            }
        }
        println!("{mode:?}: {refused} refused, {neutral} neutral");
        assert!(refused > 9 * response.len());
    }
}

/// Nothing authenticates the hint `expires_in`: it shortens or lengthens what the client believes, and that is all.
#[test]
fn the_hint_is_a_hint() {
    let config = config(Mode::Pinned, &Scheme::ELLIPTIC);
    let (_, _, text) = request(&config, 5);
    let host = Host { expires_in: Some(300), ..Host::new(Mode::Pinned) };
    let (response, ..) = host.answer(&text).unwrap();
    let mut root: Value = serde_json::from_slice(&response).unwrap();
    for value in [json!(1), json!(299), json!((1_u64 << 53) - 1)] {
        root["expires_in"] = value;
        assert!(accept(&config, 5, root.to_string().as_bytes()).is_ok());
    }
    root.as_object_mut().unwrap().remove("expires_in");
    assert!(accept(&config, 5, root.to_string().as_bytes()).is_ok());
    for value in [json!(null), json!("300"), json!(-1), json!(1.5), json!(1_u64 << 53), json!(true)] {
        root["expires_in"] = value;
        assert_eq!(accept(&config, 5, root.to_string().as_bytes()).err(), Some(Peer::Malformed.into()));
    }
}

fn b64(bytes: &[u8]) -> Value {
    let mut out = vec![0; base64::encoded_len(bytes.len())];
    json!(base64::encode(bytes, &mut out).unwrap())
}

fn altered(text: &[u8], name: &str, value: Value) -> Vec<u8> {
    let mut root: Value = serde_json::from_slice(text).unwrap();
    assert_ne!(root[name], value);
    root[name] = value;
    root.to_string().into_bytes()
}

/// Somebody in the middle changes what one end says; each field of the transcript that the binding has.
#[test]
fn each_field_of_the_transcript() {
    let offered = [Scheme::EcAes1, Scheme::EcAes2];
    let (confirmed, pinned) = (config(Mode::Confirmed, &offered), config(Mode::Pinned, &offered));
    let (_, _, text) = request(&confirmed, 5);
    let (_, _, other) = request(&confirmed, 6);
    let (other, host): (Value, _) = (serde_json::from_slice(&other).unwrap(), Host::new(Mode::Pinned));
    for (name, value) in [
        ("public_key", other["public_key"].clone()),
        ("nonce", other["nonce"].clone()),
        ("nonce", b64(&[0; 32])),
        ("identifier", b64(b"another device")),
        ("supported_schemes", json!(["SCHEME-EC-AES2", "SCHEME-EC-AES1"])),
        ("supported_schemes", json!(["SCHEME-EC-AES1"])),
        ("supported_schemes", json!(["SCHEME-EC-AES2"])),
        ("supported_schemes", json!(["SCHEME-EC-AES1", "SCHEME-EC-AES2", "SCHEME-NEW"])),
        ("supported_schemes", json!(["SCHEME-EC-AES1", "SCHEME-EC-AES2-14SCHEME-EC-A"])),
    ] {
        let (response, ..) = host.answer(&altered(&text, name, value.clone())).unwrap();
        for config in [&confirmed, &pinned] {
            let error = accept(config, 5, &response).err();
            assert_eq!(error, Some(Peer::Authentication.into()), "{name}: {value}");
        }
    }
    let (response, ..) = host.answer(&text).unwrap();
    let (second, ..) = Host { seed: 10, ..host.clone() }.answer(&text).unwrap();
    let second: Value = serde_json::from_slice(&second).unwrap();
    let stranger = json!({
        "kid": "IizO3eZ4OcYzY0Z5cyqpOfpQJ-bIzdryoUjZGP-WuBA",
        "signature": second["identity"]["signature"],
    });
    for (name, value) in [
        ("client_reference_id", json!("855ea6c5-720a-41e1-96f4-958c90e6e425")),
        ("identifier", b64(b"Brokes")),
        ("proof", second["proof"].clone()),
        ("public_key", second["public_key"].clone()),
        ("scheme", json!("SCHEME-EC-AES2")),
        ("identity", stranger),
    ] {
        let response = altered(&response, name, value);
        for config in [&confirmed, &pinned] {
            assert_eq!(accept(config, 5, &response).err(), Some(Peer::Authentication.into()), "{name}");
        }
    }
    let mut root: Value = serde_json::from_slice(&response).unwrap();
    root.as_object_mut().unwrap().remove("identity");
    let bare = root.to_string().into_bytes();
    assert_eq!(accept(&confirmed, 5, &bare).err(), Some(Peer::Authentication.into()));
    assert_eq!(accept(&pinned, 5, &bare).err(), Some(Peer::Downgrade.into()));
    // The signature of the same identity over another transcript: only who pins verifies it.
    let signature = json!({ "kid": root_kid(&response), "signature": second["identity"]["signature"] });
    let replayed = altered(&response, "identity", signature);
    assert!(accept(&confirmed, 5, &replayed).is_ok());
    assert_eq!(accept(&pinned, 5, &replayed).err(), Some(Peer::Authentication.into()));
    for scheme in ["SCHEME-AES1", "SCHEME-AES2", "SCHEME-NEW", ""] {
        let response = altered(&response, "scheme", json!(scheme));
        assert_eq!(accept(&confirmed, 5, &response).err(), Some(Peer::Downgrade.into()), "{scheme}");
    }
}

fn root_kid(response: &[u8]) -> Value {
    serde_json::from_slice::<Value>(response).unwrap()["identity"]["kid"].clone()
}

#[test]
fn identifiers_of_other_lengths() {
    let config = config(Mode::Confirmed, &Scheme::ELLIPTIC);
    let (_, _, text) = request(&config, 5);
    let (response, ..) = Host::new(Mode::Confirmed).answer(&text).unwrap();
    for length in [0, 256] {
        let request = altered(&text, "identifier", b64(&vec![7; length]));
        assert_eq!(Host::new(Mode::Confirmed).answer(&request).err(), Some(Code::MalformedRequest));
        let response = altered(&response, "identifier", b64(&vec![7; length]));
        assert_eq!(accept(&config, 5, &response).err(), Some(Peer::Malformed.into()));
    }
    for length in [1, 255] {
        let request = altered(&text, "identifier", b64(&vec![7; length]));
        assert!(Host::new(Mode::Confirmed).answer(&request).is_ok());
    }
}
