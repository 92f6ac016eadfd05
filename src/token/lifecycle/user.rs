//! The user's part: a URL to open, and the redirect that comes back.

use super::{Grant, Lifecycle, Phase};
use crate::codec::cursor::Writer;
use crate::secret::Secret;
use crate::token::TokenError;
use crate::token::authorize::Authorization;

impl<const TOKEN: usize> Lifecycle<'_, TOKEN> {
    /// Begins the authorization of a user and writes the URL that the user is to open: `origin`, such as
    /// `https://issuer.example`, with the dialect's path and the query. One that was begun before is forgotten.
    ///
    /// # Security
    /// `random` must come from a generator that is fit for keys.
    ///
    /// # Errors
    /// [`TokenError::InvalidConfiguration`] where the tokens are the client's own, [`TokenError::WrongTurn`] while a request is
    /// out or when it is over, [`TokenError::BufferTooSmall`]. Nothing has changed then.
    pub fn authorize<'o>(
        &mut self,
        origin: &str,
        random: &Secret<64>,
        out: &'o mut [u8],
    ) -> Result<&'o str, TokenError> {
        let (Some(authorize), Some(redirect_uri)) = (self.config.dialect.authorize, self.config.redirect_uri)
        else {
            return Err(TokenError::InvalidConfiguration);
        };
        if matches!(self.phase, Phase::Outstanding { .. } | Phase::Stopped(_)) || self.revoking {
            return Err(TokenError::WrongTurn);
        }
        let authorization = Authorization::new(random);
        let mut url = Writer::new(out);
        url.put(origin.as_bytes());
        url.put(authorize.path.as_bytes());
        authorization.put_query(&mut url, self.config.credentials.id(), redirect_uri, self.config.scope);
        let url = url.finish_slice()?;
        if self.grant == Grant::Code {
            self.forget_grant();
        }
        self.authorization = Some(authorization);
        Ok(core::str::from_utf8(url).unwrap_or_default())
    }

    /// Takes the query of the redirect that the user comes back with, what stands behind its `?`. Its `state` is compared in
    /// constant time, before anything else is looked at. The code in it is exchanged by the next request.
    ///
    /// # Errors
    /// [`TokenError::State`] for what is not the answer to this authorization, [`TokenError::Denied`],
    /// [`TokenError::Malformed`], [`TokenError::TooLong`]; [`TokenError::WrongTurn`] where none was begun, or its code is
    /// there already. Nothing has changed then.
    pub fn authorized(&mut self, query: &str) -> Result<(), TokenError> {
        let idle = matches!(self.phase, Phase::Ready | Phase::BackOff { .. }) && !self.revoking;
        let (Some(authorization), Some(authorize), true) =
            (&self.authorization, self.config.dialect.authorize, idle && self.grant != Grant::Code)
        else {
            return Err(TokenError::WrongTurn);
        };
        authorization.read(query, authorize.code, &mut self.bought_with)?;
        // What was held before is another authorization's.
        self.access.clear();
        self.grant = Grant::Code;
        Ok(())
    }
}
