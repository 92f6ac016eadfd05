//! Both sides, and what each call costs.
#![no_std]
#![no_main]

use board::cost::Report;
use clatter::traits::Handshaker;
use peer_clatter::{Handshake, begin, key};
use peer_common::MESSAGE;

#[cortex_m_rt::entry]
fn main() -> ! {
    board::timer::start();
    let report = |role| Report { scheme: "Noise_XX_25519_AESGCM_SHA256", mode: "mutual", role };
    let (client, server) = (report("client"), report("gateway"));
    let (device_key, chip_key) = (key(1).unwrap(), key(2).unwrap());
    let (mut wire, mut text) = ([0; 512], [0; 512]);

    let mut device = client.call("begin", || begin(true, device_key)).unwrap();
    let mut chip = server.call("begin", || begin(false, chip_key)).unwrap();
    client.value("ram", "handshake", size_of::<Handshake>() as u64);
    let (mut sent, mut received) = (0, 0);
    let length = client.call("message-1", || device.write_message(&[], &mut wire)).unwrap();
    sent += length;
    server.call("message-1", || chip.read_message(&wire[..length], &mut text)).unwrap();
    let length = server.call("message-2", || chip.write_message(&[], &mut wire)).unwrap();
    received += length;
    client.call("message-2", || device.read_message(&wire[..length], &mut text)).unwrap();
    let length = client.call("message-3", || device.write_message(&[], &mut wire)).unwrap();
    sent += length;
    server.call("message-3", || chip.read_message(&wire[..length], &mut text)).unwrap();
    client.value("wire", "handshake-sent", sent as u64);
    client.value("wire", "handshake-received", received as u64);

    let mut device = client.call("finish", || device.finalize()).unwrap();
    let mut chip = server.call("finish", || chip.finalize()).unwrap();
    client.value("ram", "session", size_of_val(&device) as u64);
    let message = [0x42; MESSAGE];
    let length = client.call("seal-256", || device.send(&message, &mut wire)).unwrap();
    client.value("wire", "seal-256", length as u64);
    let length = server.call("open-256", || chip.receive(&wire[..length], &mut text)).unwrap();
    assert_eq!(text[..length], message);
    let length = server.call("seal-256", || chip.send(&message, &mut wire)).unwrap();
    let length = client.call("open-256", || device.receive(&wire[..length], &mut text)).unwrap();
    assert_eq!(text[..length], message);
    board::semihosting::exit(0)
}
