//! A gateway with an identity that signs its answers, of all schemes.
#![no_std]
#![no_main]

use board::random::Repeatable;
use measure::{Chosen, roles};

measure::image!(
    roles::identity()
        .and_then(|mut identity| { roles::gateway(Chosen::new(Repeatable::new(1)), Some(&mut identity)) })
);
