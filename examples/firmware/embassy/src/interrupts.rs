//! The interrupts of the board, and the executor that runs in one of them.

use crate::{lan9118, ticks, uart};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_executor::{InterruptExecutor, SendSpawner};

/// The interrupts that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Interrupt {
    /// The UART has received.
    UartReceived = 0,
    /// The UART has sent.
    UartSent = 1,
    /// A tick of time.
    Tick = 9,
    /// The Ethernet controller.
    Ethernet = 13,
    /// None of a peripheral: the executor's.
    Executor = 31,
}

// SAFETY: these are numbers of interrupts that the board has.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// The number of interrupts.
const COUNT: usize = 32;

/// A handler, as the processor calls it.
type Handler = extern "C" fn();

/// The part of the vector table that is the board's.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [Handler; COUNT] = {
    let mut table: [Handler; COUNT] = [unexpected; COUNT];
    table[Interrupt::UartReceived as usize] = uart::received;
    table[Interrupt::UartSent as usize] = uart::sent;
    table[Interrupt::Tick as usize] = ticks::tick;
    table[Interrupt::Ethernet as usize] = lan9118::interrupted;
    table[Interrupt::Executor as usize] = run;
    table
};

extern "C" fn unexpected() {
    board::semihosting::exit(board::FAULTED)
}

static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

extern "C" fn run() {
    // SAFETY: only the interrupt calls it, and the executor has enabled it when it was started.
    unsafe { EXECUTOR.on_interrupt() }
}

/// Sets the priorities and starts the executor above thread mode.
pub fn start() -> SendSpawner {
    const PERIPHERAL: u8 = 0x40;
    const EXECUTOR_BELOW: u8 = 0x80;
    // SAFETY: nothing runs yet that a changed priority could surprise.
    let mut nvic: NVIC = unsafe { core::mem::transmute(()) };
    for interrupt in [Interrupt::UartReceived, Interrupt::UartSent, Interrupt::Tick, Interrupt::Ethernet] {
        // SAFETY: as above; no critical section is made of priorities.
        unsafe { nvic.set_priority(interrupt, PERIPHERAL) };
    }
    // SAFETY: as above.
    unsafe { nvic.set_priority(Interrupt::Executor, EXECUTOR_BELOW) };
    EXECUTOR.start(Interrupt::Executor)
}

/// Lets an interrupt come.
pub(crate) fn enable(interrupt: Interrupt) {
    // SAFETY: its handler is in the table, and no critical section is made of masks.
    unsafe { NVIC::unmask(interrupt) }
}

/// Has an interrupt come, though no peripheral asks for it.
pub(crate) fn request(interrupt: Interrupt) {
    NVIC::pend(interrupt);
}
