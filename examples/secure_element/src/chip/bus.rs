//! The bus: what the host flushes is one command, and what the chip answers is read until it ends.

use super::{Shared, lock};
use embedded_io::{Error, ErrorKind, ErrorType, Read, Write};
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::vec::Vec;

/// The longest that a host waits for a chip that works.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who has sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The host.
    ToChip,
    /// The chip.
    ToHost,
}

/// What went over the bus at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which way.
    pub direction: Direction,
    /// The frame.
    pub bytes: Vec<u8>,
}

/// The bus failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusError {
    /// The chip is silent.
    Silent,
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the chip is silent")
    }
}

impl core::error::Error for BusError {}

impl Error for BusError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

/// The host's end.
pub struct Bus {
    to_chip: Sender<Vec<u8>>,
    from_chip: Receiver<Vec<u8>>,
    /// What is written and not yet flushed.
    command: Vec<u8>,
    /// What is left of an answer, its end first.
    answer: Vec<u8>,
    /// Answers that are still to come.
    awaited: usize,
    shared: Arc<Mutex<Shared>>,
}

/// The chip's end.
pub(super) struct Wire {
    to_host: Sender<Vec<u8>>,
    from_host: Receiver<Vec<u8>>,
}

pub(super) fn pair(shared: Arc<Mutex<Shared>>) -> (Bus, Wire) {
    let ((to_chip, from_host), (to_host, from_chip)) = (channel(), channel());
    let (command, answer) = (Vec::new(), Vec::new());
    (Bus { to_chip, from_chip, command, answer, awaited: 0, shared }, Wire { to_host, from_host })
}

impl Wire {
    /// The next command; `None` when the host is gone.
    pub(super) fn receive(&self) -> Option<Vec<u8>> {
        self.from_host.recv().ok()
    }

    pub(super) fn answer(&self, answer: Vec<u8>) {
        let _ = self.to_host.send(answer); // where nobody listens, there is nobody to tell
    }
}

impl Bus {
    fn log(&self, direction: Direction, bytes: &[u8]) {
        lock(&self.shared).log.push(Entry { direction, bytes: bytes.into() });
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bus")
    }
}

impl ErrorType for Bus {
    type Error = BusError;
}

impl Write for Bus {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, BusError> {
        self.command.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), BusError> {
        if !self.command.is_empty() {
            let command = core::mem::take(&mut self.command);
            self.log(Direction::ToChip, &command);
            self.to_chip.send(command).map_err(|_| BusError::Silent)?;
            self.awaited = self.awaited.saturating_add(1);
        }
        Ok(())
    }
}

impl Read for Bus {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, BusError> {
        if self.answer.is_empty() {
            // Nothing comes unasked: no need to wait for it.
            self.awaited = self.awaited.checked_sub(1).ok_or(BusError::Silent)?;
            let answer = self.from_chip.recv_timeout(PATIENCE).map_err(|_| BusError::Silent)?;
            self.log(Direction::ToHost, &answer);
            self.answer = answer;
            self.answer.reverse();
        }
        if self.answer.is_empty() {
            return Err(BusError::Silent);
        }
        let mut read = 0_usize;
        for to in out {
            let Some(byte) = self.answer.pop() else { break };
            *to = byte;
            read = read.saturating_add(1);
        }
        Ok(read)
    }
}
