//! Where a gateway keeps its sessions: the [`SessionStore`], and one of fixed capacity without a heap.

use crate::codec::timestamp::Timestamp;
use crate::crypto::{Provider, Verified};
use crate::log::format_as;
use crate::nonce::{WireNonce, limit};
use crate::replay::{NonceSet, NonceSetError, Window};
use crate::session::{Mode, ServerSession, SessionId};
use core::fmt;

/// How long an ended session is remembered, so that its requests are told SESSION_EXPIRED: ten minutes (§2.4).
pub const REMEMBERED_MILLIS: u64 = 10 * 60 * 1000;

/// How long a session of mutual mode stays half-open, without a verified signature of its client: 30 s, and then it is
/// unknown (§2.3).
pub const HALF_OPEN_MILLIS: u64 = 30 * 1000;

/// Why a store does not give a session, or takes no nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StoreError {
    /// No session has this id.
    Unknown,
    /// The session has ended, not long ago.
    Ended,
    /// The nonce was committed before, or is too old to tell.
    Replayed,
    /// The session may not carry another message; it has been ended.
    Exhausted,
    /// The store cannot answer, or is full: nothing is served unchecked.
    Unavailable,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no session has this id",
            Self::Ended => "the session has ended",
            Self::Replayed => "the nonce was seen before",
            Self::Exhausted => "the session is exhausted",
            Self::Unavailable => "the session store is unavailable",
        })
    }
}

impl core::error::Error for StoreError {}

/// The sessions of a gateway, and which nonces each has seen.
///
/// A session's keys and facts never change, so they are read through a handle, without a lock. What changes is behind
/// [`SessionStore::commit`] and [`SessionStore::charge`], each one atomic step.
pub trait SessionStore<P: Provider> {
    /// Keeps a session readable for as long as it is held, as far as the store can: a counted pointer, or a slot.
    type Handle;

    /// The session with this id. One whose end has come at `now` has ended; one that has been half-open for
    /// [`HALF_OPEN_MILLIS`] is unknown.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Ended`], [`StoreError::Unavailable`].
    fn find(&mut self, id: &str, now: Timestamp) -> Result<Self::Handle, StoreError>;

    /// The session behind a handle; `None` once the store has given its place away.
    fn session<'s>(&'s self, handle: &'s Self::Handle) -> Option<&'s ServerSession<P>>;

    /// Stores a new session, evicting none that lives. One that [claims](ServerSession::claimed) an identity begins
    /// half-open; how many may be so at once is bounded.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store is full, has its fill of half-open sessions, or cannot answer.
    fn insert(&mut self, session: ServerSession<P>, now: Timestamp) -> Result<(), StoreError>;

    /// Checks that the request with this nonce, which has been authenticated, is not a replay, and remembers it: one
    /// atomic step. Of two that race with one nonce exactly one succeeds.
    ///
    /// # Errors
    /// [`StoreError::Replayed`], and nothing has changed. [`StoreError::Exhausted`] when an exact set is full: the session
    /// has been ended. [`StoreError::Ended`], [`StoreError::Unavailable`].
    fn commit(&mut self, handle: &Self::Handle, nonce: WireNonce) -> Result<(), StoreError>;

    /// Counts AES blocks that are about to be sealed with the session's response key.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`] past [`limit::BLOCKS`]: the session has been ended. [`StoreError::Unavailable`].
    fn charge(&mut self, handle: &Self::Handle, blocks: u64) -> Result<(), StoreError>;

    /// Whether the session is half-open: its client's identity is claimed and not proven yet.
    ///
    /// # Errors
    /// [`StoreError::Ended`], [`StoreError::Unavailable`].
    fn is_half_open(&self, handle: &Self::Handle) -> Result<bool, StoreError>;

    /// Remembers that the client's signature was verified, of which `proof` is the evidence: the session is open.
    ///
    /// # Errors
    /// [`StoreError::Ended`], [`StoreError::Unavailable`].
    fn prove(&mut self, handle: &Self::Handle, proof: Verified) -> Result<(), StoreError>;

    /// Ends a session. It is remembered for [`REMEMBERED_MILLIS`]. An unknown id is none.
    fn end(&mut self, id: &str, now: Timestamp);
}

/// The nonces that one session has seen, and the blocks it has sealed.
///
/// `WINDOW` × 32 is the width of the sliding window, `PLAIN` the capacity of plain mode's exact set.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Replay<const WINDOW: usize, const PLAIN: usize> {
    seen: Seen<WINDOW, PLAIN>,
    blocks: u64,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Seen<const WINDOW: usize, const PLAIN: usize> {
    Counters(Window<WINDOW>),
    Nonces(NonceSet<PLAIN>),
}

impl<const WINDOW: usize, const PLAIN: usize> Replay<WINDOW, PLAIN> {
    /// Nothing seen yet.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        let seen = match mode {
            Mode::Plain => Seen::Nonces(NonceSet::new()),
            _ => Seen::Counters(Window::new()),
        };
        Self { seen, blocks: 0 }
    }

    /// Checks and remembers the nonce of an authenticated request.
    ///
    /// # Errors
    /// [`StoreError::Replayed`]; [`StoreError::Exhausted`] when the exact set is full.
    pub fn commit(&mut self, nonce: WireNonce) -> Result<(), StoreError> {
        match &mut self.seen {
            Seen::Counters(window) => window.commit(nonce.counter()).map_err(|_| StoreError::Replayed),
            Seen::Nonces(set) => set.commit(nonce.as_bytes()).map_err(|error| match error {
                NonceSetError::Replayed => StoreError::Replayed,
                NonceSetError::Full => StoreError::Exhausted,
            }),
        }
    }

    /// Counts blocks that are about to be sealed.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`] past [`limit::BLOCKS`].
    pub fn charge(&mut self, blocks: u64) -> Result<(), StoreError> {
        let sum = self.blocks.saturating_add(blocks);
        if sum > limit::BLOCKS {
            return Err(StoreError::Exhausted);
        }
        self.blocks = sum;
        Ok(())
    }
}

/// A store of `SESSIONS` sessions in place: for a gateway on a small device. Windows are `WINDOW` × 32 counters wide,
/// and a plain session takes `PLAIN` requests.
pub struct FixedStore<P: Provider, const SESSIONS: usize, const WINDOW: usize = 2, const PLAIN: usize = 0> {
    slots: [Slot<P, WINDOW, PLAIN>; SESSIONS],
    /// How many sessions have been inserted: tells a slot's tenants apart.
    inserted: u64,
    /// How many may be half-open at once.
    max_half_open: usize,
}

#[expect(clippy::large_enum_variant, reason = "sessions stand in place: there is no heap")]
enum Slot<P: Provider, const WINDOW: usize, const PLAIN: usize> {
    Free,
    Live {
        session: ServerSession<P>,
        replay: Replay<WINDOW, PLAIN>,
        number: u64,
        half_open: Option<Timestamp>,
    },
    Ended {
        id: SessionId,
        at: Timestamp,
    },
}

/// Names a session of a [`FixedStore`]: its slot, and which of the slot's tenants it is.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SlotHandle {
    slot: usize,
    number: u64,
}

impl<P: Provider, const SESSIONS: usize, const WINDOW: usize, const PLAIN: usize>
    FixedStore<P, SESSIONS, WINDOW, PLAIN>
{
    /// A store without sessions, of which half may be half-open at once.
    #[must_use]
    pub fn new() -> Self {
        Self::with_half_open(SESSIONS.div_ceil(2))
    }

    /// A store without sessions, of which `max` may be half-open at once: none refuses mutual mode.
    #[must_use]
    pub fn with_half_open(max: usize) -> Self {
        Self { slots: [const { Slot::Free }; SESSIONS], inserted: 0, max_half_open: max }
    }

    /// How many sessions live, or have expired unnoticed.
    fn live(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot, Slot::Live { .. })).count()
    }

    /// Ends what has expired and forgets what has ended long ago.
    fn tidy(&mut self, now: Timestamp) {
        for slot in &mut self.slots {
            match slot {
                Slot::Live { session, .. } if now >= session.ends() => {
                    *slot = Slot::Ended { id: session.id.clone(), at: session.ends() };
                }
                Slot::Live { half_open: Some(since), .. }
                    if now >= since.saturating_add_millis(HALF_OPEN_MILLIS) =>
                {
                    *slot = Slot::Free;
                }
                _ => {}
            }
            if let Slot::Ended { at, .. } = slot
                && now >= at.saturating_add_millis(REMEMBERED_MILLIS)
            {
                *slot = Slot::Free;
            }
        }
    }

    fn replay(&mut self, handle: &SlotHandle) -> Result<&mut Replay<WINDOW, PLAIN>, StoreError> {
        match self.slots.get_mut(handle.slot) {
            Some(Slot::Live { replay, number, .. }) if *number == handle.number => Ok(replay),
            _ => Err(StoreError::Ended),
        }
    }

    /// Ends the session behind `handle` if the outcome says that it is exhausted.
    fn settle(&mut self, handle: &SlotHandle, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        if outcome == Err(StoreError::Exhausted)
            && let Some(slot) = self.slots.get_mut(handle.slot)
        {
            // Exhausted is INVALID_SESSION on the wire (§2.6), so it is not remembered as expired.
            *slot = Slot::Free;
        }
        outcome
    }
}

impl<P: Provider, const SESSIONS: usize, const WINDOW: usize, const PLAIN: usize> Default
    for FixedStore<P, SESSIONS, WINDOW, PLAIN>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Provider, const SESSIONS: usize, const WINDOW: usize, const PLAIN: usize> fmt::Debug
    for FixedStore<P, SESSIONS, WINDOW, PLAIN>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedStore").field("live", &self.live()).finish_non_exhaustive()
    }
}

format_as! { [P: Provider, const SESSIONS: usize, const WINDOW: usize, const PLAIN: usize] FixedStore<P, SESSIONS, WINDOW, PLAIN>, store => "FixedStore {{ live: {} }}", store.live() }

impl<P: Provider, const SESSIONS: usize, const WINDOW: usize, const PLAIN: usize> SessionStore<P>
    for FixedStore<P, SESSIONS, WINDOW, PLAIN>
{
    type Handle = SlotHandle;

    fn find(&mut self, id: &str, now: Timestamp) -> Result<SlotHandle, StoreError> {
        self.tidy(now);
        for (place, slot) in self.slots.iter().enumerate() {
            match slot {
                Slot::Live { session, number, .. } if session.id() == id => {
                    return Ok(SlotHandle { slot: place, number: *number });
                }
                Slot::Ended { id: ended, .. } if ended == id => return Err(StoreError::Ended),
                _ => {}
            }
        }
        Err(StoreError::Unknown)
    }

    fn session<'s>(&'s self, handle: &'s SlotHandle) -> Option<&'s ServerSession<P>> {
        match self.slots.get(handle.slot)? {
            Slot::Live { session, number, .. } if *number == handle.number => Some(session),
            _ => None,
        }
    }

    fn insert(&mut self, session: ServerSession<P>, now: Timestamp) -> Result<(), StoreError> {
        self.tidy(now);
        let half_open = session.claimed().map(|_| now);
        let is_half_open =
            |slot: &&Slot<P, WINDOW, PLAIN>| matches!(slot, Slot::Live { half_open: Some(_), .. });
        if half_open.is_some() && self.slots.iter().filter(is_half_open).count() >= self.max_half_open {
            return Err(StoreError::Unavailable);
        }
        // A free slot, or that of the session which ended first.
        let ended_at = |slot: &Slot<P, WINDOW, PLAIN>| match slot {
            Slot::Free => Some(Timestamp::from_unix_millis(0)),
            Slot::Ended { at, .. } => Some(*at),
            Slot::Live { .. } => None,
        };
        let slots = self.slots.iter_mut().filter_map(|slot| Some((ended_at(slot)?, slot)));
        let (_, slot) = slots.min_by_key(|(at, _)| *at).ok_or(StoreError::Unavailable)?;
        self.inserted = self.inserted.saturating_add(1);
        let replay = Replay::new(session.mode());
        *slot = Slot::Live { session, replay, number: self.inserted, half_open };
        Ok(())
    }

    fn commit(&mut self, handle: &SlotHandle, nonce: WireNonce) -> Result<(), StoreError> {
        let outcome = self.replay(handle)?.commit(nonce);
        self.settle(handle, outcome)
    }

    fn charge(&mut self, handle: &SlotHandle, blocks: u64) -> Result<(), StoreError> {
        let outcome = self.replay(handle)?.charge(blocks);
        self.settle(handle, outcome)
    }

    fn is_half_open(&self, handle: &SlotHandle) -> Result<bool, StoreError> {
        match self.slots.get(handle.slot) {
            Some(Slot::Live { half_open, number, .. }) if *number == handle.number => Ok(half_open.is_some()),
            _ => Err(StoreError::Ended),
        }
    }

    fn prove(&mut self, handle: &SlotHandle, _: Verified) -> Result<(), StoreError> {
        match self.slots.get_mut(handle.slot) {
            Some(Slot::Live { half_open, number, .. }) if *number == handle.number => {
                *half_open = None;
                Ok(())
            }
            _ => Err(StoreError::Ended),
        }
    }

    fn end(&mut self, id: &str, now: Timestamp) {
        for slot in &mut self.slots {
            if let Slot::Live { session, .. } = slot
                && session.id() == id
            {
                *slot = Slot::Ended { id: session.id.clone(), at: now };
            }
        }
    }
}
