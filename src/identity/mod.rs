//! Identities (§4): registered, rotated, recovered, and the messages and content packages that they send each other.
//!
//! Requests are built into the caller's buffers and answers are parsed where they lie; [`client::relay`](crate::client::relay) or
//! another driver sends them. What is slow, signing and verifying, happens between two calls: a [`Draft`] waits for its signatures, an
//! [`Unverified`] for its [`Verified`](crate::crypto::Verified). [`Draft::sign`] and the functions that take a verifier are both in one.
//!
//! | module | what it is |
//! |---|---|
//! | [`registration`] | a new identity, and what makes a registration valid |
//! | [`rotation`] | new keys, and the chain by which a verifier follows them |
//! | [`profile`] | what an identity publishes, checked against what is known of it |
//! | [`metadata`] | what an identity tells its relay |
//! | `recovery` | keys under a password (feature `jwe`) |
//! | [`message`] | sent, fetched, listened for, each taken once |
//! | `package` | content packages: request, publish, deny, revoke (feature `jwe`) |
//! | [`response`] | the common answer, its codes, its pages |
//!
//! ```
//! use dynamic_key::Secret;
//! use dynamic_key::codec::timestamp::Timestamp;
//! use dynamic_key::crypto::software::{Identity, Software};
//! use dynamic_key::identity::registration::{self, Registration};
//! use dynamic_key::identity::response::Response;
//! use dynamic_key::jose::jwk::{Jwk, Use};
//! # #[derive(Clone)] struct Zeros;
//! # impl rand_core::TryRng for Zeros {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(1) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { Ok(1) }
//! #     fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> { out.fill(1); Ok(()) }
//! # }
//! # impl rand_core::TryCryptoRng for Zeros {}
//! # let mut provider = Software::new(Zeros);
//! let mut signer = Identity::from_bytes(&Secret::new([1; 32]))?;
//! let encryption = Identity::from_bytes(&Secret::new([2; 32]))?;
//! let registration = Registration {
//!     issued_at: Timestamp::from_unix_secs(1_780_000_000),
//!     signing: &Jwk::new(*signer.public()?.point(), Use::Signature)?,
//!     encryption: &Jwk::new(*encryption.public()?.point(), Use::Encryption)?,
//!     public: br#"{"identityType":"user"}"#,
//!     private: b"{}",
//! };
//! let mut buffer = [0; 2048];
//! let request = registration.begin(&mut buffer)?.sign([&mut signer])?;
//! assert_eq!((request.method, request.target), ("POST", "/v1/identity"));
//!
//! // On the relay: three signatures and two key ids.
//! let mut scratch = [0; 256];
//! let registered = registration::verify(&mut provider, request.body, &mut scratch)?;
//! assert_eq!(registered.public, br#"{"identityType":"user"}"#);
//!
//! // And its answer: from now on the identity signs as `address/kid`.
//! let answer = [
//!     br#"{"status":200,"code":20011,"msg":"Registered.","txnID":"1","body":{"address":"igQQD","sigPubKey":"#,
//!     &request.body[br#"{"sigPubKey":"#.len()..][..Jwk::LEN], b"}}",
//! ].concat();
//! let myself = registration::address(&mut provider, &Response::parse(&answer)?, registration.signing)?;
//! assert_eq!(myself.address(), "igQQD");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod draft;
mod duplicates;
mod error;
pub mod message;
pub mod metadata;
#[cfg(feature = "jwe")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwe")))]
pub mod package;
pub mod profile;
#[cfg(feature = "jwe")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwe")))]
pub mod recovery;
pub mod registration;
mod request;
pub mod response;
pub mod rotation;
mod unverified;

pub use draft::{Author, Draft};
pub use duplicates::Duplicates;
pub use error::{ChainError, IdentityError};
pub use request::{Request, get, me};
pub use unverified::Unverified;
