//! Recovery: the keys of an identity under a password, kept by the relay, for when everything else is lost.
//!
//! What is kept is signed by the identity and then handed to whoever asks. The signature is checked first: only what the identity made
//! itself may cost the hundred thousands of rounds that a password takes.

use super::draft::{Author, Draft};
use super::profile::Known;
use super::request::{Place, Request, get_path};
use super::response::Response;
use super::{IdentityError, Unverified};
use crate::codec::cursor::Writer;
use crate::codec::{base64, json};
use crate::crypto::{KeyWrap, Verified};
use crate::jose::KeyRef;
use crate::jose::jwe::pbes2::{self, Iterations};
use crate::log::format_as;
use crate::secret::Secret;
use core::fmt;
use zeroize::Zeroize;

/// Replaces the recovery data, `POST /v1/identity/me/recovery`: `sealed` is a JWE under a password, from [`Keys::seal`] or
/// [`pbes2`].
///
/// # Errors
/// [`IdentityError::BufferTooSmall`].
pub fn update<'o>(
    author: &Author<'_>,
    sealed: &str,
    out: &'o mut [u8],
) -> Result<Draft<'o, 1>, IdentityError> {
    Place::RECOVERY.draft(author, sealed.as_bytes(), out)
}

/// Takes the body of such a request apart.
///
/// # Errors
/// [`IdentityError::Malformed`]; [`JoseError::Header`](crate::jose::JoseError::Header).
pub fn parse(body: &[u8]) -> Result<Unverified<'_>, IdentityError> {
    let [member] = json::object(body, &[Place::RECOVERY.member])?;
    Unverified::read(member, &[Place::RECOVERY.target])
}

/// Asks for the recovery data of the identity at `address`: `GET /v1/identity/:id/recovery`.
///
/// # Errors
/// [`IdentityError::BufferTooSmall`].
pub fn get<'o>(address: &str, out: &'o mut [u8]) -> Result<Request<'o>, IdentityError> {
    get_path(address, "/recovery", out)
}

/// Recovery data of one identity, by its current key.
#[must_use]
pub struct Recovery<'t> {
    data: Unverified<'t>,
}

impl<'t> Recovery<'t> {
    /// Reads the answer to [`get`]: `{"recovery":…}`, as it was signed.
    ///
    /// # Errors
    /// [`IdentityError::Refused`], [`IdentityError::Malformed`], [`JoseError::Header`](crate::jose::JoseError::Header); [`IdentityError::Address`] where another
    /// identity signed, [`IdentityError::Stale`] where another key of it did.
    pub fn parse(response: &Response<'t>, signer: &KeyRef) -> Result<Self, IdentityError> {
        let [member] = response.body()?.members(&[Place::RECOVERY.member])?;
        let data = Unverified::read(member, &[Place::RECOVERY.target])?;
        if data.signer().address() != signer.address() {
            return Err(IdentityError::Address);
        }
        if data.signer().kid() != signer.kid() {
            return Err(IdentityError::Stale);
        }
        Ok(Self { data })
    }

    /// The signature that is to be verified.
    pub const fn signed(&self) -> &Unverified<'t> {
        &self.data
    }

    /// Takes the word of a verifier that it verified [`Recovery::signed`], decodes the JWE to the front of `scratch` and returns it, to be opened in
    /// place.
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`], [`IdentityError::Malformed`].
    pub fn verified<'b>(
        &self,
        verified: &Verified,
        scratch: &'b mut [u8],
    ) -> Result<&'b mut [u8], IdentityError> {
        self.data.payload(verified, scratch)
    }

    /// Verifies the signature, then decrypts under `password`, with at most so many rounds. Slow.
    ///
    /// # Errors
    /// [`JoseError::Authentication`](crate::jose::JoseError::Authentication) for a wrong signature, and for a wrong password; as [`pbes2::decrypt`].
    pub fn open<'b, P: KeyWrap>(
        &self,
        provider: &mut P,
        known: &mut Known,
        password: &[u8],
        most: Iterations,
        scratch: &'b mut [u8],
    ) -> Result<&'b mut [u8], IdentityError> {
        let verified = self.data.verify(known)?;
        let sealed = self.verified(&verified, scratch)?;
        Ok(pbes2::decrypt(provider, password, most, sealed)?)
    }
}

impl fmt::Debug for Recovery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovery").field("data", &self.data).finish()
    }
}

format_as! { [] Recovery<'_>, recovery => "Recovery {{ data: {} }}", recovery.data }

/// The private keys of an identity that can leave where they are: P-256 scalars of 32 bytes, big-endian.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Keys {
    /// The signing key.
    pub signing: Secret<32>,
    /// The encryption key.
    pub encryption: Secret<32>,
}

/// Keys around the values of `sig` and `enc`.
const KEYS: [&str; 3] = [r#"{"sig":""#, r#"","enc":""#, r#""}"#];
/// The characters of a scalar.
const SCALAR: usize = base64::url_encoded_len(32);

impl Keys {
    /// The bytes of what is encrypted.
    const LEN: usize = KEYS[0].len() + KEYS[1].len() + KEYS[2].len() + 2 * SCALAR;

    /// Encrypts them under `password` at the front of `buffer`. Slow.
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`]; as [`pbes2::encrypt`].
    ///
    /// # Security
    /// Where the provider fails, the keys may be in the buffer as they are: erase it.
    pub fn seal<'b, P: KeyWrap>(
        &self,
        provider: &mut P,
        password: &[u8],
        iterations: Iterations,
        buffer: &'b mut [u8],
    ) -> Result<&'b str, IdentityError> {
        // So that no key is written where there is no room for the rest.
        let parameters = pbes2::Parameters::draw(provider, iterations)?;
        let needed = pbes2::sealed_len(&parameters, None, Self::LEN);
        if buffer.len() < needed {
            return Err(IdentityError::BufferTooSmall { needed });
        }
        let kek = parameters.derive(provider, password)?;
        let mut out = Writer::new(buffer);
        for (before, key) in KEYS.iter().zip([&self.signing, &self.encryption]) {
            out.put(before.as_bytes());
            if let Some(room) = out.reserve(SCALAR) {
                base64::url_encode_secret(key.as_bytes(), room)?;
            }
        }
        out.put(KEYS[2].as_bytes());
        let length = out.finish()?;
        Ok(pbes2::seal(provider, kek, &parameters, None, buffer, length)?)
    }

    /// Takes them from what [`Recovery::open`] decrypted, which is erased.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`].
    pub fn take(opened: &mut [u8]) -> Result<Self, IdentityError> {
        let keys = Self::read(opened);
        opened.zeroize();
        keys
    }

    fn read(opened: &[u8]) -> Result<Self, IdentityError> {
        let [signing, encryption] = json::object(opened, &["sig", "enc"])?;
        let mut keys = Self { signing: Secret::zero(), encryption: Secret::zero() };
        for (member, key) in [(signing, &mut keys.signing), (encryption, &mut keys.encryption)] {
            let text = member.ok_or(IdentityError::Malformed)?.string()?;
            let text = text.as_plain().ok_or(IdentityError::Malformed)?;
            let decoded = base64::url_decode_secret(text.as_bytes(), key.as_mut_bytes());
            if decoded.map_err(|_| IdentityError::Malformed)?.len() != 32 {
                return Err(IdentityError::Malformed);
            }
        }
        Ok(keys)
    }
}
