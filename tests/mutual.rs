//! Mutual mode (§2.3): the gateway knows which client identity it talks to, or nothing happens.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::client::{Client, ClientError};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{Identity, Pins, Software};
use dynamic_key::crypto::{CryptoError, Signature, Signer, Verified};
use dynamic_key::envelope::{INTRODUCTION_LEN, introduce, sealed_len};
use dynamic_key::gateway::sessions::SlotHandle;
use dynamic_key::gateway::{
    Allowlist, FixedStore, Opened, RegisteredIdentity, Reply, Rule, SessionStore, StoreError,
};
use dynamic_key::handshake::{ClientConfig, ClientNeed};
use dynamic_key::nonce::WireNonce;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now, ServerSession};
use dynamic_key::{Code, Error, Misuse};
use serde_json::Value;
use std::cell::Cell;
use support::{
    Device, DeviceSession, Link, Seeded, Soft, World, head_of, hello_headers, request_headers, seal,
};

const RULES: &[Rule<'static>] = &[Rule {
    method: "GET",
    pattern: "/countries/get",
    client_types: &[ClientType::Internal],
    client_ids: &[],
    least_mode: Mode::Mutual,
    forward_headers: &[],
}];

/// A device with an identity of its own, and a world that knows it and has one route, for mutual mode only.
struct Pair {
    world: World,
    device: Device,
    identity: Identity,
}

impl Pair {
    fn new() -> Self {
        let mut world = World::new(1);
        let identity = Identity::generate(&mut Seeded(0x1de)).unwrap();
        let mut device = Device::new(Mode::Mutual, &Scheme::ELLIPTIC, &world);
        device.config.identity = Some(identity.kid());
        world.gateway.clients.identities = Box::leak(Box::new([RegisteredIdentity {
            key: identity.public().unwrap(),
            client_type: device.config.client_type,
            client_id: device.config.client_id,
            device_id: device.config.device_id,
        }]));
        world.gateway.allowlist = Allowlist::new(RULES).unwrap();
        Self { world, device, identity }
    }

    /// The status and body of the answer to the device's hello.
    fn hello(&mut self) -> (u16, Vec<u8>) {
        self.world.serve("/api/info/v2", &hello_headers(), &self.device.hello())
    }

    /// Shakes hands: the session, and the client's signature.
    fn shake(&mut self) -> (DeviceSession, Soft, Signature) {
        let (status, answer) = self.hello();
        let (mut handshake, mut provider, _) = self.device.start();
        handshake.reply(status, &answer).unwrap();
        let pins = &mut Pins(&self.device.pins);
        assert_eq!(handshake.compute(&mut provider, pins), Ok(ClientNeed::Sign));
        assert_eq!(handshake.introduction(), None);
        handshake.sign(&mut self.identity).unwrap();
        let introduction = *handshake.introduction().unwrap();
        let session = handshake.finish().unwrap();
        assert_eq!(session.facts().mode(), Mode::Mutual);
        (session, provider, introduction)
    }

    /// The status of a request that fills `text`, and its code, where the answer is the gateway's own: sealed or not.
    fn ask(
        &mut self,
        session: &mut DeviceSession,
        provider: &mut Soft,
        text: &[u8],
    ) -> (u16, Option<(Code, bool)>) {
        let headers = request_headers(session.facts().id(), session.facts().token());
        let before = self.world.upstream.len();
        let (status, mut answer) = self.world.serve("/api/request/v2", &headers, text);
        let (body, sealed) = match session.open(provider, status, &mut answer) {
            Ok(body) => (body.to_vec(), true),
            Err(_) => (answer, false),
        };
        let json: Value = serde_json::from_slice(&body).unwrap();
        let code = json["code"].as_str().and_then(Code::from_name);
        assert_eq!(self.world.upstream.len() - before, usize::from(code.is_none()), "{json}");
        (status, code.map(|code| (code, sealed)))
    }
}

fn introduced(mut envelope: Vec<u8>, signature: &Signature) -> Vec<u8> {
    let length = envelope.len();
    envelope.resize(length + INTRODUCTION_LEN, 0);
    assert_eq!(introduce(&mut envelope, length, signature), Ok(envelope.len()));
    envelope
}

fn request(session: &mut DeviceSession, provider: &mut Soft) -> Vec<u8> {
    seal(session, provider, &Request::get("/countries/get")).0
}

#[test]
fn a_registered_client_introduces_itself_until_the_first_answer_opens() {
    let mut pair = Pair::new();
    let (mut session, mut provider, introduction) = pair.shake();
    for _ in 0..2 {
        let text = introduced(request(&mut session, &mut provider), &introduction);
        assert_eq!(pair.ask(&mut session, &mut provider, &text), (200, None));
    }
    let text = request(&mut session, &mut provider);
    assert_eq!(pair.ask(&mut session, &mut provider, &text), (200, None), "it has been proven");
}

#[test]
fn a_lesser_session_does_not_reach_a_rule_of_mutual_mode() {
    let mut pair = Pair::new();
    pair.device.config.mode = Mode::Pinned;
    let (mut session, mut provider) = pair.device.shake(&mut pair.world);
    let text = request(&mut session, &mut provider);
    let refused = (400, Some((Code::ConfirmationRequired, true)));
    assert_eq!(pair.ask(&mut session, &mut provider, &text), refused);
}

#[test]
fn a_hello_without_kid_is_refused_where_mutual_mode_is_the_least() {
    let mut pair = Pair::new();
    let known = pair
        .world
        .gateway
        .clients
        .known
        .iter()
        .map(|known| dynamic_key::gateway::KnownClient { least_mode: Mode::Mutual, ..*known });
    pair.world.gateway.clients.known = known.collect::<Vec<_>>().leak();
    for (mode, status) in
        [(Mode::Confirmed, 400), (Mode::Pinned, 400), (Mode::Plain, 400), (Mode::Mutual, 200)]
    {
        pair.device.config.mode = mode;
        let (came, body) = pair.hello();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(came, status, "{mode:?}: {body}");
        assert!(status == 200 || body["code"] == Code::ConfirmationRequired.name());
    }
}

#[test]
fn an_identity_is_bound_to_one_type_client_and_device() {
    let stranger = Identity::generate(&mut Seeded(0xbad)).unwrap();
    let edits: [fn(&mut Pair, &Identity); 4] = [
        |pair, _| pair.device.config.device_id = "device-2",
        |pair, _| pair.device.config.client_type = ClientType::External,
        |pair, _| {
            pair.device.config.client_type = ClientType::External;
            pair.device.config.client_id = "partner-acme-corp";
        },
        |pair, stranger| pair.device.config.identity = Some(stranger.kid()),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let mut pair = Pair::new();
        edit(&mut pair, &stranger);
        let (status, body) = pair.hello();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &body["code"]), (403, &Code::ClientNotAllowed.name().into()), "{number}");
    }
}

#[test]
fn no_signature_but_the_clients_own_over_this_handshake_opens_the_session() {
    let mut pair = Pair::new();
    let (_, _, other_handshake) = pair.shake();
    pair.device.seed ^= 1;
    let (mut session, mut provider, introduction) = pair.shake();
    let refused = (403, Some((Code::ClientNotAllowed, true)));

    let text = request(&mut session, &mut provider);
    assert_eq!(pair.ask(&mut session, &mut provider, &text), refused, "without any");
    let stranger = Identity::generate(&mut Seeded(0xbad)).unwrap().sign(b"anything").unwrap();
    for signature in [other_handshake, stranger, [0; 64], [0xff; 64]] {
        let text = introduced(request(&mut session, &mut provider), &signature);
        assert_eq!(pair.ask(&mut session, &mut provider, &text), refused);
    }
    let text = introduced(request(&mut session, &mut provider), &introduction);
    assert_eq!(pair.ask(&mut session, &mut provider, &text), (200, None), "none of them ended it");
}

#[test]
fn no_changed_byte_of_an_introduced_envelope_passes() {
    let mut pair = Pair::new();
    let (mut session, mut provider, introduction) = pair.shake();
    let sound = introduced(request(&mut session, &mut provider), &introduction);
    let headers = request_headers(session.facts().id(), session.facts().token());
    let signature_at = sound.len() - INTRODUCTION_LEN;
    // Behind the data a changed byte leaves the envelope as it is: it is committed, so each has one of its own.
    for at in 0..sound.len() {
        let mut text = sound.clone();
        if at >= signature_at {
            let (envelope, exchange) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
            session.abandon(&exchange);
            text = introduced(envelope, &introduction);
        }
        text[at] ^= 1;
        let (status, _) = pair.world.serve("/api/request/v2", &headers, &text);
        assert!([400, 403].contains(&status), "{at}: {status}");
    }
    for cut in 0..sound.len() {
        let (status, _) = pair.world.serve("/api/request/v2", &headers, &sound[..cut]);
        assert_eq!(status, 400, "{cut}");
    }
    assert_eq!(pair.world.upstream.len(), 0);
    assert_eq!(pair.ask(&mut session, &mut provider, &sound), (200, None), "nor has any changed the session");
}

#[test]
fn a_session_is_half_open_for_thirty_seconds() {
    for (millis, status) in [(29_999, 200), (30_000, 400)] {
        let mut pair = Pair::new();
        let (mut session, mut provider, introduction) = pair.shake();
        pair.world.now = pair.world.now.saturating_add_millis(millis);
        let text = introduced(request(&mut session, &mut provider), &introduction);
        let (came, code) = pair.ask(&mut session, &mut provider, &text);
        assert_eq!(came, status);
        assert_eq!(code, (status == 400).then_some((Code::InvalidSession, false)));
        if status == 200 {
            pair.world.now = pair.world.now.saturating_add_secs(60);
            let text = request(&mut session, &mut provider);
            assert_eq!(pair.ask(&mut session, &mut provider, &text), (200, None), "and open for its life");
        }
    }
}

#[test]
fn half_open_sessions_are_bounded_and_displace_nothing() {
    let mut pair = Pair::new();
    let most = 3;
    *pair.world.store = FixedStore::with_half_open(most);
    let (mut session, mut provider, introduction) = pair.shake();
    for _ in 1..most {
        assert_eq!(pair.hello().0, 200);
    }
    let (status, body) = pair.hello();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["code"]), (503, &Code::StoreUnavailable.name().into()));
    let mut pinned = pair.device.clone();
    pinned.config.mode = Mode::Pinned;
    pinned.shake(&mut pair.world);

    let text = introduced(request(&mut session, &mut provider), &introduction);
    assert_eq!(pair.ask(&mut session, &mut provider, &text), (200, None), "the first still stands");
    assert_eq!(pair.hello().0, 200, "which makes room for one");
    assert_eq!(pair.hello().0, 503);
    pair.world.now = pair.world.now.saturating_add_millis(30_000);
    assert_eq!(pair.hello().0, 200, "and so does time");
}

#[test]
fn the_client_signs_for_a_gateway_that_it_pins_and_no_other() {
    let mut pair = Pair::new();
    let (status, answer) = pair.hello();
    pair.device.pins = vec![Identity::generate(&mut Seeded(0xbad)).unwrap().public().unwrap()];
    let (mut handshake, mut provider, _) = pair.device.start();
    handshake.reply(status, &answer).unwrap();
    assert!(handshake.statement().is_err());
    assert!(handshake.compute(&mut provider, &mut Pins(&pair.device.pins)).is_err());
    assert_eq!(handshake.statement().unwrap_err(), Misuse::HandshakeFailed.into());
    assert_eq!(handshake.need(), ClientNeed::Nothing);
}

#[test]
fn a_signer_that_fails_ends_the_handshake() {
    let mut pair = Pair::new();
    let (status, answer) = pair.hello();
    let (mut handshake, mut provider, _) = pair.device.start();
    handshake.reply(status, &answer).unwrap();
    handshake.compute(&mut provider, &mut Pins(&pair.device.pins)).unwrap();
    let outcome = handshake.signed(Err(CryptoError::Failed));
    assert_eq!(outcome, Err(Error::Crypto(CryptoError::Failed)));
    assert_eq!(handshake.need(), ClientNeed::Nothing);
    assert_eq!(handshake.introduction(), None);
}

#[test]
fn a_client_without_identity_has_no_mutual_mode() {
    let mut pair = Pair::new();
    pair.device.config.identity = None;
    let handshake = support::DeviceHandshake::new(&pair.device.config);
    assert_eq!(handshake.unwrap_err(), Misuse::InvalidConfiguration.into());
}

#[test]
fn an_introduction_needs_exactly_its_room() {
    let envelope = br#"{"nonce":"","data":""}"#;
    for room in 0..INTRODUCTION_LEN {
        let mut buffer = envelope.to_vec();
        buffer.resize(envelope.len() + room, b'.');
        let before = buffer.clone();
        let needed = envelope.len() + INTRODUCTION_LEN;
        assert_eq!(introduce(&mut buffer, envelope.len(), &[7; 64]), Err(Error::BufferTooSmall { needed }));
        assert_eq!(buffer, before);
    }
    let text = introduced(envelope.to_vec(), &[7; 64]);
    let json: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(json["identity"]["signature"].as_str().unwrap().len(), 86);
}

/// Which of the requests that went over the wire carried a signature.
fn signatures(seen: &[support::Wire]) -> Vec<bool> {
    let requests = seen.iter().filter(|wire| wire.target == "/api/request/v2");
    let json = requests.map(|wire| serde_json::from_slice::<Value>(&wire.body).unwrap());
    json.map(|envelope| envelope.get("identity").is_some()).collect()
}

#[test]
fn the_client_introduces_itself_until_an_answer_of_each_session_opens() {
    let mut pair = Pair::new();
    let (config, pins) = (pair.device.config, pair.device.pins.clone());
    // The answer to the first request is lost.
    let mut lost = 0;
    let tamper = Box::new(move |wire: &mut support::Wire| {
        if wire.target == "/api/request/v2" && wire.answer.is_some() {
            lost += 1;
            wire.lost = lost == 1;
        }
    });
    let link = Link { tamper, ..Link::honest(&mut pair.world) };
    let config = ClientConfig { mode: Mode::Pinned, identity: None, ..config };
    let mut client: Client<_, _, _, 1024, _> =
        Client::mutual(config, Software::new(Seeded(2)), Pins(&pins), pair.identity, link).unwrap();
    let mut buffer = [0; 4096];
    let get = Request::get("/countries/get");
    for _ in 0..2 {
        assert_eq!(client.request(Now::UNKNOWN, &get, &mut buffer).unwrap().status, 200);
    }
    assert_eq!(client.facts().unwrap().mode(), Mode::Mutual);
    assert_eq!(signatures(&client.transport_mut().seen), [true, true, false]);
    client.transport_mut().world.end_all();
    assert_eq!(client.request(Now::UNKNOWN, &get, &mut buffer).unwrap().status, 200);
    client.logout();
    assert_eq!(client.request(Now::UNKNOWN, &get, &mut buffer).unwrap().status, 200);
    assert_eq!(signatures(&client.transport_mut().seen), [true, true, false, false, true, true]);
}

#[test]
fn the_clients_buffer_is_exact() {
    let mut pair = Pair::new();
    let (config, pins) = (pair.device.config, pair.device.pins.clone());
    let link = Link::honest(&mut pair.world);
    let mut client: Client<_, _, _, 1024, _> =
        Client::mutual(config, Software::new(Seeded(2)), Pins(&pins), pair.identity, link).unwrap();
    let mut buffer = [0; 4096];
    client.ensure_session(Now::UNKNOWN, &mut buffer).unwrap();
    let body = format!("[\"{}\"]", "x".repeat(600)); // no answer is as long
    let request = Request { body: Some(body.as_bytes()), ..Request::new("GET", "/countries/get") };
    let sealed = sealed_len(request.plaintext_len());
    let needed = sealed + INTRODUCTION_LEN;
    let outcome = client.request(Now::UNKNOWN, &request, &mut buffer[..needed - 1]);
    assert_eq!(outcome.unwrap_err(), ClientError::Core(Error::BufferTooSmall { needed }));
    assert_eq!(client.request(Now::UNKNOWN, &request, &mut buffer[..needed]).unwrap().status, 200);
    assert_eq!(client.request(Now::UNKNOWN, &request, &mut buffer[..sealed]).unwrap().status, 200);
}

#[test]
fn mutual_mode_takes_a_signer() {
    let mut pair = Pair::new();
    let (config, link) = (pair.device.config, Link::honest(&mut pair.world));
    let client: Result<Client<_, _, _, 1024>, _> =
        Client::new(config, Software::new(Seeded(2)), Pins(&pair.device.pins), link);
    assert_eq!(client.unwrap_err(), Misuse::InvalidConfiguration.into());
}

/// A store that gives a session's place away after some looks at it.
struct Losing<'s> {
    inner: &'s mut FixedStore<Soft, 32, 32, 64>,
    looks: Cell<usize>,
}

impl SessionStore<Soft> for Losing<'_> {
    type Handle = SlotHandle;

    fn find(&mut self, id: &str, now: Timestamp) -> Result<SlotHandle, StoreError> {
        SessionStore::<Soft>::find(self.inner, id, now)
    }
    fn session<'s>(&'s self, handle: &'s SlotHandle) -> Option<&'s ServerSession<Soft>> {
        self.looks.set(self.looks.get().checked_sub(1)?);
        self.inner.session(handle)
    }
    fn insert(&mut self, session: ServerSession<Soft>, now: Timestamp) -> Result<(), StoreError> {
        self.inner.insert(session, now)
    }
    fn commit(&mut self, handle: &SlotHandle, nonce: WireNonce) -> Result<(), StoreError> {
        SessionStore::<Soft>::commit(self.inner, handle, nonce)
    }
    fn charge(&mut self, handle: &SlotHandle, blocks: u64) -> Result<(), StoreError> {
        SessionStore::<Soft>::charge(self.inner, handle, blocks)
    }
    fn is_half_open(&self, handle: &SlotHandle) -> Result<bool, StoreError> {
        SessionStore::<Soft>::is_half_open(self.inner, handle)
    }
    fn prove(&mut self, handle: &SlotHandle, proof: Verified) -> Result<(), StoreError> {
        SessionStore::<Soft>::prove(self.inner, handle, proof)
    }
    fn end(&mut self, id: &str, now: Timestamp) {
        SessionStore::<Soft>::end(self.inner, id, now);
    }
}

#[test]
fn a_session_that_the_store_loses_meanwhile_is_not_taken_for_proven() {
    for looks in 0..6 {
        let mut pair = Pair::new();
        let (mut session, mut provider, _) = pair.shake();
        let text = request(&mut session, &mut provider);
        let headers = request_headers(session.facts().id(), session.facts().token());
        let mut buffer = [0; 4096];
        buffer[..text.len()].copy_from_slice(&text);
        let World { gateway, provider, store, now, .. } = &mut pair.world;
        let mut store = Losing { inner: store, looks: Cell::new(looks) };
        let head = head_of(&headers);
        let opened = gateway.open_request(provider, &mut store, *now, &head, &mut buffer, text.len());
        assert!(matches!(opened, Ok(Opened::Reply(Reply { code: Some(_), .. }))), "{looks}");
    }
}
