//! A client of the confirmed mode with SCHEME-EC-AES2.
#![no_std]
#![no_main]

use board::random::Repeatable;
use dynamic_key::crypto::signature::Nobody;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use measure::{Chosen, roles};

measure::image!(roles::client(
    Chosen::aes256(Repeatable::new(1)),
    Mode::Confirmed,
    Scheme::EcAes2,
    &mut Nobody
));
