//! The key in the chip that is encrypted to.

use super::host::Call;
use super::provider::{Handle, SharedSecret, point_of};
use super::{SecureElement, Trouble};
use crate::frame::{Opcode, RECIPIENT, Status};
use core::fmt;
use dynamic_key::codec::spki::PublicKey;
use dynamic_key::crypto::{CryptoError, KeyId, Recipient};
use embedded_io::{Read, Write};

/// Agrees with senders by a key that the chip has made and that never leaves it: what they encrypt is decrypted with Z, the
/// key-encryption key and the content key in slots.
pub struct ElementRecipient<'e, B> {
    element: &'e SecureElement<B>,
    point: [u8; 65],
}

impl<'e, B: Read + Write> ElementRecipient<'e, B> {
    /// Asks for the public key; the first time, the chip makes the pair.
    pub(super) fn new(element: &'e SecureElement<B>) -> Result<Self, Trouble> {
        let mut point = [0; 65];
        let call = Call { key: RECIPIENT, answer: &mut point, ..Call::new(Opcode::Public) };
        match element.call(call) {
            Err(Trouble::Refused(Status::NoKey)) => {
                let made = Call { to: RECIPIENT, answer: &mut point, ..Call::new(Opcode::Generate) };
                element.call(made)?;
            }
            outcome => outcome?,
        }
        Ok(Self { element, point })
    }
}

impl<B> ElementRecipient<'_, B> {
    /// The public half, to be published: 0x04 ‖ x ‖ y.
    #[must_use]
    pub const fn point(&self) -> &[u8; 65] {
        &self.point
    }
}

impl<B> fmt::Debug for ElementRecipient<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElementRecipient").field("kid", &KeyId::of_point(&self.point)).finish_non_exhaustive()
    }
}

impl<'e, B: Read + Write> Recipient for ElementRecipient<'e, B> {
    type SharedSecret = Handle<'e, B, SharedSecret>;

    fn kid(&self) -> KeyId {
        KeyId::of_point(&self.point)
    }

    fn agree(&mut self, peer: &PublicKey) -> Result<Self::SharedSecret, CryptoError> {
        let point = point_of(peer).map_err(|_| CryptoError::InvalidPublicKey)?;
        Ok(self.element.provider().make(Opcode::Receive, RECIPIENT, (point, &[]), &mut [])?)
    }
}
