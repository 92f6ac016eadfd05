//! The machine that the firmware runs on: an Arm MPS2 board as QEMU emulates it, `mps2-an386` (Cortex-M4) or `mps2-an385`
//! (Cortex-M3, which runs the code of a Cortex-M0+). Peripherals are those of Arm's CMSDK.
#![no_std]

pub mod cost;
mod memory;
pub mod random;
pub mod semihosting;
pub mod stack;
pub mod timer;
pub mod uart;

use semihosting::exit;

/// The exit code after a panic, as in programs with an operating system.
pub const PANICKED: u32 = 101;
/// The exit code after a fault of the processor.
pub const FAULTED: u32 = 102;

/// Ends the program. It formats nothing: the message would cost some 10 KB of flash.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(PANICKED)
}

#[cortex_m_rt::exception]
unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
    exit(FAULTED)
}

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_: i16) -> ! {
    exit(FAULTED)
}

/// A register of a peripheral.
#[derive(Clone, Copy)]
struct Register(usize);

impl Register {
    fn read(self) -> u32 {
        // SAFETY: the address is that of a register of this board.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: the address is that of a register of this board.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}
