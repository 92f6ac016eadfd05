//! Whom a server talks to, and how.

use crate::crypto::KeyId;
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
pub trait ServerPolicy {
    /// What the client that makes these claims is granted; `None` when it is not known.
    fn client(&self, claims: &Claims<'_>) -> Option<ClientPolicy<'_>>;
}
