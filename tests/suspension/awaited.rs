//! The machines and the client, driven by futures: their operations take a while, fail after it, and are dropped at every poll.

use crate::plan::{Act, ERRORS, Operation, Plan};
use crate::stage::{Keeper, Stage, all, as_client, as_gateway, empty};
use crate::support::{Count, Counted, DEVICE, Link, Lost, START, Seeded, World, block_on, pause, poll_times};
use dynamic_key::Error;
use dynamic_key::client::{AsyncClient, ClientError};
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::software::{Identity, Pins, Software};
use dynamic_key::crypto::{
    AsyncProvider, AsyncSigner, AsyncVerifier, CryptoError, KeyId, Provider, Signature, Signer, Verified,
    Verifier,
};
use dynamic_key::gateway::{RegisteredIdentity, SessionStore};
use dynamic_key::handshake::{ClientConfig, ClientNeed, ServerError, ServerHandshake, ServerNeed};
use dynamic_key::request::Request;
use dynamic_key::session::{Mode, Now, Session};
use dynamic_key::transport::{self, AsyncTransport, Response, Transport};
use std::ops::DerefMut;

/// What blocks, made to take a while, and to fail as planned.
pub(crate) struct Awaited<T> {
    inner: T,
    plan: Plan,
    pauses: usize,
    is_client: bool,
}

impl<T> Awaited<T> {
    pub(crate) fn client(inner: T, plan: &Plan, pauses: usize) -> Self {
        Self { inner, plan: plan.clone(), pauses, is_client: true }
    }

    pub(crate) fn gateway(inner: T, plan: &Plan, pauses: usize) -> Self {
        Self { is_client: false, ..Self::client(inner, plan, pauses) }
    }

    async fn perform<O>(
        &mut self,
        [client, gateway]: [Operation; 2],
        perform: impl FnOnce(&mut T) -> Result<O, CryptoError>,
    ) -> Result<O, CryptoError> {
        self.pause().await;
        let operation = if self.is_client { client } else { gateway };
        let inner = &mut self.inner;
        let outcome = self.plan.perform(operation, || perform(inner)).unwrap();
        self.pause().await;
        outcome
    }

    async fn pause(&self) {
        for _ in 0..self.pauses {
            pause().await;
        }
    }
}

impl<T: DerefMut<Target = Keeper>> AsyncProvider for Awaited<T> {
    type Provider = Keeper;

    fn provider(&mut self) -> &mut Keeper {
        &mut self.inner
    }

    async fn generate(
        &mut self,
        group: Group,
    ) -> Result<(<Keeper as Provider>::EphemeralKey, PublicKey), CryptoError> {
        let operations = [Operation::ClientGenerates, Operation::GatewayGenerates];
        self.perform(operations, |inner| Provider::generate(&mut **inner, group)).await
    }

    async fn agree(
        &mut self,
        key: <Keeper as Provider>::EphemeralKey,
        peer: &PublicKey,
    ) -> Result<<Keeper as Provider>::SharedSecret, CryptoError> {
        let operations = [Operation::ClientAgrees, Operation::GatewayAgrees];
        self.perform(operations, |inner| Provider::agree(&mut **inner, key, peer)).await
    }
}

impl AsyncVerifier for Awaited<Pins<'_>> {
    async fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        let operations = [Operation::ClientVerifies; 2];
        self.perform(operations, |inner| Verifier::verify(inner, kid, message, signature)).await
    }
}

impl AsyncSigner for Awaited<Identity> {
    fn kid(&self) -> KeyId {
        Signer::kid(&self.inner)
    }

    async fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        let operations = [Operation::ClientSigns, Operation::GatewaySigns];
        self.perform(operations, |inner| Signer::sign(inner, message)).await
    }
}

impl<T: Transport> AsyncTransport for Awaited<T> {
    type Error = T::Error;

    async fn send(&mut self, request: &transport::Request<'_>) -> Result<(), T::Error> {
        self.pause().await;
        self.inner.send(request)
    }

    async fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Response<'b>, T::Error> {
        self.pause().await;
        self.inner.receive(buffer)
    }
}

/// Whose step failed.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    Client(Error),
    Gateway(ServerError),
}

/// A handshake of both roles, whose every slow operation is awaited.
async fn handshake(stage: &mut Stage, plan: &Plan, pauses: usize) -> Result<Session<Keeper, 64>, Stop> {
    let (mut client, mut server) = (stage.client(), ServerHandshake::new());
    let (facts, mut buffer) = (stage.facts(), [0; 1024]);
    let mut device = Awaited::client(&mut stage.device, plan, pauses);
    let mut gateway = Awaited::gateway(&mut stage.gateway, plan, pauses);
    let mut verifier = Awaited::client(stage.pins, plan, pauses);

    client.compute_async(&mut device, &mut verifier).await.map_err(Stop::Client)?;
    let length = client.hello(device.provider(), Now::UNKNOWN, &mut buffer).map_err(Stop::Client)?;
    server.hello(gateway.provider(), &stage.policy, &mut buffer[..length]).map_err(Stop::Gateway)?;
    server.compute_async(&mut gateway).await.map_err(Stop::Gateway)?;
    let length = server.answer(gateway.provider(), &facts, &mut buffer).map_err(Stop::Gateway)?;
    if server.need() == ServerNeed::Sign {
        let mut signer = Awaited::gateway(stage.gateway_identity.clone(), plan, pauses);
        server.sign_async(&mut signer, &mut buffer[..length]).await.map_err(Stop::Gateway)?;
    }
    stage.store.insert(server.finish().map_err(Stop::Gateway)?, START).unwrap();

    client.reply(200, &buffer[..length]).map_err(Stop::Client)?;
    if client.compute_async(&mut device, &mut verifier).await.map_err(Stop::Client)? == ClientNeed::Sign {
        let mut signer = Awaited::client(stage.device_identity.clone(), plan, pauses);
        let statement = client.statement().map_err(Stop::Client)?;
        let outcome = AsyncSigner::sign(&mut signer, statement.as_bytes()).await;
        client.signed(outcome).map_err(Stop::Client)?;
    }
    client.finish().map_err(Stop::Client)
}

/// A handshake that nothing disturbs. Returns its operations.
fn whole(stage: &mut Stage, pauses: usize) -> Vec<Operation> {
    let plan = Plan::default();
    let mut session = block_on(handshake(stage, &plan, pauses)).unwrap();
    stage.talk(&mut session);
    assert_eq!(stage.device_secrets.alive(), stage.of_a_session());
    drop(session);
    *stage.store = empty();
    stage.check_empty("whole");
    plan.seen()
}

/// What is left of a handshake that has come to nothing: a whole session in the store, or none.
fn check_end(stage: &mut Stage, case: &str) {
    assert_eq!(stage.device_secrets.alive(), [""; 0], "{case}");
    let kept = if stage.live() == 1 { stage.of_a_session() } else { vec![] };
    assert_eq!(stage.gateway_secrets.alive(), kept, "{case}");
    *stage.store = empty();
    stage.check_empty(case);
}

#[test]
fn a_handshake_that_is_dropped_at_any_poll_leaves_nothing() {
    for (mode, scheme) in all() {
        for pauses in [1, 3] {
            let mut stage = Stage::new(mode, scheme);
            let operations = whole(&mut stage, pauses).len();
            for polls in 0.. {
                let case = format!("{mode:?} {scheme} of {pauses} pauses, after {polls} polls");
                let plan = Plan::default();
                if let Some(outcome) = poll_times(handshake(&mut stage, &plan, pauses), polls) {
                    drop(outcome.unwrap());
                    assert_eq!(polls, 2 * pauses * operations + 1, "{case}");
                    break;
                }
                check_end(&mut stage, &case);
                whole(&mut stage, pauses);
            }
        }
    }
}

#[test]
fn an_operation_that_fails_after_a_while_leaves_nothing() {
    for (mode, scheme) in all() {
        let mut stage = Stage::new(mode, scheme);
        for (at, operation) in whole(&mut stage, 2).into_iter().enumerate() {
            for error in ERRORS {
                for act in [Act::Fail(error), Act::FailLate(error)] {
                    let case = format!("{mode:?} {scheme}: {operation:?}, {act:?}");
                    let plan = Plan::default();
                    plan.set(at, act);
                    let stop = block_on(handshake(&mut stage, &plan, 2)).err();
                    if operation.is_of_the_client() {
                        assert_eq!(stop, Some(Stop::Client(as_client(error))), "{case}");
                    } else {
                        let Some(Stop::Gateway(ServerError::Refuse(refusal))) = stop else {
                            panic!("{case}")
                        };
                        assert_eq!(refusal.code, as_gateway(error), "{case}");
                    }
                    check_end(&mut stage, &case);
                    whole(&mut stage, 1);
                }
            }
        }
    }
}

type Device<'w> = AsyncClient<
    'static,
    Awaited<Box<Keeper>>,
    Awaited<Pins<'static>>,
    Awaited<Link<'w>>,
    1024,
    Awaited<Identity>,
>;

/// A client of mutual mode before a gateway that knows it.
fn client<'w>(world: &'w mut World, plan: &Plan) -> (Device<'w>, Count) {
    let identity = Identity::generate(&mut Seeded(0x1de)).unwrap();
    let (client_type, client_id, device_id) = DEVICE;
    let key = identity.public().unwrap();
    world.gateway.clients.identities =
        Vec::leak(vec![RegisteredIdentity { key, client_type, client_id, device_id }]);
    let pins = Pins(Vec::leak(vec![world.pin()]));
    let (keeper, secrets) = Counted::new(Software::new(Seeded(2)));
    let config = ClientConfig::new(client_type, client_id, device_id, "server");
    let client = AsyncClient::mutual(
        config,
        Awaited::client(Box::new(keeper), plan, 1),
        Awaited::client(pins, plan, 1),
        Awaited::client(identity, plan, 1),
        Awaited::client(Link::honest(world), plan, 1),
    );
    (client.unwrap(), secrets)
}

const SESSION: [&str; 3] = ["AEAD key", "AEAD key", "secret"];

/// The paved path: whatever is dropped, what stands is nothing or a whole session, and the next request introduces itself.
#[test]
fn a_client_of_mutual_mode_that_is_dropped_at_any_poll_goes_on() {
    let (request, plan) = (Request::get("/countries/get"), Plan::default());
    let mut stood = [0, 0];
    for polls in 0.. {
        let mut world = World::new(1);
        let (mut client, secrets) = client(&mut world, &plan);
        let mut buffer = [0; 4096];
        if poll_times(client.request(Now::UNKNOWN, &request, &mut buffer), polls).is_some() {
            assert!(polls > 10, "{polls}");
            break;
        }
        let stands = client.facts().is_some();
        stood[usize::from(stands)] += 1;
        assert_eq!(secrets.alive(), if stands { &SESSION[..] } else { &[] }, "after {polls}");
        for _ in 0..2 {
            let answer = block_on(client.request(Now::UNKNOWN, &request, &mut buffer));
            assert_eq!(answer.unwrap().status, 200, "after {polls}");
        }
        assert_eq!(client.facts().unwrap().mode(), Mode::Mutual);
        assert_eq!(secrets.alive(), SESSION, "after {polls}");
        drop(client);
        assert_eq!(secrets.get(), 0, "after {polls}");
    }
    assert!(stood.into_iter().all(|times| times > 0));
}

#[test]
fn a_client_of_mutual_mode_whose_operation_fails_goes_on() {
    let request = Request::get("/countries/get");
    for at in 0..4 {
        for error in ERRORS {
            let (mut world, plan) = (World::new(1), Plan::default());
            let (mut client, secrets) = client(&mut world, &plan);
            plan.set(at, Act::FailLate(error));
            let mut buffer = [0; 4096];
            let outcome = block_on(client.request(Now::UNKNOWN, &request, &mut buffer));
            let expected: ClientError<Lost> = ClientError::Core(as_client(error));
            assert_eq!(outcome.map(|answer| answer.status), Err(expected), "{at}");
            assert!(client.facts().is_none() && secrets.get() == 0, "{at}: {error:?}");
            let answer = block_on(client.request(Now::UNKNOWN, &request, &mut buffer));
            assert_eq!(answer.unwrap().status, 200);
        }
    }
}
