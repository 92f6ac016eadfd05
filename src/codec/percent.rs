//! Percent-encoding (RFC 3986 §2.1) of everything but what is unreserved: right in a path, in a query and in a form.

use super::cursor::Writer;

/// Whether `byte` is an unreserved character (RFC 3986 §2.3), as a code verifier consists of, too (RFC 7636 §4.1).
#[must_use]
pub const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Puts `bytes`, encoded.
pub fn put(out: &mut Writer<'_>, bytes: impl Iterator<Item = u8>) {
    /// 0 to 9 and A to F.
    const fn digit(value: u8) -> u8 {
        if value < 10 { b'0' | value } else { b'A'.wrapping_add(value.wrapping_sub(10)) }
    }
    for byte in bytes {
        if is_unreserved(byte) {
            out.put(&[byte]);
        } else {
            out.put(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_stands_for_itself_or_is_encoded() {
        for byte in 0..=u8::MAX {
            let mut room = [0; 3];
            let mut out = Writer::new(&mut room);
            put(&mut out, core::iter::once(byte));
            let expected = match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => std::vec![byte],
                _ => std::format!("%{byte:02X}").into_bytes(),
            };
            assert_eq!(out.finish_slice(), Ok(&expected[..]));
        }
    }
}
