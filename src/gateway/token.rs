//! The session token (§2.8): a JWT that the gateway issues with a session and demands with each of its requests.

use crate::codec::base64::url_encoded_len;
use crate::codec::json;
use crate::codec::timestamp::Timestamp;
use crate::crypto::{KeyId, Signer, Verifier};
use crate::error::{Code, Error, Misuse};
use crate::handshake::is_claim;
use crate::jose::jwt::{self, Authentic, Times, Unverified};
use crate::jose::{Algorithm, Hs256Key, JoseError, Json, SigningKey, Unsigned, VerifyingKey};
use crate::session::is_session_id;
use core::fmt;
use serde::Serialize;

/// The type in its header.
const TYP: &str = "dk2+jwt";
/// What its HS256 key is derived with.
const INFO: &[u8] = b"dynamic-key v2 token";
/// `iat` and `nbf` may be this far ahead, in seconds.
pub const LEEWAY: u64 = 60;
/// The most characters of an audience.
pub const MAX_AUDIENCE: usize = 96;
/// The most characters of a token that [`issue`] writes.
pub const MAX_LEN: usize = {
    let header = br#"{"alg":"HS256","typ":"dk2+jwt"}"#.len();
    let signature = Algorithm::Es256.signature_len();
    url_encoded_len(header) + 1 + url_encoded_len(MAX_CLAIMS) + 1 + url_encoded_len(signature)
};
/// The most digits of a time: those of the year 9999 have twelve.
const MAX_DIGITS: usize = 12;
/// The claims without their values.
const FRAME: usize = br#"{"aud":"","sid":"","cid":"","did":"","iat":,"nbf":,"exp":}"#.len();
/// The most bytes of claims that are issued: each character of the client's two may be escaped.
const MAX_CLAIMS: usize = FRAME + MAX_AUDIENCE + 64 + 2 * 64 + 2 * 64 + 3 * MAX_DIGITS;
/// The most bytes of a header, or of claims, that are looked at.
const SCRATCH: usize = 512;
const _: () = assert!(MAX_CLAIMS <= SCRATCH);

/// How a gateway signs its tokens.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TokenKey {
    /// HS256 with this key.
    Hs256(Hs256Key),
    /// ES256 by the gateway's identity.
    Es256,
}

impl TokenKey {
    /// HS256 with a key that is derived from a secret of at least 32 bytes.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`] for a shorter secret.
    pub fn hs256(secret: &[u8]) -> Result<Self, Error> {
        Ok(Self::Hs256(Hs256Key::derive(secret, INFO)?))
    }

    /// For [`issue`], with the gateway's identity, where it has one.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`] for ES256 without an identity.
    pub fn signing<'k>(&'k self, identity: Option<&'k mut dyn Signer>) -> Result<SigningKey<'k>, Error> {
        match self {
            Self::Hs256(key) => Ok(SigningKey::Hs256(key)),
            Self::Es256 => {
                Ok(SigningKey::Es256(identity.ok_or(Error::Misuse(Misuse::InvalidConfiguration))?))
            }
        }
    }

    /// For [`verify`], with what verifies for the gateway's identity, and its id, where it has one.
    ///
    /// # Errors
    /// [`Misuse::InvalidConfiguration`] for ES256 without an identity.
    pub fn verifying<'k>(
        &'k self,
        identity: Option<(&'k mut dyn Verifier, &'k KeyId)>,
    ) -> Result<VerifyingKey<'k>, Error> {
        match self {
            Self::Hs256(key) => Ok(VerifyingKey::Hs256(key)),
            Self::Es256 => {
                let (verifier, kid) = identity.ok_or(Error::Misuse(Misuse::InvalidConfiguration))?;
                Ok(VerifyingKey::Es256(verifier, kid))
            }
        }
    }
}

/// What a token says.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TokenClaims<'a> {
    /// `sid`: the session.
    pub session_id: &'a str,
    /// `cid`: `client.clientId`.
    pub client_id: &'a str,
    /// `did`: `device.id`.
    pub device_id: &'a str,
    /// `aud`: the gateway's configured origin, see [`is_audience`].
    pub audience: &'a str,
    /// `iat` and `nbf`, rounded down to a second.
    pub issued_at: Timestamp,
    /// `exp`, rounded up to a second: the session's end where `expireToken` is 0. A token must not end before its session, which
    /// ends on the millisecond whatever its token says.
    pub expires: Timestamp,
}

/// Of which session a token must be, and for which gateway.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Expected<'a> {
    /// `sid`.
    pub session_id: &'a str,
    /// `cid`.
    pub client_id: &'a str,
    /// `did`.
    pub device_id: &'a str,
    /// `aud`.
    pub audience: &'a str,
}

/// Whether `text` can be an audience: 1 to [`MAX_AUDIENCE`] characters of 0x21–0x7E without `"` and `\`.
#[must_use]
pub fn is_audience(text: &str) -> bool {
    is_claim(text, MAX_AUDIENCE) && !text.contains([' ', '"', '\\'])
}

#[derive(Serialize)]
struct Message<'a> {
    aud: &'a str,
    sid: &'a str,
    cid: &'a str,
    did: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
}

impl<'a> From<&TokenClaims<'a>> for Message<'a> {
    fn from(claims: &TokenClaims<'a>) -> Self {
        let issued_at = claims.issued_at.as_unix_secs();
        Self {
            aud: claims.audience,
            sid: claims.session_id,
            cid: claims.client_id,
            did: claims.device_id,
            iat: issued_at,
            nbf: issued_at,
            exp: claims.expires.as_unix_millis().div_ceil(1000),
        }
    }
}

impl Json for Message<'_> {
    fn json_len(&self) -> usize {
        let strings = [self.aud, self.sid, self.cid, self.did].into_iter().map(json::escaped_len);
        let numbers = [self.iat, self.nbf, self.exp].into_iter().map(digits);
        strings.chain(numbers).fold(FRAME, usize::saturating_add)
    }
}

const fn digits(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(power) => (power as usize).saturating_add(1),
        None => 1,
    }
}

/// The length in characters of a token with these claims: exactly what [`issue`] needs.
#[must_use]
pub fn issued_len(algorithm: Algorithm, claims: &TokenClaims<'_>) -> usize {
    jwt::signed_len(algorithm, TYP, &Message::from(claims))
}

/// Writes a token at the start of `out`.
///
/// # Errors
/// [`Error::BufferTooSmall`] with [`issued_len`]. [`Misuse::InvalidConfiguration`] for claims that §2.1 excludes, an
/// audience that is none, and times past the year 9999. [`Error::Crypto`].
#[inline(never)] // one frame less in its caller's
pub fn issue<'o>(key: SigningKey<'_>, claims: &TokenClaims<'_>, out: &'o mut [u8]) -> Result<&'o str, Error> {
    Ok(jwt::sign(key, TYP, &message(claims)?, out)?)
}

/// Writes a token for ES256, but for its signature, so that it can be signed between two steps.
///
/// # Errors
/// As [`issue`].
pub fn begin<'o>(claims: &TokenClaims<'_>, out: &'o mut [u8]) -> Result<Unsigned<'o>, Error> {
    Ok(jwt::begin(TYP, &message(claims)?, out)?)
}

fn message<'a>(claims: &TokenClaims<'a>) -> Result<Message<'a>, Error> {
    let message = Message::from(claims);
    let valid = is_session_id(message.sid)
        && is_claim(message.cid, 64)
        && is_claim(message.did, 64)
        && is_audience(message.aud)
        && digits(message.iat.max(message.exp)) <= MAX_DIGITS;
    if valid { Ok(message) } else { Err(Misuse::InvalidConfiguration.into()) }
}

/// A token is not one of this session, or not now, or not one at all. It does not say which: the answer is
/// [`Code::InvalidToken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TokenError;

impl From<JoseError> for TokenError {
    fn from(_: JoseError) -> Self {
        Self
    }
}

impl From<TokenError> for Code {
    fn from(_: TokenError) -> Self {
        Self::InvalidToken
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token is not valid")
    }
}

impl core::error::Error for TokenError {}

/// Verifies that `token` was issued with `key` for the `expected` session and is valid at `now`: `exp` without leeway,
/// `nbf` and `iat` with [`LEEWAY`].
///
/// # Errors
/// [`TokenError`], for a verifier that failed as well.
pub fn verify(
    key: VerifyingKey<'_>,
    token: &str,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<(), TokenError> {
    check(&parse(key.algorithm(), token)?.verify(key)?, expected, now)
}

/// The first part of [`verify`], so that the signature can be verified between two steps.
///
/// # Errors
/// [`TokenError`].
#[inline(never)] // one frame less in its caller's: the two parts are not there at once
pub fn parse(algorithm: Algorithm, token: &str) -> Result<Unverified<'_>, TokenError> {
    Ok(Unverified::parse(token, algorithm, TYP, &mut [0; SCRATCH])?)
}

/// The last part of [`verify`]: the claims of a token from [`parse`] whose signature was verified.
///
/// # Errors
/// [`TokenError`].
#[inline(never)] // as above
pub fn check(token: &Authentic<'_>, expected: &Expected<'_>, now: Timestamp) -> Result<(), TokenError> {
    Ok(check_claims(token.claims(&mut [0; SCRATCH])?, expected, now)?)
}

// Not inlined, so that its stack frame and the one with the buffer stay two small ones.
#[inline(never)]
fn check_claims(claims: &[u8], expected: &Expected<'_>, now: Timestamp) -> Result<(), JoseError> {
    let [aud, sid, cid, did, times @ ..] =
        json::object(claims, &["aud", "sid", "cid", "did", "iat", "nbf", "exp"])?;
    jwt::expect(aud, expected.audience)?;
    jwt::expect(sid, expected.session_id)?;
    jwt::expect(cid, expected.client_id)?;
    jwt::expect(did, expected.device_id)?;
    Times::read(times)?.check(now, LEEWAY)
}
