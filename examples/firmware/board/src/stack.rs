//! Peak stack, by painting.

use core::arch::asm;

/// How many bytes are painted below the stack pointer: more than anything that is measured.
pub const DEPTH: usize = 64 * 1024;
const PAINT: u32 = 0xC5A1_5E17;

/// Runs `work`, and returns its result and the bytes of stack that what it calls reached below it.
///
/// # Panics
/// When `work` used all that was painted.
#[inline(never)]
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let top = pointer();
    let bottom = top - DEPTH;
    for address in (bottom..top).step_by(4) {
        // SAFETY: what lies below the stack pointer is free, and nothing is pushed meanwhile: no call, no interrupts. The
        // RAM of the board is far larger than DEPTH and holds little else.
        unsafe { (address as *mut u32).write_volatile(PAINT) };
    }
    let (result, base) = framed(work);
    let untouched = (bottom..top)
        .step_by(4)
        // SAFETY: as above.
        .take_while(|address| unsafe { (*address as *const u32).read_volatile() } == PAINT)
        .count();
    assert!(untouched > 0);
    (result, base.saturating_sub(bottom + 4 * untouched))
}

/// A call of its own, so that the whole frame of `work` lies below that of [`peak`]; and where that frame ends.
#[inline(never)]
fn framed<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let base = pointer();
    (work(), base)
}

/// Whether `bytes` stand anywhere in the [`DEPTH`] bytes below the stack pointer: what a call has left there.
#[inline(never)]
#[must_use]
pub fn holds(bytes: &[u8]) -> bool {
    let top = pointer();
    (top - DEPTH..top - bytes.len()).any(|start| {
        // SAFETY: it reads memory of the stack that nobody uses.
        bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| *byte == unsafe { ((start + at) as *const u8).read_volatile() })
    })
}

#[inline(always)]
fn pointer() -> usize {
    let pointer;
    // SAFETY: it only reads a register.
    unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}
