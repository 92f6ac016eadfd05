//! A client of the pinned mode.
#![no_std]
#![no_main]

use board::random::Repeatable;
use core::hint::black_box;
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;

#[cortex_m_rt::entry]
fn main() -> ! {
    // A device is provisioned with the point of its gateway's key.
    let outcome = PinnedKey::from_point(&black_box([4; 65])).map_err(Into::into).and_then(|pin| {
        measure::roles::client(
            Software::aes256(Repeatable::new(1)),
            Mode::Pinned,
            Scheme::EcAes2,
            &mut Pins(&[pin]),
        )
    });
    board::semihosting::exit(outcome.is_err().into())
}
