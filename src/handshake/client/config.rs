//! What a client claims and demands.

#[cfg(doc)]
use super::ClientHandshake;
use crate::agreement::schedule::PlainKdf;
use crate::codec::json::escaped_len;
use crate::codec::spki::Group;
use crate::crypto::KeyId;
use crate::error::{Error, Misuse};
use crate::handshake::dynamic_key::hello_len;
use crate::handshake::is_claim;
use crate::scheme::Scheme;
use crate::session::{ClientType, Mode, Owner};

/// What a client claims to be, and what it demands.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientConfig<'c> {
    /// `client.type`.
    pub client_type: ClientType,
    /// `client.clientId`: 1 to 64 characters of 0x20–0x7E.
    pub client_id: &'c str,
    /// `device.id`: 1 to 64 characters of 0x20–0x7E.
    pub device_id: &'c str,
    /// `device.platform`: `browser`, `ios`, `android`, `server` or another, 1 to 32 characters of 0x20–0x7E.
    pub platform: &'c str,
    /// The least that a session must be worth. The client never falls back below it.
    pub mode: Mode,
    /// The schemes that the client supports, in order of preference; plain mode knows only SCHEME-EC-AES2.
    pub schemes: &'c [Scheme],
    /// The client's own identity, which signs in mutual mode; it is not told in others.
    pub identity: Option<KeyId>,
    /// How plain mode derives its key.
    pub plain: PlainKdf<'c>,
}

impl<'c> ClientConfig<'c> {
    /// A client of pinned mode with the elliptic-curve schemes, strongest first.
    #[must_use]
    pub const fn new(
        client_type: ClientType,
        client_id: &'c str,
        device_id: &'c str,
        platform: &'c str,
    ) -> Self {
        Self {
            client_type,
            client_id,
            device_id,
            platform,
            mode: Mode::Pinned,
            schemes: &Scheme::ELLIPTIC,
            identity: None,
            plain: PlainKdf { salt: None, info: b"dynamic-key-v2" },
        }
    }

    /// The most bytes of a hello with a key of `group`. For P-256 it is exactly what [`ClientHandshake::hello`] needs; a
    /// finite-field key may be some bytes shorter.
    #[must_use]
    pub const fn hello_len(&self, group: Group) -> usize {
        self.hello_len_with(group.spki_len())
    }

    /// The length in bytes of the hello with a key of `spki` bytes.
    pub(super) const fn hello_len_with(&self, spki: usize) -> usize {
        let strings = escaped_len(self.device_id)
            .saturating_add(escaped_len(self.platform))
            .saturating_add(self.client_type.name().len())
            .saturating_add(escaped_len(self.client_id));
        let schemes = match self.mode {
            Mode::Plain => None,
            _ => Some(self.schemes),
        };
        hello_len(spki, strings, schemes, self.kid().is_some())
    }

    /// The identity that the hello names.
    pub(super) const fn kid(&self) -> Option<&KeyId> {
        match self.mode {
            Mode::Mutual => self.identity.as_ref(),
            _ => None,
        }
    }

    /// Whose a stored session must be (§2.7), to be loaded by this client.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`], as [`ClientHandshake::new`].
    pub fn owner(&self) -> Result<Owner<'_>, Error> {
        self.check()?;
        Ok(Owner {
            device_id: self.device_id,
            client_type: self.client_type,
            client_id: self.client_id,
            mode: self.mode,
            schemes: self.schemes,
            kid: self.kid(),
        })
    }

    fn first_scheme(&self) -> Option<Scheme> {
        if self.mode == Mode::Plain { Some(Scheme::EcAes2) } else { self.schemes.first().copied() }
    }

    /// The group of the first scheme; the caller has checked that there is one.
    pub(super) fn first_group(&self) -> Group {
        self.first_scheme().map_or(Group::P256, Scheme::group)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let strings =
            is_claim(self.client_id, 64) && is_claim(self.device_id, 64) && is_claim(self.platform, 32);
        let repeated = self
            .schemes
            .iter()
            .enumerate()
            .any(|(at, scheme)| self.schemes.iter().take(at).any(|s| s == scheme));
        let identified = self.mode != Mode::Mutual || self.identity.is_some();
        if strings && !repeated && identified && self.first_scheme().is_some() {
            Ok(())
        } else {
            Err(Misuse::InvalidConfiguration.into())
        }
    }
}
