//! What the messages of both bindings have in common, member by member: read and written once.

use crate::codec::base64::{self, Base64Error};
use crate::codec::cursor::Writer;
use crate::codec::json::{self, Str, Value, put_string};
use crate::codec::spki::{Group, PublicKey};
use crate::crypto::provider::HASH_LEN;
use crate::crypto::signature::{KeyId, SIGNATURE_LEN, Signature};
use crate::error::{Error, Misuse, Peer};
use crate::scheme::{NameList, Scheme};
use core::ops::Range;

/// The most bytes of a handshake nonce; the least are 16.
pub(crate) const MAX_NONCE: usize = 32;

/// A handshake nonce as it came, 16 to 32 bytes.
pub type Nonce = heapless::Vec<u8, MAX_NONCE, u8>;

/// A member that must be there.
pub(crate) fn required(value: Option<Value<'_>>) -> Result<Value<'_>, Error> {
    value.ok_or(Error::Peer(Peer::Malformed))
}

/// A member that must be there and a string.
pub(crate) fn string(value: Option<Value<'_>>) -> Result<Str<'_>, Error> {
    Ok(required(value)?.string()?)
}

/// The string that a message must have. What stands for one that is missing, or is none, is refused by whatever reads it.
#[inline(never)] // small: it is called for every string
pub(crate) fn text<'a>(value: &Option<Value<'a>>) -> Str<'a> {
    value.and_then(Value::text).unwrap_or(Str::MISSING)
}

/// Decodes a nonce into `room`, which has [`MAX_NONCE`] bytes.
pub(crate) fn nonce<'r>(text: Str<'_>, room: &'r mut [u8; MAX_NONCE]) -> Result<&'r [u8], Error> {
    match text.base64(room) {
        Ok(nonce) if nonce.len() >= 16 => Ok(nonce),
        _ => Err(Peer::Malformed.into()),
    }
}

/// Fills `list`, in its place: lists are large.
#[inline(never)] // one frame less in its caller's
pub(crate) fn names(value: Value<'_>, list: &mut NameList) -> Result<(), Error> {
    for element in value.elements()? {
        let mut room = [0; NameList::MAX_NAME];
        let name = element.string()?.copy_to(&mut room).map_err(|_| Peer::Malformed)?;
        list.push(name).map_err(|_| Peer::Malformed)?;
    }
    Ok(())
}

/// Reads the names that stand at `range`, where a message was found to have them, into `list`: lists are large, and one at
/// a time is enough.
#[inline(never)] // one frame less in its caller's
pub(crate) fn names_at(buffer: &[u8], range: &Range<usize>, list: &mut NameList) -> Result<(), Error> {
    match buffer.get(range.clone()) {
        Some([]) => Ok(()),
        text => names(json::value(text.unwrap_or_default())?, list),
    }
}

/// Checks the names of the offered schemes, of which there must be one, and says where they stand: see [`names_at`].
pub(crate) fn offered(value: Option<Value<'_>>) -> Result<Range<usize>, Error> {
    let (value, mut list) = (required(value)?, NameList::new());
    names(value, &mut list)?;
    if list.is_empty() { Err(Peer::Malformed.into()) } else { Ok(value.range()) }
}

/// Decodes a proof into its place.
pub(crate) fn proof(text: Str<'_>, place: &mut [u8; HASH_LEN]) -> Result<(), Error> {
    all_of(text.base64(place), HASH_LEN)
}

/// Reads a kid into its place.
pub(crate) fn kid(value: &Option<Value<'_>>, place: &mut KeyId) -> Option<()> {
    place.read(text(value))
}

/// The kid and the signature of an identity, into their place, where a message has one.
pub(crate) fn identity(
    value: Option<Value<'_>>,
    place: &mut Option<(KeyId, Signature)>,
) -> Result<(), Error> {
    let Some(value) = value else { return Ok(()) };
    let mut members = [None; 2];
    value.find(&["kid", "signature"], &mut members)?;
    let [id, signed] = &members;
    let (key, signature) = place.insert((KeyId::NONE, [0; SIGNATURE_LEN]));
    kid(id, key).ok_or(Peer::Malformed)?;
    all_of(text(signed).base64url(signature), SIGNATURE_LEN)
}

/// The bytes of which there must be `len`.
fn all_of(decoded: Result<&[u8], Base64Error>, len: usize) -> Result<(), Error> {
    match decoded {
        Ok(bytes) if bytes.len() == len => Ok(()),
        _ => Err(Peer::Malformed.into()),
    }
}

/// Decodes the base64 string at `range` of `buffer` in place, and says where its bytes stand.
pub(crate) fn decode_at(buffer: &mut [u8], range: Range<usize>) -> Result<Range<usize>, Error> {
    let malformed = Error::Peer(Peer::Malformed);
    let text = buffer.get_mut(range.clone()).ok_or(malformed)?;
    let length = json::unescape_in_place(text);
    let length = base64::decode_in_place(text.get_mut(..length).ok_or(malformed)?).map_err(|_| malformed)?;
    Ok(range.start..range.start.saturating_add(length))
}

/// The server's public key, which must be one of `group`, and its SPKI DER as sent.
pub(crate) fn server_key<'r>(
    text: Str<'_>,
    group: Group,
    room: &'r mut [u8; Group::MAX_SPKI_LEN],
) -> Result<(PublicKey, &'r [u8]), Error> {
    let der = match text.base64(room) {
        Ok(der) => der,
        Err(Base64Error::BufferTooSmall(_)) => return Err(Peer::InvalidPublicKey.into()),
        Err(_) => return Err(Peer::Malformed.into()),
    };
    let peer = PublicKey::from_spki(der).map_err(|_| Peer::InvalidPublicKey)?;
    if peer.group() == group { Ok((peer, der)) } else { Err(Peer::InvalidPublicKey.into()) }
}

pub(crate) fn put_base64(out: &mut Writer<'_>, bytes: &[u8]) {
    if let Some(room) = out.reserve(base64::encoded_len(bytes.len())) {
        // The room is exact.
        let _ = base64::encode_to(bytes, room);
    }
}

/// Puts the array of the offered schemes.
pub(crate) fn put_schemes(out: &mut Writer<'_>, schemes: &[Scheme]) {
    let mut before: &[u8] = b"[";
    for scheme in schemes {
        out.put(before);
        put_string(out, scheme.name());
        before = b",";
    }
    out.put(b"]");
}

/// The length in bytes of what [`put_schemes`] puts, for one scheme or more.
pub(crate) const fn schemes_len(schemes: &[Scheme]) -> usize {
    let (mut length, mut rest) = (schemes.len().saturating_add(1), schemes);
    while let [scheme, after @ ..] = rest {
        length = length.saturating_add(scheme.name().len()).saturating_add(2);
        rest = after;
    }
    length
}

/// What stands in the place of a signature that is not yet known: its characters in base64url.
pub(crate) const SIGNATURE_BLANK: [u8; base64::url_encoded_len(SIGNATURE_LEN)] =
    [b'A'; base64::url_encoded_len(SIGNATURE_LEN)];

/// Puts the member `identity` with a blank for the signature, which stands last, so that it can be written in after the
/// rest.
pub(crate) fn put_identity(out: &mut Writer<'_>, kid: &KeyId) {
    out.put(br#","identity":{"kid":"#);
    put_string(out, kid.as_str());
    out.put(br#","signature":""#);
    out.put(&SIGNATURE_BLANK);
    out.put(br#""}"#);
}

/// The length in bytes of what [`put_identity`] puts.
pub(crate) const IDENTITY_LEN: usize =
    br#","identity":{"kid":"","signature":""}"#.len() + KeyId::LEN + SIGNATURE_BLANK.len();

/// Writes `signature` into the answer that fills `answer` and was written with a blank for it, behind which `after` stands.
pub(crate) fn fill_signature(answer: &mut [u8], signature: &Signature, after: &[u8]) -> Result<(), Error> {
    let blank = answer
        .len()
        .checked_sub(after.len())
        .and_then(|end| Some(end.checked_sub(SIGNATURE_BLANK.len())?..end))
        .and_then(|place| answer.get_mut(place))
        .filter(|place| **place == SIGNATURE_BLANK)
        .ok_or(Misuse::WrongTurn)?;
    base64::url_encode(signature, blank)?;
    Ok(())
}
