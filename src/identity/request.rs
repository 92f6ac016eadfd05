//! Requests to the relay, as they are sent, and those that ask for something.

use super::IdentityError;
use super::draft::{Author, Draft, Payload, Plain};
use crate::codec::cursor::Writer;
use crate::codec::percent;
use crate::log::format_as;
use core::fmt;

/// A request to the relay: `application/json` where there is a body. The driver adds what authorizes it (§5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method: `POST`, or `GET` without a body.
    pub method: &'static str,
    /// The path.
    pub target: &'a str,
    /// The body: JSON, or nothing.
    pub body: &'a [u8],
}

/// Prints the length of the body, not the body.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("body_length", &self.body.len())
            .finish()
    }
}

format_as! { [] Request<'_>, request => "Request {{ method: {}, target: {}, body_length: {} }}", request.method, request.target, request.body.len() }

/// An endpoint, and the end to which the one member that it takes is signed: the path, `#`, the member.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) path: &'static str,
    pub(super) target: &'static str,
    pub(super) member: &'static str,
}

impl Place {
    pub(super) const REGISTRATION: Self = Self { path: "/v1/identity", target: "", member: "" };
    pub(super) const ME: Self =
        Self { path: "/v1/identity/me", target: "/v1/identity/me#request", member: "request" };
    pub(super) const SIGNING: Self = Self {
        path: "/v1/identity/me/sigPubKey",
        target: "/v1/identity/me/sigPubKey#sigPubKey",
        member: "sigPubKey",
    };
    pub(super) const ENCRYPTION: Self = Self {
        path: "/v1/identity/me/encPubKey",
        target: "/v1/identity/me/encPubKey#encPubKey",
        member: "encPubKey",
    };
    pub(super) const METADATA: Self = Self {
        path: "/v1/identity/me/meta",
        target: "/v1/identity/me/meta#metaPrivate",
        member: "metaPrivate",
    };
    #[cfg(feature = "jwe")]
    pub(super) const RECOVERY: Self = Self {
        path: "/v1/identity/me/recovery",
        target: "/v1/identity/me/recovery#recovery",
        member: "recovery",
    };
    pub(super) const SEND: Self =
        Self { path: "/v1/messages/send", target: "/v1/messages/send#messages", member: "messages" };
    pub(super) const FETCH: Self =
        Self { path: "/v1/messages/fetch", target: "/v1/messages/fetch#request", member: "request" };
    pub(super) const LISTEN: Self =
        Self { path: "/v1/messages/listen", target: "/v1/messages/listen#request", member: "request" };

    /// A body whose one member is signed.
    pub(super) fn draft<'o>(
        self,
        author: &Author<'_>,
        payload: &[u8],
        out: &'o mut [u8],
    ) -> Result<Draft<'o, 1>, IdentityError> {
        // The longest member has eleven characters.
        let mut before = [0; 16];
        let mut before = Writer::new(&mut before);
        for piece in ["{\"", self.member, "\":\""] {
            before.put(piece.as_bytes());
        }
        let before = before.finish_slice()?;
        let payload = Payload::Bytes(payload);
        let part = Plain { before, author: *author, target: self.target, payload };
        Draft::write(self, &[part], b"\"}", out)
    }
}

/// Asks for everything about the identity that signs: `POST /v1/identity/me`. The answer is a
/// [`Profile`](super::profile::Profile).
///
/// # Errors
/// [`IdentityError::BufferTooSmall`].
pub fn me<'o>(author: &Author<'_>, out: &'o mut [u8]) -> Result<Draft<'o, 1>, IdentityError> {
    Place::ME.draft(author, b"{}", out)
}

/// Asks for what the identity at `address` publishes: `GET /v1/identity/:id`, its path written to the front of `out`. The
/// answer is a [`Profile`](super::profile::Profile).
///
/// # Errors
/// [`IdentityError::BufferTooSmall`].
pub fn get<'o>(address: &str, out: &'o mut [u8]) -> Result<Request<'o>, IdentityError> {
    get_path(address, "", out)
}

pub(super) fn get_path<'o>(
    address: &str,
    behind: &str,
    out: &'o mut [u8],
) -> Result<Request<'o>, IdentityError> {
    let mut path = Writer::new(out);
    path.put(b"/v1/identity/");
    percent::put(&mut path, address.bytes());
    path.put(behind.as_bytes());
    let target = core::str::from_utf8(path.finish_slice()?).unwrap_or_default();
    Ok(Request { method: "GET", target, body: &[] })
}
