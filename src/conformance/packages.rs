//! Whole messages and content packages, the subject at either end.

use super::handshake::Trusting;
use super::keys::known;
use super::signature::identity;
use super::{Bench, Failure, Property, ROOM, Subject};
use crate::codec::timestamp::Timestamp;
use crate::crypto::software::{PinnedKey, Pins, RecipientKey};
use crate::crypto::{CryptoError, KeyId, KeyWrap, Recipient, Signature, Signer, Verified, Verifier};
use crate::jose::jwk::{Jwk, Use};
use crate::jose::package::{self, Expected, Package};
use crate::jose::{JoseError, KeyRef, jwe, jws};
use crate::secret::Secret;
use rand_core::TryCryptoRng;

/// Lengths of what is encrypted.
const LENGTHS: [usize; 4] = [0, 1, 256, 1024];
const BODY: &[u8] = br#"{"unlock":true}"#;

/// The subject as sender and as recipient of encrypted messages (RFC 7516) and content packages, with the software provider at the
/// other end: both ways, and changed ones refused. The `recipient` has the public key `point`, 0x04 ‖ x ‖ y.
///
/// # Errors
/// The first property that does not hold.
pub fn packages<P, S, V, R, G>(
    subject: &mut Subject<'_, P, S, V>,
    recipient: &mut R,
    point: &[u8; 65],
    bench: &mut Bench<'_, G>,
) -> Result<(), Failure>
where
    P: KeyWrap,
    S: Signer,
    V: FnMut(&[u8; 65], &KeyId, &[u8], &Signature) -> Result<Verified, CryptoError>,
    R: Recipient<SharedSecret = P::SharedSecret>,
    G: TryCryptoRng,
{
    let mut signer = identity()?;
    let signing = Property::Reference.succeeds(0, signer.public())?;
    let mut decrypts =
        Property::Reference.succeeds(0, RecipientKey::from_bytes(&Secret::new(known::PRIVATE)))?;
    let pin = Property::SentPackages.succeeds(0, PinnedKey::from_point(&subject.point))?;
    let Bench { software, room } = bench;

    let sent = message(subject.provider, software, &mut decrypts, &known::PUBLIC, room);
    Property::SentMessages.holds(0, sent)?;
    let received = message(software, subject.provider, recipient, point, room);
    Property::ReceivedMessages.holds(0, received)?;

    let to = (&mut *software, &mut decrypts, &known::PUBLIC);
    let sent = package(subject.provider, subject.signer, to, &mut Pins(&[pin]), room);
    Property::SentPackages.holds(0, sent)?;
    let mut verifier = Trusting { point: *signing.point(), verify: &mut subject.verify };
    let to = (&mut *subject.provider, recipient, point);
    let received = package(software, &mut signer, to, &mut verifier, room);
    Property::ReceivedPackages.holds(0, received)
}

fn key_of(point: &[u8; 65]) -> Result<(Jwk, KeyRef), JoseError> {
    let key = Jwk::new(*point, Use::Encryption)?;
    Ok((key, KeyRef::new("bob@conformance", key.kid())?))
}

/// Whether messages arrive, and changed ones do not.
#[inline(never)]
fn message<F: KeyWrap, T: KeyWrap, R: Recipient<SharedSecret = T::SharedSecret>>(
    from: &mut F,
    to: &mut T,
    recipient: &mut R,
    point: &[u8; 65],
    room: &mut [u8; ROOM],
) -> Result<bool, JoseError> {
    let (key, kid) = key_of(point)?;
    let header = jwe::Header { kid: &kid, content_type: None };
    let (room, copy) = room.split_at_mut(ROOM / 2);
    for length in LENGTHS {
        room.fill(0x5c);
        let length_of_text = jwe::encrypt(from, &key, &header, room, length)?.len();
        if !refuses(room, length_of_text, copy, |message| jwe::decrypt(to, recipient, message).map(drop))? {
            return Ok(false);
        }
        let message = room.get_mut(..length_of_text).unwrap_or_default();
        let text = jwe::decrypt(to, recipient, message)?;
        if text.len() != length || text.iter().any(|byte| *byte != 0x5c) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a content package arrives, and a changed one does not.
#[inline(never)]
fn package<F: KeyWrap, T: KeyWrap, R: Recipient<SharedSecret = T::SharedSecret>>(
    from: &mut F,
    signer: &mut dyn Signer,
    (to, recipient, point): (&mut T, &mut R, &[u8; 65]),
    verifier: &mut dyn Verifier,
    room: &mut [u8; ROOM],
) -> Result<bool, JoseError> {
    let ((key, kid), sender) = (key_of(point)?, KeyRef::new("alice@conformance", signer.kid())?);
    let issued_at = Timestamp::from_unix_secs(1_780_527_600);
    let header = jws::Header { issued_at, kid: &sender, target: "/v1/messages/send" };
    let package = Package { header, recipient: &kid, id: "1", body: BODY };
    let expected = Expected { sender: &sender, recipient: kid.address(), id: "1" };
    let (room, copy) = room.split_at_mut(ROOM / 2);
    let length = package::pack(from, signer, &key, &package, room)?.len();
    let refused = refuses(room, length, copy, |message| {
        package::unpack(to, recipient, verifier, &expected, message).map(drop)
    })?;
    let message = room.get_mut(..length).unwrap_or_default();
    let received = package::unpack(to, recipient, verifier, &expected, message)?;
    Ok(refused && received.body.raw() == BODY && received.target.is(header.target))
}

/// Whether a message is refused with another character in the wrapped key, in the tag, before it.
fn refuses(
    message: &[u8],
    length: usize,
    copy: &mut [u8],
    mut open: impl FnMut(&mut [u8]) -> Result<(), JoseError>,
) -> Result<bool, JoseError> {
    let message = message.get(..length).unwrap_or_default();
    let copy = copy.get_mut(..length).unwrap_or_default();
    let header = message.iter().position(|byte| *byte == b'.').ok_or(JoseError::Malformed)?;
    // The wrapped key behind the header, the tag at the end, and before it the ciphertext, or the iv where there is none.
    for at in [header.saturating_add(2), length.saturating_sub(2), length.saturating_sub(25)] {
        copy.copy_from_slice(message);
        match copy.get_mut(at) {
            Some(character) => *character = if *character == b'A' { b'Q' } else { b'A' },
            None => return Ok(false),
        }
        if open(copy) != Err(JoseError::Authentication) {
            return Ok(false);
        }
    }
    Ok(true)
}
