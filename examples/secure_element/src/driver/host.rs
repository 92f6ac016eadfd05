//! One command at a time over the bus, repeated where that helps, and which slots are whose.

use super::Trouble;
use crate::frame::{Crc, HEADER_LEN, Header, MAX_LEN, NO_SLOT, Opcode, SLOTS, Status};
use embedded_io::{Read, Write};

/// How often a command is tried. (With silicon there is a wait between two tries; the bus is the place for it.)
pub(super) const TRIES: usize = 8;
/// Late answers that are skipped before the next one.
const LATE: usize = 4;

/// The bits of the slots that keys may take.
const ALL: u16 = ((1 << SLOTS) - 1) << 1;

/// A command, and where its answer goes.
pub(super) struct Call<'c> {
    pub(super) opcode: Opcode,
    pub(super) key: u8,
    pub(super) to: u8,
    /// The payload up to the text: this,
    pub(super) head: &'c [u8],
    /// and these.
    pub(super) parts: &'c [&'c [u8]],
    /// Goes at the payload's end, and comes back at the answer's, of the same length.
    pub(super) text: &'c mut [u8],
    /// Comes before the text.
    pub(super) answer: &'c mut [u8],
}

impl Call<'_> {
    pub(super) fn new(opcode: Opcode) -> Self {
        Self { opcode, key: NO_SLOT, to: NO_SLOT, head: &[], parts: &[], text: &mut [], answer: &mut [] }
    }

    /// Leaves nothing of an answer that cannot be relied on: a plaintext, above all.
    fn wipe(&mut self) {
        self.text.fill(0);
        self.answer.fill(0);
    }
}

/// What came back.
enum Received {
    /// A whole answer.
    Status(Status),
    /// A frame that is not whole.
    Garbled,
}

pub(super) struct Host<B> {
    bus: B,
    sequence: u8,
    /// A bit for each slot that a handle holds.
    held: u16,
    /// A bit for each slot that is to be erased before it is used.
    dirty: u16,
    trouble: Option<Trouble>,
}

impl<B> Host<B> {
    pub(super) const fn new(bus: B) -> Self {
        Self { bus, sequence: 0, held: 0, dirty: 0, trouble: None }
    }

    pub(super) const fn free(&self) -> u16 {
        ALL & !self.held & !self.dirty
    }

    pub(super) const fn last_trouble(&self) -> Option<Trouble> {
        self.trouble
    }
}

const fn bit(slot: u8) -> u16 {
    // No slot has no bit.
    match 1_u16.checked_shl(slot as u32) {
        Some(bit) => bit & ALL,
        None => 0,
    }
}

impl<B: Read + Write> Host<B> {
    pub(super) fn take(&mut self) -> Result<u8, Trouble> {
        if self.free() == 0 {
            let _ = self.tidy(); // it may make room
        }
        let free = self.free();
        if free == 0 {
            return Err(self.note(Trouble::NoFreeSlot));
        }
        let slot = free.trailing_zeros() as u8;
        self.held |= bit(slot);
        Ok(slot)
    }

    pub(super) fn release(&mut self, slot: u8) {
        self.held &= !bit(slot);
        self.dirty |= bit(slot);
        let _ = self.tidy(); // where that fails, it is done before the next command
    }

    pub(super) fn tidy(&mut self) -> Result<(), Trouble> {
        while self.dirty != 0 {
            let slot = self.dirty.trailing_zeros() as u8;
            let outcome = self.exchange(&mut Call { key: slot, ..Call::new(Opcode::Erase) });
            outcome.map_err(|trouble| self.note(trouble))?;
            self.dirty &= !bit(slot);
        }
        Ok(())
    }

    pub(super) fn call(&mut self, mut call: Call<'_>) -> Result<(), Trouble> {
        let _ = self.tidy(); // the bus may be better for what comes next
        self.exchange(&mut call).map_err(|trouble| self.note(trouble))
    }

    fn note(&mut self, trouble: Trouble) -> Trouble {
        self.trouble = Some(trouble);
        trouble
    }

    /// Sends the command until it is taken, and asks for its answer until that is whole: a command that was carried out is
    /// never sent again.
    fn exchange(&mut self, call: &mut Call<'_>) -> Result<(), Trouble> {
        self.sequence = self.sequence.wrapping_add(1);
        let header =
            Header { sequence: self.sequence, opcode: call.opcode as u8, key: call.key, to: call.to };
        let (mut repeat, mut written) = (false, false);
        let mut trouble = Trouble::Garbled;
        for _ in 0..TRIES {
            let sent = if repeat {
                self.send(Header { opcode: Opcode::Repeat as u8, ..header }, &[], &[], &[])
            } else {
                self.send(header, call.head, call.parts, call.text)
            };
            match sent.and_then(|()| self.receive(header, call, &mut written)) {
                Ok(Received::Status(Status::Done)) => return Ok(()),
                Ok(Received::Status(Status::Busy)) => trouble = Trouble::Busy,
                Ok(Received::Status(Status::Garbled)) => trouble = Trouble::Garbled,
                // It was not carried out, or the chip has lost its power since. The text is gone where an answer has begun.
                Ok(Received::Status(Status::Forgotten)) if repeat && !written => repeat = false,
                Ok(Received::Garbled) => (trouble, repeat) = (Trouble::Garbled, true),
                Ok(Received::Status(status)) => {
                    trouble = Trouble::Refused(status);
                    break;
                }
                Err(error) => {
                    trouble = error;
                    break;
                }
            }
        }
        if written {
            call.wipe();
        }
        Err(trouble)
    }

    fn send(&mut self, header: Header, head: &[u8], parts: &[&[u8]], text: &[u8]) -> Result<(), Trouble> {
        let ends = head.len().saturating_add(text.len());
        let payload = parts.iter().fold(ends, |sum, part| sum.saturating_add(part.len()));
        let length = payload.saturating_add(HEADER_LEN);
        let length =
            u16::try_from(length).ok().filter(|_| length <= MAX_LEN).ok_or(Trouble::TooLong)?.to_be_bytes();
        let (header, mut crc) = (header.to_bytes(), Crc::new());
        for part in [&length[..], &header, head].into_iter().chain(parts.iter().copied()).chain([text]) {
            crc.update(part);
            self.bus.write_all(part).map_err(|_| Trouble::Bus)?;
        }
        self.bus.write_all(&crc.to_bytes()).map_err(|_| Trouble::Bus)?;
        self.bus.flush().map_err(|_| Trouble::Bus)
    }

    /// Receives the answer to the command with this header. `written` is set once the text has been written to.
    fn receive(
        &mut self,
        asked: Header,
        call: &mut Call<'_>,
        written: &mut bool,
    ) -> Result<Received, Trouble> {
        for _ in 0..LATE {
            let mut first = [0];
            // Silence; whatever is missing later is missing of a frame.
            self.bus.read_exact(&mut first).map_err(|_| Trouble::Bus)?;
            let Some((header, status)) = self.frame(first, asked, call, written) else {
                self.drain();
                return Ok(Received::Garbled);
            };
            if status == Status::Garbled {
                return Ok(Received::Status(status)); // of a header that may be garbled, too
            }
            if header.sequence != asked.sequence {
                continue;
            }
            if (header.key, header.to) != (asked.key, asked.to) {
                // What it has put anywhere is no key of ours.
                self.dirty |= bit(header.to) & !self.held;
                return Err(Trouble::WrongSlot);
            }
            return Ok(Received::Status(status));
        }
        Err(Trouble::Bus)
    }

    /// The rest of a frame, if it is whole. The answer is written where the frame is the one that is awaited.
    fn frame(
        &mut self,
        first: [u8; 1],
        asked: Header,
        call: &mut Call<'_>,
        written: &mut bool,
    ) -> Option<(Header, Status)> {
        let mut crc = Crc::new();
        let mut rest = [0; 1 + HEADER_LEN + 1];
        self.bus.read_exact(&mut rest).ok()?;
        crc.update(&first);
        crc.update(&rest);
        let ([second], rest) = rest.split_first_chunk()?;
        let (header, status) = rest.split_first_chunk()?;
        let header = Header::from_bytes(*header);
        let status = Status::from_byte(*status.first()?)?;
        let length = usize::from(u16::from_be_bytes([first[0], *second]));
        let payload = length.checked_sub(HEADER_LEN.saturating_add(1)).filter(|_| length <= MAX_LEN)?;
        let expected = call.answer.len().saturating_add(call.text.len());
        if status == Status::Done && header == asked && payload == expected {
            *written |= expected > 0;
            for part in [&mut *call.answer, &mut *call.text] {
                self.bus.read_exact(part).ok()?;
                crc.update(part);
            }
        } else {
            for _ in 0..payload {
                let mut byte = [0];
                self.bus.read_exact(&mut byte).ok()?;
                crc.update(&byte);
            }
        }
        let mut checksum = [0; 2];
        self.bus.read_exact(&mut checksum).ok()?;
        // An answer of another length is none.
        let whole = checksum == crc.to_bytes()
            && (status != Status::Done || header.sequence != asked.sequence || payload == expected);
        whole.then_some((header, status))
    }

    /// Reads what is left of a garbled frame, until the bus is silent.
    fn drain(&mut self) {
        let mut byte = [0];
        for _ in 0..MAX_LEN {
            if !matches!(self.bus.read(&mut byte), Ok(1..)) {
                break;
            }
        }
    }
}
