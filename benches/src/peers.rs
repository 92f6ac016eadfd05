//! A client and a gateway that have shaken hands.

use core::convert::Infallible;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software, TrafficKey};
use dynamic_key::envelope::{Envelope, sealed_len};
use dynamic_key::handshake::{
    Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerFacts, ServerHandshake,
    ServerNeed, ServerPolicy,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode, Now, ServerSession, Session};

/// A generator that costs next to nothing, so that it is not what is measured (splitmix64). Of no use for keys.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl rand_core::TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Rng {}

struct Everybody;

impl ServerPolicy for Everybody {
    fn client(&self, _: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        Some(ClientPolicy {
            schemes: &Scheme::ELLIPTIC,
            preference: Preference::Client,
            least_mode: Mode::Plain,
        })
    }
}

/// The session of the client and that of the gateway.
pub type Sessions<K> = (Session<Software<Rng, K>, 64>, ServerSession<Software<Rng, K>>);

/// What both ends bring to a handshake.
#[derive(Debug)]
pub struct Party<K> {
    device: Software<Rng, K>,
    gateway: Software<Rng, K>,
    identity: Identity,
    pins: [PinnedKey; 1],
    buffer: [u8; 1024],
}

impl<K: TrafficKey> Party<K> {
    /// Two ends whose providers come from `provider`.
    #[must_use]
    pub fn new(provider: fn(Rng) -> Software<Rng, K>) -> Self {
        let identity = Identity::generate(&mut Rng(3)).expect("the generator does not fail");
        let pins = [identity.public().expect("a generated key is valid")];
        Self { device: provider(Rng(1)), gateway: provider(Rng(2)), identity, pins, buffer: [0; 1024] }
    }

    /// A whole handshake under SCHEME-EC-AES2: hello, answer, and both sessions.
    pub fn handshake(&mut self, mode: Mode) -> Sessions<K> {
        self.try_handshake(mode).expect("both ends are honest")
    }

    fn try_handshake(&mut self, mode: Mode) -> Result<Sessions<K>, Box<dyn core::error::Error>> {
        let Self { device, gateway, identity, pins, buffer } = self;
        let config = ClientConfig {
            mode,
            schemes: &[Scheme::EcAes2],
            ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-0001", "server")
        };
        let mut client = ClientHandshake::new(&config)?;
        let mut server = ServerHandshake::new();

        let ClientNeed::Hello = client.compute(device, &mut Pins(pins))? else {
            return Err("no hello".into());
        };
        let length = client.hello(device, Now::UNKNOWN, buffer)?;
        server.hello(gateway, &Everybody, &mut buffer[..length])?;
        let ServerNeed::Answer = server.compute(gateway)? else { return Err("no answer".into()) };
        let facts = ServerFacts {
            session_id: "0123456789abcdefghijkl",
            token: "e30.e30.c2ln",
            expire_token: 0,
            expires_at: Timestamp::from_unix_secs(1_780_531_200),
            expires_in: 3600,
            instance: 7,
            identity: (mode == Mode::Pinned).then(|| identity.kid()),
            plain: Default::default(),
        };
        let length = server.answer(gateway, &facts, buffer)?;
        if mode == Mode::Pinned {
            server.sign(identity, &mut buffer[..length])?;
        }
        client.reply(200, &buffer[..length])?;
        let ClientNeed::Finish = client.compute(device, &mut Pins(pins))? else {
            return Err("no end".into());
        };
        Ok((client.finish()?, server.finish()?))
    }
}

/// A client and a gateway in a session, and one buffer that goes from one to the other.
#[derive(Debug)]
pub struct Peers<K: TrafficKey> {
    party: Party<K>,
    mode: Mode,
    client: Session<Software<Rng, K>, 64>,
    server: ServerSession<Software<Rng, K>>,
    buffer: Vec<u8>,
}

impl<K: TrafficKey> Peers<K> {
    /// Shakes hands; for messages of at most `len` bytes.
    #[must_use]
    pub fn new(mode: Mode, provider: fn(Rng) -> Software<Rng, K>, len: usize) -> Self {
        let mut party = Party::new(provider);
        let (client, server) = party.handshake(mode);
        Self { party, mode, client, server, buffer: vec![0; sealed_len(len)] }
    }

    /// The client seals `message` as a request and the gateway opens it.
    pub fn request(&mut self, message: &[u8]) -> &[u8] {
        self.renew();
        let Self { party, client, server, buffer, .. } = self;
        buffer[..message.len()].copy_from_slice(message);
        let (length, exchange) =
            client.seal(&mut party.device, Now::UNKNOWN, buffer, message.len()).expect("it can be sealed");
        client.abandon(&exchange);
        let envelope = Envelope::parse(&mut buffer[..length]).expect("it is an envelope");
        let opened =
            server.open(&mut party.gateway, envelope, &mut buffer[..length]).expect("it is authentic");
        &buffer[opened.committed().plaintext()]
    }

    /// The same, and the gateway seals `message` as the response, which the client opens.
    pub fn exchange(&mut self, message: &[u8]) -> &[u8] {
        self.renew();
        let Self { party, client, server, buffer, .. } = self;
        buffer[..message.len()].copy_from_slice(message);
        let (length, _) =
            client.seal(&mut party.device, Now::UNKNOWN, buffer, message.len()).expect("it can be sealed");
        let envelope = Envelope::parse(&mut buffer[..length]).expect("it is an envelope");
        let opened =
            server.open(&mut party.gateway, envelope, &mut buffer[..length]).expect("it is authentic");
        let request = opened.committed();
        buffer[..message.len()].copy_from_slice(message);
        let length =
            server.seal(&mut party.gateway, request, 200, buffer, message.len()).expect("it can be sealed");
        client.open(&mut party.device, 200, &mut buffer[..length]).expect("it is authentic")
    }

    /// A new session where the old one has sealed all that it may.
    fn renew(&mut self) {
        if self.client.remaining() == 0 {
            (self.client, self.server) = self.party.handshake(self.mode);
        }
    }
}
