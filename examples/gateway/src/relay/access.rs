//! Which application asks: by a token that its API key signed, or by an access token of the gateway's issuer.

use super::reply::Refusal;
use super::settings::Settings;
use crate::config::ConfigError;
use crate::issuer::Issuer;
use axum::http::{HeaderMap, header};
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::jose::{Hs256Key, api_key};
use std::sync::Arc;

/// How far the clock of who signs a token may be ahead, in seconds.
const LEEWAY: u64 = 30;

/// An application that is authorized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) application: Arc<str>,
    pub(super) customer: Arc<str>,
}

pub(super) struct Access {
    audience: String,
    issuer: Option<Arc<Issuer>>,
    keys: Vec<Key>,
    /// By the id of a client of the issuer.
    clients: Vec<(String, Caller)>,
}

struct Key {
    id: String,
    secret: Hs256Key,
    disabled: bool,
    expires: u64,
    caller: Caller,
}

impl Access {
    pub(super) fn new(
        settings: &Settings,
        audience: &str,
        issuer: Option<Arc<Issuer>>,
    ) -> Result<Self, ConfigError> {
        let audience = settings.audience.clone().unwrap_or_else(|| audience.to_owned());
        let (mut keys, mut clients) = (Vec::new(), Vec::new());
        for application in &settings.applications {
            let name = application.name.as_str();
            let customer = application.customer.as_deref().unwrap_or(name);
            let caller = Caller { application: name.into(), customer: customer.into() };
            for key in &application.keys {
                let secret = Hs256Key::from_secret(key.secret.as_bytes());
                let weak = |error| ConfigError::setting("relay.applications", error);
                keys.push(Key {
                    id: key.id.clone(),
                    secret: secret.map_err(weak)?,
                    disabled: key.disabled,
                    expires: key.expires.unwrap_or(u64::MAX),
                    caller: caller.clone(),
                });
            }
            clients.extend(application.clients.iter().map(|client| (client.clone(), caller.clone())));
        }
        Ok(Self { audience, issuer, keys, clients })
    }

    /// Who asks. Waits for the issuer's database.
    pub(super) fn caller(&self, head: &HeaderMap, now: Timestamp) -> Result<Caller, Refusal> {
        let value = head.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Unauthorized)?;
        // No access token of the issuer has a dot.
        let caller = if token.contains('.') { self.by_key(token, now) } else { self.by_client(head)? };
        caller.ok_or(Refusal::Unauthorized)
    }

    fn by_key(&self, token: &str, now: Timestamp) -> Option<Caller> {
        let mut scratch = vec![0; token.len()];
        let unverified = api_key::Unverified::parse(token, &mut scratch).ok()?;
        let kid = unverified.kid()?;
        let key = self.keys.iter().find(|key| kid.is(&key.id))?;
        let authentic = unverified.verify(&key.secret).ok()?;
        api_key::check(authentic.claims(&mut scratch).ok()?, &self.audience, now, LEEWAY).ok()?;
        let is_good = !key.disabled && now.as_unix_secs() < key.expires;
        is_good.then(|| key.caller.clone())
    }

    fn by_client(&self, head: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        let Some(issuer) = &self.issuer else { return Ok(None) };
        let Some(id) = issuer.client_of(head).map_err(|_| Refusal::Internal)? else { return Ok(None) };
        Ok(self.clients.iter().find(|(client, _)| *client == id).map(|(_, caller)| caller.clone()))
    }
}
