//! A gateway and a device over any two providers, in memory.

use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{Provider, Signature, Signer, Verifier};
use dynamic_key::envelope::{INTRODUCTION_LEN, introduce};
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::{
    Allowlist, Clients, FixedStore, Gateway, KnownClient, Opened, RegisteredIdentity, TokenKey,
};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::{ClientType, Mode, Now, Session};
use dynamic_key::{Error, Misuse};

use super::{AUDIENCE, START, head_of, hello_headers, request_headers};

/// The device of the tests.
pub const DEVICE: (ClientType, &str, &str) = (ClientType::Internal, "internal-web-client", "device-1");

/// What the upstream answers.
pub const ANSWER: &[u8] = br#"{"countries":["UY","PT"]}"#;

/// A gateway over the provider `P`, which signs with `S`.
pub struct House<P: Provider, S> {
    pub gateway: Gateway<'static, Clients<'static>>,
    pub provider: P,
    pub signer: Option<S>,
    pub store: Box<FixedStore<P, 8, 2, 64>>,
    /// Requests that have reached the upstream.
    pub forwarded: usize,
}

impl<P: Provider, S: Signer> House<P, S> {
    /// A gateway that knows the device in every mode, but no identity of it.
    pub fn new(provider: P, signer: Option<(S, PinnedKey)>) -> Self {
        let (signer, identity) = signer.unzip();
        let mut house = Self {
            gateway: Gateway {
                clients: Clients::new(&[]),
                allowlist: Allowlist::new(DEFAULT_RULES).unwrap(),
                audience: AUDIENCE,
                tokens: TokenKey::hs256(&[7; 32]).unwrap(),
                identity,
                session_seconds: 3600,
                instance: 7,
                plain: Default::default(),
            },
            provider,
            signer,
            store: Box::new(FixedStore::new()),
            forwarded: 0,
        };
        house.demand(Mode::Plain);
        house
    }

    /// Serves the device in this mode or a better one.
    pub fn demand(&mut self, least_mode: Mode) {
        let (client_type, client_id, _) = DEVICE;
        self.gateway.clients.known = Vec::leak(vec![KnownClient { client_type, client_id, least_mode }]);
    }

    /// Registers the identity for the device with this id.
    pub fn register(&mut self, key: PinnedKey, device_id: &'static str) {
        let (client_type, client_id, _) = DEVICE;
        self.gateway.clients.identities =
            Vec::leak(vec![RegisteredIdentity { key, client_type, client_id, device_id }]);
    }

    /// How many sessions there are.
    pub fn live(&self) -> usize {
        let text = format!("{:?}", self.store);
        (0..=8).find(|live| text.contains(&format!("live: {live},"))).unwrap()
    }

    /// Serves a request of either path.
    pub fn serve(&mut self, target: &str, headers: &[(String, String)], body: &[u8]) -> (u16, Vec<u8>) {
        let mut buffer = vec![0; 8192];
        buffer[..body.len()].copy_from_slice(body);
        let Self { gateway, provider, signer, store, forwarded } = self;
        let (head, store) = (head_of(headers), &mut **store);
        let reply = if target == "/api/info/v2" {
            let signer: Option<&mut dyn Signer> = signer.as_mut().map(|signer| signer as _);
            gateway.accept(provider, signer, store, START, &head, &mut buffer, body.len()).unwrap()
        } else {
            match gateway.open_request(provider, store, START, &head, &mut buffer, body.len()).unwrap() {
                Opened::Reply(reply) => reply,
                Opened::Admitted(admitted) => {
                    *forwarded += 1;
                    let responder = admitted.responder;
                    buffer[..ANSWER.len()].copy_from_slice(ANSWER);
                    gateway
                        .seal_response(provider, store, responder, 200, &mut buffer, ANSWER.len())
                        .map_err(|(error, _)| error)
                        .unwrap()
                }
            }
        };
        buffer.truncate(reply.length);
        (reply.status, buffer)
    }
}

/// A device over the provider `P`, which verifies by `V` and signs with `S`.
pub struct Guest<P, V, S> {
    pub config: ClientConfig<'static>,
    pub provider: P,
    pub verifier: V,
    pub signer: Option<S>,
}

/// A session of a device, and the signature that introduces it in mutual mode.
pub struct Visit<P: Provider> {
    pub session: Session<P, 1024, 2>,
    pub introduction: Option<Signature>,
}

impl<P: Provider, V: Verifier, S: Signer> Guest<P, V, S> {
    /// The device, which offers one scheme.
    pub fn new(mode: Mode, scheme: Scheme, provider: P, verifier: V, signer: Option<S>) -> Self {
        let (client_type, client_id, device_id) = DEVICE;
        let config = ClientConfig {
            mode,
            schemes: Vec::leak(vec![scheme]),
            identity: signer.as_ref().map(Signer::kid),
            ..ClientConfig::new(client_type, client_id, device_id, "server")
        };
        Self { config, provider, verifier, signer }
    }

    /// Shakes hands. A handshake that fails must leave no way back.
    pub fn shake<G: Provider, H: Signer>(&mut self, house: &mut House<G, H>) -> Result<Visit<P>, Error> {
        let mut handshake = ClientHandshake::<P, 1024, 2>::new(&self.config).unwrap();
        if let Err(error) = self.step(&mut handshake, house) {
            assert_eq!(handshake.need(), ClientNeed::Nothing, "no way back from {error:?}");
            assert_eq!(handshake.finish().unwrap_err(), Misuse::HandshakeFailed.into());
            return Err(error);
        }
        let introduction = handshake.introduction().copied();
        let session = handshake.finish().unwrap();
        assert_eq!(session.facts().mode(), self.config.mode);
        Ok(Visit { session, introduction })
    }

    fn step<G: Provider, H: Signer>(
        &mut self,
        handshake: &mut ClientHandshake<'static, P, 1024, 2>,
        house: &mut House<G, H>,
    ) -> Result<(), Error> {
        let mut buffer = vec![0; 4096];
        while handshake.compute(&mut self.provider, &mut self.verifier)? == ClientNeed::Hello {
            let length = handshake.hello(&mut self.provider, Now::UNKNOWN, &mut buffer)?;
            let (status, answer) = house.serve("/api/info/v2", &hello_headers(), &buffer[..length]);
            handshake.reply(status, &answer)?;
        }
        if let (ClientNeed::Sign, Some(signer)) = (handshake.need(), &mut self.signer) {
            handshake.sign(signer)?;
        }
        Ok(())
    }

    /// One request and its answer, which must be the upstream's.
    pub fn call<G: Provider, H: Signer>(
        &mut self,
        visit: &mut Visit<P>,
        house: &mut House<G, H>,
    ) -> Result<(), Error> {
        let Visit { session, introduction } = visit;
        let mut buffer = vec![0; 2048];
        let length = Request::get("/countries/get").write(&mut buffer).unwrap();
        let (length, exchange) = session.seal(&mut self.provider, Now::UNKNOWN, &mut buffer, length)?;
        buffer.truncate(length);
        if let Some(introduction) = introduction {
            buffer.resize(length + INTRODUCTION_LEN, 0);
            introduce(&mut buffer, length, introduction).unwrap();
        }
        let headers = request_headers(session.facts().id(), session.facts().token());
        let (status, mut answer) = house.serve("/api/request/v2", &headers, &buffer);
        match session.open(&mut self.provider, status, &mut answer) {
            Ok(text) => {
                assert_eq!((status, &*text), (200, ANSWER));
                *introduction = None;
                Ok(())
            }
            Err(error) => {
                session.abandon(&exchange);
                Err(error)
            }
        }
    }
}
