//! What has happened of late, in memory: the most recent events of each customer.

use super::event::Event;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The events that are remembered.
pub(super) struct Recent {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The place of the last event.
    last: u64,
    /// By customer, oldest first.
    events: HashMap<Arc<str>, VecDeque<Arc<Event>>>,
}

/// Which events are asked for: those before `last` and behind `first`, of these kinds, at most `limit`.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) last: Option<u64>,
    pub(super) first: Option<u64>,
    pub(super) limit: usize,
    /// Names of kinds; none is all.
    pub(super) kinds: Vec<&'static str>,
}

impl Part {
    /// Whether an event is of one of the kinds that are asked for.
    pub(super) fn wants(&self, event: &Event) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&event.kind.name())
    }
}

impl Recent {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// Gives an event its place. Places grow, over a restart, too: they begin with the time in microseconds.
    pub(super) fn keep(&self, event: Event) -> Arc<Event> {
        let mut kept = self.lock();
        kept.last = kept.last.saturating_add(1).max(event.at.as_unix_millis().saturating_mul(1_000));
        let event = Arc::new(Event { place: kept.last, ..event });
        let events = kept.events.entry(Arc::clone(&event.caller.customer)).or_default();
        if events.len() == self.most {
            events.pop_front();
        }
        events.push_back(Arc::clone(&event));
        event
    }

    /// Events of a customer, most recent first, and whether there are others behind the last one.
    pub(super) fn page(&self, customer: &str, part: &Part) -> (Vec<Arc<Event>>, bool) {
        let (from, to) =
            (part.first.map_or(0, |first| first.saturating_add(1)), part.last.unwrap_or(u64::MAX));
        let kept = self.lock();
        let events = kept.events.get(customer).into_iter().flatten().rev();
        let mut wanted =
            events.filter(|event| (from..to).contains(&event.place) && part.wants(event)).cloned();
        let page = wanted.by_ref().take(part.limit).collect();
        (page, wanted.next().is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
