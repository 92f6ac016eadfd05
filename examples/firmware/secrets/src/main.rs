//! The secrets of a device's session, computed on the host: `secrets SEED CLIENT-ID TO-GATEWAY FROM-GATEWAY`, all files but
//! the id. The device's generator is run again from its seed, and what it sent must come out again byte for byte; what it
//! received comes from the recording. Prints `name hexadecimal` for each secret.
#![forbid(unsafe_code)]

mod glass;
mod wire;

use chacha20::ChaCha20Rng;
use dynamic_key::crypto::software::Pins;
use dynamic_key::envelope::{Aad, Envelope, Traffic};
use dynamic_key::handshake::{ClientConfig, ClientHandshake, ClientNeed};
use dynamic_key::jose::jwk;
use dynamic_key::nonce::WireNonce;
use dynamic_key::session::{ClientType, Now, Session};
use glass::Glass;
use rand_core::SeedableRng;
use std::error::Error;
use std::{env, fs};
use wire::Exchange;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [seed, client_id, to, from] = arguments.as_slice() else {
        return Err("secrets SEED CLIENT-ID TO-GATEWAY FROM-GATEWAY".into());
    };
    let seed: [u8; 32] = fs::read(seed)?.as_slice().try_into()?;
    let exchanges = wire::exchanges(&fs::read(to)?, &fs::read(from)?)?;
    print("seed", &seed);
    let mut glass = Glass::new(ChaCha20Rng::from_seed(seed));
    let [keys, handshake, requests @ ..] = exchanges.as_slice() else {
        return Err("no handshake was recorded".into());
    };
    let session = shake(&mut glass, client_id, keys, handshake)?;
    print("token", session.facts().token().as_bytes());
    if requests.is_empty() {
        return Err("no request was recorded".into());
    }
    let id = session.facts().id().to_owned();
    for exchange in requests {
        let (nonce, text) = open(&mut glass, "client", |_| Aad::session(&id), &exchange.request)?;
        print("request", &text);
        let aad = |_| Aad::response(&id, nonce, exchange.status);
        print("response", &open(&mut glass, "server", aad, &exchange.response)?.1);
    }
    for (name, secret) in &glass.seen {
        print(name, secret);
    }
    Ok(())
}

/// Makes the device's session again.
fn shake(
    glass: &mut Glass,
    client_id: &str,
    keys: &Exchange,
    handshake: &Exchange,
) -> Result<Session<Glass, 4096>, Box<dyn Error>> {
    let pins: Vec<_> = jwk::keys(&keys.response)?.collect();
    let config = ClientConfig::new(ClientType::Internal, client_id, "device-0001", "cortex-m");
    let mut machine = ClientHandshake::<_, 4096>::new(&config)?;
    let mut hello = [0; 1024];
    while machine.need() != ClientNeed::Finish {
        match machine.compute(glass, &mut Pins(&pins))? {
            ClientNeed::Hello => {
                let length = machine.hello(glass, Now::UNKNOWN, &mut hello)?;
                if hello.get(..length) != Some(&handshake.request) {
                    return Err("the device sent another hello than its seed gives".into());
                }
            }
            ClientNeed::Reply => machine.reply(handshake.status, &handshake.response)?,
            ClientNeed::Finish => {}
            need => return Err(format!("the handshake needs {need:?}").into()),
        }
    }
    Ok(machine.finish()?)
}

/// Opens an envelope of `side` and returns its nonce and its text.
fn open(
    glass: &mut Glass,
    side: &str,
    aad: impl FnOnce(WireNonce) -> Aad,
    body: &[u8],
) -> Result<(WireNonce, Vec<u8>), Box<dyn Error>> {
    let find = |label: &str| glass.seen.iter().find(|(name, _)| *name == format!("{side} {label}"));
    let (_, key) = find("write").ok_or("no key")?;
    let (_, iv) = find("iv").ok_or("no iv")?;
    let traffic = Traffic { key: key.clone(), iv: iv.as_slice().try_into()? };
    let mut body = body.to_owned();
    let envelope = Envelope::parse(&mut body)?;
    let nonce = envelope.nonce();
    let text = envelope.open(glass, &traffic, &aad(nonce), &mut body)?.to_owned();
    Ok((nonce, text))
}

fn print(name: &str, secret: &[u8]) {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{} {hex}", name.replace(' ', "-"));
}
