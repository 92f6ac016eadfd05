//! A session that outlives the power (§2.7): sealed under a root key, with its counters reserved ahead.
//!
//! What is stored says that every counter below some end may have been used. It says so, durably, before the first of them is: a
//! session that is loaded goes on behind that end, and reserves its next counters before it seals. So a power cut at any moment
//! costs counters, of which there are enough, and never repeats one.
//!
//! # Security
//! This holds for storage that says what it was told last, and in one place. **Storage that can be cloned or rolled back must not
//! hold a session**: who puts old bytes back makes the device seal other messages with nonces that it has used, and AES-GCM
//! breaks under them. Nothing in the bytes could tell: old bytes are authentic. Removable cards, disks of virtual machines and their
//! snapshots, backups and firmware slots that are restored are such storage; the flash of a microcontroller with its debug port
//! locked is not, and neither is what a secure element keeps.

mod record;

pub use record::stored_len;

use super::{ClientType, Mode, Now, Session};
use crate::codec::BufferTooSmall;
use crate::crypto::{CryptoError, KeyId, StorableKeys};
use crate::log::format_as;
use crate::scheme::Scheme;
use core::fmt;

/// Where a device keeps the sealed bytes of one session: a page of flash, a file, a slot.
///
/// It belongs to one client, and holds what one gateway agreed to: two clients would take each other's counters.
///
/// # Security
/// See the [module](self): it must not be possible to clone it or to roll it back.
pub trait SessionStorage {
    /// What can go wrong.
    type Error;

    /// Copies what was saved last to the front of `buffer` and returns its length; 0 where there is nothing. What is longer than
    /// `buffer` is not the client's: an error, or its beginning.
    ///
    /// After a power cut, or an error, during [`SessionStorage::save`] that is what was to be saved or what was there before, and the
    /// same at every load: what is damaged must be recognised as such or fail authentication, and does.
    ///
    /// # Errors
    /// The storage's own.
    fn load(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error>;

    /// Replaces what was saved by `sealed`. It returns when that is durable.
    ///
    /// # Errors
    /// The storage's own; what is stored then is the one or the other.
    fn save(&mut self, sealed: &[u8]) -> Result<(), Self::Error>;

    /// Removes what was saved. It returns when that is durable.
    ///
    /// # Errors
    /// The storage's own.
    fn erase(&mut self) -> Result<(), Self::Error>;
}

impl<D: SessionStorage + ?Sized> SessionStorage for &mut D {
    type Error = D::Error;

    fn load(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        (**self).load(buffer)
    }
    fn save(&mut self, sealed: &[u8]) -> Result<(), Self::Error> {
        (**self).save(sealed)
    }
    fn erase(&mut self) -> Result<(), Self::Error> {
        (**self).erase()
    }
}

/// Why a session was not loaded, or not saved. None of it is fatal: a handshake makes another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StorageError<E> {
    /// The storage failed.
    Storage(E),
    /// The buffer is too small: `needed` bytes work and one less does not. Nothing has changed.
    BufferTooSmall {
        /// The exact length in bytes.
        needed: usize,
    },
    /// The bytes are not authentic: damaged, or another device's or root key's.
    Corrupt,
    /// They are authentic and of a version that is not known here.
    Version(u8),
    /// They are another client's, or of another mode, identity or scheme than are demanded now.
    Foreign,
    /// The session is past its end, or its counters are used up.
    Ended,
    /// A plain session is never stored.
    Plain,
    /// The provider failed, or does not let its keys go ([`CryptoError::Unsupported`]).
    Crypto(CryptoError),
}

impl<E> From<CryptoError> for StorageError<E> {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::Authentication => Self::Corrupt,
            error => Self::Crypto(error),
        }
    }
}

impl<E> From<BufferTooSmall> for StorageError<E> {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall { needed: error.needed }
    }
}

impl<E: fmt::Display> fmt::Display for StorageError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::BufferTooSmall { needed } => {
                write!(f, "the buffer is too small: {needed} bytes are needed")
            }
            Self::Corrupt => f.write_str("the stored session could not be authenticated"),
            Self::Version(version) => {
                write!(f, "the stored session has version {version}, which is not known")
            }
            Self::Foreign => f.write_str("the stored session is not what the client demands"),
            Self::Ended => f.write_str("the stored session has ended"),
            Self::Plain => f.write_str("a plain session is never stored"),
            Self::Crypto(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for StorageError<E> {}

/// Whose session it must be, and what it must be worth: of [`ClientConfig::owner`](crate::handshake::ClientConfig::owner).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Owner<'a> {
    pub(crate) device_id: &'a str,
    pub(crate) client_type: ClientType,
    pub(crate) client_id: &'a str,
    pub(crate) mode: Mode,
    pub(crate) schemes: &'a [Scheme],
    /// In mutual mode.
    pub(crate) kid: Option<&'a KeyId>,
}

/// Session storage with the root key that seals what is in it.
///
/// The root key is a [`TrafficKey`](crate::crypto::Provider::TrafficKey) of AES-256-GCM, of the provider that the session's keys are of:
/// for the software provider [`RawKey::new`](crate::crypto::software::TrafficKey::new) of 32 bytes which the device has had since it was
/// provisioned, for a secure element a slot. It seals nothing else. Its nonces are random: it lasts for 2³² saves.
pub struct Vault<K, D: SessionStorage> {
    storage: D,
    root: K,
    block: u32,
    asked: bool,
    failure: Option<StorageError<D::Error>>,
}

impl<K, D: SessionStorage> Vault<K, D> {
    /// How many messages are reserved with each save, unless [`Vault::with_block`] says otherwise.
    pub const BLOCK: u32 = 64;

    /// Takes storage and root key.
    pub const fn new(storage: D, root: K) -> Self {
        Self { storage, root, block: Self::BLOCK, asked: false, failure: None }
    }

    /// Reserves `messages` (at least 1) with each save: so many requests wear the storage once, and a power cut wastes at most so many
    /// of 2²⁴. With each go 16 KiB; longer messages wear it sooner.
    #[must_use]
    pub fn with_block(mut self, messages: u32) -> Self {
        self.block = messages.max(1);
        self
    }

    /// Why the last attempt to load or to save failed; `None` where it did not.
    #[must_use]
    pub const fn failure(&self) -> Option<&StorageError<D::Error>> {
        self.failure.as_ref()
    }

    /// The storage.
    pub const fn storage_mut(&mut self) -> &mut D {
        &mut self.storage
    }

    /// Loads the session of `owner` into `place`, with counters that nothing has sealed with, and which are reserved durably when this
    /// returns. `false` where nothing is stored. Awaiting responses to requests of before is over: they are refused.
    ///
    /// `buffer` has [`stored_len`]`(TOKEN)` bytes; it is erased.
    ///
    /// # Errors
    /// [`StorageError`]; there is no session in `place` then.
    #[inline(never)]
    pub fn load<P: StorableKeys<TrafficKey = K>, const TOKEN: usize, const OUTSTANDING: usize>(
        &mut self,
        provider: &mut P,
        owner: &Owner<'_>,
        now: Now,
        place: &mut Option<Session<P, TOKEN, OUTSTANDING>>,
        buffer: &mut [u8],
    ) -> Result<bool, StorageError<D::Error>> {
        *place = None;
        if owner.mode == Mode::Plain {
            return Err(StorageError::Plain);
        }
        let needed = stored_len(TOKEN);
        let room = buffer.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let length = self.storage.load(room).map_err(StorageError::Storage)?;
        if length == 0 {
            return Ok(false);
        }
        let sealed = room.get_mut(..length).ok_or(StorageError::Corrupt)?;
        let session = record::open(provider, &self.root, owner, now, place, sealed)?;
        let reserved = self.reserve(provider, owner, session, now, 0, buffer);
        if reserved.is_err() {
            *place = None;
        }
        reserved.map(|()| true)
    }

    /// Reserves the next counters of `session` durably, enough to seal a message of `len` bytes: the session can seal up to their end
    /// from then on, and no further. The first time, that saves it.
    ///
    /// `buffer` has [`stored_len`]`(TOKEN)` bytes, which always suffice; it is overwritten.
    ///
    /// # Errors
    /// [`StorageError`]. The session can seal what it could before; where it had never been saved and perhaps was now, as much as if it
    /// had been.
    #[inline(never)]
    pub fn reserve<P: StorableKeys<TrafficKey = K>, const TOKEN: usize, const OUTSTANDING: usize>(
        &mut self,
        provider: &mut P,
        owner: &Owner<'_>,
        session: &mut Session<P, TOKEN, OUTSTANDING>,
        now: Now,
        len: usize,
        buffer: &mut [u8],
    ) -> Result<(), StorageError<D::Error>> {
        if session.facts.mode == Mode::Plain || owner.mode == Mode::Plain {
            return Err(StorageError::Plain);
        }
        if session.facts.mode != owner.mode {
            return Err(StorageError::Foreign);
        }
        if session.is_over(now) {
            return Err(StorageError::Ended);
        }
        let first = !session.sealer.nonces.is_reserved();
        let end = session.sealer.nonces.reservation(self.block.into(), len).ok_or(StorageError::Ended)?;
        let sealed = record::seal(provider, &self.root, owner, session, now, end, buffer)?;
        let saved = self.storage.save(sealed).map_err(StorageError::Storage);
        // An error does not say which bytes are stored now. The first time they are those of another session or of this one up
        // to the new end; later they may be those with the old end, behind which a later boot would go on.
        if saved.is_ok() || first {
            session.sealer.nonces.reserve(end);
        }
        saved
    }

    /// Removes what is stored, at logout for example.
    ///
    /// # Errors
    /// The storage's own: the session may still be there.
    pub fn erase(&mut self) -> Result<(), D::Error> {
        self.asked = true;
        self.storage.erase()
    }

    /// Whether it was asked for a session, and remembers that it was.
    pub(crate) const fn was_asked(&self) -> bool {
        self.asked
    }

    /// Remembers that it was asked, and what came of it.
    pub(crate) fn note<T>(
        &mut self,
        outcome: Result<T, StorageError<D::Error>>,
    ) -> Result<(), BufferTooSmall> {
        match outcome {
            Err(StorageError::BufferTooSmall { needed }) => Err(BufferTooSmall { needed }),
            outcome => {
                self.asked = true;
                self.failure = outcome.err();
                Ok(())
            }
        }
    }
}

impl<K, D: SessionStorage> fmt::Debug for Vault<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("block", &self.block).finish_non_exhaustive()
    }
}

format_as! { [K, D: SessionStorage] Vault<K, D>, vault => "Vault {{ block: {} }}", vault.block }
