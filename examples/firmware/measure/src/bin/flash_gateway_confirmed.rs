//! A gateway without an identity, of all schemes.
#![no_std]
#![no_main]

use board::random::Repeatable;
use dynamic_key::crypto::software::{Identity, Software};
use measure::roles;

measure::image!(roles::gateway(Software::new(Repeatable::new(1)), None::<&mut Identity>));
