//! What goes to an issuer.

use super::dialect::{Encoding, Endpoint, Field};
use crate::codec::cursor::Writer;
use crate::codec::{BufferTooSmall, json, percent};
use crate::log::format_as;
use core::fmt;

/// A `POST` to the issuer. Beside these headers it needs what the transport adds.
///
/// # Security
/// All of it but target and type is secret: it goes over an authenticated, encrypted channel only, and the buffer that it
/// lies in is the caller's to erase. `Debug` prints neither credentials nor the body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Request<'r> {
    /// The path, percent-encoded.
    pub target: &'static str,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The header that takes the API key, and the key.
    pub api_key: Option<(&'static str, &'r str)>,
    /// The token of `Authorization: Bearer`.
    pub bearer: Option<&'r str>,
    /// The body.
    pub body: &'r [u8],
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("target", &self.target)
            .field("content_type", &self.content_type)
            .field("has_api_key", &self.api_key.is_some())
            .field("has_bearer", &self.bearer.is_some())
            .field("body_length", &self.body.len())
            .finish()
    }
}

format_as! { [] Request<'_>, request => "Request {{ target: {}, body_length: {} }}", request.target, request.body.len() }

/// Writes the body of a request, whose values `value` knows, and returns its length. What has no value is left out.
pub(super) fn write<'v>(
    encoding: Encoding,
    endpoint: &Endpoint,
    value: impl Fn(Field) -> Option<&'v str>,
    out: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let mut out = Writer::new(out);
    let [open, between, is, close]: [&[u8]; 4] = match encoding {
        Encoding::Json => [b"{", b",", b":", b"}"],
        Encoding::Form => [b"", b"&", b"=", b""],
    };
    out.put(open);
    let mut first = true;
    for (name, field) in endpoint.fields {
        let Some(value) = value(*field) else { continue };
        if !core::mem::take(&mut first) {
            out.put(between);
        }
        put(encoding, &mut out, name);
        out.put(is);
        put(encoding, &mut out, value);
    }
    out.put(close);
    out.finish()
}

fn put(encoding: Encoding, out: &mut Writer<'_>, text: &str) {
    match encoding {
        Encoding::Json => json::put_string(out, text),
        Encoding::Form => percent::put(out, text.bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{login, oauth};
    use super::*;
    use std::format;

    fn value(field: Field) -> Option<&'static str> {
        match field {
            Field::Text(text) => Some(text),
            Field::ClientId => Some("an \"id\""),
            Field::ClientSecret => Some("s&=+%\\/"),
            Field::RefreshToken | Field::AnyToken => Some("r~"),
            Field::AccessToken => Some("a"),
            _ => None,
        }
    }

    fn body(encoding: Encoding, endpoint: Option<Endpoint>) -> std::string::String {
        let endpoint = endpoint.unwrap();
        let mut room = [0; 512];
        let needed = write(encoding, &endpoint, value, &mut room).unwrap();
        for short in 0..needed {
            let error = write(encoding, &endpoint, value, &mut room[..short]);
            assert_eq!(error, Err(BufferTooSmall { needed }));
        }
        write(encoding, &endpoint, value, &mut room[..needed]).unwrap();
        str::from_utf8(&room[..needed]).unwrap().into()
    }

    #[test]
    fn bodies_are_those_of_their_dialect() {
        let (json, form) = (Encoding::Json, Encoding::Form);
        assert_eq!(body(json, login::NILO.obtain), r#"{"clientId":"an \"id\"","clientSecret":"s&=+%\\/"}"#);
        assert_eq!(
            body(json, oauth::NOMBA.obtain),
            r#"{"grant_type":"client_credentials","client_id":"an \"id\"","client_secret":"s&=+%\\/"}"#
        );
        assert_eq!(body(json, oauth::NOMBA.revoke), r#"{"token":"a"}"#);
        let client = "client_id=an%20%22id%22&client_secret=s%26%3D%2B%25%5C%2F";
        assert_eq!(body(form, oauth::RFC6749.obtain), format!("grant_type=client_credentials&{client}"));
        assert_eq!(body(form, oauth::RFC6749.revoke), format!("token=r~&{client}"));
        let refresh = format!("grant_type=refresh_token&refresh_token=r~&{client}");
        assert_eq!(body(form, oauth::RFC6749.refresh), refresh);
        // Neither code nor verifier nor redirect: they are left out.
        assert_eq!(body(form, oauth::RFC6749.exchange), format!("grant_type=authorization_code&{client}"));
        let none = Endpoint { path: "/", fields: &[("code", Field::Code)], bearer: false };
        assert_eq!((body(json, Some(none)), body(form, Some(none))), ("{}".into(), "".into()));
    }

    #[test]
    fn no_secret_is_printed() {
        let request = Request {
            target: "/login",
            content_type: "application/json",
            api_key: Some(("x-api-key", "topsecret")),
            bearer: Some("topsecret"),
            body: b"topsecret",
        };
        let printed = format!("{request:?}");
        assert!(printed.contains("/login") && printed.contains("body_length: 9"), "{printed}");
        assert!(!printed.contains("topsecret"), "{printed}");
    }
}
