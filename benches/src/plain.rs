//! The same envelope as a developer writes it who composes `aes-gcm`, `base64ct` and `serde-json-core` plainly, on buffers of
//! the stack: seal, encode, serialize; parse, decode, open.
//!
//! It reads every envelope that a peer may write, so it copies the strings that it receives: one that is borrowed keeps its
//! escapes (some peers write each `/` as `\/`). It does less than `dynamic-key` all the same: no session, no counter that is
//! checked, and what the parser lets pass.

use crate::bare::{AAD, Key, TAG_LEN, next};
use aes_gcm::aead::AeadInOut;
use base64ct::{Base64, Encoding};
use core::hint::black_box;
use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Sent<'a> {
    nonce: &'a str,
    data: &'a str,
}

#[derive(Deserialize)]
struct Received<const TEXT: usize> {
    nonce: String<16>,
    data: String<TEXT>,
}

/// Seals a message in an envelope and opens it.
pub trait SealOpen {
    /// Shows `read` what came out.
    fn seal_and_open(&mut self, message: &[u8], read: &mut dyn FnMut(&[u8]));
}

/// A channel for messages of one of the [`LENGTHS`](crate::LENGTHS).
///
/// # Panics
/// For any other length.
#[must_use]
pub fn channel<K: Key + 'static>(len: usize) -> Box<dyn SealOpen> {
    match len {
        64 => Box::new(Channel::<K, 80, 160>::new()),
        256 => Box::new(Channel::<K, 272, 416>::new()),
        1024 => Box::new(Channel::<K, 1040, 1440>::new()),
        16_384 => Box::new(Channel::<K, 16_400, 21_920>::new()),
        _ => panic!("no buffers for {len} bytes"),
    }
}

/// Both ends; `SEALED` has room for ciphertext and tag, `TEXT` for the envelope.
struct Channel<K, const SEALED: usize, const TEXT: usize> {
    key: K,
    nonce: u64,
}

impl<K: Key, const SEALED: usize, const TEXT: usize> Channel<K, SEALED, TEXT> {
    fn new() -> Self {
        Self { key: K::new(), nonce: 0 }
    }

    fn seal(&mut self, message: &[u8]) -> Vec<u8, TEXT> {
        let nonce = next(&mut self.nonce);
        let mut sealed = Vec::<u8, SEALED>::from_slice(message).expect("it fits");
        let tag = self
            .key
            .with(|key| key.encrypt_inout_detached(&nonce.into(), AAD, sealed.as_mut_slice().into()))
            .expect("it is short");
        sealed.extend_from_slice(&tag).expect("it fits");
        let (mut nonce_text, mut data_text) = ([0; 16], [0; TEXT]);
        let envelope = Sent {
            nonce: Base64::encode(&nonce, &mut nonce_text).expect("it fits"),
            data: Base64::encode(&sealed, &mut data_text).expect("it fits"),
        };
        serde_json_core::to_vec(&envelope).expect("it fits")
    }

    fn open(&self, text: &[u8]) -> Vec<u8, SEALED> {
        let mut unescaped = [0; TEXT];
        let (envelope, _) =
            serde_json_core::from_slice_escaped::<Received<TEXT>>(text, &mut unescaped).expect("it is JSON");
        let (mut nonce, mut sealed) = ([0; 12], [0; SEALED]);
        Base64::decode(&envelope.nonce, &mut nonce).expect("it is base64");
        let sealed = Base64::decode(&envelope.data, &mut sealed).expect("it is base64");
        let (text, tag) = sealed.split_last_chunk::<TAG_LEN>().expect("the tag is there");
        let mut message = Vec::from_slice(text).expect("it fits");
        self.key
            .with(|key| {
                key.decrypt_inout_detached(&nonce.into(), AAD, message.as_mut_slice().into(), tag.into())
            })
            .expect("it is authentic");
        message
    }
}

impl<K: Key, const SEALED: usize, const TEXT: usize> SealOpen for Channel<K, SEALED, TEXT> {
    fn seal_and_open(&mut self, message: &[u8], read: &mut dyn FnMut(&[u8])) {
        let text = self.seal(message);
        read(&self.open(&text));
    }
}

/// The envelope of `len` bytes.
#[must_use]
pub fn envelope(len: usize) -> std::string::String {
    let data = "QUJD".repeat(len / 3);
    format!(r#"{{"nonce":"AAAAAAAAAAAAAAAB","data":"{data}"}}"#)
}

/// Reads an envelope as far as its strings, which are borrowed.
///
/// # Panics
/// For anything else.
pub fn scan(envelope: &str) {
    #[derive(Deserialize)]
    struct Borrowed<'a> {
        nonce: &'a str,
        data: &'a str,
    }
    let (envelope, _) = serde_json_core::from_str::<Borrowed<'_>>(envelope).expect("it is JSON");
    black_box((envelope.nonce, envelope.data));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bare::Raw;

    #[test]
    fn escapes_are_read() {
        let mut channel = Channel::<Raw, 272, 1000>::new();
        let text = channel.seal(&[b'?'; 256]);
        let escaped = core::str::from_utf8(&text).unwrap().replace('/', r"\/");
        assert!(escaped.len() > text.len());
        assert_eq!(channel.open(escaped.as_bytes()), [b'?'; 256]);
    }
}
