//! Arm semihosting: the program's output and its exit code, through the emulator or a debug probe.

use core::arch::asm;

const SYS_OPEN: usize = 0x01;
const SYS_CLOSE: usize = 0x02;
const SYS_WRITE: usize = 0x05;
const SYS_READ: usize = 0x06;
const SYS_TIME: usize = 0x11;
const SYS_GET_CMDLINE: usize = 0x15;
const SYS_EXIT_EXTENDED: usize = 0x20;
const APPLICATION_EXIT: usize = 0x2_0026;

fn call(operation: usize, block: &[usize]) -> usize {
    let result;
    // SAFETY: the host reads the block, reads or writes what it points to, and answers in r0.
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

/// Fills `buffer` from the front of the host's file at `path`, of at most 255 bytes; whether it did.
#[must_use]
pub fn read_file(path: &str, buffer: &mut [u8]) -> bool {
    const READ_BINARY: usize = 1;
    let mut name = [0; 256];
    match name.get_mut(..path.len()) {
        Some(room) if path.len() < 256 => room.copy_from_slice(path.as_bytes()),
        _ => return false,
    }
    let handle = call(SYS_OPEN, &[name.as_ptr() as usize, READ_BINARY, path.len()]);
    if handle == usize::MAX {
        return false;
    }
    // The host answers with the number of bytes that it did not read.
    let missing = call(SYS_READ, &[handle, buffer.as_mut_ptr() as usize, buffer.len()]);
    call(SYS_CLOSE, &[handle]);
    missing == 0
}

/// The words that the program was started with, one space between two of them.
#[must_use]
pub fn command_line(buffer: &mut [u8]) -> Option<&str> {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    let result: usize;
    // SAFETY: the host writes the text, then NUL, within the length that the block names, and its length into the block.
    unsafe {
        asm!("bkpt 0xAB", inout("r0") SYS_GET_CMDLINE => result, in("r1") block.as_mut_ptr(), options(nostack));
    }
    let [_, length] = block;
    (result == 0).then(|| core::str::from_utf8(buffer.get(..length)?).ok())?
}

/// Seconds since 1970 by the host's clock.
#[must_use]
pub fn unix_seconds() -> u32 {
    call(SYS_TIME, &[]) as u32
}

/// Ends the emulator with `code` as its exit code.
pub fn exit(code: u32) -> ! {
    loop {
        call(SYS_EXIT_EXTENDED, &[APPLICATION_EXIT, code as usize]);
    }
}
