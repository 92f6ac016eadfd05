//! Cryptography that fails: at every call of every run, once. The error has a type, the machine is dead, no half-made
//! session is left behind, no nonce comes twice, and everything goes on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::client::{Client, ClientError, NoAnswer};
use dynamic_key::codec::retry_after::Unread;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::crypto::{CryptoError, Signer};
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::{Allowlist, Clients, FixedStore, Gateway, Opened, TokenKey};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::request::Request;
use dynamic_key::session::{ClientType, Mode, Now, Session};
use dynamic_key::transport::{self, Response, Transport, TransportError};
use dynamic_key::{Code, Error, Misuse};
use std::collections::BTreeSet;
use support::{
    AUDIENCE, Faulty, Fuse, KNOWN, MODES, START, Script, Seeded, Soft, head_of, hello_headers,
    request_headers,
};

type Provider = Faulty<Soft>;

/// Both ends, whose every call of cryptography goes through one fuse.
struct Ends {
    fuse: Fuse,
    mode: Mode,
    gateway: Gateway<'static, Clients<'static>>,
    store: Box<FixedStore<Provider, 8, 2, 64>>,
    signer: Faulty<Identity>,
    own: Provider,
    device: Provider,
    verifier: Faulty<Pins<'static>>,
    /// How many requests have reached the upstream.
    forwarded: usize,
}

/// How far a run came.
#[derive(Debug, PartialEq)]
enum Failed {
    /// A step of the client's handshake.
    Handshake(Error),
    /// The gateway answered the hello with this.
    Accept(Code),
    /// Sealing the request.
    Seal(Error),
    /// The gateway answered the request with this; whether it had reached the upstream.
    Request(Code, bool),
    /// Opening the response.
    Open(Error),
}

type DeviceSession = Session<Provider, 1024, 2>;

impl Ends {
    fn new(mode: Mode, tokens: TokenKey) -> Self {
        let identity = Identity::generate(&mut Seeded(1)).unwrap();
        let pins: &'static [PinnedKey] = Vec::leak(vec![identity.public().unwrap()]);
        let fuse = Fuse::default();
        Self {
            mode,
            gateway: Gateway {
                clients: Clients::new(KNOWN),
                allowlist: Allowlist::new(DEFAULT_RULES).unwrap(),
                audience: AUDIENCE,
                tokens,
                identity: Some(pins[0]),
                session_seconds: 3600,
                instance: 7,
                plain: Default::default(),
            },
            store: Box::new(FixedStore::new()),
            signer: Faulty::new(identity, &fuse),
            own: Faulty::new(Software::new(Seeded(2)), &fuse),
            device: Faulty::new(Software::new(Seeded(3)), &fuse),
            verifier: Faulty::new(Pins(pins), &fuse),
            fuse,
            forwarded: 0,
        }
    }

    fn config(&self) -> ClientConfig<'static> {
        ClientConfig {
            mode: self.mode,
            ..ClientConfig::new(ClientType::Internal, "internal-web-client", "device-1", "server")
        }
    }

    fn live(&self) -> usize {
        let text = format!("{:?}", self.store);
        (0..=8).find(|live| text.contains(&format!("live: {live},"))).unwrap()
    }

    /// Serves a request of either path.
    fn serve(&mut self, target: &str, headers: &[(String, String)], body: &[u8]) -> (u16, Vec<u8>) {
        let mut buffer = vec![0; 8192];
        buffer[..body.len()].copy_from_slice(body);
        let Self { gateway, store, signer, own, .. } = self;
        let (head, store) = (head_of(headers), &mut **store);
        let reply = if target == "/api/info/v2" {
            let signer: &mut dyn Signer = signer;
            gateway.accept(own, Some(signer), store, START, &head, &mut buffer, body.len()).unwrap()
        } else {
            match gateway.open_request(own, store, START, &head, &mut buffer, body.len()).unwrap() {
                Opened::Reply(reply) => reply,
                Opened::Admitted(admitted) => {
                    self.forwarded += 1;
                    let responder = admitted.responder;
                    buffer[..2].copy_from_slice(b"{}");
                    gateway
                        .seal_response(own, store, responder, 200, &mut buffer, 2)
                        .map_err(|(error, _)| error)
                        .unwrap()
                }
            }
        };
        buffer.truncate(reply.length);
        if let Some(code) = reply.code {
            assert!(String::from_utf8_lossy(&buffer).contains(code.name()), "unsealed");
        }
        (reply.status, buffer)
    }

    fn shake(&mut self) -> Result<DeviceSession, Failed> {
        let mut handshake = ClientHandshake::<Provider, 1024, 2>::new(&self.config()).unwrap();
        let mut buffer = vec![0; 1024];
        let hello = handshake
            .compute(&mut self.device, &mut self.verifier)
            .and_then(|_| handshake.hello(&mut self.device, Now::UNKNOWN, &mut buffer));
        let answered = match hello {
            Ok(length) => {
                let (status, answer) = self.serve("/api/info/v2", &hello_headers(), &buffer[..length]);
                if status != 200 {
                    let code = Code::ALL.into_iter().find(|code| code.status() == status);
                    return Err(Failed::Accept(code.unwrap()));
                }
                handshake
                    .reply(status, &answer)
                    .and_then(|()| handshake.compute(&mut self.device, &mut self.verifier))
            }
            Err(error) => Err(error),
        };
        match answered {
            Ok(need) => {
                assert_eq!(need, ClientNeed::Finish);
                Ok(handshake.finish().unwrap())
            }
            Err(error) => {
                assert_eq!(handshake.need(), ClientNeed::Nothing, "no way back");
                let again = handshake.generated(Err(CryptoError::Failed));
                assert_eq!(again, Err(Misuse::HandshakeFailed.into()));
                assert_eq!(handshake.finish().unwrap_err(), Misuse::HandshakeFailed.into());
                Err(Failed::Handshake(error))
            }
        }
    }

    /// One request; a failed opening is tried again with what came, which must do.
    fn call(&mut self, session: &mut DeviceSession) -> Result<(), Failed> {
        let mut buffer = vec![0; 1024];
        let length = Request::get("/countries/get").write(&mut buffer).unwrap();
        let remaining = session.remaining();
        let sealed = session.seal(&mut self.device, Now::UNKNOWN, &mut buffer, length);
        assert_eq!(session.remaining(), remaining - 1, "the nonce is gone, whatever came of it");
        let (length, exchange) = sealed.map_err(Failed::Seal)?;
        let headers = request_headers(session.facts().id(), session.facts().token());
        let before = self.forwarded;
        let (status, answer) = self.serve("/api/request/v2", &headers, &buffer[..length]);
        let opened = session.open(&mut self.device, status, &mut answer.clone()).map(|text| text.to_vec());
        match opened {
            Ok(text) => {
                assert_eq!(text, b"{}");
                Ok(())
            }
            Err(Error::Refused(code)) => {
                session.abandon(&exchange);
                let forwarded = self.forwarded > before;
                // Nothing was committed unless it was forwarded: then the same envelope may pass, else never again.
                let (status, _) = self.serve("/api/request/v2", &headers, &buffer[..length]);
                assert_eq!(status, if forwarded { 400 } else { 200 });
                Err(Failed::Request(code, forwarded))
            }
            Err(error) => {
                let mut answer = answer;
                assert_eq!(session.open(&mut self.device, status, &mut answer).unwrap(), b"{}");
                Err(Failed::Open(error))
            }
        }
    }
}

/// The ends of `mode`, with tokens of either algorithm.
fn all() -> impl Iterator<Item = (Mode, TokenKey)> {
    let tokens = [TokenKey::hs256(&[7; 32]).unwrap(), TokenKey::Es256];
    MODES.into_iter().flat_map(move |mode| tokens.clone().map(|tokens| (mode, tokens)))
}

#[test]
fn every_call_fails_once() {
    let mut blown = BTreeSet::new();
    for (mode, tokens) in all() {
        let mut whole = Ends::new(mode, tokens.clone());
        let mut session = whole.shake().unwrap();
        let handshake_calls = whole.fuse.calls();
        whole.call(&mut session).unwrap();
        let calls = whole.fuse.calls();
        assert!(handshake_calls > 10 && calls - handshake_calls >= 4, "{calls}");

        for at in 0..calls {
            let mut ends = Ends::new(mode, tokens.clone());
            ends.fuse.arm(at);
            let mut session = None;
            let outcome = ends.shake().and_then(|made| ends.call(session.insert(made)));
            let name = ends.fuse.blown().unwrap();
            blown.insert(name);
            let typed = |error: &Error| {
                let expected = match name {
                    "fill" | "generate" => CryptoError::Random,
                    "extract" => CryptoError::Unsupported,
                    _ => CryptoError::Failed,
                };
                assert_eq!(*error, Error::Crypto(expected), "{mode:?}: {name}");
            };
            let in_handshake = at < handshake_calls;
            match outcome.unwrap_err() {
                Failed::Handshake(error) => {
                    typed(&error);
                    assert!(
                        in_handshake && ends.live() <= 1,
                        "the gateway may have one whose client has none"
                    );
                }
                Failed::Accept(code) => {
                    assert!(in_handshake);
                    assert_eq!((code, ends.live()), (Code::StoreUnavailable, 0), "{mode:?}: {name}");
                }
                Failed::Seal(error) | Failed::Open(error) => {
                    typed(&error);
                    assert!(!in_handshake);
                }
                Failed::Request(code, forwarded) => {
                    assert_eq!(code, Code::StoreUnavailable, "{mode:?}: {name}");
                    assert_eq!(forwarded, name != "open", "{name}");
                }
            }
            // Whatever failed, the session works where there is one, and another can be made.
            for session in [session, Some(ends.shake().unwrap())].iter_mut().flatten() {
                ends.call(session).unwrap();
                ends.call(session).unwrap();
            }
            ends.fuse.check_nonces();
        }
    }
    let every = [
        "agree",
        "expand",
        "expand_bytes",
        "expand_key",
        "extract",
        "fill",
        "generate",
        "mac",
        "open",
        "seal",
        "sign",
        "verify",
    ];
    assert_eq!(blown.into_iter().collect::<Vec<_>>(), every);
}

/// The link of a [`Client`] to [`Ends`].
struct Direct {
    ends: Ends,
    answer: (u16, Vec<u8>),
}

#[derive(Debug)]
enum Never {}

impl TransportError for Never {
    fn request_left(&self) -> bool {
        true
    }
    fn is_timeout(&self) -> bool {
        false
    }
}

impl Transport for Direct {
    type Error = Never;

    fn send(&mut self, request: &transport::Request<'_>) -> Result<(), Never> {
        let headers = request.headers.iter().map(|header| (header.name().into(), header.value().concat()));
        let headers: Vec<_> = headers.collect();
        self.answer = self.ends.serve(request.target, &headers, request.body);
        Ok(())
    }

    fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, Never> {
        let (status, body) = &self.answer;
        let room = &mut buffer[..body.len()];
        room.copy_from_slice(body);
        Ok(Response { status: *status, content_type_is_json: true, retry_after: Unread::ABSENT, body: room })
    }
}

/// The same through the paved path: every call fails once in a row of requests, and the caller knows what has happened.
#[test]
fn every_call_fails_once_under_the_client() {
    for mode in MODES {
        let tokens = TokenKey::hs256(&[7; 32]).unwrap();
        let client = || {
            let ends = Ends::new(mode, tokens.clone());
            let (config, device, verifier) = (ends.config(), ends.device.clone(), ends.verifier.clone());
            let direct = Direct { ends, answer: (0, vec![]) };
            Client::<_, _, _, 1024>::new(config, device, verifier, direct).unwrap()
        };
        let post = Request::post("/users/login", b"{}");
        let mut whole = client();
        whole.request(Now::UNKNOWN, &post, &mut [0; 4096]).unwrap();
        for at in 0..whole.transport_mut().ends.fuse.calls() {
            let mut client = client();
            let fuse = client.transport_mut().ends.fuse.clone();
            fuse.arm(at);
            let error = client.request(Now::UNKNOWN, &post, &mut [0; 4096]).unwrap_err();
            let (name, forwarded) = (fuse.blown().unwrap(), client.transport_mut().ends.forwarded);
            match error {
                ClientError::OutcomeUnknown { cause } => {
                    // It had left. The gateway says what failed there; that it did not forward, nobody can know.
                    let at_gateway = cause == NoAnswer::Unsealed(Code::StoreUnavailable);
                    let at_client = (cause, forwarded) == (NoAnswer::Unopened, 1);
                    assert!(at_gateway || at_client, "{mode:?}: {name} {cause:?}");
                }
                ClientError::Refused { code, .. } => {
                    // The hello; in plain mode, whose errors are believed, the request as well.
                    assert_eq!(code, Code::StoreUnavailable, "{name}");
                    assert!(forwarded == 0 || mode == Mode::Plain, "{name}");
                }
                ClientError::Core(Error::Crypto(_)) => assert_eq!(forwarded, 0, "{mode:?}: {name}"),
                other => panic!("{other:?}"),
            }
            for _ in 0..2 {
                assert_eq!(client.request(Now::UNKNOWN, &post, &mut [0; 4096]).unwrap().body, b"{}");
            }
            assert_eq!(client.transport_mut().ends.forwarded, forwarded + 2);
            fuse.check_nonces();
        }
    }
}

/// The software provider over a generator that has nothing to give.
#[test]
fn a_silent_generator_is_an_error_and_never_a_weak_key() {
    let mut provider = Software::new(Script::default());
    assert_eq!(Identity::generate(&mut Script::default()).unwrap_err(), CryptoError::Random);
    for mode in MODES {
        let config = ClientConfig { mode, ..ClientConfig::new(ClientType::Internal, "c", "d", "p") };
        let mut handshake = ClientHandshake::<_, 64>::new(&config).unwrap();
        let outcome = handshake.compute(&mut provider, &mut Pins(&[]));
        assert_eq!(outcome, Err(Error::Crypto(CryptoError::Random)));
        assert_eq!(handshake.need(), ClientNeed::Nothing);
    }
    // A key, and then no nonce.
    let config = ClientConfig::new(ClientType::Internal, "c", "d", "p");
    let mut provider = Software::new(Script::new([&[1; 32]]));
    let mut handshake = ClientHandshake::<_, 64>::new(&config).unwrap();
    assert_eq!(handshake.compute(&mut provider, &mut Pins(&[])), Ok(ClientNeed::Hello));
    let outcome = handshake.hello(&mut provider, Now::UNKNOWN, &mut [0; 1024]);
    assert_eq!(outcome, Err(Error::Crypto(CryptoError::Random)));
    assert_eq!(handshake.need(), ClientNeed::Nothing);
}
