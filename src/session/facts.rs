//! What the client knows of its session beside the keys.

use super::Mode;
use super::clock::{Expiry, Now};
use crate::codec::BufferTooSmall;
use crate::codec::json::Str;
use crate::envelope::Aad;
use crate::log::format_as;
use crate::scheme::Scheme;
use core::fmt;
use zeroize::Zeroize;

/// What a session is: its names on the wire, its worth and its end.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Facts<const TOKEN: usize> {
    pub(crate) id: Aad,
    pub(crate) token: Token<TOKEN>,
    pub(crate) mode: Mode,
    pub(crate) scheme: Scheme,
    pub(crate) expiry: Expiry,
}

/// The bearer token of a session: erased on drop, never printed.
#[derive(zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Token<const N: usize> {
    bytes: [u8; N],
    length: u16,
}

impl<const N: usize> Token<N> {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    /// Copies a JSON string, unescaped.
    ///
    /// # Errors
    /// It is longer than `N` bytes.
    pub(crate) fn copy_json(&mut self, text: Str<'_>) -> Result<&str, BufferTooSmall> {
        let copy = text.copy_to(&mut self.bytes)?;
        // A session's token has 4096 bytes at most: what is longer is refused.
        self.length = copy.len() as u16;
        Ok(copy)
    }

    /// Copies a token; `None` when it is longer than `N` bytes.
    pub(crate) fn copy(&mut self, text: &str) -> Option<()> {
        self.bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        self.length = u16::try_from(text.len()).ok()?;
        Some(())
    }

    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It was copied from text.
        let token = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(token).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for Token<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

format_as! { [const N: usize] Token<N>, _ => "…" }

impl<const TOKEN: usize> Facts<TOKEN> {
    /// Those of no session yet.
    pub(crate) const fn none(mode: Mode) -> Self {
        Self { id: Aad::none(), token: Token::new(), mode, scheme: Scheme::EcAes2, expiry: Expiry::PAST }
    }

    /// Erases what is secret and what is named, in its place.
    pub(crate) fn clear(&mut self) {
        self.id = Aad::none();
        self.token.zeroize();
        self.expiry = Expiry::PAST;
    }

    /// The session id, for the header `X-Session-Id` and the AAD.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.session_id()
    }

    /// The token, for the header `Authorization: Bearer`.
    ///
    /// # Security
    /// It is a credential: not to be logged.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.as_str()
    }

    /// What the session is worth.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The scheme that was negotiated.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether the session is past its end (§2.1). Once it was, it stays so.
    pub fn is_over(&mut self, now: Now) -> bool {
        self.expiry.is_over(now)
    }
}
