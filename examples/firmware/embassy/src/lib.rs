//! The awaiting client on a microcontroller.
//!
//! An executor runs in an interrupt, with the client, its line and a counter; below it, in thread mode, a [`worker`]
//! agrees on keys and verifies. What is slow is computed there and awaited above, and nothing blocks.
//!
//! | module | what it is |
//! |---|---|
//! | [`interrupts`] | the vector table, priorities, the executor that runs in an interrupt |
//! | [`ticks`] | time of `embassy-time`, ten thousand ticks a second |
//! | [`counter`] | the task that shows that nothing blocks |
//! | [`worker`] | the slow operations: an `AsyncProvider` and an `AsyncVerifier` |
//! | [`uart`] | the UART, by interrupts, as an `AsyncConnect` |
//! | [`lan9118`] | the Ethernet controller as a driver of `embassy-net` |
//! | [`tcp`] | TCP connections as an `AsyncConnect` |
//! | [`settings`] | what the host tells |
//! | [`story`] | what the device does, over whatever it is connected by |
#![no_std]

pub mod counter;
pub mod interrupts;
pub mod lan9118;
mod register;
pub mod settings;
pub mod story;
pub mod tcp;
pub mod ticks;
pub mod uart;
pub mod worker;

/// Ends the program: 0 if the story went as it should.
pub fn end(outcome: Result<(), &'static str>) -> ! {
    use board::semihosting::{exit, print};
    match outcome {
        Ok(()) => {
            print("done\n");
            exit(0)
        }
        Err(what) => {
            print("failed: ");
            print(what);
            print("\n");
            exit(1)
        }
    }
}
