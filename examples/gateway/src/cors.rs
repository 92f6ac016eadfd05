//! Which pages of other origins may call the gateway from a browser: a list, empty by default (§2.1).

use crate::config::ConfigError;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

const HEADERS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("x-dynamic-key-version"),
    HeaderName::from_static("x-session-id"),
];

/// Answers preflights of these origins; of others nothing is allowed. Without origins there is no such answer.
///
/// # Errors
/// [`ConfigError::Setting`] for what is no origin, `*` included.
pub(crate) fn layer(origins: &[String]) -> Result<Option<CorsLayer>, ConfigError> {
    if origins.is_empty() {
        return Ok(None);
    }
    let origins = origins.iter().map(|origin| {
        let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin(origin));
        let reason = || format!("{origin:?} is no origin such as https://app.example");
        value.ok_or_else(|| ConfigError::setting("cors_origins", reason()))
    });
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.collect::<Result<Vec<_>, _>>()?))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(HEADERS)
        .expose_headers([header::RETRY_AFTER])
        .max_age(Duration::from_secs(600));
    Ok(Some(layer))
}

/// Scheme and authority as a browser writes them, and nothing after them.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    let is_web = matches!(scheme, "http" | "https") && !authority.as_str().contains('@');
    is_web && text == format!("{scheme}://{authority}").to_ascii_lowercase()
}
