//! What a lifecycle says to whoever drives it.

#[cfg(doc)]
use super::lifecycle::Lifecycle;
use crate::log::format_as;
use core::fmt;

/// What a lifecycle needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Need {
    /// A request is due: [`Lifecycle::request`]. The token in hand, if there is one, may be used meanwhile.
    Request,
    /// A request is out: who sent it gives the answer to [`Lifecycle::answer`], or tells that it
    /// [failed](Lifecycle::failed). Everyone else waits, unless [`Lifecycle::access`] has a token for them.
    Answer,
    /// Nothing is due for so many milliseconds: ask again then. `u64::MAX` is a token of which nobody knows the end. Where
    /// there is no token to use, a request has failed and this is the back-off.
    Wait(u64),
    /// A user must authorize: [`Lifecycle::authorize`].
    Authorization,
    /// It is over, until [`Lifecycle::restart`].
    Stopped(Stop),
}

/// Why a lifecycle is over. Its tokens are erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Stop {
    /// The issuer refuses the credentials: they are wrong, or have been revoked.
    Refused,
    /// The issuer knows the client and gives it nothing: it is suspended.
    Suspended,
    /// A fresh token was refused like the one before it: access has been revoked.
    Unauthorized,
    /// The tokens were given back.
    Revoked,
}

/// A request that is out. There is one at a time.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Pending {
    pub(super) serial: u32,
}

/// Which token: for [`Lifecycle::used`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Generation(pub(super) u32);

/// An access token that may be used now. `Debug` does not print it.
#[derive(Clone, Copy)]
pub struct Access<'t> {
    /// For the header `Authorization: Bearer`.
    ///
    /// # Security
    /// It is a credential: not to be logged.
    pub token: &'t str,
    /// Which one it is.
    pub generation: Generation,
}

impl fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("generation", &self.generation).finish_non_exhaustive()
    }
}

format_as! { [] Access<'_>, access => "Access {{ generation: {} }}", access.generation }
