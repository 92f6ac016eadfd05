//! The gateway of the story, in the same process: the library's own, over the software provider, which serves one upstream.

use dynamic_key::codec::retry_after::Unread;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, PinnedKey, Software};
use dynamic_key::gateway::{
    Allowlist, Clients, FixedStore, Gateway, Head, KnownClient, Opened, RegisteredIdentity, Reply, Rule,
    TokenKey,
};
use dynamic_key::session::{ClientType, Mode};
use dynamic_key::transport::{Request, Response, Transport, TransportError};
use getrandom::SysRng;
use std::time::SystemTime;
use std::{fmt, io};

/// The device of the story: its type, client id and device id.
pub(crate) const DEVICE: (ClientType, &str, &str) =
    (ClientType::Internal, "internal-web-client", "device-0042");

/// It is served in mutual mode and no other.
const KNOWN: &[KnownClient<'static>] =
    &[KnownClient { client_type: DEVICE.0, client_id: DEVICE.1, least_mode: Mode::Mutual }];

const RULES: &[Rule<'static>] = &[Rule {
    method: "GET",
    pattern: "/countries/get",
    client_types: &[ClientType::Internal],
    client_ids: &[],
    least_mode: Mode::Mutual,
    forward_headers: &[],
}];

/// What the upstream answers.
pub(crate) const ANSWER: &[u8] = br#"{"countries":["UY","PT"]}"#;

/// The gateway, and the way to it.
pub(crate) struct House {
    gateway: Gateway<'static, Clients<'static>>,
    provider: Software<SysRng>,
    identity: Identity,
    store: Box<FixedStore<Software<SysRng>, 8>>,
    answer: (u16, Vec<u8>),
}

/// The gateway was misused: the story is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misplayed(dynamic_key::Error);

impl fmt::Display for Misplayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Misplayed {}

impl TransportError for Misplayed {
    fn request_left(&self) -> bool {
        false
    }
    fn is_timeout(&self) -> bool {
        false
    }
}

impl House {
    /// A gateway that has registered `device` for [`DEVICE`].
    pub(crate) fn new(device: PinnedKey) -> Result<Self, Box<dyn std::error::Error>> {
        let identity = Identity::generate(&mut SysRng)?;
        let (client_type, client_id, device_id) = DEVICE;
        let registered = RegisteredIdentity { key: device, client_type, client_id, device_id };
        let identities = Vec::leak(vec![registered]);
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        Ok(Self {
            gateway: Gateway {
                clients: Clients { identities, ..Clients::new(KNOWN) },
                allowlist: Allowlist::new(RULES).map_err(|_| io::Error::other("a rule is none"))?,
                audience: "https://gateway.example",
                tokens: TokenKey::hs256(&secret)?,
                identity: Some(identity.public()?),
                session_seconds: 3600,
                instance: 7,
                plain: Default::default(),
            },
            provider: Software::new(SysRng),
            identity,
            store: Box::new(FixedStore::new()),
            answer: (0, Vec::new()),
        })
    }

    /// The key that a device pins.
    pub(crate) fn pin(&self) -> Result<PinnedKey, dynamic_key::crypto::CryptoError> {
        self.identity.public()
    }

    fn serve(&mut self, request: &Request<'_>) -> Result<(u16, Vec<u8>), dynamic_key::Error> {
        let headers: Vec<_> =
            request.headers.iter().map(|header| (header.name(), header.value().concat())).collect();
        let mut head = Head::new();
        for (name, value) in &headers {
            head.add(name, value.as_bytes());
        }
        let elapsed = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let now = Timestamp::from_unix_secs(elapsed.as_secs());
        let length = request.body.len();
        let mut buffer = request.body.to_vec();
        buffer.resize(length.saturating_add(8192), 0);
        let Self { gateway, provider, identity, store, .. } = self;
        let store = &mut **store;
        let reply: Reply = if request.target == "/api/info/v2" {
            let identity: &mut dyn Signer = identity;
            gateway.accept(provider, Some(identity), store, now, &head, &mut buffer, length)?
        } else {
            match gateway.open_request(provider, store, now, &head, &mut buffer, length)? {
                Opened::Reply(reply) => reply,
                Opened::Admitted(admitted) => {
                    let responder = admitted.responder;
                    let length = ANSWER.len();
                    if let Some(room) = buffer.get_mut(..length) {
                        room.copy_from_slice(ANSWER);
                    }
                    let sealed = gateway.seal_response(provider, store, responder, 200, &mut buffer, length);
                    sealed.map_err(|(error, _)| error)?
                }
            }
        };
        buffer.truncate(reply.length);
        Ok((reply.status, buffer))
    }
}

impl Transport for House {
    type Error = Misplayed;

    fn send(&mut self, request: &Request<'_>) -> Result<(), Misplayed> {
        self.answer = self.serve(request).map_err(Misplayed)?;
        Ok(())
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Misplayed> {
        let (status, body) = &self.answer;
        let short = Misplayed(dynamic_key::Error::BufferTooSmall { needed: body.len() });
        let room = buffer.get_mut(..body.len()).ok_or(short)?;
        room.copy_from_slice(body);
        Ok(Response { status: *status, content_type_is_json: true, retry_after: Unread::ABSENT, body: room })
    }
}
