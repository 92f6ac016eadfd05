//! A man on the wire alters what the transcript covers, field by field and in both directions, and is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::crypto::KeyId;
use dynamic_key::gateway::KnownClient;
use dynamic_key::handshake::ClientNeed;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode};
use dynamic_key::{Code, Error, Misuse, Peer};
use serde_json::{Value, json};
use support::{Device, Soft, World, hello_headers};

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Gateway(Code),
    Client(Error),
}

const AUTHENTICATION: Refused = Refused::Client(Error::Peer(Peer::Authentication));
const DOWNGRADE: Refused = Refused::Client(Error::Peer(Peer::Downgrade));

const ANYBODY: &[KnownClient<'static>] = &[
    KnownClient {
        client_type: ClientType::Internal,
        client_id: "internal-web-client",
        least_mode: Mode::Plain,
    },
    KnownClient {
        client_type: ClientType::External,
        client_id: "internal-web-client",
        least_mode: Mode::Plain,
    },
    KnownClient { client_type: ClientType::Internal, client_id: "another", least_mode: Mode::Plain },
];

const CONFIRMED: &[KnownClient<'static>] = &[KnownClient { least_mode: Mode::Confirmed, ..ANYBODY[0] }];

fn world() -> World {
    let mut world = World::new(1);
    world.gateway.clients.known = ANYBODY;
    world
}

/// A handshake with edits on the way there and back: the scheme that both agreed on, or who refused.
fn shake(
    world: &mut World,
    device: &Device,
    there: impl FnOnce(&mut Value),
    back: impl FnOnce(&mut Value),
) -> Result<Scheme, Refused> {
    let mut hello = serde_json::from_slice(&device.hello()).unwrap();
    there(&mut hello);
    let (status, answer) = world.serve("/api/info/v2", &hello_headers(), hello.to_string().as_bytes());
    world.end_all();
    let mut answer: Value = serde_json::from_slice(&answer).unwrap();
    if status != 200 {
        return Err(Refused::Gateway(Code::from_name(answer["code"].as_str().unwrap()).unwrap()));
    }
    back(&mut answer);
    let accepted = device.accept(status, answer.to_string().as_bytes());
    accepted.map(|(session, _)| session.facts().scheme()).map_err(Refused::Client)
}

fn untouched(_: &mut Value) {}

fn replace(pointer: &'static str, by: Value) -> impl FnOnce(&mut Value) {
    move |message| {
        let place = message.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"));
        assert_ne!(*place, by);
        *place = by;
    }
}

fn remove(member: &'static str) -> impl FnOnce(&mut Value) {
    move |message| {
        assert!(message.as_object_mut().unwrap().remove(member).is_some());
    }
}

/// A valid key that is not the one that is sent.
fn other_key(world: &World) -> Value {
    let device = Device { seed: 77, ..Device::new(Mode::Plain, &Scheme::ELLIPTIC, world) };
    serde_json::from_slice::<Value>(&device.hello()).unwrap()["clientPublicKey"].take()
}

const PROVEN: [Mode; 2] = [Mode::Confirmed, Mode::Pinned];

#[test]
fn the_client_s_fields() {
    let (a_name, another_order) = ("SCHEME-FUTURE", ["SCHEME-EC-AES1", "SCHEME-EC-AES2"]);
    for mode in PROVEN {
        let mut world = world();
        let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
        assert_eq!(shake(&mut world, &device, untouched, untouched), Ok(Scheme::EcAes2));
        let kid: KeyId = World::new(9).pin().kid();
        let edits = [
            (2, "/clientPublicKey", other_key(&world)),
            (3, "/keyAgreement/nonce", json!("AAAAAAAAAAAAAAAAAAAAAA==")),
            (3, "/keyAgreement/nonce", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
            (4, "/keyAgreement/supportedSchemes", json!(another_order)),
            (4, "/keyAgreement/supportedSchemes", json!(["SCHEME-EC-AES2"])),
            (4, "/keyAgreement/supportedSchemes", json!(["SCHEME-EC-AES1"])),
            (4, "/keyAgreement/supportedSchemes", json!(["SCHEME-EC-AES2", "SCHEME-EC-AES1", a_name])),
            (4, "/keyAgreement/supportedSchemes", json!([a_name, "SCHEME-EC-AES2", "SCHEME-EC-AES1"])),
            (5, "/device/id", json!("device-2")),
            (6, "/device/platform", json!("browser")),
            (7, "/client/type", json!("external")),
            (8, "/client/clientId", json!("another")),
        ];
        for (field, pointer, by) in edits {
            let outcome = shake(&mut world, &device, replace(pointer, by.clone()), untouched);
            assert_eq!(outcome, Err(AUTHENTICATION), "field {field}, {pointer} {by}");
        }
        let featured = |hello: &mut Value| hello["keyAgreement"]["features"] = json!(["rt"]);
        assert_eq!(shake(&mut world, &device, featured, untouched), Err(AUTHENTICATION), "field 20");
        let claimed = |hello: &mut Value| hello["keyAgreement"]["identity"] = json!({ "kid": kid.as_str() });
        let outcome = shake(&mut world, &device, claimed, untouched);
        assert_eq!(outcome, Err(Refused::Gateway(Code::ClientNotAllowed)), "field 9");
    }
}

#[test]
fn the_server_s_fields() {
    for mode in PROVEN {
        let mut world = world();
        let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
        let kid = World::new(9).pin().kid();
        let edits = [
            (10, "/serverPublicKey", other_key(&world), AUTHENTICATION),
            (11, "/keyAgreement/nonce", json!("AAAAAAAAAAAAAAAAAAAAAA=="), AUTHENTICATION),
            (12, "/keyAgreement/scheme", json!("SCHEME-EC-AES1"), AUTHENTICATION),
            (13, "/sessionId", json!("another"), AUTHENTICATION),
            (14, "/expiresAt", json!("2026-06-04T01:00:00.001Z"), AUTHENTICATION),
            (14, "/expiresAt", json!("2026-06-04T01:00:00Z"), AUTHENTICATION),
            (14, "/expiresAt", json!("2026-06-04T02:00:00.000+01:00"), AUTHENTICATION),
            (15, "/token", json!("another"), AUTHENTICATION),
            (17, "/keyAgreement/identity/kid", json!(kid.as_str()), AUTHENTICATION),
            (18, "/keyAgreement/expiresIn", json!(3601), AUTHENTICATION),
            (19, "/expireToken", json!(1_780_600_000), AUTHENTICATION),
            (21, "/keyAgreement/features", json!(["rt"]), DOWNGRADE),
        ];
        for (field, pointer, by, refused) in edits {
            let outcome = shake(&mut world, &device, untouched, replace(pointer, by.clone()));
            assert_eq!(outcome, Err(refused), "field {field}, {pointer} {by}");
        }
    }
}

/// Fields 1 and 16 do not travel in this binding; this is all that does beside the fields above.
#[test]
fn proof_and_identity() {
    for mode in PROVEN {
        let mut world = world();
        let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
        let proof = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let outcome = shake(&mut world, &device, untouched, replace("/keyAgreement/proof", proof));
        assert_eq!(outcome, Err(AUTHENTICATION));
        let strip = |answer: &mut Value| remove("identity")(answer.get_mut("keyAgreement").unwrap());
        let outcome = shake(&mut world, &device, untouched, strip);
        assert_eq!(outcome, Err(if mode == Mode::Pinned { DOWNGRADE } else { AUTHENTICATION }));
        // A signature of the same identity over another handshake.
        let (_, other) = world.serve("/api/info/v2", &hello_headers(), &device.hello());
        let mut other: Value = serde_json::from_slice(&other).unwrap();
        let signature = other["keyAgreement"]["identity"]["signature"].take();
        let outcome =
            shake(&mut world, &device, untouched, replace("/keyAgreement/identity/signature", signature));
        let expected = if mode == Mode::Pinned { Err(AUTHENTICATION) } else { Ok(Scheme::EcAes2) };
        assert_eq!(outcome, expected, "who does not pin verifies no signature");
    }
}

#[test]
fn a_stripped_key_agreement_is_no_way_down() {
    for mode in PROVEN {
        let mut world = world();
        let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
        assert_eq!(shake(&mut world, &device, remove("keyAgreement"), untouched), Err(DOWNGRADE));
        assert_eq!(shake(&mut world, &device, untouched, remove("keyAgreement")), Err(DOWNGRADE));
        world.gateway.clients.known = CONFIRMED;
        let outcome = shake(&mut world, &device, remove("keyAgreement"), untouched);
        assert_eq!(outcome, Err(Refused::Gateway(Code::ConfirmationRequired)));
        assert_eq!(shake(&mut world, &device, untouched, untouched), Ok(Scheme::EcAes2));
    }
}

#[test]
fn a_plain_client_takes_no_notice_of_a_key_agreement_that_it_did_not_ask_for() {
    let mut world = world();
    let device = Device::new(Mode::Plain, &Scheme::ELLIPTIC, &world);
    let add = |answer: &mut Value| answer["keyAgreement"] = json!({"scheme": "SCHEME-EC-AES1"});
    assert_eq!(shake(&mut world, &device, untouched, add), Ok(Scheme::EcAes2));
}

#[test]
fn an_answer_is_good_for_one_hello() {
    for mode in PROVEN {
        let mut world = world();
        let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
        let (status, answer) = world.serve("/api/info/v2", &hello_headers(), &device.hello());
        assert!(device.accept(status, &answer).is_ok());
        for seed in 0..20 {
            let refused = Device { seed, ..device.clone() }.accept(status, &answer);
            assert_eq!(refused.unwrap_err(), Error::Peer(Peer::Authentication));
        }
    }
}

/// What confirmed mode is not worth, and pinned mode is.
#[test]
fn another_gateway_in_the_middle_is_refused_by_pins_alone() {
    for (mode, expected) in [(Mode::Confirmed, Ok(Scheme::EcAes2)), (Mode::Pinned, Err(AUTHENTICATION))] {
        let device = Device::new(mode, &Scheme::ELLIPTIC, &world());
        assert_eq!(shake(&mut World::new(99), &device, untouched, untouched), expected);
    }
    let device = Device { pins: vec![], ..Device::new(Mode::Pinned, &Scheme::ELLIPTIC, &world()) };
    assert_eq!(shake(&mut world(), &device, untouched, untouched), Err(AUTHENTICATION), "no pin, no trust");
}

#[test]
fn a_gateway_that_rotates_its_identity_is_found_by_either_pin() {
    let (mut old, mut new) = (World::new(1), World::new(2));
    let mut device = Device::new(Mode::Pinned, &Scheme::ELLIPTIC, &old);
    device.pins.push(new.pin());
    for world in [&mut old, &mut new] {
        assert_eq!(shake(world, &device, untouched, untouched), Ok(Scheme::EcAes2));
    }
}

/// The machine is done with an answer once it has taken one.
#[test]
fn a_second_answer_finds_no_machine_that_waits() {
    let mut world = world();
    let device = Device::new(Mode::Pinned, &Scheme::ELLIPTIC, &world);
    let (status, answer) = world.serve("/api/info/v2", &hello_headers(), &device.hello());
    let (mut handshake, _, _): (_, Soft, _) = device.start();
    handshake.reply(status, &answer).unwrap();
    assert_eq!(handshake.reply(status, &answer), Err(Misuse::WrongTurn.into()));
    assert_eq!(handshake.need(), ClientNeed::Agree, "and the first one stands");
}
