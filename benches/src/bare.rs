//! The bare primitives, nothing around them: AES-256-GCM and base64, what a sealed message cannot do without; operations on
//! P-256, what a handshake cannot do without.

use crate::peers::Rng;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use base64ct::Encoding;
use core::hint::black_box;
use core::marker::PhantomData;
use dynamic_key::codec::base64;
use p256::ecdh::EphemeralSecret;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::Generate;

/// The AAD of a request.
pub const AAD: &[u8] = b"v2:0123456789abcdefghijkl";
/// The key of all.
const KEY: [u8; 32] = [7; 32];
/// Bytes of the tag.
pub const TAG_LEN: usize = 16;

/// How an AEAD key is kept.
pub trait Key {
    /// A key.
    fn new() -> Self;

    /// Lends the cipher.
    fn with<R>(&self, work: impl FnOnce(&Aes256Gcm) -> R) -> R;
}

/// A key as its 32 bytes, set up for every use: as [`Software::new`](dynamic_key::crypto::software::Software::new) does.
#[derive(Debug)]
pub struct Raw([u8; 32]);

impl Key for Raw {
    fn new() -> Self {
        Self(KEY)
    }

    fn with<R>(&self, work: impl FnOnce(&Aes256Gcm) -> R) -> R {
        work(&Aes256Gcm::new(&self.0.into()))
    }
}

/// A key that is set up once: as [`Software::expanded`](dynamic_key::crypto::software::Software::expanded) does.
#[derive(Debug)]
pub struct Expanded(Aes256Gcm);

impl Key for Expanded {
    fn new() -> Self {
        Self(Aes256Gcm::new(&KEY.into()))
    }

    fn with<R>(&self, work: impl FnOnce(&Aes256Gcm) -> R) -> R {
        work(&self.0)
    }
}

/// A base64 codec.
pub trait Codec {
    /// Writes the padded text of `bytes`.
    fn encode<'o>(bytes: &[u8], out: &'o mut [u8]) -> &'o str;

    /// Writes the bytes of `text`.
    fn decode<'o>(text: &str, out: &'o mut [u8]) -> &'o [u8];
}

/// The codec of `dynamic-key`.
#[derive(Debug)]
pub struct Ours;

impl Codec for Ours {
    fn encode<'o>(bytes: &[u8], out: &'o mut [u8]) -> &'o str {
        base64::encode(bytes, out).expect("it fits")
    }

    fn decode<'o>(text: &str, out: &'o mut [u8]) -> &'o [u8] {
        base64::decode(text.as_bytes(), out).expect("it is base64")
    }
}

/// The crate `base64ct`.
#[derive(Debug)]
pub struct Peer;

impl Codec for Peer {
    fn encode<'o>(bytes: &[u8], out: &'o mut [u8]) -> &'o str {
        base64ct::Base64::encode(bytes, out).expect("it fits")
    }

    fn decode<'o>(text: &str, out: &'o mut [u8]) -> &'o [u8] {
        base64ct::Base64::decode(text, out).expect("it is base64")
    }
}

/// The next of the nonces.
pub(crate) fn next(nonce: &mut u64) -> [u8; 12] {
    *nonce += 1;
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&nonce.to_be_bytes());
    bytes
}

/// Both ends of a channel without any format: the base64 of ciphertext and tag.
#[derive(Debug)]
pub struct Channel<K, C> {
    key: K,
    nonce: u64,
    sent: Vec<u8>,
    wire: Vec<u8>,
    received: Vec<u8>,
    codec: PhantomData<C>,
}

impl<K: Key, C: Codec> Channel<K, C> {
    /// For messages of at most `len` bytes.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let sealed = len + TAG_LEN;
        Self {
            key: K::new(),
            nonce: 0,
            sent: vec![0; sealed],
            wire: vec![0; base64::encoded_len(sealed)],
            received: vec![0; sealed],
            codec: PhantomData,
        }
    }

    /// Encrypts, encodes, decodes and decrypts `message`.
    pub fn seal_and_open(&mut self, message: &[u8]) -> &[u8] {
        let nonce = next(&mut self.nonce).into();
        let (text, rest) = self.sent.split_at_mut(message.len());
        text.copy_from_slice(message);
        let tag =
            self.key.with(|key| key.encrypt_inout_detached(&nonce, AAD, text.into())).expect("it is short");
        rest[..TAG_LEN].copy_from_slice(&tag);
        let wire = C::encode(&self.sent[..message.len() + TAG_LEN], &mut self.wire);

        let length = C::decode(wire, &mut self.received).len();
        let (text, tag) =
            self.received[..length].split_last_chunk_mut::<TAG_LEN>().expect("the tag is there");
        self.key
            .with(|key| key.decrypt_inout_detached(&nonce, AAD, text.into(), (&*tag).into()))
            .expect("it is authentic");
        text
    }
}

/// Generates two ephemeral keys, and agrees with each on a secret with the other's public key.
pub fn agree(rng: &mut Rng) {
    let [ours, theirs] = [(); 2].map(|()| EphemeralSecret::generate_from_rng(rng));
    black_box(ours.diffie_hellman(&theirs.public_key()));
    black_box(theirs.diffie_hellman(&ours.public_key()));
}

/// An identity that signs and is verified.
#[derive(Debug)]
pub struct Identity(SigningKey);

impl Identity {
    /// Generates it.
    pub fn new(rng: &mut Rng) -> Self {
        Self(SigningKey::generate_from_rng(rng))
    }

    /// Signs a message of the length that a handshake signs, and verifies it.
    pub fn sign_and_verify(&self) {
        let message = black_box([7; 54]);
        let signature: Signature = self.0.sign(&message);
        self.0.verifying_key().verify(&message, &signature).expect("it is authentic");
    }
}
