//! A client of the confirmed mode with SCHEME-AES2, over ffdhe3072.
#![no_std]
#![no_main]

use board::random::Repeatable;
use dynamic_key::crypto::signature::Nobody;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use measure::provider::Chosen;
use measure::roles;

measure::image!(roles::client(
    Chosen::aes256(Repeatable::new(1)),
    Mode::Confirmed,
    Scheme::Aes2,
    &mut Nobody
));
