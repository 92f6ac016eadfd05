//! Devices: the library's own client, and one that shows its envelopes before they are sent.

use super::http::{Answer, HEADERS, exchange};
use super::{Dial, Running};
use dynamic_key::client::Client;
use dynamic_key::crypto::software::{PinnedKey, Pins};
use dynamic_key::envelope::sealed_len;
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Exchange, Mode, Now, Session};
use dynamic_key::transport::http1::Http1;
use dynamic_key_gateway::Software;
use getrandom::SysRng;
use std::net::SocketAddr;

/// The modes of this version.
pub const MODES: [Mode; 3] = [Mode::Plain, Mode::Confirmed, Mode::Pinned];

/// The library's client in a mode, for a gateway whose identity is among `pins`.
pub fn client<'c>(
    address: SocketAddr,
    pins: &'c [PinnedKey],
    mode: Mode,
) -> Client<'static, Software, Pins<'c>, Http1<'static, Dial>> {
    client_of(address, pins, Device::internal(mode))
}

/// The same with a configuration.
pub fn client_of<'c>(
    address: SocketAddr,
    pins: &'c [PinnedKey],
    config: ClientConfig<'static>,
) -> Client<'static, Software, Pins<'c>, Http1<'static, Dial>> {
    let transport = Http1::new(Dial(address), "gateway").unwrap();
    Client::new(config, Software::new(SysRng), Pins(pins), transport).unwrap()
}

/// A client that seals, sends and opens in steps.
pub struct Device {
    pub session: Session<Software, 1024, 64>,
    /// Given up when the next one is sealed, in plain mode: there is one at a time.
    last: Option<Exchange>,
    address: SocketAddr,
}

/// An envelope, and what it takes to send it.
pub struct Sealed {
    pub headers: Vec<(String, String)>,
    pub envelope: Vec<u8>,
}

impl Sealed {
    /// Replaces a header, or takes it away.
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.extend(value.map(|value| (name.into(), value.into())));
        self
    }

    /// Replaces what is in the envelope, by text.
    pub fn edited(mut self, edit: impl FnOnce(String) -> String) -> Self {
        self.envelope = edit(String::from_utf8(self.envelope).unwrap()).into_bytes();
        self
    }
}

impl Device {
    /// The claims of the demonstration's internal client.
    pub fn internal(mode: Mode) -> ClientConfig<'static> {
        let config = ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server");
        ClientConfig { mode, ..config }
    }

    /// The claims of its external client.
    pub fn external(mode: Mode) -> ClientConfig<'static> {
        let config = ClientConfig::new(ClientType::External, "partner-acme-corp", "device-2", "server");
        ClientConfig { mode, ..config }
    }

    /// A hello, and the handshake that awaits its answer.
    pub fn hello(config: &ClientConfig<'static>) -> (ClientHandshake<'static, Software, 1024, 64>, Vec<u8>) {
        let mut provider = Software::new(SysRng);
        let mut handshake = ClientHandshake::new(config).unwrap();
        assert_eq!(handshake.compute(&mut provider, &mut Pins(&[])), Ok(ClientNeed::Hello));
        let mut hello = vec![0; 2048];
        let length = handshake.hello(&mut provider, Now::UNKNOWN, &mut hello).unwrap();
        hello.truncate(length);
        (handshake, hello)
    }

    /// Shakes hands.
    pub fn connect(gateway: &Running, config: &ClientConfig<'static>) -> Self {
        let (mut handshake, hello) = Self::hello(config);
        let answer = exchange(gateway.address, "POST", "/api/info/v2", &HEADERS, &hello);
        handshake.reply(answer.status, &answer.body).unwrap();
        let need = handshake.compute(&mut Software::new(SysRng), &mut Pins(&[gateway.pin]));
        assert_eq!(need, Ok(ClientNeed::Finish));
        Self { session: handshake.finish().unwrap(), last: None, address: gateway.address }
    }

    /// Seals a request.
    pub fn seal(&mut self, request: &Request<'_>) -> Sealed {
        let mut envelope = vec![0; sealed_len(request.plaintext_len())];
        let length = request.write(&mut envelope).unwrap();
        self.seal_text(envelope, length)
    }

    /// Seals any text in the place of a request.
    pub fn seal_text(&mut self, mut envelope: Vec<u8>, length: usize) -> Sealed {
        envelope.resize(sealed_len(length), 0);
        if let Some(last) = self.last.take().filter(|_| self.session.facts().mode() == Mode::Plain) {
            self.session.abandon(&last);
        }
        let mut provider = Software::new(SysRng);
        let (length, exchange) =
            self.session.seal(&mut provider, Now::UNKNOWN, &mut envelope, length).unwrap();
        self.last = Some(exchange);
        envelope.truncate(length);
        let (id, token) = (self.session.facts().id(), self.session.facts().token());
        let mut headers = HEADERS.map(|(name, value)| (name.into(), value.into())).to_vec();
        headers.push(("X-Session-Id".into(), id.into()));
        headers.push(("Authorization".into(), format!("Bearer {token}")));
        Sealed { headers, envelope }
    }

    /// Sends an envelope.
    pub fn send(&self, sealed: &Sealed) -> Answer {
        let headers: Vec<_> =
            sealed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        exchange(self.address, "POST", "/api/request/v2", &headers, &sealed.envelope)
    }

    /// Opens an answer, which must be sealed: its status and its plaintext.
    pub fn open(&mut self, mut answer: Answer) -> (u16, Vec<u8>) {
        let shown = String::from_utf8_lossy(&answer.body).into_owned();
        let opened = self.session.open(&mut Software::new(SysRng), answer.status, &mut answer.body);
        (answer.status, opened.unwrap_or_else(|error| panic!("{error}: {} {shown}", answer.status)).to_vec())
    }

    /// Seals, sends and opens: status and plaintext.
    pub fn call(&mut self, request: &Request<'_>) -> (u16, Vec<u8>) {
        let sealed = self.seal(request);
        let answer = self.send(&sealed);
        self.open(answer)
    }

    /// Status and code of a refusal after the commit: sealed, but in plain mode.
    pub fn refusal(&mut self, answer: Answer) -> (u16, String) {
        if self.session.facts().mode() == Mode::Plain {
            return answer.code();
        }
        let (status, plaintext) = self.open(answer);
        Answer {
            status,
            headers: [("cache-control", "no-store"), ("content-type", "application/json")]
                .map(|(name, value)| (name.into(), value.into()))
                .to_vec(),
            body: plaintext,
        }
        .code()
    }
}
