//! Messages between identities, through the relay: sent, fetched page by page, listened for, and each taken once.
//!
//! A message is a JWS by its sender over `{"to":…,"id":…,"exp":…,"body":…}`: the relay learns who sends what to whom and until when, and hands
//! it out as it came. Its body is a compact JWE, most often a content package.

use super::draft::{Author, Draft, Part, Payload};
use super::profile::{Known, check_address};
use super::request::Place;
use super::response::{Cursor, Response};
use super::{Duplicates, IdentityError, Unverified};
use crate::codec::cursor::Writer;
use crate::codec::json::{self, Elements, Str, Value};
use crate::codec::timestamp::Timestamp;
use crate::crypto::Verified;
use crate::jose::{Json, KeyRef};
use crate::log::format_as;
use crate::session::copy_bounded;
use core::fmt;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// The most characters of a message's id.
pub const MAX_ID: usize = 64;

/// A message that is to be sent.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// The address of the recipient: an identity, or a route that several serve.
    pub to: &'a str,
    /// The id, 1 to [`MAX_ID`] characters of base64url: never the same for two messages of a sender.
    pub id: &'a str,
    /// Until when the relay keeps it and the recipient takes it; fractions of a second are dropped.
    pub expires: Timestamp,
    /// What is sent: a compact JWE.
    pub body: &'a str,
}

impl Message<'_> {
    /// Writes the request that sends it, `POST /v1/messages/send`.
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`]; [`IdentityError::Malformed`] for an address, an id or a body that is none.
    pub fn begin<'o>(&self, author: &Author<'_>, out: &'o mut [u8]) -> Result<Draft<'o, 1>, IdentityError> {
        check_address(self.to)?;
        if !is_id(self.id) || !is_compact(self.body) {
            return Err(IdentityError::Malformed);
        }
        let before = br#"{"messages":[""#.as_slice();
        let (target, payload) = (Place::SEND.target, Payload::Json(self));
        Draft::write(Place::SEND, &[Part { before, author: *author, target, payload }], b"\"]}", out)
    }
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut message = serializer.serialize_struct("Message", 4)?;
        message.serialize_field("to", self.to)?;
        message.serialize_field("id", self.id)?;
        message.serialize_field("exp", &self.expires.as_unix_secs())?;
        message.serialize_field("body", self.body)?;
        message.end()
    }
}

impl Json for Message<'_> {
    fn json_len(&self) -> usize {
        let mut out = Writer::new(&mut []);
        // Nothing in them is escaped.
        for piece in [r#"{"to":"","id":"","exp":,"body":""}"#, self.to, self.id, self.body] {
            out.put(piece.as_bytes());
        }
        out.put_decimal(self.expires.as_unix_secs());
        out.position()
    }
}

/// What is sent is not printed.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("to", &self.to).field("id", &self.id).finish_non_exhaustive()
    }
}

format_as! { [] Message<'_>, message => "Message {{ to: {=str}, id: {=str} }}", message.to, message.id }

/// The messages of a page, most recent first, and of a request that sends.
#[derive(Clone, Debug)]
pub struct Messages<'t>(Elements<'t>);

impl<'t> Messages<'t> {
    /// Those of an answer to [`fetch`] or [`listen`].
    ///
    /// # Errors
    /// [`IdentityError::Refused`], [`IdentityError::Malformed`].
    pub fn of_page(page: &Response<'t>) -> Result<Self, IdentityError> {
        Ok(Self(page.body()?.elements()?))
    }

    /// Those of the body of a request that sends.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`].
    pub fn sent(body: &'t [u8]) -> Result<Self, IdentityError> {
        let [messages] = json::object(body, &[Place::SEND.member])?;
        Ok(Self(messages.ok_or(IdentityError::Malformed)?.elements()?))
    }
}

impl<'t> Iterator for Messages<'t> {
    /// [`IdentityError::Malformed`] for one that is none: the others may be.
    type Item = Result<Unverified<'t>, IdentityError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(Unverified::read(Some(self.0.next()?), &[Place::SEND.target]))
    }
}

/// A message whose sender was verified.
pub struct Received<'b> {
    /// Who sent it, and with which key it was signed.
    pub sender: KeyRef,
    /// When, as the sender says.
    pub issued_at: Timestamp,
    /// The address of the recipient.
    pub to: heapless::String<{ KeyRef::MAX_ADDRESS }, u8>,
    /// The id that the sender gave it.
    pub id: heapless::String<MAX_ID, u8>,
    /// Until when it is valid.
    pub expires: Timestamp,
    /// What was sent, to be opened in place.
    pub body: &'b mut [u8],
}

impl<'b> Received<'b> {
    /// Takes the word of a verifier that it verified `message`, whose payload is decoded to the front of `scratch`.
    ///
    /// # Errors
    /// [`IdentityError::BufferTooSmall`] with [`Unverified::payload_len`]; [`IdentityError::Malformed`].
    pub fn read(
        message: &Unverified<'_>,
        verified: &Verified,
        scratch: &'b mut [u8],
    ) -> Result<Self, IdentityError> {
        check_address(message.signer().address())?;
        let payload = message.payload(verified, scratch)?;
        let [to, id, expires, body] = json::object(payload, &["to", "id", "exp", "body"])?;
        let text = |value: Option<Value<'_>>| {
            Ok::<_, IdentityError>(value.ok_or(IdentityError::Malformed)?.string()?.range())
        };
        let (mut address, mut name) = (heapless::String::new(), heapless::String::new());
        let copied = (copy(to, &mut address), copy(id, &mut name));
        let (Some(()), Some(())) = copied else { return Err(IdentityError::Malformed) };
        check_address(&address)?;
        let expires = expires.ok_or(IdentityError::Malformed)?.integer()?;
        let body = text(body)?;
        let body = payload.get_mut(body).ok_or(IdentityError::Malformed)?;
        if !is_id(&name) || !core::str::from_utf8(body).is_ok_and(is_compact) {
            return Err(IdentityError::Malformed);
        }
        Ok(Self {
            sender: message.signer().clone(),
            issued_at: message.issued_at(),
            to: address,
            id: name,
            expires: Timestamp::from_unix_secs(expires),
            body,
        })
    }

    /// Takes the message once: it is to one of `addresses`, its recipient's and those of the routes that it serves, has not
    /// expired, and has not come before. Without a clock, `None`, nothing expires.
    ///
    /// # Errors
    /// [`IdentityError::Address`], [`IdentityError::Expired`], [`IdentityError::Duplicate`].
    pub fn take<const N: usize>(
        self,
        addresses: &[&str],
        now: Option<Timestamp>,
        window: &mut Duplicates<N>,
    ) -> Result<Self, IdentityError> {
        if !addresses.contains(&self.to.as_str()) {
            return Err(IdentityError::Address);
        }
        if now.is_some_and(|now| self.expires <= now) {
            return Err(IdentityError::Expired);
        }
        window.insert(self.sender.address(), &self.id)?;
        Ok(self)
    }
}

/// What was sent is not printed.
impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("sender", &self.sender).field("id", &self.id).finish_non_exhaustive()
    }
}

format_as! { [] Received<'_>, received => "Received {{ sender: {}, id: {=str} }}", received.sender, received.id.as_str() }

/// Verifies that `known` sent `message` and takes it once, as [`Received::read`] and [`Received::take`]. Slow.
///
/// # Errors
/// As there; [`IdentityError::Address`] for another sender or another key of it;
/// [`JoseError::Authentication`](crate::jose::JoseError::Authentication), and nothing has changed.
pub fn receive<'b, const N: usize>(
    message: &Unverified<'_>,
    known: &mut Known,
    addresses: &[&str],
    now: Option<Timestamp>,
    window: &mut Duplicates<N>,
    scratch: &'b mut [u8],
) -> Result<Received<'b>, IdentityError> {
    if message.signer() != known.signs_as() {
        return Err(IdentityError::Address);
    }
    let verified = message.verify(known)?;
    Received::read(message, &verified, scratch)?.take(addresses, now, window)
}

/// What of the messages is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ask {
    /// `last`: those before this cursor, back in time.
    pub last: Option<Cursor>,
    /// `first`: those behind this cursor.
    pub first: Option<Cursor>,
    /// `limit`: the most of them.
    pub limit: Option<u32>,
    /// `wait`: how long the relay waits for one, in seconds.
    pub wait: Option<u32>,
}

impl Ask {
    const MAX_LEN: usize = 2 * Cursor::MAX_LEN + 64;

    /// Reads what a request asks for, once it was verified.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`].
    pub fn read(payload: &[u8]) -> Result<Self, IdentityError> {
        let [last, first, limit, wait] = json::object(payload, &["last", "first", "limit", "wait"])?;
        let cursor = |value: Option<Value<'_>>| value.map(|value| Cursor::read(value.string()?)).transpose();
        let number = |value: Option<Value<'_>>| match value.map(Value::integer).transpose()? {
            None => Ok(None),
            Some(number) => u32::try_from(number).map(Some).map_err(|_| IdentityError::Malformed),
        };
        Ok(Self { last: cursor(last)?, first: cursor(first)?, limit: number(limit)?, wait: number(wait)? })
    }

    fn draft<'o>(
        &self,
        place: Place,
        author: &Author<'_>,
        out: &'o mut [u8],
    ) -> Result<Draft<'o, 1>, IdentityError> {
        let mut payload = [0; Self::MAX_LEN];
        let mut writer = Writer::new(&mut payload);
        let mut separator = "{";
        for (name, cursor) in [("last", self.last), ("first", self.first)] {
            let Some(cursor) = cursor else { continue };
            for piece in [separator, "\"", name, "\":\"", cursor.as_str(), "\""] {
                writer.put(piece.as_bytes());
            }
            separator = ",";
        }
        for (name, number) in [("limit", self.limit), ("wait", self.wait)] {
            let Some(number) = number else { continue };
            for piece in [separator, "\"", name, "\":"] {
                writer.put(piece.as_bytes());
            }
            writer.put_decimal(number.into());
            separator = ",";
        }
        writer.put(if separator == "{" { b"{}" } else { b"}" });
        place.draft(author, writer.finish_slice()?, out)
    }
}

/// Asks for a page of the messages that the relay keeps, most recent first: `POST /v1/messages/fetch`.
///
/// # Errors
/// [`IdentityError::BufferTooSmall`].
pub fn fetch<'o>(author: &Author<'_>, ask: &Ask, out: &'o mut [u8]) -> Result<Draft<'o, 1>, IdentityError> {
    ask.draft(Place::FETCH, author, out)
}

/// Asks for messages and waits for one where there is none: `POST /v1/messages/listen`.
///
/// # Errors
/// [`IdentityError::BufferTooSmall`].
pub fn listen<'o>(author: &Author<'_>, ask: &Ask, out: &'o mut [u8]) -> Result<Draft<'o, 1>, IdentityError> {
    ask.draft(Place::LISTEN, author, out)
}

/// Takes the body of a request apart that asks for something: [`me`](super::me), [`fetch`] or [`listen`], whose path is `path`.
///
/// # Errors
/// [`IdentityError::Malformed`], also for another path; [`JoseError::Header`](crate::jose::JoseError::Header).
pub fn parse_request<'t>(path: &str, body: &'t [u8]) -> Result<Unverified<'t>, IdentityError> {
    let places = [Place::ME, Place::FETCH, Place::LISTEN];
    let place = places.iter().find(|place| place.path == path).ok_or(IdentityError::Malformed)?;
    let [member] = json::object(body, &[place.member])?;
    Unverified::read(member, &[place.target])
}

fn copy<const N: usize>(value: Option<Value<'_>>, to: &mut heapless::String<N, u8>) -> Option<()> {
    let text: Str<'_> = value?.string().ok()?;
    copy_bounded(text, to)
}

pub(super) fn is_id(id: &str) -> bool {
    matches!(id.len(), 1..=MAX_ID) && id.bytes().all(is_url)
}

/// What a compact JWE or JWS has: base64url and dots.
fn is_compact(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'.' || is_url(byte))
}

const fn is_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
