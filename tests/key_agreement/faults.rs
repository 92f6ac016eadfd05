//! Cryptography that fails, at every call of a whole run, once: the error has a type, the machine is dead, nothing is
//! committed, and no nonce comes twice.

use crate::ends::{MODES, REFERENCE, identity, pins};
use crate::support::{Faulty, Fuse, START, Seeded, Soft};
use dynamic_key::crypto::software::{Pins, Software};
use dynamic_key::crypto::{CryptoError, Signer};
use dynamic_key::field::Call;
use dynamic_key::gateway::agreements::AgreementHandle;
use dynamic_key::gateway::{AgreementStore, FixedAgreements};
use dynamic_key::handshake::{
    KeyAgreementClient, KeyAgreementConfig, KeyAgreementFacts, KeyAgreementPolicy, KeyAgreementServer,
    ServerError,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{Agreement, Mode, Now};
use dynamic_key::{Code, Error};
use serde_json::json;
use std::collections::BTreeSet;

type Provider = Faulty<Soft>;

struct Ends {
    fuse: Fuse,
    mode: Mode,
    device: Provider,
    host: Provider,
    store: FixedAgreements<Provider, 4>,
}

#[derive(Debug)]
enum Failed {
    Client(Error),
    Server(Code),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<ServerError> for Failed {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Refuse(refusal) => Self::Server(refusal.code),
            ServerError::Misuse(error) => panic!("{error:?}"),
        }
    }
}

impl Ends {
    fn new(mode: Mode) -> Self {
        let fuse = Fuse::default();
        let device = Faulty::new(Software::new(Seeded(5)), &fuse);
        let host = Faulty::new(Software::new(Seeded(9)), &fuse);
        Self { fuse, mode, device, host, store: FixedAgreements::new() }
    }

    fn shake(&mut self, id: &str) -> Result<(Agreement<Provider>, AgreementHandle), Failed> {
        let config = KeyAgreementConfig { mode: self.mode, ..KeyAgreementConfig::new(b"device") };
        let mut verifier = Faulty::new(Pins(Vec::leak(pins().to_vec())), &self.fuse);
        let mut signer = Faulty::new(identity(), &self.fuse);
        let mut client = KeyAgreementClient::new(&config)?;
        let mut text = [0; 2048];
        client.compute(&mut self.device, &mut verifier)?;
        let length = client.hello(&mut self.device, Now::UNKNOWN, &mut text)?;
        let mut server = KeyAgreementServer::new();
        let policy = KeyAgreementPolicy { schemes: &Scheme::ELLIPTIC, preference: Preference::Client };
        server.hello(&policy, &mut text[..length])?;
        server.compute(&mut self.host)?;
        let facts = KeyAgreementFacts {
            client_reference_id: id,
            identifier: b"Broker",
            ends: START.saturating_add_secs(300),
            expires_in: None,
            instance: 7,
            identity: (self.mode == Mode::Pinned).then(|| signer.kid()),
        };
        let length = server.answer(&mut self.host, &facts, &mut text)?;
        if self.mode == Mode::Pinned {
            server.sign(&mut signer, &mut text[..length])?;
        }
        self.store.insert(server.finish()?, START).unwrap();
        client.reply(200, &text[..length])?;
        client.compute(&mut self.device, &mut verifier)?;
        Ok((client.finish()?, self.store.find(id, START).unwrap()))
    }

    fn call(&mut self, agreement: &mut Agreement<Provider>, handle: &AgreementHandle) -> Result<(), Failed> {
        let mut call = Call::new("POST", "/rest/login").unwrap();
        let mut fields = [[0; 64]; 2];
        let mut body = json!({});
        for (name, field) in ["password", "pin"].into_iter().zip(&mut fields) {
            let length = agreement.seal(&mut self.device, Now::UNKNOWN, &mut call, name, field, 6)?;
            body[name] = json!(str::from_utf8(&field[..length]).unwrap());
        }
        let mut body = body.to_string().into_bytes();
        let mut received = Call::new("POST", "/rest/login").unwrap();
        let host = self.store.agreement(handle).unwrap();
        let opened = host.open(&mut self.host, &received, &["password", "pin"], &mut body)?;
        self.store.commit(handle, opened.counters()).unwrap();
        let _ = opened.committed(&mut received);
        let mut counters = self.store.reserve(handle, 1, 2).unwrap();
        let (mut text, host) = ([0; 64], self.store.agreement(handle).unwrap());
        let length = host.seal(&mut self.host, &mut counters, &received, 200, "token", &mut text, 6)?;
        let mut body = json!({ "token": str::from_utf8(&text[..length]).unwrap() }).to_string().into_bytes();
        agreement.open(&mut self.device, &mut call, 200, &["token"], &mut body)?;
        Ok(())
    }
}

#[test]
fn every_call_fails_once() {
    let mut blown = BTreeSet::new();
    for mode in MODES {
        let mut whole = Ends::new(mode);
        let (mut agreement, handle) = whole.shake(REFERENCE).unwrap();
        whole.call(&mut agreement, &handle).unwrap();
        for at in 0..whole.fuse.calls() {
            let mut ends = Ends::new(mode);
            ends.fuse.arm(at);
            let mut made = None;
            let outcome = ends.shake(REFERENCE).and_then(|both| {
                let (agreement, handle) = made.insert(both);
                ends.call(agreement, handle)
            });
            let name = ends.fuse.blown().unwrap();
            blown.insert(name);
            match outcome.unwrap_err() {
                Failed::Client(error) => {
                    let expected = match name {
                        "fill" | "generate" => CryptoError::Random,
                        "extract" => CryptoError::Unsupported,
                        _ => CryptoError::Failed,
                    };
                    assert_eq!(error, Error::Crypto(expected), "{name}");
                }
                Failed::Server(code) => assert_eq!(code, Code::StoreUnavailable, "{name}"),
            }
            // Whatever failed, the agreement works where there is one, and another can be made.
            let second = ends.shake("another").unwrap();
            for (mut agreement, handle) in made.into_iter().chain([second]) {
                ends.call(&mut agreement, &handle).unwrap();
                ends.call(&mut agreement, &handle).unwrap();
            }
            ends.fuse.check_nonces();
        }
    }
    for name in ["fill", "generate", "agree", "extract", "mac", "seal", "open", "sign", "verify"] {
        assert!(blown.contains(name), "{name} in {blown:?}");
    }
}
