//! A client of the confirmed mode with SCHEME-EC-AES2: the driver, over HTTP.
#![no_std]
#![no_main]

use board::random::Repeatable;
use dynamic_key::crypto::signature::Nobody;
use dynamic_key::session::Mode;
use measure::{Chosen, roles};

measure::image!(roles::driver(Chosen::aes256(Repeatable::new(1)), Mode::Confirmed, Nobody));
