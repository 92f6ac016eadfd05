//! A gateway with its sessions, its identity and its upstream, in memory and under virtual time.

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, PinnedKey, Software};
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::{
    Allowlist, Clients, FixedStore, Gateway, Head, KnownClient, Opened, Reply, SessionStore, TokenKey,
};
use dynamic_key::session::{ClientType, Mode};

use super::{Seeded, Soft};

/// The origin of the tests' gateway.
pub const AUDIENCE: &str = "https://gateway.example";
/// When the tests begin.
pub const START: Timestamp = Timestamp::from_unix_secs(1_780_531_200);

pub const KNOWN: &[KnownClient<'static>] = &[
    KnownClient {
        client_type: ClientType::Internal,
        client_id: "internal-web-client",
        least_mode: Mode::Plain,
    },
    KnownClient {
        client_type: ClientType::External,
        client_id: "partner-acme-corp",
        least_mode: Mode::Plain,
    },
];

/// A gateway with its sessions, its identity and its upstream, all in memory and under virtual time.
pub struct World {
    pub gateway: Gateway<'static, Clients<'static>>,
    pub provider: Soft,
    pub identity: Identity,
    pub store: Box<FixedStore<Soft, 32, 32, 64>>,
    pub now: Timestamp,
    /// Every request that has reached the upstream: method, path and query, body.
    pub upstream: Vec<(String, String, Vec<u8>)>,
    /// What the upstream answers.
    pub answer: (u16, Vec<u8>),
    /// Whether it answers with what it was asked instead: see [`echo`].
    pub echoes: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let identity = Identity::generate(&mut Seeded(seed ^ 0x1d)).unwrap();
        Self {
            gateway: Gateway {
                clients: Clients::new(KNOWN),
                allowlist: Allowlist::new(DEFAULT_RULES).unwrap(),
                audience: AUDIENCE,
                tokens: TokenKey::hs256(&[7; 32]).unwrap(),
                identity: Some(identity.public().unwrap()),
                session_seconds: 3600,
                instance: 7,
                plain: Default::default(),
            },
            provider: Software::new(Seeded(seed ^ 0x9a7e)),
            identity,
            store: Box::new(FixedStore::new()),
            now: START,
            upstream: Vec::new(),
            answer: (200, br#"{"countries":["UY","PT"]}"#.to_vec()),
            echoes: false,
        }
    }

    pub fn pin(&self) -> PinnedKey {
        self.identity.public().unwrap()
    }

    /// Serves one request: path, headers, body.
    pub fn serve(&mut self, target: &str, headers: &[(String, String)], body: &[u8]) -> (u16, Vec<u8>) {
        let head = head_of(headers);
        let mut buffer = vec![0; 64 * 1024];
        buffer[..body.len()].copy_from_slice(body);
        let Self { gateway, provider, identity, store, now, .. } = self;
        let store = &mut **store;
        let reply: Reply = if target == "/api/info/v2" {
            let identity: &mut dyn Signer = identity;
            gateway.accept(provider, Some(identity), store, *now, &head, &mut buffer, body.len()).unwrap()
        } else {
            match gateway.open_request(provider, store, *now, &head, &mut buffer, body.len()).unwrap() {
                Opened::Reply(reply) => reply,
                Opened::Admitted(admitted) => {
                    let mut query = vec![0; 4096];
                    let length = admitted.write_query(&mut query).unwrap();
                    let query = String::from_utf8(query[..length].to_vec()).unwrap();
                    let path = format!("{}?{query}", admitted.request.path());
                    let body = admitted.request.body().unwrap_or_default().to_vec();
                    self.upstream.push((admitted.request.method().into(), path, body));
                    let responder = admitted.responder;
                    if self.echoes {
                        self.answer = (200, echo(self.upstream.last().unwrap()));
                    }
                    let (status, answer) = &self.answer;
                    buffer[..answer.len()].copy_from_slice(answer);
                    gateway
                        .seal_response(provider, store, responder, *status, &mut buffer, answer.len())
                        .map_err(|(error, _)| error)
                        .unwrap()
                }
            }
        };
        buffer.truncate(reply.length);
        (reply.status, buffer)
    }

    /// Loses all sessions.
    pub fn end_all(&mut self) {
        *self.store = FixedStore::new();
    }

    /// Ends the session with this id.
    pub fn end(&mut self, id: &str) {
        SessionStore::<Soft>::end(&mut *self.store, id, self.now);
    }

    /// Whether the session with this id lives.
    pub fn live(&mut self, id: &str) -> bool {
        SessionStore::<Soft>::find(&mut *self.store, id, self.now).is_ok()
    }
}

/// What an upstream that echoes says to a request.
pub fn echo((method, path, body): &(String, String, Vec<u8>)) -> Vec<u8> {
    [format!("{method} {path} ").as_bytes(), body].concat()
}

/// The head of a request with these headers.
pub fn head_of<T: AsRef<str>>(headers: &[(T, T)]) -> Head<'_> {
    let mut head = Head::new();
    for (name, value) in headers {
        head.add(name.as_ref(), value.as_ref().as_bytes());
    }
    head
}
