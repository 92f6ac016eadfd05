//! What an answer leads to.

use super::{Generation, Grant, Lifecycle, NEVER, Phase, Step};
use crate::log::debug;
use crate::session::Now;
use crate::token::TokenError;
use crate::token::answer::{Issued, meaning};
use crate::token::dialect::Meaning;
use crate::token::need::Stop;

impl<const TOKEN: usize> Lifecycle<'_, TOKEN> {
    /// Takes a token that was issued for a request which left `since` then: all of it is checked before any of it is taken.
    pub(super) fn issued(
        &mut self,
        step: Step,
        since: u64,
        random: u32,
        body: &[u8],
    ) -> Result<(), TokenError> {
        let issued = Issued::read(&self.config.dialect.answer, body, TOKEN)?;
        // The refresh token counts even where the access token has ended on its way: the old one may be used up.
        if let Some(refresh) = issued.refresh.filter(|_| self.config.dialect.refresh.is_some()) {
            self.bought_with.set(refresh.bytes()).ok_or(TokenError::Malformed)?;
            self.grant = Grant::Refresh;
        } else if step != Step::Refresh {
            self.forget_grant();
        }
        self.authorization = None;
        let lifetime = issued.expires_in.map(|seconds| seconds.saturating_mul(1_000));
        let ends = lifetime.map_or(NEVER, |lifetime| since.saturating_add(lifetime));
        let at = self.clock.at(Now::UNKNOWN);
        self.access.clear();
        if at >= ends {
            return Err(TokenError::Expired);
        }
        self.access.set(issued.access.bytes()).ok_or(TokenError::Malformed)?;
        self.generation = Generation(self.generation.0.wrapping_add(1));
        self.ends = ends;
        self.renews = lifetime
            .map_or(NEVER, |lifetime| since.saturating_add(self.config.policy.renewal(lifetime, random)));
        self.suspect = core::mem::take(&mut self.doubted);
        self.failures = 0;
        self.phase = Phase::Ready;
        Ok(())
    }

    /// Takes an answer without a token. Where it is to come again later, the phase is left to the caller.
    pub(super) fn refused(&mut self, step: Step, status: u16, body: &[u8]) -> TokenError {
        match (meaning(self.config.dialect, status, body), step) {
            (None | Some(Meaning::Later), _) => return TokenError::Later { status },
            // It was given back, as far as this end can tell.
            (_, Step::Revoke) => {
                self.stop(Stop::Revoked);
            }
            (Some(Meaning::Suspended), _) => {
                self.stop(Stop::Suspended);
            }
            (Some(Meaning::Refused), Step::Obtain) => {
                self.stop(Stop::Refused);
            }
            // Another grant is tried: the credentials, or the user.
            (Some(Meaning::Refused), Step::Exchange | Step::Refresh) => {
                self.forget_grant();
                self.authorization = None;
                self.phase = Phase::Ready;
            }
        }
        TokenError::Refused { status }
    }

    pub(super) fn back_off(&mut self, random: u32, retry_after: u64) {
        let wait = self.config.policy.back_off(self.failures, random, retry_after);
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::BackOff { until: self.clock.at(Now::UNKNOWN).saturating_add(wait) };
    }

    pub(super) fn stop(&mut self, stop: Stop) -> Stop {
        debug!("token: {}", stop);
        self.erase();
        self.phase = Phase::Stopped(stop);
        stop
    }

    pub(super) fn erase(&mut self) {
        self.access.clear();
        self.suspect = false;
        self.forget_grant();
        self.authorization = None;
    }

    pub(super) fn forget_grant(&mut self) {
        self.bought_with.clear();
        self.grant = Grant::None;
    }
}
