//! The messages of Key Agreement (§3): request and response, written and read.

mod read;
mod write;

pub(crate) use read::{Request, ResponseFields, identifier};
pub(crate) use write::{RequestMessage, ResponseMessage, fill_signature, longest_response, request_len};

pub use crate::session::agreement::{Identifier, MAX_IDENTIFIER};

/// How many seconds an agreement is kept by default.
pub const DEFAULT_LIFETIME: u64 = 300;
