//! Envelopes (§2.4): sealed and opened in place, in the caller's one buffer.
//!
//! ```text
//! { "nonce": "<b64 of 12 bytes>", "data": "<b64 of ciphertext ‖ 16-byte tag>" }
//! ```
//!
//! Sealing: the plaintext at the front of the buffer is encrypted where it lies, the tag is appended, both are encoded
//! backwards to their place in the JSON text, and the text is closed around them. Opening is the way back: the value of
//! `data` is decoded and decrypted where it lies, and the plaintext is a slice of the buffer.

use crate::agreement::schedule::{Label, Schedule};
use crate::codec::cursor::Writer;
use crate::codec::json::{Str, Value};
use crate::codec::{BufferTooSmall, base64, json};
use crate::crypto::provider::{Aead, CryptoError, NONCE_LEN, Provider, TAG_LEN};
use crate::crypto::signature::{SIGNATURE_LEN, Signature};
use crate::error::{Code, Error, Misuse, Peer};
use crate::log::format_as;
use crate::nonce::WireNonce;
use core::ops::Range;

const HEAD: &[u8; 10] = br#"{"nonce":""#;
const MIDDLE: &[u8; 10] = br#"","data":""#;
const TAIL: &[u8; 2] = br#""}"#;
/// Twelve bytes in base64.
const NONCE_TEXT: usize = base64::encoded_len(NONCE_LEN);
/// Where the value of `data` begins in an envelope of ours.
const DATA_AT: usize = HEAD.len() + NONCE_TEXT + MIDDLE.len();

/// The length in bytes of the JSON envelope around `plaintext` bytes: exactly what sealing needs of the buffer.
#[must_use]
pub const fn sealed_len(plaintext: usize) -> usize {
    const FRAME: usize = DATA_AT + TAIL.len();
    FRAME.saturating_add(base64::encoded_len(plaintext.saturating_add(TAG_LEN)))
}

/// One direction of a session: an AEAD key and the iv that masks its nonces (zero in plain mode).
pub struct Traffic<K> {
    /// The AEAD key.
    pub key: K,
    /// XORed into every nonce of the wire.
    pub iv: [u8; NONCE_LEN],
}

impl<K> Traffic<K> {
    /// Derives the key with the label `write` and the iv with the label `iv` (§2.3).
    #[inline(never)] // one frame less in its caller's
    pub(crate) fn derive<P: Provider<TrafficKey = K>>(
        provider: &mut P,
        schedule: &Schedule<'_, P::Prk>,
        (write, iv): (Label, Label),
        aead: Aead,
    ) -> Result<Self, CryptoError> {
        let iv = schedule.iv(provider, iv)?;
        schedule.key(provider, write, aead).map(|key| Self { key, iv })
    }
}

impl<K> core::fmt::Debug for Traffic<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("…")
    }
}

format_as! { [K] Traffic<K>, _ => "…" }

/// What an envelope is bound to beyond its text. It begins with the session's id, and holds it for whoever asks.
#[derive(Clone)]
pub struct Aad {
    text: [u8; Self::MAX_LEN],
    id: u8,
    length: u8,
}

impl Aad {
    const PREFIX: &[u8; 3] = b"v2:";
    /// Where the id stands.
    const ID: Range<usize> = Self::PREFIX.len()..Self::PREFIX.len() + 64;
    /// `v2:` ‖ 64 ‖ `:` ‖ 16 ‖ `:` ‖ 3, or 5 for what is no status.
    const MAX_LEN: usize = Self::ID.end + 1 + NONCE_TEXT + 1 + 5;

    /// That of no session.
    pub(crate) const fn none() -> Self {
        let mut text = [0; Self::MAX_LEN];
        if let Some(prefix) = text.first_chunk_mut() {
            *prefix = *Self::PREFIX;
        }
        Self { text, id: 0, length: Self::PREFIX.len() as u8 }
    }

    /// `v2:{sessionId}`: of requests, and of both directions in plain mode. The id has at most 64 bytes.
    #[must_use]
    #[inline(never)] // built where it stays
    pub fn session(session_id: &str) -> Self {
        let mut aad = Self::none();
        aad.take_id(session_id);
        aad
    }

    /// [`Aad::session`] of an id that was not checked.
    ///
    /// # Errors
    /// [`Misuse::TooLong`] for more than 64 bytes.
    pub(crate) fn of_session(session_id: &str) -> Result<Self, Error> {
        let mut aad = Self::none();
        aad.take_id(session_id).ok_or(Misuse::TooLong)?;
        Ok(aad)
    }

    /// Takes another id; `None` for one of more than 64 bytes.
    pub(crate) fn take_id(&mut self, id: &str) -> Option<()> {
        self.text.get_mut(Self::ID)?.get_mut(..id.len())?.copy_from_slice(id.as_bytes());
        self.id = id.len() as u8;
        self.unbind();
        Some(())
    }

    /// The same of a JSON string.
    pub(crate) fn read_id(&mut self, id: Str<'_>) -> Option<&str> {
        self.id = id.copy_to(self.text.get_mut(Self::ID)?).ok()?.len() as u8;
        self.unbind();
        Some(self.session_id())
    }

    /// The session's id.
    #[must_use]
    pub fn session_id(&self) -> &str {
        // It was copied from text.
        let id = self.text.get(Self::ID).and_then(|room| room.get(..self.id.into()));
        core::str::from_utf8(id.unwrap_or_default()).unwrap_or_default()
    }

    /// `v2:{sessionId}:{b64 request nonce}:{HTTP status, three digits}`: of responses outside plain mode.
    #[must_use]
    pub fn response(session_id: &str, request: WireNonce, status: u16) -> Self {
        let mut aad = Self::session(session_id);
        aad.bind(&request, status);
        aad
    }

    /// Goes back to [`Aad::session`].
    pub(crate) const fn unbind(&mut self) {
        self.length = self.id.wrapping_add(Self::PREFIX.len() as u8);
    }

    /// Goes on to [`Aad::response`].
    #[inline(never)]
    pub(crate) fn bind(&mut self, request: &WireNonce, status: u16) {
        self.unbind();
        let mut nonce = [b':'; 1 + NONCE_TEXT + 1];
        let [_, text @ .., _] = &mut nonce;
        // Twelve bytes are sixteen characters.
        let _ = base64::encode_to(request.as_bytes(), text);
        self.push(&nonce);
        // Three digits, and more for what is no status, so that no two numbers look alike.
        let (mut digits, mut start, mut rest) = ([0; 5], 5, status);
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            if at < 2 && rest == 0 {
                break;
            }
            *digit = b'0' | (rest % 10) as u8;
            rest /= 10;
            start = at;
        }
        self.push(digits.get(start..).unwrap_or_default());
    }

    /// There is room for the longest.
    #[inline(never)] // small: it is called for every piece
    fn push(&mut self, bytes: &[u8]) {
        let room = self.text.get_mut(self.length.into()..).and_then(|room| room.get_mut(..bytes.len()));
        if let Some(room) = room {
            room.copy_from_slice(bytes);
            self.length = self.length.wrapping_add(bytes.len() as u8);
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length.into()).unwrap_or_default()
    }
}

impl core::fmt::Debug for Aad {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self.session_id(), f)
    }
}

format_as! { [] Aad, aad => "{=str:?}", aad.session_id() }

/// Seals the `len` bytes of plaintext at the front of `buffer` into an envelope there, and returns its length.
///
/// # Errors
/// [`Error::BufferTooSmall`] with [`sealed_len`]`(len)`, and nothing has changed; the provider's errors, after which the
/// buffer is to be taken for destroyed.
///
/// # Security
/// The caller consumed `nonce` from the direction's sequence: it never comes again.
#[inline(always)] // one frame more on the way to the cipher is too many
pub fn seal<P: Provider>(
    provider: &mut P,
    traffic: &Traffic<P::TrafficKey>,
    nonce: WireNonce,
    aad: &Aad,
    buffer: &mut [u8],
    len: usize,
) -> Result<usize, Error> {
    let too_small = BufferTooSmall { needed: sealed_len(len) };
    let envelope = buffer.get_mut(..too_small.needed).ok_or(too_small)?;
    let (text, rest) = envelope.split_at_mut_checked(len).ok_or(too_small)?;
    let tag = provider.seal(&traffic.key, &nonce.masked(&traffic.iv), aad.as_bytes(), text)?;
    rest.first_chunk_mut::<TAG_LEN>().ok_or(too_small).map(|place| *place = tag)?;

    let end = base64::encode_in_place(envelope, len.saturating_add(TAG_LEN), DATA_AT)?;
    let (head, tail) = envelope.split_at_mut_checked(end).ok_or(too_small)?;
    tail.first_chunk_mut().ok_or(too_small).map(|place| *place = *TAIL)?;
    let (before, after) = head.split_first_chunk_mut().ok_or(too_small)?;
    *before = *HEAD;
    base64::encode_to(nonce.as_bytes(), after)?;
    let (_, after) = after.split_first_chunk_mut::<NONCE_TEXT>().ok_or(too_small)?;
    after.first_chunk_mut().ok_or(too_small).map(|place| *place = *MIDDLE)?;
    Ok(too_small.needed)
}

/// What stands around the signature of an introduction, in the place of the envelope's last brace.
const INTRODUCTION: [&[u8]; 2] = [br#","identity":{"signature":""#, br#""}}"#];

/// By how many bytes [`introduce`] makes an envelope longer: 114.
pub const INTRODUCTION_LEN: usize =
    INTRODUCTION[0].len() + base64::url_encoded_len(SIGNATURE_LEN) + INTRODUCTION[1].len() - 1;

/// Attaches the client's signature to a request that was sealed into the first `length` bytes of `buffer`, as mutual mode
/// wants it until the first response has been opened (§2.3). Returns the length of the whole.
///
/// # Errors
/// [`Error::BufferTooSmall`] with `length` + [`INTRODUCTION_LEN`], and nothing has changed.
pub fn introduce(buffer: &mut [u8], length: usize, signature: &Signature) -> Result<usize, Error> {
    let needed = length.saturating_add(INTRODUCTION_LEN);
    let too_small = BufferTooSmall { needed };
    let place = buffer.get_mut(length.saturating_sub(1)..needed).ok_or(too_small)?;
    let mut out = Writer::new(place);
    let [before, after] = INTRODUCTION;
    out.put(before);
    if let Some(room) = out.reserve(base64::url_encoded_len(SIGNATURE_LEN)) {
        base64::url_encode(signature, room)?;
    }
    out.put(after);
    out.finish()?;
    Ok(needed)
}

/// An envelope that has been parsed and decoded, not yet opened.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Envelope {
    nonce: WireNonce,
    /// Where ciphertext ‖ tag stand in the buffer.
    data: Range<usize>,
    /// Where the member `identity` stands, as it came.
    identity: Option<Range<usize>>,
}

/// What came for an answer: an envelope, or an error of the gateway outside one.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Answer {
    /// An envelope.
    Envelope(Envelope),
    /// An unsealed error; `None` where its code is none of ours.
    Error(Option<Code>),
}

impl Envelope {
    /// Parses the JSON text that fills `buffer` and decodes its data in place.
    ///
    /// # Errors
    /// [`Peer::Malformed`] for anything else than §2.4 describes: a nonce of another length than 12, data under 16 bytes.
    pub fn parse(buffer: &mut [u8]) -> Result<Self, Error> {
        match Answer::parse(buffer)? {
            Answer::Envelope(envelope) => Ok(envelope),
            Answer::Error(_) => Err(Peer::Malformed.into()),
        }
    }

    /// The nonce that came.
    #[must_use]
    pub const fn nonce(&self) -> WireNonce {
        self.nonce
    }

    /// Where the plaintext will stand in the buffer.
    #[must_use]
    pub fn plaintext(&self) -> Range<usize> {
        self.data.start..self.data.end.saturating_sub(TAG_LEN)
    }

    /// The client's signature beside the envelope, which mutual mode wants until the first response has been opened (§2.3);
    /// `buffer` is the one that was parsed. Nothing of it has been verified.
    ///
    /// # Errors
    /// [`Peer::Malformed`] for an `identity` that is no object with a signature of 64 bytes in base64url.
    pub fn introduction(&self, buffer: &[u8]) -> Result<Option<Signature>, Error> {
        let Some(identity) = self.identity.clone() else { return Ok(None) };
        let malformed = Error::Peer(Peer::Malformed);
        let identity = json::value(buffer.get(identity).ok_or(malformed)?)?;
        let [Some(signature)] = identity.members(&["signature"])? else { return Err(malformed) };
        let mut room = [0; SIGNATURE_LEN];
        match signature.string()?.base64url(&mut room) {
            Ok(bytes) if bytes.len() == SIGNATURE_LEN => Ok(Some(room)),
            _ => Err(malformed),
        }
    }

    /// Verifies and decrypts in place; `buffer` is the one that was parsed. Returns the plaintext.
    ///
    /// # Errors
    /// [`CryptoError::Authentication`] when anything of nonce, data, key or `aad` is another.
    #[inline] // as there
    pub fn open<'b, P: Provider>(
        self,
        provider: &mut P,
        traffic: &Traffic<P::TrafficKey>,
        aad: &Aad,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], CryptoError> {
        let data = buffer.get_mut(self.data).ok_or(CryptoError::Authentication)?;
        let (text, tag) = data.split_last_chunk_mut::<TAG_LEN>().ok_or(CryptoError::Authentication)?;
        provider.open(&traffic.key, &self.nonce.masked(&traffic.iv), aad.as_bytes(), text, tag)?;
        Ok(text)
    }
}

impl Answer {
    /// Parses the JSON text that fills `buffer`; an envelope's data is decoded in place.
    ///
    /// # Errors
    /// [`Peer::Malformed`] as [`Envelope::parse`], or for neither an envelope nor an error.
    pub fn parse(buffer: &mut [u8]) -> Result<Self, Error> {
        let malformed = Error::Peer(Peer::Malformed);
        let (nonce, data, plain, identity) = if let Some((nonce, data)) = as_sealed(buffer) {
            (nonce, data, true, None)
        } else {
            match json::object(buffer, &["nonce", "data", "code", "identity"])? {
                [Some(nonce), Some(data), _, identity] => {
                    let mut bytes = [0; NONCE_LEN];
                    let nonce = nonce.string()?.base64(&mut bytes).map_err(|_| malformed)?;
                    let nonce = WireNonce::from_bytes(nonce.try_into().map_err(|_| malformed)?);
                    let data = data.string()?;
                    (nonce, data.range(), data.is_plain(), identity.map(Value::range))
                }
                [None, None, Some(code), _] => {
                    return Ok(Self::Error(Code::from_json(code.string()?)));
                }
                _ => return Err(malformed),
            }
        };
        let text = buffer.get_mut(data.clone()).ok_or(malformed)?;
        let length = if plain { text.len() } else { json::unescape_in_place(text) };
        let text = text.get_mut(..length).ok_or(malformed)?;
        let length = base64::decode_in_place(text).map_err(|_| malformed)?;
        if length < TAG_LEN {
            return Err(malformed);
        }
        let data = data.start..data.start.saturating_add(length);
        Ok(Self::Envelope(Envelope { nonce, data, identity }))
    }
}

/// The nonce and the place of the data of an envelope that stands as [`seal`] writes it, to the byte: it needs no reader of
/// JSON. `None` for any other text, which does.
fn as_sealed(text: &[u8]) -> Option<(WireNonce, Range<usize>)> {
    let (nonce, rest) = text.strip_prefix(HEAD)?.split_first_chunk::<NONCE_TEXT>()?;
    let data = rest.strip_prefix(MIDDLE)?.strip_suffix(TAIL)?;
    // These two end a string or escape a character of it. What else is not base64 is malformed whoever reads it.
    let is_plain = !data.iter().fold(false, |found, byte| found | matches!(byte, b'"' | b'\\'));
    let mut nonce = *nonce;
    base64::decode_in_place(&mut nonce).ok().filter(|length| *length == NONCE_LEN)?;
    let nonce = nonce.first_chunk()?;
    is_plain.then(|| (WireNonce::from_bytes(*nonce), DATA_AT..DATA_AT.saturating_add(data.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::software::Software;
    use crate::crypto::{Aead, software::RawKey, software::TrafficKey};
    use std::{format, string::String, vec::Vec};

    struct NoRandom;
    impl rand_core::TryRng for NoRandom {
        type Error = core::fmt::Error;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(core::fmt::Error)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Err(core::fmt::Error)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Err(core::fmt::Error)
        }
    }
    impl rand_core::TryCryptoRng for NoRandom {}

    fn sealed(len: usize) -> Vec<u8> {
        let traffic = Traffic { key: RawKey::new(Aead::Aes256Gcm, &[7; 32]).unwrap(), iv: [9; NONCE_LEN] };
        let mut buffer = std::vec![b'x'; sealed_len(len)];
        let (aad, nonce) = (Aad::session("id"), WireNonce::new([0; 4], 5));
        let length = seal(&mut Software::new(NoRandom), &traffic, nonce, &aad, &mut buffer, len).unwrap();
        assert_eq!(length, buffer.len());
        buffer
    }

    /// What was parsed, and the bytes that the data were decoded to.
    fn parsed(mut text: Vec<u8>) -> String {
        match Answer::parse(&mut text) {
            Ok(Answer::Envelope(Envelope { nonce, data, .. })) => format!("{nonce:?} {:?}", &text[data]),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_seal_writes_is_read_as_any_json_is() {
        let telling = [0, b' ', b'"', b'\\', b'/', b'=', b'A', b'}', 0x7f, 0x80, 0xff];
        for (len, others) in
            [(0, &Vec::from_iter(0..=u8::MAX)[..]), (1, &telling), (2, &telling), (20, &telling)]
        {
            let text = sealed(len);
            assert!(as_sealed(&text).is_some());
            for at in 0..text.len() {
                for other in others {
                    let mut changed = text.clone();
                    changed[at] = *other;
                    // White space before it is nothing that `seal` writes.
                    let spaced: Vec<u8> = b" ".iter().chain(&changed).copied().collect();
                    assert!(as_sealed(&spaced).is_none());
                    assert_eq!(parsed(changed), parsed(spaced), "{at} {other}");
                }
            }
        }
    }

    #[test]
    fn what_stands_around_the_data_is_read_too() {
        let text = String::from_utf8(sealed(3)).unwrap();
        let (front, _) = text.split_at(text.len() - TAIL.len());
        for (tail, well_formed) in [
            (r#"","x":"}"}"#, true),
            (r#"","data":"AA=="}"#, false),
            (r#"","nonce":"AA=="}"#, false),
            (r#"\u003d"}"#, false),
            (r#"\"}"#, false),
            (r#""}"}"#, false),
            (r#""} "#, true),
        ] {
            let text = format!("{front}{tail}").into_bytes();
            assert!(as_sealed(&text).is_none(), "{tail}");
            assert_eq!(parsed(text).starts_with("00000000:5 ["), well_formed, "{tail}");
        }
        let escaped = text.replace('=', r"\u003D").replacen(r#""nonce""#, r#""\u006eonce""#, 1).into_bytes();
        assert_eq!(parsed(escaped), parsed(text.into_bytes()));
    }
}
