//! A gateway without an identity.
#![no_std]
#![no_main]

use dynamic_key::crypto::software::Identity;

#[cortex_m_rt::entry]
fn main() -> ! {
    let outcome = measure::roles::gateway(None::<&mut Identity>);
    board::semihosting::exit(outcome.is_err().into())
}
