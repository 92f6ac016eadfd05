//! The primitives of a content package, called directly.
#![no_std]
#![no_main]

use board::random::Repeatable;
use core::hint::black_box;
use measure::{bare, package};
use p256::ecdsa::SigningKey;

fn run() -> Option<()> {
    let mut text = black_box(package::body());
    let signer = SigningKey::from_slice(&black_box(package::KEYS[0])).ok()?;
    black_box(bare::sign(&signer, &text)?);
    let (key, point) = bare::generate(&mut Repeatable::new(1))?;
    black_box(point);
    let z = bare::agree(&key, &black_box([4; 65]))?;
    let (wrapped, tag) = package::seal(&z, &black_box([3; 32]), &black_box([2; 12]), &mut text)?;
    let (wrapped, tag) = black_box((wrapped, tag));
    package::open(&z, &wrapped, &black_box([2; 12]), black_box(&mut text), &tag)?;
    bare::verify(&black_box([4; 65]), &text, &black_box([0; 64]))
}

measure::image!(run());
