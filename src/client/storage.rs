//! Whether a client keeps its session when the power goes: in a [`Vault`], or not at all.

use crate::codec::BufferTooSmall;
use crate::crypto::{Provider, StorableKeys};
use crate::session::{Now, Owner, Session, SessionStorage, Vault};

/// The client's session is in memory, and nowhere else.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoStorage;

/// A vault with keys of `P`.
pub(super) type VaultOf<P, D> = Vault<<P as Provider>::TrafficKey, D>;

/// What keeps sessions: [`NoStorage`] or a [`Vault`]. What the storage fails in is noted and costs a handshake, no request.
pub trait Keeper<P: Provider> {
    /// Whether it keeps anything.
    const KEEPS: bool;

    /// Whether it may have a session that was not asked for yet.
    fn may_have(&self) -> bool;

    /// Loads the session, where there is one.
    ///
    /// # Errors
    /// [`BufferTooSmall`]: nothing has changed.
    fn load<const TOKEN: usize>(
        &mut self,
        provider: &mut P,
        owner: &Owner<'_>,
        now: Now,
        place: &mut Option<Session<P, TOKEN>>,
        buffer: &mut [u8],
    ) -> Result<(), BufferTooSmall>;

    /// Reserves counters for a message of `len` bytes and others.
    ///
    /// # Errors
    /// [`BufferTooSmall`]: nothing has changed.
    fn reserve<const TOKEN: usize>(
        &mut self,
        provider: &mut P,
        owner: &Owner<'_>,
        session: &mut Session<P, TOKEN>,
        now: Now,
        len: usize,
        buffer: &mut [u8],
    ) -> Result<(), BufferTooSmall>;
}

impl<P: Provider> Keeper<P> for NoStorage {
    const KEEPS: bool = false;

    fn may_have(&self) -> bool {
        false
    }
    fn load<const TOKEN: usize>(
        &mut self,
        _: &mut P,
        _: &Owner<'_>,
        _: Now,
        _: &mut Option<Session<P, TOKEN>>,
        _: &mut [u8],
    ) -> Result<(), BufferTooSmall> {
        Ok(())
    }
    fn reserve<const TOKEN: usize>(
        &mut self,
        _: &mut P,
        _: &Owner<'_>,
        _: &mut Session<P, TOKEN>,
        _: Now,
        _: usize,
        _: &mut [u8],
    ) -> Result<(), BufferTooSmall> {
        Ok(())
    }
}

impl<P: StorableKeys, D: SessionStorage> Keeper<P> for Vault<P::TrafficKey, D> {
    const KEEPS: bool = true;

    fn may_have(&self) -> bool {
        !self.was_asked()
    }
    fn load<const TOKEN: usize>(
        &mut self,
        provider: &mut P,
        owner: &Owner<'_>,
        now: Now,
        place: &mut Option<Session<P, TOKEN>>,
        buffer: &mut [u8],
    ) -> Result<(), BufferTooSmall> {
        let outcome = Self::load(self, provider, owner, now, place, buffer);
        self.note(outcome)
    }
    fn reserve<const TOKEN: usize>(
        &mut self,
        provider: &mut P,
        owner: &Owner<'_>,
        session: &mut Session<P, TOKEN>,
        now: Now,
        len: usize,
        buffer: &mut [u8],
    ) -> Result<(), BufferTooSmall> {
        let outcome = Self::reserve(self, provider, owner, session, now, len, buffer);
        self.note(outcome)
    }
}
