//! The scanner against `serde_json`: one accepts what the other accepts, and both see the same values.
//!
//! Allowed differences, each checked to be the ground of a refusal: depth over 16 or 64, a repeated name, more than 64
//! members, a root that is no object; and numbers that no `f64` can hold, which `serde_json` refuses.
#![no_main]

use base64ct::Encoding as _;
use dynamic_key::codec::json::{self, JsonError, MAX_BODY_DEPTH, MAX_DEPTH, MAX_MEMBERS, Str, Value};
use dynamic_key_fuzz::json::{NoJson, Node, parse};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 4] = ["nonce", "body", "a", ""];

fuzz_target!(|text: &[u8]| {
    let theirs = parse(text);
    single(text, &theirs);
    root(text, &theirs, None);
    root(text, &theirs, Some("body"));
    if let Ok(text) = str::from_utf8(text) {
        escaping(text);
    }
});

fn single(text: &[u8], theirs: &Result<Node, NoJson>) {
    match (json::value(text), theirs) {
        (Ok(value), Ok(node)) => {
            assert!(node.depth() <= usize::from(MAX_BODY_DEPTH));
            same(text, value, node);
        }
        (Ok(_), Err(error)) => assert_eq!(*error, NoJson::NumberTooLarge),
        (Err(JsonError::TooDeep), Ok(node)) => assert!(node.depth() > usize::from(MAX_BODY_DEPTH)),
        (Err(error), Ok(_)) => panic!("{error}"),
        (Err(_), Err(_)) => {}
    }
}

fn root(text: &[u8], theirs: &Result<Node, NoJson>, body: Option<&str>) {
    let found = match body {
        None => json::object(text, &NAMES),
        Some(body) => json::object_with_body(text, &NAMES, body),
    };
    let Ok(node) = theirs else {
        assert!(found.is_err() || *theirs == Err(NoJson::NumberTooLarge));
        return;
    };
    let Node::Object(members) = node else {
        assert_eq!(found, Err(JsonError::WrongType));
        return;
    };
    let depth_of = |(name, value): &(String, Node)| (value.depth() + 1, body == Some(name.as_str()));
    let too_deep = members
        .iter()
        .map(depth_of)
        .any(|(depth, is_body)| depth > usize::from(if is_body { MAX_BODY_DEPTH } else { MAX_DEPTH }));
    let too_many = members.len() > MAX_MEMBERS;
    let repeats =
        (0..members.len()).any(|place| members[..place].iter().any(|(name, _)| *name == members[place].0));
    match found {
        Ok(found) => {
            assert!(!too_deep && !too_many && !repeats);
            for (name, value) in NAMES.into_iter().zip(found) {
                assert_eq!(value.is_some(), node.get(name).is_some(), "{name}");
                if let (Some(value), Some(node)) = (value, node.get(name)) {
                    same(text, value, node);
                }
            }
        }
        Err(JsonError::TooDeep) => assert!(too_deep),
        Err(JsonError::TooManyMembers) => assert!(too_many),
        Err(JsonError::RepeatedName) => assert!(repeats),
        Err(error) => panic!("{error}"),
    }
}

/// Both saw the same value, wherever it is asked.
fn same(text: &[u8], value: Value<'_>, node: &Node) {
    assert_eq!(&text[value.range()], value.raw());
    assert_eq!(value.is_null(), *node == Node::Null);
    assert_eq!(value.is_object(), matches!(node, Node::Object(_)));
    assert_eq!(value.boolean().ok(), if let Node::Bool(value) = node { Some(*value) } else { None });
    assert_eq!(value.integer().ok(), node.integer(), "{}", String::from_utf8_lossy(value.raw()));
    assert_eq!(value.string().is_ok(), node.as_str().is_some());
    if let (Ok(string), Some(node)) = (value.string(), node.as_str()) {
        same_string(text, string, node);
    }
    match (value.elements(), node.elements()) {
        (Ok(mut elements), Some(nodes)) => {
            nodes.iter().for_each(|node| same(text, elements.next().unwrap(), node));
            assert!(elements.next().is_none());
        }
        (elements, nodes) => assert!(elements.is_err() && nodes.is_none()),
    }
    let Node::Object(nodes) = node else {
        assert_eq!(value.all_members().err(), Some(JsonError::WrongType));
        return;
    };
    let mut members = value.all_members().unwrap();
    for (node_name, node) in nodes {
        let (name, value) = members.next().unwrap();
        same_string(text, name, node_name);
        same(text, value, node);
    }
    assert!(members.next().is_none());
    assert_eq!(value.entries().is_ok(), node.members().is_some());
    assert_eq!(value.members(&NAMES).is_ok(), node.members().is_some());
    if let Ok(found) = value.members(&NAMES) {
        for (name, value) in NAMES.into_iter().zip(found) {
            assert_eq!(value.is_some(), node.get(name).is_some());
        }
    }
}

fn same_string(text: &[u8], ours: Str<'_>, theirs: &str) {
    assert_eq!(&text[ours.range()], ours.raw());
    assert_eq!(ours.as_plain().is_some(), !ours.raw().contains(&b'\\'));
    assert_eq!(ours.as_plain().unwrap_or(theirs), theirs);
    assert!(ours.is(theirs) && !ours.is(&[theirs, "x"].concat()));
    assert_eq!((ours.len(), ours.is_empty()), (theirs.len(), theirs.is_empty()));
    assert!(ours.bytes().eq(theirs.bytes()));
    assert_eq!(ours.has_escaped_control(), theirs.bytes().any(|byte| byte < 0x20));
    let mut out = vec![0; theirs.len()];
    assert_eq!(ours.copy_to(&mut out), Ok(theirs));
    if let Some(short) = theirs.len().checked_sub(1) {
        assert_eq!(ours.copy_to(&mut out[..short]).unwrap_err().needed, theirs.len());
    }
    let mut raw = ours.raw().to_vec();
    let length = json::unescape_in_place(&mut raw);
    assert_eq!(&raw[..length], theirs.as_bytes());
    let mut out = vec![0; theirs.len()];
    assert_eq!(ours.base64(&mut out).ok(), base64ct::Base64::decode_vec(theirs).ok().as_deref());
    assert_eq!(
        ours.base64url(&mut out).ok(),
        base64ct::Base64UrlUnpadded::decode_vec(theirs).ok().as_deref()
    );
}

/// Both write the same.
fn escaping(text: &str) {
    let theirs = serde_json::to_string(text).unwrap();
    let theirs = &theirs[1..theirs.len() - 1];
    assert_eq!(json::escaped_len(text), theirs.len());
    let mut out = vec![0; theirs.len()];
    assert_eq!(json::escape(text, &mut out), Ok(theirs));
    if let Some(short) = theirs.len().checked_sub(1) {
        assert_eq!(json::escape(text, &mut out[..short]).unwrap_err().needed, theirs.len());
    }
}
