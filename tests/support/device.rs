//! A client's end whose every run is the same, for its keys and nonces come from one seed.

use dynamic_key::Error;
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Exchange, Mode, Now, Session};

use super::{Seeded, Soft, World};

pub type DeviceSession = Session<Soft, 1024, 4>;
pub type DeviceHandshake<'c> = ClientHandshake<'c, Soft, 1024, 4>;

/// The modes and schemes of this version.
pub const MODES: [Mode; 3] = [Mode::Plain, Mode::Confirmed, Mode::Pinned];

/// The headers of a hello.
pub fn hello_headers() -> Vec<(String, String)> {
    vec![("X-Dynamic-Key-Version".into(), "2".into()), ("Content-Type".into(), "application/json".into())]
}

/// The headers of a request.
pub fn request_headers(id: &str, token: &str) -> Vec<(String, String)> {
    let mut headers = hello_headers();
    headers.push(("X-Session-Id".into(), id.into()));
    headers.push(("Authorization".into(), format!("Bearer {token}")));
    headers
}

#[derive(Clone, Debug)]
pub struct Device {
    pub config: ClientConfig<'static>,
    pub pins: Vec<PinnedKey>,
    pub seed: u64,
}

impl Device {
    /// A device that pins the identity of `world`.
    pub fn new(mode: Mode, schemes: &'static [Scheme], world: &World) -> Self {
        let config = ClientConfig {
            mode,
            schemes,
            ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
        };
        Self { config, pins: vec![world.pin()], seed: 0xd1 }
    }

    /// A handshake that awaits its answer, and the hello that it sent.
    pub fn start(&self) -> (DeviceHandshake<'static>, Soft, Vec<u8>) {
        let mut provider = Software::new(Seeded(self.seed));
        let mut handshake = ClientHandshake::new(&self.config).unwrap();
        assert_eq!(handshake.compute(&mut provider, &mut Pins(&self.pins)), Ok(ClientNeed::Hello));
        let mut hello = vec![0; 1024];
        let length = handshake.hello(&mut provider, Now::UNKNOWN, &mut hello).unwrap();
        hello.truncate(length);
        (handshake, provider, hello)
    }

    /// The hello.
    pub fn hello(&self) -> Vec<u8> {
        self.start().2
    }

    /// Takes the answer to the hello. A refusal must leave nothing.
    pub fn accept(&self, status: u16, answer: &[u8]) -> Result<(DeviceSession, Soft), Error> {
        let (mut handshake, mut provider, _) = self.start();
        let outcome = handshake
            .reply(status, answer)
            .and_then(|()| handshake.compute(&mut provider, &mut Pins(&self.pins)));
        match outcome {
            Ok(ClientNeed::Finish) => Ok((handshake.finish().unwrap(), provider)),
            Ok(need) => panic!("{need:?} after an answer"),
            Err(error) => {
                assert_eq!(handshake.need(), ClientNeed::Nothing, "no way back from {error:?}");
                assert!(handshake.finish().is_err());
                Err(error)
            }
        }
    }

    /// Shakes hands with `world`.
    pub fn shake(&self, world: &mut World) -> (DeviceSession, Soft) {
        let (status, answer) = world.serve("/api/info/v2", &hello_headers(), &self.hello());
        self.accept(status, &answer).unwrap()
    }
}

/// Writes and seals a request.
pub fn seal(session: &mut DeviceSession, provider: &mut Soft, request: &Request<'_>) -> (Vec<u8>, Exchange) {
    let mut buffer = vec![0; 4096];
    let length = request.write(&mut buffer).unwrap();
    let (length, exchange) = session.seal(provider, Now::UNKNOWN, &mut buffer, length).unwrap();
    buffer.truncate(length);
    (buffer, exchange)
}

/// One request through `world`, whose answer must open.
pub fn call(session: &mut DeviceSession, provider: &mut Soft, world: &mut World) {
    let (text, _) = seal(session, provider, &Request::get("/countries/get"));
    let headers = request_headers(session.facts().id(), session.facts().token());
    let before = world.upstream.len();
    let (status, mut answer) = world.serve("/api/request/v2", &headers, &text);
    assert_eq!(world.upstream.len(), before + 1);
    assert_eq!(session.open(provider, status, &mut answer).unwrap(), world.answer.1);
}
