//! The gateway's verification of a client, in mutual mode: one that fails for whatever reason opens nothing, and ends nothing.

use crate::plan::ERRORS;
use crate::support::{DEVICE, Device, Seeded, World, head_of, hello_headers, request_headers, seal};
use dynamic_key::Code;
use dynamic_key::crypto::software::{Identity, Pins};
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Signer, Verified};
use dynamic_key::envelope::{INTRODUCTION_LEN, introduce};
use dynamic_key::gateway::allowlist::DEFAULT_RULES;
use dynamic_key::gateway::{Allowlist, Clients, Gateway, Opened, RegisteredIdentity, SessionStore};
use dynamic_key::handshake::{Claims, ClientPolicy, ServerPolicy};
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use serde_json::Value;
use std::cell::Cell;

/// A policy whose verification fails when it is told to.
struct Unsteady {
    inner: Clients<'static>,
    fails: Cell<Option<CryptoError>>,
}

impl ServerPolicy for Unsteady {
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        self.inner.client(claims)
    }

    fn verify(&self, kid: &KeyId, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        let verified = self.inner.verify(kid, message, signature)?;
        self.fails.get().map_or(Ok(verified), Err)
    }
}

#[test]
fn a_verification_that_fails_opens_nothing_and_ends_nothing() {
    for error in ERRORS {
        let mut world = World::new(1);
        let mut identity = Identity::generate(&mut Seeded(0x1de)).unwrap();
        let mut device = Device::new(Mode::Mutual, &Scheme::ELLIPTIC, &world);
        device.config.identity = Some(identity.kid());
        let (client_type, client_id, device_id) = DEVICE;
        let key = identity.public().unwrap();
        world.gateway.clients.identities =
            Vec::leak(vec![RegisteredIdentity { key, client_type, client_id, device_id }]);

        let (mut handshake, mut provider, hello) = device.start();
        let (status, answer) = world.serve("/api/info/v2", &hello_headers(), &hello);
        handshake.reply(status, &answer).unwrap();
        handshake.compute(&mut provider, &mut Pins(&device.pins)).unwrap();
        handshake.sign(&mut identity).unwrap();
        let introduction = *handshake.introduction().unwrap();
        let mut session = handshake.finish().unwrap();

        let World { gateway, provider: own, store, now, .. } = &mut world;
        let unsteady = Gateway {
            clients: Unsteady { inner: gateway.clients, fails: Cell::new(Some(error)) },
            allowlist: Allowlist::new(DEFAULT_RULES).unwrap(),
            audience: gateway.audience,
            tokens: gateway.tokens.clone(),
            identity: gateway.identity,
            session_seconds: gateway.session_seconds,
            instance: gateway.instance,
            plain: gateway.plain,
        };
        let headers = request_headers(session.facts().id(), session.facts().token());
        let head = head_of(&headers);
        let handle =
            SessionStore::<crate::support::Soft>::find(&mut **store, session.facts().id(), *now).unwrap();
        for round in 0..4 {
            let (mut text, exchange) = seal(&mut session, &mut provider, &Request::get("/countries/get"));
            let length = text.len();
            text.resize(length + INTRODUCTION_LEN, 0);
            introduce(&mut text, length, &introduction).unwrap();
            let mut buffer = text.clone();
            buffer.resize(4096, 0);
            let opened =
                unsteady.open_request(own, &mut **store, *now, &head, &mut buffer, text.len()).unwrap();
            let half_open = SessionStore::<crate::support::Soft>::is_half_open(&**store, &handle).unwrap();
            if round == 3 {
                assert!(matches!(opened, Opened::Admitted(_)) && !half_open, "{error:?}: it was not ended");
                session.abandon(&exchange);
                continue;
            }
            let Opened::Reply(reply) = opened else { panic!("{error:?}: admitted") };
            assert_eq!((reply.status, reply.code), (403, Some(Code::ClientNotAllowed)), "{error:?}");
            assert!(half_open);
            let body = session.open(&mut provider, reply.status, &mut buffer[..reply.length]).unwrap();
            let json: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(json["code"], Code::ClientNotAllowed.name(), "sealed");
            // Committed all the same: the envelope is used up.
            let mut again = text.clone();
            again.resize(4096, 0);
            let opened =
                unsteady.open_request(own, &mut **store, *now, &head, &mut again, text.len()).unwrap();
            let Opened::Reply(reply) = opened else { panic!("{error:?}: a replay") };
            assert_eq!(reply.code, Some(Code::EncryptionError));
            if round == 2 {
                unsteady.clients.fails.set(None);
            }
        }
    }
}
