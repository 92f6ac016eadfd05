//! The messages of Key Agreement (§3): request and response, written and read.

mod read;
mod write;

pub(crate) use read::{Request, ResponseFields, identifier};
pub(crate) use write::{RequestMessage, ResponseMessage, fill_signature, longest_response, request_len};

/// An identifier as it came, 1 to 255 bytes: what somebody claims.
pub type Identifier = heapless::Vec<u8, MAX_IDENTIFIER, u8>;

/// The most bytes of an identifier.
pub const MAX_IDENTIFIER: usize = 255;

/// How many seconds an agreement is kept by default.
pub const DEFAULT_LIFETIME: u64 = 300;
