//! Agreements in memory: the [`AgreementStore`] of a server with threads.
//!
//! As with sessions, locks are held for map operations only: one for finding agreements, and each agreement's own for the
//! counters that it has seen and given out.

use crate::Software;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::gateway::agreements::FieldRecord;
use dynamic_key::gateway::{AgreementStore, StoreError};
use dynamic_key::session::{FieldCounters, ServerAgreement};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// Agreements in memory. `&MemoryAgreements` is the [`AgreementStore`].
pub(crate) struct MemoryAgreements {
    held: Mutex<Held>,
    capacity: usize,
}

/// An agreement: a call holds one while it is in flight.
pub(crate) struct Entry {
    agreement: ServerAgreement<Software>,
    /// 1024 counters wide.
    record: Mutex<FieldRecord<32>>,
}

#[derive(Default)]
struct Held {
    entries: HashMap<Box<str>, Arc<Entry>>,
    /// In the order of their ends, which is that of their beginnings: all last equally long.
    ending: VecDeque<(Timestamp, Box<str>)>,
}

impl Held {
    fn tidy(&mut self, now: Timestamp) {
        while let Some((ends, id)) = self.ending.front()
            && now >= *ends
        {
            self.entries.remove(id);
            self.ending.pop_front();
        }
    }
}

impl fmt::Debug for MemoryAgreements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryAgreements").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

impl MemoryAgreements {
    /// An empty store for `capacity` agreements.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { held: Mutex::default(), capacity }
    }

    /// Forgets what has ended at `now`, so that its keys are erased.
    pub(crate) fn sweep(&self, now: Timestamp) {
        if let Ok(mut held) = self.held.lock() {
            held.tidy(now);
        }
    }

    /// A poisoned store has lost track of what it holds: it serves nothing.
    fn held(&self, now: Timestamp) -> Result<MutexGuard<'_, Held>, StoreError> {
        let mut held = self.held.lock().map_err(|_| StoreError::Unavailable)?;
        held.tidy(now);
        Ok(held)
    }
}

impl AgreementStore<Software> for &MemoryAgreements {
    type Handle = Arc<Entry>;

    fn find(&mut self, id: &str, now: Timestamp) -> Result<Arc<Entry>, StoreError> {
        let held = self.held(now)?;
        // The queue knows only the first that ends; a clock that steps back may have put another there.
        let live = held.entries.get(id).filter(|entry| now < entry.agreement.ends());
        live.cloned().ok_or(StoreError::Unknown)
    }

    fn agreement<'s>(&'s self, entry: &'s Arc<Entry>) -> Option<&'s ServerAgreement<Software>> {
        Some(&entry.agreement)
    }

    fn insert(&mut self, agreement: ServerAgreement<Software>, now: Timestamp) -> Result<(), StoreError> {
        let mut held = self.held(now)?;
        if held.entries.len() >= self.capacity || held.entries.contains_key(agreement.id()) {
            return Err(StoreError::Unavailable);
        }
        held.ending.push_back((agreement.ends(), agreement.id().into()));
        let id = agreement.id().into();
        held.entries.insert(id, Arc::new(Entry { agreement, record: Mutex::new(FieldRecord::new()) }));
        Ok(())
    }

    fn commit(&mut self, entry: &Arc<Entry>, counters: &[u64]) -> Result<(), StoreError> {
        entry.record.lock().map_err(|_| StoreError::Unavailable)?.commit(counters)
    }

    fn reserve(&mut self, entry: &Arc<Entry>, fields: u32, blocks: u64) -> Result<FieldCounters, StoreError> {
        entry.record.lock().map_err(|_| StoreError::Unavailable)?.reserve(fields, blocks)
    }

    fn end(&mut self, id: &str) {
        if let Ok(mut held) = self.held.lock() {
            held.entries.remove(id);
        }
    }
}
