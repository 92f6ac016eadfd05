//! The primitives of the confirmed mode, called directly.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    board::semihosting::exit(measure::bare::confirmed().is_none().into())
}
