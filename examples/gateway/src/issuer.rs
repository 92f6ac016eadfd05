//! An issuer of tokens in every dialect of [`dynamic_key::token`]: the other side of its lifecycle.
//!
//! It issues for credentials, for a code with its verifier and for a refresh token, which it rotates: one that comes again
//! revokes all that came of it. What was answered is in its database before it is answered.

mod reply;
mod request;
mod settings;
mod state;

pub use settings::{Registered, Settings};

use crate::body::{self, Body};
use crate::config::{ConfigError, Limits};
use crate::http::Peer;
use crate::limit::SourceLimit;
use crate::{StartError, now};
use axum::Router;
use axum::extract::{Extension, Request, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use dynamic_key::token::{Challenge, CodeVerifier, Dialect, Encoding, Endpoint, Field, login, oauth};
use reply::Refusal;
use request::Fields;
use state::State;
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::{info, warn};

/// A resource that wants a token: it answers with the client's id.
pub const RESOURCE: &str = "/v1/whoami";

/// The most bytes of a request.
const BODY: usize = 16 * 1024;

const DIALECTS: [&Dialect; 3] = [&oauth::NOMBA, &oauth::RFC6749, &login::NILO];

/// Clients, and what was issued to them.
pub struct Issuer {
    settings: Settings,
    state: State,
    limit: Option<SourceLimit>,
}

/// The database cannot be read.
pub(crate) struct Unreadable;

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Issuer {
    /// Opens the database, which is made where there is none.
    ///
    /// # Errors
    /// [`StartError::Config`], [`StartError::Database`].
    pub fn open(settings: &Settings) -> Result<Self, StartError> {
        let wrong = |reason| StartError::Config(ConfigError::setting("issuer.clients", reason));
        let ids: BTreeSet<_> = settings.clients.iter().map(|client| &client.id).collect();
        if ids.len() != settings.clients.len() {
            return Err(wrong("two have the same id"));
        }
        let state =
            State::open(&settings.database, now()).map_err(|error| StartError::Database(error.into()))?;
        let limit = SourceLimit::per_minute(settings.requests_per_minute);
        Ok(Self { settings: settings.clone(), state, limit })
    }

    fn client(&self, id: &str) -> Result<&Registered, Refusal> {
        self.settings.clients.iter().find(|client| client.id == id).ok_or(Refusal::Client)
    }

    /// The client that a request proves itself to be.
    fn authenticate(
        &self,
        dialect: &Dialect,
        head: &HeaderMap,
        fields: &Fields<'_>,
    ) -> Result<&Registered, Refusal> {
        let client = self.client(fields.get(Field::ClientId).ok_or(Refusal::Client)?)?;
        let proven = settings::is(client.secret.as_deref(), fields.get(Field::ClientSecret));
        if !proven || !keyed(dialect, head, client) {
            return Err(Refusal::Client);
        }
        if client.suspended { Err(Refusal::Suspended) } else { Ok(client) }
    }

    /// Answers what came to an endpoint.
    fn answer(
        &self,
        dialect: &Dialect,
        path: &str,
        head: &HeaderMap,
        body: &[u8],
    ) -> Result<Response, Refusal> {
        let encoded = head.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = encoded.and_then(|value| value.split(';').next()).unwrap_or_default().trim_end();
        if !media_type.eq_ignore_ascii_case(dialect.encoding.content_type()) {
            return Err(Refusal::Request);
        }
        let pairs = match dialect.encoding {
            Encoding::Json => request::json(body),
            Encoding::Form => std::str::from_utf8(body).ok().and_then(request::form),
        };
        let pairs = pairs.ok_or(Refusal::Request)?;
        let here = |endpoint: &Option<Endpoint>| {
            endpoint.filter(|endpoint| endpoint.path == path && Fields::of(endpoint, &pairs).is_meant())
        };
        let Dialect { obtain, exchange, refresh, revoke, .. } = dialect;
        if let Some(endpoint) = here(revoke) {
            return self.revoke(dialect, &endpoint, head, &Fields::of(&endpoint, &pairs));
        }
        let tokens = if let Some(endpoint) = here(obtain) {
            let client = self.authenticate(dialect, head, &Fields::of(&endpoint, &pairs))?;
            // Only who has a secret is a client of its own.
            client.secret.as_ref().ok_or(Refusal::Client)?;
            self.state.issue(&client.id, refresh.is_some(), &self.settings, now())?
        } else if let Some(endpoint) = here(exchange) {
            let fields = Fields::of(&endpoint, &pairs);
            let client = self.authenticate(dialect, head, &fields)?;
            let verifier = CodeVerifier::new(fields.get(Field::CodeVerifier).ok_or(Refusal::Request)?);
            let code = fields.get(Field::Code).ok_or(Refusal::Request)?;
            if fields.get(Field::RedirectUri) != client.redirect_uri.as_deref() {
                return Err(Refusal::Grant);
            }
            self.state.exchange(
                code,
                &client.id,
                &verifier.map_err(|_| Refusal::Grant)?,
                &self.settings,
                now(),
            )?
        } else if let Some(endpoint) = here(refresh) {
            let fields = Fields::of(&endpoint, &pairs);
            let client = self.authenticate(dialect, head, &fields)?;
            let token = fields.get(Field::RefreshToken).ok_or(Refusal::Request)?;
            self.state.refresh(token, &client.id, &self.settings, now())?
        } else {
            return Err(Refusal::GrantType);
        };
        Ok(reply::tokens(dialect, &tokens, self.settings.access_seconds))
    }

    /// Revokes what a token came of, all of it. A token that is not known is as good as revoked (RFC 7009 §2.2).
    fn revoke(
        &self,
        dialect: &Dialect,
        endpoint: &Endpoint,
        head: &HeaderMap,
        fields: &Fields<'_>,
    ) -> Result<Response, Refusal> {
        let token = fields.get(Field::AnyToken).or(fields.get(Field::AccessToken)).ok_or(Refusal::Request)?;
        let owner = if endpoint.bearer {
            self.state.holder(bearer(head).ok_or(Refusal::Client)?, now())?.ok_or(Refusal::Client)?
        } else {
            self.authenticate(dialect, head, fields)?.id.clone()
        };
        self.state.revoke(token, &owner)?;
        Ok(reply::done(dialect))
    }

    /// Where a user who opens `query` is sent. There is nobody to ask here: whoever opens it has authorized.
    fn authorize(&self, name: &str, query: &str) -> Result<String, Refusal> {
        let pairs = request::form(query).ok_or(Refusal::Request)?;
        let get = |name: &str| request::get(&pairs, name);
        let client = self.client(get("client_id").ok_or(Refusal::Request)?)?;
        // Nobody is sent anywhere but to where the client registered.
        let back = client.redirect_uri.as_deref().filter(|back| get("redirect_uri") == Some(back));
        let back = back.ok_or(Refusal::Request)?;
        let state = get("state").ok_or(Refusal::Request)?;
        let challenge = get("code_challenge").and_then(|challenge| Challenge::new(challenge).ok());
        let asked = (get("response_type"), get("code_challenge_method"), challenge);
        let (name, value) = match asked {
            _ if client.suspended => ("error", "access_denied".into()),
            (Some("code"), Some("S256"), Some(challenge)) => {
                (name, self.state.authorize(&client.id, &challenge, now())?)
            }
            _ => ("error", "invalid_request".into()),
        };
        let mark = if back.contains('?') { '&' } else { '?' };
        Ok(format!("{back}{mark}{name}={value}&state={}", request::percent_encode(state)))
    }

    /// The client whose token comes with this request; `None` where it is nobody's.
    ///
    /// # Errors
    /// The database's, which the log has.
    pub(crate) fn client_of(&self, head: &HeaderMap) -> Result<Option<String>, Unreadable> {
        match self.whoami(head) {
            Ok(client) => Ok(Some(client)),
            Err(Refusal::Internal) => Err(Unreadable),
            Err(_) => Ok(None),
        }
    }

    /// Whose token comes with this request, and with the client's API key where it has one.
    fn whoami(&self, head: &HeaderMap) -> Result<String, Refusal> {
        let id = self.state.holder(bearer(head).ok_or(Refusal::Client)?, now())?.ok_or(Refusal::Client)?;
        let client = self.client(&id)?;
        let keyed = client.api_key.is_none() || keyed(&login::NILO, head, client);
        if keyed && !client.suspended { Ok(id) } else { Err(Refusal::Client) }
    }
}

fn bearer(head: &HeaderMap) -> Option<&str> {
    head.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Whether a client's API key is there, where its dialect has one; a client without one has no business there.
fn keyed(dialect: &Dialect, head: &HeaderMap, client: &Registered) -> bool {
    let sent = dialect.api_key.and_then(|name| head.get(name)).and_then(|value| value.to_str().ok());
    settings::is(client.api_key.as_deref(), sent)
}

/// The endpoints of all dialects, and [`RESOURCE`].
pub(crate) fn router(issuer: Arc<Issuer>) -> Router {
    let mut router = Router::new().route(RESOURCE, get(resource));
    for dialect in DIALECTS {
        let endpoints = [dialect.obtain, dialect.exchange, dialect.refresh, dialect.revoke];
        let paths: BTreeSet<_> = endpoints.iter().flatten().map(|endpoint| endpoint.path).collect();
        for path in paths {
            let handler =
                async move |extract, peer, request| token(dialect, path, extract, peer, request).await;
            router = router.route(path, post(handler));
        }
        if let Some(authorize) = dialect.authorize {
            let handler = async move |extract, request| authorization(authorize.code, extract, request).await;
            router = router.route(authorize.path, get(handler));
        }
    }
    router.with_state(issuer)
}

async fn token(
    dialect: &'static Dialect,
    path: &'static str,
    Extract(issuer): Extract<Arc<Issuer>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    if let Some(Err(exceeded)) = issuer.limit.as_ref().map(|limit| limit.charge(peer)) {
        info!(%peer, path, "too many");
        return reply::refused(dialect, Refusal::TooMany(exceeded.retry_after));
    }
    let (head, body) = request.into_parts();
    let limits = Limits { body_bytes: BODY, ..Limits::default() };
    let Some(Body { buffer, length }) = body::read(body, &limits, 0).await else {
        return reply::refused(dialect, Refusal::Request);
    };
    // The database writes through to the disk.
    let answered = tokio::task::spawn_blocking(move || {
        issuer.answer(dialect, path, &head.headers, buffer.get(..length).unwrap_or_default())
    });
    let outcome = answered.await.unwrap_or(Err(Refusal::Internal));
    info!(%peer, path, refusal = outcome.as_ref().err().map(Refusal::code), "token");
    outcome.unwrap_or_else(|refusal| reply::refused(dialect, refusal))
}

async fn authorization(
    code: &'static str,
    Extract(issuer): Extract<Arc<Issuer>>,
    request: Request,
) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let answered = tokio::task::spawn_blocking(move || issuer.authorize(code, &query));
    match answered.await.unwrap_or(Err(Refusal::Internal)) {
        Ok(location) => reply::redirect(&location),
        Err(refusal) => reply::refused(&oauth::RFC6749, refusal),
    }
}

async fn resource(Extract(issuer): Extract<Arc<Issuer>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let answered = tokio::task::spawn_blocking(move || issuer.whoami(&head.headers));
    match answered.await.unwrap_or(Err(Refusal::Internal)) {
        Ok(client) => reply::json(StatusCode::OK, &serde_json::json!({ "client": client })),
        Err(refusal) => reply::refused(&oauth::RFC6749, refusal),
    }
}

impl From<redb::Error> for Refusal {
    fn from(error: redb::Error) -> Self {
        warn!(%error, "the issuer's database");
        Self::Internal
    }
}
