//! Packs a content package and unpacks another.
#![no_std]
#![no_main]

use core::hint::black_box;
use measure::package::{Pair, ROOM, body};

fn run() -> Result<(), dynamic_key::jose::JoseError> {
    let (mut pair, mut buffer) = (Pair::new()?, [0; ROOM]);
    let length = pair.pack(&black_box(body()), &mut buffer)?.len();
    black_box((&mut buffer, length));
    black_box(pair.unpack(black_box(&mut buffer))?);
    Ok(())
}

measure::image!(run());
