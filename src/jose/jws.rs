//! Signed messages of identities: JWS with ES256 (RFC 7515, §4), whose header says when, by which key and to what end it was
//! signed: `alg`, `iat`, `kid`, `tgt`.
//!
//! Signing and verifying are slow, so that each falls into two calls with the slow operation between them: [`begin`] and
//! [`Unsigned::finish`]; [`Unverified::parse`] and [`Unverified::verified`]. [`sign`] and [`verify`] are both in one.

use super::compact::{Segment, Unsigned, compact_len, signature, split};
use super::{Algorithm, JoseError, Json, KeyRef, jwt};
use crate::codec::cursor::Writer;
use crate::codec::json::{Str, put_string};
use crate::codec::timestamp::Timestamp;
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::{KeyId, Signature, Signer, Verified, Verifier};
use crate::log::format_as;
use core::fmt;

/// The header of a message that is to be signed.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header<'a> {
    /// `iat`: when; fractions of a second are dropped.
    pub issued_at: Timestamp,
    /// `kid`: by which key.
    pub kid: &'a KeyRef,
    /// `tgt`: to what end, such as `/v1/identity#encPubKey`.
    pub target: &'a str,
}

impl Header<'_> {
    fn put(&self, out: &mut Writer<'_>) {
        out.put(br#"{"alg":"ES256","iat":"#);
        out.put_decimal(self.issued_at.as_unix_secs());
        out.put(br#","kid":""#);
        self.kid.put(out);
        out.put(br#"","tgt":"#);
        put_string(out, self.target);
        out.put(b"}");
    }
}

impl Segment for Header<'_> {
    fn len(&self) -> usize {
        let mut count = Writer::new(&mut []);
        self.put(&mut count);
        count.position()
    }

    fn write(&self, out: &mut [u8]) -> Result<usize, JoseError> {
        let mut out = Writer::new(out);
        self.put(&mut out);
        Ok(out.finish()?)
    }
}

/// The length in characters of a message with a payload of so many bytes: exactly what [`sign`] needs.
#[must_use]
pub fn signed_len(header: &Header<'_>, payload: usize) -> usize {
    compact_len(header.len(), payload, Algorithm::Es256.signature_len())
}

/// Writes a message, but for its signature, at the start of `out`: sign [`Unsigned::signing_input`] with the key that the
/// header names, and hand the signature to [`Unsigned::finish`].
///
/// # Errors
/// [`JoseError::BufferTooSmall`] with [`signed_len`].
pub fn begin<'o>(header: &Header<'_>, payload: &[u8], out: &'o mut [u8]) -> Result<Unsigned<'o>, JoseError> {
    Unsigned::write(Algorithm::Es256, header, &payload, out)
}

/// As [`begin`], for a payload that is written as JSON.
///
/// # Errors
/// As there; [`JoseError::TooLong`].
pub fn begin_json<'o>(
    header: &Header<'_>,
    payload: &impl Json,
    out: &'o mut [u8],
) -> Result<Unsigned<'o>, JoseError> {
    Unsigned::write(Algorithm::Es256, header, payload, out)
}

/// Writes a message at the start of `out`, signed by `signer`, whose key the header must name. Slow.
///
/// # Errors
/// As [`begin`]; [`JoseError::Key`] for a header that names another key; [`JoseError::Crypto`].
pub fn sign<'o>(
    signer: &mut dyn Signer,
    header: &Header<'_>,
    payload: &[u8],
    out: &'o mut [u8],
) -> Result<&'o str, JoseError> {
    if signer.kid() != header.kid.kid() {
        return Err(JoseError::Key);
    }
    let unsigned = begin(header, payload, out)?;
    let signature = signer.sign(unsigned.signing_input())?;
    unsigned.finish(&signature)
}

/// A message that [`verify`] has verified.
#[derive(Clone, Copy)]
pub struct Signed<'b> {
    /// `iat`: when, as the signer says.
    pub issued_at: Timestamp,
    /// The payload.
    pub payload: &'b [u8],
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("issued_at", &self.issued_at).finish_non_exhaustive()
    }
}

format_as! { [] Signed<'_>, signed => "Signed {{ issued_at: {} }}", signed.issued_at }

/// Verifies that `token` was signed by the key `signer` to the end `target`, and returns its payload at the start of
/// `scratch`, which needs room for the larger of header and payload. Slow.
///
/// # Errors
/// As [`Unverified::parse`] and [`Unverified::verify`]. [`JoseError::Header`] for another `kid` or `tgt`, and where one of
/// `iat`, `kid` and `tgt` is absent.
///
/// # Security
/// `iat` is the signer's word: whether that is too long ago is for the caller to decide.
pub fn verify<'b>(
    verifier: &mut dyn Verifier,
    signer: &KeyRef,
    target: &str,
    token: &str,
    scratch: &'b mut [u8],
) -> Result<Signed<'b>, JoseError> {
    let unverified = Unverified::parse(token, scratch)?;
    let is_expected = unverified.key()? == *signer && unverified.target().is_some_and(|tgt| tgt.is(target));
    let issued_at = unverified.issued_at().filter(|_| is_expected).ok_or(JoseError::Header)?;
    let authentic = unverified.verify(verifier, &signer.kid())?;
    Ok(Signed { issued_at, payload: authentic.payload(scratch)? })
}

/// A message whose signature nobody has verified yet.
#[must_use]
pub struct Unverified<'t, 's> {
    signing_input: &'t str,
    payload: &'t str,
    signature: Signature,
    issued_at: Option<Timestamp>,
    kid: Option<Str<'s>>,
    target: Option<Str<'s>>,
}

impl<'t, 's> Unverified<'t, 's> {
    /// Takes a message apart. Its header must say ES256 and have none of `crit`, `zip`, `b64`, `jwk`, `jku`, `x5u`, `x5c`,
    /// `x5t` and `x5t#S256`; members that are not read here are ignored. `scratch` takes the header; let it have room for the
    /// payload, too, where that goes there afterwards.
    ///
    /// # Errors
    /// [`JoseError::BufferTooSmall`] for a `scratch` that is shorter than header or payload, [`JoseError::Malformed`] also
    /// where one of `iat`, `kid` and `tgt` is there and not of its type, [`JoseError::Header`].
    pub fn parse(token: &'t str, scratch: &'s mut [u8]) -> Result<Self, JoseError> {
        let segments = split(token)?;
        let needed = base64::decoded_len_bound(segments.header.len().max(segments.payload.len()));
        if scratch.len() < needed {
            return Err(BufferTooSmall { needed }.into());
        }
        Self::read(token, base64::url_decode(segments.header.as_bytes(), scratch)?)
    }

    /// As [`Unverified::parse`], with room for the header alone.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn read(token: &'t str, header: &'s [u8]) -> Result<Self, JoseError> {
        let segments = split(token)?;
        let signature = signature(segments.signature)?;
        let [alg, iat, kid, target] = super::header(header, &["alg", "iat", "kid", "tgt"])?;
        let issued_at = jwt::date(iat)?;
        let (alg, kid, target) = (jwt::text(alg)?, jwt::text(kid)?, jwt::text(target)?);
        if !alg.is_some_and(|alg| alg.is(Algorithm::Es256.name())) {
            return Err(JoseError::Header);
        }
        let (signing_input, payload) = (segments.signing_input, segments.payload);
        Ok(Self { signing_input, payload, signature, issued_at, kid, target })
    }

    /// `iat`: when, if it says so.
    #[must_use]
    pub const fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// `kid`, if there is one.
    #[must_use]
    pub const fn kid(&self) -> Option<Str<'s>> {
        self.kid
    }

    /// `tgt`: to what end, if it says so.
    #[must_use]
    pub const fn target(&self) -> Option<Str<'s>> {
        self.target
    }

    /// `kid` as §4 has it: the key by which the message claims to be signed.
    ///
    /// # Errors
    /// [`JoseError::Header`] where there is none, [`JoseError::Malformed`] where it is something else.
    pub fn key(&self) -> Result<KeyRef, JoseError> {
        KeyRef::read(self.kid.ok_or(JoseError::Header)?)
    }

    /// What is to be verified: the message and its signature.
    #[must_use]
    pub const fn statement(&self) -> (&'t [u8], &Signature) {
        (self.signing_input.as_bytes(), &self.signature)
    }

    /// Takes the word of a verifier that it verified [`Unverified::statement`].
    pub const fn verified(self, _: Verified) -> Authentic<'t> {
        Authentic { payload: self.payload }
    }

    /// Verifies the signature by the key `kid`, whatever key the header names. Slow.
    ///
    /// # Errors
    /// [`JoseError::Authentication`], [`JoseError::Crypto`].
    pub fn verify(self, verifier: &mut dyn Verifier, kid: &KeyId) -> Result<Authentic<'t>, JoseError> {
        let (message, signature) = self.statement();
        let verified = verifier.verify(kid, message, signature)?;
        Ok(self.verified(verified))
    }
}

impl fmt::Debug for Unverified<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unverified")
    }
}

format_as! { [] Unverified<'_, '_>, _ => "Unverified" }

/// A message whose signature is right.
#[must_use]
pub struct Authentic<'t> {
    payload: &'t str,
}

impl Authentic<'_> {
    /// Decodes the payload to the start of `out`.
    ///
    /// # Errors
    /// [`JoseError::BufferTooSmall`], [`JoseError::Malformed`] where it is not base64url.
    pub fn payload<'b>(&self, out: &'b mut [u8]) -> Result<&'b [u8], JoseError> {
        Ok(base64::url_decode(self.payload.as_bytes(), out)?)
    }
}

impl fmt::Debug for Authentic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authentic")
    }
}

format_as! { [] Authentic<'_>, _ => "Authentic" }
