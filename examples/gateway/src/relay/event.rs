//! What happens in a relay, for those who listen: who did it, when, to which address. Never what was said.

use super::access::Caller;
use crate::now;
use dynamic_key::codec::timestamp::Timestamp;
use serde_json::{Value, json};

/// Something that is on the disk.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Where it stands among all events.
    pub(super) place: u64,
    pub(super) at: Timestamp,
    /// Whose doing it is.
    pub(super) caller: Caller,
    pub(super) kind: Kind,
}

/// What it is, with the address of the identity that it is about.
#[derive(Clone, Debug)]
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
    /// A message of so many bytes has come.
    Message {
        sender: String,
        recipient: String,
        id: String,
        bytes: usize,
    },
}

impl Kind {
    /// The names of all kinds.
    pub(super) const NAMES: [&str; 6] = [
        "identity.registered",
        "identity.sigPubKey",
        "identity.encPubKey",
        "identity.meta",
        "identity.recovery",
        "message.sent",
    ];

    pub(super) const fn name(&self) -> &'static str {
        let [registered, signing, encryption, metadata, recovery, message] = Self::NAMES;
        match self {
            Self::Registered { .. } => registered,
            Self::SigningKey { .. } => signing,
            Self::EncryptionKey { .. } => encryption,
            Self::Metadata { .. } => metadata,
            Self::Recovery { .. } => recovery,
            Self::Message { .. } => message,
        }
    }
}

impl Event {
    pub(super) fn new(caller: &Caller, kind: Kind) -> Self {
        Self { place: 0, at: now(), caller: caller.clone(), kind }
    }

    /// As those see it who may know of it.
    pub(super) fn json(&self) -> Value {
        let (time, kind, application) = (self.at.as_unix_secs(), self.kind.name(), &*self.caller.application);
        match &self.kind {
            Kind::Registered { address }
            | Kind::SigningKey { address }
            | Kind::EncryptionKey { address }
            | Kind::Metadata { address }
            | Kind::Recovery { address } => {
                json!({"time": time, "type": kind, "application": application, "address": address})
            }
            Kind::Message { sender, recipient, id, bytes } => json!({
                "time": time, "type": kind, "application": application,
                "from": sender, "to": recipient, "id": id, "bytes": bytes,
            }),
        }
    }
}
