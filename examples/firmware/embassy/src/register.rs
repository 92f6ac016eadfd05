//! Registers of the board's peripherals.

/// A register of 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Register(pub(crate) usize);

impl Register {
    pub(crate) fn read(self) -> u32 {
        // SAFETY: the address is that of a register of this board.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: the address is that of a register of this board.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}
