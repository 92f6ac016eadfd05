//! What a client proves itself with.

use super::TokenError;
use super::text::Text;
use crate::log::format_as;
use core::fmt;

/// The id of a client, its secret and its API key, where it has them: erased on drop, never printed.
///
/// Each has 1 to [`Credentials::MAX_LEN`] characters of 0x20 to 0x7E (RFC 6749 appendix A).
pub struct Credentials {
    id: Text<{ Self::MAX_LEN }>,
    secret: Text<{ Self::MAX_LEN }>,
    api_key: Text<{ Self::MAX_LEN }>,
}

impl Credentials {
    /// The most characters of each.
    pub const MAX_LEN: usize = 256;

    /// Those of a public client, which has no secret.
    ///
    /// # Errors
    /// [`TokenError::InvalidConfiguration`] for another length or character than are allowed.
    pub fn public(client_id: &str) -> Result<Self, TokenError> {
        Ok(Self { id: checked(client_id)?, secret: Text::new(), api_key: Text::new() })
    }

    /// Those of a client with a secret. The caller erases its own copy.
    ///
    /// # Errors
    /// As [`Credentials::public`].
    pub fn confidential(client_id: &str, client_secret: &str) -> Result<Self, TokenError> {
        Ok(Self { id: checked(client_id)?, secret: checked(client_secret)?, api_key: Text::new() })
    }

    /// Adds an API key. The caller erases its own copy.
    ///
    /// # Errors
    /// As [`Credentials::public`], and for a space at an end, which no header can carry.
    pub fn with_api_key(mut self, api_key: &str) -> Result<Self, TokenError> {
        if api_key.starts_with(' ') || api_key.ends_with(' ') {
            return Err(TokenError::InvalidConfiguration);
        }
        self.api_key = checked(api_key)?;
        Ok(self)
    }

    pub(super) fn id(&self) -> &str {
        self.id.as_str()
    }

    pub(super) fn secret(&self) -> Option<&str> {
        Some(self.secret.as_str()).filter(|secret| !secret.is_empty())
    }

    pub(super) fn api_key(&self) -> Option<&str> {
        Some(self.api_key.as_str()).filter(|key| !key.is_empty())
    }
}

fn checked<const N: usize>(text: &str) -> Result<Text<N>, TokenError> {
    let mut copy = Text::new();
    let fits = !text.is_empty() && is_visible(text.bytes()) && copy.set(text.bytes()).is_some();
    if fits { Ok(copy) } else { Err(TokenError::InvalidConfiguration) }
}

/// Whether all are of 0x20 to 0x7E.
pub(super) fn is_visible(mut text: impl Iterator<Item = u8>) -> bool {
    text.all(|byte| matches!(byte, 0x20..=0x7e))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("has_secret", &self.secret().is_some())
            .field("has_api_key", &self.api_key().is_some())
            .finish()
    }
}

format_as! { [] Credentials, credentials => "Credentials {{ has_secret: {}, has_api_key: {} }}", credentials.secret().is_some(), credentials.api_key().is_some() }

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn lengths_and_characters_are_judged() {
        let longest = "s".repeat(Credentials::MAX_LEN);
        let good = Credentials::confidential(&longest, &longest).unwrap().with_api_key(&longest).unwrap();
        assert_eq!((good.id(), good.secret(), good.api_key()), (&*longest, Some(&*longest), Some(&*longest)));
        assert!(Credentials::confidential(" !\"~", " ").is_ok());
        let long = "s".repeat(Credentials::MAX_LEN + 1);
        for bad in ["", "a\nb", "\0", "\x7f", "é", "a\tb", &long] {
            assert_eq!(Credentials::public(bad).err(), Some(TokenError::InvalidConfiguration), "{bad:?}");
            assert_eq!(Credentials::confidential("id", bad).err(), Some(TokenError::InvalidConfiguration));
            let key = Credentials::public("id").unwrap().with_api_key(bad);
            assert_eq!(key.err(), Some(TokenError::InvalidConfiguration), "{bad:?}");
        }
        for bad in [" key", "key ", " "] {
            let key = Credentials::public("id").unwrap().with_api_key(bad);
            assert_eq!(key.err(), Some(TokenError::InvalidConfiguration), "{bad:?}");
        }
    }

    #[test]
    fn nothing_is_printed() {
        let credentials =
            Credentials::confidential("the-id", "the-secret").unwrap().with_api_key("the-key").unwrap();
        assert_eq!(format!("{credentials:?}"), "Credentials { has_secret: true, has_api_key: true }");
    }
}
