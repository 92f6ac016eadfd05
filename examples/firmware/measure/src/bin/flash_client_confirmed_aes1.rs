//! A client of the confirmed mode with SCHEME-EC-AES1, which has room for both algorithms.
#![no_std]
#![no_main]

use board::random::Repeatable;
use dynamic_key::crypto::signature::Nobody;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use measure::{Chosen, roles};

measure::image!(roles::client(Chosen::new(Repeatable::new(1)), Mode::Confirmed, Scheme::EcAes1, &mut Nobody));
