//! Bodies of messages: which bytes are of the body, which of its framing, and where it ends (RFC 9112 §6, §7.1).

use super::Refusal;

/// How many bytes the line of one chunk, or all lines after the last chunk, may have.
const LONGEST_LINES: u16 = 1024;

/// A body that is coming in, told apart from its framing. Extensions and trailers of chunks are bounded and ignored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Body {
    state: State,
    /// What is to come of the body or of a chunk, or the chunk's size as far as it has been read.
    left: usize,
    /// Bytes of framing since the last byte of the body.
    lines: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    Size,
    /// After a digit.
    Digits,
    /// In blanks after the digits.
    Blanks,
    /// In an extension.
    Extension,
    /// Before the LF of a chunk's line.
    SizeLf,
    /// In a chunk.
    Data,
    /// After a chunk: before CR, before LF.
    DataCr,
    DataLf,
    /// At the start of a line after the last chunk, in it, and before its LF.
    Trailer,
    TrailerLine,
    TrailerLf,
    /// Before the last LF.
    LastLf,
    /// In a body without chunks, whose length is known, or that the stream ends with.
    Plain,
    UntilEnd,
    /// After the body.
    Complete,
}

/// Kinds of bytes, one bit each.
mod kind {
    pub(super) const DIGIT: u8 = 1;
    pub(super) const BLANK: u8 = 2;
    pub(super) const SEMICOLON: u8 = 4;
    pub(super) const OTHER: u8 = 8;
    /// May stand in a line that is ignored.
    pub(super) const TEXT: u8 = DIGIT | BLANK | SEMICOLON | OTHER;
    pub(super) const CR: u8 = 16;
    pub(super) const LF: u8 = 32;
}

/// The grammar of framing: in which state which bytes lead to which. All others are malformed.
const GRAMMAR: [(State, u8, State); 19] = [
    (State::Size, kind::DIGIT, State::Digits),
    (State::Digits, kind::DIGIT, State::Digits),
    (State::Digits, kind::BLANK, State::Blanks),
    (State::Digits, kind::SEMICOLON, State::Extension),
    (State::Digits, kind::CR, State::SizeLf),
    (State::Blanks, kind::BLANK, State::Blanks),
    (State::Blanks, kind::SEMICOLON, State::Extension),
    (State::Blanks, kind::CR, State::SizeLf),
    (State::Extension, kind::TEXT, State::Extension),
    (State::Extension, kind::CR, State::SizeLf),
    (State::SizeLf, kind::LF, State::Data),
    (State::DataCr, kind::CR, State::DataLf),
    (State::DataLf, kind::LF, State::Size),
    (State::Trailer, kind::CR, State::LastLf),
    (State::LastLf, kind::LF, State::Complete),
    // A line that begins with a blank would continue the one before it.
    (State::Trailer, kind::TEXT & !kind::BLANK, State::TrailerLine),
    (State::TrailerLine, kind::TEXT, State::TrailerLine),
    (State::TrailerLine, kind::CR, State::TrailerLf),
    (State::TrailerLf, kind::LF, State::Trailer),
];

impl Body {
    /// A body in chunks.
    pub(super) const CHUNKED: Self = Self { state: State::Size, left: 0, lines: 0 };
    /// All that comes until the stream ends.
    pub(super) const UNTIL_END: Self = Self { state: State::UntilEnd, left: usize::MAX, lines: 0 };

    /// A body of this length.
    pub(super) const fn of_length(length: usize) -> Self {
        let state = if length == 0 { State::Complete } else { State::Plain };
        Self { state, left: length, lines: 0 }
    }

    /// Whether the whole body has come. Only the end of the stream completes [`Body::UNTIL_END`].
    pub(super) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Whether the end of the stream completes the body.
    pub(super) fn ends_with_stream(&self) -> bool {
        self.state == State::UntilEnd
    }

    /// Whether it comes in chunks, of which none has come.
    pub(super) fn is_chunked(&self) -> bool {
        self.state == State::Size
    }

    /// Whether it is known to be longer than `room`.
    pub(super) fn is_longer_than(&self, room: usize) -> bool {
        self.state == State::Plain && self.left > room
    }

    /// Takes `byte`, the first of the `available` ones that come next, unless the body is complete. Says how many of them are of the
    /// body, which are taken; if none, `byte` was of the framing.
    #[inline(never)]
    pub(super) fn advance(&mut self, byte: u8, available: usize) -> Result<usize, Refusal> {
        let after = match self.state {
            State::UntilEnd => State::UntilEnd,
            State::Plain => State::Complete,
            State::Data => State::DataCr,
            _ => return self.step(byte).map(|()| 0),
        };
        let data = available.min(self.left);
        self.left = self.left.saturating_sub(data);
        if self.left == 0 {
            self.state = after;
            self.lines = 0;
        }
        Ok(data)
    }

    /// Takes a byte of framing.
    fn step(&mut self, byte: u8) -> Result<(), Refusal> {
        self.lines = self.lines.saturating_add(1);
        if self.lines > LONGEST_LINES {
            return Err(Refusal::Malformed);
        }
        let digit = char::from(byte).to_digit(16);
        let kind = match byte {
            b'\r' => kind::CR,
            b'\n' => kind::LF,
            b' ' | b'\t' => kind::BLANK,
            b';' => kind::SEMICOLON,
            _ if digit.is_some() => kind::DIGIT,
            _ if byte.is_ascii_control() => 0,
            _ => kind::OTHER,
        };
        let next = GRAMMAR.iter().find(|(state, kinds, _)| *state == self.state && kinds & kind != 0);
        self.state = next.ok_or(Refusal::Malformed)?.2;
        match (self.state, digit) {
            (State::Digits, Some(digit)) => {
                let size = self.left.checked_mul(16).ok_or(Refusal::BodyTooLong)?;
                self.left = size | digit as usize;
            }
            (State::Data, _) if self.left == 0 => self.state = State::Trailer,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// The body, and what came after it.
    type Decoded = (Vec<u8>, Vec<u8>);

    /// Decodes `wire` in portions of `portion` bytes; `None` if it does not end.
    fn decode(wire: &[u8], portion: usize) -> Result<Option<Decoded>, Refusal> {
        let (mut chunked, mut body, mut over) = (Body::CHUNKED, Vec::new(), Vec::new());
        for mut bytes in wire.chunks(portion) {
            while !bytes.is_empty() && !chunked.is_complete() {
                let data = chunked.advance(bytes[0], bytes.len())?;
                body.extend_from_slice(&bytes[..data]);
                bytes = &bytes[data.max(1)..];
            }
            over.extend_from_slice(bytes);
        }
        Ok(chunked.is_complete().then_some((body, over)))
    }

    #[test]
    fn in_portions_of_any_size() {
        let wire =
            b"5\r\nhello\r\n00A ; x=\"y\"\t;z\r\n, chunked \r\n1;\r\n!\r\n0\r\nA: b\r\nC:\td\r\n\r\nover";
        for portion in 1..=wire.len() {
            let (body, over) = decode(wire, portion).unwrap().unwrap();
            assert_eq!(body, b"hello, chunked !");
            assert_eq!(over, b"over");
        }
        assert_eq!(decode(b"0\r\n\r\n", 1).unwrap().unwrap().0, b"");
    }

    #[test]
    fn cut_anywhere_it_is_not_complete() {
        let wire = b"2;a\r\nab\r\n1\r\nc\r\n0;b\r\nt: u\r\n\r\n";
        for cut in 0..wire.len() {
            assert_eq!(decode(&wire[..cut], 7), Ok(None), "{cut}");
        }
    }

    #[test]
    fn not_quite_chunked() {
        for bad in [
            "\r\n",
            " 1\r\na\r\n0\r\n\r\n",
            "1\na\r\n0\r\n\r\n",
            "1\ra\r\n0\r\n\r\n",
            "1\r\nab\r\n0\r\n\r\n",
            "1\r\na\n0\r\n\r\n",
            "1\r\na0\r\n\r\n",
            "-1\r\na\r\n0\r\n\r\n",
            "+1\r\na\r\n0\r\n\r\n",
            "0x1\r\na\r\n0\r\n\r\n",
            "1 1\r\na",
            "1 a\r\na",
            "g\r\n",
            ";a\r\n",
            "1;a\nb\r\na",
            "1;a\0\r\na",
            "1;a\x7f\r\na",
            "1\0\r\na",
            "0\r\n\n",
            "0\n\n",
            "0\r\n\r\r",
            "0\r\n\ra",
            "0\r\na\nb\r\n\r\n",
            "0\r\na\rb\r\n\r\n",
            "0\r\n b\r\n\r\n",
            "0\r\na: b\r\n c\r\n\r\n",
            "0\r\na\0\r\n\r\n",
            "1\x0b\r\na",
        ] {
            assert_eq!(decode(bad.as_bytes(), 3), Err(Refusal::Malformed), "{bad:?}");
        }
        assert_eq!(decode(b"fffffffffffffffffff\r\n", 3), Err(Refusal::BodyTooLong));
    }

    #[test]
    fn what_is_ignored_is_bounded() {
        let extension = |length| std::format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(length));
        assert!(decode(extension(1020).as_bytes(), 100).is_ok());
        assert_eq!(decode(extension(1021).as_bytes(), 100), Err(Refusal::Malformed));
        let zeros = "0".repeat(1025);
        assert_eq!(decode(zeros.as_bytes(), 100), Err(Refusal::Malformed));
        let trailers = std::format!("0\r\n{}\r\n", "a: b\r\n".repeat(200));
        assert_eq!(decode(trailers.as_bytes(), 100), Err(Refusal::Malformed));
    }
}
