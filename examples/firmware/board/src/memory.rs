//! Copying, filling and comparing in 0.2 KB of flash: the compiler calls these for what is too long for registers.
//!
//! Those that come with the compiler take 1.7 KB: they are unrolled, and shift words together where two blocks lie at
//! different distances from a boundary. These go from the end to the front: Cortex-M4 copies four words at a time where both
//! ends are on a boundary, as keys, hashes and coordinates are, and otherwise one.

use core::arch::global_asm;

/// A section with functions, each of which has some names, and runs on into the one behind it.
macro_rules! routine {
    ($section:literal: $($($name:literal)+ => $($line:literal)+;)+) => {
        global_asm!(
            ".syntax unified",
            concat!(".section .text.memory.", $section, ", \"ax\", %progbits"),
            ".p2align 1",
            $(
                $(concat!(".global ", $name), concat!(".type ", $name, ", %function"), concat!($name, ":"),)+
                $($line,)+
            )+
        );
    };
}

// (to, from, length). Nothing is written before all that lies behind it has been read, so that it serves moves to higher
// addresses, too. Cortex-M4 loads words from any address; Cortex-M0 wants both ends of each on a boundary.
#[cfg(unaligned)]
routine! { "copy":
    "memcpy" "__aeabi_memcpy" "__aeabi_memcpy4" "__aeabi_memcpy8" =>
    "    push {{r4, r5, r6, lr}}"
    "    add r12, r0, r2"
    "    add r1, r2"
    "    orr r3, r1, r12"
    "    lsls r3, #30"
    "    bne 3f"
    "    subs r2, #16"
    "    blo 2f"
    "1:  ldmdb r1!, {{r3, r4, r5, r6}}"
    "    stmdb r12!, {{r3, r4, r5, r6}}"
    "    subs r2, #16"
    "    bhs 1b"
    "2:  adds r2, #16"
    "    beq 7f"
    "3:  subs r2, #4"
    "    blo 5f"
    "4:  ldr r3, [r1, #-4]!"
    "    str r3, [r12, #-4]!"
    "    subs r2, #4"
    "    bhs 4b"
    "5:  adds r2, #4"
    "    beq 7f"
    "6:  ldrb r3, [r1, #-1]!"
    "    strb r3, [r12, #-1]!"
    "    subs r2, #1"
    "    bne 6b"
    "7:  pop {{r4, r5, r6, pc}}";
}
#[cfg(not(unaligned))]
routine! { "copy":
    "memcpy" "__aeabi_memcpy" "__aeabi_memcpy4" "__aeabi_memcpy8" =>
    "    mov r3, r0"
    "    orrs r3, r1"
    "    lsls r3, #30"
    "    bne 3f"
    "1:  lsls r3, r2, #30"
    "    beq 2f"
    "    subs r2, #1"
    "    ldrb r3, [r1, r2]"
    "    strb r3, [r0, r2]"
    "    b 1b"
    "5:  ldr r3, [r1, r2]"
    "    str r3, [r0, r2]"
    "2:  subs r2, #4"
    "    bhs 5b"
    "    bx lr"
    "4:  ldrb r3, [r1, r2]"
    "    strb r3, [r0, r2]"
    "3:  subs r2, #1"
    "    bhs 4b"
    "    bx lr";
}

// (to, from, length), where the two may overlap: a move to lower addresses goes from the front to the end.
#[cfg(unaligned)]
routine! { "move":
    "memmove" "__aeabi_memmove" "__aeabi_memmove4" "__aeabi_memmove8" =>
    "    push {{r0, r4, lr}}"
    "    cmp r0, r1"
    "    bls 2f"
    "    bl memcpy"
    "    pop {{r0, r4, pc}}"
    "1:  ldr r4, [r1], #4"
    "    str r4, [r0], #4"
    "2:  subs r2, #4"
    "    bhs 1b"
    "    adds r2, #4"
    "    beq 4f"
    "3:  ldrb r4, [r1], #1"
    "    strb r4, [r0], #1"
    "    subs r2, #1"
    "    bne 3b"
    "4:  pop {{r0, r4, pc}}";
}
#[cfg(not(unaligned))]
routine! { "move":
    "memmove" "__aeabi_memmove" "__aeabi_memmove4" "__aeabi_memmove8" =>
    "    push {{r0, r4, lr}}"
    "    movs r3, #0"
    "    cmp r0, r1"
    "    bls 2f"
    "    bl memcpy"
    "    pop {{r0, r4, pc}}"
    "1:  ldrb r4, [r1, r3]"
    "    strb r4, [r0, r3]"
    "    adds r3, #1"
    "2:  cmp r3, r2"
    "    bne 1b"
    "    pop {{r0, r4, pc}}";
}

// (to, length), and (to, length, byte).
#[cfg(unaligned)]
routine! { "fill":
    "__aeabi_memclr" "__aeabi_memclr4" "__aeabi_memclr8" =>
    "    movs r2, #0";
    "__aeabi_memset" "__aeabi_memset4" "__aeabi_memset8" =>
    "    uxtb r2, r2"
    "    lsls r3, r2, #8"
    "    orrs r2, r3"
    "    lsls r3, r2, #16"
    "    orrs r2, r3"
    "    add r3, r0, r1"
    "    subs r1, #16"
    "    blo 2f"
    "1:  str r2, [r3, #-4]!"
    "    str r2, [r3, #-4]!"
    "    str r2, [r3, #-4]!"
    "    str r2, [r3, #-4]!"
    "    subs r1, #16"
    "    bhs 1b"
    "2:  adds r1, #12"
    "    blo 4f"
    "3:  str r2, [r3, #-4]!"
    "    subs r1, #4"
    "    bhs 3b"
    "4:  adds r1, #4"
    "    beq 6f"
    "5:  strb r2, [r3, #-1]!"
    "    subs r1, #1"
    "    bne 5b"
    "6:  bx lr";
}
#[cfg(not(unaligned))]
routine! { "fill":
    "__aeabi_memclr" "__aeabi_memclr4" "__aeabi_memclr8" =>
    "    movs r2, #0";
    "__aeabi_memset" "__aeabi_memset4" "__aeabi_memset8" =>
    "    uxtb r2, r2"
    "    lsls r3, r2, #8"
    "    orrs r2, r3"
    "    lsls r3, r2, #16"
    "    orrs r2, r3"
    "1:  adds r3, r0, r1"
    "    lsls r3, #30"
    "    beq 2f"
    "3:  subs r1, #1"
    "    blo 6f"
    "    strb r2, [r0, r1]"
    "    b 1b"
    "4:  str r2, [r0, r1]"
    "2:  subs r1, #4"
    "    bhs 4b"
    "    adds r1, #4"
    "5:  subs r1, #1"
    "    blo 6f"
    "    strb r2, [r0, r1]"
    "    b 5b"
    "6:  bx lr";
}

// (to, byte, length), and the first of them is what is returned.
routine! { "memset":
    "memset" =>
    "    push {{r0, lr}}"
    "    mov r3, r1"
    "    mov r1, r2"
    "    mov r2, r3"
    "    bl __aeabi_memset"
    "    pop {{r0, pc}}";
}

// (a, b, length): the difference of the first bytes that differ.
routine! { "compare":
    "memcmp" "bcmp" =>
    "    push {{r4, r5, lr}}"
    "    movs r3, #0"
    "1:  cmp r3, r2"
    "    beq 2f"
    "    ldrb r4, [r0, r3]"
    "    ldrb r5, [r1, r3]"
    "    adds r3, #1"
    "    subs r4, r5"
    "    beq 1b"
    "    mov r0, r4"
    "    pop {{r4, r5, pc}}"
    "2:  movs r0, #0"
    "    pop {{r4, r5, pc}}";
}
