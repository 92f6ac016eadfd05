//! The clients that a gateway knows, as a list.

use crate::crypto::software::PinnedKey;
use crate::crypto::{CryptoError, KeyId, Signature, Verified};
use crate::handshake::{Claims, ClientPolicy, ServerPolicy};
use crate::scheme::{Preference, Scheme};
use crate::session::{ClientType, Mode};

/// A client that the gateway knows.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KnownClient<'c> {
    /// `client.type`.
    pub client_type: ClientType,
    /// `client.clientId`.
    pub client_id: &'c str,
    /// The least mode of its sessions.
    pub least_mode: Mode,
}

/// An identity of a client, bound to exactly these claims (§2.1).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RegisteredIdentity<'c> {
    /// Its key.
    pub key: PinnedKey,
    /// `client.type`.
    pub client_type: ClientType,
    /// `client.clientId`.
    pub client_id: &'c str,
    /// `device.id`.
    pub device_id: &'c str,
}

impl RegisteredIdentity<'_> {
    fn is(&self, claims: &Claims<'_>) -> bool {
        claims.kid == Some(&self.key.kid())
            && claims.client_type == self.client_type
            && claims.client_id == self.client_id
            && claims.device_id == self.device_id
    }
}

/// The clients that a gateway knows, and the schemes that it accepts of them. Unknown clients are refused.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Clients<'c> {
    /// The clients; none refuses everybody.
    pub known: &'c [KnownClient<'c>],
    /// The identities of clients in mutual mode.
    pub identities: &'c [RegisteredIdentity<'c>],
    /// The schemes.
    pub schemes: &'c [Scheme],
    /// Whose order decides among them.
    pub preference: Preference,
}

impl<'c> Clients<'c> {
    /// These clients, without identities, with the elliptic-curve schemes and the client's preference.
    #[must_use]
    pub const fn new(known: &'c [KnownClient<'c>]) -> Self {
        Self { known, identities: &[], schemes: &Scheme::ELLIPTIC, preference: Preference::Client }
    }
}

impl ServerPolicy for Clients<'_> {
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        if claims.kid.is_some() && !self.identities.iter().any(|identity| identity.is(claims)) {
            return None;
        }
        let is = |known: &&KnownClient<'_>| {
            known.client_type == claims.client_type && known.client_id == claims.client_id
        };
        let known = self.known.iter().find(is)?;
        Some(ClientPolicy {
            schemes: self.schemes,
            preference: self.preference,
            least_mode: known.least_mode,
        })
    }

    fn verify(&self, kid: &KeyId, message: &[u8], signature: &Signature) -> Result<Verified, CryptoError> {
        let identity = self.identities.iter().find(|identity| identity.key.kid() == *kid);
        identity.ok_or(CryptoError::Authentication)?.key.verify(message, signature)
    }
}
