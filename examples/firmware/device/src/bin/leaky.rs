//! The device with a log that tells too much: what the search for secrets must find, or it would find nothing.
#![no_std]
#![no_main]

use defmt::info;

#[cortex_m_rt::entry]
fn main() -> ! {
    device::live(|token, body| {
        info!("a token: {}", token);
        info!("a body: {=[u8]}", body);
        info!("a body: {=[u8]:x}", body);
    })
}
