//! The gateway from every state, under virtual time: handshakes and requests that are honest, repeated, reordered, altered,
//! misaddressed and foreign, a store that fills up and a provider that fails.
//!
//! - A request is admitted if and only if it is authentic, fresh, of a live session with its token, and on the allowlist.
//! - A handshake is refused for want of room exactly when every place is taken by a session that lives.
//! - What the gateway answers is the error that it says, or opens at the client as what was sealed.
//! - In the end every session that lives still answers a request: nothing that came could end it.
//!
//! Input: a byte that is not used, then calls. The call 0 is an honest handshake or request.
#![no_main]

mod device;
mod requests;

use device::{Client, KINDS, Kind};
use dynamic_key::Code;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::gateway::allowlist::Rule;
use dynamic_key::gateway::{
    Allowlist, Clients, ERROR_ROOM, FixedStore, Gateway, Head, KnownClient, Reply, Responder, SessionStore,
    TokenKey,
};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::input::{Input, alter};
use dynamic_key_fuzz::json;
use dynamic_key_fuzz::provider::Provider;
use libfuzzer_sys::fuzz_target;

const START: u64 = 1_780_531_200_000;
const SESSION_SECONDS: u64 = 3600;
const IDENTITY: Identity = Identity(1);
/// Places of the store, counters in a window, requests of a plain session.
const PLACES: usize = 3;
const WINDOW: u64 = 64;
const PLAIN: usize = 4;
/// Requests of a client that may await their responses.
const OUTSTANDING: usize = 8;
/// The most calls of one run.
const CALLS: usize = 64;
/// Room for any message of a run.
const ROOM: usize = 4096;

type Store = FixedStore<Provider, PLACES, { WINDOW as usize / 32 }, PLAIN>;
type Handle = <Store as SessionStore<Provider>>::Handle;

const KNOWN: &[KnownClient<'static>] = &[
    KnownClient {
        client_type: ClientType::Internal,
        client_id: "internal-web-client",
        least_mode: Mode::Plain,
    },
    KnownClient {
        client_type: ClientType::External,
        client_id: "partner-acme-corp",
        least_mode: Mode::Confirmed,
    },
];
const BOTH: &[ClientType] = &[ClientType::Internal, ClientType::External];
const RULES: &[Rule<'static>] = &[
    rule("GET", "/countries/get", BOTH, Mode::Plain),
    rule("POST", "/users/login", &[ClientType::Internal], Mode::Plain),
    rule("GET", "/users/getbyid/:id", BOTH, Mode::Confirmed),
];

const fn rule(
    method: &'static str,
    pattern: &'static str,
    client_types: &'static [ClientType],
    least_mode: Mode,
) -> Rule<'static> {
    Rule { method, pattern, client_types, client_ids: &[], least_mode, forward_headers: &[] }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    input.byte();
    let mut run = Run::new();
    for _ in 0..CALLS {
        if input.is_empty() {
            break;
        }
        run.call(&mut input);
    }
    run.everybody_is_served();
});

/// The right to answer, and to whom.
struct Open {
    responder: Responder<Handle>,
    client: usize,
    sent: usize,
}

struct Run {
    gateway: Gateway<'static, Clients<'static>>,
    provider: Provider,
    store: Store,
    /// Milliseconds since the epoch.
    now: u64,
    clients: Vec<Client>,
    /// When the sessions end that nobody has the keys of.
    orphans: Vec<u64>,
    open: Vec<Open>,
    /// What was sent to whom.
    responses: Vec<(usize, Vec<u8>)>,
}

impl Run {
    fn new() -> Self {
        Self {
            gateway: Gateway {
                clients: Clients::new(KNOWN),
                allowlist: Allowlist::new(RULES).unwrap(),
                audience: "https://gateway.example",
                tokens: TokenKey::hs256(&[7; 32]).unwrap(),
                identity: None,
                session_seconds: SESSION_SECONDS,
                instance: 7,
                plain: Default::default(),
            },
            provider: Provider::new(1),
            store: FixedStore::new(),
            now: START,
            clients: Vec::new(),
            orphans: Vec::new(),
            open: Vec::new(),
            responses: Vec::new(),
        }
    }

    fn call(&mut self, input: &mut Input<'_>) {
        self.provider.has_failed = false;
        match input.byte() % 17 {
            0 => self.honest_step(),
            1 => self.raw_hello(input),
            2 => self.shake_hands(input, false),
            3 => self.shake_hands(input, true),
            4 => {
                let (client, kind) = (input.below(self.clients.len()), input.choose(&KINDS));
                if let Some(sent) = self.seal(client, kind) {
                    self.deliver(client, sent, ROOM);
                }
            }
            5 => {
                let (client, kind) = (input.below(self.clients.len()), input.choose(&KINDS));
                for _ in 0..input.choose(&[1, 1, 1, 1, 1, 1, 1, WINDOW + 8]) {
                    self.seal(client, kind);
                }
            }
            6 => {
                // Late, or again.
                if let Some((client, sent)) = self.any_sent(input) {
                    self.deliver(client, sent, ROOM);
                }
            }
            7 => self.altered(input),
            8 => self.misaddressed(input),
            9 => self.raw_request(input),
            10 => self.answer(input),
            11 => self.answer_with_error(input),
            12 => self.now += u64::from(input.short()) * 200,
            13 => self.end(input),
            14 => self.reflected(input),
            15 => self.provider.fails_after = Some(input.byte() & 31),
            _ => {
                if let Some((client, sent)) = self.any_sent(input) {
                    self.deliver(client, sent, usize::from(input.short()) % (ERROR_ROOM + 64));
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.now)
    }

    fn lives(&self, client: usize) -> bool {
        self.clients[client].lives && self.now < self.clients[client].ends
    }

    /// How many places are taken by sessions that live.
    fn taken(&self) -> usize {
        let orphans = self.orphans.iter().filter(|ends| self.now < **ends).count();
        (0..self.clients.len()).filter(|client| self.lives(*client)).count() + orphans
    }

    fn any_sent(&self, input: &mut Input<'_>) -> Option<(usize, usize)> {
        let client = input.below(self.clients.len());
        let sent = input.below(self.clients.get(client)?.sent.len());
        self.clients[client].sent.get(sent).map(|_| (client, sent))
    }

    fn honest_step(&mut self) {
        let Some(client) = (0..self.clients.len()).find(|client| self.lives(*client)) else {
            return self.shake_hands(&mut Input::new(&[2]), false);
        };
        if let Some(open) = self.open.pop() {
            return self.seal_response(open, 200, 16, ROOM);
        }
        if let Some(sent) = self.seal(client, Kind::Countries) {
            self.deliver(client, sent, ROOM);
        }
    }

    fn accept(&mut self, head: &Head<'_>, hello: &[u8]) -> (Reply, Vec<u8>) {
        let taken = self.taken();
        let mut buffer = hello.to_vec();
        buffer.resize(hello.len().max(2048), 0);
        let mut identity = IDENTITY;
        let (now, length) = (self.now(), hello.len());
        let reply = self
            .gateway
            .accept(
                &mut self.provider,
                Some(&mut identity as &mut dyn Signer),
                &mut self.store,
                now,
                head,
                &mut buffer,
                length,
            )
            .unwrap();
        buffer.truncate(reply.length);
        if reply.status == 200 {
            assert_eq!(reply.code, None);
            assert!(taken < PLACES, "a session that lives was evicted");
        } else {
            is_error(&reply, &buffer);
            assert!(
                reply.code != Some(Code::StoreUnavailable) || taken == PLACES || self.provider.has_failed
            );
        }
        (reply, buffer)
    }

    fn raw_hello(&mut self, input: &mut Input<'_>) {
        let head = head(input.byte(), None);
        let hello = input.many();
        if self.accept(&head, hello).0.status == 200 {
            self.orphans.push(self.now + SESSION_SECONDS * 1000);
        }
    }

    fn shake_hands(&mut self, input: &mut Input<'_>, is_altered: bool) {
        let choice = input.byte();
        let known = KNOWN[usize::from(choice >> 2 & 1)];
        let schemes: &[Scheme] = if choice & 8 == 0 { &Scheme::ELLIPTIC } else { &[Scheme::EcAes1] };
        let config = ClientConfig {
            mode: [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Pinned][usize::from(choice & 3)],
            schemes,
            ..ClientConfig::new(known.client_type, known.client_id, "device", "server")
        };
        let mut handshake = ClientHandshake::<Provider, 1024, OUTSTANDING>::new(&config).unwrap();
        let mut device = self.provider.peer(1000 + self.clients.len() as u64);
        assert_eq!(handshake.compute(&mut device, &mut { IDENTITY }), Ok(ClientNeed::Hello));
        let mut hello = vec![0; 512];
        let length = handshake.hello(&mut device, Now::wall(self.now()), &mut hello).unwrap();
        hello.truncate(length);
        if is_altered {
            alter(&mut hello, input);
        }
        let (reply, answer) = self.accept(&head(0, None), &hello);
        let established = handshake
            .reply(reply.status, &answer)
            .and_then(|()| handshake.compute(&mut device, &mut { IDENTITY }))
            .and_then(|_| handshake.finish());
        let ends = self.now + SESSION_SECONDS * 1000;
        match established {
            Ok(session) => {
                assert!(!is_altered || config.mode == Mode::Plain, "an altered hello passed");
                if is_altered {
                    // Whose it is and with which key, nobody knows.
                    return self.orphans.push(ends);
                }
                self.clients.push(Client {
                    session,
                    mode: config.mode,
                    client_type: known.client_type,
                    ends,
                    lives: true,
                    sent: Vec::new(),
                    committed: 0,
                    uncertain: 0,
                    top: 0,
                    possible_top: 0,
                });
            }
            Err(error) => {
                if reply.status == 200 {
                    assert!(is_altered, "{error}");
                    self.orphans.push(ends);
                } else if !is_altered && reply.code != Some(Code::StoreUnavailable) {
                    let too_weak = config.mode < known.least_mode;
                    assert_eq!(reply.code, Some(Code::ConfirmationRequired).filter(|_| too_weak));
                }
            }
        }
    }

    fn end(&mut self, input: &mut Input<'_>) {
        let client = input.below(self.clients.len());
        let Some(ended) = self.clients.get_mut(client) else { return };
        ended.lives = false;
        let id = ended.session.facts().id().to_string();
        let now = self.now();
        SessionStore::<Provider>::end(&mut self.store, &id, now);
    }

    /// Whatever has happened, a session that lives answers.
    fn everybody_is_served(&mut self) {
        self.provider.fails_after = None;
        self.provider.has_failed = false;
        for client in 0..self.clients.len() {
            let Client { mode, committed, uncertain, .. } = &self.clients[client];
            let is_full = *mode == Mode::Plain && committed + uncertain >= PLAIN;
            if !self.lives(client) || is_full {
                continue;
            }
            self.clients[client].gives_up();
            let sent = self.seal(client, Kind::Countries).expect("a session that lives");
            let open = self.open.len();
            self.deliver(client, sent, ROOM);
            assert_eq!(self.open.len(), open + 1, "a session that lives is not served");
            let open = self.open.pop().unwrap();
            self.seal_response(open, 200, 5, ROOM);
        }
    }
}

/// The protocol's headers: 0 all of them, otherwise one is wrong.
fn head<'a>(choice: u8, credentials: Option<(&'a str, &'a str)>) -> Head<'a> {
    let mut head = Head::new();
    head.add("X-Dynamic-Key-Version", if choice % 8 == 1 { b"1" } else { b"2" });
    head.add(
        "content-type",
        if choice % 8 == 2 { b"text/plain" } else { b"application/json; charset=utf-8" },
    );
    if choice % 8 == 3 {
        head.add("x-dynamic-key-version", b"2");
    }
    if let Some((id, token)) = credentials {
        if choice % 8 != 4 {
            head.add("X-Session-Id", id.as_bytes());
        }
        if choice % 8 != 5 {
            head.add(
                "Authorization",
                if choice % 8 == 6 { &token.as_bytes()[..token.len() - 1] } else { token.as_bytes() },
            );
        }
        if choice % 8 == 7 {
            head.add("authorization", token.as_bytes());
        }
    }
    head
}

/// An error outside an envelope.
fn is_error(reply: &Reply, body: &[u8]) {
    let code = reply.code.expect("an error");
    assert_eq!(reply.status, code.status());
    let error = json::parse(body).unwrap();
    assert_eq!(error.string("code"), Some(code.name()));
    assert_eq!(error.get("status").and_then(json::Node::integer), Some(code.status().into()));
}
