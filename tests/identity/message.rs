//! Messages: what a relay or another identity can do to them.

use crate::support::{ADDRESS, NOW, Party, answer, author, exactly, known, party, signed_as, url};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::identity::message::{self, Ask, Message, Messages, Received};
use dynamic_key::identity::response::{Cursor, Response};
use dynamic_key::identity::{Duplicates, IdentityError};
use dynamic_key::jose::JoseError;
use serde_json::{Value, json};

const TARGET: &str = "/v1/messages/send#messages";
const BOB: &str = "bob@api.example";

fn sent(sender: &Party, to: &str, id: &str, expires: Timestamp, body: &str) -> String {
    let message = Message { to, id, expires, body };
    let kid = sender.signs_as();
    let mut out = [0; 4096];
    let request = message.begin(&author(&kid), &mut out).unwrap().sign([&mut sender.signer.clone()]).unwrap();
    assert_eq!((request.method, request.target), ("POST", "/v1/messages/send"));
    let body: Value = serde_json::from_slice(request.body).unwrap();
    body["messages"][0].as_str().unwrap().to_owned()
}

type Taken = (String, String, Vec<u8>);

/// Takes the messages of a page with what is known of `sender`.
fn take<const N: usize>(
    messages: &[&str],
    sender: &Party,
    now: Option<Timestamp>,
    window: &mut Duplicates<N>,
) -> Vec<Result<Taken, IdentityError>> {
    let text = answer(&json!(messages));
    let page = Response::parse(&text).unwrap();
    let mut known = known(sender);
    Messages::of_page(&page)
        .unwrap()
        .map(|message| {
            let mut scratch = [0; 2048];
            let addresses = [BOB, "route@api.example"];
            let received = message::receive(&message?, &mut known, &addresses, now, window, &mut scratch)?;
            assert_eq!((&received.sender, received.issued_at), (&sender.signs_as(), NOW));
            Ok((received.to.to_string(), received.id.to_string(), received.body.to_vec()))
        })
        .collect()
}

#[test]
fn a_message_is_written_as_it_is_read_in_exactly_its_room() {
    let mut alice = party(ADDRESS, 1);
    let kid = alice.signs_as();
    let longest = "i".repeat(message::MAX_ID);
    for (id, body, expires) in [("m-1", "a.b.c.d.e", 0), (&longest, &"x".repeat(1500), u64::MAX / 1000)] {
        let message = Message { to: BOB, id, expires: Timestamp::from_unix_secs(expires), body };
        let request = exactly(|out| message.begin(&author(&kid), out)?.sign([&mut alice.signer]).map(|_| ()));
        let mut messages = Messages::sent(&request).unwrap();
        let unverified = messages.next().unwrap().unwrap();
        assert!(messages.next().is_none());
        let verified = unverified.verify(&mut known(&alice)).unwrap();
        if expires > 1 << 53 {
            assert!(Received::read(&unverified, &verified, &mut [0; 4096]).is_err(), "no integer of JSON");
            continue;
        }
        let scratch = exactly(|out| Received::read(&unverified, &verified, out).map(|_| ()));
        let expected = json!({"to": BOB, "id": id, "exp": expires, "body": body});
        assert_eq!(serde_json::from_slice::<Value>(&scratch).unwrap(), expected);
    }
}

#[test]
fn nothing_that_is_no_message_is_written() {
    let kid = party(ADDRESS, 1).signs_as();
    let write = |to: &str, id: &str, body: &str| {
        Message { to, id, expires: NOW, body }.begin(&author(&kid), &mut [0; 1024]).map(|_| ())
    };
    assert_eq!(write(BOB, "1", "a"), Ok(()));
    let too_long = "i".repeat(message::MAX_ID + 1);
    for (to, id, body) in [
        ("", "1", "a"),
        ("a/b", "1", "a"),
        (BOB, "", "a"),
        (BOB, "a b", "a"),
        (BOB, "\"", "a"),
        (BOB, &too_long, "a"),
        (BOB, "1", ""),
        (BOB, "1", "a\"b"),
        (BOB, "1", "a\n"),
        (BOB, "1", "{}"),
    ] {
        assert_eq!(write(to, id, body), Err(IdentityError::Malformed), "{to} {id} {body}");
    }
}

#[test]
fn each_message_is_taken_once_whichever_page_it_is_on() {
    let alice = party(ADDRESS, 1);
    let later = NOW.saturating_add_secs(60);
    let [first, second] = ["1", "2"].map(|id| sent(&alice, BOB, id, later, "a.b"));
    let mut window = Duplicates::<4>::new();
    let taken = take(&[&second, &first, &second], &alice, Some(NOW), &mut window);
    let got = |id: &str| Ok((BOB.to_owned(), id.to_owned(), b"a.b".to_vec()));
    assert_eq!(taken, [got("2"), got("1"), Err(IdentityError::Duplicate)]);
    // The same id, signed again, with another body and another end, is the same message.
    let again = sent(&alice, "route@api.example", "1", later.saturating_add_secs(9), "c");
    assert_eq!(
        take(&[&first, &again], &alice, Some(NOW), &mut window),
        [const { Err(IdentityError::Duplicate) }; 2]
    );
    // The same id of another sender is another.
    let carol = party("carol@api.example", 3);
    let other = sent(&carol, BOB, "1", later, "a.b");
    assert_eq!(take(&[&other], &carol, Some(NOW), &mut window), [got("1")]);
}

#[test]
fn what_is_refused_leaves_no_trace_in_the_window() {
    let (alice, mallory) = (party(ADDRESS, 1), party(ADDRESS, 9));
    let later = NOW.saturating_add_secs(60);
    let mut window = Duplicates::<4>::new();
    let good = sent(&alice, BOB, "1", later, "a.b");
    let one = |message: &str, window: &mut Duplicates<4>| {
        take(&[message], &alice, Some(NOW), window).remove(0).map(|_| ())
    };
    // Another key in the name of the same address; another identity; another recipient; too late.
    assert_eq!(one(&sent(&mallory, BOB, "1", later, "a.b"), &mut window), Err(IdentityError::Address));
    let carol = party("carol@api.example", 1);
    assert_eq!(one(&sent(&carol, BOB, "1", later, "a.b"), &mut window), Err(IdentityError::Address));
    assert_eq!(
        one(&sent(&alice, "eve@api.example", "1", later, "a.b"), &mut window),
        Err(IdentityError::Address)
    );
    assert_eq!(one(&sent(&alice, BOB, "1", NOW, "a.b"), &mut window), Err(IdentityError::Expired));
    for at in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[at] ^= 1;
        assert!(one(core::str::from_utf8(&changed).unwrap(), &mut window).is_err(), "byte {at}");
    }
    assert!(!window.contains(ADDRESS, "1"));
    assert_eq!(one(&good, &mut window), Ok(()));
    assert!(window.contains(ADDRESS, "1"));
    // Without a clock nothing expires.
    let old = sent(&alice, BOB, "2", Timestamp::from_unix_secs(0), "a");
    assert_eq!(take(&[&old], &alice, None, &mut window).remove(0).map(|_| ()), Ok(()));
}

#[test]
fn every_member_is_checked() {
    let alice = party(ADDRESS, 1);
    let good = json!({"to": BOB, "id": "1", "exp": NOW.as_unix_secs() + 1, "body": "a.b"});
    let read = |address: &'static str, target: &str, payload: &str| {
        let token =
            signed_as(&mut alice.signer.clone(), address, NOW.as_unix_secs(), target, payload.as_bytes());
        let mut window = Duplicates::<1>::new();
        take(&[&token], &party(address, 1), Some(NOW), &mut window).remove(0).map(|_| ())
    };
    assert_eq!(read(ADDRESS, TARGET, &good.to_string()), Ok(()));
    let header = Err(JoseError::Header.into());
    assert_eq!(read(ADDRESS, "/v1/messages/send", &good.to_string()), header);
    assert_eq!(read(ADDRESS, "/v1/messages/send#publish", &good.to_string()), header);
    let long = "i".repeat(message::MAX_ID + 1);
    for (member, value) in [
        ("to", json!(null)),
        ("to", json!("")),
        ("to", json!("a".repeat(129))),
        ("to", json!("a/b")),
        ("id", json!(1)),
        ("id", json!("")),
        ("id", json!("a/b")),
        ("id", json!(long)),
        ("exp", json!("1569116335")),
        ("exp", json!(-1)),
        ("exp", json!(1.5)),
        ("exp", json!(null)),
        ("body", json!(null)),
        ("body", json!("")),
        ("body", json!("a b")),
        ("body", json!("a\"b")),
        ("body", json!({})),
    ] {
        let mut changed = good.clone();
        changed[member] = value.clone();
        assert_eq!(
            read(ADDRESS, TARGET, &changed.to_string()),
            Err(IdentityError::Malformed),
            "{member} {value}"
        );
        changed.as_object_mut().unwrap().remove(member);
        assert_eq!(
            read(ADDRESS, TARGET, &changed.to_string()),
            Err(IdentityError::Malformed),
            "without {member}"
        );
    }
    let text = good.to_string();
    for payload in [
        text.replace("\"a.b\"", "\"a\\u002eb\""),
        text.replacen('{', "{\"id\":\"2\",", 1),
        format!("{text}x"),
        "[]".into(),
        String::new(),
    ] {
        assert_eq!(read(ADDRESS, TARGET, &payload), Err(IdentityError::Malformed), "{payload}");
    }
}

#[test]
fn what_is_no_list_of_messages_is_refused() {
    for body in [json!(null), json!({}), json!("a.b.c"), json!({"messages": []})] {
        let text = answer(&body);
        let page = Response::parse(&text).unwrap();
        assert_eq!(Messages::of_page(&page).map(|_| ()), Err(IdentityError::Malformed), "{body}");
    }
    let text = answer(&json!([null, 7, "", "a", "a.b", "a.b.c", format!("{}.e30.", url(b"{}"))]));
    let page = Response::parse(&text).unwrap();
    let messages: Vec<_> = Messages::of_page(&page).unwrap().map(|message| message.map(|_| ())).collect();
    assert_eq!(messages.len(), 7);
    assert!(messages.iter().all(Result::is_err));
    for body in ["", "[]", "{}", r#"{"messages":{}}"#, r#"{"messages":[],"messages":[]}"#] {
        assert_eq!(Messages::sent(body.as_bytes()).map(|_| ()), Err(IdentityError::Malformed), "{body}");
    }
}

#[test]
fn what_is_asked_for_is_read_as_it_was_written() {
    let mut alice = party(ADDRESS, 1);
    let kid = alice.signs_as();
    let longest = "~".repeat(Cursor::MAX_LEN);
    let cursor = |text: &str| Some(Cursor::new(text).unwrap());
    let most =
        Ask { last: cursor(&longest), first: cursor(&longest), limit: Some(u32::MAX), wait: Some(u32::MAX) };
    let asks = [
        Ask::default(),
        Ask { last: cursor("MTU2OQ=="), limit: Some(20), ..Ask::default() },
        Ask { first: cursor("0"), wait: Some(30), ..Ask::default() },
        Ask { wait: Some(0), ..Ask::default() },
        most,
    ];
    type Write = for<'o> fn(
        &dynamic_key::identity::Author<'_>,
        &Ask,
        &'o mut [u8],
    ) -> Result<dynamic_key::identity::Draft<'o, 1>, IdentityError>;
    for (path, write) in
        [("/v1/messages/fetch", message::fetch as Write), ("/v1/messages/listen", message::listen)]
    {
        for ask in &asks {
            let body = exactly(|out| {
                let request = write(&author(&kid), ask, out)?.sign([&mut alice.signer])?;
                assert_eq!(request.target, path);
                Ok(())
            });
            let request = message::parse_request(path, &body).unwrap();
            let verified = request.verify(&mut known(&alice)).unwrap();
            let payload = exactly(|out| request.payload(&verified, out).map(|_| ()));
            assert_eq!(Ask::read(&payload), Ok(*ask));
            assert!(message::parse_request("/v1/identity/me", &body).is_err());
        }
    }
    for payload in [
        "",
        "[]",
        r#"{"last":""}"#,
        r#"{"last":null}"#,
        r#"{"first":7}"#,
        r#"{"limit":"20"}"#,
        r#"{"limit":4294967296}"#,
        r#"{"wait":-1}"#,
        r#"{"wait":1.5}"#,
        r#"{"wait":1,"wait":1}"#,
    ] {
        assert_eq!(Ask::read(payload.as_bytes()), Err(IdentityError::Malformed), "{payload}");
    }
}
