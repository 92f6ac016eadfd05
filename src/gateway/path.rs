//! Paths that every reader takes for the same (§2.5).

use super::allowlist::RouteError;
use crate::codec::percent::is_unreserved;
use core::str;

/// Checks that `path` names one place and no other, however often an upstream decodes or resolves it.
///
/// A path is `/` and non-empty segments with `/` between them, so that none ends in `/`. Segments consist of RFC 3986
/// `pchar` without `;` and are neither `.` nor `..`. What is percent-encoded is UTF-8, whole within its run of
/// triplets, and neither `/`, `\`, `.`, `%` nor a control character (C0, DEL, C1).
///
/// # Errors
///
/// [`RouteError::Path`].
pub fn check_path(path: &str) -> Result<(), RouteError> {
    match path.strip_prefix('/') {
        Some(segments) if segments.split(['/']).all(is_segment) => Ok(()),
        _ => Err(RouteError::Path),
    }
}

/// Whether `segment` may stand between two `/`.
pub(super) fn is_segment(segment: &str) -> bool {
    if matches!(segment, "" | "." | "..") {
        return false;
    }
    // The bytes of one character that has not been decoded whole.
    let mut character = heapless::Vec::<u8, 4>::new();
    let mut rest = segment.as_bytes();
    loop {
        rest = match rest {
            [] => return character.is_empty(),
            [b'%', high, low, rest @ ..] => {
                let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return false };
                if character.push((high << 4) | low).is_err() {
                    return false;
                }
                match str::from_utf8(&character) {
                    Ok(decoded) if decoded.contains(is_dangerous) => return false,
                    Ok(_) => character.clear(),
                    // It may become a character, or not.
                    Err(error) if error.error_len().is_none() => {}
                    Err(_) => return false,
                }
                rest
            }
            [byte, rest @ ..] if character.is_empty() && is_pchar(*byte) => rest,
            _ => return false,
        }
    }
}

/// What some reader would take for a separator, a relative segment or another encoding if it stood there plainly.
fn is_dangerous(decoded: char) -> bool {
    matches!(decoded, '/' | '\\' | '.' | '%') || decoded.is_control()
}

/// RFC 3986 `pchar` except `%` and, because some readers cut parameters off with it, `;`.
const fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

/// The value of a hexadecimal digit of either case.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn plain_paths() {
        for path in [
            "/a",
            "/users/login",
            "/users/getbyid/42",
            "/qr/get/reverse/b.f.p",
            "/a/...",
            "/a/..b",
            "/a/b..",
            "/.a",
            "/-._~!$&'()*+,=:@",
            "/%20",
            "/%3B",
            "/%3f%23",
            "/%41",
            "/%C3%A9",
            "/%c3%a9t%C3%A9",
            "/%E2%82%AC",
            "/%F0%9F%94%91",
            "/%F4%8F%BF%BF",
            "/a%3ab",
            "/%ED%9F%BF",
            "/%C2%A0",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn attacks() {
        for path in [
            // No path at all.
            "",
            "a",
            "a/b",
            "*",
            "http://h/a",
            "\\a",
            " /a",
            "%2Fa",
            ".",
            "..",
            "?",
            "#",
            // Empty and relative segments.
            "/",
            "//",
            "/a/",
            "/a//b",
            "//a",
            "/a//",
            "/.",
            "/..",
            "/a/.",
            "/a/..",
            "/a/../b",
            "/./a",
            "/../a",
            "/a/./b",
            // Relative segments in disguise.
            "/%2e",
            "/%2E%2e",
            "/.%2e",
            "/%2E.",
            "/a/%2e%2e/b",
            "/a%2Eb",
            "/a/..;/b",
            "/a/..;",
            "/a;b",
            "/;",
            "/a;",
            "/..%2f",
            "/..%5c",
            "/..\\a",
            "/a\\b",
            "/a\\..\\b",
            // Separators and encodings of encodings.
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%5C..",
            "/%25",
            "/%252e",
            "/%25%32%65",
            "/a%25b",
            "/%2",
            "/%",
            "/%%41",
            "/a%",
            "/a%4",
            "/a%g1",
            "/a%1g",
            "/a% 1",
            "/a%+1",
            "/a%-1",
            "/a%u002e",
            "/a%0x41",
            "/%2/e",
            // Control characters: C0, DEL, C1.
            "/%00",
            "/a%00b",
            "/a%0d%0a",
            "/a%0Ab",
            "/a%09",
            "/a%1F",
            "/a%7f",
            "/a%C2%80",
            "/a%c2%85",
            "/a%C2%9F",
            "/a\0",
            "/a\r\nHost: b",
            "/a\n",
            "/a\t",
            "/a\x7f",
            "/a\u{80}",
            // Not a path.
            "/a?b",
            "/a?",
            "/a#b",
            "/a b",
            "/a\"b",
            "/a<b",
            "/a>b",
            "/a[b",
            "/a]b",
            "/a{b",
            "/a}b",
            "/a|b",
            "/a^b",
            "/a`b",
            "/é",
            "/\u{ff0e}\u{ff0e}",
            "/\u{2215}",
            // Not UTF-8: overlong, truncated, surrogates, too large, stray.
            "/%c0%af",
            "/%C0%AE%C0%AE",
            "/%e0%80%af",
            "/%e0%80%ae",
            "/%f0%80%80%af",
            "/%F8%80%80%80%AF",
            "/%C3",
            "/a%C3",
            "/%C3/%A9",
            "/%C3a%A9",
            "/%C3.%A9",
            "/%E2%82",
            "/%E2%82/%AC",
            "/%E2%82%41",
            "/%80",
            "/%A9%C3",
            "/%ff",
            "/%FE",
            "/%ED%A0%80",
            "/%ED%A0%80%ED%B0%80",
            "/%F4%90%80%80",
            "/%F5%80%80%80",
            "/%C3%C3%A9",
            "/%C3%A9%A9",
            "/%F0%9F%94",
            "/%F0%9F%94/a",
        ] {
            assert_eq!(check_path(path), Err(RouteError::Path), "{path:?}");
        }
    }

    #[test]
    fn every_byte_plain_and_encoded() {
        let allowed = "-._~!$&'()*+,=:@0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/";
        for byte in 0..=0x7f_u8 {
            let path = String::from_iter(["/a", char::from(byte).encode_utf8(&mut [0; 4]), "b"]);
            assert_eq!(check_path(&path).is_ok(), allowed.contains(char::from(byte)), "{path:?}");
        }
        for byte in 0..=0xff_u8 {
            let good = matches!(byte, 0x20..=0x7e) && !b"/\\.%".contains(&byte);
            for path in [std::format!("/%{byte:02x}"), std::format!("/%{byte:02X}/x")] {
                assert_eq!(check_path(&path).is_ok(), good, "{path:?}");
            }
        }
    }

    #[test]
    fn encoded_text_is_utf_8_as_the_standard_library_sees_it() {
        // All of two bytes, and the neighbourhoods of every boundary in three and four.
        let edges = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
        let check = |bytes: &[u8]| {
            let path: String = core::iter::once(String::from("/x"))
                .chain(bytes.iter().map(|byte| std::format!("%{byte:02X}")))
                .collect();
            let good = str::from_utf8(bytes).is_ok_and(|text| !text.contains(is_dangerous));
            assert_eq!(check_path(&path).is_ok(), good, "{path}");
        };
        for first in 0..=255 {
            (0..=255).for_each(|second| check(&[first, second]));
        }
        for first in 0xdf..=0xff {
            for second in edges {
                for third in edges {
                    check(&[first, second, third]);
                    edges.iter().for_each(|fourth| check(&[first, second, third, *fourth]));
                }
            }
        }
    }
}
