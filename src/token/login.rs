//! Login with an API key: a key in a header, the credentials in the body, a token back and nothing to refresh it with.

use super::dialect::{Answers, Dialect, Encoding, Endpoint, Field, Presence};

/// As the Nilo Authentication API has it: `POST /login` with `x-api-key`. Its text calls the lifetime `expiresIn` and its
/// examples `expires_in`: either is read. Its errors repeat the status: the status decides.
pub const NILO: Dialect = Dialect {
    encoding: Encoding::Json,
    api_key: Some("x-api-key"),
    obtain: Some(Endpoint {
        path: "/login",
        fields: &[("clientId", Field::ClientId), ("clientSecret", Field::ClientSecret)],
        bearer: false,
    }),
    exchange: None,
    refresh: None,
    revoke: None,
    authorize: None,
    answer: Answers {
        wrapper: None,
        access_token: "access_token",
        token_type: ("token_type", Presence::Required),
        refresh_token: None,
        expires_in: ["expires_in", "expiresIn"],
    },
    error: None,
    codes: &[],
};
