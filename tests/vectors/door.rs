//! A gateway that stands behind one session of a vector.

use crate::peer::{Policy, ServerEnd};
use crate::support::{AUDIENCE, START, Script, head_of};
use crate::vector::{Members, identity_of};
use dynamic_key::Code;
use dynamic_key::codec::json::Str;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::Software;
use dynamic_key::gateway::token::{self, TokenClaims};
use dynamic_key::gateway::{Allowlist, FixedStore, Gateway, Opened, Rule, SessionStore, TokenKey};
use dynamic_key::session::{ClientType, Mode};
use serde_json::{Value, json};

type Scripted = Software<Script>;

const fn rule(method: &'static str, pattern: &'static str) -> Rule<'static> {
    Rule {
        method,
        pattern,
        client_types: &[ClientType::Internal, ClientType::External],
        client_ids: &[],
        least_mode: Mode::Plain,
        forward_headers: &[],
    }
}

/// Those of the vectors: any client may call them.
pub(crate) const RULES: [Rule<'static>; 6] = [
    rule("POST", "/users/login"),
    rule("GET", "/users/getbyid/:id"),
    rule("GET", "/qr/get/reverse/:BFP"),
    rule("GET", "/companies/getbyid/:idCompany"),
    rule("GET", "/countries/get"),
    rule("GET", "/lang/get"),
];

pub(crate) struct Door {
    gateway: Gateway<'static, Policy>,
    store: Box<FixedStore<Scripted, 1, 32, 64>>,
    provider: Scripted,
    id: String,
    token: String,
}

/// What a gateway answered: status, body, its own code.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) code: Option<Code>,
}

impl Reply {
    /// Whether it is an envelope; else it must be the error itself.
    pub(crate) fn is_sealed(&self) -> bool {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        if body.has("data") {
            return true;
        }
        assert_eq!(body["code"], self.code.unwrap().name());
        assert_eq!(body["status"], self.status);
        assert!(!body.text("message").is_empty());
        false
    }
}

impl Door {
    /// The gateway of an exchange, whose responses come from `instance`, or in plain mode end with `random`.
    pub(crate) fn new(exchange: &Value, policy: Policy, instance: u32, random: &[u8]) -> Self {
        let identity = exchange.get("serverIdentity").map(identity_of);
        let pinned = identity.as_ref().map(|identity| identity.public().unwrap());
        let end = ServerEnd::new(exchange, policy, identity);
        let (session, provider) = end.shake(instance, random);
        let gateway = Gateway {
            clients: end.policy,
            allowlist: Allowlist::new(&RULES).unwrap(),
            audience: AUDIENCE,
            tokens: TokenKey::hs256(&[3; 32]).unwrap(),
            identity: pinned,
            session_seconds: 3600,
            instance,
            plain: Default::default(),
        };
        let client = session.client();
        let claims = TokenClaims {
            session_id: session.id(),
            client_id: &client.client_id,
            device_id: &client.device_id,
            audience: AUDIENCE,
            issued_at: Self::now(),
            expires: START,
        };
        let mut text = [0; token::MAX_LEN];
        let token = token::issue(gateway.tokens.signing(None).unwrap(), &claims, &mut text).unwrap();
        let (id, token) = (session.id().into(), token.into());
        let mut store = Box::new(FixedStore::new());
        store.insert(session, Self::now()).unwrap();
        Self { gateway, store, provider, id, token }
    }

    /// A second before the vectors' sessions end.
    fn now() -> Timestamp {
        Timestamp::from_unix_millis(START.as_unix_millis() - 1000)
    }

    /// Opens the request `text`: what it asks for, in the words of the vectors, or the gateway's own answer. An opened one
    /// is answered with `response`.
    pub(crate) fn ask(&mut self, text: &[u8], response: (u16, &[u8])) -> (Option<Value>, Reply) {
        let authorization = format!("Bearer {}", self.token);
        let headers = [
            ("X-Dynamic-Key-Version", "2"),
            ("Content-Type", "application/json"),
            ("X-Session-Id", &self.id),
            ("Authorization", &authorization),
        ];
        let head = head_of(&headers);
        let mut buffer = vec![0; 16 * 1024];
        buffer[..text.len()].copy_from_slice(text);
        let Self { gateway, store, provider, .. } = self;
        let opened =
            gateway.open_request(provider, &mut **store, Self::now(), &head, &mut buffer, text.len());
        let (request, reply) = match opened.unwrap() {
            Opened::Reply(reply) => (None, reply),
            Opened::Admitted(admitted) => {
                let request = &admitted.request;
                let pairs = |pairs: &mut dyn Iterator<Item = (String, String)>| -> Value {
                    pairs
                        .map(|(name, value)| (name, Value::String(value)))
                        .collect::<serde_json::Map<_, _>>()
                        .into()
                };
                let text = |text: Str<'_>| String::from_utf8(text.bytes().collect()).unwrap();
                let body = request.body().map(|body| str::from_utf8(body).unwrap());
                let value = json!({
                    "method": request.method(),
                    "path": request.path(),
                    "headers": pairs(&mut request.headers().map(|(name, value)| (text(name), text(value)))),
                    "query": pairs(&mut request.query().map(|(name, value)| (text(name), text(value)))),
                    "body": body,
                });
                let responder = admitted.responder;
                let (status, body) = response;
                buffer[..body.len()].copy_from_slice(body);
                let sealed =
                    gateway.seal_response(provider, &mut **store, responder, status, &mut buffer, body.len());
                (Some(value), sealed.map_err(|(error, _)| error).unwrap())
            }
        };
        buffer.truncate(reply.length);
        (request, Reply { status: reply.status, body: buffer, code: reply.code })
    }
}
