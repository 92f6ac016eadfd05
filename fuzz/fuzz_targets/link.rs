//! The paved path: a client that makes requests of a gateway through somebody who loses, delays, repeats, alters, forges and
//! impersonates.
//!
//! - Outside plain mode an answer is the gateway's, to this request and no other.
//! - A request that is not idempotent is carried out once at the most, and never if the client says that it was not.
//! - A request causes one renewal at the most, no session is given up before another stands, and once the link is honest
//!   again, so is the next answer.
//!
//! Input: a client and its clocks, then requests, each followed by what becomes of its messages. Zero is an honest request.
#![no_main]

use dynamic_key::Code;
use dynamic_key::client::{Client, ClientError, HANDSHAKE_PATH};
use dynamic_key::codec::retry_after::Unread;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::gateway::allowlist::Rule;
use dynamic_key::gateway::{Allowlist, Clients, FixedStore, Gateway, Head, KnownClient, Opened, TokenKey};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::handshake::dynamic_key::write_error;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now, Uptime};
use dynamic_key::transport::{self, Response, Transport, TransportError};
use dynamic_key_fuzz::identity::Identity;
use dynamic_key_fuzz::input::{Input, alter};
use dynamic_key_fuzz::json;
use dynamic_key_fuzz::provider::Provider;
use libfuzzer_sys::fuzz_target;

const START: u64 = 1_780_531_200_000;
const SESSION_SECONDS: u64 = 60;
const REQUESTS: usize = 24;
const KNOWN: &[KnownClient<'static>] =
    &[KnownClient { client_type: ClientType::Internal, client_id: "web", least_mode: Mode::Plain }];
const RULES: &[Rule<'static>] = &[rule("GET", "/get/:n"), rule("POST", "/post/:n")];

const fn rule(method: &'static str, pattern: &'static str) -> Rule<'static> {
    Rule {
        method,
        pattern,
        client_types: &[ClientType::Internal],
        client_ids: &[],
        least_mode: Mode::Plain,
        forward_headers: &[],
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let mode = [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Pinned][usize::from(choice & 3)];
    let schemes = if choice & 16 == 0 { &Scheme::ELLIPTIC[..] } else { &Scheme::ELLIPTIC[1..] };
    let config =
        ClientConfig { mode, schemes, ..ClientConfig::new(ClientType::Internal, "web", "device", "server") };
    let link = Link::new(input);
    let client = Client::new(config, link.provider.peer(2), Identity(1), link).unwrap();
    let mut run = Run { client, mode, clocks: choice >> 2 & 3, asked: Vec::new() };
    for _ in 0..REQUESTS {
        if run.link().input.is_empty() {
            break;
        }
        run.step();
    }
    run.all_is_well();
});

/// What the client was asked, and what it said.
struct Asked {
    idempotent: bool,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Answered,
    Unknown,
    Refused,
    Failed,
}

struct Run<'i> {
    client: Client<'static, Provider, Identity, Link<'i>, 512>,
    mode: Mode,
    clocks: u8,
    asked: Vec<Asked>,
}

impl<'i> Run<'i> {
    fn link(&mut self) -> &mut Link<'i> {
        self.client.transport_mut()
    }

    fn step(&mut self) {
        let kind = self.link().input.byte();
        match kind >> 2 & 7 {
            1 => {
                let time = self.link().input.short();
                self.link().now += u64::from(time) * 2;
            }
            2 => *self.link().store = FixedStore::new(),
            3 => self.client.logout(),
            _ => {}
        }
        self.request(kind & 3);
    }

    fn request(&mut self, kind: u8) {
        let number = self.asked.len();
        let (clocks, time) = (self.clocks, self.link().now);
        let (wall, uptime) = (Timestamp::from_unix_millis(time), Uptime::from_millis(time - START + 5));
        let now = [Now::both(wall, uptime), Now::wall(wall), Now::uptime(uptime), Now::UNKNOWN]
            [usize::from(clocks)];
        let (get, post) = (format!("/get/{number}"), format!("/post/{number}"));
        let request = match kind {
            0 | 3 => Request::get(&get),
            kind => Request { idempotent: kind == 1, ..Request::post(&post, b"{}") },
        };
        let (had_session, hellos) = (self.client.facts().is_some(), self.link().hellos);
        let mut buffer = vec![0; 4096];
        let outcome = match self.client.request(now, &request, &mut buffer) {
            Ok(answer) => {
                if self.mode == Mode::Plain {
                    let (_, said) =
                        str::from_utf8(answer.body).unwrap().split_once('/').expect("somebody's answer");
                    assert!(said.split_once('/').unwrap().1.parse::<usize>().unwrap() <= number);
                } else {
                    let expected = (200, echo(request.method, request.path));
                    assert_eq!((answer.status, answer.body.to_vec()), expected, "the answer to this request");
                    assert!(self.executions(request.path) > 0);
                }
                Outcome::Answered
            }
            Err(ClientError::OutcomeUnknown { .. }) => {
                assert!(!request.is_idempotent());
                Outcome::Unknown
            }
            Err(ClientError::Refused { .. }) => Outcome::Refused,
            Err(ClientError::Core(_) | ClientError::Transport(_)) => Outcome::Failed,
            Err(error) => panic!("{error:?}"),
        };
        assert!(self.link().hellos <= hellos + 4, "two handshakes, whose hello is repeated once");
        assert!(
            !had_session || self.client.facts().is_some(),
            "a session was given up before another stands"
        );
        self.asked.push(Asked { idempotent: request.is_idempotent(), outcome });
    }

    /// How often the upstream was asked for this path.
    fn executions(&mut self, path: &str) -> usize {
        self.link().upstream.iter().filter(|asked| *asked == path).count()
    }

    fn all_is_well(&mut self) {
        self.link().arrive_all();
        for number in 0..self.asked.len() {
            let Asked { idempotent, outcome } = self.asked[number];
            let executions =
                self.executions(&format!("/get/{number}")) + self.executions(&format!("/post/{number}"));
            assert!(executions <= if idempotent { 2 } else { 1 }, "carried out {executions} times");
            // In plain mode anybody can write a refusal.
            let untouched =
                outcome == Outcome::Failed || (outcome == Outcome::Refused && self.mode != Mode::Plain);
            assert!(idempotent || !untouched || executions == 0, "the caller may repeat it");
        }
        self.link().is_calm = true;
        self.link().now += 120_000;
        self.request(0);
        assert_eq!(self.asked.pop().unwrap().outcome, Outcome::Answered);
    }
}

/// What the upstream says.
fn echo(method: &str, path: &str) -> Vec<u8> {
    format!("{method} {path}").into_bytes()
}

/// A message on its way to the gateway.
#[derive(Clone)]
struct Message {
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

type Answer = (u16, Vec<u8>);

/// How an exchange broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Before,
    Ended,
    Silence,
}

impl TransportError for Broken {
    fn request_left(&self) -> bool {
        *self != Self::Before
    }

    fn is_timeout(&self) -> bool {
        *self == Self::Silence
    }
}

/// A transport through somebody who does what the input says.
struct Link<'i> {
    input: Input<'i>,
    is_calm: bool,
    gateway: Gateway<'static, Clients<'static>>,
    provider: Provider,
    store: Box<FixedStore<Provider, 24, 2, 16>>,
    now: u64,
    hellos: usize,
    /// The paths that the upstream was asked for.
    upstream: Vec<String>,
    messages: Vec<Message>,
    late: Vec<Message>,
    answers: Vec<Answer>,
    pending: Result<Answer, Broken>,
}

impl<'i> Link<'i> {
    fn new(input: Input<'i>) -> Self {
        Self {
            input,
            is_calm: false,
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
            store: Box::new(FixedStore::new()),
            now: START,
            hellos: 0,
            upstream: Vec::new(),
            messages: Vec::new(),
            late: Vec::new(),
            answers: Vec::new(),
            pending: Err(Broken::Silence),
        }
    }

    /// The gateway serves a message.
    fn deliver(&mut self, message: &Message) -> Answer {
        let mut head = Head::new();
        for (name, value) in &message.headers {
            head.add(name, value.as_bytes());
        }
        let now = Timestamp::from_unix_millis(self.now);
        let mut buffer = message.body.clone();
        let length = buffer.len();
        buffer.resize(4096.max(length), 0);
        let Self { gateway, provider, store, .. } = self;
        let store = &mut **store;
        let reply = if message.target == HANDSHAKE_PATH {
            let mut identity = Identity(1);
            let identity: &mut dyn Signer = &mut identity;
            gateway.accept(provider, Some(identity), store, now, &head, &mut buffer, length).unwrap()
        } else {
            match gateway.open_request(provider, store, now, &head, &mut buffer, length).unwrap() {
                Opened::Reply(reply) => reply,
                Opened::Admitted(admitted) => {
                    let body = echo(admitted.request.method(), admitted.request.path());
                    self.upstream.push(admitted.request.path().into());
                    let responder = admitted.responder;
                    buffer[..body.len()].copy_from_slice(&body);
                    let sealed =
                        gateway.seal_response(provider, store, responder, 200, &mut buffer, body.len());
                    sealed.map_err(|(error, _)| error).unwrap()
                }
            }
        };
        buffer.truncate(reply.length);
        self.answers.push((reply.status, buffer.clone()));
        (reply.status, buffer)
    }

    /// Another gateway answers a hello in its place.
    fn impostor(&mut self, message: &Message) -> Answer {
        let mut other = Link::new(Input::new(&[]));
        other.provider = self.provider.peer(3);
        other.now = self.now;
        let mut buffer = message.body.clone();
        let length = buffer.len();
        buffer.resize(2048, 0);
        let mut head = Head::new();
        for (name, value) in &message.headers {
            head.add(name, value.as_bytes());
        }
        let mut identity = Identity(2);
        let identity: &mut dyn Signer = &mut identity;
        let now = Timestamp::from_unix_millis(self.now);
        let Link { gateway, mut provider, mut store, .. } = other;
        let reply = gateway
            .accept(&mut provider, Some(identity), &mut *store, now, &head, &mut buffer, length)
            .unwrap();
        buffer.truncate(reply.length);
        (reply.status, buffer)
    }

    fn arrive_all(&mut self) {
        for message in core::mem::take(&mut self.late) {
            self.deliver(&message);
        }
    }

    /// What becomes of a message and its answer.
    fn exchange(&mut self, message: &Message) -> Result<Answer, Broken> {
        if self.is_calm {
            return Ok(self.deliver(message));
        }
        match self.input.byte() % 20 {
            1 => return Err(Broken::Before),
            2 => return Err([Broken::Ended, Broken::Silence][self.input.below(2)]),
            3 => {
                // Nobody answers now, but it arrives.
                self.late.push(message.clone());
                return Err([Broken::Ended, Broken::Silence][self.input.below(2)]);
            }
            4 => self.arrive_all(),
            5 => {
                let mut altered = message.clone();
                alter(&mut altered.body, &mut self.input);
                return Ok(self.deliver(&altered));
            }
            6 => {
                let mut altered = message.clone();
                let place = self.input.below(altered.headers.len());
                altered.headers.remove(place);
                return Ok(self.deliver(&altered));
            }
            7 => {
                // It arrives twice; the second answer is the one that comes.
                self.deliver(message);
            }
            8 => {
                // An earlier one arrives again.
                let which = self.input.below(self.messages.len());
                let earlier = self.messages[which].clone();
                self.deliver(&earlier);
            }
            9 if message.target == HANDSHAKE_PATH => return Ok(self.impostor(message)),
            10 => {
                let which = self.input.below(self.messages.len());
                let earlier = self.messages[which].clone();
                return Ok(self.deliver(&earlier));
            }
            _ => {}
        }
        let (mut status, mut body) = self.deliver(message);
        match self.input.byte() % 12 {
            1 => return Err([Broken::Ended, Broken::Silence][self.input.below(2)]),
            2 => alter(&mut body, &mut self.input),
            3 => status = self.input.short() % 600,
            4 => (status, body) = forged(&mut self.input),
            5 => {
                let which = self.input.below(self.answers.len());
                (status, body) = self.answers[which].clone();
            }
            6 => body = self.input.some().to_vec(),
            7 => body = json::parse(&body).map_or(body, |message| message.foreign().into_bytes()),
            8 => body = message.body.clone(),
            _ => {}
        }
        Ok((status, body))
    }
}

/// An error that nobody sealed.
fn forged(input: &mut Input<'_>) -> Answer {
    let code = input.choose(&Code::ALL);
    let scheme = input.choose(&[None, Some(Scheme::EcAes1), Some(Scheme::Aes2)]);
    let mut body = vec![0; 256];
    let length = write_error(code, scheme, &mut body).unwrap();
    body.truncate(length);
    (code.status(), body)
}

impl Transport for Link<'_> {
    type Error = Broken;

    fn send(&mut self, request: &transport::Request<'_>) -> Result<(), Broken> {
        let headers = request.headers.iter().map(|header| (header.name().into(), header.value().concat()));
        let message =
            Message { target: request.target.into(), headers: headers.collect(), body: request.body.into() };
        self.hellos += usize::from(message.target == HANDSHAKE_PATH);
        self.messages.push(message.clone());
        self.pending = self.exchange(&message);
        match self.pending {
            Err(Broken::Before) => {
                self.messages.pop();
                Err(Broken::Before)
            }
            _ => Ok(()),
        }
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Broken> {
        let (status, body) = core::mem::replace(&mut self.pending, Err(Broken::Silence))?;
        let room = buffer.get_mut(..body.len()).ok_or(Broken::Ended)?;
        room.copy_from_slice(&body);
        Ok(Response { status, content_type_is_json: true, retry_after: Unread::ABSENT, body: room })
    }
}
