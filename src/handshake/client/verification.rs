//! The check of a signature, which is slow: it is handed out and comes back as an outcome.

use crate::agreement::proof::Statement;
use crate::crypto::{CryptoError, KeyId, Signature, Verified, Verifier};
use crate::log::format_as;

/// A signature to be verified: by whom, over what.
#[derive(Clone, Copy, Debug)]
pub struct Verification {
    pub(super) kid: KeyId,
    pub(super) statement: Statement,
    pub(super) signature: Signature,
}

format_as! { [] Verification, verification => "Verification {{ kid: {} }}", verification.kid }

impl Verification {
    /// The id of the key that must have signed.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The 54 bytes that must have been signed.
    #[must_use]
    pub const fn message(&self) -> &[u8] {
        self.statement.as_bytes()
    }

    /// The ES256 signature, 64 bytes.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Has `verifier` verify it. Slow.
    ///
    /// # Errors
    /// Those of [`Verifier::verify`].
    pub fn run(&self, verifier: &mut impl Verifier) -> Result<Verified, CryptoError> {
        verifier.verify(&self.kid, self.message(), &self.signature)
    }
}
