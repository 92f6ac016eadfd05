//! Content packages between identities, through a route, and through a relay that changes what it can.

use crate::support::{ADDRESS, NOW, Party, author, exactly, known, party, provider};
use dynamic_key::identity::IdentityError;
use dynamic_key::identity::message::{Message, Messages, Received};
use dynamic_key::identity::package::{self, Action, Package};
use dynamic_key::jose::JoseError;

const VAULT: &str = "vault@api.example";
const ROUTE: &str = "route@api.example";
const ID: &str = "message-1";

fn seal(sender: &Party, to: &Party, id: &str, package: &Package<'_>) -> Result<String, IdentityError> {
    let (kid, recipient) = (sender.signs_as(), to.reached_as());
    let mut buffer = [0; 4096];
    let to = (&to.encryption_key(), &recipient);
    package
        .seal(&mut provider(), &mut sender.signer.clone(), &author(&kid), to, id, &mut buffer)
        .map(str::to_owned)
}

type Opened = (Action, String, Option<String>);

/// Sends a body as a message and opens it with the keys of `recipient`.
fn open(sender: &Party, to: &str, id: &str, body: &str, recipient: &Party) -> Result<Opened, IdentityError> {
    let message = Message { to, id, expires: NOW, body };
    let kid = sender.signs_as();
    let mut out = [0; 8192];
    let request = message.begin(&author(&kid), &mut out)?.sign([&mut sender.signer.clone()])?;
    let unverified = Messages::sent(request.body)?.next().unwrap()?;
    let mut known = known(sender);
    let verified = unverified.verify(&mut known)?;
    let mut scratch = [0; 4096];
    let received = Received::read(&unverified, &verified, &mut scratch)?;
    let opened = package::open(&mut provider(), &mut recipient.recipient.clone(), &mut known, received)?;
    assert_eq!(opened.issued_at, NOW);
    let package = String::from_utf8(opened.package.bytes().collect()).unwrap();
    Ok((opened.action, package, opened.content.map(|content| content.as_str().to_owned())))
}

const fn about(action: Action, content: Option<&[u8]>) -> Package<'_> {
    Package { action, package: "recipes/\"42\"\n", content }
}

#[test]
fn each_action_arrives_as_what_it_is_at_an_identity_and_at_a_route() {
    let alice = party(ADDRESS, 1);
    let content = br#"{"deep":[{"a":null}],"n":1.5}"#.as_slice();
    for recipient in [party(VAULT, 2), party(ROUTE, 3)] {
        for package in [
            about(Action::Request, None),
            about(Action::Request, Some(b"[1]")),
            about(Action::Publish, Some(content)),
            about(Action::Deny, None),
            about(Action::Deny, Some(b"\"why\"")),
            about(Action::Revoke, None),
        ] {
            let body = seal(&alice, &recipient, ID, &package).unwrap();
            let opened = open(&alice, recipient.address, ID, &body, &recipient).unwrap();
            let content = package.content.map(|content| String::from_utf8(content.to_vec()).unwrap());
            assert_eq!(opened, (package.action, package.package.to_owned(), content));
        }
    }
}

#[test]
fn what_is_needed_is_enough_and_one_less_is_not() {
    let (alice, vault) = (party(ADDRESS, 1), party(VAULT, 2));
    let (kid, recipient, key) = (alice.signs_as(), vault.reached_as(), vault.encryption_key());
    let large = format!("\"{}\"", "x".repeat(1000));
    for content in ["null", &large] {
        let package = about(Action::Publish, Some(content.as_bytes()));
        let buffer = exactly(|out| {
            let signer = &mut alice.signer.clone();
            package.seal(&mut provider(), signer, &author(&kid), (&key, &recipient), ID, out).map(|_| ())
        });
        // What is said is nowhere in the buffer any more.
        assert!(!buffer.windows(7).any(|window| window == b"recipes"));
        assert!(content == "null" || !buffer.windows(64).any(|window| window == [b'x'; 64]));
    }
}

#[test]
fn nothing_that_an_action_does_not_have_is_sealed_or_opened() {
    let (alice, vault) = (party(ADDRESS, 1), party(VAULT, 2));
    let malformed = Err(IdentityError::Malformed);
    assert_eq!(seal(&alice, &vault, ID, &about(Action::Publish, None)), malformed);
    assert_eq!(seal(&alice, &vault, ID, &about(Action::Revoke, Some(b"{}"))), malformed);
    for content in ["", "{", "{}x", "a", "1,\"package\":2"] {
        assert_eq!(
            seal(&alice, &vault, ID, &about(Action::Publish, Some(content.as_bytes()))),
            malformed,
            "{content}"
        );
    }
    for id in ["", "a b", "a\""] {
        assert_eq!(seal(&alice, &vault, id, &about(Action::Request, None)), malformed, "{id}");
    }
    // As someone seals who does not use this crate's writer.
    use dynamic_key::jose::{jws, package as jose};
    let raw = |target: &str, body: &str| {
        let (kid, recipient) = (alice.signs_as(), vault.reached_as());
        let header = jws::Header { issued_at: NOW, kid: &kid, target };
        let package = jose::Package { header, recipient: &recipient, id: ID, body: body.as_bytes() };
        let mut buffer = [0; 4096];
        let mut signer = alice.signer.clone();
        let key = vault.encryption_key();
        let text = jose::pack(&mut provider(), &mut signer, &key, &package, &mut buffer).unwrap();
        open(&alice, VAULT, ID, text, &vault).map(|(action, ..)| action)
    };
    assert_eq!(raw(Action::Publish.target(), r#"{"package":"p","content":1}"#), Ok(Action::Publish));
    for (action, body) in [
        (Action::Publish, r#"{"package":"p"}"#),
        (Action::Revoke, r#"{"package":"p","content":null}"#),
        (Action::Request, "{}"),
        (Action::Request, r#"{"package":7}"#),
        (Action::Request, r#"{"package":"p","package":"p"}"#),
        (Action::Request, "[]"),
        (Action::Request, "\"p\""),
    ] {
        assert_eq!(raw(action.target(), body), Err(IdentityError::Malformed), "{body}");
    }
    for target in ["", "/v1/messages/send", "/v1/messages/send#messages", "/v1/messages/send#Publish"] {
        assert_eq!(raw(target, r#"{"package":"p","content":1}"#), Err(JoseError::Header.into()), "{target}");
    }
}

#[test]
fn no_one_passes_a_package_on_as_another() {
    let (alice, mallory) = (party(ADDRESS, 1), party("mallory@api.example", 9));
    let (vault, route) = (party(VAULT, 2), party(ROUTE, 3));
    let publish = about(Action::Publish, Some(b"1"));
    let body = seal(&alice, &vault, ID, &publish).unwrap();
    assert!(open(&alice, VAULT, ID, &body, &vault).is_ok());
    let (claim, key) = (Err(JoseError::Claim.into()), Err(JoseError::Key.into()));
    // By another sender, under another id, to a route that has the same key, to another key.
    assert_eq!(open(&mallory, VAULT, ID, &body, &vault), Err(JoseError::Authentication.into()));
    assert_eq!(open(&alice, VAULT, "message-2", &body, &vault), claim);
    assert_eq!(open(&alice, ROUTE, ID, &body, &vault), claim);
    assert_eq!(open(&alice, VAULT, ID, &body, &route), key);
    // The same key at another address is another sender.
    assert_eq!(open(&party("other@api.example", 1), VAULT, ID, &body, &vault), key);
    for at in (0..body.len()).step_by(3) {
        let mut changed = body.clone().into_bytes();
        changed[at] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        assert!(open(&alice, VAULT, ID, &changed, &vault).is_err(), "byte {at}");
    }
}

#[test]
fn what_is_said_is_not_printed() {
    let package = Package { action: Action::Publish, package: "p", content: Some(b"\"topsecret\"") };
    assert_eq!(format!("{package:?}"), r#"Package { action: Publish, package: "p", .. }"#);
    let message = Message { to: VAULT, id: ID, expires: NOW, body: "topsecret" };
    assert!(!format!("{message:?}").contains("topsecret"));
}
