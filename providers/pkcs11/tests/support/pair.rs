//! A gateway and a client in one process, each with a provider of its own, and a table of what becomes of them.

use dynamic_key::client::{Client, ClientError};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{Identity as SoftIdentity, PinnedKey, Pins, Software};
use dynamic_key::crypto::{Provider, Signer};
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::{
    Allowlist, Clients, FixedStore, Gateway, Head, KnownClient, Opened, RegisteredIdentity, TokenKey,
};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now};
use dynamic_key::transport::{self, Response, Transport, TransportError};
use dynamic_key::{Code, Error, Peer};
use dynamic_key_pkcs11::Identity;
use getrandom::SysRng;

const START: Timestamp = Timestamp::from_unix_secs(1_780_531_200);
const DEVICE: &str = "device-1";
const CLIENT: &str = "internal-web-client";

/// The upstream's answer.
const ANSWER: &[u8] = br#"{"countries":["UY","PT"]}"#;

pub fn config(mode: Mode, schemes: &[Scheme]) -> ClientConfig<'_> {
    ClientConfig { mode, schemes, ..ClientConfig::new(ClientType::Internal, CLIENT, DEVICE, "server") }
}

/// What a gateway needs for one answer; its provider is whose keys it has.
struct World<'w, 's, G: Provider> {
    gateway: &'w Gateway<'w, Clients<'w>>,
    provider: &'w mut G,
    identity: Option<&'s mut dyn Signer>,
    store: Box<FixedStore<G, 4, 32, 64>>,
    answer: (u16, Vec<u8>),
}

/// The gateway failed, and not the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed(Error);

impl TransportError for Failed {
    fn request_left(&self) -> bool {
        true
    }
    fn is_timeout(&self) -> bool {
        false
    }
}

impl<G: Provider> World<'_, '_, G> {
    fn serve(&mut self, target: &str, head: &Head<'_>, body: &[u8]) -> Result<(u16, Vec<u8>), Error> {
        let mut buffer = vec![0; 4096];
        buffer[..body.len()].copy_from_slice(body);
        let (gateway, provider, store) = (self.gateway, &mut *self.provider, &mut *self.store);
        let reply = if target == "/api/info/v2" {
            let identity: Option<&mut dyn Signer> = match &mut self.identity {
                Some(signer) => Some(&mut **signer),
                None => None,
            };
            gateway.accept(provider, identity, store, START, head, &mut buffer, body.len())?
        } else {
            match gateway.open_request(provider, store, START, head, &mut buffer, body.len())? {
                Opened::Reply(reply) => reply,
                Opened::Admitted(admitted) => {
                    let responder = admitted.responder;
                    buffer[..ANSWER.len()].copy_from_slice(ANSWER);
                    gateway
                        .seal_response(provider, store, responder, 200, &mut buffer, ANSWER.len())
                        .map_err(|(error, _)| error)?
                }
            }
        };
        buffer.truncate(reply.length);
        Ok((reply.status, buffer))
    }
}

impl<G: Provider> Transport for World<'_, '_, G> {
    type Error = Failed;

    fn send(&mut self, request: &transport::Request<'_>) -> Result<(), Failed> {
        let headers: Vec<_> =
            request.headers.iter().map(|header| (header.name(), header.value().concat())).collect();
        let mut head = Head::new();
        for (name, value) in &headers {
            head.add(name, value.as_bytes());
        }
        self.answer = self.serve(request.target, &head, request.body).map_err(Failed)?;
        Ok(())
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Failed> {
        let (status, body) = &self.answer;
        let room = &mut buffer[..body.len()];
        room.copy_from_slice(body);
        Ok(Response { status: *status, content_type_is_json: true, retry_after: None, body: room })
    }
}

/// What is configured on both sides.
pub struct Setting<'s> {
    pub scheme: Scheme,
    pub mode: Mode,
    /// The gateway's identity.
    pub gateway: Option<&'s mut dyn Signer>,
    /// What the client pins.
    pub pin: PinnedKey,
    /// The client's identity, for mutual mode.
    pub client: &'s mut dyn Signer,
    /// What the gateway has registered for it.
    pub registered: PinnedKey,
}

/// What came of a handshake and a request in its session.
pub type Outcome = Result<Mode, ClientError<Failed>>;

/// A handshake and a request, between providers.
pub fn run<C: Provider, G: Provider>(client: &mut C, gateway: &mut G, setting: Setting<'_>) -> Outcome {
    let Setting { scheme, mode, gateway: identity, pin, client: signer, registered } = setting;
    let known =
        [KnownClient { client_type: ClientType::Internal, client_id: CLIENT, least_mode: Mode::Plain }];
    let identities = [RegisteredIdentity {
        key: registered,
        client_type: ClientType::Internal,
        client_id: CLIENT,
        device_id: DEVICE,
    }];
    // The gateway publishes the key that it signs with.
    let published = identity.as_ref().map(|identity| identity.kid());
    let own = published.map(|kid| if kid == pin.kid() { pin } else { other_identity().public().unwrap() });
    let server = Gateway {
        clients: Clients { identities: &identities, ..Clients::new(&known) },
        allowlist: Allowlist::new(DEFAULT_RULES).unwrap(),
        audience: "https://gateway.example",
        tokens: TokenKey::hs256(&[7; 32]).unwrap(),
        identity: own,
        session_seconds: 3600,
        instance: 7,
        plain: Default::default(),
    };
    let world = World {
        gateway: &server,
        provider: gateway,
        identity,
        store: Box::new(FixedStore::new()),
        answer: (0, Vec::new()),
    };
    let (schemes, pins) = ([scheme], [pin]);
    let config = config(mode, &schemes);
    if mode == Mode::Mutual {
        ask(Client::mutual(config, client, Pins(&pins), signer, world)?)
    } else {
        ask(Client::new(config, client, Pins(&pins), world)?)
    }
}

/// Two requests, of which the first shakes hands.
fn ask<P: Provider, G: Provider, S: Signer>(
    mut client: Client<'_, P, Pins<'_>, World<'_, '_, G>, 1024, S>,
) -> Outcome {
    let mut buffer = [0; 4096];
    for _ in 0..2 {
        let answer = client.request(Now::UNKNOWN, &Request::get("/countries/get"), &mut buffer)?;
        assert_eq!((answer.status, &*answer.body), (200, ANSWER));
    }
    Ok(client.facts().unwrap().mode())
}

/// An identity that nobody pins and nobody has registered.
pub fn other_identity() -> SoftIdentity {
    SoftIdentity::from_bytes(&[0x77; 32].into()).unwrap()
}

/// Who a side says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Other,
    Itself,
}

/// Every scheme, mode and identity, the token at either end and software at the other: what must become of each.
pub fn table<P: Provider>(provider: &mut P, identity: &Identity) -> usize {
    const MODES: [Mode; 4] = [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Mutual];
    let mut software = Software::expanded(SysRng);
    let soft = SoftIdentity::generate(&mut SysRng).unwrap();
    let mut rows = 0;
    for scheme in Scheme::ELLIPTIC {
        for mode in MODES {
            for gateway_is in [Who::Nobody, Who::Other, Who::Itself] {
                for client_is in [Who::Other, Who::Itself] {
                    for token_is_client in [true, false] {
                        let (mut token, mut soft, mut other) =
                            (identity.clone(), soft.clone(), other_identity());
                        let (token_key, soft_key) = (token.public(), soft.public().unwrap());
                        let (own, peer): (&mut dyn Signer, &mut dyn Signer) = (&mut token, &mut soft);
                        // Whoever is the token's side has the token's identity.
                        let (gateway, client, pin, registered) = if token_is_client {
                            (peer, own, soft_key, token_key)
                        } else {
                            (own, peer, token_key, soft_key)
                        };
                        let mut also_other = other_identity();
                        let setting = Setting {
                            scheme,
                            mode,
                            gateway: match gateway_is {
                                Who::Nobody => None,
                                Who::Other => Some(&mut other),
                                Who::Itself => Some(gateway),
                            },
                            pin,
                            client: if client_is == Who::Itself { client } else { &mut also_other },
                            registered,
                        };
                        let outcome = if token_is_client {
                            run(provider, &mut software, setting)
                        } else {
                            run(&mut software, provider, setting)
                        };
                        let expected = expected(mode, gateway_is, client_is);
                        assert_eq!(
                            outcome, expected,
                            "{scheme:?} {mode:?}, gateway {gateway_is:?}, client {client_is:?}, token is client: {token_is_client}"
                        );
                        rows += 1;
                    }
                }
            }
        }
    }
    rows
}

fn expected(mode: Mode, gateway: Who, client: Who) -> Outcome {
    let refused = |code| Err(ClientError::Refused { code, retry_after: None });
    match (mode, client, gateway) {
        (Mode::Plain | Mode::Confirmed, ..) => Ok(mode),
        (Mode::Mutual, Who::Other, _) => refused(Code::ClientNotAllowed),
        (_, _, Who::Nobody) => Err(ClientError::Core(Peer::Downgrade.into())),
        (_, _, Who::Other) => Err(ClientError::Core(Peer::Authentication.into())),
        (_, _, Who::Itself) => Ok(mode),
    }
}
