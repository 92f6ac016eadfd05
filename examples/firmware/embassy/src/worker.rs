//! The slow operations, computed in thread mode and awaited above it.
//!
//! A job that is given up is computed to its end if it was begun, and its outcome erased unseen.

use crate::counter::{Mark, Passed};
use chacha20::ChaCha20Rng;
use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};
use critical_section::Mutex;
use dynamic_key::codec::spki::{Group, PublicKey};
use dynamic_key::crypto::software::{PinnedKey, Pins, Software};
use dynamic_key::crypto::{
    AsyncProvider, AsyncVerifier, CryptoError, KeyId, Provider, Signature, Verified, Verifier,
};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;

/// The provider that does the work.
pub type Soft = Software<ChaCha20Rng>;

type EphemeralKey = <Soft as Provider>::EphemeralKey;
type SharedSecret = <Soft as Provider>::SharedSecret;

/// The bytes that a gateway signs.
type Statement = [u8; 54];

enum Job {
    Generate(Group),
    Agree(EphemeralKey, PublicKey),
    Verify(KeyId, Statement, Signature),
}

enum Outcome {
    Generated(Result<(EphemeralKey, PublicKey), CryptoError>),
    Agreed(Result<SharedSecret, CryptoError>),
    Verified(Result<Verified, CryptoError>),
}

static JOBS: Channel<CriticalSectionRawMutex, (u32, Job), 1> = Channel::new();
static OUTCOME: Signal<CriticalSectionRawMutex, Outcome> = Signal::new();
/// The number of the job whose outcome is awaited.
static AWAITED: AtomicU32 = AtomicU32::new(0);

/// Computes in thread mode, for ever, and sleeps between the jobs. `rng` is the generator of its keys, `pin` the key that it
/// verifies with.
pub fn work(rng: ChaCha20Rng, pin: PinnedKey) -> ! {
    let mut provider = Software::new(rng);
    let mut verifier = Pins(core::slice::from_ref(&pin));
    loop {
        let Ok((number, job)) = JOBS.try_receive() else {
            // An interrupt that comes between the look and the sleep ends the sleep at once, and is served after it.
            critical_section::with(|_| {
                if JOBS.is_empty() {
                    cortex_m::asm::wfi();
                }
            });
            continue;
        };
        if AWAITED.load(Ordering::Relaxed) != number {
            continue;
        }
        let outcome = match job {
            Job::Generate(group) => Outcome::Generated(Provider::generate(&mut provider, group)),
            Job::Agree(key, peer) => Outcome::Agreed(Provider::agree(&mut provider, key, &peer)),
            Job::Verify(kid, statement, signature) => {
                Outcome::Verified(Verifier::verify(&mut verifier, &kid, &statement, &signature))
            }
        };
        critical_section::with(|_| {
            if AWAITED.load(Ordering::Relaxed) == number {
                OUTCOME.signal(outcome);
            }
        });
    }
}

/// While it lives, the outcome of a job is awaited.
struct Awaiting;

impl Drop for Awaiting {
    fn drop(&mut self) {
        critical_section::with(|_| {
            AWAITED.fetch_add(1, Ordering::Relaxed);
            OUTCOME.reset();
        });
    }
}

async fn compute(job: Job) -> Outcome {
    let awaiting = Awaiting;
    let number = AWAITED.load(Ordering::Relaxed);
    JOBS.send((number, job)).await;
    let outcome = OUTCOME.wait().await;
    drop(awaiting);
    outcome
}

/// How long an operation took from its beginning to its end, and how far the counter came meanwhile.
#[derive(Clone, Copy, Default)]
pub struct Log {
    /// [`Provider::generate`].
    pub generate: Passed,
    /// [`Provider::agree`].
    pub agree: Passed,
    /// [`Verifier::verify`].
    pub verify: Passed,
}

static LOG: Mutex<Cell<Log>> = Mutex::new(Cell::new(Log {
    generate: Passed { ticks: 0, counted: 0 },
    agree: Passed { ticks: 0, counted: 0 },
    verify: Passed { ticks: 0, counted: 0 },
}));

/// The last operation of each kind.
#[must_use]
pub fn log() -> Log {
    critical_section::with(|cs| LOG.borrow(cs).get())
}

fn record(update: impl FnOnce(&mut Log)) {
    critical_section::with(|cs| {
        let mut log = LOG.borrow(cs).get();
        update(&mut log);
        LOG.borrow(cs).set(log);
    });
}

/// The software provider, with the worker for what is slow.
pub struct Awaited(pub Soft);

impl AsyncProvider for Awaited {
    type Provider = Soft;

    fn provider(&mut self) -> &mut Soft {
        &mut self.0
    }

    async fn generate(&mut self, group: Group) -> Result<(EphemeralKey, PublicKey), CryptoError> {
        let start = Mark::now();
        let outcome = compute(Job::Generate(group)).await;
        record(|log| log.generate = start.passed());
        if let Outcome::Generated(outcome) = outcome { outcome } else { Err(CryptoError::Failed) }
    }

    async fn agree(&mut self, key: EphemeralKey, peer: &PublicKey) -> Result<SharedSecret, CryptoError> {
        let start = Mark::now();
        let outcome = compute(Job::Agree(key, *peer)).await;
        record(|log| log.agree = start.passed());
        if let Outcome::Agreed(outcome) = outcome { outcome } else { Err(CryptoError::Failed) }
    }
}

/// The worker as a verifier for the key that it pins.
pub struct AwaitedPin;

impl AsyncVerifier for AwaitedPin {
    async fn verify(
        &mut self,
        kid: &KeyId,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Verified, CryptoError> {
        let start = Mark::now();
        let statement = message.try_into().map_err(|_| CryptoError::Unsupported)?;
        let outcome = compute(Job::Verify(*kid, statement, *signature)).await;
        record(|log| log.verify = start.passed());
        if let Outcome::Verified(outcome) = outcome { outcome } else { Err(CryptoError::Failed) }
    }
}
