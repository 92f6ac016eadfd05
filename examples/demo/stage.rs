//! The stage: an upstream with a witness, a gateway before it, an impostor, and devices that talk to them.

use crate::middle::Middle;
use crate::services::Services;
pub(crate) use crate::services::line;
use crate::support::tap::{Tape, Tapped};
use crate::support::tcp::{Dial, Origin};
use crate::support::{Clock, jwks};
use crate::witness::Witness;
use dynamic_key::Code;
use dynamic_key::client::{Client, ClientError};
use dynamic_key::crypto::KeyId;
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::handshake::ClientConfig;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode};
use dynamic_key::transport::Transport;
use dynamic_key::transport::http1::Http1;
use dynamic_key_gateway::{Config, SampleUpstream, Server};
use getrandom::SysRng;
use std::future::pending;
use std::net::SocketAddr;
use tokio::runtime::Runtime;

/// All who play, on free loopback ports.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    /// A gateway as good as the other, but for its identity.
    pub(crate) impostor: Gateway,
    /// An issuer of tokens and a relay of identities.
    pub(crate) services: Services,
    pub(crate) witness: Witness,
    /// Where the upstream listens.
    pub(crate) upstream: SocketAddr,
    /// Where the witness does, before it.
    before: SocketAddr,
    runtime: Runtime,
}

/// A gateway that runs.
pub(crate) struct Gateway {
    pub(crate) origin: Origin,
    pub(crate) kid: KeyId,
    /// The key behind the kid, as the gateway publishes it.
    pub(crate) keys: Vec<PinnedKey>,
}

impl Stage {
    pub(crate) fn set() -> Result<Self, String> {
        let runtime = Runtime::new().map_err(line)?;
        let sample = runtime.block_on(SampleUpstream::bind()).map_err(line)?;
        let upstream = sample.local_addr();
        runtime.spawn(sample.serve(pending()));
        let (before, witness) = Witness::before(upstream).map_err(line)?;
        let gateway = Gateway::start(&runtime, before, Config::demo())?;
        let impostor = Gateway::start(&runtime, before, Config::demo())?;
        let services = Services::start(&runtime)?;
        Ok(Self { gateway, impostor, services, witness, upstream, before, runtime })
    }

    /// Another gateway before the same upstream.
    pub(crate) fn gateway_with(&self, config: Config) -> Result<Gateway, String> {
        Gateway::start(&self.runtime, self.before, config)
    }

    /// A device that knows the gateway by its identity.
    pub(crate) fn device(&self, mode: Mode, schemes: &'static [Scheme]) -> Result<Device<'_>, String> {
        Device::new(&self.gateway, &self.gateway.keys, mode, schemes)
    }

    /// The usual one.
    pub(crate) fn pinning_device(&self) -> Result<Device<'_>, String> {
        self.device(Mode::Pinned, &Scheme::ELLIPTIC)
    }
}

impl Gateway {
    fn start(runtime: &Runtime, upstream: SocketAddr, config: Config) -> Result<Self, String> {
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            upstream: Some(format!("http://{upstream}")),
            ..config
        };
        let server = runtime.block_on(Server::bind(config)).map_err(line)?;
        let (kid, address) = (server.kid(), server.local_addr());
        runtime.spawn(server.serve(pending()));
        let origin = Origin::parse(&format!("http://{address}"))?;
        let keys = jwks::fetch(&mut wire(&origin)?, &[kid], &mut vec![0; 1 << 16])?;
        Ok(Self { origin, kid, keys })
    }
}

/// HTTP/1.1 over TCP, with a tape that records every byte.
pub(crate) type Wire<'s> = Http1<'s, Tapped<Dial>>;

/// A way to a gateway without a man in the middle, such as he has himself.
pub(crate) fn wire(origin: &Origin) -> Result<Wire<'_>, String> {
    let connector = Tapped { connector: origin.dial().map_err(line)?, tape: None };
    Http1::new(connector, origin.host()).map_err(line)
}

/// A device: the client of the crate, its buffer and its clocks, and a man in the middle who may be idle.
pub(crate) struct Device<'s> {
    pub(crate) client: Client<'s, Software<SysRng>, Pins<'s>, Middle<'s, Wire<'s>>>,
    pub(crate) tape: Tape,
    buffer: Vec<u8>,
    clock: Clock,
}

/// What came back: it opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) code: Option<Code>,
    pub(crate) body: String,
}

/// Why nothing came back that could be taken.
pub(crate) type Failure = ClientError<<Wire<'static> as Transport>::Error>;

impl<'s> Device<'s> {
    /// A device of the internal client that goes to `gateway` and pins `keys`.
    pub(crate) fn new(
        gateway: &'s Gateway,
        keys: &'s [PinnedKey],
        mode: Mode,
        schemes: &'static [Scheme],
    ) -> Result<Self, String> {
        let tape = Tape::default();
        let connector = Tapped { connector: gateway.origin.dial().map_err(line)?, tape: Some(tape.clone()) };
        let http = Http1::new(connector, gateway.origin.host()).map_err(line)?;
        let config = ClientConfig {
            mode,
            schemes,
            ..ClientConfig::new(ClientType::Internal, "internal-web-client", "demo-device", "server")
        };
        let client =
            Client::new(config, Software::new(SysRng), Pins(keys), Middle::idle(http)).map_err(line)?;
        Ok(Self { client, tape, buffer: vec![0; 1 << 16], clock: Clock::start() })
    }

    /// Makes sure that there is a session.
    pub(crate) fn connect(&mut self) -> Result<(), Failure> {
        self.client.ensure_session(self.clock.now(), &mut self.buffer)
    }

    pub(crate) fn request(&mut self, request: &Request<'_>) -> Result<Answer, Failure> {
        let answer = self.client.request(self.clock.now(), request, &mut self.buffer)?;
        let body = String::from_utf8_lossy(answer.body).into_owned();
        Ok(Answer { status: answer.status, code: answer.gateway_code(), body })
    }

    pub(crate) fn middle(&mut self) -> &mut Middle<'s, Wire<'s>> {
        self.client.transport_mut()
    }

    /// The id of the session, if there is one.
    pub(crate) fn session_id(&self) -> Option<String> {
        self.client.facts().map(|facts| facts.id().into())
    }
}
