//! A client of the plain mode.
#![no_std]
#![no_main]

use dynamic_key::crypto::signature::Nobody;
use dynamic_key::session::Mode;

#[cortex_m_rt::entry]
fn main() -> ! {
    let outcome = measure::roles::client(Mode::Plain, &mut Nobody);
    board::semihosting::exit(outcome.is_err().into())
}
