//! Key Agreement (§3), awaited: its operations take a while, fail after it, and are dropped at every poll.

use crate::awaited::{Awaited, Stop};
use crate::plan::{Act, ERRORS, Operation, Plan};
use crate::stage::{Keeper, Stage, all, as_client, as_gateway};
use crate::support::{Accord, Parley, START, block_on, facts, fields, poll_times};
use dynamic_key::crypto::{AsyncProvider, Signer};
use dynamic_key::gateway::{AgreementStore, FixedAgreements};
use dynamic_key::handshake::{
    KeyAgreementClient, KeyAgreementConfig, KeyAgreementServer, ServerError, ServerNeed,
};
use dynamic_key::session::{Mode, Now};

/// A handshake of both roles, whose every slow operation is awaited.
async fn handshake(stage: &mut Stage, plan: &Plan, pauses: usize) -> Result<Accord<Keeper, Keeper>, Stop> {
    let schemes = stage.config.schemes;
    let config = KeyAgreementConfig { mode: stage.mode, schemes, ..KeyAgreementConfig::new(b"device-1") };
    let (mut client, mut server) = (KeyAgreementClient::new(&config).unwrap(), KeyAgreementServer::new());
    let (facts, mut buffer) = (facts(Some(stage.gateway_identity.kid())), [0; 1024]);
    let mut device = Awaited::client(&mut stage.device, plan, pauses);
    let mut gateway = Awaited::gateway(&mut stage.gateway, plan, pauses);
    let mut verifier = Awaited::client(stage.pins, plan, pauses);
    let policy = Parley { mode: stage.mode, scheme: schemes[0], accepted: schemes };

    client.compute_async(&mut device, &mut verifier).await.map_err(Stop::Client)?;
    let length = client.hello(device.provider(), Now::UNKNOWN, &mut buffer).map_err(Stop::Client)?;
    server.hello(&policy.policy(), &mut buffer[..length]).map_err(Stop::Gateway)?;
    server.compute_async(&mut gateway).await.map_err(Stop::Gateway)?;
    let length = server.answer(gateway.provider(), &facts, &mut buffer).map_err(Stop::Gateway)?;
    assert_eq!(server.need(), ServerNeed::Sign);
    let mut signer = Awaited::gateway(stage.gateway_identity.clone(), plan, pauses);
    server.sign_async(&mut signer, &mut buffer[..length]).await.map_err(Stop::Gateway)?;
    let agreement = server.finish().map_err(Stop::Gateway)?;

    client.reply(200, &buffer[..length]).map_err(Stop::Client)?;
    client.compute_async(&mut device, &mut verifier).await.map_err(Stop::Client)?;
    Ok((client.finish().map_err(Stop::Client)?, agreement))
}

/// A handshake that nothing disturbs, with a field each way. Returns its operations.
fn whole(stage: &mut Stage) -> Vec<Operation> {
    let plan = Plan::default();
    let mut accord = block_on(handshake(stage, &plan, 1)).unwrap();
    fields(&mut accord, &mut stage.device, &mut stage.gateway).unwrap();
    for secrets in [&stage.device_secrets, &stage.gateway_secrets] {
        assert_eq!(secrets.alive(), ["AEAD key"; 2]);
    }
    let mut store = FixedAgreements::<Keeper, 1>::new();
    store.insert(accord.1, START).unwrap();
    drop((accord.0, store));
    stage.check_empty("whole");
    plan.seen()
}

fn cases() -> impl Iterator<Item = Stage> {
    let cases = all().filter(|(mode, _)| [Mode::Confirmed, Mode::Pinned].contains(mode));
    cases.map(|(mode, scheme)| Stage::new(mode, scheme))
}

#[test]
fn an_agreement_that_is_dropped_at_any_poll_leaves_nothing() {
    for mut stage in cases() {
        for pauses in [1, 3] {
            let operations = whole(&mut stage).len();
            assert_eq!(operations, if stage.mode == Mode::Pinned { 6 } else { 5 });
            for polls in 0.. {
                let case = format!("{:?} of {pauses} pauses, after {polls} polls", stage.mode);
                let plan = Plan::default();
                if let Some(outcome) = poll_times(handshake(&mut stage, &plan, pauses), polls) {
                    drop(outcome.unwrap());
                    assert_eq!(polls, 2 * pauses * operations + 1, "{case}");
                    break;
                }
                stage.check_empty(&case);
                whole(&mut stage);
            }
        }
    }
}

#[test]
fn an_operation_of_an_agreement_that_fails_leaves_nothing() {
    for mut stage in cases() {
        for (at, operation) in whole(&mut stage).into_iter().enumerate() {
            for error in ERRORS {
                for act in [Act::Fail(error), Act::FailLate(error)] {
                    let case = format!("{:?}: {operation:?}, {act:?}", stage.mode);
                    let plan = Plan::default();
                    plan.set(at, act);
                    match block_on(handshake(&mut stage, &plan, 2)).err() {
                        Some(Stop::Client(stop)) if operation.is_of_the_client() => {
                            assert_eq!(stop, as_client(error), "{case}");
                        }
                        Some(Stop::Gateway(ServerError::Refuse(refusal))) => {
                            assert!(!operation.is_of_the_client(), "{case}");
                            assert_eq!(refusal.code, as_gateway(error), "{case}");
                        }
                        stop => panic!("{case}: {stop:?}"),
                    }
                    stage.check_empty(&case);
                    whole(&mut stage);
                }
            }
        }
    }
}
