//! A request header that is checked before it exists.

use crate::codec::is_made_of;
use crate::log::format_as;
use crate::session::{Facts, is_token as is_session_token};
use core::fmt;

/// A header of a request, whose name is a token and whose value cannot leave its line.
///
/// The value may be of two parts that are written one after the other, so that nobody has to join them in a buffer.
///
/// # Security
///
/// Values may be secret: `Debug` prints the name only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    name: &'a str,
    value: [&'a str; 2],
}

impl<'a> Header<'a> {
    /// `Content-Type: application/json`.
    pub const JSON: Header<'static> = Header { name: "Content-Type", value: ["application/json", ""] };

    /// A header of `name` and `value`.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader::Name`] if `name` is not a token (RFC 9110 §5.6.2); [`InvalidHeader::Value`] if `value` holds
    /// anything but 0x20 to 0x7E or has a space at an end: no control character, line end, tab, or byte over 0x7F.
    pub const fn new(name: &'a str, value: &'a str) -> Result<Self, InvalidHeader> {
        if !is_token(name.as_bytes()) {
            return Err(InvalidHeader::Name);
        }
        if let [b' ', ..] | [.., b' '] = value.as_bytes() {
            return Err(InvalidHeader::Value);
        }
        let mut bytes = value.as_bytes();
        while let [byte, rest @ ..] = bytes {
            if !matches!(byte, 0x20..=0x7e) {
                return Err(InvalidHeader::Value);
            }
            bytes = rest;
        }
        Ok(Self { name, value: [value, ""] })
    }

    /// `Authorization: Bearer` with `token`, which is not copied.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader::Value`] if `token` is not 1 to 4096 characters of `[A-Za-z0-9._~+/=-]` (§2.1).
    pub fn bearer(token: &'a str) -> Result<Self, InvalidHeader> {
        if !is_session_token(token) {
            return Err(InvalidHeader::Value);
        }
        Ok(Self { name: "Authorization", value: ["Bearer ", token] })
    }

    /// Those that name a session and prove it, whose id and token were checked when it was made or loaded (§2.1).
    pub(crate) fn of_session<const TOKEN: usize>(facts: &'a Facts<TOKEN>) -> [Self; 2] {
        [
            Self { name: "X-Session-Id", value: [facts.id(), ""] },
            Self { name: "Authorization", value: ["Bearer ", facts.token()] },
        ]
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The two parts of the value, to be written without anything between them.
    #[must_use]
    pub const fn value(&self) -> [&'a str; 2] {
        self.value
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

format_as! { [] Header<'_>, header => "{}: …", header.name }

/// Why something is not a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidHeader {
    /// The name is not a token.
    Name,
    /// The value holds what no value of ours may.
    Value,
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name is not that of a header",
            Self::Value => "the value cannot stand in this header",
        })
    }
}

impl core::error::Error for InvalidHeader {}

/// Whether `text` is a token of RFC 9110 §5.6.2.
pub(crate) const fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && is_made_of(text, b"!#$%&'*+-.^_`|~")
}

/// Whether a token may hold `byte`.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    is_token(&[byte])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn every_character_of_a_name_and_a_value_is_judged() {
        let token = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        for character in (0..=0x17f).filter_map(char::from_u32) {
            let name = String::from_iter(['a', character, 'b']);
            assert_eq!(Header::new(&name, "v").is_ok(), token.contains(character), "{character:?}");
            let value = String::from_iter(['a', character, 'b']);
            assert_eq!(Header::new("n", &value).is_ok(), (' '..='~').contains(&character), "{character:?}");
            let bearer = character.is_ascii_alphanumeric() || "._~+/=-".contains(character);
            assert_eq!(Header::bearer(&value).is_ok(), bearer, "{character:?}");
        }
        assert_eq!(Header::new("", "v"), Err(InvalidHeader::Name));
        assert_eq!(Header::new("n", " v"), Err(InvalidHeader::Value));
        assert_eq!(Header::new("n", "v "), Err(InvalidHeader::Value));
        assert_eq!(Header::new("n", " "), Err(InvalidHeader::Value));
        assert!(Header::new("n", "").is_ok());
    }

    #[test]
    fn a_token_has_its_length() {
        let longest = "t".repeat(4097);
        assert_eq!(Header::bearer(""), Err(InvalidHeader::Value));
        assert_eq!(Header::bearer(&longest), Err(InvalidHeader::Value));
        let header = Header::bearer(&longest[1..]).unwrap();
        assert_eq!(header.name(), "Authorization");
        assert_eq!(header.value().concat().len(), 7 + 4096);
        assert_eq!(std::format!("{header:?}"), "Authorization: …");
    }
}
