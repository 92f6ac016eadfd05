//! The CMSDK timer 0, counting down freely at 25 MHz.
//!
//! Under `-icount shift=0` an instruction takes a nanosecond, so a tick is 40 executed instructions.

use crate::Register;

const CONTROL: Register = Register(0x4000_0000);
const VALUE: Register = Register(0x4000_0004);
const RELOAD: Register = Register(0x4000_0008);

/// Ticks in a second.
pub const FREQUENCY: u32 = 25_000_000;
/// Executed instructions in a tick, under `-icount shift=0`.
pub const INSTRUCTIONS_PER_TICK: u32 = 40;

/// Starts the timer.
pub fn start() {
    RELOAD.write(u32::MAX);
    VALUE.write(u32::MAX);
    CONTROL.write(1);
}

/// A moment of the timer.
#[derive(Clone, Copy)]
pub struct Moment(u32);

/// The present moment.
#[must_use]
pub fn now() -> Moment {
    Moment(VALUE.read())
}

impl Moment {
    /// The ticks from `earlier` to this moment, which are less than 2³².
    #[must_use]
    pub fn since(self, earlier: Self) -> u32 {
        earlier.0.wrapping_sub(self.0)
    }

    /// The ticks since then. It wraps after 171 seconds.
    #[must_use]
    pub fn elapsed(self) -> u32 {
        self.0.wrapping_sub(VALUE.read())
    }
}
