//! A token that goes away in the middle of a handshake: an error, no session, and nothing left behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

mod support;

use dynamic_key::codec::spki::Group;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::crypto::{CryptoError, Provider, Signer};
use dynamic_key::handshake::{
    Claims, ClientHandshake, ClientNeed, ClientPolicy, ServerError, ServerFacts, ServerHandshake, ServerNeed,
    ServerPolicy,
};
use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{Mode, Now};
use dynamic_key::{Code, Error};
use dynamic_key_pkcs11::{Hsm, Token};
use getrandom::SysRng;
use support::pair::{config, other_identity};
use support::{Beside, alone, open};

/// How a token goes away.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// Somebody else in this process logs out.
    LoggedOut,
    /// The module is shut down, and with it every session.
    Finalized,
}

impl Loss {
    fn strike(self, beside: &Beside) {
        match self {
            Self::LoggedOut => beside.session.logout().unwrap(),
            Self::Finalized => beside.module.clone().finalize().unwrap(),
        }
    }
}

struct Everybody;

impl ServerPolicy for Everybody {
    fn client(&self, _: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        Some(ClientPolicy {
            schemes: &Scheme::ELLIPTIC,
            preference: Preference::Client,
            least_mode: Mode::Plain,
        })
    }
}

/// What can be done between two others.
const STEPS: usize = 8;

/// A pinned handshake, before whose step `at` the token is struck. `Ok` where it had been done with by then.
fn shake<C: Provider, G: Provider>(
    client: &mut C,
    gateway: &mut G,
    signer: &mut impl Signer,
    pin: PinnedKey,
    mut before: impl FnMut(usize),
) -> Result<(), Error> {
    let (schemes, pins) = ([Scheme::EcAes2], [pin]);
    let mut there = ClientHandshake::<C, 64>::new(&config(Mode::Pinned, &schemes)).unwrap();
    let mut here = ServerHandshake::<G>::new();
    let mut buffer = [0; 4096];
    let mut length = 0;
    let outcome = (0..STEPS).try_for_each(|step| {
        before(step);
        match step {
            0 => there.compute(client, &mut Pins(&pins)).map(drop),
            1 => there.hello(client, Now::UNKNOWN, &mut buffer).map(|written| length = written),
            2 => here.hello(gateway, &Everybody, &mut buffer[..length]).map_err(error),
            3 => here.compute(gateway).map(drop).map_err(error),
            4 => {
                let facts = ServerFacts {
                    session_id: "dynamic-key-pkcs11-gone",
                    token: "e30.e30.c2ln",
                    expire_token: 0,
                    expires_at: Timestamp::from_unix_secs(1_780_531_200),
                    expires_in: 3600,
                    instance: 7,
                    identity: Some(pin.kid()),
                    plain: Default::default(),
                };
                here.answer(gateway, &facts, &mut buffer).map(|written| length = written).map_err(error)
            }
            5 => here.sign(signer, &mut buffer[..length]).map_err(error),
            6 => there.reply(200, &buffer[..length]),
            _ => there.compute(client, &mut Pins(&pins)).map(drop),
        }
    });
    match outcome {
        Ok(()) => {
            assert_eq!((there.need(), here.need()), (ClientNeed::Finish, ServerNeed::Finish));
            assert!(there.finish().is_ok() && here.finish().is_ok());
        }
        Err(_) => {
            // Whoever failed has nothing; the other still waits.
            let dead = (there.need() == ClientNeed::Nothing, here.need() == ServerNeed::Nothing);
            assert!(dead.0 != dead.1, "{dead:?}");
            assert!(there.finish().is_err() && (here.finish().is_err() || dead.0));
        }
    }
    outcome
}

fn error(error: ServerError) -> Error {
    match error {
        ServerError::Refuse(refusal) => Error::Refused(refusal.code),
        ServerError::Misuse(error) => error,
    }
}

/// The token's steps as a client, and as a gateway whose identity is in it.
const CLIENT: &[usize] = &[0, 1, 7];
const GATEWAY: &[usize] = &[2, 3, 4, 5];

#[test]
fn a_token_that_goes_away_ends_the_handshake() {
    let _alone = alone();
    let kid = open().create_identity("gone").unwrap().public().kid();
    let soft = other_identity();
    for loss in [Loss::LoggedOut, Loss::Finalized] {
        for token_is_client in [true, false] {
            for at in 0..=STEPS {
                let token = open();
                let beside = Beside::open();
                assert_eq!(beside.objects(), 0);
                let mut hsm = Hsm::with_host_kdf(&token).unwrap();
                let mut identity = token.identity(&kid).unwrap();
                let strike = |step| {
                    if step == at {
                        loss.strike(&beside);
                    }
                };
                let mut software = Software::new(SysRng);
                let (outcome, mine) = if token_is_client {
                    let pin = soft.public().unwrap();
                    (shake(&mut hsm, &mut software, &mut soft.clone(), pin, strike), CLIENT)
                } else {
                    let pin = identity.public();
                    (shake(&mut software, &mut hsm, &mut identity, pin, strike), GATEWAY)
                };
                let case = format!("{loss:?} before {at}, token is client: {token_is_client}");
                if mine.iter().all(|step| *step < at) {
                    assert_eq!(outcome, Ok(()), "{case}");
                } else {
                    let error = outcome.expect_err(&case);
                    let expected: &[Error] = match token_is_client {
                        true => &[Error::Crypto(CryptoError::Failed), Error::Crypto(CryptoError::Random)],
                        false => &[Error::Refused(Code::StoreUnavailable)],
                    };
                    assert!(expected.contains(&error), "{case}: {error:?}");
                }
                stays_lost(&token, &mut hsm, at < STEPS);
                // The next token is a new one: what this one made is gone, whether it is dropped or not.
                drop(beside);
                let _again = open();
                assert_eq!(Beside::open().objects(), 0, "{case}");
            }
        }
    }
}

/// Once a token has been found to be gone, it does nothing any more, even when somebody logs in again.
fn stays_lost(token: &Token, hsm: &mut Hsm<dynamic_key_pkcs11::HostKdf>, lost: bool) {
    let before = hsm.generate(Group::P256).map(drop);
    assert_eq!(before, if lost { Err(CryptoError::Failed) } else { Ok(()) });
    if lost {
        let again = open();
        assert_eq!(hsm.generate(Group::P256).map(drop), Err(CryptoError::Failed), "{token:?}");
        assert!(Hsm::with_host_kdf(&again).unwrap().generate(Group::P256).is_ok());
    }
}
