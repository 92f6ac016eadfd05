//! The clients that a gateway knows, as a list.

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

/// The clients that a gateway knows, and the schemes that it accepts of them. Unknown clients are refused.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Clients<'c> {
    /// The clients; none refuses everybody.
    pub known: &'c [KnownClient<'c>],
    /// The schemes.
    pub schemes: &'c [Scheme],
    /// Whose order decides among them.
    pub preference: Preference,
}

impl<'c> Clients<'c> {
    /// These clients, with the elliptic-curve schemes and the client's preference.
    #[must_use]
    pub const fn new(known: &'c [KnownClient<'c>]) -> Self {
        Self { known, schemes: &Scheme::ELLIPTIC, preference: Preference::Client }
    }
}

impl ServerPolicy for Clients<'_> {
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>> {
        // No identity of a client is registered here: one that claims a kid is not known.
        let is = |known: &&KnownClient<'_>| {
            known.client_type == claims.client_type
                && known.client_id == claims.client_id
                && claims.kid.is_none()
        };
        let known = self.known.iter().find(is)?;
        Some(ClientPolicy {
            schemes: self.schemes,
            preference: self.preference,
            least_mode: known.least_mode,
        })
    }
}
