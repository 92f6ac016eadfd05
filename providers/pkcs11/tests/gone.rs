//! A token that goes away in the middle of a handshake: an error, no session, and nothing left behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

mod rig;

use dynamic_key::codec::spki::Group;
use dynamic_key::crypto::software::{PinnedKey, Software};
use dynamic_key::crypto::{CryptoError, Provider};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error};
use dynamic_key_pkcs11::{Hsm, Token};
use getrandom::SysRng;
use rig::steps::{CLIENT, GATEWAY, STEPS, Shake, shake};
use rig::{Beside, alone, open, other_identity};

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

/// A handshake in pinned mode.
fn pinned<'s>(pin: PinnedKey) -> Shake<'s> {
    Shake { scheme: Scheme::EcAes2, mode: Mode::Pinned, pin, client: None }
}

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
                    let shakes = pinned(soft.public().unwrap());
                    (shake(&mut hsm, &mut software, &mut soft.clone(), shakes, strike), CLIENT)
                } else {
                    let shakes = pinned(identity.public());
                    (shake(&mut software, &mut hsm, &mut identity, shakes, strike), GATEWAY)
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
