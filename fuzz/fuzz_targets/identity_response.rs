//! Answers of a relay: read as a second reading reads them, and pages that never lead back to themselves.
#![no_main]

use dynamic_key::identity::IdentityError;
use dynamic_key::identity::response::{Cursor, Pages, Range, Response};
use dynamic_key_fuzz::json::{Node, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(node) = parse(text) else {
        // Numbers that `serde_json` does not take may stand in members that nobody asks for.
        let _ = Response::parse(text);
        return;
    };
    let expected = Facts::read(&node);
    let Ok(response) = Response::parse(text) else { return assert!(expected.is_none(), "{node:?}") };
    let expected = expected.expect("what the second reading refuses");
    assert_eq!(
        (u64::from(response.status), u64::from(response.code.get())),
        (expected.status, expected.code)
    );
    for (ours, theirs) in [
        (response.err, expected.err),
        (response.msg, expected.msg),
        (response.transaction, expected.transaction),
    ] {
        assert_eq!(ours.is_some(), theirs.is_some());
        assert!(ours.zip(theirs).is_none_or(|(ours, theirs)| ours.is(theirs)));
    }
    assert_eq!(response.first.as_ref().map(Cursor::as_str), expected.first);
    assert_eq!(response.last.as_ref().map(Cursor::as_str), expected.last);
    assert_eq!(response.has_more, expected.has_more);
    let is_success = (200..300).contains(&expected.status) && (10_000..30_000).contains(&expected.code);
    assert_eq!(response.is_success(), is_success);
    let body = if is_success { response.body().ok() } else { response.details() };
    assert_eq!(body.map(|body| parse(body.raw()).unwrap()), node.get("body").cloned());
    assert_eq!(response.code.range() == Range::Success, (20_000..30_000).contains(&expected.code));

    let mut pages = Pages::new();
    match pages.turn(&response) {
        Err(IdentityError::Refused { .. }) => assert!(!is_success),
        Err(error) => {
            assert!(is_success && error == IdentityError::Malformed);
            assert!(expected.has_more && expected.last.is_none());
        }
        Ok(()) => {
            assert!(is_success && pages.is_done() != expected.has_more);
            assert_eq!(pages.next().map(Cursor::as_str), expected.last.filter(|_| expected.has_more));
            assert_eq!(pages.turn(&response).is_err(), expected.has_more, "from here to here");
        }
    }
});

struct Facts<'a> {
    status: u64,
    code: u64,
    err: Option<&'a str>,
    msg: Option<&'a str>,
    transaction: Option<&'a str>,
    first: Option<&'a str>,
    last: Option<&'a str>,
    has_more: bool,
}

impl<'a> Facts<'a> {
    fn read(answer: &'a Node) -> Option<Self> {
        let members = answer.members()?;
        let fits = |(name, value): &(String, Node)| value.depth() < if name == "body" { 64 } else { 16 };
        members.iter().all(fits).then_some(())?;
        let text = |name| answer.get(name).map_or(Some(None), |value| value.as_str().map(Some));
        let cursor = |name| {
            let is_cursor = |text: &str| {
                (1..=96).contains(&text.len())
                    && text.chars().all(|c| (' '..='~').contains(&c) && c != '"' && c != '\\')
            };
            text(name).filter(|text| text.is_none_or(is_cursor))
        };
        let facts = Self {
            status: answer.get("status")?.integer().filter(|status| (100..600).contains(status))?,
            code: answer.get("code")?.integer().filter(|code| [1, 2, 4, 5, 6].contains(&(code / 10_000)))?,
            err: text("err")?,
            msg: text("msg")?,
            transaction: text("txnID")?,
            first: cursor("first")?,
            last: cursor("last")?,
            has_more: match answer.get("continue") {
                None => false,
                Some(Node::Bool(more)) => *more,
                Some(_) => return None,
            },
        };
        let is_success = (200..300).contains(&facts.status) && facts.code < 30_000;
        (facts.err.is_none() || !is_success).then_some(facts)
    }
}
