//! The crate's two ends, made to follow a vector to the byte: with its private keys, its nonces and its facts.

use crate::support::Script;
use crate::vector::{Members, draw_of, key_of, unbase64};
use dynamic_key::Secret;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{Identity, PinnedKey, Pins, Software};
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Signer, Verified, Verifier};
use dynamic_key::handshake::{
    Claims, ClientConfig, ClientHandshake, ClientNeed, ClientPolicy, ServerFacts, ServerHandshake,
    ServerNeed, ServerPolicy,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode, Now, ServerSession, Session};
use dynamic_key::{Error, nonce::WireNonce};
use serde_json::Value;

pub(crate) type Scripted = Software<Script>;
pub(crate) type ClientSession = Session<Scripted, 4096, 4>;

/// The policy of a gateway as the vectors describe it.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) clients: Vec<(ClientType, String)>,
    /// The ids of registered identities, each with type, clientId and device.id.
    identities: Vec<(KeyId, ClientType, String, String)>,
    /// Their keys, where the vectors have them.
    keys: Vec<PinnedKey>,
    schemes: Vec<Scheme>,
    preference: Preference,
    least_mode: Mode,
}

impl Policy {
    /// The members of `case` replace those of `file`.
    pub(crate) fn of(file: &Value, case: Option<&Value>) -> Self {
        let mut gateway = file.clone();
        for (name, member) in case.and_then(Value::as_object).into_iter().flatten() {
            gateway[name] = member.clone();
        }
        let client = |client: &Value| {
            (ClientType::from_name(client.text("type")).unwrap(), client.text("clientId").into())
        };
        let identity = |identity: &Value| {
            let (kind, id) = client(identity);
            (KeyId::parse(identity.text("kid")).unwrap(), kind, id, identity.text("deviceId").into())
        };
        Self {
            clients: gateway.list("clients").iter().map(client).collect(),
            identities: gateway.list("identities").iter().map(identity).collect(),
            keys: vec![],
            schemes: gateway
                .texts("schemes")
                .into_iter()
                .map(|name| Scheme::from_name(name).unwrap())
                .collect(),
            preference: match gateway.text("preference") {
                "client" => Preference::Client,
                "strongest" => Preference::Strongest,
                other => panic!("{other}"),
            },
            least_mode: Mode::from_name(gateway.text("leastMode")).unwrap(),
        }
    }
}

impl ServerPolicy for Policy {
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        let known =
            |(kind, id): &&(ClientType, String)| *kind == claims.client_type && id == claims.client_id;
        self.clients.iter().find(known)?;
        let bound = |(kid, kind, id, device): &(KeyId, ClientType, String, String)| {
            claims.kid == Some(kid)
                && (*kind, &**id, &**device) == (claims.client_type, claims.client_id, claims.device_id)
        };
        if claims.kid.is_some() && !self.identities.iter().any(bound) {
            return None;
        }
        Some(ClientPolicy {
            schemes: &self.schemes,
            preference: self.preference,
            least_mode: self.least_mode,
        })
    }

    fn verify(&self, kid: &KeyId, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        Pins(&self.keys).verify(kid, message, signature)
    }
}

/// What a hello says, and the keys behind it.
pub(crate) struct ClientEnd {
    hello: Value,
    schemes: Vec<Scheme>,
    mode: Mode,
    private: Vec<u8>,
    pins: Vec<PinnedKey>,
    identity: Option<Identity>,
    /// The prefix of plain mode's nonces.
    prefix: Vec<u8>,
    /// Its first hello, the key behind it, and the 409 that came for it.
    first: Option<(Value, Vec<u8>, String)>,
}

impl ClientEnd {
    /// The client that sent the hello `text`; `None` where ours could not have: it offers no features, no scheme that it
    /// does not know.
    pub(crate) fn new(mode: &str, private: Vec<u8>, text: &str, pins: Vec<PinnedKey>) -> Option<Self> {
        let hello: Value = serde_json::from_str(text).unwrap();
        let offer = hello.get("keyAgreement");
        let schemes = offer.map_or(Some(vec![]), |offer| {
            offer.texts("supportedSchemes").into_iter().map(Scheme::from_name).collect()
        })?;
        let ours = offer.is_none_or(|offer| {
            let features = offer.get("features").and_then(Value::as_array).map_or(0, Vec::len);
            features == 0 && offer.base64("nonce").len() == 16
        });
        let mode = Mode::from_name(mode).unwrap();
        let prefix = vec![0x2a, 0x2b, 0x2c, 0x2d];
        let identity = offer.and_then(|offer| offer.get("identity")).map(|claimed| {
            // All vectors have one client identity, whose private key is 31.
            let mut scalar = Secret::zero();
            scalar.as_mut_bytes()[31] = 31;
            let identity = Identity::from_bytes(&scalar).unwrap();
            assert_eq!(identity.kid().as_str(), claimed.text("kid"));
            identity
        });
        ours.then_some(Self { hello, schemes, mode, private, pins, identity, prefix, first: None })
    }

    /// The same client, whose hello was its second.
    pub(crate) fn after(mut self, private: Vec<u8>, hello: &str, conflict: &str) -> Self {
        self.first = Some((serde_json::from_str(hello).unwrap(), private, conflict.into()));
        self
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Shakes hands up to the hello, which must be the vector's.
    pub(crate) fn start(&self) -> (ClientHandshake<'_, Scripted, 4096, 4>, Scripted) {
        let (device, client) = (&self.hello["device"], &self.hello["client"]);
        let config = ClientConfig {
            mode: self.mode,
            identity: self.identity.as_ref().map(Signer::kid),
            schemes: if self.schemes.is_empty() { &Scheme::ELLIPTIC } else { &self.schemes },
            ..ClientConfig::new(
                ClientType::from_name(client.text("type")).unwrap(),
                client.text("clientId"),
                device.text("id"),
                device.text("platform"),
            )
        };
        let mut script = Script::default();
        if let Some((hello, private, _)) = &self.first {
            script.push(&draw_of(config.schemes[0].group(), private));
            script.push(&hello["keyAgreement"].base64("nonce"));
        }
        script.push(&self.private);
        script.push(&match self.hello.get("keyAgreement") {
            Some(offer) => offer.base64("nonce"),
            None => self.prefix.clone(),
        });
        let mut provider = Software::new(script);
        let mut handshake = ClientHandshake::new(&config).unwrap();
        if let Some((hello, _, conflict)) = &self.first {
            self.says(&mut handshake, &mut provider, hello);
            handshake.reply(409, conflict.as_bytes()).unwrap();
        }
        self.says(&mut handshake, &mut provider, &self.hello);
        (handshake, provider)
    }

    /// The handshake writes `hello`.
    fn says(
        &self,
        handshake: &mut ClientHandshake<'_, Scripted, 4096, 4>,
        provider: &mut Scripted,
        hello: &Value,
    ) {
        assert_eq!(handshake.compute(provider, &mut Pins(&self.pins)), Ok(ClientNeed::Hello));
        let mut text = vec![0; 4096];
        let length = handshake.hello(provider, Now::UNKNOWN, &mut text).unwrap();
        let written: Value = serde_json::from_slice(&text[..length]).unwrap();
        for member in ["clientPublicKey", "device", "client"] {
            assert_eq!(written[member], hello[member]);
        }
        for member in ["supportedSchemes", "nonce", "identity"] {
            assert_eq!(written["keyAgreement"][member], hello["keyAgreement"][member]);
        }
    }

    /// Takes the answer, up to the session.
    pub(crate) fn accept(&self, status: u16, answer: &[u8]) -> Result<Accepted, Error> {
        let (mut handshake, mut provider) = self.start();
        let outcome = handshake
            .reply(status, answer)
            .and_then(|()| handshake.compute(&mut provider, &mut Pins(&self.pins)));
        if outcome == Ok(ClientNeed::Sign) {
            handshake.sign(&mut self.identity.clone().unwrap()).unwrap();
        }
        match outcome {
            Ok(ClientNeed::Finish | ClientNeed::Sign) => {
                let introduction = handshake.introduction().copied();
                assert_eq!(introduction.is_some(), self.mode == Mode::Mutual);
                Ok(Accepted { session: handshake.finish().unwrap(), provider, introduction })
            }
            // The machine asks for another key where a 409 may be followed.
            Ok(need) => panic!("{need:?}"),
            Err(error) => {
                assert_eq!(handshake.need(), ClientNeed::Nothing, "no way back");
                assert!(handshake.finish().is_err());
                Err(error)
            }
        }
    }
}

/// What a client has once it has accepted an answer.
pub(crate) struct Accepted {
    pub(crate) session: ClientSession,
    pub(crate) provider: Scripted,
    /// Its signature, in mutual mode.
    pub(crate) introduction: Option<Signature>,
}

/// The gateway's end of an exchange.
pub(crate) struct ServerEnd<'v> {
    exchange: &'v Value,
    identity: Option<Identity>,
    pub(crate) policy: Policy,
}

impl<'v> ServerEnd<'v> {
    /// A gateway under `policy` that also knows the client of the exchange.
    pub(crate) fn new(exchange: &'v Value, mut policy: Policy, identity: Option<Identity>) -> Self {
        let claims = &exchange["hello"]["expect"];
        let kind = ClientType::from_name(claims.text("clientType")).unwrap();
        policy.clients.push((kind, claims.text("clientId").into()));
        if let Some(identity) = exchange.get("clientIdentity") {
            let kid = KeyId::parse(identity.text("kid")).unwrap();
            let bound = (kid, kind, claims.text("clientId").into(), claims.text("deviceId").into());
            policy.identities.push(bound);
            policy.keys.push(key_of(&identity["jwk"]));
        }
        Self { exchange, identity, policy }
    }

    /// Shakes hands; the answer must say what the vector's says. `instance` is that of the responses to come, `random` the
    /// last bytes of plain mode's.
    pub(crate) fn shake(&self, instance: u32, random: &[u8]) -> (ServerSession<Scripted>, Scripted) {
        let (hello, answer) = (&self.exchange["hello"], &self.exchange["answer"]["expect"]);
        let mode = self.exchange.text("mode");
        let private = self.exchange.hex("serverPrivate");
        let mut provider = if mode == "plain" {
            let prefix = self.exchange.hex("serverNoncePrefix");
            Software::new(Script::new([&private, &prefix, random]))
        } else {
            Software::new(Script::new([&private, &answer.hex("nonce")]))
        };
        let mut server = ServerHandshake::new();
        let mut text = hello.text("text").as_bytes().to_vec();
        server.hello(&mut provider, &self.policy, &mut text).unwrap();
        assert_eq!(server.compute(&mut provider), Ok(ServerNeed::Answer));
        let (client, claims) = (server.client().unwrap(), &hello["expect"]);
        assert_eq!(client.client_type.name(), claims.text("clientType"));
        assert_eq!(
            (&*client.client_id, &*client.device_id),
            (claims.text("clientId"), claims.text("deviceId"))
        );

        let decimal = |name: &str| answer.text(name).parse().unwrap();
        let facts = ServerFacts {
            session_id: answer.text("sessionId"),
            token: answer.text("token"),
            expire_token: decimal("expireToken"),
            expires_at: Timestamp::parse(answer.text("expiresAt").as_bytes()).unwrap(),
            expires_in: if mode == "plain" { 0 } else { decimal("expiresIn") },
            instance,
            identity: self.identity.as_ref().map(Signer::kid),
            plain: Default::default(),
        };
        let mut text = vec![0; 8192];
        let length = server.answer(&mut provider, &facts, &mut text).unwrap();
        if let Some(mut identity) = self.identity.clone() {
            let signed = server.statement().unwrap();
            assert_eq!(signed.as_bytes()[22..], self.exchange.hex("T"));
            server.sign(&mut identity, &mut text[..length]).unwrap();
        }
        self.check_answer(&serde_json::from_slice(&text[..length]).unwrap());
        let session = server.finish().unwrap();
        let expected = match mode {
            "plain" => Mode::Plain,
            "mutual" => Mode::Mutual,
            _ => Mode::Confirmed,
        };
        assert_eq!(session.mode(), expected);
        (session, provider)
    }

    /// Whether our answer says what the vector's says, to the proof and the signature.
    fn check_answer(&self, written: &Value) {
        let expected = &self.exchange["answer"]["expect"];
        assert_eq!(written.base64("serverPublicKey"), expected.hex("serverPublicKey"));
        for name in ["sessionId", "token", "expiresAt"] {
            assert_eq!(written[name], expected[name]);
        }
        assert_eq!(written["expireToken"].to_string(), expected.text("expireToken"));
        let Some(choice) = written.get("keyAgreement") else {
            return assert_eq!(self.exchange.text("mode"), "plain");
        };
        assert_eq!(choice["scheme"], expected["scheme"]);
        assert_eq!(choice["expiresIn"].to_string(), expected.text("expiresIn"));
        assert_eq!(choice["features"], expected["features"]);
        assert_eq!(choice.base64("nonce"), expected.hex("nonce"));
        assert_eq!(choice.base64("proof"), expected.hex("proof"));
        match choice.get("identity") {
            Some(identity) => {
                assert_eq!(identity["kid"], expected["kid"]);
                assert_eq!(identity.base64url("signature"), expected.hex("signature"));
            }
            None => assert!(!expected.has("kid")),
        }
    }
}

/// The nonce of an envelope's text.
pub(crate) fn nonce_of(text: &str) -> WireNonce {
    let envelope: Value = serde_json::from_str(text).unwrap();
    WireNonce::from_bytes(unbase64(envelope.text("nonce")).try_into().unwrap())
}
