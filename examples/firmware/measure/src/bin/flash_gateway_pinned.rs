//! A gateway with an identity that signs its answers.
#![no_std]
#![no_main]

use board::random::Repeatable;
use core::hint::black_box;
use dynamic_key::Secret;
use dynamic_key::crypto::software::{Identity, Software};

#[cortex_m_rt::entry]
fn main() -> ! {
    let outcome = Identity::from_bytes(&Secret::new(black_box([7; 32]))).map_err(Into::into).and_then(
        |mut identity| measure::roles::gateway(Software::new(Repeatable::new(1)), Some(&mut identity)),
    );
    board::semihosting::exit(outcome.is_err().into())
}
