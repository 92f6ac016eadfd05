//! A client of the pinned mode with SCHEME-EC-AES1, which has room for both algorithms.
#![no_std]
#![no_main]

use board::random::Repeatable;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use measure::{Chosen, Pins, roles};

measure::image!(roles::pin().and_then(|pin| {
    let provider = Chosen::new(Repeatable::new(1));
    roles::client(provider, Mode::Pinned, Scheme::EcAes1, &mut Pins(&[pin]))
}));
