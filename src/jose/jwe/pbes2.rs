//! Messages under a password: PBES2-HS256+A128KW with A256GCM (RFC 7518 §4.8, §4), for recovery data.
//!
//! Deriving the key from the password is slow by design. It happens before [`seal`] and between [`Encrypted::parse`] and
//! [`Encrypted::open`], wherever it does not block: on another core, or in a task of low priority.

use super::check_algorithms;
use super::compact::{self, Compact, ENC, Frame, put_url};
use crate::codec::BufferTooSmall;
use crate::codec::base64;
use crate::codec::cursor::Writer;
use crate::codec::json::{Str, put_string};
use crate::crypto::KeyWrap;
use crate::jose::{self, JoseError, jwt};
use crate::log::format_as;
use core::fmt;
use core::num::NonZeroU32;

/// The value of `alg`, with which the salt begins.
const ALG: &str = "PBES2-HS256+A128KW";
/// The least and the most bytes of a salt (`p2s`).
const SALT: core::ops::RangeInclusive<usize> = 16..=MAX_SALT;
const MAX_SALT: usize = 64;
/// The bytes of a salt that is drawn here.
const OWN_SALT: usize = 16;

/// How often the PRF of PBKDF2 is iterated (`p2c`): from 10,000 to 2,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Iterations(NonZeroU32);

impl Iterations {
    /// The least, which the source of §4 names: 10,000.
    pub const MIN: Self = Self::of(10_000);
    /// 600,000: what is written, and the most that is accepted, where the caller does not say.
    pub const DEFAULT: Self = Self::of(600_000);
    /// The most that a caller may allow: 2,000,000.
    pub const MAX: Self = Self::of(2_000_000);

    /// This many; `None` for less than [`Iterations::MIN`] and more than [`Iterations::MAX`].
    #[must_use]
    pub fn new(count: u32) -> Option<Self> {
        NonZeroU32::new(count).map(Self).filter(|count| (Self::MIN..=Self::MAX).contains(count))
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    const fn of(count: u32) -> Self {
        match NonZeroU32::new(count) {
            Some(count) => Self(count),
            None => Self(NonZeroU32::MIN),
        }
    }
}

impl Default for Iterations {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Salt and count of one derivation.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Parameters {
    salt: heapless::Vec<u8, MAX_SALT, u8>,
    iterations: Iterations,
}

impl Parameters {
    /// Draws a salt.
    ///
    /// # Errors
    /// [`JoseError::Crypto`] when the generator fails.
    pub fn draw<P: KeyWrap>(provider: &mut P, iterations: Iterations) -> Result<Self, JoseError> {
        let mut salt = [0; OWN_SALT];
        provider.fill(&mut salt)?;
        let salt = heapless::Vec::from_slice(&salt).map_err(|_| JoseError::TooLong)?;
        Ok(Self { salt, iterations })
    }

    /// Derives the key-encryption key. Slow: [`Iterations`] times two blocks of SHA-256.
    ///
    /// # Errors
    /// [`JoseError::WeakKey`] for an empty password, [`JoseError::Crypto`].
    ///
    /// # Security
    /// Whoever has the message can try passwords: only one that nobody guesses protects it.
    pub fn derive<P: KeyWrap>(&self, provider: &mut P, password: &[u8]) -> Result<P::Kek, JoseError> {
        if password.is_empty() {
            return Err(JoseError::WeakKey);
        }
        // RFC 7518 §4.8.1.1: the algorithm ‖ 0x00 ‖ p2s.
        let mut salt = [0; ALG.len() + 1 + MAX_SALT];
        let mut out = Writer::new(&mut salt);
        out.put(ALG.as_bytes());
        out.put(&[0]);
        out.put(&self.salt);
        Ok(provider.pbkdf2(password, out.finish_slice()?, self.iterations.0)?)
    }
}

/// The header as it is written: `alg`, `enc`, `cty`, `p2s` and `p2c`.
struct Header<'a> {
    parameters: &'a Parameters,
    content_type: Option<&'a str>,
}

impl Frame for Header<'_> {
    fn put(&self, out: &mut Writer<'_>) {
        out.put(br#"{"alg":""#);
        out.put(ALG.as_bytes());
        out.put(br#"","enc":""#);
        out.put(ENC.as_bytes());
        out.put(b"\"");
        if let Some(content_type) = self.content_type {
            out.put(br#","cty":"#);
            put_string(out, content_type);
        }
        out.put(br#","p2s":""#);
        put_url(out, &self.parameters.salt);
        out.put(br#"","p2c":"#);
        out.put_decimal(self.parameters.iterations.get().into());
        out.put(b"}");
    }
}

/// The length in characters of a message with so many bytes of plaintext: exactly what [`seal`] needs of the buffer.
#[must_use]
pub fn sealed_len(parameters: &Parameters, content_type: Option<&str>, plaintext: usize) -> usize {
    compact::sealed_len(Header { parameters, content_type }.len(), plaintext)
}

/// Encrypts the `plaintext` bytes at the front of `buffer` into a message there, with a key that was derived by
/// `parameters`; `content_type` is `cty`, where the header has one.
///
/// # Errors
/// [`JoseError::BufferTooSmall`] with [`sealed_len`], and nothing has changed; [`JoseError::Crypto`], after which the buffer
/// is to be taken for destroyed.
pub fn seal<'b, P: KeyWrap>(
    provider: &mut P,
    kek: P::Kek,
    parameters: &Parameters,
    content_type: Option<&str>,
    buffer: &'b mut [u8],
    plaintext: usize,
) -> Result<&'b str, JoseError> {
    compact::seal(provider, kek, &Header { parameters, content_type }, buffer, plaintext)
}

/// Encrypts the `plaintext` bytes at the front of `buffer` under `password`: draws a salt, derives and [`seal`]s. Slow.
///
/// # Errors
/// As [`Parameters::draw`], [`Parameters::derive`] and [`seal`].
pub fn encrypt<'b, P: KeyWrap>(
    provider: &mut P,
    password: &[u8],
    iterations: Iterations,
    content_type: Option<&str>,
    buffer: &'b mut [u8],
    plaintext: usize,
) -> Result<&'b str, JoseError> {
    let parameters = Parameters::draw(provider, iterations)?;
    let needed = sealed_len(&parameters, content_type, plaintext);
    if buffer.len() < needed {
        return Err(BufferTooSmall { needed }.into());
    }
    let kek = parameters.derive(provider, password)?;
    seal(provider, kek, &parameters, content_type, buffer, plaintext)
}

/// Decrypts the message that fills `buffer`, in place, and returns the plaintext; `most` bounds the work. Slow.
///
/// # Errors
/// As [`Encrypted::parse`], [`Parameters::derive`] and [`Encrypted::open`].
pub fn decrypt<'b, P: KeyWrap>(
    provider: &mut P,
    password: &[u8],
    most: Iterations,
    buffer: &'b mut [u8],
) -> Result<&'b mut [u8], JoseError> {
    let encrypted = Encrypted::parse(buffer, most)?;
    let kek = encrypted.parameters().derive(provider, password)?;
    encrypted.open(provider, kek)
}

/// A message under a password, taken apart and not decrypted yet.
#[must_use]
pub struct Encrypted<'b> {
    message: Compact<'b>,
    parameters: Parameters,
}

impl<'b> Encrypted<'b> {
    /// Takes the message that fills `buffer` apart. Its header must say PBES2-HS256+A128KW and A256GCM, a salt of 16 to 64
    /// bytes and from 10,000 to `most` iterations, and have none of `crit`, `zip`, `b64`, `jwk`, `jku`, `x5u`, `x5c`, `x5t` and
    /// `x5t#S256`; members that are not read here are ignored. What is in the buffer after an error is of no use.
    ///
    /// # Errors
    /// [`JoseError::Malformed`], [`JoseError::Header`].
    ///
    /// # Security
    /// Who can send a message decides how long its derivation takes, up to `most`: verify who sent it first (§4).
    pub fn parse(buffer: &'b mut [u8], most: Iterations) -> Result<Self, JoseError> {
        let message = Compact::parse(buffer)?;
        let parameters = check(message.header(), most)?;
        Ok(Self { message, parameters })
    }

    /// With what the key is to be derived.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// `cty`, if there is one.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] where it is no string.
    pub fn content_type(&self) -> Result<Option<Str<'_>>, JoseError> {
        self.message.text("cty")
    }

    /// Decrypts in place and returns the plaintext. `kek` was derived with [`Encrypted::parameters`].
    ///
    /// # Errors
    /// [`JoseError::Authentication`] when anything of the message, or the password, is another; [`JoseError::Crypto`].
    pub fn open<P: KeyWrap>(self, provider: &mut P, kek: P::Kek) -> Result<&'b mut [u8], JoseError> {
        self.message.open(provider, kek)
    }
}

impl fmt::Debug for Encrypted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted")
    }
}

format_as! { [] Encrypted<'_>, _ => "Encrypted" }

/// Checks the header and returns its parameters.
fn check(header: &[u8], most: Iterations) -> Result<Parameters, JoseError> {
    let [alg, enc, salt, count] = jose::header(header, &["alg", "enc", "p2s", "p2c"])?;
    check_algorithms(alg, ALG, enc)?;
    let count = count.ok_or(JoseError::Header)?.integer()?;
    let iterations = u32::try_from(count).ok().and_then(Iterations::new).filter(|count| *count <= most);
    let mut room = [0; MAX_SALT];
    let salt = jwt::text(salt)?.ok_or(JoseError::Header)?;
    let salt = match salt.base64url(&mut room) {
        Ok(salt) => salt,
        Err(base64::Base64Error::BufferTooSmall(_)) => return Err(JoseError::Header),
        Err(error) => return Err(error.into()),
    };
    if !SALT.contains(&salt.len()) {
        return Err(JoseError::Header);
    }
    let salt = heapless::Vec::from_slice(salt).map_err(|_| JoseError::Header)?;
    Ok(Parameters { salt, iterations: iterations.ok_or(JoseError::Header)? })
}
