//! The machines, driven by hand.

use crate::plan::{Act, ERRORS, Operation, Plan};
use crate::stage::{Client, Keeper, SESSION, Server, Stage, all, as_client, as_gateway, empty};
use crate::support::{START, Seeded};
use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::{CryptoError, Provider, Signer, Verified, Verifier};
use dynamic_key::gateway::SessionStore;
use dynamic_key::handshake::{ClientNeed, ServerError, ServerHandshake, ServerNeed};
use dynamic_key::session::Mode;
use dynamic_key::{Error, Misuse};
use std::collections::BTreeSet;

/// Why a handshake went no further.
#[derive(Debug, PartialEq)]
enum Stop {
    /// Nobody waits for the operation any more.
    GivenUp,
    Client(Error),
    Gateway(ServerError),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<ServerError> for Stop {
    fn from(error: ServerError) -> Self {
        Self::Gateway(error)
    }
}

/// One handshake, as far as it has come: which steps it takes next is up to its machines.
struct Run {
    client: Option<Client>,
    server: Option<Server>,
    /// What is on the wire.
    wire: Vec<u8>,
    plan: Plan,
}

impl Run {
    fn new(stage: &Stage, plan: &Plan) -> Self {
        let client = Some(stage.client());
        Self { client, server: Some(ServerHandshake::new()), wire: Vec::new(), plan: plan.clone() }
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().unwrap()
    }

    /// Whether the client has all that it needs.
    fn is_done(&self) -> bool {
        self.client.as_ref().unwrap().need() == ClientNeed::Finish
    }

    /// One step of either role.
    fn step(&mut self, stage: &mut Stage) -> Result<(), Stop> {
        let need = self.client().need();
        match need {
            ClientNeed::Reply if self.server.is_some() => self.server_step(stage),
            _ => self.client_step(stage, need),
        }
    }

    fn client_step(&mut self, stage: &mut Stage, need: ClientNeed) -> Result<(), Stop> {
        let client = self.client.as_mut().unwrap();
        let (plan, device) = (&self.plan, &mut stage.device);
        match need {
            ClientNeed::Generate(group) => {
                let outcome = plan.perform(Operation::ClientGenerates, || device.generate(group));
                client.generated(outcome.ok_or(Stop::GivenUp)?)?;
            }
            ClientNeed::Hello => self.wire = stage.hello(client),
            ClientNeed::Reply => client.reply(200, &self.wire)?,
            ClientNeed::Agree => {
                let (private, peer) = client.agreement()?;
                let outcome = plan.perform(Operation::ClientAgrees, || device.agree(private, &peer));
                client.agreed(&mut stage.device, outcome.ok_or(Stop::GivenUp)?)?;
            }
            ClientNeed::Verify => {
                let due = client.verification()?;
                let pins = &mut stage.pins;
                let outcome = plan.perform(Operation::ClientVerifies, || {
                    pins.verify(due.kid(), due.message(), due.signature())
                });
                client.verified(outcome.ok_or(Stop::GivenUp)?)?;
            }
            ClientNeed::Sign => {
                let statement = client.statement()?;
                let identity = &mut stage.device_identity;
                let outcome = plan.perform(Operation::ClientSigns, || identity.sign(statement.as_bytes()));
                client.signed(outcome.ok_or(Stop::GivenUp)?)?;
            }
            ClientNeed::Finish | ClientNeed::Nothing => panic!("no step"),
        }
        Ok(())
    }

    fn server_step(&mut self, stage: &mut Stage) -> Result<(), Stop> {
        let server = self.server.as_mut().unwrap();
        let (plan, gateway) = (&self.plan, &mut stage.gateway);
        match server.need() {
            ServerNeed::Hello => server.hello(gateway, &stage.policy, &mut self.wire)?,
            ServerNeed::Generate(group) => {
                let outcome = plan.perform(Operation::GatewayGenerates, || gateway.generate(group));
                server.generated(outcome.ok_or(Stop::GivenUp)?)?;
            }
            ServerNeed::Agree => {
                let (private, peer) = server.agreement()?;
                let outcome = plan.perform(Operation::GatewayAgrees, || gateway.agree(private, &peer));
                server.agreed(outcome.ok_or(Stop::GivenUp)?)?;
            }
            ServerNeed::Answer => self.wire = stage.answer(server),
            ServerNeed::Sign => {
                let statement = server.statement()?;
                let identity = &mut stage.gateway_identity;
                let outcome = plan.perform(Operation::GatewaySigns, || identity.sign(statement.as_bytes()));
                server.signed(outcome.ok_or(Stop::GivenUp)?, &mut self.wire)?;
            }
            ServerNeed::Finish => stage.keep(self.server.take().unwrap()),
            ServerNeed::Nothing => panic!("no step"),
        }
        Ok(())
    }

    fn run(&mut self, stage: &mut Stage) -> Result<(), Stop> {
        while !self.is_done() {
            self.step(stage)?;
        }
        Ok(())
    }
}

/// A handshake to its end, and a message each way.
fn whole(stage: &mut Stage, case: &str) -> Vec<Operation> {
    let plan = Plan::default();
    let mut run = Run::new(stage, &plan);
    run.run(stage).unwrap();
    let mut session = run.client.take().unwrap().finish().unwrap();
    stage.talk(&mut session);
    for secrets in [&stage.device_secrets, &stage.gateway_secrets] {
        assert_eq!(secrets.alive(), stage.of_a_session(), "{case}");
    }
    drop(session);
    *stage.store = empty();
    stage.check_empty(case);
    plan.seen()
}

/// Every machine refuses every step.
fn check_dead_client(mut client: Client, stage: &mut Stage, case: &str) {
    assert_eq!(client.need(), ClientNeed::Nothing, "{case}");
    let dead = Error::from(Misuse::HandshakeFailed);
    let device = &mut stage.device;
    let made = device.generate(Group::P256);
    assert_eq!(client.generated(made), Err(dead), "{case}");
    assert_eq!(client.hello(device, Default::default(), &mut [0; 1024]), Err(dead));
    assert_eq!(client.reply(200, b"{}"), Err(dead));
    assert_eq!(client.agreement().err(), Some(dead));
    assert_eq!(client.agreed(device, Err(CryptoError::Failed)), Err(dead));
    assert_eq!(client.verification().err(), Some(dead));
    assert_eq!(client.verified(Ok(Verified::vouch())), Err(dead));
    assert_eq!(client.statement().err(), Some(dead));
    assert_eq!(client.signed(Ok([7; 64])), Err(dead));
    assert_eq!(client.introduction(), None);
    assert_eq!(client.finish().err(), Some(dead), "{case}");
}

fn check_dead_server(mut server: Server, stage: &mut Stage, case: &str) {
    assert_eq!(server.need(), ServerNeed::Nothing, "{case}");
    let dead = ServerError::Misuse(Misuse::HandshakeFailed.into());
    let facts = stage.facts();
    let gateway = &mut stage.gateway;
    assert_eq!(server.hello(gateway, &stage.policy, &mut []), Err(dead));
    assert_eq!(server.agreement().err(), Some(dead));
    assert_eq!(server.answer(gateway, &facts, &mut [0; 1024]), Err(dead));
    assert_eq!(server.statement().err(), Some(dead));
    assert_eq!(server.signed(Ok([7; 64]), &mut [0; 1024]), Err(dead));
    assert!(server.client().is_none());
    assert_eq!(server.finish().err(), Some(dead), "{case}");
}

/// Plays a handshake of which one operation does not go as it should.
fn play(stage: &mut Stage, at: usize, operation: Operation, act: Act) {
    let case = format!("{:?}: {operation:?}, {act:?}", stage.mode);
    let plan = Plan::default();
    plan.set(at, act);
    let mut run = Run::new(stage, &plan);
    let stop = run.run(stage).unwrap_err();
    assert_eq!(plan.seen().last(), Some(&operation), "{case}: nothing happens after it");
    let stands = usize::from(run.server.is_none());
    assert_eq!(stage.live(), stands, "{case}");
    assert_eq!(stands == 1, operation >= Operation::ClientAgrees, "{case}: a session once it is whole");

    let of_the_client = operation.is_of_the_client();
    match (act, of_the_client) {
        (Act::Cancel | Act::CancelLate, _) => assert_eq!(stop, Stop::GivenUp, "{case}"),
        (Act::Fail(error) | Act::FailLate(error), true) => {
            assert_eq!(stop, Stop::Client(as_client(error)), "{case}");
            assert_eq!(stage.device_secrets.alive(), [""; 0], "{case}: gone before the machine is");
            check_dead_client(run.client.take().unwrap(), stage, &case);
        }
        (Act::Fail(error) | Act::FailLate(error), false) => {
            let Stop::Gateway(ServerError::Refuse(refusal)) = stop else { panic!("{case}: {stop:?}") };
            assert_eq!((refusal.code, refusal.scheme), (as_gateway(error), None), "{case}");
            assert_eq!(stage.gateway_secrets.alive(), [""; 0], "{case}: gone before the machine is");
            check_dead_server(run.server.take().unwrap(), stage, &case);
        }
        (Act::Perform, _) => panic!("that is whole"),
    }
    if stop_given_up(act) {
        // The machine stands where it was: it makes no session, and takes its secrets along.
        if of_the_client {
            assert_eq!(run.client.take().unwrap().finish().err(), Some(Misuse::WrongTurn.into()), "{case}");
            assert_eq!(stage.device_secrets.alive(), [""; 0], "{case}");
        } else {
            let outcome = run.server.take().unwrap().finish();
            assert_eq!(outcome.err(), Some(ServerError::Misuse(Misuse::WrongTurn.into())), "{case}");
            assert_eq!(stage.gateway_secrets.alive(), [""; 0], "{case}");
        }
    }
    // The other role is none the wiser: it waits, with what it needs to go on and no more.
    if !of_the_client {
        assert_eq!(stage.device_secrets.alive(), ["ephemeral key"], "{case}");
    } else if stands == 1 {
        assert_eq!(stage.gateway_secrets.alive(), stage.of_a_session(), "{case}");
        // Half-open, where the client had to prove itself, and gone by itself.
        let later = if stage.mode == Mode::Mutual { 30 } else { 3600 };
        let found = |stage: &mut Stage, seconds| {
            let now = START.saturating_add_secs(seconds);
            SessionStore::<Keeper>::find(&mut *stage.store, SESSION, now).is_ok()
        };
        assert!(found(stage, later - 1) && !found(stage, later), "{case}");
    }
    drop(run);
    *stage.store = empty();
    stage.check_empty(&case);
    whole(stage, &case);
}

fn stop_given_up(act: Act) -> bool {
    matches!(act, Act::Cancel | Act::CancelLate)
}

#[test]
fn an_operation_that_fails_or_is_cancelled_leaves_nothing() {
    let mut seen = BTreeSet::new();
    for (mode, scheme) in all() {
        let mut stage = Stage::new(mode, scheme);
        let operations = whole(&mut stage, "whole");
        let expected = match mode {
            Mode::Plain => 4,
            Mode::Confirmed => 5,
            Mode::Pinned => 6,
            Mode::Mutual => 7,
        };
        assert_eq!(operations.len(), expected, "{mode:?}: {operations:?}");
        for (at, operation) in operations.into_iter().enumerate() {
            seen.insert(operation);
            play(&mut stage, at, operation, Act::Cancel);
            play(&mut stage, at, operation, Act::CancelLate);
            for error in ERRORS {
                play(&mut stage, at, operation, Act::Fail(error));
                play(&mut stage, at, operation, Act::FailLate(error));
            }
        }
        // All that was ever made is gone, and every kind was made at either end.
        for secrets in [&stage.device_secrets, &stage.gateway_secrets] {
            let made: BTreeSet<_> = secrets.made().into_iter().collect();
            let kinds = ["AEAD key", "PRK", "Z", "ephemeral key", "secret"];
            assert_eq!(made.len(), kinds.len() - usize::from(mode == Mode::Plain), "{made:?}");
        }
    }
    assert_eq!(seen.len(), 7, "every operation of either role");
}

/// A delay is time in which others go on: many handshakes through the same providers, in an order of chance, some given up.
#[test]
fn operations_that_are_delayed_do_not_mix() {
    for (mode, scheme) in all() {
        for seed in 0..8 {
            let mut stage = Stage::new(mode, scheme);
            let mut rng = Seeded(seed);
            let mut runs: Vec<Run> = (0..5).map(|_| Run::new(&stage, &Plan::default())).collect();
            let mut sessions = 0;
            while !runs.is_empty() {
                let at = rng.below(runs.len());
                if runs[at].is_done() {
                    let mut run = runs.swap_remove(at);
                    let session = run.client.take().unwrap().finish().unwrap();
                    sessions += 1;
                    drop(session);
                } else if rng.once_in(60) {
                    drop(runs.swap_remove(at));
                } else {
                    runs[at].step(&mut stage).unwrap();
                }
            }
            assert!(sessions > 0);
            assert_eq!(stage.device_secrets.get(), 0);
            let kept = stage.live() * stage.of_a_session().len();
            assert_eq!(stage.gateway_secrets.get(), kept, "{mode:?} {scheme} {seed}");
            *stage.store = empty();
            stage.check_empty("all");
            whole(&mut stage, "after them");
        }
    }
}

/// A late outcome finds its place only in the machine, and at the step, that it is for.
#[test]
fn a_late_outcome_has_no_place_in_another_step() {
    for (mode, scheme) in all() {
        let mut stage = Stage::new(mode, scheme);
        let plan = Plan::default();
        let mut run = Run::new(&stage, &plan);
        let turn = Error::from(Misuse::WrongTurn);
        loop {
            let need = run.client().need();
            let before = stage.device_secrets.get();
            if !matches!(need, ClientNeed::Generate(_)) {
                let made = stage.device.generate(Group::P256);
                assert_eq!(run.client().generated(made), Err(turn));
            }
            let (key, public) = stage.device.generate(Group::P256).unwrap();
            let z = stage.device.agree(key, &public);
            // Agreement has two turns: the key is handed out, and Z comes back.
            assert_eq!(run.client().agreed(&mut stage.device, z), Err(turn), "{need:?}");
            if need != ClientNeed::Verify {
                let vouched = Ok(Verified::vouch());
                assert_eq!(run.client().verified(vouched), Err(turn), "{need:?}");
            }
            if need != ClientNeed::Sign {
                assert_eq!(run.client().signed(Ok([7; 64])), Err(turn), "{need:?}");
            }
            assert_eq!(run.client().need(), need, "nothing has changed");
            assert_eq!(stage.device_secrets.get(), before, "and nothing stays behind");
            if run.is_done() {
                break;
            }
            run.step(&mut stage).unwrap();
        }
        let mut session = run.client.take().unwrap().finish().unwrap();
        stage.talk(&mut session);
    }
}
