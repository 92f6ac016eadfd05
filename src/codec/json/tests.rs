//! Tests of the JSON reader and writer.

use super::*;
use std::vec::Vec;

#[test]
fn finds_members() {
    let text =
        br#" { "a" : "x\/y", "n":12, "o":{"p":[1,2,{"q":null}],"t":true}, "unknown":[{}, "\ud83d\ude00"] } "#;
    let [a, n, o, none] = object(text, &["a", "n", "o", "none"]).unwrap();
    let a = a.unwrap();
    assert_eq!(&text[a.range()], a.raw());
    assert_eq!(&text[a.string().unwrap().range()], br"x\/y");
    assert!(a.string().unwrap().is("x/y"));
    assert_eq!(n.unwrap().integer(), Ok(12));
    let [p, t] = o.unwrap().members(&["p", "t"]).unwrap();
    let p = p.unwrap();
    assert_eq!(&text[p.range()], p.raw());
    let elements: Vec<_> = p.elements().unwrap().collect();
    assert_eq!(elements.len(), 3);
    assert_eq!(elements[1].integer(), Ok(2));
    assert_eq!(&text[elements[2].range()], br#"{"q":null}"#);
    assert_eq!(t.unwrap().boolean(), Ok(true));
    assert!(none.is_none());
}
