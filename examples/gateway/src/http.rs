//! Serving HTTP/1.1 over a listener: head timeout, connection limit, graceful end.

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

/// The most bytes of a head, give or take: a token of 4096 characters and as much again, many times over.
const HEAD: usize = 64 * 1024;

/// Where a request comes from; every request has one among its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// How connections are served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http {
    /// How long a head may take and a connection may be idle.
    pub(crate) head: Duration,
    /// The most connections; more wait to be accepted.
    pub(crate) connections: usize,
    /// How long requests in flight may take after the end was asked for.
    pub(crate) drain: Duration,
}

impl Http {
    /// Serves `router` until `shutdown` is over and the requests in flight are answered, or their time is up.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        router: Router,
        shutdown: impl Future<Output = ()>,
    ) {
        let (end, ending) = watch::channel(false);
        let places = Arc::new(Semaphore::new(self.connections.min(Semaphore::MAX_PERMITS)));
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accept = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            };
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept => accepted,
            };
            let ((stream, peer), place) = match accepted {
                (Ok(connected), Ok(place)) => (connected, place),
                (Err(error), _) => {
                    // Most often there are no file descriptors left: wait for some.
                    warn!(error = ?error.kind(), "cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
                (_, Err(_)) => break,
            };
            let connection = self.connection(stream, peer, router.clone(), ending.clone());
            connections.spawn(async move {
                if let Err(error) = connection.await {
                    debug!(peer = %peer.ip(), timeout = error.is_timeout(), "connection broken");
                }
                drop(place);
            });
        }
        drop(listener);
        info!(connections = connections.len(), "draining");
        end.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.drain, drained).await.is_err() {
            warn!("requests in flight were cut off");
        }
    }

    /// Serves a connection until it is over, or has become another protocol's; once all end, until it is idle.
    async fn connection(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        router: Router,
        mut ending: watch::Receiver<bool>,
    ) -> hyper::Result<()> {
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            service.call(request.map(Body::new))
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.head)
                .max_buf_size(HEAD)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        tokio::select! {
            served = connection.as_mut() => return served,
            _ = ending.wait_for(|ending| *ending) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}
