//! Nothing but the board: what every other image is measured above.
#![no_std]
#![no_main]

measure::image!(Some(()));
