//! Messages and what is asked of a relay: read as a second reading reads them; what is written is read; none is taken twice.
//!
//! Input: a choice, then a payload, which is also read as a page of messages.
#![no_main]

use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::crypto::Verified;
use dynamic_key::identity::message::{Ask, Message, Messages, Received};
use dynamic_key::identity::response::{Cursor, Response};
use dynamic_key::identity::{Author, Duplicates, IdentityError};
use dynamic_key::jose::KeyRef;
use dynamic_key::jose::jwk::Use;
use dynamic_key_fuzz::input::Input;
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use dynamic_key_fuzz::member;
use libfuzzer_sys::fuzz_target;

const SENDER: &str = "igQQD";

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let is_written = input.flag();
    if is_written {
        return writes(input);
    }
    let payload = input.rest();
    asks(payload);
    pages(payload);
    let key = member::key(2, Use::Signature);
    let token = member::signed(SENDER, &key, "/v1/messages/send#messages", 5, payload);
    let body = format!(r#"{{"messages":["{token}"]}}"#);
    let message = Messages::sent(body.as_bytes()).unwrap().next().unwrap().unwrap();
    assert_eq!(message.payload_len(), payload.len());
    let mut scratch = vec![0; payload.len()];
    if let Some(short) = payload.len().checked_sub(1) {
        let error = Received::read(&message, &Verified::vouch(), &mut scratch[..short]).map(|_| ());
        assert_eq!(error, Err(IdentityError::BufferTooSmall { needed: payload.len() }));
    }
    let ours = Received::read(&message, &Verified::vouch(), &mut scratch);
    let node = match parse(payload) {
        Ok(node) => node,
        Err(NoJson::Malformed) => return assert!(ours.is_err()),
        Err(NoJson::NumberTooLarge) => return,
    };
    let Some((to, id, expires, body)) = facts(&node) else { return assert!(ours.is_err(), "{node:?}") };
    // A body with escapes is refused though it may be one without.
    let Ok(ours) = ours else { return assert!(payload.contains(&b'\\'), "{node:?}") };
    assert_eq!((ours.to.as_str(), ours.id.as_str(), &*ours.body), (to, id, body.as_bytes()));
    assert_eq!(ours.expires, Timestamp::from_unix_secs(expires));
    assert_eq!((ours.sender.address(), ours.sender.kid()), (SENDER, key.kid()));
    let mut window = Duplicates::<2>::new();
    let now = Timestamp::from_unix_secs(expires);
    let mut take = |addresses: &[&str], now| {
        let mut scratch = vec![0; payload.len()];
        let received = Received::read(&message, &Verified::vouch(), &mut scratch).unwrap();
        received.take(addresses, now, &mut window).map(|_| ())
    };
    assert_eq!(take(&["x/"], None), Err(IdentityError::Address));
    assert_eq!(take(&[to], Some(now)), Err(IdentityError::Expired));
    assert_eq!(take(&["x/", to], None), Ok(()));
    assert_eq!(take(&[to], None), Err(IdentityError::Duplicate));
});

fn is_address(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.chars().all(|c| ('!'..='~').contains(&c) && !"\"/\\".contains(c))
}

fn is_url(text: &str, most: usize, more: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || more.contains(c);
    (1..=most).contains(&text.len()) && text.chars().all(fits)
}

fn facts(node: &Node) -> Option<(&str, &str, u64, &str)> {
    let (to, id, body) = (node.string("to")?, node.string("id")?, node.string("body")?);
    let is_valid =
        is_address(to) && is_url(id, 64, "") && is_url(body, usize::MAX, ".") && node.depth() <= 16;
    is_valid.then_some((to, id, node.get("exp")?.integer()?, body))
}

fn writes(mut input: Input<'_>) {
    let mut text = |usual: &str| if input.flag() { input.text() } else { usual.into() };
    let (to, id) = (text("a@b"), text("id"));
    let expires = input.long() >> input.below(64);
    let body = String::from_utf8_lossy(input.rest());
    let kid = KeyRef::new(SENDER, member::key(2, Use::Signature).kid()).unwrap();
    let author = Author { kid: &kid, issued_at: Timestamp::from_unix_secs(1) };
    let message = Message { to: &to, id: &id, expires: Timestamp::from_unix_secs(expires), body: &body };
    let is_valid = is_address(&to) && is_url(&id, 64, "") && is_url(&body, usize::MAX, ".");
    let needed = match message.begin(&author, &mut []).map(|_| ()) {
        Err(IdentityError::BufferTooSmall { needed }) => needed,
        other => return assert!(!is_valid && other == Err(IdentityError::Malformed)),
    };
    assert!(is_valid);
    let mut out = vec![0; needed];
    let short = message.begin(&author, &mut out[1..]).map(|_| ());
    assert_eq!(short, Err(IdentityError::BufferTooSmall { needed }));
    let request = message.begin(&author, &mut out).unwrap().finish(&[[7; 64]]).unwrap();
    let unverified = Messages::sent(request.body).unwrap().next().unwrap().unwrap();
    let mut scratch = vec![0; unverified.payload_len()];
    let expires = message.expires.as_unix_secs();
    match Received::read(&unverified, &Verified::vouch(), &mut scratch) {
        Ok(read) => {
            assert_eq!((read.to.as_str(), read.id.as_str(), &*read.body), (&*to, &*id, body.as_bytes()));
            assert_eq!(read.expires.as_unix_secs(), expires);
        }
        Err(error) => assert!(error == IdentityError::Malformed && expires >= 1 << 53),
    }
}

fn asks(payload: &[u8]) {
    let Ok(node) = parse(payload) else { return };
    let ours = Ask::read(payload);
    let cursor = |name| match node.get(name) {
        None => Some(None),
        Some(value) => Some(Some(Cursor::new(value.as_str()?).ok()?)),
    };
    let number = |name| match node.get(name) {
        None => Some(None),
        Some(value) => Some(Some(u32::try_from(value.integer()?).ok()?)),
    };
    let theirs = || {
        (node.members().is_some() && node.depth() <= 16).then_some(())?;
        let (last, first) = (cursor("last")?, cursor("first")?);
        Some(Ask { last, first, limit: number("limit")?, wait: number("wait")? })
    };
    assert_eq!(ours.ok(), theirs());
}

/// A page of anything: as many items as elements, and each that is a message stands in it.
fn pages(payload: &[u8]) {
    let page = [br#"{"status":200,"code":20000,"body":"#.as_slice(), payload, b"}"].concat();
    let Ok(response) = Response::parse(&page) else { return };
    let elements = response.body().ok().and_then(|body| parse(body.raw()).ok());
    match Messages::of_page(&response) {
        Ok(messages) => {
            let (all, mut count) = (elements, 0);
            for message in messages {
                count += 1;
                let Ok(message) = message else { continue };
                let (statement, _) = message.statement();
                assert!(page.windows(statement.len()).any(|window| window == statement));
            }
            assert!(all.is_none_or(|all| all.elements().map(<[_]>::len) == Some(count)));
        }
        Err(_) => assert!(elements.is_none_or(|all| all.elements().is_none())),
    }
}
