//! The compact serialisation of a JWS (RFC 7515 §7.1): header `.` payload `.` signature, each in base64url.

use super::{Algorithm, JoseError};
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::Signature;
use crate::log::format_as;
use core::fmt;
use serde::Serialize;

/// A header or a payload: something that is written as JSON and knows its length.
pub trait Json: Serialize {
    /// Exactly how many bytes its JSON has, without white space.
    fn json_len(&self) -> usize;
}

/// Header or payload as they are encoded: JSON, or bytes that are there already.
pub(super) trait Segment {
    /// How many bytes are written.
    fn len(&self) -> usize;

    /// Writes them to `out`, which has exactly that length, and returns how many there were.
    fn write(&self, out: &mut [u8]) -> Result<usize, JoseError>;
}

impl<J: Json> Segment for J {
    fn len(&self) -> usize {
        self.json_len()
    }

    fn write(&self, out: &mut [u8]) -> Result<usize, JoseError> {
        serde_json_core::to_slice(self, out).map_err(|_| JoseError::TooLong)
    }
}

impl Segment for &[u8] {
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn write(&self, out: &mut [u8]) -> Result<usize, JoseError> {
        let room = out.get_mut(..self.len()).ok_or(JoseError::TooLong)?;
        room.iter_mut().zip(*self).for_each(|(to, from)| *to = *from);
        Ok(self.len())
    }
}

/// The characters of a JWS whose parts have these lengths in bytes.
pub(super) const fn compact_len(header: usize, payload: usize, signature: usize) -> usize {
    base64::url_encoded_len(header)
        .saturating_add(base64::url_encoded_len(payload))
        .saturating_add(base64::url_encoded_len(signature))
        .saturating_add(2)
}

/// Header and payload, written, and room for the signature: sign [`Unsigned::signing_input`] with ES256 wherever that
/// happens, and hand the signature to [`Unsigned::finish`].
#[must_use]
pub struct Unsigned<'o> {
    /// As long as the whole will be.
    out: &'o mut [u8],
    /// Where the signing input ends.
    end: usize,
}

impl<'o> Unsigned<'o> {
    /// Writes both at the start of `out`.
    pub(super) fn write(
        algorithm: Algorithm,
        header: &impl Segment,
        payload: &impl Segment,
        out: &'o mut [u8],
    ) -> Result<Self, JoseError> {
        let needed = compact_len(header.len(), payload.len(), algorithm.signature_len());
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let end = put_segment(out, 0, header)?;
        *out.get_mut(end).ok_or(BufferTooSmall { needed })? = b'.';
        let end = put_segment(out, end.saturating_add(1), payload)?;
        Ok(Self { out, end })
    }

    /// What is to be signed.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.out.get(..self.end).unwrap_or_default()
    }

    /// Writes the signature behind it and returns the whole.
    ///
    /// # Errors
    /// [`JoseError::BufferTooSmall`]: never, where [`Json::json_len`] told the truth.
    pub fn finish(self, signature: &Signature) -> Result<&'o str, JoseError> {
        self.attach(signature)
    }

    pub(super) fn attach(self, signature: &[u8]) -> Result<&'o str, JoseError> {
        let (dot, behind) = (self.end, self.end.saturating_add(1));
        let needed = behind.saturating_add(base64::url_encoded_len(signature.len()));
        let out = self.out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        *out.get_mut(dot).ok_or(BufferTooSmall { needed })? = b'.';
        base64::url_encode(signature, out.get_mut(behind..).unwrap_or_default())?;
        Ok(core::str::from_utf8(out).unwrap_or_default())
    }
}

impl fmt::Debug for Unsigned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsigned").field("len", &self.end).finish_non_exhaustive()
    }
}

format_as! { [] Unsigned<'_>, unsigned => "Unsigned {{ len: {} }}", unsigned.end }

/// Writes `segment` at `at` in base64url and returns where it ends. Its bytes are written to the end of `out` first and
/// encoded from there, 48 bytes to 64 characters, so that no other buffer is needed. Nothing is overwritten before it was
/// read: writing gains on reading all the way, and yet ends no later, within `out`.
fn put_segment(out: &mut [u8], at: usize, segment: &impl Segment) -> Result<usize, JoseError> {
    // No other error can occur: the caller has computed the lengths.
    let too_long = JoseError::TooLong;
    let start = out.len().checked_sub(segment.len()).ok_or(too_long)?;
    let length = segment.write(out.get_mut(start..).ok_or(too_long)?)?;
    let (mut rest, mut to) = (start..start.saturating_add(length), at);
    while !rest.is_empty() {
        let mut block = [0; 48];
        let taken = rest.len().min(block.len());
        let behind = rest.start.saturating_add(taken);
        let block = block.get_mut(..taken).unwrap_or_default();
        let bytes = out.get(rest.start..behind).ok_or(too_long)?;
        block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let text = base64::url_encode(block, out.get_mut(to..).ok_or(too_long)?)?;
        to = to.saturating_add(text.len());
        rest.start = behind;
    }
    Ok(to)
}

/// A JWS, taken apart and not yet looked at.
#[derive(Clone, Copy)]
pub(super) struct Segments<'t> {
    pub(super) header: &'t str,
    pub(super) payload: &'t str,
    pub(super) signature: &'t str,
    /// `header` `.` `payload`.
    pub(super) signing_input: &'t str,
}

/// Takes a JWS apart.
pub(super) fn split(text: &str) -> Result<Segments<'_>, JoseError> {
    let is_dot = |byte: &u8| *byte == b'.';
    let (signing_input, signature) = around(text, text.bytes().rposition(|byte| is_dot(&byte)))?;
    let (header, payload) = around(signing_input, signing_input.bytes().position(|byte| is_dot(&byte)))?;
    if payload.as_bytes().iter().any(is_dot) {
        return Err(JoseError::Malformed);
    }
    Ok(Segments { header, payload, signature, signing_input })
}

/// What stands before and behind the dot at this place. (The searchers of `str` can panic, as far as the compiler knows.)
fn around(text: &str, dot: Option<usize>) -> Result<(&str, &str), JoseError> {
    let (before, behind) =
        text.split_at_checked(dot.ok_or(JoseError::Malformed)?).ok_or(JoseError::Malformed)?;
    Ok((before, behind.get(1..).ok_or(JoseError::Malformed)?))
}

/// Decodes a signature of exactly `N` bytes.
pub(super) fn signature<const N: usize>(text: &str) -> Result<[u8; N], JoseError> {
    let mut bytes = [0; N];
    if text.len() != base64::url_encoded_len(N) {
        return Err(JoseError::Malformed);
    }
    base64::url_decode(text.as_bytes(), &mut bytes)?;
    Ok(bytes)
}
