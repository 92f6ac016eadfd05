//! What an observer of the wire sees: every byte of every stream, in both directions.

use dynamic_key::transport::http1::Connect;
use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

/// Who sent some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Gateway,
}

/// What went over the wire so far, in order; neighbours of one sender are joined.
#[derive(Clone, Default)]
pub(crate) struct Tape(Rc<RefCell<Vec<Said>>>);

/// What one side said until the other did.
type Said = (Side, Vec<u8>);

impl Tape {
    fn record(&self, from: Side, bytes: &[u8]) {
        let mut tape = self.0.borrow_mut();
        match tape.last_mut() {
            Some((last, said)) if *last == from => said.extend_from_slice(bytes),
            _ => tape.push((from, bytes.to_vec())),
        }
    }

    /// Hands out what was recorded and begins anew.
    pub(crate) fn take(&self) -> Vec<Said> {
        mem::take(&mut self.0.borrow_mut())
    }
}

/// A connector whose streams are recorded, where there is a tape.
pub(crate) struct Tapped<C> {
    pub(crate) connector: C,
    pub(crate) tape: Option<Tape>,
}

impl<C: Connect> Connect for Tapped<C> {
    type Stream = TappedStream<C::Stream>;
    type Error = C::Error;

    fn connect(&mut self) -> Result<Self::Stream, C::Error> {
        Ok(TappedStream { stream: self.connector.connect()?, tape: self.tape.clone() })
    }

    fn is_reusable(&mut self, idle: &mut Self::Stream) -> bool {
        self.connector.is_reusable(&mut idle.stream)
    }
}

/// A stream that is recorded.
pub(crate) struct TappedStream<S> {
    stream: S,
    tape: Option<Tape>,
}

impl<S> TappedStream<S> {
    fn record(&self, from: Side, bytes: &[u8], length: usize) {
        if let Some(tape) = &self.tape {
            tape.record(from, bytes.get(..length).unwrap_or_default());
        }
    }
}

impl<S: embedded_io::ErrorType> embedded_io::ErrorType for TappedStream<S> {
    type Error = S::Error;
}

impl<S: embedded_io::Read> embedded_io::Read for TappedStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        let length = self.stream.read(buffer)?;
        self.record(Side::Gateway, buffer, length);
        Ok(length)
    }
}

impl<S: embedded_io::Write> embedded_io::Write for TappedStream<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        let length = self.stream.write(bytes)?;
        self.record(Side::Client, bytes, length);
        Ok(length)
    }

    fn flush(&mut self) -> Result<(), S::Error> {
        self.stream.flush()
    }
}

/// Bytes of a stranger as text that cannot command a terminal: line ends stay, other control characters are escaped.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    for character in text.replace("\r\n", "\n").chars() {
        match character {
            '\n' => out.push('\n'),
            character if character.is_control() => out.extend(character.escape_default()),
            character => out.push(character),
        }
    }
    out
}
