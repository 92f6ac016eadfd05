//! The primitives of the pinned mode, called directly.
#![no_std]
#![no_main]

use aes_gcm::Aes256Gcm;
use board::random::Repeatable;
use core::hint::black_box;
use measure::bare;

fn run() -> Option<()> {
    let (key, point) = bare::generate(&mut Repeatable::new(1))?;
    black_box(point);
    let z = bare::agree(&key, &black_box([4; 65]))?;
    let key = bare::derive(&black_box([0; 32]), &z)?;
    bare::verify(&black_box([4; 65]), &black_box([0; 54]), &black_box([0; 64]))?;
    let mut text = black_box([0; 256]);
    let tag = bare::seal::<Aes256Gcm>(&key, &[0; 12], b"", &mut text)?;
    bare::open::<Aes256Gcm>(&key, &[0; 12], b"", black_box(&mut text), &black_box(tag))
}

#[cortex_m_rt::entry]
fn main() -> ! {
    board::semihosting::exit(run().is_none().into())
}
