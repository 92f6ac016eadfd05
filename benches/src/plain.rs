//! The same envelope as a developer writes it who composes `aes-gcm`, `base64ct`, `serde` and `serde-json-core` without
//! further ado: seal, encode, serialize; parse, decode, open.

use crate::bare::{AAD, Key, TAG_LEN, next};
use aes_gcm::aead::AeadInOut;
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    nonce: &'a str,
    data: &'a str,
}

/// Both ends of a channel of JSON envelopes.
#[derive(Debug)]
pub struct Channel<K> {
    key: K,
    nonce: u64,
    sent: Vec<u8>,
    data: Vec<u8>,
    wire: Vec<u8>,
    received: Vec<u8>,
}

impl<K: Key> Channel<K> {
    /// For messages of at most `len` bytes.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let sealed = len + TAG_LEN;
        let encoded = sealed.div_ceil(3) * 4;
        Self {
            key: K::new(),
            nonce: 0,
            sent: vec![0; sealed],
            data: vec![0; encoded],
            wire: vec![0; encoded + 64],
            received: vec![0; sealed],
        }
    }

    /// Seals `message` in an envelope and opens it.
    pub fn seal_and_open(&mut self, message: &[u8]) -> &[u8] {
        let length = self.seal(message);
        self.open(length)
    }

    fn seal(&mut self, message: &[u8]) -> usize {
        let nonce = next(&mut self.nonce);
        let (text, rest) = self.sent.split_at_mut(message.len());
        text.copy_from_slice(message);
        let tag = self
            .key
            .with(|key| key.encrypt_inout_detached(&nonce.into(), AAD, text.into()))
            .expect("it is short");
        rest[..TAG_LEN].copy_from_slice(&tag);
        let mut nonce_text = [0; 16];
        let envelope = Envelope {
            nonce: Base64::encode(&nonce, &mut nonce_text).expect("it fits"),
            data: Base64::encode(&self.sent[..message.len() + TAG_LEN], &mut self.data).expect("it fits"),
        };
        serde_json_core::to_slice(&envelope, &mut self.wire).expect("it fits")
    }

    fn open(&mut self, length: usize) -> &[u8] {
        let (envelope, _) =
            serde_json_core::from_slice::<Envelope<'_>>(&self.wire[..length]).expect("it is JSON");
        let mut nonce = [0; 12];
        Base64::decode(envelope.nonce, &mut nonce).expect("it is base64");
        let length = Base64::decode(envelope.data, &mut self.received).expect("it is base64").len();
        let (text, tag) =
            self.received[..length].split_last_chunk_mut::<TAG_LEN>().expect("the tag is there");
        self.key
            .with(|key| key.decrypt_inout_detached(&nonce.into(), AAD, text.into(), (&*tag).into()))
            .expect("it is authentic");
        text
    }
}
