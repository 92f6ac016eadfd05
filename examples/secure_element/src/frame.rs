//! What goes over the bus: commands and answers, each a frame with its length and a checksum.
//!
//! ```text
//! command   length(2) ‖ sequence(1) ‖ opcode(1) ‖ key(1) ‖ to(1) ‖ payload ‖ crc(2)
//! answer    length(2) ‖ sequence(1) ‖ opcode(1) ‖ key(1) ‖ to(1) ‖ status(1) ‖ payload ‖ crc(2)
//! ```
//!
//! Integers are big-endian; the length counts what is between it and the checksum, which is over all before it. `key` is the
//! slot that a command works with and `to` the one that it puts a new key into, [`NO_SLOT`] where there is none. An answer
//! repeats the four bytes of the header that the chip has acted on, so that the host sees which slots it took.

/// The most bytes between a frame's length and its checksum.
pub const MAX_LEN: usize = 16 * 1024;
/// Bytes of a command's header: sequence, opcode, and two slots.
pub const HEADER_LEN: usize = 4;
/// Slots for keys that a loss of power erases: 1 to 8. Slot 0 holds the identity, for good.
pub const SLOTS: u8 = 8;
/// The slot of the identity.
pub const IDENTITY: u8 = 0;
/// The slot of the key that is encrypted to: made in the chip when it is first asked for, and there for good.
pub const RECIPIENT: u8 = 0x10;
/// No slot.
pub const NO_SLOT: u8 = 0xff;

/// What a chip does. The payloads stand behind: `command → answer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Opcode {
    /// Erases all slots but the identity's.
    Reset = 0x01,
    /// Random bytes: `length(2) → bytes`.
    Random = 0x10,
    /// Generates a P-256 key into `to`, which may be [`RECIPIENT`], once: `→ point(65)`.
    Generate = 0x20,
    /// Checks a point: `point(65) →`.
    Validate = 0x21,
    /// Agrees with the private key in `key`, which becomes Z: `point(65) →`. The private key is gone, whatever comes of it.
    Agree = 0x22,
    /// Agrees with the key that is encrypted to in `key`, which stays; Z goes to `to`: `point(65) →`.
    Receive = 0x23,
    /// HKDF-Extract of the Z in `key`, which becomes the PRK: `salt →`.
    Extract = 0x30,
    /// Copies the secret in `key` to `to`, as a PRK.
    AsPrk = 0x31,
    /// HKDF-Expand of the PRK in `key` into `to`: `kind(1) ‖ info →`, kind as [`Derived`].
    Expand = 0x32,
    /// HKDF-Expand of the PRK in `key` into bytes that leave: `length(2) ‖ info → bytes`.
    ExpandBytes = 0x33,
    /// HMAC-SHA256 by the secret in `key`: `message → mac(32)`.
    Mac = 0x34,
    /// Concat KDF of the Z in `key`, which becomes a key of AES-256 key wrap: `other info →`.
    ConcatKdf = 0x35,
    /// Seals by the AEAD key in `key`: `nonce(12) ‖ aad length(2) ‖ aad ‖ text → tag(16) ‖ text`.
    Seal = 0x40,
    /// Opens by the AEAD key in `key`: `nonce(12) ‖ tag(16) ‖ aad length(2) ‖ aad ‖ text → text`.
    Open = 0x41,
    /// Draws a content key and wraps it by the key in `key`, which becomes the content key: `→ wrapped(40)`.
    Wrap = 0x42,
    /// Unwraps a content key by the key in `key`, which becomes the content key: `wrapped(40) →`. It is gone, whatever comes of it.
    Unwrap = 0x43,
    /// ES256 by the identity in `key`: `message → signature(64)`.
    Sign = 0x50,
    /// The public key of the identity or of the key that is encrypted to, in `key`: `→ point(65)`.
    Public = 0x51,
    /// Verifies ES256: `point(65) ‖ signature(64) ‖ message →`.
    Verify = 0x52,
    /// Erases `key`, which may be empty.
    Erase = 0x60,
    /// Sends the answer to the command with this sequence number once more.
    Repeat = 0x61,
    /// What is in `key`: `→ bytes`. Engineering samples have it; no chip that is sold does.
    Dump = 0x7f,
}

/// What [`Opcode::Expand`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Derived {
    /// 32 bytes that serve as a key of HMAC, or as a PRK.
    Secret = 0,
    /// A key of AES-128-GCM.
    Aes128 = 1,
    /// A key of AES-256-GCM.
    Aes256 = 2,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// It is done.
    Done = 0x00,
    /// The chip did not take the command: try again.
    Busy = 0x01,
    /// The checksum of the command is wrong: send it again.
    Garbled = 0x02,
    /// There is no such command, or its payload is not as it should be.
    Malformed = 0x03,
    /// The slot is empty, or holds a key of another kind.
    NoKey = 0x04,
    /// The slot holds a key already.
    Occupied = 0x05,
    /// The point is none of the curve.
    InvalidPoint = 0x06,
    /// A tag or a signature is wrong.
    Authentication = 0x07,
    /// The generator failed.
    Random = 0x08,
    /// There is no answer to this sequence number.
    Forgotten = 0x09,
    /// Anything else.
    Failed = 0x0a,
}

impl Opcode {
    /// All.
    pub const ALL: [Self; 22] = [
        Self::Reset,
        Self::Random,
        Self::Generate,
        Self::Validate,
        Self::Agree,
        Self::Receive,
        Self::Extract,
        Self::AsPrk,
        Self::Expand,
        Self::ExpandBytes,
        Self::Mac,
        Self::ConcatKdf,
        Self::Seal,
        Self::Open,
        Self::Wrap,
        Self::Unwrap,
        Self::Sign,
        Self::Public,
        Self::Verify,
        Self::Erase,
        Self::Repeat,
        Self::Dump,
    ];

    /// The command with this code.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|opcode| *opcode as u8 == byte)
    }
}

impl Derived {
    /// The kind with this code.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Secret, Self::Aes128, Self::Aes256].into_iter().find(|kind| *kind as u8 == byte)
    }
}

impl Status {
    /// The status with this code.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        use Status::{
            Authentication, Busy, Done, Failed, Forgotten, Garbled, InvalidPoint, Malformed, NoKey, Occupied,
            Random,
        };
        [
            Done,
            Busy,
            Garbled,
            Malformed,
            NoKey,
            Occupied,
            InvalidPoint,
            Authentication,
            Random,
            Forgotten,
            Failed,
        ]
        .into_iter()
        .find(|status| *status as u8 == byte)
    }
}

/// The header of a command, which its answer repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Tells an answer from one to another command.
    pub sequence: u8,
    /// An [`Opcode`].
    pub opcode: u8,
    /// The slot that it works with.
    pub key: u8,
    /// The slot that it puts a key into.
    pub to: u8,
}

impl Header {
    /// As on the bus.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; HEADER_LEN] {
        [self.sequence, self.opcode, self.key, self.to]
    }

    /// From the bus.
    #[must_use]
    pub const fn from_bytes([sequence, opcode, key, to]: [u8; HEADER_LEN]) -> Self {
        Self { sequence, opcode, key, to }
    }
}

/// CRC-16/IBM-3740 (CCITT with all bits set at first): finds what a bus does to a frame, and no attacker.
#[derive(Clone, Copy, Debug)]
pub struct Crc(u16);

impl Crc {
    /// Of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(0xffff)
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u16::from(*byte) << 8;
            for _ in 0..8 {
                self.0 = if self.0 & 0x8000 == 0 { self.0 << 1 } else { (self.0 << 1) ^ 0x1021 };
            }
        }
    }

    /// As on the bus.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

impl Default for Crc {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        let mut crc = Crc::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!(crc.to_bytes(), [0x29, 0xb1], "the check value of CRC-16/IBM-3740");
    }

    #[test]
    fn codes_are_read_as_they_are_written() {
        for byte in 0..=u8::MAX {
            assert!(Opcode::from_byte(byte).is_none_or(|opcode| opcode as u8 == byte));
            assert!(Status::from_byte(byte).is_none_or(|status| status as u8 == byte));
            assert!(Derived::from_byte(byte).is_none_or(|kind| kind as u8 == byte));
        }
        assert!(Opcode::ALL.into_iter().all(|opcode| Opcode::from_byte(opcode as u8) == Some(opcode)));
        assert!((0..=10).all(|byte| Status::from_byte(byte).is_some()) && Status::from_byte(11).is_none());
    }
}
