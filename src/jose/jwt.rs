//! JSON Web Tokens (RFC 7519), signed with HS256 or ES256.
//!
//! A claim is absent, valid or malformed, and malformed is never taken for absent: the readers here return `Ok(None)`,
//! `Ok(Some(…))` and [`JoseError::Malformed`].

use super::compact::{Json, Unsigned, compact_len, signature, split};
use super::{Algorithm, Hs256Key, JoseError, SigningKey, VerifyingKey};
use crate::codec::json::{self, Str, Value};
use crate::codec::timestamp::Timestamp;
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::provider::HASH_LEN;
use crate::crypto::{Signature, Verified};
use crate::log::format_as;
use core::fmt;
use serde::Serialize;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'a str,
}

impl Json for Header<'_> {
    fn json_len(&self) -> usize {
        const FRAME: usize = br#"{"alg":"","typ":""}"#.len();
        FRAME.saturating_add(self.alg.len()).saturating_add(json::escaped_len(self.typ))
    }
}

/// The length in characters of a token with these claims: exactly what [`sign`] needs.
#[must_use]
pub fn signed_len(algorithm: Algorithm, typ: &str, claims: &impl Json) -> usize {
    let header = Header { alg: algorithm.name(), typ };
    compact_len(header.json_len(), claims.json_len(), algorithm.signature_len())
}

/// Writes a token of type `typ` at the start of `out`.
///
/// # Errors
/// [`JoseError::BufferTooSmall`] with [`signed_len`]; [`JoseError::Crypto`]; [`JoseError::TooLong`].
pub fn sign<'o>(
    key: SigningKey<'_>,
    typ: &str,
    claims: &impl Json,
    out: &'o mut [u8],
) -> Result<&'o str, JoseError> {
    let unsigned = write(key.algorithm(), typ, claims, out)?;
    match key {
        SigningKey::Hs256(key) => {
            let mac = key.sign(unsigned.signing_input())?;
            unsigned.attach(&mac)
        }
        SigningKey::Es256(signer) => {
            let signature = signer.sign(unsigned.signing_input())?;
            unsigned.finish(&signature)
        }
    }
}

/// Writes a token of type `typ` for ES256, but for its signature, at the start of `out`.
///
/// # Errors
/// [`JoseError::BufferTooSmall`] with [`signed_len`]; [`JoseError::TooLong`].
pub fn begin<'o>(typ: &str, claims: &impl Json, out: &'o mut [u8]) -> Result<Unsigned<'o>, JoseError> {
    write(Algorithm::Es256, typ, claims, out)
}

fn write<'o>(
    algorithm: Algorithm,
    typ: &str,
    claims: &impl Json,
    out: &'o mut [u8],
) -> Result<Unsigned<'o>, JoseError> {
    Unsigned::write(algorithm, &Header { alg: algorithm.name(), typ }, claims, out)
}

/// Verifies that `token` is of type `typ` and signed by `key`, and returns its claims, JSON at the start of `scratch`.
/// None of them is checked.
///
/// # Errors
/// As [`Unverified::parse`], [`Unverified::verify`] and [`Authentic::claims`].
pub fn verify<'b>(
    key: VerifyingKey<'_>,
    typ: &str,
    token: &str,
    scratch: &'b mut [u8],
) -> Result<&'b [u8], JoseError> {
    Unverified::parse(token, key.algorithm(), typ, scratch)?.verify(key)?.claims(scratch)
}

/// A token with the expected header, whose signature nobody has verified yet.
#[must_use]
pub struct Unverified<'t> {
    signing_input: &'t str,
    payload: &'t str,
    signature: SignatureOf,
}

enum SignatureOf {
    Hs256([u8; HASH_LEN]),
    Es256(Signature),
}

impl<'t> Unverified<'t> {
    /// Takes a token apart. Its header must name `algorithm` and `typ`, exactly, and none of `crit`, `zip`, `b64`, `jwk`,
    /// `jku`, `x5u`, `x5c`, `x5t` and `x5t#S256`; other members are ignored. `scratch` needs room for the header and,
    /// later, for the claims; what is in it afterwards is of no use.
    ///
    /// # Errors
    /// [`JoseError::BufferTooSmall`] for `scratch`, [`JoseError::Malformed`], [`JoseError::Header`].
    pub fn parse(
        token: &'t str,
        algorithm: Algorithm,
        typ: &str,
        scratch: &mut [u8],
    ) -> Result<Self, JoseError> {
        let segments = split(token)?;
        let needed = base64::decoded_len_bound(segments.header.len().max(segments.payload.len()));
        if scratch.len() < needed {
            return Err(BufferTooSmall { needed }.into());
        }
        check_header(base64::url_decode(segments.header.as_bytes(), scratch)?, algorithm, typ)?;
        let signature = match algorithm {
            Algorithm::Hs256 => SignatureOf::Hs256(signature(segments.signature)?),
            Algorithm::Es256 => SignatureOf::Es256(signature(segments.signature)?),
        };
        Ok(Self { signing_input: segments.signing_input, payload: segments.payload, signature })
    }

    /// Verifies the signature.
    ///
    /// # Errors
    /// [`JoseError::Authentication`], also for a key of another algorithm than was parsed for; [`JoseError::Crypto`].
    pub fn verify(self, key: VerifyingKey<'_>) -> Result<Authentic<'t>, JoseError> {
        match (key, &self.signature) {
            (VerifyingKey::Hs256(key), SignatureOf::Hs256(mac)) => {
                Hs256Key::verify(key, self.signing_input.as_bytes(), mac)?;
                Ok(Authentic { payload: self.payload })
            }
            (VerifyingKey::Es256(verifier, kid), SignatureOf::Es256(signature)) => {
                let verified = verifier.verify(kid, self.signing_input.as_bytes(), signature)?;
                self.verified(verified)
            }
            _ => Err(JoseError::Authentication),
        }
    }

    /// What a [`Verifier`](crate::crypto::Verifier) must verify, message and signature; `None` for HS256.
    #[must_use]
    pub fn statement(&self) -> Option<(&'t [u8], &Signature)> {
        match &self.signature {
            SignatureOf::Hs256(_) => None,
            SignatureOf::Es256(signature) => Some((self.signing_input.as_bytes(), signature)),
        }
    }

    /// Takes the word of a verifier that it verified [`Unverified::statement`].
    ///
    /// # Errors
    /// [`JoseError::Authentication`] for HS256, which no verifier vouches for.
    pub fn verified(self, _: Verified) -> Result<Authentic<'t>, JoseError> {
        match self.signature {
            SignatureOf::Es256(_) => Ok(Authentic { payload: self.payload }),
            SignatureOf::Hs256(_) => Err(JoseError::Authentication),
        }
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unverified")
    }
}

format_as! { [] Unverified<'_>, _ => "Unverified" }

/// A token whose signature is right. What it claims is still to be checked.
#[must_use]
pub struct Authentic<'t> {
    payload: &'t str,
}

impl<'t> Authentic<'t> {
    pub(super) const fn new(payload: &'t str) -> Self {
        Self { payload }
    }

    /// Decodes the claims, JSON, to the start of `scratch`.
    ///
    /// # Errors
    /// [`JoseError::BufferTooSmall`], [`JoseError::Malformed`] where it is not base64url.
    pub fn claims<'b>(&self, scratch: &'b mut [u8]) -> Result<&'b [u8], JoseError> {
        Ok(base64::url_decode(self.payload.as_bytes(), scratch)?)
    }
}

impl fmt::Debug for Authentic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authentic")
    }
}

format_as! { [] Authentic<'_>, _ => "Authentic" }

#[inline(never)] // one frame less in its caller's
fn check_header(header: &[u8], algorithm: Algorithm, typ: &str) -> Result<(), JoseError> {
    let [alg, found_typ] = super::header(header, &["alg", "typ"])?;
    let is = |member: Option<Value<'_>>, expected: &str| {
        member.and_then(|member| member.string().ok()).is_some_and(|text| text.is(expected))
    };
    let expected = is(alg, algorithm.name()) && is(found_typ, typ);
    if expected { Ok(()) } else { Err(JoseError::Header) }
}

/// A claim that is a string.
///
/// # Errors
/// [`JoseError::Malformed`] where it is something else.
pub fn text(claim: Option<Value<'_>>) -> Result<Option<Str<'_>>, JoseError> {
    Ok(claim.map(Value::string).transpose()?)
}

/// A claim that is a NumericDate (RFC 7519 §2), in whole seconds from 0 to 2⁵³ − 1 in plain digits.
///
/// # Errors
/// [`JoseError::Malformed`] where it is something else.
pub fn date(claim: Option<Value<'_>>) -> Result<Option<Timestamp>, JoseError> {
    Ok(claim.map(Value::integer).transpose()?.map(Timestamp::from_unix_secs))
}

/// Checks that a claim is this string.
///
/// # Errors
/// [`JoseError::Claim`] where it is absent or another; [`JoseError::Malformed`] where it is no string.
pub fn expect(claim: Option<Value<'_>>, expected: &str) -> Result<(), JoseError> {
    if text(claim)?.is_some_and(|text| text.is(expected)) { Ok(()) } else { Err(JoseError::Claim) }
}

/// Checks that this string is the claim, or one of the strings in it (RFC 7519 §4.1.3).
///
/// # Errors
/// [`JoseError::Claim`] where it is not, or there is no claim; [`JoseError::Malformed`] where it is neither a string nor an
/// array of strings.
pub fn expect_audience(claim: Option<Value<'_>>, expected: &str) -> Result<(), JoseError> {
    let claim = claim.ok_or(JoseError::Claim)?;
    let Ok(audiences) = claim.elements() else { return expect(Some(claim), expected) };
    let mut found = false;
    for audience in audiences {
        found |= audience.string()?.is(expected);
    }
    if found { Ok(()) } else { Err(JoseError::Claim) }
}

/// The times of a token, all of which it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Times {
    /// `iat`.
    pub issued_at: Timestamp,
    /// `nbf`.
    pub not_before: Timestamp,
    /// `exp`.
    pub expires: Timestamp,
}

impl Times {
    /// Reads the claims `iat`, `nbf` and `exp`, in this order.
    ///
    /// # Errors
    /// [`JoseError::Claim`] where one is absent, [`JoseError::Malformed`] where one is not a date as [`date`] reads it.
    pub fn read([iat, nbf, exp]: [Option<Value<'_>>; 3]) -> Result<Self, JoseError> {
        let required = |claim| date(claim)?.ok_or(JoseError::Claim);
        Ok(Self { issued_at: required(iat)?, not_before: required(nbf)?, expires: required(exp)? })
    }

    /// Checks that `now` is before `exp`, and not before `nbf` and `iat`, which may be `leeway` seconds ahead.
    ///
    /// # Errors
    /// [`JoseError::Expired`], [`JoseError::NotYetValid`].
    pub fn check(&self, now: Timestamp, leeway: u64) -> Result<(), JoseError> {
        if now >= self.expires {
            return Err(JoseError::Expired);
        }
        if now.saturating_add_secs(leeway) < self.not_before.max(self.issued_at) {
            return Err(JoseError::NotYetValid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
