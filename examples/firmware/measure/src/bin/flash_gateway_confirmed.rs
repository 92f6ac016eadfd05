//! A gateway without an identity, of all schemes.
#![no_std]
#![no_main]

use board::random::Repeatable;
use measure::{Chosen, Identity, roles};

measure::image!(roles::gateway(Chosen::new(Repeatable::new(1)), None::<&mut Identity>));
