//! Two roles whose secrets are counted, and a store.

use crate::support::{Count, Counted, DEVICE, KNOWN, START, Seeded, Soft};
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::crypto::{CryptoError, Signer};
use dynamic_key::envelope::Envelope;
use dynamic_key::gateway::{Clients, FixedStore, RegisteredIdentity, SessionStore};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ServerFacts, ServerHandshake};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now, ServerSession, Session};
use dynamic_key::{Code, Error, Peer};

pub(crate) type Keeper = Counted<Soft>;
pub(crate) type Client = ClientHandshake<'static, Keeper, 64>;
pub(crate) type Server = ServerHandshake<Keeper>;
pub(crate) type Store = FixedStore<Keeper, 8, 2, 64>;

pub(crate) const SESSION: &str = "opaque-session-id-of-the-tests";

/// Both roles.
pub(crate) struct Stage {
    pub(crate) mode: Mode,
    pub(crate) config: ClientConfig<'static>,
    pub(crate) policy: Clients<'static>,
    pub(crate) device: Keeper,
    pub(crate) device_secrets: Count,
    pub(crate) gateway: Keeper,
    pub(crate) gateway_secrets: Count,
    pub(crate) device_identity: Identity,
    pub(crate) gateway_identity: Identity,
    pub(crate) pins: Pins<'static>,
    pub(crate) store: Box<Store>,
}

impl Stage {
    pub(crate) fn new(mode: Mode, scheme: Scheme) -> Self {
        let (device, device_secrets) = Counted::new(Software::new(Seeded(1)));
        let (gateway, gateway_secrets) = Counted::new(Software::new(Seeded(2)));
        let device_identity = Identity::generate(&mut Seeded(3)).unwrap();
        let gateway_identity = Identity::generate(&mut Seeded(4)).unwrap();
        let (client_type, client_id, device_id) = DEVICE;
        let config = ClientConfig {
            mode,
            schemes: Vec::leak(vec![scheme]),
            identity: Some(device_identity.kid()),
            ..ClientConfig::new(client_type, client_id, device_id, "server")
        };
        let key = device_identity.public().unwrap();
        let policy = Clients {
            identities: Vec::leak(vec![RegisteredIdentity {
                key,
                client_type: ClientType::Internal,
                client_id,
                device_id,
            }]),
            ..Clients::new(KNOWN)
        };
        let pins: &'static [PinnedKey] = Vec::leak(vec![gateway_identity.public().unwrap()]);
        let pins = Pins(pins);
        let store = Box::new(empty());
        Self {
            mode,
            config,
            policy,
            device,
            device_secrets,
            gateway,
            gateway_secrets,
            device_identity,
            gateway_identity,
            pins,
            store,
        }
    }

    pub(crate) fn client(&self) -> Client {
        ClientHandshake::new(&self.config).unwrap()
    }

    pub(crate) fn facts(&self) -> ServerFacts<'static> {
        ServerFacts {
            session_id: SESSION,
            token: "e30.e30.c2ln",
            expire_token: 0,
            expires_at: START.saturating_add_secs(3600),
            expires_in: 3600,
            instance: 7,
            identity: Some(self.gateway_identity.kid()),
            plain: Default::default(),
        }
    }

    pub(crate) fn hello(&mut self, client: &mut Client) -> Vec<u8> {
        let mut hello = vec![0; 1024];
        let length = client.hello(&mut self.device, Now::UNKNOWN, &mut hello).unwrap();
        hello.truncate(length);
        hello
    }

    pub(crate) fn answer(&mut self, server: &mut Server) -> Vec<u8> {
        let (mut answer, facts) = (vec![0; 1024], self.facts());
        let length = server.answer(&mut self.gateway, &facts, &mut answer).unwrap();
        answer.truncate(length);
        answer
    }

    /// Stores the session that the server has made.
    pub(crate) fn keep(&mut self, mut server: Server) {
        self.store.insert(server.finish().unwrap(), START).unwrap();
    }

    /// How many sessions stand in the store.
    pub(crate) fn live(&self) -> usize {
        let text = format!("{:?}", self.store);
        (0..=8).find(|live| text.contains(&format!("live: {live},"))).unwrap()
    }

    /// Secrets of a session of either role: two AEAD keys, and the exporter where there is one.
    pub(crate) fn of_a_session(&self) -> Vec<&'static str> {
        if self.mode == Mode::Plain { vec!["AEAD key"; 2] } else { vec!["AEAD key", "AEAD key", "secret"] }
    }

    /// A message each way.
    pub(crate) fn talk(&mut self, session: &mut Session<Keeper, 64>) {
        let Self { device, gateway, store, .. } = self;
        let mut buffer = [0; 256];
        buffer[..5].copy_from_slice(b"hello");
        let (length, _) = session.seal(device, Now::UNKNOWN, &mut buffer, 5).unwrap();
        let handle = SessionStore::<Keeper>::find(&mut **store, session.facts().id(), START).unwrap();
        let kept: &ServerSession<Keeper> = store.session(&handle).unwrap();
        let envelope = Envelope::parse(&mut buffer[..length]).unwrap();
        let opened = kept.open(gateway, envelope, &mut buffer[..length]).unwrap();
        let committed = opened.committed();
        assert_eq!(&buffer[committed.plaintext()], b"hello");
        buffer[..7].copy_from_slice(b"goodbye");
        let length = kept.seal(gateway, committed, 200, &mut buffer, 7).map_err(|(error, _)| error).unwrap();
        assert_eq!(session.open(device, 200, &mut buffer[..length]).unwrap(), b"goodbye");
    }

    /// Nothing is left of anything.
    pub(crate) fn check_empty(&self, case: &str) {
        assert_eq!(self.device_secrets.alive(), [""; 0], "{case}: at the device");
        assert_eq!(self.gateway_secrets.alive(), [""; 0], "{case}: at the gateway");
        assert_eq!(self.live(), 0, "{case}");
    }
}

/// A store without sessions, all of which may be half-open.
pub(crate) fn empty() -> Store {
    FixedStore::with_half_open(8)
}

/// What a client says of a provider's error: its own, or the peer's.
pub(crate) fn as_client(error: CryptoError) -> Error {
    match error {
        CryptoError::InvalidPublicKey => Peer::InvalidPublicKey.into(),
        CryptoError::Authentication => Peer::Authentication.into(),
        error => Error::Crypto(error),
    }
}

/// What a gateway answers to it.
pub(crate) fn as_gateway(error: CryptoError) -> Code {
    match error {
        CryptoError::InvalidPublicKey => Code::InvalidPublicKey,
        CryptoError::Authentication => Code::EncryptionError,
        _ => Code::StoreUnavailable,
    }
}

/// The modes and their schemes.
pub(crate) fn all() -> impl Iterator<Item = (Mode, Scheme)> {
    let modes = [Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Mutual];
    let schemes = modes.into_iter().flat_map(|mode| Scheme::ELLIPTIC.map(|scheme| (mode, scheme)));
    schemes.filter(|(mode, scheme)| *mode != Mode::Plain || *scheme == Scheme::EcAes2)
}
