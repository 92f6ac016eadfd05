//! The chip, simulated: a thread of its own at the other end of a bus, its slots, and what a test does to it.
//!
//! It is no product: its primitives are RustCrypto's, and nobody protects a thread from its process.

mod bus;
mod commands;
mod faults;
mod search;
mod slots;

pub use bus::{Bus, BusError, Direction, Entry};
pub use faults::Fault;
pub use search::{Find, WINDOW, search};
pub use slots::{Kind, Sighting};

use bus::Wire;
use commands::Core;
use faults::Faults;
use rand_core::TryCryptoRng;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;
use std::vec::Vec;

/// How a chip is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Make {
    /// How long an operation on the curve takes; any other command takes a fiftieth.
    pub latency: Duration,
    /// Whether it is an engineering sample, which sends what is in a slot to whoever asks.
    pub sample: bool,
}

/// What lies on the bench beside the chip: it sees the bus, meddles with it, and looks into the chip.
#[derive(Clone)]
pub struct Chip {
    shared: Arc<Mutex<Shared>>,
}

/// What the thread shares with the bench.
#[derive(Debug, Default)]
struct Shared {
    faults: Faults,
    log: Vec<Entry>,
    sightings: Vec<Sighting>,
    occupied: usize,
}

impl fmt::Debug for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chip")
    }
}

/// A panic elsewhere has not made what is shared wrong.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Chip {
    /// Gives a chip with the identity `scalar` (32 bytes, big-endian) and the generator `rng` its power. It runs until the bus is
    /// dropped.
    ///
    /// # Errors
    /// The scalar is none, or there is no thread.
    pub fn power_on<R>(scalar: [u8; 32], rng: R, make: Make) -> io::Result<(Self, Bus)>
    where
        R: TryCryptoRng + Send + 'static,
    {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let core = Core::new(scalar, rng, make.sample, shared.clone())
            .ok_or_else(|| io::Error::other("the identity is no scalar"))?;
        let (bus, wire) = bus::pair(shared.clone());
        let (late, overtaken) = (Vec::new(), Vec::new());
        let mut thread =
            Thread { core, wire, shared: shared.clone(), latency: make.latency, late, overtaken };
        thread::Builder::new().name("secure element".into()).spawn(move || thread.run())?;
        Ok((Self { shared }, bus))
    }

    /// Lets `fault` happen `times` in a row, from the command with the number `at` on, counted from now. Several may come at
    /// once.
    pub fn inject(&self, at: usize, fault: Fault, times: usize) {
        lock(&self.shared).faults.arm(at, fault, times);
    }

    /// Lets no fault happen any more, and says how many commands had one.
    pub fn mend(&self) -> usize {
        lock(&self.shared).faults.disarm()
    }

    /// Commands that have come, of any kind and in any state.
    #[must_use]
    pub fn commands(&self) -> usize {
        lock(&self.shared).faults.commands()
    }

    /// All that went over the bus, as it was on the wire.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        lock(&self.shared).log.clone()
    }

    /// Under the microscope: every secret that was ever in a slot. No other chip has this.
    #[must_use]
    pub fn sightings(&self) -> Vec<Sighting> {
        lock(&self.shared).sightings.clone()
    }

    /// Slots that hold a key, that of the identity aside.
    #[must_use]
    pub fn occupied(&self) -> usize {
        lock(&self.shared).occupied
    }
}

struct Thread<R> {
    core: Core<R>,
    wire: Wire,
    shared: Arc<Mutex<Shared>>,
    latency: Duration,
    /// Answers that are still to be sent, before the next one,
    late: Vec<u8>,
    /// and behind it.
    overtaken: Vec<u8>,
}

impl<R: TryCryptoRng> Thread<R> {
    fn run(&mut self) {
        while let Some(command) = self.wire.receive() {
            let answer = self.serve(command);
            self.wire.answer(answer);
        }
    }

    /// The answer to one command; none is silence.
    fn serve(&mut self, mut command: Vec<u8>) -> Vec<u8> {
        let faults = lock(&self.shared).faults.next();
        let (mut busy, mut shift, mut times) = (false, 0, 1);
        for fault in &faults {
            match *fault {
                Fault::Busy => busy = true,
                Fault::GarbledCommand(at) => faults::garble(&mut command, at),
                Fault::CutCommand(at) => faults::cut(&mut command, at),
                Fault::LostCommand => return Vec::new(),
                Fault::RepeatedCommand => times = 2,
                Fault::PowerLostBefore => {
                    self.lose_power();
                    return Vec::new();
                }
                Fault::WrongSlot(by) => shift = by,
                _ => {}
            }
        }
        let mut answer = Vec::new();
        for _ in 0..times {
            answer.append(&mut if busy { Core::<R>::busy(&command) } else { self.execute(&command, shift) });
        }
        for fault in faults {
            match fault {
                Fault::GarbledAnswer(at) => faults::garble(&mut answer, at),
                Fault::CutAnswer(at) => faults::cut(&mut answer, at),
                Fault::LostAnswer => answer.clear(),
                Fault::RepeatedAnswer => answer.extend_from_within(..),
                Fault::PowerLostAfter => {
                    self.lose_power();
                    answer.clear();
                }
                Fault::Late => self.late.append(&mut answer),
                Fault::Overtaken => self.overtaken.append(&mut answer),
                _ => {}
            }
        }
        if !answer.is_empty() {
            answer.splice(..0, self.late.drain(..));
            answer.append(&mut self.overtaken);
        }
        answer
    }

    /// What was still to be sent is lost, too.
    fn lose_power(&mut self) {
        self.core.lose_power();
        self.late.clear();
        self.overtaken.clear();
    }

    fn execute(&mut self, command: &[u8], shift: u8) -> Vec<u8> {
        let (answer, is_slow) = self.core.execute(command, shift);
        thread::sleep(if is_slow { self.latency } else { self.latency.checked_div(50).unwrap_or_default() });
        answer
    }
}
