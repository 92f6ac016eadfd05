//! Whose tokens, from whom.

use super::TokenError;
use super::credentials::Credentials;
use super::dialect::Dialect;
use super::retry::Policy;

/// Whose tokens these are to be, and how their issuer speaks.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config<'c> {
    /// How the issuer speaks.
    pub dialect: &'c Dialect,
    /// What the client proves itself with.
    pub credentials: &'c Credentials,
    /// The scope to ask for.
    pub scope: Option<&'c str>,
    /// Where the issuer sends the user back to. With it, tokens are those of a user who authorizes (PKCE); without it, they
    /// are the client's own.
    pub redirect_uri: Option<&'c str>,
    /// When to renew and when to repeat.
    pub policy: Policy,
}

impl<'c> Config<'c> {
    /// The client's own tokens, of no particular scope.
    #[must_use]
    pub const fn new(dialect: &'c Dialect, credentials: &'c Credentials) -> Self {
        Self { dialect, credentials, scope: None, redirect_uri: None, policy: Policy::DEFAULT }
    }

    /// Whether everything is there that the dialect demands: nothing is left out on the way for want of it.
    pub(super) fn check(&self) -> Result<(), TokenError> {
        let begins = match self.redirect_uri {
            None => self.dialect.obtain.is_some() && self.credentials.secret().is_some(),
            Some(_) => self.dialect.exchange.is_some() && self.dialect.authorize.is_some(),
        };
        let keyed = self.dialect.api_key.is_some() == self.credentials.api_key().is_some();
        if begins && keyed { Ok(()) } else { Err(TokenError::InvalidConfiguration) }
    }
}
