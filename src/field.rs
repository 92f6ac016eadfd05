//! Sealed fields (§3): values of top-level members of a call's JSON body, sealed and opened in place.
//!
//! ```text
//! value = b64( nonce(12) ‖ ciphertext ‖ tag(16) )
//! AAD   = key-agreement:{client_reference_id}:{METHOD} {path without query}:{field name}              the client's
//!         … :{status}:{b64 nonce of the first sealed field of the request, or empty}                  the server's
//! ```
//!
//! Twelve bytes are sixteen characters without padding, so the nonce and the rest are encoded one after the other.

use crate::codec::cursor::Writer;
use crate::codec::{BufferTooSmall, base64, json};
use crate::crypto::provider::{CryptoError, NONCE_LEN, Provider, TAG_LEN};
use crate::envelope::Traffic;
use crate::error::{Error, Misuse, Peer};
use crate::nonce::WireNonce;
use core::ops::Range;
use zeroize::Zeroize;

/// Twelve bytes in base64.
const NONCE_TEXT: usize = base64::encoded_len(NONCE_LEN);

/// The length in bytes of the sealed value of `plaintext` bytes: exactly what sealing needs of the buffer.
#[must_use]
pub const fn sealed_len(plaintext: usize) -> usize {
    base64::encoded_len(plaintext.saturating_add(TAG_LEN)).saturating_add(NONCE_TEXT)
}

/// The call that a field belongs to: its method and its path, and the nonce of its request's first sealed field.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Call<'c> {
    method: &'c str,
    path: &'c str,
    /// The nonce of the first sealed field of the request.
    pub(crate) first: Option<WireNonce>,
}

impl<'c> Call<'c> {
    /// The most bytes of a method.
    pub const MAX_METHOD: usize = 16;
    /// The most bytes of a path.
    pub const MAX_PATH: usize = 256;

    /// A call without sealed fields yet. The method is in capitals; the path stands as it does on the wire, without a query.
    ///
    /// # Errors
    /// [`Misuse::InvalidRequest`] for a method other than 1 to 16 characters of `A–Z`, or a path that does not begin with `/`,
    /// is longer than 256 bytes, or has a byte outside 0x21–0x7E, a `?` or a `#`.
    pub fn new(method: &'c str, path: &'c str) -> Result<Self, Misuse> {
        let method_fits = (1..=Self::MAX_METHOD).contains(&method.len())
            && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let path_fits = path.starts_with('/')
            && path.len() <= Self::MAX_PATH
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
        if method_fits && path_fits {
            Ok(Self { method, path, first: None })
        } else {
            Err(Misuse::InvalidRequest)
        }
    }
}

/// Whether `name` may be that of a sealed field: 1 to 64 characters of `[A-Za-z0-9_.-]`.
#[must_use]
pub fn is_field_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

const MAX_NAME: usize = 64;

/// `key-agreement:` ‖ 64 ‖ `:` ‖ method ‖ ` ` ‖ path ‖ `:` ‖ name, and `:` ‖ 5 ‖ `:` ‖ 16.
const MAX_AAD: usize =
    14 + 64 + 1 + Call::MAX_METHOD + 1 + Call::MAX_PATH + 1 + MAX_NAME + 1 + 5 + 1 + NONCE_TEXT;

/// Whose field it is, and of what.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    /// `client_reference_id`, of at most 64 bytes.
    pub(crate) reference: &'s str,
    pub(crate) call: &'s Call<'s>,
    /// The status of the response; `None` for a field of the request.
    pub(crate) status: Option<u16>,
}

impl Scope<'_> {
    /// What the field `name` is bound to beyond its value.
    #[inline(never)] // one frame less in its caller's
    fn aad<'r>(&self, name: &str, room: &'r mut [u8; MAX_AAD]) -> Result<&'r [u8], BufferTooSmall> {
        let mut out = Writer::new(room);
        for text in ["key-agreement:", self.reference, ":", self.call.method, " ", self.call.path, ":", name]
        {
            out.put(text.as_bytes());
        }
        if let Some(status) = self.status {
            out.put(b":");
            out.put_decimal(status.into());
            out.put(b":");
            if let Some(first) = self.call.first
                && let Some(place) = out.reserve(NONCE_TEXT)
            {
                base64::encode(first.as_bytes(), place)?;
            }
        }
        out.finish_slice()
    }
}

/// Seals the `len` bytes of plaintext at the front of `buffer` into the value of the field `name` there, and returns its
/// length. The caller consumed `nonce`, checked that the value fits, and checked the name.
#[inline(never)]
pub(crate) fn seal<P: Provider>(
    provider: &mut P,
    traffic: &Traffic<P::TrafficKey>,
    nonce: WireNonce,
    scope: Scope<'_>,
    name: &str,
    buffer: &mut [u8],
    len: usize,
) -> Result<usize, Error> {
    let mut room = [0; MAX_AAD];
    let aad = scope.aad(name, &mut room)?;
    let too_small = BufferTooSmall { needed: sealed_len(len) };
    let value = buffer.get_mut(..too_small.needed).ok_or(too_small)?;
    let (text, rest) = value.split_at_mut_checked(len).ok_or(too_small)?;
    let tag = provider.seal(&traffic.key, &nonce.masked(&traffic.iv), aad, text)?;
    rest.first_chunk_mut::<TAG_LEN>().ok_or(too_small).map(|place| *place = tag)?;
    base64::encode_in_place(value, len.saturating_add(TAG_LEN), NONCE_TEXT)?;
    base64::encode(nonce.as_bytes(), value)?;
    Ok(too_small.needed)
}

/// Sealed fields of one call that were authenticated, each of them, and are not yet committed: they may be a replay until
/// the store has said otherwise.
#[derive(Debug)]
#[must_use]
pub struct Opened<const N: usize> {
    plaintexts: [Option<Range<usize>>; N],
    counters: heapless::Vec<u64, N>,
    first: Option<WireNonce>,
}

impl<const N: usize> Opened<N> {
    /// The counters of the fields, to be committed in the store together or not at all.
    #[must_use]
    pub fn counters(&self) -> &[u64] {
        &self.counters
    }

    /// Those of a receiver that is its own store, and has committed.
    pub(crate) fn into_plaintexts(self) -> [Option<Range<usize>>; N] {
        self.plaintexts
    }

    /// Takes the word of the store that the counters were fresh and are now committed, all of them. Returns where the
    /// plaintexts stand in the body, in the order of the names; `None` for a field that was absent. The response's fields
    /// can be sealed for `call` from here on.
    ///
    /// # Security
    /// Only after the store's atomic check-and-commit has succeeded for this agreement and [`Opened::counters`].
    pub fn committed(self, call: &mut Call<'_>) -> [Option<Range<usize>>; N] {
        call.first = self.first;
        self.plaintexts
    }
}

/// Opens the fields `names` of the JSON text that fills `body`, each in place, if all that are there are authentic and their
/// nonces are `admitted`. After an error that is the peer's, the body is erased.
#[inline(never)]
pub(crate) fn open<P: Provider, const N: usize>(
    provider: &mut P,
    traffic: &Traffic<P::TrafficKey>,
    scope: Scope<'_>,
    names: &[&str; N],
    admitted: impl Fn(WireNonce) -> bool,
    body: &mut [u8],
) -> Result<Opened<N>, Error> {
    if !names.iter().all(|name| is_field_name(name)) {
        return Err(Misuse::InvalidRequest.into());
    }
    let mut opened = Opened { plaintexts: [const { None }; N], counters: heapless::Vec::new(), first: None };
    let outcome = locate(body, names, &mut opened.plaintexts).and_then(|()| {
        let mut first = usize::MAX;
        for (place, name) in opened.plaintexts.iter_mut().zip(names) {
            let Some(range) = place else { continue };
            let value = body.get_mut(range.clone()).ok_or(Peer::Malformed)?;
            let (nonce, length) = open_one(provider, traffic, scope, name, &admitted, value)?;
            if range.start < first {
                (first, opened.first) = (range.start, Some(nonce));
            }
            opened.counters.push(nonce.counter()).map_err(|_| Peer::Malformed)?;
            let start = range.start.saturating_add(NONCE_LEN);
            *place = Some(start..start.saturating_add(length));
        }
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(opened),
        Err(error) => {
            body.zeroize();
            Err(error)
        }
    }
}

/// Finds the strings of the members `names`.
#[inline(never)] // one frame less in its caller's
fn locate<const N: usize>(
    body: &[u8],
    names: &[&str; N],
    places: &mut [Option<Range<usize>>; N],
) -> Result<(), Error> {
    for (place, value) in places.iter_mut().zip(json::object(body, names)?) {
        if let Some(value) = value {
            *place = Some(value.string()?.range());
        }
    }
    Ok(())
}

/// Opens the value of one field, escaped as it was sent, in place. Returns its nonce and the length of the plaintext, which
/// stands behind the nonce.
#[inline(never)] // one frame less in its caller's
fn open_one<P: Provider>(
    provider: &mut P,
    traffic: &Traffic<P::TrafficKey>,
    scope: Scope<'_>,
    name: &str,
    admitted: impl Fn(WireNonce) -> bool,
    value: &mut [u8],
) -> Result<(WireNonce, usize), Error> {
    let malformed = Error::Peer(Peer::Malformed);
    let length = json::unescape_in_place(value);
    let value = value.get_mut(..length).ok_or(malformed)?;
    let length = base64::decode_in_place(value).map_err(|_| malformed)?;
    let value = value.get_mut(..length).ok_or(malformed)?;
    let (nonce, value) = value.split_first_chunk_mut::<NONCE_LEN>().ok_or(malformed)?;
    let (text, tag) = value.split_last_chunk_mut::<TAG_LEN>().ok_or(malformed)?;
    let nonce = WireNonce::from_bytes(*nonce);
    if !admitted(nonce) {
        return Err(CryptoError::Authentication.into());
    }
    let mut room = [0; MAX_AAD];
    let aad = scope.aad(name, &mut room)?;
    provider.open(&traffic.key, &nonce.masked(&traffic.iv), aad, text, tag)?;
    Ok((nonce, text.len()))
}
