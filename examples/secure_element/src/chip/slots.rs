//! The chip's memory.

use super::{Shared, lock};
use crate::frame::{Derived, IDENTITY, RECIPIENT, SLOTS, Status};
use core::fmt;
use std::sync::{Arc, Mutex};
use std::vec::Vec;
use zeroize::Zeroizing;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The private key of the identity.
    Identity,
    /// The private key that is encrypted to.
    Recipient,
    /// An ephemeral private key.
    Private,
    /// A shared secret Z.
    SharedSecret,
    /// A PRK.
    Prk,
    /// A key of HMAC, or the exporter.
    Secret,
    /// A key of AES-128-GCM.
    Aes128,
    /// A key of AES-256-GCM.
    Aes256,
    /// A key of AES-256 key wrap.
    Kek,
}

impl From<Derived> for Kind {
    fn from(kind: Derived) -> Self {
        match kind {
            Derived::Secret => Self::Secret,
            Derived::Aes128 => Self::Aes128,
            Derived::Aes256 => Self::Aes256,
        }
    }
}

/// A secret that was in a slot once.
#[derive(Clone, PartialEq, Eq)]
pub struct Sighting {
    /// What it was for.
    pub kind: Kind,
    /// The secret.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sighting").field(&self.kind).finish()
    }
}

/// A key in its slot: erased on drop.
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// Where a slot is: those that last first, the host's behind them.
const LASTING: usize = 2;
const ALL: usize = SLOTS as usize + LASTING;

fn place(slot: u8) -> usize {
    match slot {
        IDENTITY => 0,
        RECIPIENT => 1,
        1..=SLOTS => usize::from(slot).saturating_add(1),
        _ => ALL,
    }
}

pub(super) struct Slots {
    keys: [Option<Key>; ALL],
    shared: Arc<Mutex<Shared>>,
}

impl Slots {
    pub(super) fn new(identity: &[u8; 32], shared: Arc<Mutex<Shared>>) -> Self {
        let mut slots = Self { keys: [const { None }; ALL], shared };
        slots.write(IDENTITY, Kind::Identity, identity);
        slots
    }

    /// The key of one of these kinds in a slot.
    pub(super) fn read(&self, slot: u8, kinds: &[Kind]) -> Result<&Key, Status> {
        let key = self.keys.get(place(slot)).and_then(Option::as_ref);
        key.filter(|key| kinds.contains(&key.kind)).ok_or(Status::NoKey)
    }

    /// Puts a key into a slot that must be empty.
    pub(super) fn put(&mut self, slot: u8, kind: Kind, bytes: &[u8]) -> Result<(), Status> {
        self.check_empty(slot)?;
        self.write(slot, kind, bytes);
        Ok(())
    }

    /// Whether a slot may take a key.
    pub(super) fn check_empty(&self, slot: u8) -> Result<(), Status> {
        match self.keys.get(place(slot)) {
            Some(None) => Ok(()),
            Some(Some(_)) => Err(Status::Occupied),
            None => Err(Status::Malformed),
        }
    }

    /// Puts a key into the slot of the one that it was made of.
    pub(super) fn replace(&mut self, slot: u8, kind: Kind, bytes: &[u8]) {
        self.write(slot, kind, bytes);
    }

    /// Takes a key of this kind out of its slot.
    pub(super) fn take(&mut self, slot: u8, kind: Kind) -> Result<Key, Status> {
        self.read(slot, &[kind])?;
        let key = self.keys.get_mut(place(slot)).and_then(Option::take).ok_or(Status::NoKey);
        self.count();
        key
    }

    /// Erases a slot, which may be empty. The identity stays, and the key that is encrypted to.
    pub(super) fn erase(&mut self, slot: u8) -> Result<(), Status> {
        if matches!(slot, IDENTITY | RECIPIENT) {
            return Err(Status::NoKey);
        }
        *self.keys.get_mut(place(slot)).ok_or(Status::NoKey)? = None;
        self.count();
        Ok(())
    }

    /// Erases all but what lasts.
    pub(super) fn clear(&mut self) {
        self.keys.iter_mut().skip(LASTING).for_each(|slot| *slot = None);
        self.count();
    }

    fn write(&mut self, slot: u8, kind: Kind, bytes: &[u8]) {
        if let Some(place) = self.keys.get_mut(place(slot)) {
            *place = Some(Key { kind, bytes: Zeroizing::new(bytes.into()) });
            lock(&self.shared).sightings.push(Sighting { kind, bytes: bytes.into() });
        }
        self.count();
    }

    fn count(&self) {
        lock(&self.shared).occupied = self.keys.iter().skip(LASTING).flatten().count();
    }
}
