//! Bodies that come into a buffer, without their framing.

use super::Refusal;
use super::body::Body;

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
    pub(super) fn ends_with_stream(&self) -> bool {
        self.body.ends_with_stream()
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
        self.take(buffer, self.filled, read)
    }

    /// Takes the `read` bytes that lie at `from` in `buffer`, which is not before the end of what is there of the body, or where
    /// the buffer is full those in the spill, and closes the gaps. Answers as [`Inflow::received`].
    #[inline(never)]
    pub(super) fn take(
        &mut self,
        buffer: &mut [u8],
        from: usize,
        read: usize,
    ) -> Result<Option<usize>, Refusal> {
        if self.body.is_longer_than(buffer.len()) {
            return Err(Refusal::BodyTooLong);
        }
        let mut taken = 0_usize;
        while !self.body.is_complete() {
            let at = from.saturating_add(taken);
            let left = read.saturating_sub(taken);
            let next = buffer.get(at).or_else(|| self.spill.get(taken));
            let (Some(byte), true) = (next, left > 0) else { return Ok(None) };
            let data = self.body.advance(*byte, left)?;
            if data > 0 {
                shift(buffer, self.filled, at, data).ok_or(Refusal::BodyTooLong)?;
                self.filled = self.filled.saturating_add(data);
            }
            taken = taken.saturating_add(data.max(1));
        }
        Ok(Some(read.saturating_sub(taken)))
    }
}

/// Moves the `length` bytes at `from` to `to`, which is not after it; `None` where they are not in the buffer.
pub(super) fn shift(buffer: &mut [u8], to: usize, from: usize, length: usize) -> Option<()> {
    let part = buffer.get_mut(to..from.saturating_add(length))?;
    let gap = from.saturating_sub(to);
    if (1..=part.len()).contains(&gap) {
        part.copy_within(gap.., 0);
    }
    Some(())
}
