//! The HTTP/1.1 client behind the gateway: one upstream, a pool of connections, limits on time and size.

use crate::config::{ConfigError, Limits};
use axum::body::Bytes;
use dynamic_key::Code;
use dynamic_key::gateway::Admitted;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use hyper::http::uri::{Authority, PathAndQuery, Scheme, Uri};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::fmt;
use std::time::Duration;

const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The upstream: fixed by the configuration, so that no request can name another.
#[derive(Debug)]
pub(crate) struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    authority: Authority,
    /// What stands before every path: empty, or `/…` without a slash at its end.
    prefix: String,
    timeout: Duration,
    most: usize,
}

/// A request that the core has admitted, as it goes to the upstream.
pub(crate) type Outgoing = Request<Full<Bytes>>;

/// What the upstream answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Retry-After`, to be copied outside the envelope.
    pub(crate) retry_after: Option<HeaderValue>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer that can be passed on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// No connection, or it broke.
    Connection,
    /// Not in time.
    Timeout,
    /// The body is over the limit, or broke off.
    Body,
    /// The body is compressed, although `identity` was asked for.
    Encoded,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "no connection",
            Self::Timeout => "timeout",
            Self::Body => "body too long or broken off",
            Self::Encoded => "body encoded",
        })
    }
}

impl Upstream {
    /// The upstream at `url`: `http://host[:port][/prefix]`.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] for any other form.
    pub(crate) fn new(url: &str, limits: &Limits) -> Result<Self, ConfigError> {
        let error = |reason| Err(ConfigError::setting("upstream", reason));
        let Ok(parts) = url.parse::<Uri>().map(Uri::into_parts) else {
            return error("must be a URL such as http://127.0.0.1:9000");
        };
        let Some(authority) = parts.authority.filter(|_| parts.scheme == Some(Scheme::HTTP)) else {
            return error("must begin with http:// and a host (put a TLS proxy before an https upstream)");
        };
        let path = parts.path_and_query.as_ref().map_or("/", PathAndQuery::as_str);
        if authority.as_str().contains('@') || path.contains(['?', '#']) {
            return error("must have no user, query or fragment");
        }
        let prefix = path.trim_end_matches('/').to_owned();
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(limits.upstream_connect));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(Self { client, authority, prefix, timeout: limits.upstream_response, most: limits.response_bytes })
    }

    /// The admitted request as it goes on: its method, path, query, headers that its rule admits, and JSON body.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`] for a target longer than HTTP takes.
    pub(crate) fn request<H>(&self, admitted: &Admitted<'_, '_, H>) -> Result<Outgoing, Code> {
        let received = &admitted.request;
        let mut target = format!("{}{}", self.prefix, received.path()).into_bytes();
        let length = admitted.write_query(&mut []).unwrap_or_else(|short| short.needed);
        if length > 0 {
            let start = target.len().saturating_add(1);
            target.push(b'?');
            target.resize(start.saturating_add(length), 0);
            let room = target.get_mut(start..).unwrap_or_default();
            admitted.write_query(room).map_err(|_| Code::MalformedRequest)?;
        }
        let mut request = self.blank(received.method(), target)?;
        let headers = request.headers_mut();
        for (name, value) in admitted.forwarded_headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Code::MalformedRequest)?;
            let value = value.bytes().collect::<Vec<u8>>();
            headers.insert(name, HeaderValue::from_bytes(&value).map_err(|_| Code::MalformedRequest)?);
        }
        if let Some(body) = received.body() {
            headers.insert(CONTENT_TYPE, JSON);
            *request.body_mut() = Full::new(Bytes::copy_from_slice(body));
        }
        Ok(request)
    }

    /// A call of Key Agreement, its fields opened.
    ///
    /// # Errors
    /// [`Code::MalformedRequest`] for a target longer than HTTP takes.
    pub(crate) fn call(&self, method: &str, target: &str, body: Vec<u8>) -> Result<Outgoing, Code> {
        let mut request = self.blank(method, format!("{}{target}", self.prefix).into_bytes())?;
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        *request.body_mut() = Full::new(Bytes::from(body));
        Ok(request)
    }

    fn blank(&self, method: &str, target: Vec<u8>) -> Result<Outgoing, Code> {
        let malformed = |_| Code::MalformedRequest;
        let target = PathAndQuery::from_maybe_shared(Bytes::from(target)).map_err(malformed)?;
        let mut parts = hyper::http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);

        let mut request = Request::new(Full::default());
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Code::MalformedRequest)?;
        *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| Code::MalformedRequest)?;
        request.headers_mut().insert(ACCEPT_ENCODING, IDENTITY);
        Ok(request)
    }

    /// Sends it and receives the whole answer. Redirects are answers like others.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn send(&self, request: Outgoing) -> Result<Answer, Failure> {
        tokio::time::timeout(self.timeout, self.exchange(request)).await.map_err(|_| Failure::Timeout)?
    }

    async fn exchange(&self, request: Outgoing) -> Result<Answer, Failure> {
        let response = self.client.request(request).await.map_err(|_| Failure::Connection)?;
        let (head, body) = response.into_parts();
        if is_encoded(&head.headers) {
            return Err(Failure::Encoded);
        }
        let body = Limited::new(body, self.most).collect().await.map_err(|_| Failure::Body)?;
        Ok(Answer {
            status: head.status.as_u16(),
            retry_after: head.headers.get(RETRY_AFTER).cloned(),
            body: body.to_bytes().into(),
        })
    }
}

/// Nothing tells the client of an encoding, for headers are not carried.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
