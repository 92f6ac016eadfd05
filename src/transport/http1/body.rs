//! Bodies of messages: where their bytes are among those of the framing, and where they end.

use super::Refusal;
use super::chunked::Chunked;

/// A body that is coming in, told apart from its framing.
pub(super) enum Body {
    /// This many bytes are to come.
    Length(usize),
    /// In chunks.
    Chunked(Chunked),
    /// All that comes until the stream ends.
    UntilEnd,
}

/// What the next bytes are: first some of the framing, to be skipped, then some of the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    /// Bytes of framing.
    pub(super) skip: usize,
    /// Bytes of the body that follow them.
    pub(super) data: usize,
}

impl Body {
    /// Whether the whole body has come. Only the end of the stream completes [`Body::UntilEnd`].
    #[inline(never)]
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_complete(),
            Self::UntilEnd => false,
        }
    }

    /// Takes the next bytes. If there are any and the body is not complete, the span is not empty; bytes after it
    /// are to be given again.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Span, Refusal> {
        match self {
            Self::Length(left) => {
                let data = bytes.len().min(*left);
                *left = left.saturating_sub(data);
                Ok(Span { skip: 0, data })
            }
            Self::Chunked(chunked) => chunked.advance(bytes),
            Self::UntilEnd => Ok(Span { skip: 0, data: bytes.len() }),
        }
    }
}

/// Room for bytes that come when the buffer is full of body: framing is all that they may be.
const SPILL: usize = 16;

/// A body that is coming into a buffer, always the same, from its front on: framing takes no room there.
pub(super) struct Inflow {
    body: Body,
    filled: usize,
    spill: [u8; SPILL],
}

impl Inflow {
    /// Before the first byte.
    pub(super) const fn new(body: Body) -> Self {
        Self { body, filled: 0, spill: [0; SPILL] }
    }

    /// How many bytes of the body have come.
    pub(super) const fn filled(&self) -> usize {
        self.filled
    }

    /// Whether the end of the stream completes the body.
    pub(super) const fn ends_with_stream(&self) -> bool {
        matches!(self.body, Body::UntilEnd)
    }

    /// Takes the `present` bytes that lie at the front of `buffer` already, after the head came. Answers as
    /// [`Inflow::received`].
    pub(super) fn begin(&mut self, buffer: &mut [u8], present: usize) -> Result<Option<usize>, Refusal> {
        match self.body {
            Body::Length(length) if length > buffer.len() => Err(Refusal::BodyTooLong),
            _ => self.take(buffer, present),
        }
    }

    /// Where the next bytes go: never empty.
    pub(super) fn room<'b>(&'b mut self, buffer: &'b mut [u8]) -> &'b mut [u8] {
        match buffer.get_mut(self.filled..) {
            Some(room) if !room.is_empty() => room,
            _ => &mut self.spill,
        }
    }

    /// Takes the `read` bytes that came into [`Inflow::room`]. Once the body is complete it says how many bytes came after
    /// it: what they are is not asked.
    pub(super) fn received(&mut self, buffer: &mut [u8], read: usize) -> Result<Option<usize>, Refusal> {
        if self.filled < buffer.len() {
            return self.take(buffer, read);
        }
        let mut bytes = self.spill.get(..read).unwrap_or(&self.spill);
        while !bytes.is_empty() && !self.body.is_complete() {
            let Span { skip, data } = self.body.advance(bytes)?;
            if data > 0 {
                return Err(Refusal::BodyTooLong);
            }
            bytes = bytes.get(skip..).unwrap_or_default();
        }
        Ok(self.body.is_complete().then_some(bytes.len()))
    }

    /// Takes `read` bytes, which lie after what is there of the body already, and closes the gaps.
    fn take(&mut self, buffer: &mut [u8], read: usize) -> Result<Option<usize>, Refusal> {
        let end = self.filled.saturating_add(read).min(buffer.len());
        let mut at = self.filled;
        while at < end && !self.body.is_complete() {
            let Span { skip, data } = self.body.advance(buffer.get(at..end).unwrap_or_default())?;
            let from = at.saturating_add(skip);
            shift(buffer, self.filled, from, data);
            self.filled = self.filled.saturating_add(data);
            at = from.saturating_add(data);
        }
        Ok(self.body.is_complete().then(|| end.saturating_sub(at)))
    }
}

/// Moves the `length` bytes at `from` to `to`, which is not after it: by as many at a time as lie between the two.
pub(super) fn shift(buffer: &mut [u8], to: usize, from: usize, length: usize) {
    let gap = from.saturating_sub(to);
    let mut part = buffer.get_mut(to..from.saturating_add(length)).unwrap_or_default();
    while gap > 0
        && let Some((front, back)) = part.split_at_mut_checked(gap)
    {
        front.iter_mut().zip(back.iter()).for_each(|(to, from)| *to = *from);
        part = back;
    }
}
