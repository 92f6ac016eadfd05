//! What a test does to the chip and its bus.

/// What happens to one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The chip is busy and does not take it.
    Busy,
    /// A bit of the byte with this number, modulo the length, is flipped on the way to the chip.
    GarbledCommand(usize),
    /// A bit of the byte with this number, modulo the length, is flipped on the way back.
    GarbledAnswer(usize),
    /// The power fails before it is carried out, and comes back: all slots but the identity's are empty.
    PowerLostBefore,
    /// The power fails once it has been carried out, before the answer.
    PowerLostAfter,
    /// The chip takes another slot than it was told: so many further, round about.
    WrongSlot(u8),
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    commands: usize,
    armed: Option<(usize, Fault)>,
    left: usize,
    happened: usize,
}

impl Faults {
    pub(super) fn arm(&mut self, at: usize, fault: Fault, times: usize) {
        self.armed = Some((self.commands.saturating_add(at), fault));
        (self.left, self.happened) = (times, 0);
    }

    pub(super) fn disarm(&mut self) -> usize {
        self.armed = None;
        self.happened
    }

    pub(super) const fn commands(&self) -> usize {
        self.commands
    }

    /// What happens to the next command.
    pub(super) fn next(&mut self) -> Option<Fault> {
        let number = self.commands;
        self.commands = number.saturating_add(1);
        let (at, fault) = self.armed?;
        if number < at {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        self.happened = self.happened.saturating_add(1);
        Some(fault)
    }
}

/// Flips a bit of the byte with this number, modulo the length.
pub(super) fn garble(frame: &mut [u8], at: usize) {
    let at = at.checked_rem(frame.len()).unwrap_or_default();
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= 0x10;
    }
}
