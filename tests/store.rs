//! What a gateway makes of its store: of two requests with one nonce, raced, exactly one is served, because
//! check-and-commit is one step; and where a store cannot answer, nothing is served unchecked.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::Software;
use dynamic_key::crypto::{Signer, Verified};
use dynamic_key::gateway::sessions::{Replay, SlotHandle};
use dynamic_key::gateway::{FixedStore, Opened, SessionStore, StoreError};
use dynamic_key::nonce::WireNonce;
use dynamic_key::request::Request;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::ServerSession;
use dynamic_key::{Code, Error};
use std::collections::HashMap;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use support::{
    Device, MODES, START, Seeded, Soft, World, call, head_of, hello_headers, request_headers, seal,
};

/// Sessions that many threads share: no lock is held while a message is opened or sealed.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<HashMap<String, Entry>>>);

struct Entry {
    session: Arc<ServerSession<Soft>>,
    replay: Replay<32, 64>,
    half_open: bool,
}

impl SessionStore<Soft> for Shared {
    type Handle = Arc<ServerSession<Soft>>;

    fn find(&mut self, id: &str, now: Timestamp) -> Result<Self::Handle, StoreError> {
        let session = self.0.lock().unwrap().get(id).map(|entry| entry.session.clone());
        let session = session.ok_or(StoreError::Unknown)?;
        if now < session.ends() { Ok(session) } else { Err(StoreError::Ended) }
    }

    fn session<'s>(&'s self, handle: &'s Self::Handle) -> Option<&'s ServerSession<Soft>> {
        Some(handle)
    }

    fn insert(&mut self, session: ServerSession<Soft>, _: Timestamp) -> Result<(), StoreError> {
        let replay = Replay::new(session.mode());
        let half_open = session.claimed().is_some();
        let entry = Entry { session: Arc::new(session), replay, half_open };
        self.0.lock().unwrap().insert(entry.session.id().into(), entry);
        Ok(())
    }

    fn commit(&mut self, handle: &Self::Handle, nonce: WireNonce) -> Result<(), StoreError> {
        self.0.lock().unwrap().get_mut(handle.id()).ok_or(StoreError::Ended)?.replay.commit(nonce)
    }

    fn charge(&mut self, handle: &Self::Handle, blocks: u64) -> Result<(), StoreError> {
        self.0.lock().unwrap().get_mut(handle.id()).ok_or(StoreError::Ended)?.replay.charge(blocks)
    }

    fn is_half_open(&self, handle: &Self::Handle) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().get(handle.id()).ok_or(StoreError::Ended)?.half_open)
    }

    fn prove(&mut self, handle: &Self::Handle, _: Verified) -> Result<(), StoreError> {
        self.0.lock().unwrap().get_mut(handle.id()).ok_or(StoreError::Ended)?.half_open = false;
        Ok(())
    }

    fn end(&mut self, id: &str, _: Timestamp) {
        self.0.lock().unwrap().remove(id);
    }
}

#[test]
fn exactly_one_is_served() {
    const RUNNERS: usize = 4;
    const ROUNDS: usize = 60;
    for mode in MODES {
        let mut world = World::new(1);
        let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
        let mut store = Shared::default();
        let mut buffer = device.hello();
        let length = buffer.len();
        buffer.resize(4096, 0);
        let World { gateway, identity, provider, .. } = &mut world;
        let headers = hello_headers();
        let head = head_of(&headers);
        let reply =
            gateway.accept(provider, Some(identity), &mut store, START, &head, &mut buffer, length).unwrap();
        let (mut session, mut own) = device.accept(reply.status, &buffer[..reply.length]).unwrap();
        let headers = request_headers(session.facts().id(), session.facts().token());

        for round in 0..ROUNDS {
            let (text, exchange) = seal(&mut session, &mut own, &Request::get("/countries/get"));
            session.abandon(&exchange);
            let start = Barrier::new(RUNNERS);
            let race = |runner: usize| {
                let (mut store, mut provider) = (store.clone(), Software::new(Seeded(runner as u64)));
                let mut buffer = text.clone();
                buffer.resize(1024, 0);
                let head = head_of(&headers);
                start.wait();
                let opened = gateway
                    .open_request(&mut provider, &mut store, START, &head, &mut buffer, text.len())
                    .unwrap();
                match opened {
                    Opened::Admitted(_) => true,
                    Opened::Reply(reply) => {
                        assert_eq!(reply.code, Some(Code::EncryptionError));
                        false
                    }
                }
            };
            let served = thread::scope(|scope| {
                let runners: Vec<_> = (0..RUNNERS).map(|runner| scope.spawn(move || race(runner))).collect();
                runners.into_iter().map(|runner| runner.join().unwrap()).filter(|won| *won).count()
            });
            assert_eq!(served, 1, "{mode:?}, round {round}");
        }
    }
}

/// The same without threads: both have authenticated the request before either commits it.
#[test]
fn what_both_have_opened_only_one_may_commit() {
    for mode in MODES {
        let mut world = World::new(1);
        let (mut session, mut own) = Device::new(mode, &Scheme::ELLIPTIC, &world).shake(&mut world);
        let (text, _) = seal(&mut session, &mut own, &Request::get("/countries/get"));
        let store = &mut *world.store;
        let handle = SessionStore::<Soft>::find(store, session.facts().id(), START).unwrap();
        let server = SessionStore::<Soft>::session(store, &handle).unwrap();
        let mut open = || {
            let mut text = text.clone();
            let envelope = dynamic_key::envelope::Envelope::parse(&mut text).unwrap();
            server.open(&mut world.provider, envelope, &mut text).unwrap()
        };
        let (first, second) = (open(), open());
        assert_eq!(SessionStore::<Soft>::commit(store, &handle, first.nonce()), Ok(()));
        let again = SessionStore::<Soft>::commit(store, &handle, second.nonce());
        assert_eq!(again, Err(StoreError::Replayed));
    }
}

/// A store of which one call fails.
struct Flaky<'s> {
    inner: &'s mut FixedStore<Soft, 32, 32, 64>,
    down: &'static str,
}

impl Flaky<'_> {
    fn up(&self, call: &str) -> Result<(), StoreError> {
        if self.down == call { Err(StoreError::Unavailable) } else { Ok(()) }
    }
}

impl SessionStore<Soft> for Flaky<'_> {
    type Handle = SlotHandle;

    fn find(&mut self, id: &str, now: Timestamp) -> Result<SlotHandle, StoreError> {
        self.up("find")?;
        SessionStore::<Soft>::find(self.inner, id, now)
    }

    fn session<'s>(&'s self, handle: &'s SlotHandle) -> Option<&'s ServerSession<Soft>> {
        self.inner.session(handle)
    }

    fn insert(&mut self, session: ServerSession<Soft>, now: Timestamp) -> Result<(), StoreError> {
        self.up("insert")?;
        self.inner.insert(session, now)
    }

    fn commit(&mut self, handle: &SlotHandle, nonce: WireNonce) -> Result<(), StoreError> {
        self.up("commit")?;
        SessionStore::<Soft>::commit(self.inner, handle, nonce)
    }

    fn charge(&mut self, handle: &SlotHandle, blocks: u64) -> Result<(), StoreError> {
        self.up("charge")?;
        SessionStore::<Soft>::charge(self.inner, handle, blocks)
    }

    fn is_half_open(&self, handle: &SlotHandle) -> Result<bool, StoreError> {
        SessionStore::<Soft>::is_half_open(self.inner, handle)
    }

    fn prove(&mut self, handle: &SlotHandle, proof: Verified) -> Result<(), StoreError> {
        self.up("prove")?;
        SessionStore::<Soft>::prove(self.inner, handle, proof)
    }

    fn end(&mut self, id: &str, now: Timestamp) {
        SessionStore::<Soft>::end(self.inner, id, now);
    }
}

#[test]
fn a_store_that_cannot_answer_is_told_so() {
    for mode in MODES {
        let mut world = World::new(1);
        let device = Device::new(mode, &Scheme::ELLIPTIC, &world);
        let (mut session, mut own) = device.shake(&mut world);
        let headers = request_headers(session.facts().id(), session.facts().token());
        for down in ["insert", "find", "commit", "charge", ""] {
            let expected = if down.is_empty() { None } else { Some(Code::StoreUnavailable) };
            let World { gateway, store, provider, identity, .. } = &mut world;
            let mut store = Flaky { inner: store, down };
            let mut buffer = vec![0; 4096];
            let reply = if down == "insert" {
                let hello = Device { seed: 3, ..device.clone() }.hello();
                buffer[..hello.len()].copy_from_slice(&hello);
                let (head, identity) = (hello_headers(), Some(identity as &mut dyn Signer));
                let head = head_of(&head);
                gateway
                    .accept(provider, identity, &mut store, START, &head, &mut buffer, hello.len())
                    .unwrap()
            } else {
                let (text, exchange) = seal(&mut session, &mut own, &Request::get("/countries/get"));
                buffer[..text.len()].copy_from_slice(&text);
                let head = head_of(&headers);
                let opened = gateway
                    .open_request(provider, &mut store, START, &head, &mut buffer, text.len())
                    .unwrap();
                let reply = match opened {
                    Opened::Reply(reply) => reply,
                    Opened::Admitted(admitted) => {
                        assert!(matches!(down, "charge" | ""), "{down}");
                        let responder = admitted.responder;
                        let sealed =
                            gateway.seal_response(provider, &mut store, responder, 200, &mut buffer, 2);
                        sealed.map_err(|(error, _)| error).unwrap()
                    }
                };
                let opened = session.open(&mut own, reply.status, &mut buffer[..reply.length]);
                match expected {
                    Some(code) => assert_eq!(opened.unwrap_err(), Error::Refused(code), "unsealed"),
                    None => assert!(opened.is_ok()),
                }
                session.abandon(&exchange);
                reply
            };
            assert_eq!(reply.code, expected, "{mode:?}: {down}");
        }
        call(&mut session, &mut own, &mut world);
    }
}
