//! Envelopes: parsed as a second reading parses them, opened only if they were sealed, and sealed so that they open.
//!
//! Input: which key (of the vectors) and associated data, then the text. The bytes of the text also serve as a plaintext.
#![no_main]

use base64ct::{Base64, Encoding};
use dynamic_key::crypto::provider::Aead;
use dynamic_key::envelope::{Aad, Answer, Envelope, Traffic, sealed_len};
use dynamic_key::nonce::WireNonce;
use dynamic_key::{Code, Error, Peer};
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::oracle;
use dynamic_key_fuzz::provider::{Key, Provider};
use libfuzzer_sys::fuzz_target;

/// "client write", "server write" and their ivs of the first case in `dynamic-key-v2.json`, whose session is `s`.
const KEYS: [([u8; 32], [u8; 12]); 2] = [
    (
        *b"\xf3\x3b\xb0\x34\x68\xbf\x44\xd7\xf3\x82\x4a\x17\x06\xd4\xc9\xdf\x7f\x27\x8f\xa5\x85\x70\xf4\x6f\x5b\x37\x5b\xb4\x2d\x8f\x97\xe4",
        *b"\x6d\xcf\xdc\x1a\xa7\x72\x6b\x15\x4b\x3c\x5f\x18",
    ),
    (
        *b"\xd0\xde\x73\x7f\x3f\xc4\x75\x24\x25\x94\x00\x05\x23\xf9\x74\xc8\x03\x64\xd6\x0c\x43\xa8\xbc\xba\xd5\x8a\x83\x30\x55\x94\x12\xe7",
        *b"\x72\x2f\x4f\x83\x72\x53\xe1\x0b\xd6\x78\xff\xdc",
    ),
];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let (key, iv) = KEYS[usize::from(choice & 1)];
    let (aead, key) =
        if choice & 2 == 0 { (Aead::Aes256Gcm, key) } else { (Aead::Aes128Gcm, shortened(key)) };
    let traffic = Traffic { key: Key { aead, bytes: key }, iv };
    let request = WireNonce::new([0; 4], u64::from(choice >> 4));
    let aad = |status| if choice & 1 == 0 { Aad::session("s") } else { Aad::response("s", request, status) };
    reads(&traffic, &aad(200), input.rest());
    let (nonce, at) = (WireNonce::new([0; 4], input.long()), input.short());
    round_trip(&traffic, &aad(200), &aad(201), nonce, usize::from(at), input.rest());
});

fn shortened(mut key: [u8; 32]) -> [u8; 32] {
    key[16..].fill(0);
    key
}

/// What the text is by the second reading: nonce and data, or a code.
#[derive(Debug, PartialEq)]
enum Read {
    Envelope([u8; 12], Vec<u8>),
    Error(Option<Code>),
}

fn expected(message: &Node) -> Option<Read> {
    message.members().filter(|_| message.depth() <= 16)?;
    match (message.get("nonce"), message.get("data"), message.get("code")) {
        (Some(nonce), Some(data), _) => {
            let nonce = oracle::base64(nonce.as_str()?)?.try_into().ok()?;
            let data = oracle::base64(data.as_str()?).filter(|data| data.len() >= 16)?;
            Some(Read::Envelope(nonce, data))
        }
        (None, None, Some(code)) => Some(Read::Error(Code::from_name(code.as_str()?))),
        _ => None,
    }
}

fn reads(traffic: &Traffic<Key>, aad: &Aad, text: &[u8]) {
    let mut buffer = text.to_vec();
    let ours = match Answer::parse(&mut buffer) {
        Ok(Answer::Error(code)) => Some(Read::Error(code)),
        Ok(Answer::Envelope(envelope)) => {
            let place = envelope.plaintext();
            let data = buffer[place.start..place.end + 16].to_vec();
            let nonce = envelope.nonce();
            opens(traffic, aad, envelope, &mut buffer, &data);
            Some(Read::Envelope(*nonce.as_bytes(), data))
        }
        Err(error) => {
            assert_eq!(error, Error::Peer(Peer::Malformed));
            None
        }
    };
    let theirs = parse(text);
    match &theirs {
        Err(NoJson::Malformed) => assert_eq!(ours, None),
        Err(NoJson::NumberTooLarge) => {}
        Ok(message) => assert_eq!(ours, expected(message)),
    }
    let is_envelope = Envelope::parse(&mut text.to_vec()).is_ok();
    assert_eq!(is_envelope, matches!(ours, Some(Read::Envelope(..))));
    if let Ok(message) = theirs {
        let written = Answer::parse(&mut message.foreign().into_bytes());
        assert_eq!(written.is_ok(), ours.is_some(), "the writing matters");
    }
}

/// Opens it; if that succeeds, it is what sealing makes.
fn opens(traffic: &Traffic<Key>, aad: &Aad, envelope: Envelope, buffer: &mut [u8], data: &[u8]) {
    let mut provider = Provider::new(1);
    provider.strangers = true;
    let (nonce, place) = (envelope.nonce(), envelope.plaintext());
    let before = buffer.to_vec();
    let Ok(plaintext) =
        envelope.open(&mut provider, traffic, aad, buffer).map(|plaintext| plaintext.to_vec())
    else {
        return assert_eq!(buffer, before, "no plaintext of a forgery");
    };
    assert_eq!(buffer[place], plaintext);
    let mut again = plaintext.clone();
    again.resize(sealed_len(plaintext.len()), 0);
    let length =
        dynamic_key::envelope::seal(&mut provider, traffic, nonce, aad, &mut again, plaintext.len()).unwrap();
    let message = parse(&again[..length]).unwrap();
    assert_eq!(message.string("data"), Some(&*Base64::encode_string(data)));
}

fn round_trip(traffic: &Traffic<Key>, aad: &Aad, other: &Aad, nonce: WireNonce, at: usize, plaintext: &[u8]) {
    let mut provider = Provider::new(1);
    let mut seal = |buffer: &mut [u8]| {
        dynamic_key::envelope::seal(&mut provider, traffic, nonce, aad, buffer, plaintext.len())
    };
    let needed = sealed_len(plaintext.len());
    let mut buffer = plaintext.to_vec();
    buffer.resize(needed, 0);
    let before = buffer.clone();
    assert_eq!(seal(&mut buffer[..needed - 1]), Err(Error::BufferTooSmall { needed }));
    assert_eq!(buffer, before);
    assert_eq!(seal(&mut buffer), Ok(needed));
    let message = parse(&buffer).unwrap();
    assert_eq!(oracle::base64(message.string("nonce").unwrap()).as_deref(), Some(&nonce.as_bytes()[..]));
    assert_eq!(oracle::base64(message.string("data").unwrap()).unwrap().len(), plaintext.len() + 16);

    let mut open = |text: &[u8], aad: &Aad| {
        let mut buffer = text.to_vec();
        let envelope = Envelope::parse(&mut buffer).ok()?;
        envelope.open(&mut provider, traffic, aad, &mut buffer).ok().map(|plaintext| plaintext.to_vec())
    };
    assert_eq!(open(&buffer, aad).as_deref(), Some(plaintext));
    assert_eq!(open(message.foreign().as_bytes(), aad).as_deref(), Some(plaintext));
    // The same in the same places, but for one character that is escaped.
    let (front, back) = buffer.split_at(at % needed);
    if back[0].is_ascii_alphanumeric() || b"+/=".contains(&back[0]) {
        let escaped = [front, format!("\\u{:04x}", back[0]).as_bytes(), &back[1..]].concat();
        assert_eq!(open(&escaped, aad).as_deref(), Some(plaintext), "{at}");
    }
    if aad.as_bytes() != other.as_bytes() {
        assert_eq!(open(&buffer, other), None);
    }
    let mut flipped = buffer.clone();
    flipped[at % needed] ^= 1 << (at >> 13);
    assert_eq!(open(&flipped, aad), None, "{at}");
    assert_eq!(open(&buffer[..at % needed], aad), None, "{at}");
}
