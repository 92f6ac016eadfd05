//! Sessions in memory: the [`SessionStore`] of a server with threads.
//!
//! Two levels of locks, both held for map operations only and never across cryptography: a shard's for finding and ending
//! sessions, and each session's own for the nonces it has seen. A session's keys never change, so requests open and seal
//! through a counted pointer without a lock.
//!
//! Sessions keep raw keys ([`RawKey`](dynamic_key::crypto::software::RawKey)), expanded at each use: 416 bytes. Expanded ones
//! would take 1152, and save some 0.1 µs for each seal and open of a request that costs about 90 with its system calls.

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Verified;
use dynamic_key::gateway::sessions::{HALF_OPEN_MILLIS, REMEMBERED_MILLIS};
use dynamic_key::gateway::{SessionStore, StoreError};
use dynamic_key::nonce::{WireNonce, limit};
use dynamic_key::replay::Window;
use dynamic_key::session::{Mode, ServerSession};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::Software;

/// How many locks the sessions are spread over.
const SHARDS: usize = 64;

/// Sessions in memory. `&MemoryStore` is the [`SessionStore`].
pub(crate) struct MemoryStore {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    /// Sessions that live or are remembered.
    held: AtomicUsize,
    capacity: usize,
    half_open: Arc<AtomicUsize>,
    max_half_open: usize,
}

/// A live session: a request holds one while it is in flight.
pub(crate) struct Entry {
    session: ServerSession<Software>,
    nonces: Mutex<Nonces>,
}

/// One of the half-open sessions that there may be: given back when it is dropped.
struct HalfOpen(Arc<AtomicUsize>);

impl Drop for HalfOpen {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("held", &self.held()).field("capacity", &self.capacity).finish()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

/// What of a session changes.
struct Nonces {
    seen: Seen,
    /// AES blocks sealed with the response key.
    blocks: u64,
    /// Until the client's identity, which it claims, is proven.
    half_open: Option<HalfOpen>,
}

enum Seen {
    /// 1024 counters.
    Counters(Window<32>),
    /// Every nonce of a plain session.
    Exact(HashSet<WireNonce>),
    /// The session was ended: nothing is committed any more.
    Over(StoreError),
}

#[derive(Default)]
struct Shard {
    slots: HashMap<Box<str>, Slot>,
    /// The live ones in the order of their ends, which is that of their beginnings: all last equally long.
    ending: VecDeque<Weak<Entry>>,
    /// Those that began half-open, in the order of their beginnings.
    opening: VecDeque<(Timestamp, Weak<Entry>)>,
    /// The remembered ones in the order in which they ended.
    ended: VecDeque<(Timestamp, Box<str>)>,
}

enum Slot {
    Live(Arc<Entry>),
    Ended,
}

impl MemoryStore {
    /// An empty store for `capacity` sessions, of which `max_half_open` may be half-open at once.
    pub(crate) fn new(capacity: usize, max_half_open: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            held: AtomicUsize::new(0),
            capacity,
            half_open: Arc::default(),
            max_half_open,
        }
    }

    /// How many sessions live or are remembered.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Ends what has ended at `now`, so that its keys are erased, and forgets what has been remembered long enough.
    pub(crate) fn sweep(&self, now: Timestamp) {
        for shard in &self.shards {
            if let Ok(mut shard) = shard.lock() {
                shard.tidy(now, &self.held);
            }
        }
    }

    /// The shard of a session, tidied. A poisoned one has lost track of what it has seen: it serves nothing.
    fn shard(&self, id: &str, now: Timestamp) -> Result<MutexGuard<'_, Shard>, StoreError> {
        let shard = self.shards.get(self.place(id)).ok_or(StoreError::Unavailable)?;
        let mut shard = shard.lock().map_err(|_| StoreError::Unavailable)?;
        shard.tidy(now, &self.held);
        Ok(shard)
    }

    fn place(&self, id: &str) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "any part of a hash will do")]
        let hash = self.hasher.hash_one(id) as usize;
        hash % SHARDS
    }

    /// Makes room for one more: a place that is free, or that of a session which has ended.
    fn reserve(&self, now: Timestamp) -> Result<(), StoreError> {
        let take = || {
            let more = |held: usize| held.checked_add(1).filter(|held| *held <= self.capacity);
            self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
        };
        if take() {
            return Ok(());
        }
        for shard in &self.shards {
            let mut shard = shard.lock().map_err(|_| StoreError::Unavailable)?;
            shard.tidy(now, &self.held);
            if shard.forget_oldest() {
                return Ok(());
            }
        }
        if take() { Ok(()) } else { Err(StoreError::Unavailable) }
    }

    /// Takes one of the places for half-open sessions.
    fn reserve_half_open(&self) -> Result<HalfOpen, StoreError> {
        let more = |count: usize| count.checked_add(1).filter(|count| *count <= self.max_half_open);
        match self.half_open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(HalfOpen(Arc::clone(&self.half_open))),
            Err(_) => Err(StoreError::Unavailable),
        }
    }

    /// Ends the session behind `entry` because it may carry no more: INVALID_SESSION on the wire, so it is not remembered.
    fn exhausted(&self, entry: &Entry) {
        let id = entry.session.id();
        if let Some(Ok(mut shard)) = self.shards.get(self.place(id)).map(Mutex::lock)
            && matches!(shard.slots.get(id), Some(Slot::Live(_)))
        {
            shard.slots.remove(id);
            self.held.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Shard {
    fn tidy(&mut self, now: Timestamp, held: &AtomicUsize) {
        while let Some(first) = self.ending.front() {
            match first.upgrade() {
                Some(entry) if entry.session.ends() > now => break,
                Some(entry) => self.end(entry.session.id(), entry.session.ends()),
                None => {}
            }
            self.ending.pop_front();
        }
        while let Some((since, entry)) = self.opening.front()
            && now >= since.saturating_add_millis(HALF_OPEN_MILLIS)
        {
            // Unknown on the wire, so it is not remembered.
            if let Some(entry) = entry.upgrade()
                && entry.is_half_open() == Ok(true)
                && matches!(self.slots.get(entry.session.id()), Some(Slot::Live(_)))
            {
                entry.close(StoreError::Unknown);
                self.slots.remove(entry.session.id());
                held.fetch_sub(1, Ordering::Relaxed);
            }
            self.opening.pop_front();
        }
        while let Some((at, id)) = self.ended.front()
            && now >= at.saturating_add_millis(REMEMBERED_MILLIS)
        {
            self.slots.remove(id);
            self.ended.pop_front();
            held.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Turns a live session into a remembered one. Its keys go with the last request in flight.
    fn end(&mut self, id: &str, at: Timestamp) {
        if let Some(slot) = self.slots.get_mut(id)
            && let Slot::Live(entry) = slot
        {
            entry.close(StoreError::Ended);
            self.ended.push_back((at, id.into()));
            *slot = Slot::Ended;
        }
    }

    /// Gives away the place of the session that ended first, if there is one.
    fn forget_oldest(&mut self) -> bool {
        self.ended.pop_front().is_some_and(|(_, id)| self.slots.remove(&id).is_some())
    }
}

impl Entry {
    fn nonces(&self) -> Result<MutexGuard<'_, Nonces>, StoreError> {
        self.nonces.lock().map_err(|_| StoreError::Unavailable)
    }

    fn is_half_open(&self) -> Result<bool, StoreError> {
        Ok(self.nonces()?.half_open.is_some())
    }

    fn close(&self, why: StoreError) {
        if let Ok(mut nonces) = self.nonces.lock() {
            nonces.seen = Seen::Over(why);
            nonces.half_open = None;
        }
    }
}

impl Nonces {
    fn new(mode: Mode, half_open: Option<HalfOpen>) -> Self {
        let seen = match mode {
            Mode::Plain => Seen::Exact(HashSet::new()),
            _ => Seen::Counters(Window::new()),
        };
        Self { seen, blocks: 0, half_open }
    }

    /// Check and commit: the caller holds the lock.
    fn commit(&mut self, nonce: WireNonce) -> Result<(), StoreError> {
        match &mut self.seen {
            Seen::Counters(window) => window.commit(nonce.counter()).map_err(|_| StoreError::Replayed),
            Seen::Exact(seen) if seen.contains(&nonce) => Err(StoreError::Replayed),
            Seen::Exact(seen) if seen.len() as u64 >= limit::PLAIN_REQUESTS => Err(self.exhaust()),
            Seen::Exact(seen) => {
                seen.insert(nonce);
                Ok(())
            }
            Seen::Over(why) => Err(*why),
        }
    }

    fn charge(&mut self, blocks: u64) -> Result<(), StoreError> {
        self.blocks = self.blocks.saturating_add(blocks);
        if self.blocks > limit::BLOCKS { Err(self.exhaust()) } else { Ok(()) }
    }

    fn exhaust(&mut self) -> StoreError {
        self.seen = Seen::Over(StoreError::Exhausted);
        StoreError::Exhausted
    }
}

impl SessionStore<Software> for &MemoryStore {
    type Handle = Arc<Entry>;

    fn find(&mut self, id: &str, now: Timestamp) -> Result<Arc<Entry>, StoreError> {
        let mut shard = self.shard(id, now)?;
        match shard.slots.get(id) {
            // The queue knows only the first that ends; a clock that steps back may have put another there.
            Some(Slot::Live(entry)) if now >= entry.session.ends() => {
                let ends = entry.session.ends();
                shard.end(id, ends);
                Err(StoreError::Ended)
            }
            Some(Slot::Live(entry)) => Ok(Arc::clone(entry)),
            Some(Slot::Ended) => Err(StoreError::Ended),
            None => Err(StoreError::Unknown),
        }
    }

    fn session<'s>(&'s self, entry: &'s Arc<Entry>) -> Option<&'s ServerSession<Software>> {
        Some(&entry.session)
    }

    fn insert(&mut self, session: ServerSession<Software>, now: Timestamp) -> Result<(), StoreError> {
        let half_open = session.claimed().map(|_| self.reserve_half_open()).transpose()?;
        let opens_later = half_open.is_some();
        self.reserve(now)?;
        let nonces = Mutex::new(Nonces::new(session.mode(), half_open));
        let entry = Arc::new(Entry { session, nonces });
        let inserted = self.shard(entry.session.id(), now).map(|mut shard| {
            shard.ending.push_back(Arc::downgrade(&entry));
            if opens_later {
                shard.opening.push_back((now, Arc::downgrade(&entry)));
            }
            shard.slots.insert(entry.session.id().into(), Slot::Live(entry)).is_none()
        });
        // A poisoned shard, or an id of 256 random bits that was there before: the place is given back.
        if !matches!(inserted, Ok(true)) {
            self.held.fetch_sub(1, Ordering::Relaxed);
        }
        inserted.map(drop)
    }

    fn commit(&mut self, entry: &Arc<Entry>, nonce: WireNonce) -> Result<(), StoreError> {
        let outcome = entry.nonces()?.commit(nonce);
        if outcome == Err(StoreError::Exhausted) {
            self.exhausted(entry);
        }
        outcome
    }

    fn charge(&mut self, entry: &Arc<Entry>, blocks: u64) -> Result<(), StoreError> {
        let outcome = entry.nonces()?.charge(blocks);
        if outcome == Err(StoreError::Exhausted) {
            self.exhausted(entry);
        }
        outcome
    }

    fn is_half_open(&self, entry: &Arc<Entry>) -> Result<bool, StoreError> {
        entry.is_half_open()
    }

    fn prove(&mut self, entry: &Arc<Entry>, _: Verified) -> Result<(), StoreError> {
        let mut nonces = entry.nonces()?;
        match nonces.seen {
            Seen::Over(why) => Err(why),
            _ => {
                nonces.half_open = None;
                Ok(())
            }
        }
    }

    fn end(&mut self, id: &str, now: Timestamp) {
        if let Ok(mut shard) = self.shard(id, now) {
            shard.end(id, now);
        }
    }
}

#[cfg(test)]
mod tests;
