//! What a handshake leaves: a session, which seals and opens, and ends.

pub mod agreement;
pub mod client;
pub mod clock;
pub mod facts;
pub mod server;
pub mod storage;

pub use agreement::{Agreement, FieldCounters, ServerAgreement};
pub use client::{Exchange, Opener, Sealer, Session};
pub use clock::{Expiry, Now, Uptime};
pub use facts::{Facts, Token};
pub use server::{ClaimedIdentity, Committed, Opened, ServerSession};
pub use storage::{Owner, SessionStorage, StorageError, Vault};

use crate::codec::is_made_of;
use crate::codec::json::Str;
use crate::crypto::provider::{CryptoError, Provider};

/// What a session is worth (§2.1). A gateway knows plain < confirmed < mutual, for it cannot see whether a client pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Mode {
    /// The V2 contract and nothing more: one key both ways, no server authentication, one request in flight.
    Plain,
    /// Schemes negotiated and the transcript proven, against passive attackers only.
    Confirmed,
    /// The gateway is an identity that the client pins.
    Pinned,
    /// The gateway knows the client's identity, too.
    Mutual,
}

impl Mode {
    /// The name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Confirmed => "confirmed",
            Self::Pinned => "pinned",
            Self::Mutual => "mutual",
        }
    }

    /// The mode with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Plain, Self::Confirmed, Self::Pinned, Self::Mutual]
            .into_iter()
            .find(|mode| mode.name() == name)
    }
}

/// What kind of client it is: `client.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ClientType {
    /// One of the house's own.
    Internal,
    /// A partner's: it reaches only rules that name it (§2.5).
    External,
}

impl ClientType {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }

    /// The type with this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Internal, Self::External].into_iter().find(|kind| kind.name() == name)
    }
}

/// Whose session it is: what the hello claimed.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientFacts {
    /// `client.type`.
    pub client_type: ClientType,
    /// `client.clientId`.
    pub client_id: heapless::String<64, u8>,
    /// `device.id`.
    pub device_id: heapless::String<64, u8>,
}

/// A session id: `[A-Za-z0-9._~-]{1,64}`.
pub type SessionId = heapless::String<64, u8>;

/// Whether `text` has the form of a session id (§2.1).
#[must_use]
pub fn is_session_id(text: &str) -> bool {
    matches!(text.len(), 1..=64) && is_made_of(text.as_bytes(), b"._~-")
}

/// What a token (§2.1) is made of, beside letters and digits.
const TOKEN_MARKS: &[u8] = b"._~+/=-";

/// Whether `text` has the form of a token (§2.1): `[A-Za-z0-9._~+/=-]{1,4096}`.
#[must_use]
pub fn is_token(text: &str) -> bool {
    matches!(text.len(), 1..=4096) && is_made_of(text.as_bytes(), TOKEN_MARKS)
}

/// Whether a token may hold `byte`.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    is_made_of(&[byte], TOKEN_MARKS)
}

/// Copies a JSON string, unescaped, where it fits.
pub(crate) fn copy_bounded<const N: usize>(text: Str<'_>, to: &mut heapless::String<N, u8>) -> Option<()> {
    let mut room = [0; N];
    to.clear();
    to.push_str(text.copy_to(&mut room).ok()?).ok()
}

/// Keys for the application: HKDF-Expand(k("exporter", 32), "dynamic-key v2 export" ‖ 0x00 ‖ label ‖ context, L), label
/// and context each behind its uint16 length (§2.3).
fn export<P: Provider>(
    provider: &mut P,
    exporter: Option<&P::Secret>,
    label: &str,
    context: &[u8],
    out: &mut [u8],
) -> Result<(), CryptoError> {
    let length =
        |bytes: &[u8]| u16::try_from(bytes.len()).map(u16::to_be_bytes).map_err(|_| CryptoError::Failed);
    let (label_length, context_length) = (length(label.as_bytes())?, length(context)?);
    let exporter = exporter.ok_or(CryptoError::Unsupported)?;
    let info: [&[u8]; 5] =
        [b"dynamic-key v2 export\0", &label_length, label.as_bytes(), &context_length, context];
    let prk = provider.prk(exporter)?;
    provider.expand_bytes(&prk, &info, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_ordered_and_named() {
        assert!(
            Mode::Plain < Mode::Confirmed && Mode::Confirmed < Mode::Pinned && Mode::Pinned < Mode::Mutual
        );
        assert_eq!(Mode::from_name("pinned"), Some(Mode::Pinned));
        assert_eq!(Mode::from_name("Pinned"), None);
    }

    #[test]
    fn ids_and_tokens_have_their_alphabets() {
        assert!(is_session_id("aZ09._~-") && is_session_id(&"x".repeat(64)));
        for id in ["", "a b", "a/b", "ä", "a\r\nb", &"x".repeat(65)] {
            assert!(!is_session_id(id), "{id:?}");
        }
        assert!(is_token("eyJ.e30.c2ln+/=~_-") && is_token(&"x".repeat(4096)));
        for token in ["", "a b", "a\nb", "a,b", &"x".repeat(4097)] {
            assert!(!is_token(token), "{token:?}");
        }
    }
}
