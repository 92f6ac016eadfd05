//! What an issuer answers, as the dialect has it.

use super::state::Tokens;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use dynamic_key::token::Dialect;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Why somebody gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Request,
    Client,
    Grant,
    GrantType,
    Suspended,
    TooMany(Duration),
    Internal,
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Request | Self::Grant | Self::GrantType => StatusCode::BAD_REQUEST,
            Self::Client => StatusCode::UNAUTHORIZED,
            Self::Suspended => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// In the words of RFC 6749 §5.2.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Request => "invalid_request",
            Self::Client => "invalid_client",
            Self::Grant => "invalid_grant",
            Self::GrantType => "unsupported_grant_type",
            Self::Suspended => "unauthorized_client",
            Self::TooMany(_) => "temporarily_unavailable",
            Self::Internal => "server_error",
        }
    }

    const fn message(&self) -> &'static str {
        match self {
            Self::Request => "The request is malformed",
            Self::Client => "Invalid client credentials",
            Self::Grant => "The code or refresh token is invalid",
            Self::GrantType => "There is no such grant",
            Self::Suspended => "The client is suspended",
            Self::TooMany(_) => "Too many requests",
            Self::Internal => "Internal error",
        }
    }
}

pub(super) fn tokens(dialect: &Dialect, tokens: &Tokens, seconds: u64) -> Response {
    let names = dialect.answer;
    let mut members = Map::new();
    members.insert(names.access_token.into(), tokens.access.as_str().into());
    members.insert(names.token_type.0.into(), "Bearer".into());
    members.insert(names.expires_in[0].into(), seconds.into());
    if let (Some(name), Some(refresh)) = (names.refresh_token, &tokens.refresh) {
        members.insert(name.into(), refresh.as_str().into());
    }
    json(StatusCode::OK, &wrapped(dialect, members.into()))
}

/// Something was done that has no result.
pub(super) fn done(dialect: &Dialect) -> Response {
    json(StatusCode::OK, &wrapped(dialect, json!({})))
}

fn wrapped(dialect: &Dialect, data: Value) -> Value {
    match dialect.answer.wrapper {
        None => data,
        Some(wrapper) => json!({ "code": "00", "description": "Success", wrapper: data }),
    }
}

pub(super) fn refused(dialect: &Dialect, refusal: Refusal) -> Response {
    let status = refusal.status();
    let body = match (dialect.error, dialect.answer.wrapper) {
        (Some(error), _) => json!({ error: refusal.code() }),
        (None, Some(_)) => json!({ "code": status.as_str(), "description": refusal.message() }),
        (None, None) => json!({ "code": status.as_u16(), "message": refusal.message() }),
    };
    let mut response = json(status, &body);
    if let Refusal::TooMany(wait) = refusal {
        let seconds = wait.as_secs().saturating_add(1);
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn redirect(location: &str) -> Response {
    let mut response = json(StatusCode::FOUND, &Value::Null);
    match HeaderValue::from_str(location) {
        Ok(location) => {
            response.headers_mut().insert(header::LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}
