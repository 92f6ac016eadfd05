//! Where a gateway keeps the agreements of Key Agreement (§3): the [`AgreementStore`], and one of fixed capacity without a
//! heap.

use super::sessions::StoreError;
use crate::codec::timestamp::Timestamp;
use crate::crypto::Provider;
use crate::log::format_as;
use crate::nonce::limit;
use crate::replay::Window;
use crate::session::agreement::commit;
use crate::session::{FieldCounters, ServerAgreement};
use core::fmt;

/// The agreements of a gateway, and which counters each has seen and given out.
///
/// An agreement's keys and facts never change, so they are read through a handle, without a lock. What changes is behind
/// [`AgreementStore::commit`] and [`AgreementStore::reserve`], each one atomic step.
pub trait AgreementStore<P: Provider> {
    /// Keeps an agreement readable for as long as it is held, as far as the store can: a counted pointer, or a slot.
    type Handle;

    /// The agreement with this `client_reference_id`. One whose end has come at `now` is unknown.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Unavailable`].
    fn find(&mut self, id: &str, now: Timestamp) -> Result<Self::Handle, StoreError>;

    /// The agreement behind a handle; `None` once the store has given its place away.
    fn agreement<'s>(&'s self, handle: &'s Self::Handle) -> Option<&'s ServerAgreement<P>>;

    /// Stores a new agreement, evicting none that lives.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store is full, or cannot answer.
    fn insert(&mut self, agreement: ServerAgreement<P>, now: Timestamp) -> Result<(), StoreError>;

    /// Checks that none of these counters, which are those of the fields of one call and were authenticated, is a replay, and
    /// remembers them all: one atomic step. Of two calls that race with one counter exactly one succeeds.
    ///
    /// # Errors
    /// [`StoreError::Replayed`] when one of them is, and nothing has changed. [`StoreError::Ended`],
    /// [`StoreError::Unavailable`].
    fn commit(&mut self, handle: &Self::Handle, counters: &[u64]) -> Result<(), StoreError>;

    /// Gives out counters for `fields` fields of a response of `blocks` AES blocks ([`limit::blocks`] of each).
    ///
    /// # Errors
    /// [`StoreError::Exhausted`] past [`limit::MESSAGES`] or [`limit::BLOCKS`], and nothing has changed.
    /// [`StoreError::Ended`], [`StoreError::Unavailable`].
    fn reserve(
        &mut self,
        handle: &Self::Handle,
        fields: u32,
        blocks: u64,
    ) -> Result<FieldCounters, StoreError>;

    /// Ends an agreement: it is unknown from here on. An unknown id is none.
    fn end(&mut self, id: &str);
}

/// The counters that one agreement has seen and given out, and the blocks it has sealed. `WINDOW` × 32 is the width of the
/// sliding window.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldRecord<const WINDOW: usize> {
    seen: Window<WINDOW>,
    sealed: u64,
    blocks: u64,
}

impl<const WINDOW: usize> FieldRecord<WINDOW> {
    /// Nothing seen, nothing given out.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: Window::new(), sealed: 0, blocks: 0 }
    }

    /// Checks and remembers the counters of one call, all or none.
    ///
    /// # Errors
    /// [`StoreError::Replayed`], and nothing has changed.
    pub fn commit(&mut self, counters: &[u64]) -> Result<(), StoreError> {
        commit(&mut self.seen, counters).map_err(|_| StoreError::Replayed)
    }

    /// Gives out counters.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`] past [`limit::MESSAGES`] or [`limit::BLOCKS`], and nothing has changed.
    pub fn reserve(&mut self, fields: u32, blocks: u64) -> Result<FieldCounters, StoreError> {
        let (first, sealed) = (self.sealed, self.sealed.saturating_add(fields.into()));
        let blocks = self.blocks.saturating_add(blocks);
        if sealed > limit::MESSAGES || blocks > limit::BLOCKS {
            return Err(StoreError::Exhausted);
        }
        (self.sealed, self.blocks) = (sealed, blocks);
        Ok(FieldCounters::new(first, fields.into()))
    }
}

/// A store of `AGREEMENTS` agreements in place. Windows are `WINDOW` × 32 counters wide.
pub struct FixedAgreements<P: Provider, const AGREEMENTS: usize, const WINDOW: usize = 2> {
    slots: [Option<Slot<P, WINDOW>>; AGREEMENTS],
    /// How many have been inserted: tells a slot's tenants apart.
    inserted: u64,
}

struct Slot<P: Provider, const WINDOW: usize> {
    agreement: ServerAgreement<P>,
    record: FieldRecord<WINDOW>,
    number: u64,
}

/// Names an agreement of a [`FixedAgreements`]: its slot, and which of the slot's tenants it is.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AgreementHandle {
    slot: usize,
    number: u64,
}

impl<P: Provider, const AGREEMENTS: usize, const WINDOW: usize> FixedAgreements<P, AGREEMENTS, WINDOW> {
    /// A store without agreements.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: [const { None }; AGREEMENTS], inserted: 0 }
    }

    fn live(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    fn tidy(&mut self, now: Timestamp) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|slot| now >= slot.agreement.ends()) {
                *slot = None;
            }
        }
    }

    fn slot(&self, handle: &AgreementHandle) -> Option<&Slot<P, WINDOW>> {
        self.slots.get(handle.slot)?.as_ref().filter(|slot| slot.number == handle.number)
    }

    fn record(&mut self, handle: &AgreementHandle) -> Result<&mut FieldRecord<WINDOW>, StoreError> {
        let slot = self.slots.get_mut(handle.slot).and_then(Option::as_mut);
        let slot = slot.filter(|slot| slot.number == handle.number).ok_or(StoreError::Ended)?;
        Ok(&mut slot.record)
    }
}

impl<P: Provider, const AGREEMENTS: usize, const WINDOW: usize> Default
    for FixedAgreements<P, AGREEMENTS, WINDOW>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Provider, const AGREEMENTS: usize, const WINDOW: usize> fmt::Debug
    for FixedAgreements<P, AGREEMENTS, WINDOW>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedAgreements").field("live", &self.live()).finish_non_exhaustive()
    }
}

format_as! { [P: Provider, const AGREEMENTS: usize, const WINDOW: usize] FixedAgreements<P, AGREEMENTS, WINDOW>, store => "FixedAgreements {{ live: {} }}", store.live() }

impl<P: Provider, const AGREEMENTS: usize, const WINDOW: usize> AgreementStore<P>
    for FixedAgreements<P, AGREEMENTS, WINDOW>
{
    type Handle = AgreementHandle;

    fn find(&mut self, id: &str, now: Timestamp) -> Result<AgreementHandle, StoreError> {
        self.tidy(now);
        let mut slots = self.slots.iter().enumerate();
        let found = slots.find_map(|(place, slot)| {
            let slot = slot.as_ref().filter(|slot| slot.agreement.id() == id)?;
            Some(AgreementHandle { slot: place, number: slot.number })
        });
        found.ok_or(StoreError::Unknown)
    }

    fn agreement<'s>(&'s self, handle: &'s AgreementHandle) -> Option<&'s ServerAgreement<P>> {
        self.slot(handle).map(|slot| &slot.agreement)
    }

    fn insert(&mut self, agreement: ServerAgreement<P>, now: Timestamp) -> Result<(), StoreError> {
        self.tidy(now);
        let free = self.slots.iter_mut().find(|slot| slot.is_none()).ok_or(StoreError::Unavailable)?;
        self.inserted = self.inserted.saturating_add(1);
        *free = Some(Slot { agreement, record: FieldRecord::new(), number: self.inserted });
        Ok(())
    }

    fn commit(&mut self, handle: &AgreementHandle, counters: &[u64]) -> Result<(), StoreError> {
        self.record(handle)?.commit(counters)
    }

    fn reserve(
        &mut self,
        handle: &AgreementHandle,
        fields: u32,
        blocks: u64,
    ) -> Result<FieldCounters, StoreError> {
        self.record(handle)?.reserve(fields, blocks)
    }

    fn end(&mut self, id: &str) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|slot| slot.agreement.id() == id) {
                *slot = None;
            }
        }
    }
}
