//! The common answer: members absent, valid or malformed, ranges of codes, and pages.

use dynamic_key::identity::IdentityError;
use dynamic_key::identity::response::{Code, Cursor, Pages, Range, Response};
use serde_json::{Value, json};

fn parse(answer: &Value) -> Result<(), IdentityError> {
    Response::parse(answer.to_string().as_bytes()).map(|_| ())
}

#[test]
fn the_sources_answer_is_read() {
    let text = br#" {
  "status":   200,
  "code":     20001,
  "msg":      "Successful message if applicable",
  "txnID":    "1556727543072499643-1920627189",
  "first":    "firstIndexCursor",
  "last":     "lastIndexCursor",
  "continue": true,
  "body": { "key": "value" } }"#;
    let response = Response::parse(text).unwrap();
    assert_eq!((response.status, response.code.get(), response.code.range()), (200, 20001, Range::Success));
    assert!(response.err.is_none() && response.msg.unwrap().is("Successful message if applicable"));
    assert!(response.transaction.unwrap().is("1556727543072499643-1920627189"));
    assert_eq!(response.first, Some(Cursor::new("firstIndexCursor").unwrap()));
    assert_eq!(response.last.unwrap().as_str(), "lastIndexCursor");
    assert!(response.has_more && response.is_success() && response.details().is_none());
    assert_eq!(response.body().unwrap().as_str(), r#"{ "key": "value" }"#);
    // What is printed is no text of the relay.
    let printed = format!("{response:?}");
    assert!(!printed.contains("uccessful") && !printed.contains("value"), "{printed}");
}

#[test]
fn each_range_has_its_ends() {
    for (range, first, last) in [
        (Range::Peer, 10_000, 19_999),
        (Range::Success, 20_000, 29_999),
        (Range::Client, 40_000, 49_999),
        (Range::Server, 50_000, 59_999),
        (Range::Other, 60_000, 69_999),
    ] {
        for code in [first, first + 1, last] {
            assert_eq!(Code::new(code).map(|code| (code.get(), code.range())), Some((code, range)));
        }
    }
    for code in [0, 200, 9_999, 30_000, 39_999, 70_000, u32::MAX] {
        assert_eq!(Code::new(code), None, "{code}");
        assert_eq!(parse(&json!({"status": 200, "code": code})), Err(IdentityError::Malformed));
    }
}

#[test]
fn a_member_is_absent_valid_or_malformed() {
    let least = json!({"status": 200, "code": 20000});
    assert_eq!(parse(&least), Ok(()));
    for member in ["status", "code"] {
        let mut without = least.clone();
        without.as_object_mut().unwrap().remove(member);
        assert_eq!(parse(&without), Err(IdentityError::Malformed), "without {member}");
    }
    let long = "c".repeat(Cursor::MAX_LEN + 1);
    for (member, value) in [
        ("status", json!("200")),
        ("status", json!(99)),
        ("status", json!(600)),
        ("status", json!(65736)),
        ("status", json!(-200)),
        ("status", json!(200.5)),
        ("status", json!(null)),
        ("code", json!("20000")),
        ("code", json!(20000.0)),
        ("code", json!(4_294_987_296_u64)),
        ("code", json!(null)),
        ("err", json!(null)),
        ("err", json!("in a success")),
        ("msg", json!(null)),
        ("msg", json!(7)),
        ("txnID", json!(7)),
        ("first", json!(null)),
        ("first", json!("")),
        ("first", json!(0)),
        ("first", json!("\n")),
        ("last", json!(long)),
        ("last", json!("a\"b")),
        ("last", json!("\u{e9}")),
        ("continue", json!(null)),
        ("continue", json!("true")),
        ("continue", json!(1)),
    ] {
        let mut changed = least.clone();
        changed[member] = value.clone();
        assert_eq!(parse(&changed), Err(IdentityError::Malformed), "{member} {value}");
    }
    for text in [
        "",
        "[]",
        "null",
        "{}",
        r#"{"status":200,"code":20000}x"#,
        r#"{"status":200,"code":20000,"code":20000}"#,
        r#"{"status":200,"code":20000,"body":1,"body":1}"#,
        r#"{"status":2e2,"code":20000}"#,
        r#"{"status":+200,"code":20000}"#,
    ] {
        assert_eq!(Response::parse(text.as_bytes()).map(|_| ()), Err(IdentityError::Malformed), "{text}");
    }
}

#[test]
fn a_success_says_so_in_both_its_status_and_its_code() {
    for (status, code, is_success) in [
        (200, 20_001, true),
        (202, 10_001, true),
        (299, 29_999, true),
        (200, 40_101, false),
        (200, 60_000, false),
        (401, 20_001, false),
        (300, 20_001, false),
        (503, 50_000, false),
    ] {
        let answer = json!({"status": status, "code": code, "body": [1]}).to_string();
        let response = Response::parse(answer.as_bytes()).unwrap();
        assert_eq!(response.is_success(), is_success, "{status} {code}");
        let refused = IdentityError::Refused { status, code };
        let body = if is_success { Ok("[1]") } else { Err(refused) };
        assert_eq!(response.body().map(|body| body.as_str()), body);
        assert_eq!(response.details().is_some(), !is_success);
    }
    let none = Response::parse(br#"{"status":200,"code":20001}"#).unwrap();
    assert_eq!((none.check(), none.body().map(|_| ())), (Ok(()), Err(IdentityError::Malformed)));
    // Any type of body, deep as a body may be.
    let deep = format!(r#"{{"status":200,"code":20001,"body":{}{}}}"#, "[".repeat(60), "]".repeat(60));
    assert!(Response::parse(deep.as_bytes()).unwrap().body().is_ok());
}

#[test]
fn pages_are_turned_to_the_end_and_never_in_a_circle() {
    let page = |last: Option<&str>, more: Option<bool>| {
        let mut page = json!({"status": 200, "code": 20001, "body": []});
        if let Some(last) = last {
            page["last"] = last.into();
        }
        if let Some(more) = more {
            page["continue"] = more.into();
        }
        page.to_string()
    };
    let turn = |pages: &mut Pages, text: String| pages.turn(&Response::parse(text.as_bytes()).unwrap());
    let mut pages = Pages::new();
    assert!(pages.next().is_none() && !pages.is_done());
    for last in ["a", "b", "a"] {
        assert_eq!(turn(&mut pages, page(Some(last), Some(true))), Ok(()));
        assert_eq!(pages.next().map(Cursor::as_str), Some(last));
    }
    assert_eq!(
        turn(&mut pages, page(Some("a"), Some(true))),
        Err(IdentityError::Malformed),
        "from here to here"
    );
    assert_eq!(turn(&mut pages, page(None, Some(true))), Err(IdentityError::Malformed), "from nowhere");
    let refused = json!({"status": 429, "code": 42900, "last": "z", "continue": true}).to_string();
    assert_eq!(turn(&mut pages, refused), Err(IdentityError::Refused { status: 429, code: 42900 }));
    assert_eq!((pages.next().map(Cursor::as_str), pages.is_done()), (Some("a"), false));
    for more in [None, Some(false)] {
        let mut pages = pages;
        assert_eq!(turn(&mut pages, page(Some("z"), more)), Ok(()));
        assert!(pages.is_done());
    }
}
