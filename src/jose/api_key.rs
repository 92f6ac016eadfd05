//! Tokens that an API key signs (§4): JWTs with HS256, whose header names the key and whose claims say for whom and for how
//! long: `aud`, `exp`, `iat`, `nbf`.

use super::compact::{Segment, Unsigned, compact_len, signature, split};
use super::jwt::{self, Authentic, Times};
use super::{Algorithm, Hs256Key, JoseError};
use crate::codec::cursor::Writer;
use crate::codec::json::{self, Str, put_string};
use crate::codec::timestamp::Timestamp;
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::provider::HASH_LEN;
use crate::log::format_as;
use core::fmt;

/// What a token says.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Claims<'a> {
    /// `kid`: the API key, such as `agQIBAQ@api.example`.
    pub key_id: &'a str,
    /// `aud`: for whom.
    pub audience: &'a str,
    /// `iat`, `nbf` and `exp`; fractions of a second are dropped.
    pub times: Times,
}

struct Header<'a>(&'a str);

impl Segment for Header<'_> {
    fn len(&self) -> usize {
        const FRAME: usize = br#"{"alg":"HS256","kid":""}"#.len();
        FRAME.saturating_add(json::escaped_len(self.0))
    }

    fn write(&self, out: &mut [u8]) -> Result<usize, JoseError> {
        let mut out = Writer::new(out);
        out.put(br#"{"alg":"HS256","kid":"#);
        put_string(&mut out, self.0);
        out.put(b"}");
        Ok(out.finish()?)
    }
}

impl Claims<'_> {
    fn put(&self, out: &mut Writer<'_>) {
        out.put(br#"{"aud":["#);
        put_string(out, self.audience);
        out.put(br#"],"exp":"#);
        out.put_decimal(self.times.expires.as_unix_secs());
        out.put(br#","iat":"#);
        out.put_decimal(self.times.issued_at.as_unix_secs());
        out.put(br#","nbf":"#);
        out.put_decimal(self.times.not_before.as_unix_secs());
        out.put(b"}");
    }
}

impl Segment for Claims<'_> {
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

/// The length in characters of a token with these claims: exactly what [`sign`] needs.
#[must_use]
pub fn signed_len(claims: &Claims<'_>) -> usize {
    compact_len(Header(claims.key_id).len(), claims.len(), HASH_LEN)
}

/// Writes a token at the start of `out`.
///
/// # Errors
/// [`JoseError::BufferTooSmall`] with [`signed_len`]; [`JoseError::Crypto`].
pub fn sign<'o>(key: &Hs256Key, claims: &Claims<'_>, out: &'o mut [u8]) -> Result<&'o str, JoseError> {
    let unsigned = Unsigned::write(Algorithm::Hs256, &Header(claims.key_id), claims, out)?;
    let mac = key.sign(unsigned.signing_input())?;
    unsigned.attach(&mac)
}

/// Verifies that `token` was signed by the API key `key_id`, whose secret is `key`, for `audience`, and is valid at `now`: `exp`
/// without leeway, `nbf` and `iat` with `leeway` seconds. `scratch` needs room for the larger of header and claims.
///
/// # Errors
/// As [`Unverified::parse`], [`Unverified::verify`] and [`check`]; [`JoseError::Header`] for another `kid`, or none.
pub fn verify(
    key: &Hs256Key,
    key_id: &str,
    audience: &str,
    token: &str,
    now: Timestamp,
    leeway: u64,
    scratch: &mut [u8],
) -> Result<(), JoseError> {
    let unverified = Unverified::parse(token, scratch)?;
    if !unverified.kid().is_some_and(|kid| kid.is(key_id)) {
        return Err(JoseError::Header);
    }
    check(unverified.verify(key)?.claims(scratch)?, audience, now, leeway)
}

/// Checks the claims of a token: `audience` must be `aud`, or one of its elements, and the times must be there.
///
/// # Errors
/// [`JoseError::Malformed`], [`JoseError::Claim`], [`JoseError::Expired`], [`JoseError::NotYetValid`].
pub fn check(claims: &[u8], audience: &str, now: Timestamp, leeway: u64) -> Result<(), JoseError> {
    let [aud, times @ ..] = json::object(claims, &["aud", "iat", "nbf", "exp"])?;
    jwt::expect_audience(aud, audience)?;
    Times::read(times)?.check(now, leeway)
}

/// A token whose MAC nobody has verified yet.
#[must_use]
pub struct Unverified<'t, 's> {
    signing_input: &'t str,
    payload: &'t str,
    mac: [u8; HASH_LEN],
    kid: Option<Str<'s>>,
}

impl<'t, 's> Unverified<'t, 's> {
    /// Takes a token apart. Its header must say HS256 and have none of `crit`, `zip`, `b64`, `jwk`, `jku`, `x5u`, `x5c`,
    /// `x5t` and `x5t#S256`; members that are not read here are ignored. `scratch` takes the header; let it have room for the
    /// claims, too, where they go there afterwards.
    ///
    /// # Errors
    /// [`JoseError::BufferTooSmall`] for a `scratch` that is shorter than header or claims, [`JoseError::Malformed`],
    /// [`JoseError::Header`].
    pub fn parse(token: &'t str, scratch: &'s mut [u8]) -> Result<Self, JoseError> {
        let segments = split(token)?;
        let needed = base64::decoded_len_bound(segments.header.len().max(segments.payload.len()));
        if scratch.len() < needed {
            return Err(BufferTooSmall { needed }.into());
        }
        let mac = signature(segments.signature)?;
        let header = base64::url_decode(segments.header.as_bytes(), scratch)?;
        let [alg, kid] = super::header(header, &["alg", "kid"])?;
        let (alg, kid) = (jwt::text(alg)?, jwt::text(kid)?);
        if !alg.is_some_and(|alg| alg.is(Algorithm::Hs256.name())) {
            return Err(JoseError::Header);
        }
        Ok(Self { signing_input: segments.signing_input, payload: segments.payload, mac, kid })
    }

    /// `kid`, if there is one: the API key whose secret is to be looked up.
    #[must_use]
    pub const fn kid(&self) -> Option<Str<'s>> {
        self.kid
    }

    /// Verifies the MAC.
    ///
    /// # Errors
    /// [`JoseError::Authentication`].
    pub fn verify(self, key: &Hs256Key) -> Result<Authentic<'t>, JoseError> {
        key.verify(self.signing_input.as_bytes(), &self.mac)?;
        Ok(Authentic::new(self.payload))
    }
}

impl fmt::Debug for Unverified<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unverified")
    }
}

format_as! { [] Unverified<'_, '_>, _ => "Unverified" }
