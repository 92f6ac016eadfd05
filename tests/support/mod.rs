//! What the tests share: a seeded generator, a gateway in memory, and a transport that reaches it.
#![allow(dead_code, unreachable_pub)] // not every test uses all of it
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, PinnedKey, Software};
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::{
    Allowlist, Clients, FixedStore, Gateway, Head, KnownClient, Opened, Reply, SessionStore, TokenKey,
};
use dynamic_key::session::{ClientType, Mode};
use dynamic_key::transport::{Request, Response, Transport, TransportError};

/// SplitMix64: reproducible, and no generator for anything but tests.
#[derive(Clone, Debug)]
pub struct Seeded(pub u64);

impl rand_core::TryRng for Seeded {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Seeded {}

pub type Soft = Software<Seeded>;

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
    pub store: FixedStore<Soft, 8, 32, 64>,
    pub now: Timestamp,
    /// Every request that has reached the upstream: method, path and query, body.
    pub upstream: Vec<(String, String, Vec<u8>)>,
    /// What the upstream answers.
    pub answer: (u16, Vec<u8>),
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
            store: FixedStore::new(),
            now: START,
            upstream: Vec::new(),
            answer: (200, br#"{"countries":["UY","PT"]}"#.to_vec()),
        }
    }

    pub fn pin(&self) -> PinnedKey {
        self.identity.public().unwrap()
    }

    /// Serves one request: path, headers, body.
    pub fn serve(&mut self, target: &str, headers: &[(String, String)], body: &[u8]) -> (u16, Vec<u8>) {
        let mut head = Head::new();
        for (name, value) in headers {
            head.add(name, value.as_bytes());
        }
        let mut buffer = vec![0; 64 * 1024];
        buffer[..body.len()].copy_from_slice(body);
        let Self { gateway, provider, identity, store, now, .. } = self;
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

    pub fn end_all(&mut self) {
        self.store = FixedStore::new();
        let _: &dyn core::fmt::Debug = &self.store;
    }

    pub fn live(&mut self, id: &str) -> bool {
        SessionStore::<Soft>::find(&mut self.store, id, self.now).is_ok()
    }
}

/// What a man on the wire does with an answer, or with a request before it arrives.
pub type Tamper = Box<dyn FnMut(&mut Wire)>;

/// One exchange as the man on the wire sees it.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Empty before the request has arrived.
    pub answer: Option<(u16, Vec<u8>)>,
    /// Set it to lose the request (before) or its answer (after).
    pub lost: bool,
}

/// A transport that reaches a [`World`] through a man on the wire.
pub struct Link<'w> {
    pub world: &'w mut World,
    pub tamper: Tamper,
    pub seen: Vec<Wire>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl TransportError for Lost {
    fn request_left(&self) -> bool {
        true
    }
    fn is_timeout(&self) -> bool {
        false
    }
}

impl<'w> Link<'w> {
    pub fn honest(world: &'w mut World) -> Self {
        Self { world, tamper: Box::new(|_| {}), seen: Vec::new() }
    }
}

impl Transport for Link<'_> {
    type Error = Lost;

    fn send(&mut self, request: &Request<'_>) -> Result<(), Lost> {
        let headers = request.headers.iter().map(|header| (header.name().into(), header.value().concat()));
        let mut wire = Wire {
            target: request.target.into(),
            headers: headers.collect(),
            body: request.body.to_vec(),
            answer: None,
            lost: false,
        };
        (self.tamper)(&mut wire);
        if !wire.lost {
            wire.answer = Some(self.world.serve(&wire.target, &wire.headers, &wire.body));
            (self.tamper)(&mut wire);
        }
        self.seen.push(wire);
        Ok(())
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Lost> {
        let wire = self.seen.last().unwrap();
        let (status, body) = wire.answer.as_ref().filter(|_| !wire.lost).ok_or(Lost)?;
        let room = buffer.get_mut(..body.len()).unwrap();
        room.copy_from_slice(body);
        Ok(Response { status: *status, content_type_is_json: true, retry_after: None, body: room })
    }
}
