//! How an issuer speaks, as data: paths, names of headers and members, codes of errors.

/// An issuer's way of speaking. Those of the sources are [`oauth::RFC6749`](super::oauth::RFC6749),
/// [`oauth::NOMBA`](super::oauth::NOMBA) and [`login::NILO`](super::login::NILO); another path or name is a struct update
/// away from one of them.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dialect {
    /// How bodies are written.
    pub encoding: Encoding,
    /// The header that takes the API key with every request; without one there is no key.
    pub api_key: Option<&'static str>,
    /// Credentials for a token.
    pub obtain: Option<Endpoint>,
    /// An authorization code for a token.
    pub exchange: Option<Endpoint>,
    /// A refresh token for a token.
    pub refresh: Option<Endpoint>,
    /// A token given back.
    pub revoke: Option<Endpoint>,
    /// Where a user authorizes.
    pub authorize: Option<Authorize>,
    /// What an answer with a token has.
    pub answer: Answers,
    /// The member of an error that has a string of [`Dialect::codes`].
    pub error: Option<&'static str>,
    /// What those strings mean. The status of the answer decides over others.
    pub codes: &'static [(&'static str, Meaning)],
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Encoding {
    /// `application/json`: an object of strings.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl Encoding {
    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// Where a `POST` goes, and with what.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Endpoint {
    /// The path, percent-encoded where it must be.
    pub path: &'static str,
    /// The members of the body by name, in this order. One whose value there is not is left out.
    pub fields: &'static [(&'static str, Field)],
    /// Whether the access token goes with it as `Authorization: Bearer`.
    pub bearer: bool,
}

/// The value of a member of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Field {
    /// This text.
    Text(&'static str),
    /// The client's id.
    ClientId,
    /// The client's secret.
    ClientSecret,
    /// The scope that is asked for.
    Scope,
    /// The authorization code.
    Code,
    /// The verifier of RFC 7636.
    CodeVerifier,
    /// Where the code was sent.
    RedirectUri,
    /// The refresh token.
    RefreshToken,
    /// The access token.
    AccessToken,
    /// The refresh token, or the access token where there is none.
    AnyToken,
}

/// The authorization endpoint (RFC 6749 §4.1).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Authorize {
    /// The path, percent-encoded where it must be.
    pub path: &'static str,
    /// The parameter of the redirect that has the code.
    pub code: &'static str,
}

/// The members of an answer with a token.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Answers {
    /// The member that the others stand in, where they do not stand at the root.
    pub wrapper: Option<&'static str>,
    /// The access token.
    pub access_token: &'static str,
    /// The token's type, and whether it must be there. Where it is, it must be `Bearer`, in any case.
    pub token_type: (&'static str, Presence),
    /// The refresh token.
    pub refresh_token: Option<&'static str>,
    /// The lifetime in seconds, by one of two names and not by both.
    pub expires_in: [&'static str; 2],
}

/// Whether a member must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Presence {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// What a refusal means for the lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Meaning {
    /// What was presented is refused: credentials, code or refresh token.
    Refused,
    /// The client is known and gets nothing.
    Suspended,
    /// Another time.
    Later,
}
