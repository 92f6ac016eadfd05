//! OAuth 2.0 (RFC 6749, revocation by RFC 7009, PKCE by RFC 7636).

use super::dialect::{Answers, Authorize, Dialect, Encoding, Endpoint, Field, Meaning, Presence};

/// As the RFCs have it, with the client's secret in the body (RFC 6749 §2.3.1), at `/token`, `/revoke` and `/authorize`.
pub const RFC6749: Dialect = Dialect {
    encoding: Encoding::Form,
    api_key: None,
    obtain: Some(endpoint(
        "/token",
        &[
            ("grant_type", Field::Text("client_credentials")),
            ("scope", Field::Scope),
            ("client_id", Field::ClientId),
            ("client_secret", Field::ClientSecret),
        ],
    )),
    exchange: Some(endpoint("/token", EXCHANGE)),
    refresh: Some(endpoint("/token", REFRESH)),
    revoke: Some(endpoint(
        "/revoke",
        &[("token", Field::AnyToken), ("client_id", Field::ClientId), ("client_secret", Field::ClientSecret)],
    )),
    authorize: Some(Authorize { path: "/authorize", code: "code" }),
    answer: Answers {
        wrapper: None,
        access_token: "access_token",
        token_type: ("token_type", Presence::Required),
        refresh_token: Some("refresh_token"),
        expires_in: ["expires_in", "expires_in"],
    },
    error: Some("error"),
    codes: &[
        ("invalid_client", Meaning::Refused),
        ("invalid_grant", Meaning::Refused),
        ("invalid_request", Meaning::Refused),
        ("invalid_scope", Meaning::Refused),
        ("unsupported_grant_type", Meaning::Refused),
        ("unauthorized_client", Meaning::Suspended),
        ("access_denied", Meaning::Suspended),
        ("temporarily_unavailable", Meaning::Later),
        ("server_error", Meaning::Later),
    ],
};

/// As the Nomba guide has it: JSON to a path for each operation, the answer in `data`, only access tokens revoked, with
/// themselves as credential; the redirect brings an `auth_code`. It names no strings for errors: the status decides.
pub const NOMBA: Dialect = Dialect {
    encoding: Encoding::Json,
    obtain: Some(endpoint(
        "/v1/auth/token/issue",
        &[
            ("grant_type", Field::Text("client_credentials")),
            ("client_id", Field::ClientId),
            ("client_secret", Field::ClientSecret),
        ],
    )),
    exchange: Some(endpoint("/v1/auth/token/issue", EXCHANGE)),
    refresh: Some(endpoint("/v1/auth/token/refresh", REFRESH)),
    revoke: Some(Endpoint {
        path: "/v1/auth/token/revoke",
        fields: &[("token", Field::AccessToken)],
        bearer: true,
    }),
    authorize: Some(Authorize { path: "/v1/auth/authorize", code: "auth_code" }),
    answer: Answers {
        wrapper: Some("data"),
        token_type: ("token_type", Presence::Optional),
        ..RFC6749.answer
    },
    error: None,
    codes: &[],
    ..RFC6749
};

const EXCHANGE: &[(&str, Field)] = &[
    ("grant_type", Field::Text("authorization_code")),
    ("code", Field::Code),
    ("redirect_uri", Field::RedirectUri),
    ("code_verifier", Field::CodeVerifier),
    ("client_id", Field::ClientId),
    ("client_secret", Field::ClientSecret),
];

const REFRESH: &[(&str, Field)] = &[
    ("grant_type", Field::Text("refresh_token")),
    ("refresh_token", Field::RefreshToken),
    ("client_id", Field::ClientId),
    ("client_secret", Field::ClientSecret),
];

const fn endpoint(path: &'static str, fields: &'static [(&'static str, Field)]) -> Endpoint {
    Endpoint { path, fields, bearer: false }
}
