//! Encrypted messages: JWE in the compact form (RFC 7516), to an identity's key with ECDH-ES+A256KW here, and under a password
//! with PBES2-HS256+A128KW in [`pbes2`]; the content always with A256GCM (§4).
//!
//! Both directions work in one buffer. [`seal`] takes the plaintext from its front and leaves the message there;
//! [`Encrypted::open`] decrypts where the ciphertext stands. The slow operations, key generation and agreement, happen
//! before [`seal`] and between [`Encrypted::parse`] and [`Encrypted::open`]; [`encrypt`] and [`decrypt`] are all in one.

mod compact;
pub mod pbes2;

use self::compact::{Compact, ENC, Frame};
use super::jwk::{self, Jwk, Use};
use super::{JoseError, KeyRef, jwt};
use crate::codec::BufferTooSmall;
use crate::codec::cursor::Writer;
use crate::codec::json::{self, Str, Value, put_string};
use crate::codec::spki::{Group, P256_POINT_LEN, PublicKey};
use crate::crypto::{KeyId, KeyWrap, Recipient};
use crate::jose;
use crate::log::format_as;
use core::fmt;
use core::ops::Range;

/// The value of `alg`, which is the AlgorithmID of Concat KDF, too.
const ALG: &str = "ECDH-ES+A256KW";
/// The most bytes of what `apu` and `apv` decode to.
const MAX_PARTY: usize = 128;

/// What a sender says in the header of a message, beyond its ephemeral key.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header<'a> {
    /// `kid`: to which key.
    pub kid: &'a KeyRef,
    /// `cty`: what the plaintext is, where it says so; `JWS` for a signed message (RFC 7516 §4.1.12).
    pub content_type: Option<&'a str>,
}

/// The header as it is written: `alg`, `enc`, `kid`, `cty` and `epk`.
struct WithKey<'a> {
    header: &'a Header<'a>,
    /// x and y of `epk` in base64url: encoded once, for the header is counted before it is written.
    epk: ([u8; KeyId::LEN], [u8; KeyId::LEN]),
}

impl Frame for WithKey<'_> {
    fn put(&self, out: &mut Writer<'_>) {
        out.put(br#"{"alg":""#);
        out.put(ALG.as_bytes());
        out.put(br#"","enc":""#);
        out.put(ENC.as_bytes());
        out.put(br#"","kid":""#);
        self.header.kid.put(out);
        out.put(b"\"");
        if let Some(content_type) = self.header.content_type {
            out.put(br#","cty":"#);
            put_string(out, content_type);
        }
        let (x, y) = &self.epk;
        out.put(br#","epk":{"kty":"EC","crv":"P-256","x":""#);
        out.put(x);
        out.put(br#"","y":""#);
        out.put(y);
        out.put(br#""}}"#);
    }
}

/// The length in characters of a message with so many bytes of plaintext: exactly what [`seal`] needs of the buffer.
#[must_use]
pub fn sealed_len(header: &Header<'_>, plaintext: usize) -> usize {
    compact::sealed_len(WithKey { header, epk: ([0; KeyId::LEN], [0; KeyId::LEN]) }.len(), plaintext)
}

/// Encrypts the `plaintext` bytes at the front of `buffer` into a message there. `z` was agreed on between the ephemeral key
/// whose public half is `epk` and the recipient's key that the header names.
///
/// # Errors
/// [`JoseError::BufferTooSmall`] with [`sealed_len`], and nothing has changed; [`JoseError::Key`] for an `epk` that is none of
/// P-256; [`JoseError::Crypto`], after which the buffer is to be taken for destroyed.
///
/// # Security
/// One ephemeral key for each message: that is why `z` is consumed.
pub fn seal<'b, P: KeyWrap>(
    provider: &mut P,
    z: P::SharedSecret,
    epk: &PublicKey,
    header: &Header<'_>,
    buffer: &'b mut [u8],
    plaintext: usize,
) -> Result<&'b str, JoseError> {
    let epk = epk.as_bytes().try_into().map_err(|_| JoseError::Key)?;
    let frame = WithKey { header, epk: jwk::coordinates(epk) };
    compact::check_room(frame.len(), buffer, plaintext)?;
    let kek = concat_kdf(provider, z, &[], &[])?;
    compact::seal(provider, kek, &frame, buffer, plaintext)
}

/// Encrypts the `plaintext` bytes at the front of `buffer` to `recipient`: draws an ephemeral key, agrees and [`seal`]s. Slow.
///
/// # Errors
/// As [`seal`]; [`JoseError::Key`] for a key that is not on the curve, not for encryption, or not the one that the header names.
pub fn encrypt<'b, P: KeyWrap>(
    provider: &mut P,
    recipient: &Jwk,
    header: &Header<'_>,
    buffer: &'b mut [u8],
    plaintext: usize,
) -> Result<&'b str, JoseError> {
    if recipient.usage() != Use::Encryption || recipient.kid() != header.kid.kid() {
        return Err(JoseError::Key);
    }
    let needed = sealed_len(header, plaintext);
    if buffer.len() < needed {
        return Err(BufferTooSmall { needed }.into());
    }
    let (key, epk) = provider.generate(Group::P256)?;
    let z = provider.agree(key, &recipient.public_key()?)?;
    seal(provider, z, &epk, header, buffer, plaintext)
}

/// Decrypts the message that fills `buffer`, in place, and returns the plaintext. Slow.
///
/// # Errors
/// As [`Encrypted::parse`] and [`Encrypted::open`]; [`JoseError::Key`] where `kid` does not name the recipient's key, and
/// [`JoseError::Header`] where there is none.
pub fn decrypt<'b, P: KeyWrap, R: Recipient<SharedSecret = P::SharedSecret>>(
    provider: &mut P,
    recipient: &mut R,
    buffer: &'b mut [u8],
) -> Result<&'b mut [u8], JoseError> {
    let encrypted = Encrypted::parse(buffer)?;
    if encrypted.key()?.kid() != recipient.kid() {
        return Err(JoseError::Key);
    }
    let z = recipient.agree(&encrypted.epk()?)?;
    encrypted.open(provider, z)
}

/// A message to an identity, taken apart and not decrypted yet.
#[must_use]
pub struct Encrypted<'b> {
    message: Compact<'b>,
    epk: [u8; P256_POINT_LEN],
    /// Where `kid`, `cty`, `apu` and `apv` stand in the header, in this order.
    places: [Option<Range<usize>>; 4],
}

impl<'b> Encrypted<'b> {
    /// Takes the message that fills `buffer` apart. Its header must say ECDH-ES+A256KW, A256GCM and a P-256 key as `epk`, and
    /// have none of `crit`, `zip`, `b64`, `jwk`, `jku`, `x5u`, `x5c`, `x5t` and `x5t#S256`; `apu` and `apv` may be there, of at most 128
    /// bytes; members that are not read here are ignored. What is in the buffer after an error is of no use.
    ///
    /// # Errors
    /// [`JoseError::Malformed`], [`JoseError::Header`], [`JoseError::Key`] for an `epk` of another kind or curve. That it is on
    /// the curve is checked by [`Recipient::agree`].
    pub fn parse(buffer: &'b mut [u8]) -> Result<Self, JoseError> {
        let message = Compact::parse(buffer)?;
        let (epk, places) = check(message.header())?;
        Ok(Self { message, epk, places })
    }

    /// The sender's ephemeral key, for [`Recipient::agree`].
    ///
    /// # Errors
    /// [`JoseError::Key`]: never.
    pub fn epk(&self) -> Result<PublicKey, JoseError> {
        PublicKey::p256(self.epk).map_err(|_| JoseError::Key)
    }

    /// `kid`, if there is one.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] where it is no string.
    pub fn kid(&self) -> Result<Option<Str<'_>>, JoseError> {
        let [kid, ..] = &self.places;
        self.text(kid)
    }

    /// `kid` as §4 has it: the key to which the message is encrypted.
    ///
    /// # Errors
    /// [`JoseError::Header`] where there is none, [`JoseError::Malformed`] where it is something else.
    pub fn key(&self) -> Result<KeyRef, JoseError> {
        KeyRef::read(self.kid()?.ok_or(JoseError::Header)?)
    }

    /// `cty`, if there is one.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] where it is no string.
    pub fn content_type(&self) -> Result<Option<Str<'_>>, JoseError> {
        let [_, content_type, ..] = &self.places;
        self.text(content_type)
    }

    /// The string at this place of the header.
    fn text(&self, place: &Option<Range<usize>>) -> Result<Option<Str<'_>>, JoseError> {
        let Some(place) = place else { return Ok(None) };
        let value = self.message.header().get(place.clone()).unwrap_or_default();
        Ok(Some(json::value(value)?.string()?))
    }

    /// Decrypts in place and returns the plaintext. `z` was agreed on with [`Encrypted::epk`].
    ///
    /// # Errors
    /// [`JoseError::Authentication`] when anything of the message, or the key, is another; [`JoseError::Crypto`].
    pub fn open<P: KeyWrap>(self, provider: &mut P, z: P::SharedSecret) -> Result<&'b mut [u8], JoseError> {
        let [_, _, apu, apv] = &self.places;
        let parties = [self.text(apu)?, self.text(apv)?];
        let kek = decoded(parties, |apu, apv| concat_kdf(provider, z, apu, apv))??;
        self.message.open(provider, kek)
    }
}

impl fmt::Debug for Encrypted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted")
    }
}

format_as! { [] Encrypted<'_>, _ => "Encrypted" }

/// What a header says: the point of `epk`, and the places of [`Encrypted`].
type Checked = ([u8; P256_POINT_LEN], [Option<Range<usize>>; 4]);

/// Checks the header.
#[inline(never)] // one frame less in its caller's
fn check(header: &[u8]) -> Result<Checked, JoseError> {
    let [alg, enc, epk, others @ ..] =
        jose::header(header, &["alg", "enc", "epk", "kid", "cty", "apu", "apv"])?;
    check_algorithms(alg, ALG, enc)?;
    let [_, _, apu, apv] = others;
    decoded([jwt::text(apu)?, jwt::text(apv)?], |_, _| ())?;
    let point = jwk::public_point(epk.ok_or(JoseError::Header)?)?;
    Ok((point, others.map(|member| member.map(Value::range))))
}

/// Checks what a header says that it is encrypted with.
fn check_algorithms(alg: Option<Value<'_>>, expected: &str, enc: Option<Value<'_>>) -> Result<(), JoseError> {
    let (alg, enc) = (jwt::text(alg)?, jwt::text(enc)?);
    let is = |member: Option<Str<'_>>, expected| member.is_some_and(|member| member.is(expected));
    if is(alg, expected) && is(enc, ENC) { Ok(()) } else { Err(JoseError::Header) }
}

/// Hands what `apu` and `apv` decode to on; nothing where they are absent.
#[inline(never)] // one frame less in its caller's
fn decoded<T>(
    [apu, apv]: [Option<Str<'_>>; 2],
    take: impl FnOnce(&[u8], &[u8]) -> T,
) -> Result<T, JoseError> {
    let (mut for_apu, mut for_apv) = ([0; MAX_PARTY], [0; MAX_PARTY]);
    let apu = apu.map(|apu| apu.base64url(&mut for_apu)).transpose();
    let apv = apv.map(|apv| apv.base64url(&mut for_apv)).transpose();
    let malformed = |_| JoseError::Malformed;
    Ok(take(apu.map_err(malformed)?.unwrap_or_default(), apv.map_err(malformed)?.unwrap_or_default()))
}

/// The key-encryption key (RFC 7518 §4.6.2). The algorithm id and the parties stand behind their lengths, the length of the
/// key in bits stands for SuppPubInfo, and SuppPrivInfo is empty.
fn concat_kdf<P: KeyWrap>(
    provider: &mut P,
    z: P::SharedSecret,
    apu: &[u8],
    apv: &[u8],
) -> Result<P::Kek, JoseError> {
    // None is longer than `MAX_PARTY`.
    let length = |bytes: &[u8]| (bytes.len() as u32).to_be_bytes();
    let other_info: [&[u8]; 7] = [
        &length(ALG.as_bytes()),
        ALG.as_bytes(),
        &length(apu),
        apu,
        &length(apv),
        apv,
        &256_u32.to_be_bytes(),
    ];
    Ok(provider.concat_kdf(z, &other_info)?)
}
