//! The one lifecycle of §5: obtain, use, renew before the end, give back.

mod outcome;
mod user;

use super::TokenError;
use super::answer::Answer;
use super::authorize::Authorization;
use super::config::Config;
use super::credentials::is_visible;
use super::dialect::{Endpoint, Field};
use super::need::{Access, Generation, Need, Pending, Stop};
use super::request::{self, Request};
use super::retry::{Elapsed, wait};
use super::text::Text;
use crate::log::{debug, format_as};
use crate::session::Now;
use core::fmt;

/// Tokens of one issuer for one client or user. `TOKEN` is the room for an access token and for a refresh token, in bytes each.
///
/// It has no clock: `now` comes with each call. Of a wall clock only steps forward count, so that one that is set back
/// neither prolongs nor shortens anything; without any clock a token is used until it is refused, and
/// [`Lifecycle::waited`] tells of the time that passed. `random` is 32 fresh random bits each time; they need not be secret.
///
/// # Security
/// Tokens are erased when they end, are replaced or refused. The caller authenticates the issuer and encrypts the way to it.
pub struct Lifecycle<'c, const TOKEN: usize = 1024> {
    config: Config<'c>,
    clock: Elapsed,
    phase: Phase,
    /// Failures in a row.
    failures: u32,
    serial: u32,
    access: Text<TOKEN>,
    generation: Generation,
    /// When the access token ends and when it is to be renewed, by `clock`.
    ends: u64,
    renews: u64,
    /// A refusal led to the renewal that is due or out.
    doubted: bool,
    /// A refusal led to the access token, which nobody has accepted yet.
    suspect: bool,
    /// What buys the next token.
    grant: Grant,
    /// The refresh token or the code.
    bought_with: Text<TOKEN>,
    /// Of the user who is asked, until the code has been exchanged.
    authorization: Option<Authorization>,
    /// The tokens are to be given back: nobody gets them any more.
    revoking: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    Ready,
    /// A request is out, since then.
    Outstanding {
        step: Step,
        since: u64,
    },
    /// Nothing is sent before then.
    BackOff {
        until: u64,
    },
    Stopped(Stop),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Step {
    Obtain,
    Exchange,
    Refresh,
    Revoke,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    /// The credentials, or nothing before a user authorizes.
    None,
    Code,
    Refresh,
}

/// No time that comes.
const NEVER: u64 = u64::MAX;

impl<'c, const TOKEN: usize> Lifecycle<'c, TOKEN> {
    /// A lifecycle without a token.
    ///
    /// # Errors
    /// [`TokenError::InvalidConfiguration`] where the dialect has no such grant, or demands a secret or an API key that is
    /// not there, or has no use for the one that is.
    pub fn new(config: Config<'c>) -> Result<Self, TokenError> {
        config.check()?;
        Ok(Self {
            config,
            clock: Elapsed::default(),
            phase: Phase::Ready,
            failures: 0,
            serial: 0,
            access: Text::new(),
            generation: Generation(0),
            ends: 0,
            renews: 0,
            doubted: false,
            suspect: false,
            grant: Grant::None,
            bought_with: Text::new(),
            authorization: None,
            revoking: false,
        })
    }

    /// What is needed next.
    pub fn need(&mut self, now: Now) -> Need {
        let at = self.tick(now);
        match self.phase {
            Phase::Stopped(stop) => Need::Stopped(stop),
            Phase::Outstanding { .. } => Need::Answer,
            Phase::BackOff { until } if at < until => Need::Wait(until.saturating_sub(at)),
            _ if self.revoking => match self.step() {
                Some(_) => Need::Request,
                None => Need::Stopped(self.stop(Stop::Revoked)),
            },
            _ if !self.access.is_empty() && at < self.renews => match self.renews {
                NEVER => Need::Wait(NEVER),
                renews => Need::Wait(renews.saturating_sub(at)),
            },
            _ if self.step().is_some() => Need::Request,
            _ => Need::Authorization,
        }
    }

    /// The access token, while there is one that may be used.
    pub fn access(&mut self, now: Now) -> Option<Access<'_>> {
        self.tick(now);
        let usable = !self.access.is_empty() && !self.revoking;
        usable.then(|| Access { token: self.access.as_str(), generation: self.generation })
    }

    /// Tells with which HTTP status a resource answered the token `used`. A 401 ends it, so that it is renewed, once: when
    /// the token that comes is refused as well, before any answer below 400, access has been revoked and all is over. What
    /// is told of a token that was replaced meanwhile counts for nothing.
    pub fn used(&mut self, used: Generation, status: u16) {
        if used != self.generation || self.access.is_empty() {
            return;
        }
        match status {
            401 if self.suspect => {
                self.stop(Stop::Unauthorized);
            }
            401 => {
                self.access.clear();
                self.doubted = true;
            }
            ..=399 => self.suspect = false,
            _ => {}
        }
    }

    /// Writes the request that is [due](Need::Request) to `out`. It is to be sent, and its answer given to
    /// [`Lifecycle::answer`] with what is returned beside it.
    ///
    /// # Errors
    /// [`TokenError::WrongTurn`] where none is due; [`TokenError::BufferTooSmall`]. Nothing has changed then.
    pub fn request<'r>(
        &'r mut self,
        now: Now,
        out: &'r mut [u8],
    ) -> Result<(Request<'r>, Pending), TokenError> {
        let (Need::Request, Some(step)) = (self.need(now), self.step()) else {
            return Err(TokenError::WrongTurn);
        };
        let endpoint = self.endpoint(step).ok_or(TokenError::WrongTurn)?;
        let dialect = self.config.dialect;
        let length = request::write(dialect.encoding, &endpoint, |field| self.value(field), out)?;
        self.serial = self.serial.wrapping_add(1);
        self.phase = Phase::Outstanding { step, since: self.tick(now) };
        debug!("token: {}", step);
        let request = Request {
            target: endpoint.path,
            content_type: dialect.encoding.content_type(),
            api_key: dialect.api_key.zip(self.config.credentials.api_key()),
            bearer: Some(self.access.as_str()).filter(|token| endpoint.bearer && !token.is_empty()),
            body: out.get(..length).unwrap_or_default(),
        };
        Ok((request, Pending { serial: self.serial }))
    }

    /// Takes the answer to a request.
    ///
    /// # Errors
    /// Why it brought no token; [`Lifecycle::need`] says what follows. [`TokenError::WrongTurn`] for the answer to a request
    /// that was given up, which changes nothing.
    pub fn answer(
        &mut self,
        pending: Pending,
        now: Now,
        random: u32,
        answer: Answer<'_>,
    ) -> Result<(), TokenError> {
        let (step, since) = self.outstanding(&pending)?;
        self.tick(now);
        let outcome = match (step, answer.status) {
            (Step::Revoke, 200..=299) => {
                self.stop(Stop::Revoked);
                Ok(())
            }
            (_, 200..=299) => self.issued(step, since, random, answer.body),
            (_, status) => Err(self.refused(step, status, answer.body)),
        };
        // Whatever has not moved on comes again later.
        if outcome.is_err() && matches!(self.phase, Phase::Outstanding { .. }) {
            self.back_off(random, wait(answer.retry_after, now));
        }
        outcome
    }

    /// Tells that a request failed on its way, or its answer did: it is repeated after a while.
    ///
    /// # Errors
    /// [`TokenError::WrongTurn`] for a request that was given up, which changes nothing.
    pub fn failed(&mut self, pending: Pending, now: Now, random: u32) -> Result<(), TokenError> {
        self.outstanding(&pending)?;
        self.give_up(now, random);
        Ok(())
    }

    /// As [`Lifecycle::failed`], for whoever has lost the [`Pending`]: the request that is out, if one is, counts as failed
    /// and its answer is not taken any more.
    pub fn give_up(&mut self, now: Now, random: u32) {
        self.tick(now);
        if let Phase::Outstanding { .. } = self.phase {
            self.back_off(random, 0);
        }
    }

    /// Tells that `millis` milliseconds went by: for a device without any clock, whose timers [`Need::Wait`] sets.
    pub const fn waited(&mut self, millis: u64) {
        self.clock.advance(millis);
    }

    /// Gives the tokens back: from now on nobody gets them, and a request to revoke them is due, where the dialect has one.
    /// Then it is over.
    pub fn revoke(&mut self) {
        self.revoking = true;
    }

    /// Erases what there is and begins anew, also after a [`Stop`]: when whoever administers the credentials has mended what
    /// led to it.
    pub fn restart(&mut self) {
        self.erase();
        self.failures = 0;
        self.doubted = false;
        self.revoking = false;
        self.phase = Phase::Ready;
    }

    /// The refresh token, to be stored where secrets may be.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&str> {
        (self.grant == Grant::Refresh).then(|| self.bought_with.as_str())
    }

    /// Takes up a refresh token that was stored, so that nobody need authorize again.
    ///
    /// # Errors
    /// [`TokenError::WrongTurn`] where there is a token already, or the dialect has no use for it; [`TokenError::TooLong`];
    /// [`TokenError::Malformed`] for none, and for characters other than 0x20 to 0x7E. Nothing has changed then.
    pub fn restore(&mut self, refresh_token: &str) -> Result<(), TokenError> {
        let length = refresh_token.len();
        let begins = self.phase == Phase::Ready && self.access.is_empty() && self.grant == Grant::None;
        if !begins || self.revoking || self.config.dialect.refresh.is_none() {
            return Err(TokenError::WrongTurn);
        }
        if refresh_token.is_empty() || !is_visible(refresh_token.bytes()) {
            return Err(TokenError::Malformed);
        }
        self.bought_with.set(refresh_token.bytes()).ok_or(TokenError::TooLong { length })?;
        self.grant = Grant::Refresh;
        Ok(())
    }

    /// Takes note of the time; a token that has ended is erased.
    fn tick(&mut self, now: Now) -> u64 {
        let at = self.clock.at(now);
        if at >= self.ends {
            self.access.clear();
        }
        at
    }

    /// The step that can be taken.
    fn step(&self) -> Option<Step> {
        let step = match self.grant {
            _ if self.revoking => Step::Revoke,
            Grant::Refresh => Step::Refresh,
            Grant::Code => Step::Exchange,
            Grant::None if self.config.redirect_uri.is_none() => Step::Obtain,
            Grant::None => return None,
        };
        // Only what is held can be revoked.
        let held = |field: &Field| match field {
            Field::AccessToken | Field::AnyToken | Field::RefreshToken => self.value(*field).is_some(),
            _ => true,
        };
        let endpoint = self.endpoint(step)?;
        endpoint.fields.iter().all(|(_, field)| held(field)).then_some(step)
    }

    const fn endpoint(&self, step: Step) -> Option<Endpoint> {
        match step {
            Step::Obtain => self.config.dialect.obtain,
            Step::Exchange => self.config.dialect.exchange,
            Step::Refresh => self.config.dialect.refresh,
            Step::Revoke => self.config.dialect.revoke,
        }
    }

    fn value(&self, field: Field) -> Option<&str> {
        let access = Some(self.access.as_str()).filter(|token| !token.is_empty());
        let grant = |grant| (self.grant == grant).then(|| self.bought_with.as_str());
        match field {
            Field::Text(text) => Some(text),
            Field::ClientId => Some(self.config.credentials.id()),
            Field::ClientSecret => self.config.credentials.secret(),
            Field::Scope => self.config.scope,
            Field::Code => grant(Grant::Code),
            Field::CodeVerifier => self.authorization.as_ref().map(|begun| begun.verifier.as_str()),
            Field::RedirectUri => self.config.redirect_uri,
            Field::RefreshToken => grant(Grant::Refresh),
            Field::AccessToken => access,
            Field::AnyToken => grant(Grant::Refresh).or(access),
        }
    }

    /// The request that is out, if it is this one.
    fn outstanding(&self, pending: &Pending) -> Result<(Step, u64), TokenError> {
        match self.phase {
            Phase::Outstanding { step, since } if pending.serial == self.serial => Ok((step, since)),
            _ => Err(TokenError::WrongTurn),
        }
    }
}

/// Prints where it stands, and no token.
impl<const TOKEN: usize> fmt::Debug for Lifecycle<'_, TOKEN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("phase", &self.phase)
            .field("has_access", &!self.access.is_empty())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

format_as! {
    [const TOKEN: usize] Lifecycle<'_, TOKEN>,
    tokens => "Lifecycle {{ phase: {}, has_access: {} }}", tokens.phase, !tokens.access.is_empty()
}

#[cfg(test)]
mod tests;
