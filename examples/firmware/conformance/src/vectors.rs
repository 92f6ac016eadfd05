//! The vectors of the independent implementation: agreements from either end, their proofs, and signatures.

use crate::{Chosen, holds, pin};
use core::cell::Cell;
use dynamic_key::Secret;
use dynamic_key::agreement::proof::{self, Role, Statement};
use dynamic_key::agreement::schedule::Schedule;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::conformance::{Draws, Failure, Property};
use dynamic_key::crypto::{CryptoError, Provider, Signer};

include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

/// What a vector says.
pub(crate) struct Case {
    name: &'static str,
    /// Private key, SPKI.
    client: ([u8; 32], [u8; 91]),
    pub(crate) server: ([u8; 32], [u8; 91]),
    transcript: [u8; 32],
    proof: [u8; 32],
    signatures: &'static [Signed],
}

pub(crate) struct Signed {
    role: Role,
    point: [u8; 65],
    signature: [u8; 64],
    /// Where it is known.
    private: Option<[u8; 32]>,
}

/// From either end: the public key that a private one has, and the proof that Z leads to.
pub(crate) fn agreements<C: Chosen>() -> Result<usize, Failure> {
    let mut count = 0;
    for (number, case) in CASES.iter().enumerate() {
        for ((private, own), (_, peer)) in [(&case.client, &case.server), (&case.server, &case.client)] {
            let agreed = || {
                let mut provider = C::told(Draws::new(core::slice::from_ref(private)));
                let (key, public) = provider.generate(Group::P256)?;
                let mut der = [0; 91];
                let same = public.write_spki(&mut der).is_ok() && der == *own;
                let peer = PublicKey::from_spki(peer).map_err(|_| CryptoError::Failed)?;
                let z = provider.agree(key, &peer)?;
                let schedule = Schedule::new(&mut provider, &case.transcript, z)?;
                let proof = schedule.proof(&mut provider, &case.transcript)?;
                Ok(same && proof::matches(&proof, &case.proof))
            };
            named(case, holds(Property::KnownAgreement, number, agreed()))?;
            count += 1;
        }
    }
    Ok(count)
}

/// Every signature verifies, and is made where the private key is known.
pub(crate) fn signatures<C: Chosen>() -> Result<usize, Failure> {
    let count = Cell::new(0);
    for (number, case) in CASES.iter().enumerate() {
        for signed in case.signatures {
            let check = || {
                let statement = Statement::new(signed.role, &case.transcript);
                let (message, kid) = (statement.as_bytes(), pin(&signed.point)?.kid());
                let _ = C::verify(&signed.point, &kid, message, &signed.signature)?;
                count.set(count.get() + 1);
                let Some(private) = signed.private else { return Ok(true) };
                let mut identity = C::identity(&Secret::new(private))?;
                count.set(count.get() + 1);
                Ok(identity.kid() == kid && identity.sign(message)? == signed.signature)
            };
            named(case, holds(Property::Sign, number, check()))?;
        }
    }
    Ok(count.get())
}

/// Prints the name of a case that fails.
fn named(case: &Case, outcome: Result<(), Failure>) -> Result<(), Failure> {
    if outcome.is_err() {
        board::semihosting::print(case.name);
        board::semihosting::print("\n");
    }
    outcome
}
