//! The handshake (§2.1 to §2.3): one stepped machine for each role, and the messages of the binding.
//!
//! A machine does no I/O, has no clock and performs no slow operation: it says what it [needs](ClientNeed) next and takes
//! the result.

/// Moves the state of a machine out if it is the one whose turn it is. From here on an error leaves it failed, its secrets
/// gone; at another turn nothing changes. It is looked at where it is first: a state is large to move.
macro_rules! take {
    ($machine:ident, $turn:pat => $taken:expr) => {{
        #[allow(unused_variables, reason = "what the pattern binds is taken below")]
        if !matches!(&$machine.state, $turn) {
            return Err($machine.wrong_turn().into());
        }
        match core::mem::replace(&mut $machine.state, State::Failed) {
            $turn => $taken,
            _ => return Err($machine.wrong_turn().into()),
        }
    }};
}

#[cfg(feature = "async")]
mod asynchronous;
pub mod client;
pub mod dynamic_key;
pub mod key_agreement;
mod members;
pub mod server;

pub use client::{
    ClientConfig, ClientHandshake, ClientNeed, KeyAgreementClient, KeyAgreementConfig, Verification,
};
pub use server::{
    Claims, ClientPolicy, KeyAgreementFacts, KeyAgreementPolicy, KeyAgreementServer, Refusal, ServerError,
    ServerFacts, ServerHandshake, ServerNeed, ServerPolicy,
};

/// The length in bytes of the nonces that our hellos and answers carry; peers send 16 to 32.
pub const HANDSHAKE_NONCE_LEN: usize = 16;

/// Whether `text` is 1 to `max` characters of 0x20–0x7E, as device and client strings are (§2.1).
#[must_use]
pub const fn is_claim(text: &str, max: usize) -> bool {
    let (mut valid, mut rest) = (!text.is_empty() && text.len() <= max, text.as_bytes());
    while let [byte, after @ ..] = rest {
        valid &= matches!(*byte, 0x20..=0x7e);
        rest = after;
    }
    valid
}
