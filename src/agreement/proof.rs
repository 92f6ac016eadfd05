//! What is proven over the transcript: that the server derived the keys, and who signed (§2.3).
//!
//! ```text
//! proof      = HMAC-SHA256(k("server proof", 32), T)
//! server sig = ES256 over "dynamic-key v2 server" ‖ 0x00 ‖ T
//! client sig = ES256 over "dynamic-key v2 client" ‖ 0x00 ‖ T
//! ```

use super::transcript::TranscriptHash;
use crate::crypto::provider::HASH_LEN;
use subtle::ConstantTimeEq;

/// Whose signature it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Role {
    /// The client's, in its first envelopes.
    Client,
    /// The server's, in the handshake's answer.
    Server,
}

/// What an identity signs, 54 bytes: the role's label, 0x00, and T.
#[derive(Clone, Copy, Debug)]
pub struct Statement([u8; Self::LEN]);

impl Statement {
    /// The length in bytes.
    pub const LEN: usize = LABEL_LEN + HASH_LEN;

    /// The statement of `role` about `transcript`.
    #[must_use]
    pub fn new(role: Role, transcript: &TranscriptHash) -> Self {
        let label: &[u8; LABEL_LEN] = match role {
            Role::Client => b"dynamic-key v2 client\0",
            Role::Server => b"dynamic-key v2 server\0",
        };
        let mut bytes = [0; Self::LEN];
        for (to, from) in bytes.iter_mut().zip(label.iter().chain(transcript)) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The bytes that are signed.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

const LABEL_LEN: usize = 22;

/// Whether the proof that came is the expected one, in constant time.
#[must_use]
pub fn matches(expected: &[u8; HASH_LEN], proof: &[u8; HASH_LEN]) -> bool {
    expected.ct_eq(proof).into()
}
