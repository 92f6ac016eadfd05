//! A client of the confirmed mode.
#![no_std]
#![no_main]

use board::random::Repeatable;
use dynamic_key::crypto::signature::Nobody;
use dynamic_key::crypto::software::Software;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;

#[cortex_m_rt::entry]
fn main() -> ! {
    let outcome = measure::roles::client(
        Software::aes256(Repeatable::new(1)),
        Mode::Confirmed,
        Scheme::EcAes2,
        &mut Nobody,
    );
    board::semihosting::exit(outcome.is_err().into())
}
