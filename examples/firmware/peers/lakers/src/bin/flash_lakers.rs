//! The initiator: a handshake, one message there, one back.
#![no_std]
#![no_main]

use core::hint::black_box;
use lakers::{CredentialTransfer, EdhocMessageBuffer, credential_check_or_fetch};
use peer_common::{MESSAGE, exchange};
use peer_lakers::{credential, initiator, open, seal};

#[cortex_m_rt::entry]
fn main() -> ! {
    board::semihosting::exit(run().is_none().into())
}

fn run() -> Option<()> {
    let own = credential(1, &black_box([4; 32]))?;
    let peer = credential(2, &black_box([5; 32]))?;
    let (handshake, mut message) = initiator().prepare_message_1(None, &None).ok()?;
    message.len = exchange(&mut message.content, message.len);
    let (mut handshake, _, id, _) = handshake.parse_message_2(&message).ok()?;
    let peer = credential_check_or_fetch(Some(peer), id).ok()?;
    handshake.set_identity(black_box([7; 32]), own).ok()?;
    let handshake = handshake.verify_message_2(peer).ok()?;
    let (handshake, mut message, _): (_, EdhocMessageBuffer, _) =
        handshake.prepare_message_3(CredentialTransfer::ByReference, &None).ok()?;
    exchange(&mut message.content, message.len);
    let mut session = handshake.completed_without_message_4().ok()?;
    let key = session.edhoc_exporter(0, &[], 16);
    let mut text = black_box([0; MESSAGE]);
    let tag = seal(key.get(..16)?, &mut text)?;
    exchange(&mut text, MESSAGE);
    open(key.get(..16)?, &mut text, &black_box(tag))
}
