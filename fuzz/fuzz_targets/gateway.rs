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

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::envelope::sealed_len;
use dynamic_key::gateway::allowlist::Rule;
use dynamic_key::gateway::{
    Allowlist, Clients, ERROR_ROOM, FixedStore, Gateway, Head, KnownClient, Opened, Reply, Responder,
    SessionStore, TokenKey,
};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Exchange, Mode, Now, Session};
use dynamic_key::{Code, Error, Peer};
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

/// A client's end.
struct Client {
    session: Session<Provider, 1024, OUTSTANDING>,
    mode: Mode,
    client_type: ClientType,
    /// When it ends, in milliseconds since the epoch.
    ends: u64,
    /// Whether the gateway still has it, as far as it has not expired.
    lives: bool,
    sent: Vec<Sent>,
    /// Requests committed for certain, and those of which a failure leaves it open.
    committed: usize,
    uncertain: usize,
    /// One more than the highest counter that was committed, and that may have been.
    top: u64,
    possible_top: u64,
}

impl Client {
    /// Forgets what was sent and not answered, so that there is room for more.
    fn gives_up(&mut self) {
        for sent in &mut self.sent {
            self.session.abandon(&sent.exchange);
            sent.is_awaited = false;
        }
    }
}

/// A request that was sealed.
struct Sent {
    exchange: Exchange,
    envelope: Vec<u8>,
    kind: Kind,
    fate: Fate,
    /// Whether the client awaits its response.
    is_awaited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Fresh,
    Committed,
    /// Something failed on the way: nobody knows.
    Uncertain,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Countries,
    Login,
    ById,
    NoRoute,
    NoRequest,
    BadHeader,
}

const KINDS: [Kind; 6] =
    [Kind::Countries, Kind::Login, Kind::ById, Kind::NoRoute, Kind::NoRequest, Kind::BadHeader];

impl Kind {
    fn plaintext(self) -> Vec<u8> {
        let headers: &[(&str, &str)] =
            if self == Self::BadHeader { &[("accept", "a"), ("Accept", "b")] } else { &[("accept", "*/*")] };
        let request = match self {
            Self::Login => Request::post("/users/login", b"{\"n\":1}"),
            Self::ById => Request::get("/users/getbyid/7"),
            Self::NoRoute => Request::get("/admin"),
            Self::NoRequest => return b"{\"method\":\"GET\"}".to_vec(),
            Self::Countries | Self::BadHeader => Request::get("/countries/get"),
        };
        let request = Request { headers, query: &[("q", "a b")], ..request };
        let mut out = vec![0; request.plaintext_len()];
        request.write(&mut out).unwrap();
        out
    }

    /// The code of its refusal once it is committed.
    fn refusal(self, client: &Client) -> Option<Code> {
        match self {
            Self::Countries => None,
            Self::Login if client.client_type == ClientType::Internal => None,
            Self::ById if client.mode == Mode::Plain => Some(Code::ConfirmationRequired),
            Self::ById => None,
            Self::Login | Self::NoRoute => Some(Code::RouteNotAllowed),
            Self::NoRequest | Self::BadHeader => Some(Code::MalformedRequest),
        }
    }
}

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
        }
    }

    fn call(&mut self, input: &mut Input<'_>) {
        self.provider.has_failed = false;
        match input.byte() % 16 {
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
            14 => self.provider.fails_after = Some(input.byte() & 31),
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

    // Handshakes.

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

    // Requests.

    fn seal(&mut self, client: usize, kind: Kind) -> Option<usize> {
        let client = self.clients.get_mut(client)?;
        let mut device = self.provider.peer(0);
        let mut buffer = kind.plaintext();
        let length = buffer.len();
        buffer.resize(sealed_len(length), 0);
        let awaited = client.sent.iter().filter(|sent| sent.is_awaited).count();
        if awaited >= if client.mode == Mode::Plain { 1 } else { OUTSTANDING } {
            client.gives_up();
        }
        let now = Now::wall(Timestamp::from_unix_millis(self.now));
        let (_, exchange) = match client.session.seal(&mut device, now, &mut buffer, length) {
            Ok(sealed) => sealed,
            Err(error) => {
                assert_eq!(error, Error::SessionExpired);
                assert!(self.now >= client.ends);
                return None;
            }
        };
        client.sent.push(Sent { exchange, envelope: buffer, kind, fate: Fate::Fresh, is_awaited: true });
        Some(client.sent.len() - 1)
    }

    fn credentials(&self, client: usize) -> (String, String) {
        let facts = self.clients[client].session.facts();
        (facts.id().into(), format!("Bearer {}", facts.token()))
    }

    /// A request as it was sealed, whatever became of it before.
    fn deliver(&mut self, client: usize, sent: usize, room: usize) {
        let (id, token) = self.credentials(client);
        let head = head(0, Some((&id, &token)));
        let lives = self.lives(client);
        let envelope = self.clients[client].sent[sent].envelope.clone();
        let mut buffer = envelope.clone();
        buffer.resize(room.max(envelope.len()), 0);
        let now = self.now();
        let opened = self.gateway.open_request(
            &mut self.provider,
            &mut self.store,
            now,
            &head,
            &mut buffer,
            envelope.len(),
        );
        let failed = self.provider.has_failed;

        let Client { mode, sent: all, committed, uncertain, top, possible_top, .. } =
            &mut self.clients[client];
        let (is_plain, counter) = (*mode == Mode::Plain, all[sent].exchange.nonce().counter());
        let (fate, kind) = (all[sent].fate, all[sent].kind);
        // What must be said of it, and what else may be said where a failure has left that open.
        let is_replay = fate == Fate::Committed || (!is_plain && counter + WINDOW < *top);
        let may_be_replay = fate != Fate::Fresh || (!is_plain && counter + WINDOW < *possible_top);
        let is_full = is_plain && *committed == PLAIN;
        let may_be_full = is_plain && *committed + *uncertain >= PLAIN;
        match opened {
            Ok(Opened::Admitted(admitted)) => {
                assert!(lives && !is_replay && !is_full, "it must not be admitted");
                let plaintext = kind.plaintext();
                let wanted = json::parse(&plaintext).unwrap();
                assert_eq!(Some(admitted.request.method()), wanted.string("method"));
                assert_eq!(Some(admitted.request.path()), wanted.string("path"));
                assert_eq!(admitted.request.body(), (kind == Kind::Login).then_some(&b"{\"n\":1}"[..]));
                assert_eq!(admitted.forwarded_headers().count(), 1);
                let mut query = [0; 16];
                let length = admitted.write_query(&mut query).unwrap();
                assert_eq!(&query[..length], b"q=a%20b");
                assert_eq!(admitted.rule.method, admitted.request.method());
                let responder = admitted.responder;
                self.commit(client, sent);
                assert_eq!(kind.refusal(&self.clients[client]), None);
                self.open.push(Open { responder, client, sent });
            }
            Ok(Opened::Reply(reply)) => {
                buffer.truncate(reply.length);
                let code = reply.code.expect("an error");
                if failed {
                    if fate == Fate::Fresh {
                        all[sent].fate = Fate::Uncertain;
                        *uncertain += 1;
                        *possible_top = (*possible_top).max(counter + 1);
                    }
                    return;
                }
                if !lives {
                    assert!(matches!(code, Code::SessionExpired | Code::InvalidSession), "{code}");
                    return is_error(&reply, &buffer);
                }
                let refusal = kind.refusal(&self.clients[client]);
                if !is_replay && !is_full && Some(code) == refusal {
                    self.commit(client, sent);
                    return self.receive(client, sent, &reply, &buffer);
                }
                is_error(&reply, &buffer);
                match code {
                    Code::EncryptionError => assert!(is_replay || may_be_replay),
                    Code::InvalidSession => {
                        assert!(!is_replay && may_be_full);
                        self.clients[client].lives = false;
                    }
                    code => panic!("{code} instead of {refusal:?}"),
                }
            }
            // Found before anything has happened: the same request passes with more room.
            Err(error) => {
                assert_eq!(error, Error::BufferTooSmall { needed: ERROR_ROOM });
                assert!(room.max(envelope.len()) < ERROR_ROOM);
            }
        }
    }

    fn commit(&mut self, client: usize, sent: usize) {
        let client = &mut self.clients[client];
        let sent = &mut client.sent[sent];
        if sent.fate == Fate::Uncertain {
            client.uncertain -= 1;
        }
        sent.fate = Fate::Committed;
        client.committed += 1;
        client.top = client.top.max(sent.exchange.nonce().counter() + 1);
        client.possible_top = client.possible_top.max(client.top);
    }

    /// The client gets the gateway's own error: sealed, but in plain mode.
    fn receive(&mut self, client: usize, sent: usize, reply: &Reply, body: &[u8]) {
        let code = reply.code.unwrap();
        assert_eq!(reply.status, code.status());
        if self.clients[client].mode == Mode::Plain {
            return is_error(reply, body);
        }
        let Some(opened) = self.open_at_client(client, sent, reply.status, body) else { return };
        let error = json::parse(&opened).unwrap();
        assert_eq!(error.string("code"), Some(code.name()));
    }

    /// The plaintext of a response, unless the client awaits it no more.
    fn open_at_client(&mut self, client: usize, sent: usize, status: u16, body: &[u8]) -> Option<Vec<u8>> {
        let mut device = self.provider.peer(0);
        let mut buffer = body.to_vec();
        let client = &mut self.clients[client];
        // In plain mode nothing ties a response to its request.
        let answered = if client.mode == Mode::Plain {
            client.sent.iter().position(|sent| sent.is_awaited)
        } else {
            Some(sent)
        };
        let awaited = answered.filter(|sent| client.sent[*sent].is_awaited);
        match client.session.open(&mut device, status, &mut buffer) {
            Ok(opened) => {
                client.sent[awaited.expect("nothing was awaited")].is_awaited = false;
                Some(opened.to_vec())
            }
            Err(error) => {
                assert_eq!((error, awaited), (Peer::Authentication.into(), None));
                None
            }
        }
    }

    /// Never admitted, never an end: an envelope that is not as it was sealed.
    fn altered(&mut self, input: &mut Input<'_>) {
        let Some((client, sent)) = self.any_sent(input) else { return };
        let (id, token) = self.credentials(client);
        let mut envelope = self.clients[client].sent[sent].envelope.clone();
        alter(&mut envelope, input);
        self.refused(&head(0, Some((&id, &token))), &envelope);
    }

    /// An envelope under the wrong head.
    fn misaddressed(&mut self, input: &mut Input<'_>) {
        let Some((client, sent)) = self.any_sent(input) else { return };
        let other = input.below(self.clients.len());
        let ((id, token), (other_id, other_token)) = (self.credentials(client), self.credentials(other));
        let choice = input.byte();
        let head = match choice % 4 {
            0 => head(1 + choice / 4 % 7, Some((&id, &token))),
            _ if other == client => return,
            1 => head(0, Some((&other_id, &other_token))),
            2 => head(0, Some((&id, &other_token))),
            _ => head(0, Some((&other_id, &token))),
        };
        let envelope = self.clients[client].sent[sent].envelope.clone();
        self.refused(&head, &envelope);
    }

    fn raw_request(&mut self, input: &mut Input<'_>) {
        let client = input.below(self.clients.len());
        let choice = input.byte();
        let envelope = input.many();
        if client < self.clients.len() {
            let (id, token) = self.credentials(client);
            self.refused(&head(choice, Some((&id, &token))), envelope);
        } else {
            self.refused(&head(choice, None), envelope);
        }
    }

    fn refused(&mut self, head: &Head<'_>, envelope: &[u8]) {
        let mut buffer = envelope.to_vec();
        buffer.resize(envelope.len().max(ROOM), 0);
        let now = self.now();
        let opened = self.gateway.open_request(
            &mut self.provider,
            &mut self.store,
            now,
            head,
            &mut buffer,
            envelope.len(),
        );
        let Ok(Opened::Reply(reply)) = opened else { panic!("{opened:?}") };
        is_error(&reply, &buffer[..reply.length]);
        let code = reply.code.unwrap();
        assert!(
            code != Code::RouteNotAllowed && (code != Code::StoreUnavailable || self.provider.has_failed),
            "{code}"
        );
    }

    // Responses.

    fn take_open(&mut self, input: &mut Input<'_>) -> Option<Open> {
        let which = input.below(self.open.len());
        (which < self.open.len()).then(|| self.open.swap_remove(which))
    }

    fn answer(&mut self, input: &mut Input<'_>) {
        let status = input.choose(&[200, 204, 304, 101, 404, 500, 599, 600]);
        let (length, room) = (usize::from(input.byte()) * 2, input.short());
        let room = if room & 1 == 0 { ROOM } else { usize::from(room) % 1024 };
        if let Some(open) = self.take_open(input) {
            self.seal_response(open, status, length, room);
        }
    }

    fn seal_response(&mut self, open: Open, status: u16, length: usize, room: usize) {
        let Open { responder, client, sent } = open;
        let lives = self.clients[client].lives;
        let body = vec![b'u'; length];
        let mut buffer = body.clone();
        buffer.resize(room.max(length), 0);
        let sealed = self.gateway.seal_response(
            &mut self.provider,
            &mut self.store,
            responder,
            status,
            &mut buffer,
            length,
        );
        let reply = match sealed {
            Ok(reply) => reply,
            Err((Error::BufferTooSmall { needed }, Some(responder))) => {
                assert!(buffer.len() < needed);
                return self.seal_response(Open { responder, client, sent }, status, length, needed);
            }
            Err((error, _)) => panic!("{error}: the right to answer is lost"),
        };
        buffer.truncate(reply.length);
        if self.provider.has_failed || !lives {
            return;
        }
        if let Some(code) = reply.code {
            // The session has expired meanwhile, or the upstream's answer is none.
            if !self.lives(client) {
                assert!(matches!(code, Code::SessionExpired | Code::UpstreamUnavailable));
                return;
            }
            assert_eq!(code, Code::UpstreamUnavailable);
            assert!(matches!(status, 304 | 101 | 600));
            return self.receive(client, sent, &reply, &buffer);
        }
        let (status, body) = if status == 204 { (200, vec![]) } else { (status, body) };
        assert_eq!(reply.status, status);
        if let Some(opened) = self.open_at_client(client, sent, reply.status, &buffer) {
            assert_eq!(opened, body);
        }
    }

    fn answer_with_error(&mut self, input: &mut Input<'_>) {
        let code = input.choose(&Code::ALL);
        let Some(Open { responder, client, sent }) = self.take_open(input) else { return };
        let lives = self.clients[client].lives;
        let mut buffer = vec![0; ERROR_ROOM];
        let reply = self
            .gateway
            .seal_error(&mut self.provider, &mut self.store, responder, code, &mut buffer)
            .unwrap();
        buffer.truncate(reply.length);
        if lives && self.lives(client) && !self.provider.has_failed {
            assert_eq!(reply.code, Some(code));
            self.receive(client, sent, &reply, &buffer);
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
