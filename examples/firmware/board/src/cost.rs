//! What a call costs, measured and printed.

use crate::semihosting::{print, print_number};
use crate::{stack, timer};

/// The cost of a call.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// Executed instructions.
    pub instructions: u32,
    /// Peak stack in bytes.
    pub stack: usize,
}

/// Runs `call` and measures it.
pub fn cost<T>(call: impl FnOnce() -> T) -> (T, Cost) {
    let ((result, ticks), stack) = stack::peak(|| {
        let start = timer::now();
        let result = call();
        (result, start.elapsed())
    });
    (result, Cost { instructions: ticks * timer::INSTRUCTIONS_PER_TICK, stack })
}

/// Whose costs they are.
#[derive(Clone, Copy)]
pub struct Report {
    /// A scheme of the protocol.
    pub scheme: &'static str,
    /// A mode, or `-` where it does not matter.
    pub mode: &'static str,
    /// `client`, `gateway` or `bare`.
    pub role: &'static str,
}

impl Report {
    /// Runs `call`, measures it, and prints its cost as that of `figure`.
    pub fn call<T>(self, figure: &str, call: impl FnOnce() -> T) -> T {
        let (result, cost) = cost(call);
        self.value("instructions", figure, u64::from(cost.instructions));
        self.value("stack", figure, cost.stack as u64);
        result
    }

    /// Prints a number that was found otherwise.
    pub fn value(self, kind: &str, figure: &str, value: u64) {
        for text in [self.scheme, " ", self.mode, " ", self.role, " ", kind, " ", figure, " "] {
            print(text);
        }
        print_number(value);
        print("\n");
    }
}
