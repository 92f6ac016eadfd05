//! The initiator: a handshake, one message there, one back.
#![no_std]
#![no_main]

use clatter::traits::Handshaker;
use peer_clatter::{begin, key};
use peer_common::{MESSAGE, exchange};

#[cortex_m_rt::entry]
fn main() -> ! {
    board::semihosting::exit(run().is_none().into())
}

fn run() -> Option<()> {
    let (mut buffer, mut text) = ([0; 512], [0; 512]);
    let mut handshake = begin(true, key(1)?)?;
    let length = handshake.write_message(&[], &mut buffer).ok()?;
    let length = exchange(&mut buffer, length);
    handshake.read_message(buffer.get(..length)?, &mut text).ok()?;
    let length = handshake.write_message(&[], &mut buffer).ok()?;
    exchange(&mut buffer, length);
    let mut transport = handshake.finalize().ok()?;
    let length = transport.send(text.get(..MESSAGE)?, &mut buffer).ok()?;
    let length = exchange(&mut buffer, length);
    transport.receive(buffer.get(..length)?, &mut text).ok()?;
    Some(())
}
