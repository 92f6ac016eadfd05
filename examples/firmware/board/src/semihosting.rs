//! Arm semihosting: the program's output and its exit code, through the emulator or a debug probe.

use core::arch::asm;

const SYS_OPEN: usize = 0x01;
const SYS_WRITE: usize = 0x05;
const SYS_EXIT_EXTENDED: usize = 0x20;
const APPLICATION_EXIT: usize = 0x2_0026;

fn call(operation: usize, block: &[usize]) -> usize {
    let result;
    // SAFETY: the host reads the block, and what it points to, and answers in r0.
    unsafe {
        asm!("bkpt 0xAB", inout("r0") operation => result, in("r1") block.as_ptr(), options(nostack));
    }
    result
}

/// Writes `text` to the standard output.
pub fn print(text: &str) {
    const TERMINAL: &str = ":tt\0";
    const WRITE: usize = 4;
    // The host answers with the same handle each time.
    let handle = call(SYS_OPEN, &[TERMINAL.as_ptr() as usize, WRITE, TERMINAL.len() - 1]);
    call(SYS_WRITE, &[handle, text.as_ptr() as usize, text.len()]);
}

/// Writes `number` in decimal digits to the standard output. (`core::fmt` would cost flash and stack.)
pub fn print_number(number: u64) {
    let mut digits = [0; 20];
    let (mut rest, mut start) = (number, digits.len());
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' | (rest % 10) as u8;
        rest /= 10;
        start = at;
        if rest == 0 {
            break;
        }
    }
    print(digits.get(start..).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or_default());
}

/// Ends the emulator with `code` as its exit code.
pub fn exit(code: u32) -> ! {
    loop {
        call(SYS_EXIT_EXTENDED, &[APPLICATION_EXIT, code as usize]);
    }
}
