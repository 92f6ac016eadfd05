//! The messages as they are written.

use super::super::HANDSHAKE_NONCE_LEN;
use super::super::members::{put_base64, put_schemes, schemes_len};
use crate::codec::cursor::Writer;
use crate::codec::{BufferTooSmall, base64};
use crate::scheme::Scheme;

/// The request (§3).
pub(crate) struct RequestMessage<'a> {
    pub(crate) identifier: &'a [u8],
    pub(crate) nonce: &'a [u8],
    /// SPKI DER.
    pub(crate) public_key: &'a [u8],
    pub(crate) schemes: &'a [Scheme],
}

impl RequestMessage<'_> {
    /// Writes the message to the front of `out` and returns its length.
    pub(crate) fn write(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Writer::new(out);
        for (name, bytes) in [
            (r#"{"identifier":""#, self.identifier),
            (r#"","nonce":""#, self.nonce),
            (r#"","public_key":""#, self.public_key),
        ] {
            out.put(name.as_bytes());
            put_base64(&mut out, bytes);
        }
        out.put(br#"","supported_schemes":"#);
        put_schemes(&mut out, self.schemes);
        out.put(b"}");
        out.finish()
    }
}

/// The length in bytes of a request: exactly what writing it needs. `identifier` and `spki`, that of the public key in DER,
/// are lengths in bytes.
#[must_use]
pub(crate) const fn request_len(identifier: usize, spki: usize, schemes: &[Scheme]) -> usize {
    const FRAME: usize = br#"{"identifier":"","nonce":"","public_key":"","supported_schemes":}"#.len();
    FRAME
        .saturating_add(base64::encoded_len(identifier))
        .saturating_add(base64::encoded_len(HANDSHAKE_NONCE_LEN))
        .saturating_add(base64::encoded_len(spki))
        .saturating_add(schemes_len(schemes))
}
