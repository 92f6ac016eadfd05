//! The identity in the chip, and signatures that the chip verifies.

use super::SecureElement;
use super::host::Call;
use crate::frame::{IDENTITY, Opcode};
use core::fmt;
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{CryptoError, KeyId, Signature, Signer, Verified, Verifier};
use embedded_io::{Read, Write};

/// Signs ES256 by the identity in the chip, which never leaves it.
pub struct ElementSigner<'e, B> {
    element: &'e SecureElement<B>,
    public: PinnedKey,
}

impl<'e, B> ElementSigner<'e, B> {
    pub(super) const fn new(element: &'e SecureElement<B>, public: PinnedKey) -> Self {
        Self { element, public }
    }

    /// The public half, as peers pin or register it.
    #[must_use]
    pub const fn public(&self) -> PinnedKey {
        self.public
    }
}

impl<B> Clone for ElementSigner<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for ElementSigner<'_, B> {}

impl<B> fmt::Debug for ElementSigner<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElementSigner").field("kid", &self.public.kid()).finish_non_exhaustive()
    }
}

impl<B: Read + Write> Signer for ElementSigner<'_, B> {
    fn kid(&self) -> KeyId {
        self.public.kid()
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        let mut signature = [0; 64];
        let call = Call { key: IDENTITY, head: message, answer: &mut signature, ..Call::new(Opcode::Sign) };
        self.element.call(call)?;
        Ok(signature)
    }
}

/// Verifies ES256 in the chip, by the identities that it trusts. None trusts nobody.
pub struct ElementVerifier<'e, B> {
    element: &'e SecureElement<B>,
    pins: &'e [PinnedKey],
}

impl<'e, B> ElementVerifier<'e, B> {
    pub(super) const fn new(element: &'e SecureElement<B>, pins: &'e [PinnedKey]) -> Self {
        Self { element, pins }
    }
}

impl<B> Clone for ElementVerifier<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for ElementVerifier<'_, B> {}

impl<B> fmt::Debug for ElementVerifier<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElementVerifier").field("pins", &self.pins).finish_non_exhaustive()
    }
}

impl<B: Read + Write> Verifier for ElementVerifier<'_, B> {
    fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        let key = self.pins.iter().find(|key| key.kid() == *kid).ok_or(CryptoError::Authentication)?;
        let parts: &[&[u8]] = &[key.point(), signature, message];
        self.element.call(Call { parts, ..Call::new(Opcode::Verify) }).map_err(|trouble| {
            match trouble.into() {
                // A pinned key that is none is trusted for nothing.
                CryptoError::InvalidPublicKey => CryptoError::Authentication,
                error => error,
            }
        })?;
        Ok(Verified::vouch())
    }
}
