//! Key ids in headers (§4): `address/kid`, and `/kid` before the identity is registered.

use super::JoseError;
use crate::codec::cursor::Writer;
use crate::codec::json::Str;
use crate::crypto::KeyId;
use core::fmt;

/// A key and whose it is: the address of an identity, empty before it is registered, and the thumbprint of its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyRef {
    address: heapless::String<{ Self::MAX_ADDRESS }, u8>,
    kid: KeyId,
}

impl KeyRef {
    /// The most characters of an address.
    pub const MAX_ADDRESS: usize = 128;

    /// The key `kid` of the identity at `address`, which is printable ASCII without `"`, `/` and `\`; empty for an identity
    /// that is not registered yet.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] for another address.
    pub fn new(address: &str, kid: KeyId) -> Result<Self, JoseError> {
        let fits = |byte: u8| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'"' | b'/' | b'\\');
        if !address.bytes().all(fits) {
            return Err(JoseError::Malformed);
        }
        Ok(Self { address: heapless::String::try_from(address).map_err(|_| JoseError::Malformed)?, kid })
    }

    /// Reads `address/kid` or `/kid`.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] for anything else.
    pub fn parse(text: &str) -> Result<Self, JoseError> {
        let (address, kid) = text.rsplit_once(['/']).ok_or(JoseError::Malformed)?;
        Self::new(address, KeyId::parse(kid).ok_or(JoseError::Malformed)?)
    }

    /// As [`KeyRef::parse`], from a string of JSON.
    ///
    /// # Errors
    /// As there.
    pub fn read(text: Str<'_>) -> Result<Self, JoseError> {
        let mut room = [0; Self::MAX_LEN];
        Self::parse(text.copy_to(&mut room).map_err(|_| JoseError::Malformed)?)
    }

    /// The address; empty before the identity is registered.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The key's thumbprint.
    #[must_use]
    pub const fn kid(&self) -> KeyId {
        self.kid
    }

    const MAX_LEN: usize = Self::MAX_ADDRESS + 1 + KeyId::LEN;

    /// As it stands in a string of JSON: nothing of it is ever escaped.
    pub(super) fn put(&self, out: &mut Writer<'_>) {
        out.put(self.address.as_bytes());
        out.put(b"/");
        out.put(self.kid.as_str().as_bytes());
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.kid)
    }
}

impl fmt::Debug for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for KeyRef {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}/{}", self.address(), self.kid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    const KID: &str = "xwnrgcZkSeMpVDNIA9fLynedVEwquAFJD53ZzLKV-E0";

    #[test]
    fn an_address_and_a_thumbprint() {
        let longest = "a".repeat(KeyRef::MAX_ADDRESS);
        for address in ["", "igQQD@api.nix.software", "igQQD", "~!#", &longest] {
            let text = format!("{address}/{KID}");
            let key = KeyRef::parse(&text).unwrap();
            assert_eq!((key.address(), key.kid().as_str()), (address, KID));
            assert_eq!((key.to_string(), format!("{key:?}")), (text.clone(), text.clone()));
            let mut out = [0; KeyRef::MAX_LEN];
            let mut out = Writer::new(&mut out);
            key.put(&mut out);
            assert_eq!(out.finish_slice(), Ok(text.as_bytes()));
        }
    }

    #[test]
    fn nothing_else() {
        let too_long = "a".repeat(KeyRef::MAX_ADDRESS + 1);
        for address in ["a b", "a/b", "/", "a\\", "a\"", "a\n", "\u{7f}", "é", &too_long] {
            assert_eq!(KeyRef::parse(&format!("{address}/{KID}")), Err(JoseError::Malformed), "{address}");
        }
        for text in [
            "",
            "/",
            "a/",
            KID,
            &KID[1..],
            &format!("{KID}/"),
            &format!("/{KID}="),
            &format!("/{}", &KID[1..]),
        ] {
            assert_eq!(KeyRef::parse(text), Err(JoseError::Malformed), "{text}");
        }
    }
}
