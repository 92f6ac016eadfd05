//! Request bodies with signed members, written but for the signatures.

use super::IdentityError;
use super::request::{Place, Request};
use crate::codec::timestamp::Timestamp;
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::{KeyId, Signature, Signer};
use crate::jose::{JoseError, Json, KeyRef, jws};
use crate::log::format_as;
use core::fmt;
use core::ops::Range;

/// Which identity signs, with which key, and when.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Author<'a> {
    /// Its address and the key.
    pub kid: &'a KeyRef,
    /// The time that it claims; fractions of a second are dropped.
    pub issued_at: Timestamp,
}

/// A signed member, to be written.
pub(super) struct Part<'a, J> {
    /// What stands before the message, its opening quote included.
    pub(super) before: &'a [u8],
    pub(super) author: Author<'a>,
    /// To what end it is signed.
    pub(super) target: &'a str,
    pub(super) payload: Payload<'a, J>,
}

/// What a member says.
pub(super) enum Payload<'a, J> {
    Bytes(&'a [u8]),
    Json(&'a J),
}

/// A payload that is never written as JSON.
pub(super) type Plain<'a> = Part<'a, NoJson>;

/// See [`Plain`].
#[derive(serde::Serialize)]
pub(super) enum NoJson {}

impl Json for NoJson {
    fn json_len(&self) -> usize {
        match *self {}
    }
}

impl<J: Json> Part<'_, J> {
    fn header(&self) -> jws::Header<'_> {
        jws::Header { issued_at: self.author.issued_at, kid: self.author.kid, target: self.target }
    }

    fn signed_len(&self) -> usize {
        let payload = match self.payload {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Json(json) => json.json_len(),
        };
        jws::signed_len(&self.header(), payload)
    }
}

/// A request whose `N` signed members lack their signatures: sign each of [`Draft::statements`], wherever that happens, and
/// hand the signatures to [`Draft::finish`], in the same order.
#[must_use]
pub struct Draft<'o, const N: usize> {
    place: Place,
    body: &'o mut [u8],
    statements: [(KeyId, Range<usize>); N],
}

impl<'o, const N: usize> Draft<'o, N> {
    /// Writes the members, each behind what stands before it, and `after` behind them.
    pub(super) fn write<J: Json>(
        place: Place,
        parts: &[Part<'_, J>; N],
        after: &[u8],
        out: &'o mut [u8],
    ) -> Result<Self, IdentityError> {
        let lengths = parts.iter().map(|part| part.before.len().saturating_add(part.signed_len()));
        let needed = lengths.fold(after.len(), usize::saturating_add);
        let too_small = BufferTooSmall { needed };
        let body = out.get_mut(..needed).ok_or(too_small)?;
        let mut statements = parts.each_ref().map(|part| (part.author.kid.kid(), 0..0));
        let mut at = 0_usize;
        for (part, (_, statement)) in parts.iter().zip(&mut statements) {
            let start = at.saturating_add(part.before.len());
            let end = start.saturating_add(part.signed_len());
            body.get_mut(at..start)
                .ok_or(too_small)?
                .iter_mut()
                .zip(part.before)
                .for_each(|(to, from)| *to = *from);
            let room = body.get_mut(start..end).ok_or(too_small)?;
            let unsigned = match part.payload {
                Payload::Bytes(bytes) => jws::begin(&part.header(), bytes, room),
                Payload::Json(json) => jws::begin_json(&part.header(), json, room),
            }?;
            *statement = start..start.saturating_add(unsigned.signing_input().len());
            at = end;
        }
        body.get_mut(at..).ok_or(too_small)?.iter_mut().zip(after).for_each(|(to, from)| *to = *from);
        Ok(Self { place, body, statements })
    }

    /// What is to be signed, and with which key each.
    #[must_use]
    pub fn statements(&self) -> [(KeyId, &[u8]); N] {
        let input = |range: &Range<usize>| self.body.get(range.clone()).unwrap_or_default();
        self.statements.each_ref().map(|(kid, range)| (*kid, input(range)))
    }

    /// Writes the signatures and returns the request.
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`]: never.
    pub fn finish(self, signatures: &[Signature; N]) -> Result<Request<'o>, IdentityError> {
        for ((_, range), signature) in self.statements.iter().zip(signatures) {
            let [dot, room @ ..] = self.body.get_mut(range.end..).unwrap_or_default() else {
                return Err(BufferTooSmall { needed: range.end }.into());
            };
            *dot = b'.';
            base64::url_encode(signature, room)?;
        }
        let Self { place, body, .. } = self;
        Ok(Request { method: "POST", target: place.path, body })
    }

    /// Signs with those of `signers` whose keys are asked for, and returns the request. Slow.
    ///
    /// # Errors
    /// [`JoseError::Key`] where one of them is missing; what the signers return.
    pub fn sign<const M: usize>(
        self,
        mut signers: [&mut dyn Signer; M],
    ) -> Result<Request<'o>, IdentityError> {
        let mut signatures = [[0; crate::crypto::SIGNATURE_LEN]; N];
        for ((kid, message), signature) in self.statements().into_iter().zip(&mut signatures) {
            let signer = signers.iter_mut().find(|signer| signer.kid() == kid).ok_or(JoseError::Key)?;
            *signature = signer.sign(message)?;
        }
        self.finish(&signatures)
    }
}

impl<const N: usize> fmt::Debug for Draft<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("target", &self.place.path).finish_non_exhaustive()
    }
}

format_as! { [const N: usize] Draft<'_, N>, draft => "Draft {{ target: {} }}", draft.place.path }
