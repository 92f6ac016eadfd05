//! A gateway without an identity.
#![no_std]
#![no_main]

use board::random::Repeatable;
use dynamic_key::crypto::software::{Identity, Software};

#[cortex_m_rt::entry]
fn main() -> ! {
    let outcome = measure::roles::gateway(Software::new(Repeatable::new(1)), None::<&mut Identity>);
    board::semihosting::exit(outcome.is_err().into())
}
