//! Whom a server talks to, and how.

use crate::crypto::{CryptoError, KeyId, Signature, Verified};
use crate::scheme::{Preference, Scheme};
use crate::session::{ClientType, Mode};

/// What a hello claims, before anything is proven.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Claims<'a> {
    /// `client.type`.
    pub client_type: ClientType,
    /// `client.clientId`.
    pub client_id: &'a str,
    /// `device.id`.
    pub device_id: &'a str,
    /// `device.platform`.
    pub platform: &'a str,
    /// The id of the identity that the client claims to hold.
    pub kid: Option<&'a KeyId>,
}

/// What the policy grants a client.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientPolicy<'p> {
    /// The schemes that are accepted.
    pub schemes: &'p [Scheme],
    /// Whose order decides among them.
    pub preference: Preference,
    /// The least mode; pinned counts as confirmed, for a gateway cannot see whether a client pins.
    pub least_mode: Mode,
}

/// Which clients a server talks to, and how.
///
/// # Security
/// A `kid` that is claimed must be a registered identity's, bound to exactly the other claims: else the client is not known.
pub trait ServerPolicy {
    /// What the client that makes these claims is granted; `None` when it is not known.
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>>;

    /// Verifies the ES256 signature of a registered client identity, whose thumbprint was recomputed from its key. Slow.
    ///
    /// # Errors
    /// [`CryptoError::Authentication`] when no such identity is registered or the signature is wrong, without saying which:
    /// the answer of a policy that registers none.
    fn verify(&self, kid: &KeyId, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        let _ = (kid, message, signature);
        Err(CryptoError::Authentication)
    }
}
