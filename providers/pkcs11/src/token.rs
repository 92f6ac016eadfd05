//! A token: found, opened, logged in to.

use crate::error::{Mechanism, OpenError, crypto, is_loss};
use core::fmt;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use dynamic_key::crypto::CryptoError;
use rand_core::{TryCryptoRng, TryRng};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// The PIN of a token's user. Erased on drop, printed as `…`.
pub struct Pin(AuthPin);

impl Pin {
    /// Takes over a PIN, and erases the string. Copies of the caller's are the caller's to erase.
    #[must_use]
    pub fn new(pin: String) -> Self {
        // Into a box of its length: shrinking the string could leave a copy behind.
        let pin = Zeroizing::new(pin);
        Self(AuthPin::new(pin.as_str().into()))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Which token of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which<'w> {
    /// The one with this label, up to 32 bytes of UTF-8.
    Label(&'w str),
    /// The one with this serial number.
    Serial(&'w str),
    /// The one in this slot. Many modules number slots anew at each start.
    Slot(u64),
}

/// A token with a session of its own, in which its user is logged in: what identities and providers are made from. Clones share
/// the session, and so do all handles of keys, which keep it open; it closes with the last of them.
///
/// A session does one thing at a time, so clones wait for each other. For work side by side, open the token several times.
///
/// A session that was lost once (closed or logged out behind our back, token removed) stays lost: every call fails with
/// [`CryptoError::Failed`], and the token has to be opened again.
#[derive(Clone)]
pub struct Token(Arc<Shared>);

struct Shared {
    module: Pkcs11,
    slot: Slot,
    mechanisms: Vec<MechanismType>,
    /// `None` once it was lost.
    session: Mutex<Option<Session>>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("slot", &self.0.slot.id()).finish_non_exhaustive()
    }
}

impl Token {
    /// Loads a module, which is a shared library, finds a token and logs in as its user. Without a PIN the token asks for it itself
    /// (a PIN pad), or wants none.
    ///
    /// The session is read-only: it makes session objects and nothing that stays.
    ///
    /// # Errors
    /// [`OpenError`], which says what is in the way.
    ///
    /// # Security
    /// The module runs in this process: its path is to be trusted like the program's own. PKCS #11 logs in a process, not a session:
    /// where the user is logged in already, the PIN is not looked at.
    pub fn open(module: &Path, which: Which<'_>, pin: Option<&Pin>) -> Result<Self, OpenError> {
        let module = Pkcs11::new(module).map_err(|_| OpenError::Module)?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(_) => return Err(OpenError::Module),
        }
        let slot = find(&module, which)?;
        let mechanisms = module.get_mechanism_list(slot)?;
        let session = module.open_ro_session(slot)?;
        if pin.is_some() || module.get_token_info(slot)?.login_required() {
            match session.login(UserType::User, pin.map(|pin| &pin.0)) {
                Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self(Arc::new(Shared { module, slot, mechanisms, session: Mutex::new(Some(session)) })))
    }

    /// Whether the token lists a mechanism.
    #[must_use]
    pub fn has(&self, mechanism: Mechanism) -> bool {
        self.0.mechanisms.contains(&mechanism.number())
    }

    pub(crate) fn require(&self, mechanisms: &[Mechanism]) -> Result<(), OpenError> {
        let missing = mechanisms.iter().find(|mechanism| !self.has(**mechanism));
        missing.map_or(Ok(()), |missing| Err(OpenError::MissingMechanism(*missing)))
    }

    /// Another session, which may write to the token. The login is the process's.
    pub(crate) fn writing(&self) -> Result<Session, OpenError> {
        Ok(self.0.module.open_rw_session(self.0.slot)?)
    }

    /// Does something in the session.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&Session) -> Result<T, Error>) -> Result<T, CryptoError> {
        self.with_or(act, |error, _| crypto(error))
    }

    /// The same; `judge` says what an error is.
    pub(crate) fn with_or<T>(
        &self,
        act: impl FnOnce(&Session) -> Result<T, Error>,
        judge: impl FnOnce(&Error, &Session) -> CryptoError,
    ) -> Result<T, CryptoError> {
        let mut guard = self.session();
        let session = guard.as_ref().ok_or(CryptoError::Failed)?;
        let error = match act(session) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let judged = judge(&error, session);
        if is_loss(&error) {
            // Handles may be given to others now: none of ours is to be used or destroyed any more. Closing destroys what is left.
            *guard = None;
        }
        Err(judged)
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        // Whoever panicked has left nothing half-done here.
        self.0.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(module: &Pkcs11, which: Which<'_>) -> Result<Slot, OpenError> {
    let mut found = None;
    for slot in module.get_slots_with_token()? {
        // One that does not say who it is, is not the one.
        let Ok(info) = module.get_token_info(slot) else { continue };
        let same = match which {
            Which::Label(label) => info.label() == label,
            Which::Serial(serial) => info.serial_number() == serial,
            Which::Slot(number) => slot.id() == number,
        };
        if same && found.replace(slot).is_some() {
            return Err(OpenError::AmbiguousToken);
        }
    }
    found.ok_or(OpenError::NoToken)
}

/// The token's generator.
#[derive(Clone, Debug)]
pub(crate) struct TokenRng(pub(crate) Token);

impl TryRng for TokenRng {
    type Error = CryptoError;

    fn try_next_u32(&mut self) -> Result<u32, CryptoError> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, CryptoError> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        if out.is_empty() {
            return Ok(());
        }
        self.0.with(|session| session.generate_random_slice(out)).map_err(|_| CryptoError::Random)
    }
}

impl TryCryptoRng for TokenRng {}
