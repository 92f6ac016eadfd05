//! The compact serialisation of a JWE (RFC 7516 §7.1), written and read within one buffer: header `.` encrypted key `.` iv `.`
//! ciphertext `.` tag, each in base64url. The header's text is the AAD.

use crate::codec::cursor::Writer;
use crate::codec::json::{self, Str};
use crate::codec::{BufferTooSmall, base64};
use crate::crypto::KeyWrap;
use crate::crypto::provider::{NONCE_LEN, TAG_LEN};
use crate::crypto::wrap::WRAPPED_LEN;
use crate::jose::{JoseError, jwt};

/// The value of `enc`.
pub(super) const ENC: &str = "A256GCM";

const KEY_TEXT: usize = base64::url_encoded_len(WRAPPED_LEN);
const IV_TEXT: usize = base64::url_encoded_len(NONCE_LEN);
const TAG_TEXT: usize = base64::url_encoded_len(TAG_LEN);

/// A header, as it is written.
pub(super) trait Frame {
    /// Writes its JSON.
    fn put(&self, out: &mut Writer<'_>);

    /// The length of its JSON in bytes.
    fn len(&self) -> usize {
        let mut count = Writer::new(&mut []);
        self.put(&mut count);
        count.position()
    }
}

/// What stands before the ciphertext of a message whose header has so many bytes.
const fn prefix_len(header: usize) -> usize {
    base64::url_encoded_len(header).saturating_add(1 + KEY_TEXT + 1 + IV_TEXT + 1)
}

/// The characters of a message.
pub(super) const fn sealed_len(header: usize, plaintext: usize) -> usize {
    prefix_len(header).saturating_add(base64::url_encoded_len(plaintext)).saturating_add(1 + TAG_TEXT)
}

/// Checks that the plaintext is in the buffer, and that the message fits.
pub(super) fn check_room(header: usize, buffer: &[u8], plaintext: usize) -> Result<usize, BufferTooSmall> {
    let needed = sealed_len(header, plaintext);
    if buffer.len() < needed { Err(BufferTooSmall { needed }) } else { Ok(needed) }
}

/// Encrypts the `plaintext` bytes at the front of `buffer` into a message there: they move to where the ciphertext will stand,
/// the header is written before them, they are encrypted, and then encoded, in place.
pub(super) fn seal<'b, P: KeyWrap>(
    provider: &mut P,
    kek: P::Kek,
    header: &impl Frame,
    buffer: &'b mut [u8],
    plaintext: usize,
) -> Result<&'b str, JoseError> {
    let json_len = header.len();
    let needed = check_room(json_len, buffer, plaintext)?;
    let too_small = BufferTooSmall { needed };
    let (key, wrapped) = provider.wrap(kek)?;
    let mut iv = [0; NONCE_LEN];
    provider.fill(&mut iv)?;

    let message = buffer.get_mut(..needed).ok_or(too_small)?;
    make_room(message, plaintext, prefix_len(json_len));
    let (prefix, content) = message.split_at_mut_checked(prefix_len(json_len)).ok_or(too_small)?;
    let (header_text, rest) =
        prefix.split_at_mut_checked(base64::url_encoded_len(json_len)).ok_or(too_small)?;
    let mut out = Writer::new(header_text);
    header.put(&mut out);
    let written = out.finish()?;
    base64::url_encode_in_place(header_text, written)?;

    let text = content.get_mut(..plaintext).ok_or(too_small)?;
    let tag = provider.seal(&key, &iv, header_text, text)?;
    let end = base64::url_encode_in_place(content, plaintext)?;
    let mut out = Writer::new(rest);
    out.put(b".");
    put_url(&mut out, &wrapped);
    out.put(b".");
    put_url(&mut out, &iv);
    out.put(b".");
    out.finish()?;
    let mut out = Writer::new(content.get_mut(end..).ok_or(too_small)?);
    out.put(b".");
    put_url(&mut out, &tag);
    out.finish()?;
    Ok(core::str::from_utf8(message).unwrap_or_default())
}

/// Moves the first `len` bytes on by `room`: what `copy_within` does, which may panic as far as the compiler knows.
fn make_room(message: &mut [u8], len: usize, room: usize) {
    let mut end = len;
    while end > 0 {
        // So few that they do not reach what they are moved to.
        let start = end.saturating_sub(room);
        let Some((before, behind)) = message.split_at_mut_checked(start.saturating_add(room)) else { return };
        let bytes = before.get(start..end).unwrap_or_default();
        behind.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        end = start;
    }
}

/// Puts `bytes` in base64url.
pub(super) fn put_url(out: &mut Writer<'_>, bytes: &[u8]) {
    if let Some(room) = out.reserve(base64::url_encoded_len(bytes.len())) {
        // The room is exact.
        let _ = base64::url_encode(bytes, room);
    }
}

/// A message, taken apart within its buffer: the header is decoded where it stood, and encoded again before it is authenticated,
/// which gives back the same text, for only one text of some bytes is accepted.
pub(super) struct Compact<'b> {
    /// The header, decoded, with room for its text.
    header: &'b mut [u8],
    header_len: usize,
    wrapped: [u8; WRAPPED_LEN],
    iv: [u8; NONCE_LEN],
    tag: [u8; TAG_LEN],
    /// In base64url.
    ciphertext: &'b mut [u8],
}

impl<'b> Compact<'b> {
    pub(super) fn parse(message: &'b mut [u8]) -> Result<Self, JoseError> {
        // All parts but header and ciphertext have one length, and a dot within a part is of no alphabet.
        let malformed = JoseError::Malformed;
        let dot = message.iter().position(|byte| *byte == b'.').ok_or(malformed)?;
        let (header, rest) = message.split_at_mut_checked(dot).ok_or(malformed)?;
        let (key, rest) = rest.split_first_chunk_mut::<{ 1 + KEY_TEXT }>().ok_or(malformed)?;
        let (iv, rest) = rest.split_first_chunk_mut::<{ 1 + IV_TEXT }>().ok_or(malformed)?;
        let (rest, tag) = rest.split_last_chunk_mut::<{ 1 + TAG_TEXT }>().ok_or(malformed)?;
        let Some((b'.', ciphertext)) = rest.split_first_mut() else { return Err(malformed) };
        let (wrapped, iv, tag) = (behind_dot(key)?, behind_dot(iv)?, behind_dot(tag)?);
        let header_len = base64::url_decode_in_place(header)?;
        Ok(Self { header, header_len, wrapped, iv, tag, ciphertext })
    }

    /// The header, JSON.
    pub(super) fn header(&self) -> &[u8] {
        self.header.get(..self.header_len).unwrap_or_default()
    }

    /// A member of the header that is a string.
    pub(super) fn text(&self, name: &str) -> Result<Option<Str<'_>>, JoseError> {
        let [member] = json::object(self.header(), &[name])?;
        jwt::text(member)
    }

    pub(super) fn open<P: KeyWrap>(self, provider: &mut P, kek: P::Kek) -> Result<&'b mut [u8], JoseError> {
        let Self { header, header_len, wrapped, iv, tag, ciphertext } = self;
        base64::url_encode_in_place(header, header_len)?;
        let length = base64::url_decode_in_place(ciphertext)?;
        let text = ciphertext.get_mut(..length).ok_or(JoseError::Malformed)?;
        let key = provider.unwrap(kek, &wrapped)?;
        provider.open(&key, &iv, header, text, &tag)?;
        Ok(text)
    }
}

/// The `N` bytes of a part with the dot before it, which has exactly as many characters as they take.
fn behind_dot<const N: usize>(part: &[u8]) -> Result<[u8; N], JoseError> {
    let mut bytes = [0; N];
    let text = part.strip_prefix(b".").ok_or(JoseError::Malformed)?;
    base64::url_decode(text, &mut bytes)?;
    Ok(bytes)
}
