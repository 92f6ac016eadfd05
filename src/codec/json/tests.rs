//! Tests of the JSON reader and writer.

use super::*;
use crate::codec::{
    BufferTooSmall,
    base64::{self, Base64Error},
    cursor::Writer,
};
use std::{format, string::String, vec, vec::Vec};

/// Judges `value` as the value of a member.
fn judge(value: &str) -> Result<(), JsonError> {
    let text = format!("{{\"v\":{value}}}");
    object(text.as_bytes(), &["v"]).map(|[v]| assert_eq!(v.unwrap().raw(), value.trim().as_bytes()))
}

/// Reads the string `raw`, as it would stand between quotes.
fn with_string<R>(raw: &str, read: impl FnOnce(Str<'_>) -> R) -> R {
    let text = format!("{{\"s\":\"{raw}\"}}");
    let [s] = object(text.as_bytes(), &["s"]).unwrap();
    read(s.unwrap().string().unwrap())
}

/// Numbers below the one given, the same in every run.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as usize % below
    }
}

#[test]
fn accepts_what_the_grammar_allows() {
    for value in [
        "0",
        "-0",
        "1",
        "10",
        "-10",
        "0.0",
        "0.10",
        "-0.5",
        "1e1",
        "1E1",
        "1e+1",
        "1e-1",
        "1E-01",
        "0e0",
        "0E+0",
        "1.5e300",
        "123456789012345678901234567890",
        "1e999",
        "-1.25E+30",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        "\"\u{7f}\"",
        "\"é€😀\"",
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\u0000\u001f\uabCD\uFFFF\ud7ff\ue000""#,
        r#""\ud83d\ude00""#,
        r#""\uDBFF\uDFFF""#,
        "[]",
        "[ ]",
        "[0]",
        "[0,1]",
        "[ 0 , 1 ]",
        "[[],[]]",
        "[{}]",
        "{}",
        "{ }",
        "{\"\":0}",
        "{\"a\":{},\"b\":[]}",
        "[\n\t\r {\n\t\r \"a\"\n\t\r :\n\t\r 0\n\t\r ,\"b\":1} ]",
        "\t\n\r 1 \t\n\r",
        "[true,false,null]",
        "\" plain sixteen bytes and some more \u{a0} \"",
        "{\"a\":0,\"a\":0}",
    ] {
        assert_eq!(judge(value), Ok(()), "{value}");
    }
    for text in ["{}", " {} ", "\n\t\r {\n\t\r }\n\t\r ", "{\"\\u0076\":0}"] {
        assert!(object(text.as_bytes(), &["v"]).is_ok(), "{text}");
    }
}

#[test]
fn refuses_what_the_grammar_does_not_allow() {
    for value in [
        "",
        " ",
        "+1",
        "-",
        "--1",
        "-a",
        "01",
        "-01",
        "00",
        "1.",
        ".1",
        "1.e1",
        "-.1",
        "1e",
        "1e+",
        "1e-",
        "1E+-1",
        "1e1.5",
        "0x10",
        "1_000",
        "1 000",
        "Infinity",
        "NaN",
        "-Infinity",
        "1a",
        "1.1.1",
        "0e",
        "٣",
        "True",
        "TRUE",
        "tru",
        "truee",
        "nul",
        "nulll",
        "falsee",
        "fals",
        "undefined",
        "'a'",
        "\"",
        "\"a",
        "a\"",
        "\"\\\"",
        "\"\\a\"",
        "\"\\'\"",
        "\"\\x41\"",
        "\"\\U0041\"",
        "\"\\u\"",
        "\"\\u004\"",
        "\"\\u004g\"",
        "\"\\u+041\"",
        "\"\\u 041\"",
        "\"\\u00 41\"",
        "\"\\u-041\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\udfff\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800a\"",
        "\"\\ud800\\n\"",
        "\"\\ud800\\\\udc00\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ud83d\\ude0\"",
        "\"\\ud83d\\\"",
        "\"\\ud83dude00\"",
        "\"\n\"",
        "\"\t\"",
        "\"\0\"",
        "\"\u{1f}\"",
        "\"\r\"",
        "\"\u{8}\"",
        "\"0123456789abcdef0123456789abcde\u{1f}\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[,]",
        "[,1]",
        "[1,]",
        "[1 2]",
        "[1,,2]",
        "[1}",
        "[1]]",
        "[\"a\":1]",
        "{",
        "}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "{\"a\":1]",
        "{\"a\":1}}",
        "{\"a\":1,,\"b\":2}",
        "{\"a\",\"b\":2}",
        "{null:1}",
        "{{}}",
        "{[]}",
        "[{]}",
        "{[}]",
        "/**/1",
        "1//",
        "#1",
        "\u{a0}1",
        "\u{feff}1",
        "\u{b}1",
        "\u{c}1",
        "1\u{2028}",
        "(1)",
        "<1>",
        "1;",
        "\u{0}",
        "[\u{0}]",
        "{\"a\":1},",
        "1,\"v\"",
        "1:2",
    ] {
        assert_eq!(judge(value), Err(JsonError::Malformed), "{value}");
    }
}

#[test]
fn refuses_texts_that_are_not_one_object() {
    for text in ["", " ", "[]", "1", "\"a\"", "null", "true", "\u{feff}{}", "\0{}", "[{}]", "x", "'", "\""] {
        assert_eq!(object(text.as_bytes(), &[]), Err(JsonError::WrongType), "{text}");
    }
    for text in [
        "{}{}",
        "{} {}",
        "{}x",
        "{}\0",
        "{},",
        "{}]",
        "{}}",
        "{}\u{feff}",
        "{}//",
        "{}1",
        "{",
        "{ ",
        "{}\u{a0}",
    ] {
        assert_eq!(object(text.as_bytes(), &[]), Err(JsonError::Malformed), "{text}");
    }
}

#[test]
fn refuses_what_is_not_utf8() {
    for bad in [
        &b"\x80"[..],
        b"\xbf",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xc2",
        b"\xc2\"",
        b"\xe0\x80\x80",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xfe",
        b"\xff",
    ] {
        for (before, behind) in [
            ("{\"v\":\"", "\"}"),
            ("{\"", "\":1}"),
            ("{\"v\":\"sixteen and more bytes ", " and more\"}"),
            ("", "{}"),
            ("{}", ""),
        ] {
            let text = [before.as_bytes(), bad, behind.as_bytes()].concat();
            assert_eq!(object(&text, &["v"]), Err(JsonError::Malformed), "{bad:?}");
        }
    }
    let utf16: Vec<u8> = "{\"v\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(object(&utf16, &["v"]), Err(JsonError::Malformed));
}

const SAMPLE: &str = r#" { "a" : "x\/y\u00e9" , "n":12,
    "o":{"p":[1,-2.5e+3,{"q":null}],"t":true,"e":{},"l":[]},
    "unknown":[{}, "\ud83d\ude00", "a plain one of more than sixteen bytes"] }"#;

#[test]
fn refuses_every_cut() {
    assert!(object(SAMPLE.as_bytes(), &["a"]).is_ok());
    for len in 0..SAMPLE.len() {
        assert!(object(&SAMPLE.as_bytes()[..len], &["a"]).is_err(), "{len}");
    }
}

#[test]
fn finds_members_and_where_they_stand() {
    let text = SAMPLE.as_bytes();
    let [n, none, a, o] = object(text, &["n", "none", "a", "o"]).unwrap();
    assert_eq!(none, None);
    let a = a.unwrap();
    assert_eq!(a.raw(), br#""x\/y\u00e9""#);
    assert_eq!(&text[a.range()], a.raw());
    let a = a.string().unwrap();
    assert_eq!(&text[a.range()], a.raw());
    assert!(a.is("x/yé") && !a.is_plain() && !a.is(r"x\/y\u00e9"));
    assert_eq!(n.unwrap().integer(), Ok(12));
    assert_eq!(n.unwrap().raw(), b"12");

    let [t, p] = o.unwrap().members(&["t", "p"]).unwrap();
    assert_eq!(t.unwrap().boolean(), Ok(true));
    let p = p.unwrap();
    assert_eq!(&text[p.range()], br#"[1,-2.5e+3,{"q":null}]"#);
    let elements: Vec<_> = p.elements().unwrap().collect();
    assert_eq!(elements.len(), 3);
    assert_eq!(elements[0].integer(), Ok(1));
    assert_eq!(&text[elements[1].range()], b"-2.5e+3");
    assert!(elements[2].is_object());
    let [q] = elements[2].members(&["q"]).unwrap();
    assert!(q.unwrap().is_null());
    assert_eq!(&text[q.unwrap().range()], b"null");

    let entries: Vec<_> = o.unwrap().entries().unwrap().collect();
    let names: Vec<_> = entries.iter().map(|(name, _)| name.as_plain().unwrap()).collect();
    assert_eq!(names, ["p", "t", "e", "l"]);
    for (name, value) in &entries {
        assert_eq!(&text[name.range()], name.raw());
        assert_eq!(&text[value.range()], value.raw());
    }
    assert_eq!(entries[2].1.entries().unwrap().count(), 0);
    assert_eq!(entries[3].1.elements().unwrap().count(), 0);
}

#[test]
fn values_have_one_type() {
    let text = br#"{"null":null,"true":true,"number":1,"string":"s","array":[],"object":{}}"#;
    let values = object(text, &["null", "true", "number", "string", "array", "object"]).unwrap();
    for (at, value) in values.into_iter().enumerate() {
        let value = value.unwrap();
        let wrong = JsonError::WrongType;
        assert_eq!(value.is_null(), at == 0);
        assert_eq!(value.boolean().err(), (at != 1).then_some(wrong));
        assert_eq!(value.integer().err(), (at != 2).then_some(wrong));
        assert_eq!(value.string().err(), (at != 3).then_some(wrong));
        assert_eq!(value.elements().err(), (at != 4).then_some(wrong));
        assert_eq!(value.is_object(), at == 5);
        assert_eq!(value.members(&["a"]).err(), (at != 5).then_some(wrong));
        assert_eq!(value.entries().err(), (at != 5).then_some(wrong));
    }
    let text = br#"{"f":false}"#;
    assert_eq!(object(text, &["f"]).unwrap()[0].unwrap().boolean(), Ok(false));
}

#[test]
fn integers() {
    let integer = |digits: &str| {
        let text = format!("{{\"i\":{digits}}}");
        object(text.as_bytes(), &["i"]).unwrap()[0].unwrap().integer()
    };
    for good in [0, 1, 9, 10, 3600, 4_294_967_296, (1 << 53) - 2, (1 << 53) - 1] {
        assert_eq!(integer(&format!("{good}")), Ok(good));
    }
    for bad in [
        "9007199254740992",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "-0",
        "-1",
        "1.0",
        "0.0",
        "1e0",
        "1E2",
        "10e-1",
        "99999999999999999999999999999999999999999999",
        "36893488147419103232",
        "0e1",
    ] {
        assert_eq!(integer(bad), Err(JsonError::NotAnInteger), "{bad}");
    }
}

/// `levels` objects or arrays, each in the one before.
fn nested(levels: usize, kind: usize) -> String {
    let is_object = |level: usize| [true, false, level.is_multiple_of(2)][kind];
    let open: String = (0..levels).map(|level| if is_object(level) { "{\"a\":" } else { "[" }).collect();
    let close: String = (0..levels).rev().map(|level| if is_object(level) { '}' } else { ']' }).collect();
    format!("{open}0{close}")
}

#[test]
fn depth_has_a_limit() {
    for kind in 0..3 {
        assert_eq!(judge(&nested(15, kind)), Ok(()));
        assert_eq!(judge(&nested(16, kind)), Err(JsonError::TooDeep));
        assert_eq!(judge(&nested(100_000, kind)), Err(JsonError::TooDeep));
        assert_eq!(judge(&"[".repeat(100_000)), Err(JsonError::TooDeep));

        let body = |name: &str, levels| {
            let text = format!("{{\"a\":[[]],\"{name}\":{},\"z\":[[]]}}", nested(levels, kind));
            object_with_body(text.as_bytes(), &["body"], "body").map(|[body]| body.is_some())
        };
        assert_eq!(body("body", 63), Ok(true));
        assert_eq!(body("bod\\u0079", 63), Ok(true));
        assert_eq!(body("body", 64), Err(JsonError::TooDeep));
        assert_eq!(body("bodY", 15), Ok(false));
        assert_eq!(body("bodY", 16), Err(JsonError::TooDeep));
        assert_eq!(body("body2", 63), Err(JsonError::TooDeep));

        // A member of that name further in is nothing special.
        let text = format!("{{\"a\":{{\"body\":{}}}}}", nested(15, kind));
        assert_eq!(object_with_body(text.as_bytes(), &[], "body"), Err(JsonError::TooDeep));
        // What is in the body can be looked at all the way down.
        let text = format!("{{\"body\":{}}}", nested(63, 0));
        let mut value = object_with_body(text.as_bytes(), &["body"], "body").unwrap()[0].unwrap();
        for _ in 0..63 {
            value = value.members(&["a"]).unwrap()[0].unwrap();
        }
        assert_eq!(value.integer(), Ok(0));
    }
    // Siblings do not add up.
    assert_eq!(judge(&format!("[{}]", vec!["[[]]"; 1000].join(","))), Ok(()));
}

#[test]
fn names_may_not_repeat() {
    for members in [
        r#""a":1,"a":1"#,
        r#""a":1,"b":2,"a":3"#,
        r#""a":1,"\u0061":2"#,
        r#""\u0061":1,"a":2"#,
        r#""\u006a":1,"\u006A":2"#,
        r#""unknown":1,"x":2,"unknown":3"#,
        r#""":1,"":2"#,
        r#""a\/b":1,"a/b":2"#,
        r#""\ud83d\ude00":1,"😀":2"#,
        r#""\u00e9":1,"é":2"#,
        r#""\n":1,"\u000a":2"#,
        r#""a\"":1,"a\u0022":2"#,
        r#""\u0000":1,"\u0000":2"#,
        r#""a very long name, longer than a chunk":1,"a very long n\u0061me, longer than a chunk":2"#,
    ] {
        let text = format!("{{{members}}}");
        assert_eq!(object(text.as_bytes(), &["a"]), Err(JsonError::RepeatedName), "{members}");
        let text = format!("{{\"o\":{{{members}}}}}");
        let [o] = object(text.as_bytes(), &["o"]).unwrap();
        assert_eq!(o.unwrap().members(&["a"]), Err(JsonError::RepeatedName), "{members}");
        assert_eq!(o.unwrap().entries().err(), Some(JsonError::RepeatedName), "{members}");
    }
    for members in [
        r#""a":1,"A":2"#,
        r#""a":1,"aa":2,"":3"#,
        r#""ab":1,"a\u0000b":2,"a":3,"a\u0000":4"#,
        r#""é":1,"e\u0301":2,"\u00c3\u00a9":3"#,
        r#""a":{"b":1},"b":{"a":1}"#,
        r#""\\u0061":1,"a":2"#,
    ] {
        let text = format!("{{{members}}}");
        assert!(object(text.as_bytes(), &["a"]).is_ok(), "{members}");
    }
}

/// Names in any order, each repeated once at any other place.
#[test]
fn every_repeated_name_is_found() {
    let names: Vec<_> = (0..20).map(|i| format!("n{}", i * 7 % 20)).collect();
    for first in 0..20 {
        for second in first..20 {
            let mut names = names.clone();
            names.insert(second + 1, names[first].clone());
            let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            let text = format!("{{{}}}", members.join(","));
            assert_eq!(object(text.as_bytes(), &["n0"]), Err(JsonError::RepeatedName), "{first} {second}");
        }
    }
}

/// Short names of few characters, each escaped or not: a repeated one is found, and nothing else is taken for
/// one.
#[test]
fn the_order_of_names_does_not_depend_on_escapes() {
    let characters = ['\0', ' ', '!', '"', '#', '\\', 'a', '\u{7f}', '\u{80}', 'é', '\u{ffff}', '😀'];
    let mut random = random();
    let mut repeated = 0;
    for _ in 0..3_000 {
        let names: Vec<Vec<char>> = (0..2 + random(12))
            .map(|_| (0..random(4)).map(|_| characters[random(characters.len())]).collect())
            .collect();
        let members: Vec<String> = names
            .iter()
            .map(|name| {
                let raw: String = name
                    .iter()
                    .map(|&c| {
                        if random(3) == 0 || c < ' ' || c == '"' || c == '\\' {
                            let mut units = [0; 2];
                            c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
                        } else {
                            String::from(c)
                        }
                    })
                    .collect();
                format!("\"{raw}\":0")
            })
            .collect();
        let text = format!("{{{}}}", members.join(","));
        let mut different = names.clone();
        different.sort();
        different.dedup();
        let expected = if different.len() < names.len() { Some(JsonError::RepeatedName) } else { None };
        assert_eq!(object(text.as_bytes(), &[]).err(), expected, "{text}");
        repeated += usize::from(expected.is_some());
    }
    assert!((300..2_700).contains(&repeated), "{repeated}");
}

#[test]
fn members_are_counted() {
    let object_of = |count: usize| {
        let members: Vec<_> = (0..count).map(|i| format!("\"{}\":0", i * 37 % 101)).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(object(object_of(64).as_bytes(), &["0"]).is_ok());
    assert_eq!(object(object_of(65).as_bytes(), &["0"]), Err(JsonError::TooManyMembers));
    // Where nobody asks for members there may be more.
    let text = format!("{{\"o\":{}}}", object_of(100));
    let [o] = object(text.as_bytes(), &["o"]).unwrap();
    assert_eq!(o.unwrap().members(&["0"]), Err(JsonError::TooManyMembers));
    assert_eq!(o.unwrap().entries().err(), Some(JsonError::TooManyMembers));
}

#[test]
fn names_are_compared_unescaped() {
    let text = br#"{"\u0061":1,"b\/c":2,"d":3}"#;
    let found = object(text, &["a", "b/c", "d", r"b\/c", r"\u0061"]).unwrap();
    let integers = found.map(|value| value.map(|value| value.integer().unwrap()));
    assert_eq!(integers, [Some(1), Some(2), Some(3), None, None]);
}

#[test]
fn every_escape_of_four_digits() {
    for unit in 0..=0xffff {
        for raw in [format!("\\u{unit:04x}"), format!("\\u{unit:04X}")] {
            let Some(character) = char::from_u32(unit) else {
                assert_eq!(judge(&format!("\"{raw}\"")), Err(JsonError::Malformed));
                continue;
            };
            let expected = String::from(character);
            with_string(&raw, |s| {
                assert!(s.is(&expected));
                assert_eq!(s.len(), expected.len());
                assert_eq!(s.has_escaped_control(), unit < 0x20);
            });
            let mut bytes = raw.into_bytes();
            let len = unescape_in_place(&mut bytes);
            assert_eq!(&bytes[..len], expected.as_bytes());
        }
    }
}

#[test]
fn surrogates_come_in_pairs() {
    for high in 0xd800..=0xdbff_u32 {
        for low in [0xdc00, 0xdc01, 0xdd55, 0xdfff_u32] {
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            let expected = String::from(char::from_u32(code).unwrap());
            with_string(&format!("\\u{high:04x}\\u{low:04X}"), |s| assert!(s.is(&expected)));
        }
        for other in [0, 0x41, 0xd7ff, 0xd800, 0xdbff, 0xe000, 0xffff] {
            assert_eq!(judge(&format!("\"\\u{high:04x}\\u{other:04x}\"")), Err(JsonError::Malformed));
        }
    }
}

/// Strings in which everything stands beside everything, at every distance from a chunk's end.
fn strings() -> impl Iterator<Item = String> {
    let parts = [
        r"\/",
        r"\\",
        "\\\"",
        r"\n",
        r"\b\f\r\t",
        r"\u0041",
        r"\u00e9",
        r"\u20ac",
        r"\ud83d\ude00",
        "é",
        "€",
        "😀",
        "x",
        "",
    ];
    (0..40).flat_map(move |plain| {
        parts.into_iter().flat_map(move |a| {
            parts.into_iter().map(move |b| format!("{}{a}{b}{}", "p".repeat(plain), "q".repeat(plain / 3)))
        })
    })
}

#[test]
fn strings_unescape_as_serde_json_says() {
    for raw in strings() {
        let expected: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
        with_string(&raw, |s| {
            assert_eq!(s.raw(), raw.as_bytes());
            assert_eq!(s.is_plain(), !raw.contains('\\'));
            assert_eq!(s.as_plain(), s.is_plain().then_some(&raw[..]));
            assert_eq!(s.len(), expected.len());
            assert_eq!(s.is_empty(), expected.is_empty());
            assert!(s.bytes().eq(expected.bytes()));
            assert!(s.is(&expected));
            assert!(!s.is(&format!("{expected}x")) && !s.is(&format!("x{expected}")));
            assert_eq!(s.has_escaped_control(), expected.bytes().any(|byte| byte < 0x20));
            let needed = expected.len();
            let mut out = vec![0; needed];
            assert_eq!(s.copy_to(&mut out), Ok(&expected[..]));
            if needed > 0 {
                assert_eq!(s.copy_to(&mut out[1..]), Err(BufferTooSmall { needed }));
            }
        });
        let mut bytes = raw.into_bytes();
        let len = unescape_in_place(&mut bytes);
        assert_eq!(&bytes[..len], expected.as_bytes());
    }
}

#[test]
fn base64_through_escapes() {
    for len in 0..150_usize {
        let plain: Vec<u8> = (0..len).map(|i| (i * 151 + len) as u8 ^ 0xfb).collect();
        let mut text = vec![0; base64::encoded_len(len)];
        let text = base64::encode(&plain, &mut text).unwrap();
        let mut url = vec![0; base64::url_encoded_len(len)];
        let url = base64::url_encode(&plain, &mut url).unwrap();
        let escape = |text: &str, every: usize| -> String {
            let one = |(i, c): (usize, char)| {
                if i % every == 0 { format!("\\u{:04x}", c as u32) } else { c.into() }
            };
            text.char_indices().map(one).collect()
        };
        for every in [1, 2, 7, 65, 1000] {
            let needed = BufferTooSmall { needed: len };
            let mut out = vec![0; len];
            with_string(&escape(text, every), |s| {
                assert_eq!(s.base64(&mut out), Ok(&plain[..]));
                assert!(len == 0 || s.base64(&mut out[1..]) == Err(Base64Error::BufferTooSmall(needed)));
            });
            with_string(&escape(url, every), |s| {
                assert_eq!(s.base64url(&mut out), Ok(&plain[..]));
                assert!(len == 0 || s.base64url(&mut out[1..]) == Err(Base64Error::BufferTooSmall(needed)));
            });
        }
    }
    let a = "A".repeat(64);
    for bad in [
        "A",
        "AA",
        "AB==",
        "AA==AAAA",
        "=",
        "====",
        "AAA=AAA=",
        "AA-_",
        &format!("{a}AA=="),
        &format!("AA=={a}"),
        "é",
        "A===",
        &format!("{}AA=={a}", &a[4..]),
    ] {
        let raw: String = bad.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
        let mut out = [0; 200];
        let expected = base64::decode(bad.as_bytes(), &mut out).map(<[u8]>::to_vec);
        with_string(&raw, |s| assert_eq!(s.base64(&mut out).map(<[u8]>::to_vec), expected, "{bad}"));
        let expected = base64::url_decode(bad.as_bytes(), &mut out).map(<[u8]>::to_vec);
        with_string(&raw, |s| assert_eq!(s.base64url(&mut out).map(<[u8]>::to_vec), expected, "{bad}"));
    }
}

#[test]
fn writes_strings_that_are_read_back() {
    let every: String = (0..0x300).filter_map(char::from_u32).chain("\u{2028}€\u{fffd}😀".chars()).collect();
    for text in strings().chain([every, String::from("\0\u{1f}\u{7f}\"\\/")]) {
        let needed = escaped_len(&text);
        let mut out = vec![0; needed];
        let raw = String::from(escape(&text, &mut out).unwrap());
        assert_eq!(raw.len(), needed);
        for room in 0..needed {
            assert_eq!(escape(&text, &mut out[..room]), Err(BufferTooSmall { needed }));
        }
        with_string(&raw, |s| assert!(s.is(&text)));
        let mut out = vec![0; needed + 2];
        let mut writer = Writer::new(&mut out);
        put_string(&mut writer, &text);
        let quoted = core::str::from_utf8(writer.finish_slice().unwrap()).unwrap();
        assert_eq!(quoted, format!("\"{raw}\""));
        assert_eq!(serde_json::from_str::<String>(quoted).unwrap(), text);
    }
    const { assert!(escaped_len("a\"\u{1}") == 9) }
}

/// Texts with some bytes changed are judged as `serde_json` does, but for what only we refuse.
#[test]
fn changed_texts_are_judged_as_serde_json_does() {
    let alphabet = br#"{}[],:"\/ 0123456789+-.eEtrufalsnd abc"#;
    let mut random = random();
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut text = SAMPLE.as_bytes().to_vec();
        for _ in 0..=random(3) {
            let at = random(text.len());
            let byte = if random(20) == 0 { random(256) as u8 } else { alphabet[random(alphabet.len())] };
            match random(3) {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
        }
        let ours = object(&text, &["a", "n", "o"]);
        let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
        let shown = String::from_utf8_lossy(&text);
        match (&ours, theirs) {
            (Err(JsonError::RepeatedName), _) => {}
            (_, Err(error)) if error.is_syntax() && format!("{error}").starts_with("number out of range") => {
            }
            (ours, theirs) => assert_eq!(ours.is_ok(), theirs.is_ok(), "{shown}"),
        }
        accepted += usize::from(ours.is_ok());
    }
    assert!((1_000..19_000).contains(&accepted), "{accepted}");
}

#[test]
fn what_was_sent_is_not_printed() {
    let [v] = object(br#"{"v":{"s":"hush"}}"#, &["v"]).unwrap();
    let entries = v.unwrap().entries().unwrap();
    let (_, s) = entries.clone().next().unwrap();
    let string = s.string().unwrap();
    let elements = object(br#"{"v":["hush"]}"#, &["v"]).unwrap()[0].unwrap().elements().unwrap();
    let printed = format!("{v:?} {entries:?} {s:?} {string:?} {:?} {elements:?}", string.bytes());
    assert!(!printed.contains("hush") && printed.contains("Str(11..15)"), "{printed}");
}
