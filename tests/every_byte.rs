//! Every byte of every message flipped, every message cut at every length, in every mode: never a panic, never an
//! acceptance of what was not meant, never a changed state.
//!
//! A flip may be accepted only if the message means what it meant: an unknown name in the place of an empty `features`,
//! for example. What a message means is read by another parser.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error, Peer};
use serde_json::Value;
use support::{Device, MODES, World, call, hello_headers, request_headers, seal};

const HANDSHAKE: &str = "/api/info/v2";
const REQUEST: &str = "/api/request/v2";

/// Every bit of every byte flipped, every byte replaced by some that JSON cares about, and every prefix.
fn variants(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let bits = (0..8).map(|bit| 1 << bit);
    let flips = (0..text.len()).flat_map(move |at| bits.clone().map(move |mask| (at, text[at] ^ mask)));
    let others = (0..text.len()).flat_map(|at| b"\"\\0".map(|byte| (at, byte)));
    let edits = flips.chain(others).filter(|(at, byte)| text[*at] != *byte);
    let edited = edits.map(|(at, byte)| {
        let mut text = text.to_vec();
        text[at] = byte;
        text
    });
    edited.chain((0..text.len()).map(|length| text[..length].to_vec()))
}

/// What a message means in this mode: its members by the names that §2.1 defines. An absent list of features is an empty
/// one, and who does not pin verifies no signature.
fn meaning(mode: Mode, text: &[u8]) -> Option<Value> {
    let mut root: Value = serde_json::from_slice(text).ok()?;
    let keep = |object: &mut Value, names: &[&str]| {
        if let Some(members) = object.as_object_mut() {
            members.retain(|name, _| names.contains(&name.as_str()));
        }
    };
    keep(
        &mut root,
        &[
            "clientPublicKey",
            "device",
            "client",
            "keyAgreement",
            "serverPublicKey",
            "sessionId",
            "token",
            "expireToken",
            "expiresAt",
        ],
    );
    if let Some(device) = root.get_mut("device") {
        keep(device, &["id", "platform"]);
    }
    if let Some(client) = root.get_mut("client") {
        keep(client, &["type", "clientId"]);
    }
    if let Some(agreement) = root.get_mut("keyAgreement") {
        keep(
            agreement,
            &["supportedSchemes", "scheme", "nonce", "features", "identity", "expiresIn", "proof"],
        );
        if agreement.is_object() && agreement.get("features").is_none() {
            agreement["features"] = Value::Array(vec![]);
        }
        if let Some(identity) = agreement.get_mut("identity") {
            keep(identity, if mode == Mode::Pinned { &["kid", "signature"] } else { &["kid"] });
        }
    }
    Some(root)
}

/// The code of an unsealed error, which must come with its status.
fn code_of(status: u16, body: &[u8]) -> Code {
    let error: Value = serde_json::from_slice(body).unwrap();
    let code = Code::from_name(error["code"].as_str().unwrap()).unwrap();
    assert_eq!((code.status(), &error["status"]), (status, &Value::from(status)));
    code
}

/// A hello that was altered is refused by the gateway, or its answer by the client; in plain mode, which authenticates no
/// hello, the gateway believes what it reads, and keys that differ carry nothing.
fn hellos(mode: Mode) {
    let mut world = World::new(1);
    let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
    let (mut session, mut provider) = Device { seed: 2, ..device.clone() }.shake(&mut world);
    let hello = device.hello();
    let (mut refused, mut answered) = (0, 0);
    for altered in variants(&hello) {
        let (status, answer) = world.serve(HANDSHAKE, &hello_headers(), &altered);
        if status != 200 {
            let code = code_of(status, &answer);
            let expected = matches!(
                code,
                Code::MalformedRequest
                    | Code::InvalidPublicKey
                    | Code::ClientNotAllowed
                    | Code::NoCommonScheme
            );
            assert!(expected, "{code} for {}", String::from_utf8_lossy(&altered));
            refused += 1;
            continue;
        }
        answered += 1;
        let same = meaning(mode, &altered) == meaning(mode, &hello);
        match (mode, device.accept(status, &answer)) {
            (Mode::Plain, Ok((mut session, mut provider))) => {
                check_plain(&mut world, &hello, &altered, &mut session, &mut provider);
            }
            (_, Ok(_)) => assert!(same, "accepted: {}", String::from_utf8_lossy(&altered)),
            (_, Err(error)) => {
                assert!(!same);
                // Where the name `keyAgreement` was hit, the gateway took the hello for one of plain mode.
                assert!(matches!(error, Error::Peer(Peer::Authentication | Peer::Downgrade)), "{error:?}");
            }
        }
        let id = serde_json::from_slice::<Value>(&answer).unwrap()["sessionId"].as_str().unwrap().to_owned();
        world.end(&id);
    }
    println!("{mode:?}: {refused} refused, {answered} answered");
    assert!(refused > 7 * hello.len() && answered > hello.len() / 4, "both happen");
    call(&mut session, &mut provider, &mut world);
}

/// A plain session after an altered hello: it works for the claims that the gateway read, unless the key is another.
fn check_plain(
    world: &mut World,
    hello: &[u8],
    altered: &[u8],
    session: &mut support::DeviceSession,
    provider: &mut support::Soft,
) {
    let (sent, read) = (meaning(Mode::Plain, hello).unwrap(), meaning(Mode::Plain, altered).unwrap());
    if read["clientPublicKey"] == sent["clientPublicKey"] {
        return call(session, provider, world);
    }
    let (text, _) = seal(session, provider, &Request::get("/countries/get"));
    let headers = request_headers(session.facts().id(), session.facts().token());
    let (status, answer) = world.serve(REQUEST, &headers, &text);
    assert_eq!(code_of(status, &answer), Code::EncryptionError);
}

/// An answer that was altered is refused by the client; in plain mode, which authenticates none, what the client then
/// sends is refused, unless only the end of the session was altered.
fn answers(mode: Mode) {
    let mut world = World::new(1);
    let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
    let (status, answer) = world.serve(HANDSHAKE, &hello_headers(), &device.hello());
    let first_request = |answer: &[u8]| {
        let (mut session, mut provider) = device.accept(status, answer)?;
        let (text, _) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
        Ok((text, session.facts().id().to_owned(), session.facts().token().to_owned()))
    };
    let genuine = first_request(&answer).unwrap();
    let (mut refused, mut neutral, mut harmless) = (0, 0, 0);
    for altered in variants(&answer) {
        let sent = match first_request(&altered) {
            Ok(sent) => sent,
            Err(error) => {
                let error: Error = error;
                assert!(matches!(error, Error::Peer(_) | Error::Incompatible(_)), "{error:?}");
                refused += 1;
                continue;
            }
        };
        if meaning(mode, &altered) == meaning(mode, &answer) {
            assert_eq!(sent, genuine);
            neutral += 1;
            continue;
        }
        let shown = String::from_utf8_lossy(&altered);
        assert_eq!(mode, Mode::Plain, "accepted: {shown}");
        if sent == genuine {
            let mut without_end = [meaning(mode, &altered).unwrap(), meaning(mode, &answer).unwrap()];
            for answer in &mut without_end {
                answer["expiresAt"].take();
                answer["expireToken"].take();
            }
            assert_eq!(without_end[0], without_end[1], "accepted: {shown}");
        } else {
            let (status, answer) = world.serve(REQUEST, &request_headers(&sent.1, &sent.2), &sent.0);
            let code = code_of(status, &answer);
            assert!(
                matches!(code, Code::InvalidSession | Code::InvalidToken | Code::EncryptionError),
                "{code} for {shown}"
            );
        }
        harmless += 1;
    }
    println!("{mode:?}: {refused} refused, {neutral} neutral, {harmless} harmless");
    assert!(refused > 5 * answer.len());
    let (mut session, mut provider) = device.accept(status, &answer).unwrap();
    call(&mut session, &mut provider, &mut world);
}

/// A request that was altered is refused, reaches no upstream, and takes no counter from the one that was sent.
fn requests(mode: Mode) {
    let mut world = World::new(1);
    let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
    let (mut session, mut provider) = device.shake(&mut world);
    let (text, _) = seal(&mut session, &mut provider, &Request::post("/users/login", b"{\"user\":\"u\"}"));
    let (id, token) = (session.facts().id().to_owned(), session.facts().token().to_owned());
    let headers = request_headers(&id, &token);
    for altered in variants(&text) {
        let (status, body) = world.serve(REQUEST, &headers, &altered);
        let code = code_of(status, &body);
        assert!(matches!(code, Code::MalformedRequest | Code::EncryptionError), "{code}");
    }
    for altered in variants(id.as_bytes()).filter_map(|id| String::from_utf8(id).ok()) {
        let (status, body) = world.serve(REQUEST, &request_headers(&altered, &token), &text);
        assert_eq!(code_of(status, &body), Code::InvalidSession, "{altered:?}");
    }
    for altered in variants(token.as_bytes()).filter_map(|token| String::from_utf8(token).ok()) {
        let (status, body) = world.serve(REQUEST, &request_headers(&id, &altered), &text);
        assert_eq!(code_of(status, &body), Code::InvalidToken, "{altered:?}");
    }
    assert!(world.upstream.is_empty());
    let (status, mut answer) = world.serve(REQUEST, &headers, &text);
    assert_eq!((status, world.upstream.len()), (200, 1), "the one that was sent");
    assert_eq!(session.open(&mut provider, status, &mut answer).unwrap(), world.answer.1);
    call(&mut session, &mut provider, &mut world);
}

/// A response that was altered is refused by the client, as is every other status, and the one that was sent opens still.
fn responses(mode: Mode) {
    let mut world = World::new(1);
    let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
    let (mut session, mut provider) = device.shake(&mut world);
    let (text, _) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
    let headers = request_headers(session.facts().id(), session.facts().token());
    let (status, answer) = world.serve(REQUEST, &headers, &text);
    for mut altered in variants(&answer) {
        let error = session.open(&mut provider, status, &mut altered).unwrap_err();
        assert!(matches!(error, Error::Peer(Peer::Malformed | Peer::Authentication)), "{error:?}");
    }
    if mode != Mode::Plain {
        for other in (0..=u16::MAX).filter(|other| *other != status) {
            assert!(session.open(&mut provider, other, &mut answer.clone()).is_err(), "{other}");
        }
    }
    assert_eq!(session.open(&mut provider, status, &mut answer.clone()).unwrap(), world.answer.1);
    assert!(session.open(&mut provider, status, &mut answer.clone()).is_err(), "only once");
    call(&mut session, &mut provider, &mut world);
}

macro_rules! in_every_mode {
    ($($name:ident => $check:ident($mode:ident);)*) => {$(
        #[test]
        fn $name() {
            $check(Mode::$mode);
        }
    )*};
}

in_every_mode! {
    hellos_of_plain_mode => hellos(Plain);
    hellos_of_confirmed_mode => hellos(Confirmed);
    hellos_of_pinned_mode => hellos(Pinned);
    answers_of_plain_mode => answers(Plain);
    answers_of_confirmed_mode => answers(Confirmed);
    answers_of_pinned_mode => answers(Pinned);
}

#[test]
fn requests_of_every_mode() {
    MODES.into_iter().for_each(requests);
}

#[test]
fn responses_of_every_mode() {
    MODES.into_iter().for_each(responses);
}
