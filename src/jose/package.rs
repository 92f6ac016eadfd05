//! Content packages (§4): a message that its sender signed, encrypted to its recipient. A JWS inside a JWE with `cty` `JWS`; the
//! `kid` of the JWS is the sender, and its payload names recipient and message id:
//! `{"aud":"<address>","jti":"<id>","body":<any JSON>}`. Who takes such a message out of one envelope can put it in another, for
//! someone else or once more; those two names say that this was not meant.
//!
//! Everything happens in one buffer, and the slow operations between the calls: [`begin`], sign, [`Unsigned::finish`], generate and
//! agree, [`jwe::seal`]; [`jwe::Encrypted::parse`], agree, [`open`], verify, [`Unverified::verified`]. [`pack`] and [`unpack`] are all
//! of it in one.
//!
//! ```
//! use dynamic_key::codec::timestamp::Timestamp;
//! use dynamic_key::crypto::software::{Identity, Pins, RecipientKey, Software};
//! use dynamic_key::crypto::{Recipient, Signer};
//! use dynamic_key::jose::jwk::{Jwk, Use};
//! use dynamic_key::jose::package::{self, Expected, Package};
//! use dynamic_key::jose::{JoseError, KeyRef, jws};
//!
//! # fn main() -> Result<(), JoseError> {
//! # let mut rng = getrandom::SysRng;
//! let (mut alice, mut bob) = (Identity::generate(&mut rng)?, RecipientKey::generate(&mut rng)?);
//! let mut provider = Software::new(rng);
//!
//! // What each knows of the other: address, key id, key.
//! let (sender, recipient) = (KeyRef::new("alice@nix", alice.kid())?, KeyRef::new("bob@nix", bob.kid())?);
//! let key = Jwk::new(bob.public()?.as_bytes().try_into().unwrap(), Use::Encryption)?;
//! let trusted = [alice.public()?];
//!
//! let issued_at = Timestamp::from_unix_secs(1_780_527_600);
//! let header = jws::Header { issued_at, kid: &sender, target: "/v1/messages/send" };
//! let package = Package { header, recipient: &recipient, id: "1", body: br#"{"unlock":true}"# };
//! let mut buffer = [0; 1024];
//! let length = package::pack(&mut provider, &mut alice, &key, &package, &mut buffer)?.len();
//!
//! let expected = Expected { sender: &sender, recipient: "bob@nix", id: "1" };
//! let message = &mut buffer[..length];
//! let received = package::unpack(&mut provider, &mut bob, &mut Pins(&trusted), &expected, message)?;
//! assert!(received.target.is("/v1/messages/send"));
//! assert_eq!(received.body.raw(), br#"{"unlock":true}"#);
//! # Ok(())
//! # }
//! ```

use super::compact::{Segment, Unsigned, split};
use super::jwk::Jwk;
use super::{Algorithm, JoseError, KeyRef, jwe, jws, jwt};
use crate::codec::cursor::Writer;
use crate::codec::json::{self, Str, Value, put_string};
use crate::codec::timestamp::Timestamp;
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::{KeyWrap, Recipient, Signature, Signer, Verified, Verifier};
use crate::log::format_as;
use core::fmt;

/// `cty` of a JWE around a JWS.
const CONTENT_TYPE: &str = "JWS";
/// The most bytes of the header of a JWS that is read: an address, a thumbprint and a target, with room to spare.
const MAX_HEADER: usize = 384;

/// A package as its sender makes it.
#[derive(Clone, Copy)]
pub struct Package<'a> {
    /// When it is signed, by whom and to what end.
    pub header: jws::Header<'a>,
    /// The recipient's encryption key, and its address.
    pub recipient: &'a KeyRef,
    /// The id of the message, by which the recipient knows duplicates.
    pub id: &'a str,
    /// What is sent: any JSON value.
    pub body: &'a [u8],
}

/// What is sent is not printed.
impl fmt::Debug for Package<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package")
            .field("header", &self.header)
            .field("recipient", &self.recipient)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

format_as! { [] Package<'_>, package => "Package {{ header: {}, id: {} }}", package.header, package.id }

impl Package<'_> {
    fn put(&self, out: &mut Writer<'_>) {
        out.put(br#"{"aud":"#);
        put_string(out, self.recipient.address());
        out.put(br#","jti":"#);
        put_string(out, self.id);
        out.put(br#","body":"#);
        out.put(self.body);
        out.put(b"}");
    }

    /// The characters of the signed message within.
    fn signed_len(&self) -> usize {
        jws::signed_len(&self.header, Segment::len(self))
    }

    /// [`Package::sealed_len`] with so many bytes more in the body.
    pub(crate) fn sealed_len_with(&self, more: usize) -> usize {
        let payload = Segment::len(self).saturating_add(more);
        jwe::sealed_len(&self.envelope(), jws::signed_len(&self.header, payload))
    }

    /// The header for [`jwe::seal`].
    #[must_use]
    pub const fn envelope(&self) -> jwe::Header<'_> {
        jwe::Header { kid: self.recipient, content_type: Some(CONTENT_TYPE) }
    }

    /// The length in characters of the package: exactly what [`pack`] needs.
    #[must_use]
    pub fn sealed_len(&self) -> usize {
        jwe::sealed_len(&self.envelope(), self.signed_len())
    }
}

impl Segment for Package<'_> {
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

/// Writes the signed message, but for its signature, at the start of `buffer`. What [`Unsigned::finish`] returns is the plaintext
/// for [`jwe::seal`] with [`Package::envelope`].
///
/// # Errors
/// [`JoseError::BufferTooSmall`] with [`Package::sealed_len`], so that the rest has room, too; [`JoseError::Malformed`] for a body
/// that is no JSON.
pub fn begin<'b>(package: &Package<'_>, buffer: &'b mut [u8]) -> Result<Unsigned<'b>, JoseError> {
    let needed = package.sealed_len();
    if buffer.len() < needed {
        return Err(BufferTooSmall { needed }.into());
    }
    json::value(package.body)?;
    Unsigned::write(Algorithm::Es256, &package.header, package, buffer)
}

/// Signs a package and encrypts it to `key`, the one that [`Package::recipient`] names, at the start of `buffer`. Slow.
///
/// # Errors
/// As [`begin`] and [`jwe::encrypt`]; [`JoseError::Key`] where the signer is not the one that the package names.
pub fn pack<'b, P: KeyWrap>(
    provider: &mut P,
    signer: &mut dyn Signer,
    key: &Jwk,
    package: &Package<'_>,
    buffer: &'b mut [u8],
) -> Result<&'b str, JoseError> {
    if signer.kid() != package.header.kid.kid() {
        return Err(JoseError::Key);
    }
    let unsigned = begin(package, buffer)?;
    let signature = signer.sign(unsigned.signing_input())?;
    let length = unsigned.finish(&signature)?.len();
    jwe::encrypt(provider, key, &package.envelope(), buffer, length)
}

/// Decrypts a package. `z` was agreed on with [`jwe::Encrypted::epk`].
///
/// # Errors
/// As [`jwe::Encrypted::open`]. [`JoseError::Header`] where `cty` is not `JWS`; [`JoseError::Malformed`] and [`JoseError::Header`]
/// where what is within is not a message as [`jws`] writes it, with a header of at most 384 bytes.
pub fn open<'b, P: KeyWrap>(
    provider: &mut P,
    encrypted: jwe::Encrypted<'b>,
    z: P::SharedSecret,
) -> Result<Unverified<'b>, JoseError> {
    if !encrypted.content_type()?.is_some_and(|content_type| content_type.is(CONTENT_TYPE)) {
        return Err(JoseError::Header);
    }
    Unverified::read(encrypted.open(provider, z)?)
}

/// A package whose signature nobody has verified yet.
#[must_use]
pub struct Unverified<'b> {
    message: &'b mut [u8],
    signature: Signature,
    sender: KeyRef,
    issued_at: Timestamp,
}

impl<'b> Unverified<'b> {
    #[inline(never)] // one frame less in its caller's
    fn read(message: &'b mut [u8]) -> Result<Self, JoseError> {
        let token = core::str::from_utf8(message).map_err(|_| JoseError::Malformed)?;
        let mut room = [0; MAX_HEADER];
        let header = base64::url_decode(split(token)?.header.as_bytes(), &mut room);
        let read = jws::Unverified::read(token, header.map_err(|_| JoseError::Malformed)?)?;
        let issued_at = read.issued_at().filter(|_| read.target().is_some()).ok_or(JoseError::Header)?;
        let (signature, sender) = (*read.statement().1, read.key()?);
        Ok(Self { message, signature, sender, issued_at })
    }

    /// Who claims to have sent it: find the key of the identity at this address, and hand both on to [`Unverified::verified`].
    #[must_use]
    pub const fn sender(&self) -> &KeyRef {
        &self.sender
    }

    /// What is to be verified: the message and its signature.
    #[must_use]
    pub fn statement(&self) -> (&[u8], &Signature) {
        let end = self.message.iter().rposition(|byte| *byte == b'.').unwrap_or_default();
        (self.message.get(..end).unwrap_or_default(), &self.signature)
    }

    /// Takes the word of a verifier that it verified [`Unverified::statement`], and checks who sent the message, to whom, and
    /// under which id.
    ///
    /// # Errors
    /// [`JoseError::Key`] for another sender than the expected one, [`JoseError::Claim`] for another recipient or id;
    /// [`JoseError::Malformed`] for another payload than a package has.
    pub fn verified(self, _: Verified, expected: &Expected<'_>) -> Result<Received<'b>, JoseError> {
        if self.sender != *expected.sender {
            return Err(JoseError::Key);
        }
        let dot = |text: &[u8]| text.iter().position(|byte| *byte == b'.').ok_or(JoseError::Malformed);
        let (header, rest) = self.message.split_at_mut(dot(self.message)?);
        let payload = rest.get_mut(1..).ok_or(JoseError::Malformed)?;
        let payload_len = dot(payload)?;
        let payload = decoded(payload.get_mut(..payload_len).unwrap_or_default())?;
        let [target] = json::object(decoded(header)?, &["tgt"])?;
        let [recipient, id, body] = json::object_with_body(payload, &["aud", "jti", "body"], "body")?;
        jwt::expect(recipient, expected.recipient)?;
        jwt::expect(id, expected.id)?;
        Ok(Received {
            issued_at: self.issued_at,
            target: jwt::text(target)?.ok_or(JoseError::Header)?,
            body: body.ok_or(JoseError::Malformed)?,
        })
    }
}

/// Decodes a segment in place.
fn decoded(segment: &mut [u8]) -> Result<&[u8], JoseError> {
    let length = base64::url_decode_in_place(segment)?;
    segment.get(..length).ok_or(JoseError::Malformed)
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("sender", &self.sender).finish_non_exhaustive()
    }
}

format_as! { [] Unverified<'_>, unverified => "Unverified {{ sender: {} }}", unverified.sender }

/// What a package must say of itself: as it was announced, and as its recipient knows it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Expected<'a> {
    /// The identity that sent it, with the key that is known to be its own: a key that is trusted, and belongs to another
    /// address, is another sender.
    pub sender: &'a KeyRef,
    /// The recipient's address: its own, or that of a route that it serves.
    pub recipient: &'a str,
    /// The id under which the message came.
    pub id: &'a str,
}

/// A package that was decrypted, verified and checked.
#[derive(Clone, Copy)]
pub struct Received<'b> {
    /// When it was signed, as the sender says.
    pub issued_at: Timestamp,
    /// To what end it was signed: what was signed to another end is another message.
    pub target: Str<'b>,
    /// What was sent.
    pub body: Value<'b>,
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("issued_at", &self.issued_at).finish_non_exhaustive()
    }
}

format_as! { [] Received<'_>, received => "Received {{ issued_at: {} }}", received.issued_at }

/// Decrypts the package that fills `buffer`, in place, verifies its signature and checks it against what is expected. Slow.
///
/// # Errors
/// As [`jwe::decrypt`], [`open`] and [`Unverified::verified`]; [`JoseError::Authentication`] for a wrong signature.
pub fn unpack<'b, P: KeyWrap, R: Recipient<SharedSecret = P::SharedSecret>>(
    provider: &mut P,
    recipient: &mut R,
    verifier: &mut dyn Verifier,
    expected: &Expected<'_>,
    buffer: &'b mut [u8],
) -> Result<Received<'b>, JoseError> {
    let encrypted = jwe::Encrypted::parse(buffer)?;
    if encrypted.key()?.kid() != recipient.kid() {
        return Err(JoseError::Key);
    }
    let z = recipient.agree(&encrypted.epk()?)?;
    let unverified = open(provider, encrypted, z)?;
    let (message, signature) = unverified.statement();
    let verified = verifier.verify(&expected.sender.kid(), message, signature)?;
    unverified.verified(verified, expected)
}
