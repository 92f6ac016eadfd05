//! Who listens: how many may at a time, and when all have to go.

use super::reply::Refusal;
use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The places of those who listen.
#[derive(Clone)]
pub(super) struct Listeners {
    places: Arc<Semaphore>,
    most: u32,
    most_each: u32,
    /// How many places each has that has one.
    taken: Arc<Mutex<HashMap<String, u32>>>,
    ending: watch::Sender<bool>,
}

/// A place, which is free again when this is gone.
pub(super) struct Place {
    listeners: Listeners,
    /// Whose it is, once that is known.
    owner: Option<String>,
    _permit: OwnedSemaphorePermit,
}

impl Listeners {
    pub(super) fn new(most: u32, most_each: u32) -> Self {
        let places = usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            most,
            most_each,
            taken: Arc::default(),
            ending: watch::Sender::new(false),
        }
    }

    /// A place of nobody's, if there is one.
    pub(super) fn enter(&self) -> Result<Place, Refusal> {
        if self.is_ending() {
            return Err(Refusal::Unavailable);
        }
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Refusal::Unavailable)?;
        Ok(Place { listeners: self.clone(), owner: None, _permit: permit })
    }

    /// Nobody may listen any more.
    pub(super) fn end(&self) {
        self.ending.send_replace(true);
    }

    pub(super) fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Until nobody may listen any more.
    pub(super) async fn ending(&self) {
        if self.ending.subscribe().wait_for(|ending| *ending).await.is_err() {
            // Never: the sender is here.
            pending().await
        }
    }

    /// Waits until nobody listens any more, for so long; whether that is so.
    pub(super) async fn gone(&self, wait: Duration) -> bool {
        tokio::time::timeout(wait, self.places.acquire_many(self.most)).await.is_ok()
    }
}

impl Place {
    /// Makes it that of `owner`, if that one may have another.
    pub(super) fn claim(&mut self, owner: &str) -> Result<(), Refusal> {
        let mut taken = self.listeners.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(owner.to_owned()).or_default();
        if *count >= self.listeners.most_each {
            return Err(Refusal::TooManyListen);
        }
        *count = count.saturating_add(1);
        self.owner = Some(owner.to_owned());
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(owner) = &self.owner else { return };
        let mut taken = self.listeners.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(owner);
            }
        }
    }
}
