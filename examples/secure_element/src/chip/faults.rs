//! What a test does to the chip and its bus.

use std::vec::Vec;

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
    /// Its end does not come to the chip: one byte does, and so many more, modulo the rest.
    CutCommand(usize),
    /// The answer's end does not come back: one byte does, and so many more, modulo the rest.
    CutAnswer(usize),
    /// It never comes to the chip, which keeps its power.
    LostCommand,
    /// Its answer never comes back; the chip keeps its power.
    LostAnswer,
    /// It comes to the chip twice, which carries it out twice and answers both.
    RepeatedCommand,
    /// Its answer comes back twice.
    RepeatedAnswer,
    /// The power fails before it is carried out, and comes back: all slots but those that last are empty.
    PowerLostBefore,
    /// The power fails once it has been carried out, before the answer.
    PowerLostAfter,
    /// The answer comes late: before the next one.
    Late,
    /// The answer comes later still: the next one overtakes it.
    Overtaken,
    /// The chip takes another slot than it was told: so many further, round about.
    WrongSlot(u8),
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    commands: usize,
    /// From which command on, what, and how often yet.
    armed: Vec<(usize, Fault, usize)>,
    happened: usize,
}

impl Faults {
    pub(super) fn arm(&mut self, at: usize, fault: Fault, times: usize) {
        self.armed.push((self.commands.saturating_add(at), fault, times));
    }

    pub(super) fn disarm(&mut self) -> usize {
        self.armed.clear();
        core::mem::take(&mut self.happened)
    }

    pub(super) const fn commands(&self) -> usize {
        self.commands
    }

    /// What happens to the next command.
    pub(super) fn next(&mut self) -> Vec<Fault> {
        let number = self.commands;
        self.commands = number.saturating_add(1);
        let due = self.armed.iter_mut().filter(|(at, _, left)| number >= *at && *left > 0);
        let due: Vec<Fault> = due
            .map(|(_, fault, left)| {
                *left = left.saturating_sub(1);
                *fault
            })
            .collect();
        self.happened = self.happened.saturating_add(usize::from(!due.is_empty()));
        due
    }
}

/// Leaves one byte and so many more, modulo the rest.
pub(super) fn cut(frame: &mut Vec<u8>, at: usize) {
    let rest = frame.len().saturating_sub(1);
    frame.truncate(at.checked_rem(rest).unwrap_or_default().saturating_add(1));
}

/// Flips a bit of the byte with this number, modulo the length.
pub(super) fn garble(frame: &mut [u8], at: usize) {
    let at = at.checked_rem(frame.len()).unwrap_or_default();
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= 0x10;
    }
}
