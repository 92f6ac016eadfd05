//! The driver of an identity's requests.

use super::exchange::Headers;
use crate::identity::response::Response;
use crate::identity::{IdentityError, Request};
#[cfg(feature = "async")]
use crate::transport::AsyncTransport;
use crate::transport::{self, Header, InvalidHeader, Transport};
use core::fmt;

/// Why a relay has not answered; `E` is the transport's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RelayError<E> {
    /// The transport failed.
    Transport(E),
    /// The token is none that a header takes.
    InvalidToken,
    /// The answer is not one of a relay, and has this HTTP status.
    Status(u16),
    /// The answer of a relay, by its HTTP status a success, is malformed.
    Malformed,
}

impl<E: fmt::Display> fmt::Display for RelayError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::InvalidToken => f.write_str("the token is none that a header takes"),
            Self::Status(status) => write!(f, "no relay answered, but someone with status {status}"),
            Self::Malformed => IdentityError::Malformed.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for RelayError<E> {}

/// Sends a request of an identity with the token that the relay's issuer gave (§5), and receives the answer into `buffer`. What it says, a refusal
/// too, is for the caller to read; a 401 is to be told to the token's lifecycle.
///
/// # Errors
/// [`RelayError`].
///
/// # Security
/// The transport authenticates the relay and encrypts: the token goes over it as it is.
pub fn relay<'b, T: Transport>(
    transport: &mut T,
    token: Option<&str>,
    request: &Request<'_>,
    buffer: &'b mut [u8],
) -> Result<Response<'b>, RelayError<T::Error>> {
    let headers = headers(token, request).map_err(|_| RelayError::InvalidToken)?;
    transport.send(&outgoing(request, &headers)).map_err(RelayError::Transport)?;
    read(transport.receive(buffer).map_err(RelayError::Transport)?)
}

/// As [`relay`], awaited. When the future is dropped, nobody knows whether the request was carried out.
///
/// # Errors
/// As there.
///
/// # Security
/// As there.
#[cfg(feature = "async")]
pub async fn relay_async<'b, T: AsyncTransport>(
    transport: &mut T,
    token: Option<&str>,
    request: &Request<'_>,
    buffer: &'b mut [u8],
) -> Result<Response<'b>, RelayError<T::Error>> {
    let headers = headers(token, request).map_err(|_| RelayError::InvalidToken)?;
    transport.send(&outgoing(request, &headers)).await.map_err(RelayError::Transport)?;
    read(transport.receive(buffer).await.map_err(RelayError::Transport)?)
}

fn headers<'a>(token: Option<&'a str>, request: &Request<'_>) -> Result<Headers<'a, 2>, InvalidHeader> {
    let bearer = token.map(Header::bearer).transpose()?;
    let json = (!request.body.is_empty()).then_some(Header::JSON);
    Ok(Headers::new(json.into_iter().chain(bearer)))
}

fn outgoing<'a>(request: &Request<'a>, headers: &'a Headers<'_, 2>) -> transport::Request<'a> {
    let Request { method, target, body } = *request;
    transport::Request { method, target, headers: headers.as_slice(), body }
}

/// What the answer says.
fn read<E>(answer: transport::Response<'_>) -> Result<Response<'_>, RelayError<E>> {
    Response::parse(answer.body).map_err(|_| match answer.status {
        200..=299 => RelayError::Malformed,
        status => RelayError::Status(status),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::retry_after::Unread;
    use crate::transport::TransportError;
    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    #[derive(Debug, PartialEq)]
    struct Broken;

    impl TransportError for Broken {
        fn request_left(&self) -> bool {
            true
        }
        fn is_timeout(&self) -> bool {
            false
        }
    }

    /// Answers so, and keeps what was sent.
    struct Script {
        answer: Option<(u16, &'static str)>,
        sent: Vec<String>,
    }

    impl Transport for Script {
        type Error = Broken;

        fn send(&mut self, request: &transport::Request<'_>) -> Result<(), Broken> {
            let headers: Vec<_> = request
                .headers
                .iter()
                .map(|header| format!("{}: {}", header.name(), header.value().concat()))
                .collect();
            let body = String::from_utf8_lossy(request.body);
            self.sent.push(format!("{} {} {} {body}", request.method, request.target, headers.join(", ")));
            Ok(())
        }

        fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Result<transport::Response<'b>, Broken> {
            let (status, text) = self.answer.ok_or(Broken)?;
            let body = buffer.get_mut(..text.len()).ok_or(Broken)?;
            body.copy_from_slice(text.as_bytes());
            Ok(transport::Response { status, content_type_is_json: true, retry_after: Unread::ABSENT, body })
        }
    }

    type Outcome = Result<(u16, u32), RelayError<Broken>>;

    fn call(answer: Option<(u16, &'static str)>, token: Option<&str>, body: &[u8]) -> (Outcome, Vec<String>) {
        let mut transport = Script { answer, sent: vec![] };
        let request = Request { method: "POST", target: "/v1/identity", body };
        let mut buffer = [0; 256];
        let outcome = relay(&mut transport, token, &request, &mut buffer);
        (outcome.map(|response| (response.status, response.code.get())), transport.sent)
    }

    #[test]
    fn a_request_goes_out_with_its_token_and_every_answer_of_a_relay_comes_back() {
        let success = r#"{"status":200,"code":20011,"msg":"Registered."}"#;
        let (outcome, sent) = call(Some((200, success)), Some("t.1"), b"{}");
        assert_eq!(outcome, Ok((200, 20_011)));
        assert_eq!(sent, ["POST /v1/identity Content-Type: application/json, Authorization: Bearer t.1 {}"]);
        let refusal = r#"{"status":401,"code":40101,"err":"No."}"#;
        let (outcome, sent) = call(Some((401, refusal)), None, b"");
        assert_eq!((outcome, sent), (Ok((401, 40_101)), vec!["POST /v1/identity  ".into()]));
    }

    #[test]
    fn what_no_relay_says_is_an_error_by_its_status() {
        assert_eq!(call(Some((502, "<html>")), None, b"").0, Err(RelayError::Status(502)));
        assert_eq!(call(Some((401, "{}")), None, b"").0, Err(RelayError::Status(401)));
        assert_eq!(call(Some((200, "{}")), None, b"").0, Err(RelayError::Malformed));
        assert_eq!(call(None, None, b"").0, Err(RelayError::Transport(Broken)));
        let (outcome, sent) = call(Some((200, "")), Some("t\r\nX: y"), b"");
        assert_eq!((outcome, sent.len()), (Err(RelayError::InvalidToken), 0), "nothing was sent");
    }
}
