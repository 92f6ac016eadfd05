//! A relay with two applications, and identities that speak to it.

use crate::server::{Answer, Dial, Running, demo, exchange};
use dynamic_key::client::relay;
use dynamic_key::codec::base64;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::{Identity, RecipientKey};
use dynamic_key::identity::message::{self, Ask, Message};
use dynamic_key::identity::profile::{Known, Pin, Profile};
use dynamic_key::identity::registration::Registration;
use dynamic_key::identity::response::Response;
use dynamic_key::identity::{Author, Draft, IdentityError, Request, registration, rotation};
use dynamic_key::jose::jwk::{Jwk, Use};
use dynamic_key::jose::{Hs256Key, KeyRef, api_key, jwt};
use dynamic_key::transport::http1::Http1;
use dynamic_key_gateway::relay::{ApiKey, Application, Settings};
use dynamic_key_gateway::{Config, Software};
use getrandom::SysRng;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const AUDIENCE: &str = "relay.example";
pub(crate) const ONE: &str = "the secret of the one application";
pub(crate) const OTHER: &str = "the secret of the other application";

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn provider() -> Software {
    Software::new(SysRng)
}

/// Two applications of two customers.
pub(crate) fn settings() -> Settings {
    let application = |name: &str, secret: &str| Application {
        name: name.into(),
        customer: None,
        keys: vec![ApiKey {
            id: format!("{name}-key"),
            secret: secret.into(),
            disabled: false,
            expires: None,
        }],
        clients: Vec::new(),
    };
    Settings {
        audience: Some(AUDIENCE.into()),
        applications: vec![application("one", ONE), application("other", OTHER)],
        ..Settings::demo(None)
    }
}

/// A token of an API key for the next five minutes.
pub(crate) fn token(key_id: &str, secret: &str) -> String {
    token_at(key_id, secret, AUDIENCE, now())
}

pub(crate) fn token_at(key_id: &str, secret: &str, audience: &str, at: u64) -> String {
    let at = |seconds| Timestamp::from_unix_secs(seconds + at);
    let times = jwt::Times { issued_at: at(0), not_before: at(0), expires: at(300) };
    let claims = api_key::Claims { key_id, audience, times };
    let mut room = vec![0; api_key::signed_len(&claims)];
    api_key::sign(&Hs256Key::from_secret(secret.as_bytes()).unwrap(), &claims, &mut room).unwrap().into()
}

/// A relay, and an application that speaks to it.
pub(crate) struct Relay {
    pub(crate) gateway: Running,
    pub(crate) one: String,
    pub(crate) other: String,
}

impl Relay {
    pub(crate) fn start() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let gateway = Running::start(Config { relay: Some(settings), ..demo() });
        Self { gateway, one: token("one-key", ONE), other: token("other-key", OTHER) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.address
    }

    /// As the first application.
    pub(crate) fn call(&self, request: &Request<'_>) -> Told {
        call(self.address(), &self.one, request)
    }

    /// Any body, as the first application.
    pub(crate) fn post(&self, path: &str, body: &str) -> Told {
        self.send("POST", path, Some(&self.one), body)
    }

    /// Any request.
    pub(crate) fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Told {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
        Told::of(&exchange(self.address(), method, path, &headers, body.as_bytes()))
    }

    /// A new identity of the first application.
    pub(crate) fn join(&self) -> Party {
        Party::join(self.address(), &self.one)
    }

    /// What an identity publishes.
    pub(crate) fn published(&self, address: &str) -> Value {
        let told = self.send("GET", &format!("/v1/identity/{address}"), Some(&self.one), "");
        told.ok(20_013)["body"].clone()
    }
}

/// Sends a request with the library's own driver.
pub(crate) fn call(address: SocketAddr, token: &str, request: &Request<'_>) -> Told {
    let mut transport = Http1::new(Dial(address), "relay").unwrap();
    let mut buffer = vec![0; 1 << 20];
    let response = relay(&mut transport, Some(token), request, &mut buffer).unwrap();
    let (status, code) = (response.status, response.code.get());
    drop(transport);
    // What the driver received, with its head.
    let text = String::from_utf8_lossy(&buffer);
    let from = text.find(r#"{"status""#).unwrap();
    let mut values = serde_json::Deserializer::from_str(&text[from..]).into_iter::<Value>();
    let json = values.next().unwrap().unwrap();
    assert_eq!((&json["status"], &json["code"]), (&status.into(), &code.into()));
    Told { status, json, retry_after: None }
}

/// Sends what lasts for a few seconds, longer where it expires on its way; until when it lasts.
pub(crate) fn send_short(mut send: impl FnMut(u64) -> Told) -> u64 {
    for seconds in [3, 10, 30, 100] {
        let expires = now() + seconds;
        let told = send(expires);
        if told.json["code"] != 40_005 {
            told.ok(20_021);
            return expires;
        }
    }
    panic!("nothing gets through in time")
}

/// Waits for a time.
pub(crate) fn wait_until(second: u64) {
    while now() < second {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// An answer of the relay.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) json: Value,
    pub(crate) retry_after: Option<String>,
}

impl Told {
    fn of(answer: &Answer) -> Self {
        let json = answer.json();
        assert_eq!(json["status"], answer.status, "{json}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        Response::parse(&answer.body).unwrap();
        let retry_after = answer.header("retry-after").map(Into::into);
        Self { status: answer.status, json, retry_after }
    }

    /// A success with this code.
    #[track_caller]
    pub(crate) fn ok(&self, code: u32) -> &Value {
        assert_eq!((self.status, &self.json["code"]), (200, &code.into()), "{}", self.json);
        assert!(self.json["msg"].is_string() && self.json["err"].is_null() && self.json["txnID"].is_string());
        &self.json
    }

    /// A refusal with this code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: u32) {
        assert_eq!((self.status, &self.json["code"]), (status, &code.into()), "{}", self.json);
        assert!(self.json["err"].is_string() && self.json["msg"].is_null() && self.json["txnID"].is_string());
    }

    /// The messages of a page.
    pub(crate) fn messages(&self) -> Vec<String> {
        let body = self.json["body"].as_array().unwrap();
        body.iter().map(|message| message.as_str().unwrap().into()).collect()
    }

    /// What its messages call themselves.
    pub(crate) fn ids(&self) -> Vec<String> {
        let id = |message: String| {
            let payload = unurl(message.split('.').nth(1).unwrap());
            serde_json::from_slice::<Value>(&payload).unwrap()["id"].as_str().unwrap().into()
        };
        self.messages().into_iter().map(id).collect()
    }
}

/// An identity with both its keys.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) signer: Identity,
    pub(crate) recipient: RecipientKey,
    /// With no address before it is registered.
    pub(crate) me: KeyRef,
}

impl Party {
    pub(crate) fn new() -> Self {
        let signer = Identity::generate(&mut SysRng).unwrap();
        let recipient = RecipientKey::from_bytes(&Identity::generate(&mut SysRng).unwrap().to_bytes());
        let me = KeyRef::new("", signer.kid()).unwrap();
        Self { signer, recipient: recipient.unwrap(), me }
    }

    pub(crate) fn join(relay: SocketAddr, token: &str) -> Self {
        let mut party = Self::new();
        let told = call(relay, token, &request(&party.registration(now())));
        party.registered(&told);
        party
    }

    /// Takes the address that the relay gave.
    pub(crate) fn registered(&mut self, told: &Told) {
        let answer = told.ok(20_011).to_string();
        let response = Response::parse(answer.as_bytes()).unwrap();
        self.me = registration::address(&mut provider(), &response, &self.signing()).unwrap();
    }

    /// The body of a registration.
    pub(crate) fn registration(&mut self, at: u64) -> Written {
        let registration = Registration {
            issued_at: Timestamp::from_unix_secs(at),
            signing: &self.signing(),
            encryption: &self.encryption(),
            public: br#"{"identityType":"user"}"#,
            private: br#"{"note":"mine"}"#,
        };
        let mut room = vec![0; 4096];
        written(&registration.begin(&mut room).unwrap().sign([&mut self.signer]).unwrap())
    }

    /// The body of a rotation to the keys of `next`, and who signs from then on.
    pub(crate) fn rotation(&mut self, next: &mut Self, at: u64) -> Written {
        let mut room = vec![0; 4096];
        let author = Author { kid: &self.me, issued_at: Timestamp::from_unix_secs(at) };
        let draft = rotation::signing_key(&author, &next.signing(), &next.encryption(), &mut room);
        next.me = KeyRef::new(self.me.address(), next.signer.kid()).unwrap();
        written(&draft.unwrap().sign([&mut self.signer, &mut next.signer]).unwrap())
    }

    /// A request with one signature.
    pub(crate) fn ask<'o>(
        &'o mut self,
        at: u64,
        begin: impl FnOnce(&Author<'_>, &'o mut [u8]) -> Result<Draft<'o, 1>, IdentityError>,
    ) -> Written {
        let room = Box::leak(vec![0; 16 * 1024].into_boxed_slice());
        let author = Author { kid: &self.me, issued_at: Timestamp::from_unix_secs(at) };
        written(&begin(&author, room).unwrap().sign([&mut self.signer]).unwrap())
    }

    /// A message to `to` that outlasts the test.
    pub(crate) fn message(&mut self, to: &str, id: &str) -> Written {
        let expires = Timestamp::from_unix_secs(now() + 3_600);
        self.ask(now(), |author, out| Message { to, id, expires, body: "a.b.c.d.e" }.begin(author, out))
    }

    pub(crate) fn fetch(&mut self, ask: &Ask) -> Written {
        self.ask(now(), |author, out| message::fetch(author, ask, out))
    }

    pub(crate) fn signing(&self) -> Jwk {
        Jwk::new(*self.signer.public().unwrap().point(), Use::Signature).unwrap()
    }

    pub(crate) fn encryption(&self) -> Jwk {
        let point = self.recipient.public().unwrap().as_bytes().try_into().unwrap();
        Jwk::new(point, Use::Encryption).unwrap()
    }

    /// What somebody who trusts `pin` makes of a profile.
    pub(crate) fn verify(profile: &Value, pin: &Pin) -> Result<Known, IdentityError> {
        let answer =
            serde_json::json!({"status": 200, "code": 20013, "msg": "", "body": profile}).to_string();
        Profile::parse(&Response::parse(answer.as_bytes())?)?.verify::<_, 256>(&mut provider(), pin)
    }

    /// Something signed with any facts, and the right signature.
    pub(crate) fn jws(&mut self, kid: &str, at: u64, target: &str, payload: &[u8]) -> String {
        jws(
            &mut self.signer,
            &format!(r#"{{"alg":"ES256","iat":{at},"kid":"{kid}","tgt":"{target}"}}"#),
            payload,
        )
    }
}

/// A request that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) target: String,
    pub(crate) body: String,
}

fn written(request: &Request<'_>) -> Written {
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    Written { target: request.target.into(), body }
}

pub(crate) fn request(written: &Written) -> Request<'_> {
    Request { method: "POST", target: &written.target, body: written.body.as_bytes() }
}

pub(crate) fn jws(signer: &mut Identity, header: &str, payload: &[u8]) -> String {
    let input = format!("{}.{}", url(header.as_bytes()), url(payload));
    let signature = signer.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", url(&signature))
}

pub(crate) fn url(bytes: &[u8]) -> String {
    let mut out = vec![0; base64::url_encoded_len(bytes.len())];
    base64::url_encode(bytes, &mut out).unwrap().to_string()
}

pub(crate) fn unurl(text: &str) -> Vec<u8> {
    let mut out = vec![0; text.len()];
    base64::url_decode(text.as_bytes(), &mut out).unwrap().to_vec()
}
