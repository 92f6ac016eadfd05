//! The sample upstream of the demonstration: the routes of the Dynamic Key V2 documentation.

use crate::config::Limits;
use crate::http::Http;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

/// An upstream on a loopback port, where user `demo` with password `demo` may log in.
#[derive(Debug)]
pub struct SampleUpstream {
    listener: TcpListener,
    local_addr: SocketAddr,
}

impl SampleUpstream {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self { listener, local_addr })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` is over.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Limits { head, connections, drain, .. } = Limits::default();
        Http { head, connections, drain }.serve(self.listener, router(), shutdown).await;
    }
}

fn router() -> Router {
    Router::new()
        .route("/countries/get", get(async || Json(json!({ "countries": ["UY", "PT"] }))))
        .route("/lang/get", get(async || Json(json!({ "languages": ["es", "pt", "en"] }))))
        .route("/users/login", post(login))
        .route("/rest/login", post(rest_login))
        .route("/users/getbyid/{id}", get(async |Path(id): Path<String>| Json(json!({ "id": id }))))
        .route(
            "/qr/get/reverse/{bfp}",
            get(async |Path(bfp): Path<String>| Json(json!({ "bfp": bfp, "state": "pending" }))),
        )
        .route("/companies/getbyid/{id}", get(async |Path(id): Path<String>| Json(json!({ "id": id }))))
}

async fn login(body: Bytes) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is_demo = |member| body.get(member).is_some_and(|value| value == "demo");
    if is_demo("user") && is_demo("password") {
        (StatusCode::OK, Json(json!({ "user": "demo" })))
    } else {
        (StatusCode::UNAUTHORIZED, Json(json!({ "error": "wrong user or password" })))
    }
}

/// The call of Key Agreement: as above, and who is in gets a token.
async fn rest_login(body: Bytes) -> (StatusCode, Json<Value>) {
    match login(body).await {
        (StatusCode::OK, _) => {
            let answer = json!({ "user": "demo", "session_token": "a token of the sample" });
            (StatusCode::OK, Json(answer))
        }
        refused => refused,
    }
}
