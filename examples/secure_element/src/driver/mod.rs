//! The host's half: a [`Provider`](dynamic_key::crypto::Provider), a [`Signer`](dynamic_key::crypto::Signer) and a
//! [`Verifier`](dynamic_key::crypto::Verifier) over any `embedded-io` stream, without `std` and without a heap. Take it as a
//! pattern.
//!
//! Keys are slots of the chip. The host chooses the slot of a new key, so that it knows what may be where, whatever becomes of
//! the answer. A handle that is dropped erases its slot at once; where the bus fails then, the slot is remembered as dirty,
//! erased before the next command, and not used before that.

mod host;
mod identity;
mod provider;
mod recipient;

pub use identity::{ElementSigner, ElementVerifier};
pub use provider::{AeadKey, ElementProvider, Ephemeral, Handle, Kek, Prk, SecretKey, SharedSecret};
pub use recipient::ElementRecipient;

use crate::frame::{IDENTITY, Opcode, SLOTS, Status};
use core::cell::RefCell;
use core::fmt;
use dynamic_key::crypto::CryptoError;
use dynamic_key::crypto::software::PinnedKey;
use embedded_io::{Read, Write};
use host::{Call, Host};

/// Why the chip did not do what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// All slots are taken.
    NoFreeSlot,
    /// The chip was busy each time.
    Busy,
    /// Frames were garbled each time.
    Garbled,
    /// The bus failed, or the chip was silent: it may have lost its power.
    Bus,
    /// The chip has acted on another slot than the one that it was told.
    WrongSlot,
    /// The frame would be longer than the chip takes.
    TooLong,
    /// The chip refused.
    Refused(Status),
}

impl From<Trouble> for CryptoError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(Status::InvalidPoint) => Self::InvalidPublicKey,
            Trouble::Refused(Status::Authentication) => Self::Authentication,
            Trouble::Refused(Status::Random) => Self::Random,
            _ => Self::Failed,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFreeSlot => f.write_str("all slots of the chip are taken"),
            Self::Busy => f.write_str("the chip is busy"),
            Self::Garbled => f.write_str("the bus garbles what it carries"),
            Self::Bus => f.write_str("the chip does not answer"),
            Self::WrongSlot => f.write_str("the chip has acted on another slot"),
            Self::TooLong => f.write_str("the chip takes no frame as long as that"),
            Self::Refused(status) => write!(f, "the chip refused: {status:?}"),
        }
    }
}

impl core::error::Error for Trouble {}

/// A chip at the other end of a bus, which provider, signer, verifier and all handles share.
///
/// The bus must not wait for ever: a read of it has to end, with an error or with no bytes, when the chip is silent.
///
/// A `RefCell` guards it: one thread, no interrupt handler. On a system with several, guard it by the mutex of the system.
pub struct SecureElement<B> {
    host: RefCell<Host<B>>,
}

impl<B> fmt::Debug for SecureElement<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecureElement")
    }
}

impl<B: Read + Write> SecureElement<B> {
    /// Resets the chip, which erases all slots: keys of before a restart of the host are nobody's.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn new(bus: B) -> Result<Self, Trouble> {
        let element = Self { host: RefCell::new(Host::new(bus)) };
        element.call(Call::new(Opcode::Reset))?;
        Ok(element)
    }

    /// A provider whose keys are in the chip.
    pub const fn provider(&self) -> ElementProvider<'_, B> {
        ElementProvider::new(self)
    }

    /// The identity that the chip was made with.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn signer(&self) -> Result<ElementSigner<'_, B>, Trouble> {
        Ok(ElementSigner::new(self, self.public_key()?))
    }

    /// The key that is encrypted to. The chip makes it when it is first asked for.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn recipient(&self) -> Result<ElementRecipient<'_, B>, Trouble> {
        ElementRecipient::new(self)
    }

    /// A verifier that trusts `pins` and lets the chip compute.
    pub const fn verifier<'e>(&'e self, pins: &'e [PinnedKey]) -> ElementVerifier<'e, B> {
        ElementVerifier::new(self, pins)
    }

    /// The public key of the chip's identity.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn public_key(&self) -> Result<PinnedKey, Trouble> {
        let mut point = [0; 65];
        self.call(Call { key: IDENTITY, answer: &mut point, ..Call::new(Opcode::Public) })?;
        PinnedKey::from_point(&point).map_err(|_| Trouble::Refused(Status::Failed))
    }

    /// Erases the slots whose erasure failed when their handles were dropped.
    ///
    /// # Errors
    /// [`Trouble`]: some are still to be erased.
    pub fn tidy(&self) -> Result<(), Trouble> {
        self.host.try_borrow_mut().map_err(|_| Trouble::Bus)?.tidy()
    }

    /// Slots that a new key may take: neither held by a handle nor waiting to be erased, of [`SLOTS`].
    pub fn free_slots(&self) -> u8 {
        self.host.try_borrow().map_or(0, |host| host.free().count_ones().min(u32::from(SLOTS)) as u8)
    }

    /// What went wrong last: a [`CryptoError`] does not tell.
    pub fn last_trouble(&self) -> Option<Trouble> {
        self.host.try_borrow().ok().and_then(|host| host.last_trouble())
    }

    fn call(&self, call: Call<'_>) -> Result<(), Trouble> {
        self.host.try_borrow_mut().map_err(|_| Trouble::Bus)?.call(call)
    }

    /// Takes a free slot for a new key.
    fn take(&self) -> Result<u8, Trouble> {
        self.host.try_borrow_mut().map_err(|_| Trouble::Bus)?.take()
    }

    /// Gives a slot back, erased.
    fn release(&self, slot: u8) {
        if let Ok(mut host) = self.host.try_borrow_mut() {
            host.release(slot);
        }
    }
}
