#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! Each module uses only what stands above it.
//!
//! | module | what it is |
//! |---|---|
//! | [`Secret`] | secret bytes that erase themselves |
//! | [`codec`] | JSON, base64, SPKI DER, RFC 3339 time: strict, bounded, without recursion |
//! | [`crypto`] | what a provider of cryptography must do, identities, and the software provider |
//! | [`scheme`] | the schemes and the choice among them |
//! | [`agreement`] | transcript, key schedule, proof |
//! | [`nonce`], [`replay`] | counters going out, windows and sets coming in |
//! | [`envelope`] | sealed and opened in place |
//! | [`field`] | single fields of Key Agreement, likewise |
//! | [`request`] | the plaintext of a request |
//! | [`Error`], [`Code`] | what can go wrong, and the codes of the wire |
//! | [`session`] | what a handshake leaves: seals, opens, ends |
//! | [`handshake`] | the stepped machines of both roles |
//! | [`jose`] | JSON Web keys, signatures, encryption and tokens: a side branch |
//! | [`token`] | tokens of an issuer, kept fresh |
//! | [`identity`] | identities, their keys and what they send each other |
//! | [`transport`] | carriers of requests and answers; HTTP/1.1 |
//! | [`client`] | the paved path of a device |
//! | [`gateway`] | the paved path of a server |
//! | `conformance` | a test kit for providers, behind the feature of this name |
//!
//! Sections (§) are those of `docs/protocol.md`.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::string_slice))]

#[cfg(test)]
extern crate std;

pub mod agreement;
pub mod client;
pub mod codec;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
pub mod crypto;
pub mod envelope;
mod error;
pub mod field;
pub mod gateway;
pub mod handshake;
pub mod identity;
pub mod jose;
mod log;
pub mod nonce;
pub mod replay;
pub mod request;
pub mod scheme;
mod secret;
pub mod session;
pub mod token;
pub mod transport;

pub use error::{Code, Error, Incompatible, Misuse, Peer};
pub use secret::Secret;
