//! The endpoints of messages.

use super::access::Caller;
use super::event::Kind;
use super::reply::{Done, Refusal, Success};
use super::signed::payload;
use super::state::mailbox::{Incoming, Page, Part};
use super::{Answer, Relay, now};
use dynamic_key::codec::json;
use dynamic_key::crypto::KeyId;
use dynamic_key::identity::Unverified;
use dynamic_key::identity::message::{self, Ask, Messages, Received};
use dynamic_key::identity::response::Cursor;
use sha2::{Digest, Sha256};

/// The most messages of one request that sends.
const MOST: usize = 64;
/// The elements of a page where nobody says how many, and the most.
pub(super) const LIMIT: (u32, u32) = (32, 100);

/// `POST /v1/messages/send`: all are taken, or none.
pub(super) fn send(relay: &Relay, caller: &Caller, body: &[u8]) -> Answer {
    let [texts] = json::object(body, &["messages"]).map_err(|_| Refusal::Malformed)?;
    let texts = texts.and_then(|texts| texts.elements().ok()).ok_or(Refusal::Malformed)?;
    let mut messages = Vec::new();
    for (text, message) in texts.zip(Messages::sent(body)?) {
        if messages.len() == MOST {
            return Err(Refusal::TooLarge);
        }
        let text = text.string().ok().and_then(|text| text.as_plain()).ok_or(Refusal::Malformed)?;
        messages.push(incoming(relay, caller, text, &message?)?);
    }
    if messages.is_empty() {
        return Err(Refusal::Malformed);
    }
    let places = relay.state.keep(&messages, &relay.settings, now().as_unix_secs())?;
    for (message, place) in messages.into_iter().zip(places) {
        let Incoming { sender, recipient, id, text, .. } = message;
        if place.is_some() {
            relay.tell(caller, Kind::Message { sender, recipient, id, bytes: text.len() });
        }
    }
    Ok(Success::new(Done::SENT, None))
}

/// A message, once it is verified that an identity of the caller's sent it.
fn incoming(
    relay: &Relay,
    caller: &Caller,
    text: &str,
    message: &Unverified<'_>,
) -> Result<Incoming, Refusal> {
    if text.len() > relay.settings.message_bytes {
        return Err(Refusal::TooLarge);
    }
    let author = relay.author(caller, message)?;
    let mut scratch = vec![0; message.payload_len()];
    let received = Received::read(message, &author.verified, &mut scratch)?;
    let (expires, now) = (received.expires.as_unix_secs(), now().as_unix_secs());
    if expires <= now || expires > now.saturating_add(relay.settings.message_seconds) {
        return Err(Refusal::Expiry);
    }
    Ok(Incoming {
        sender: author.address,
        signer: author.kid,
        recipient: relay.canonical(&received.to).into_owned(),
        id: received.id.to_string(),
        expires,
        hash: Sha256::digest(text.split('.').nth(1).unwrap_or_default()).into(),
        text: text.to_owned(),
    })
}

/// `POST /v1/messages/fetch`.
pub(super) fn fetch(relay: &Relay, caller: &Caller, body: &[u8]) -> Answer {
    page(relay, &asked(relay, caller, "/v1/messages/fetch", body)?)
}

/// An identity that asks for messages, and for which.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) address: String,
    /// The key with which it has asked.
    pub(super) kid: KeyId,
    pub(super) ask: Ask,
}

/// Who asks for messages.
pub(super) fn asked(relay: &Relay, caller: &Caller, path: &str, body: &[u8]) -> Result<Asker, Refusal> {
    let request = message::parse_request(path, body)?;
    let author = relay.author(caller, &request)?;
    let ask = Ask::read(&payload(&request, &author.verified)?)?;
    Ok(Asker { address: author.address, kid: author.kid, ask })
}

/// The page that is asked for, by an identity whose key is still the current one.
pub(super) fn page(relay: &Relay, asker: &Asker) -> Answer {
    let Asker { address, kid, ask } = asker;
    relay.state.still(address, kid)?;
    let (usual, most) = LIMIT;
    let limit = ask.limit.unwrap_or(usual).min(most);
    if limit == 0 {
        return Err(Refusal::Malformed);
    }
    let part = Part {
        last: ask.last.as_ref().map(place).transpose()?,
        first: ask.first.as_ref().map(place).transpose()?,
        limit: usize::try_from(limit).map_err(|_| Refusal::Malformed)?,
    };
    let Page { messages, more } = relay.state.page(address, &part, now().as_unix_secs())?;
    let ends = messages.first().zip(messages.last());
    let page = ends.map(|((first, _), (last, _))| (cursor(*first), cursor(*last)));
    let texts: Vec<String> = messages.iter().map(|(_, text)| format!(r#""{text}""#)).collect();
    let body = Some(format!("[{}]", texts.join(",")));
    Ok(Success { page, more: Some(more), ..Success::new(Done::FETCHED, body) })
}

/// The cursor of a place.
pub(super) fn cursor(place: u64) -> String {
    format!("{place:016x}")
}

/// The place of a cursor.
pub(super) fn place(text: &Cursor) -> Result<u64, Refusal> {
    let place = u64::from_str_radix(text.as_str(), 16).map_err(|_| Refusal::Malformed)?;
    if cursor(place) == text.as_str() { Ok(place) } else { Err(Refusal::Malformed) }
}
