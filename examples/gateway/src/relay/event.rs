//! What happens in a relay, for those who listen.

use super::access::Caller;
use crate::now;
use dynamic_key::codec::timestamp::Timestamp;

/// Something that is on the disk.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "for those who listen")]
pub(super) struct Event {
    pub(super) at: Timestamp,
    /// Whose doing it is.
    pub(super) caller: Caller,
    pub(super) kind: Kind,
}

/// What it is, with the address of the identity that it is about.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "for those who listen")]
pub(super) enum Kind {
    Registered {
        address: String,
    },
    SigningKey {
        address: String,
    },
    EncryptionKey {
        address: String,
    },
    Metadata {
        address: String,
    },
    Recovery {
        address: String,
    },
    /// A message has come for `recipient` and is at this place of its mailbox.
    Message {
        sender: String,
        recipient: String,
        id: String,
        place: u64,
        bytes: usize,
    },
}

impl Event {
    pub(super) fn new(caller: &Caller, kind: Kind) -> Self {
        Self { at: now(), caller: caller.clone(), kind }
    }
}
