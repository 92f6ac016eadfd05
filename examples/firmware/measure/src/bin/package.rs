//! Signs, verifies, encrypts and decrypts 1 KB, apart and as a content package, beside the bare primitives, and prints what each
//! call costs.
#![no_std]
#![no_main]

use board::cost::Report;
use board::random::Repeatable;
use board::semihosting::exit;
use board::timer;
use core::hint::black_box;
use measure::package::{self, Pair, ROOM, SIZE, body};

const JWS: Report = Report { scheme: "ES256", mode: "jws", role: "package" };
const JWE: Report = Report { scheme: "ECDH-ES+A256KW", mode: "jwe", role: "package" };
const BOTH: Report = Report { scheme: "ES256+ECDH-ES+A256KW", mode: "package", role: "package" };

#[cortex_m_rt::entry]
fn main() -> ! {
    timer::start();
    curve::sign_and_verify();
    curve::encrypt_and_decrypt();
    let mut pair = Pair::new().unwrap();
    signed(&mut pair);
    encrypted(&mut pair);
    packed(&mut pair);
    exit(0)
}

const fn bare(report: Report) -> Report {
    Report { role: "bare", ..report }
}

fn signed(pair: &mut Pair) {
    let (body, mut out, mut scratch) = (body(), [0; ROOM], [0; ROOM]);
    let length = JWS.call("sign", || pair.sign(&body, &mut out)).unwrap().len();
    JWS.value("wire", "message", length as u64);
    let token = core::str::from_utf8(&out[..length]).unwrap();
    assert_eq!(JWS.call("verify", || pair.verify(token, &mut scratch)).unwrap(), body);
    for at in changes(length) {
        let mut changed = out;
        changed[at] = another(changed[at]);
        let token = core::str::from_utf8(&changed[..length]).unwrap();
        assert!(pair.verify(token, &mut scratch).is_err());
    }
}

fn encrypted(pair: &mut Pair) {
    let mut buffer = [0; ROOM];
    buffer[..SIZE].copy_from_slice(&body());
    let length = JWE.call("seal", || pair.encrypt(&mut buffer)).unwrap().len();
    JWE.value("wire", "message", length as u64);
    assert_eq!(buffer.iter().position(|byte| *byte == b'.'), Some(package::HEADER));
    refused(&buffer[..length], |message| pair.decrypt(message).is_err());
    assert_eq!(JWE.call("open", || pair.decrypt(&mut buffer[..length])).unwrap(), body());
}

fn packed(pair: &mut Pair) {
    let (body, mut buffer) = (body(), [0; ROOM]);
    let length = BOTH.call("seal", || pair.pack(&body, &mut buffer)).unwrap().len();
    BOTH.value("wire", "message", length as u64);
    refused(&buffer[..length], |message| pair.unpack(message).is_err());
    assert_eq!(BOTH.call("open", || pair.unpack(&mut buffer[..length])).unwrap(), body);
}

fn refused(message: &[u8], mut is_refused: impl FnMut(&mut [u8]) -> bool) {
    for at in changes(message.len()) {
        let mut changed = [0; ROOM];
        changed[..message.len()].copy_from_slice(message);
        changed[at] = another(changed[at]);
        assert!(is_refused(&mut changed[..message.len()]));
    }
}

/// Places of which some lie in each part of a message.
fn changes(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(61).chain([length - 2])
}

/// Another character of base64url.
const fn another(character: u8) -> u8 {
    if character == b'A' { b'B' } else { b'A' }
}

/// The bare primitives: the curve is that of the provider's crate.
#[cfg(not(feature = "cortex-m4"))]
mod curve {
    use super::*;
    use p256::ecdsa::SigningKey;

    pub(super) fn sign_and_verify() {
        let (body, report) = (black_box(body()), bare(JWS));
        let key = SigningKey::from_slice(&package::KEYS[0]).unwrap();
        let point = key.verifying_key().to_sec1_point(false).as_bytes().try_into().unwrap();
        let signature = report.call("sign", || measure::bare::sign(&key, &body)).unwrap();
        report.call("verify", || measure::bare::verify(&point, &body, &signature)).unwrap();
    }

    pub(super) fn encrypt_and_decrypt() {
        let (mut text, report, nonce) = (black_box(body()), bare(JWE), black_box([2; 12]));
        let mut rng = Repeatable::new(1);
        let (recipient, peer) = measure::bare::generate(&mut rng).unwrap();
        let sealed = report.call("seal", || {
            let (key, epk) = measure::bare::generate(&mut rng)?;
            let z = measure::bare::agree(&key, &peer)?;
            Some((epk, package::seal(&z, &black_box([3; 32]), &nonce, &mut text)?))
        });
        let (epk, (wrapped, tag)) = sealed.unwrap();
        let opened = report.call("open", || {
            let z = measure::bare::agree(&recipient, &epk)?;
            package::open(&z, &wrapped, &nonce, &mut text, &tag)
        });
        opened.unwrap();
        assert_eq!(text, body());
    }
}

/// The bare primitives: the assembly, as its crate calls it.
#[cfg(feature = "cortex-m4")]
mod curve {
    use super::*;
    use dynamic_key::Secret;
    use dynamic_key::codec::spki::Group;
    use dynamic_key::crypto::{Provider as _, Recipient as _, Signer as _, Verifier as _};
    use measure::provider::{Chosen, Identity, Pins, RecipientKey};

    pub(super) fn sign_and_verify() {
        let (body, report) = (black_box(body()), bare(JWS));
        let mut signer = Identity::from_bytes(&Secret::new(package::KEYS[0])).unwrap();
        let (pins, kid) = ([signer.public().unwrap()], signer.kid());
        let signature = report.call("sign", || signer.sign(&body)).unwrap();
        let _ = report.call("verify", || Pins(&pins).verify(&kid, &body, &signature)).unwrap();
    }

    pub(super) fn encrypt_and_decrypt() {
        let (mut text, report, nonce) = (black_box(body()), bare(JWE), black_box([2; 12]));
        let mut recipient = RecipientKey::from_bytes(&Secret::new(package::KEYS[1])).unwrap();
        let (peer, mut provider) = (recipient.public().unwrap(), Chosen::aes256(Repeatable::new(1)));
        let sealed = report.call("seal", || {
            let (key, epk) = provider.generate(Group::P256).ok()?;
            let z = provider.agree(key, &peer).ok()?.as_bytes().try_into().ok()?;
            Some((epk, package::seal(&z, &black_box([3; 32]), &nonce, &mut text)?))
        });
        let (epk, (wrapped, tag)) = sealed.unwrap();
        let opened = report.call("open", || {
            let z = recipient.agree(&epk).ok()?.as_bytes().try_into().ok()?;
            package::open(&z, &wrapped, &nonce, &mut text, &tag)
        });
        opened.unwrap();
        assert_eq!(text, body());
    }
}
