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
    pub(super) const fn is_complete(&self) -> bool {
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
