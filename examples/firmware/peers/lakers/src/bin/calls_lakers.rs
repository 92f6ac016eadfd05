//! Both sides, and what each call costs.
#![no_std]
#![no_main]

use board::cost::Report;
use lakers::{CredentialTransfer, CryptoTrait as _, credential_check_or_fetch};
use lakers_crypto_rustcrypto::Crypto;
use peer_common::{MESSAGE, Rng};
use peer_lakers::{Initiator, METHOD, Responder, TAG, credential, initiator, open, seal};

#[cortex_m_rt::entry]
fn main() -> ! {
    board::timer::start();
    let report = |role| Report { scheme: "EDHOC-3-suite-2", mode: "mutual", role };
    let (client, server) = (report("client"), report("gateway"));
    let (device_key, device_x) = Crypto::new(Rng::new(1)).p256_generate_key_pair();
    let (chip_key, chip_x) = Crypto::new(Rng::new(2)).p256_generate_key_pair();
    let (device_id, chip_id) = (credential(1, &device_x).unwrap(), credential(2, &chip_x).unwrap());

    let device = client.call("begin", initiator);
    let chip = server.call("begin", || Responder::new(Crypto::new(Rng::new(4)), METHOD, chip_key, chip_id));
    client.value("ram", "handshake", size_of::<Initiator>() as u64);
    let (device, message_1) = client.call("message-1", || device.prepare_message_1(None, &None)).unwrap();
    let (chip, _, _) = server.call("message-1", || chip.process_message_1(&message_1)).unwrap();
    let (chip, message_2) = server
        .call("message-2", || chip.prepare_message_2(CredentialTransfer::ByReference, None, &None))
        .unwrap();
    let device = client
        .call("message-2", || {
            let (mut device, _, id, _) = device.parse_message_2(&message_2)?;
            let peer = credential_check_or_fetch(Some(chip_id), id)?;
            device.set_identity(device_key, device_id)?;
            device.verify_message_2(peer)
        })
        .unwrap();
    let (device, message_3, _) = client
        .call("message-3", || device.prepare_message_3(CredentialTransfer::ByReference, &None))
        .unwrap();
    let chip = server
        .call("message-3", || {
            let (chip, id, _) = chip.parse_message_3(&message_3)?;
            chip.verify_message_3(credential_check_or_fetch(Some(device_id), id)?)
        })
        .unwrap()
        .0;
    client.value("wire", "handshake-sent", (message_1.len + message_3.len) as u64);
    client.value("wire", "handshake-received", message_2.len as u64);

    let key = client
        .call("finish", || {
            device.completed_without_message_4().map(|mut done| done.edhoc_exporter(0, &[], 16))
        })
        .unwrap();
    let same = server
        .call("finish", || chip.completed_without_message_4().map(|mut done| done.edhoc_exporter(0, &[], 16)))
        .unwrap();
    assert_eq!(key, same);
    let mut text = [0x42; MESSAGE];
    client.value("wire", "seal-256", (MESSAGE + TAG) as u64);
    for (sender, receiver) in [(client, server), (server, client)] {
        let tag = sender.call("seal-256", || seal(&key[..16], &mut text)).unwrap();
        receiver.call("open-256", || open(&key[..16], &mut text, &tag)).unwrap();
    }
    assert_eq!(text, [0x42; MESSAGE]);
    board::semihosting::exit(0)
}
