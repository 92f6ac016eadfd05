//! Messages over a WebSocket: those that are kept, then those that come, and messages to send.
//!
//! Nothing is kept for a client that does not read: a page is read from the database when the one before it has left. One who
//! takes too long for it is cut off, and finds everything where it was.

use super::access::Caller;
use super::event::Event;
use super::listen::{Hints, concerns};
use super::listeners::Place;
use super::messages::{self, Asker};
use super::reply::{Refusal, Reply};
use super::{Answer, Relay, finish, note, now};
use crate::http::Peer;
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseCode, CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use dynamic_key::identity::response::Cursor;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::info;

const PATH: &str = "/v1/messages/ws";
/// What an identity signs to listen is the same here and there.
const SIGNED: &str = "/v1/messages/listen";
/// How long a closing may take.
const CLOSE: Duration = Duration::from_secs(2);

/// A client whose application is authorized.
struct Session {
    relay: Arc<Relay>,
    peer: IpAddr,
    caller: Caller,
    place: Place,
    socket: WebSocket,
}

/// Why a session is over.
#[derive(Debug)]
enum End {
    /// The client has closed it, or is gone.
    Gone,
    /// What came is no WebSocket's, or too large.
    Broken,
    /// The client does not read, or says nothing, not even that it is there.
    Silent,
    /// It has not proven itself, or not as the one that it was.
    Refused(Refusal),
    /// A frame that is no text.
    Binary,
    /// Its time is over.
    Over,
    /// That of the relay is.
    Ending,
}

impl End {
    /// How the client is told.
    const fn close(&self) -> Option<(CloseCode, &'static str)> {
        match self {
            Self::Gone => None,
            Self::Broken => Some((close_code::PROTOCOL, "not understood")),
            Self::Silent => Some((close_code::POLICY, "silent")),
            Self::Refused(_) => Some((close_code::POLICY, "refused")),
            Self::Binary => Some((close_code::UNSUPPORTED, "text only")),
            Self::Over => Some((close_code::AWAY, "begin anew")),
            Self::Ending => Some((close_code::AWAY, "the relay ends")),
        }
    }
}

/// `GET /v1/messages/ws`: who is not authorized gets no WebSocket.
pub(super) async fn open(
    Extract(relay): Extract<Arc<Relay>>,
    Extension(Peer(peer)): Extension<Peer>,
    head: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let admitted = async {
        relay.charge(peer)?;
        let caller = relay.compute(move |relay| relay.access.caller(&head, now())).await?;
        let upgrade = upgrade.map_err(|_| Refusal::Malformed)?;
        Ok((caller, relay.listeners.enter()?, upgrade))
    };
    match admitted.await {
        Ok((caller, place, upgrade)) => {
            let most = relay.limits.body_bytes;
            upgrade.max_message_size(most).max_frame_size(most).on_upgrade(async move |socket| {
                info!(%peer, endpoint = PATH, "opened");
                let end = Session { relay, peer, caller, place, socket }.run().await;
                info!(%peer, endpoint = PATH, ?end, "closed");
            })
        }
        Err(refusal) => finish(peer, PATH, Err(refusal)),
    }
}

impl Session {
    async fn run(mut self) -> End {
        let Err(end) = self.converse().await;
        if let End::Refused(refusal) = end {
            let _ = self.send(Err(refusal)).await;
        }
        let closing = async {
            if let Some((code, reason)) = end.close() {
                let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
                let _ = self.socket.send(close).await;
            }
            // Until both have closed it.
            while let Some(Ok(_)) = self.socket.recv().await {}
        };
        let _ = timeout(CLOSE, closing).await;
        end
    }

    async fn converse(&mut self) -> Result<Infallible, End> {
        let relay = Arc::clone(&self.relay);
        let settings = &relay.settings;
        let over = sleep(Duration::from_secs(settings.socket_seconds.into()));
        let mut over = std::pin::pin!(over);
        let asker = tokio::select! {
            asker = timeout(relay.limits.request, self.proof()) => asker.unwrap_or(Err(End::Silent))?,
            () = relay.listeners.ending() => return Err(End::Ending),
        };
        self.place.claim(&asker.address).map_err(End::Refused)?;
        let mut feed = Feed::of(&relay, asker);
        self.pass_on(&mut feed).await?;

        let period = Duration::from_secs(settings.ping_seconds.into());
        let mut ticks = interval(period);
        ticks.reset();
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = true;
        loop {
            tokio::select! {
                () = relay.listeners.ending() => return Err(End::Ending),
                () = &mut over => return Err(End::Over),
                _ = ticks.tick() => {
                    if !std::mem::take(&mut heard) {
                        return Err(End::Silent);
                    }
                    self.write(Message::Ping(Bytes::new())).await?;
                }
                () = feed.hints.next() => self.pass_on(&mut feed).await?,
                received = self.socket.recv() => {
                    heard = true;
                    if let Some(text) = text(received)? {
                        self.take(text.as_str().to_owned()).await?;
                    }
                }
            }
        }
    }

    /// The first message: a request to listen, signed by the identity that listens.
    async fn proof(&mut self) -> Result<Asker, End> {
        loop {
            let Some(text) = text(self.socket.recv().await)? else { continue };
            let (text, caller) = (text.as_str().to_owned(), self.caller.clone());
            let asked = self.relay.compute(move |relay| {
                let asker = messages::asked(relay, &caller, SIGNED, text.as_bytes())?;
                // Nothing that comes is before something that came.
                if asker.ask.last.is_some() { Err(Refusal::Malformed) } else { Ok(asker) }
            });
            return asked.await.map_err(End::Refused);
        }
    }

    /// Sends all that has come since the last time, page by page, most recent first.
    async fn pass_on<F>(&mut self, feed: &mut Feed<F>) -> Result<(), End> {
        let mut asker = feed.asker.clone();
        loop {
            let asked = asker.clone();
            let page = self.relay.compute(move |relay| messages::page(relay, &asked)).await;
            let page = page.map_err(End::Refused)?;
            let ends = page.page.as_ref().map(|(first, last)| (cursor(first), cursor(last)));
            let more = page.more == Some(true);
            // The first page says that the identity has proven itself, even where there is nothing on it.
            let begun = std::mem::replace(&mut feed.begun, true);
            if ends.is_some() || !begun {
                self.send(Ok(page)).await?;
            }
            let Some((first, last)) = ends else { return Ok(()) };
            if asker.ask.last.is_none() {
                feed.asker.ask.first = first;
            }
            if !more {
                return Ok(());
            }
            if self.relay.listeners.is_ending() {
                return Err(End::Ending);
            }
            asker.ask.last = last;
        }
    }

    /// Sends messages of the client's on, and says what came of it.
    async fn take(&mut self, text: String) -> Result<(), End> {
        let outcome = match self.relay.charge(self.peer) {
            Ok(()) => {
                let caller = self.caller.clone();
                self.relay.compute(move |relay| messages::send(relay, &caller, text.as_bytes())).await
            }
            Err(refusal) => Err(refusal),
        };
        self.send(outcome).await
    }

    /// Sends the common answer.
    async fn send(&mut self, outcome: Answer) -> Result<(), End> {
        let reply = Reply::of(outcome);
        note(self.peer, PATH, &reply);
        self.write(Message::Text(reply.text.into())).await
    }

    /// Writes until the system has taken all of it.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.relay.limits.request, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Silent),
        }
    }
}

/// What an identity has got, and whether there may be more.
struct Feed<F> {
    hints: Hints<F>,
    /// Who asks, from behind the most recent message that it has got.
    asker: Asker,
    /// Whether it has got a page.
    begun: bool,
}

impl Feed<()> {
    /// From now on it hears of what comes; what is there has still to be read.
    fn of(relay: &Relay, asker: Asker) -> Feed<impl Fn(&Event) -> bool + use<>> {
        Feed { hints: Hints::of(relay, concerns(&asker.address)), asker, begun: false }
    }
}

/// A text that was received; `None` for what only says that the client is there.
fn text(received: Option<Result<Message, axum::Error>>) -> Result<Option<Utf8Bytes>, End> {
    match received {
        Some(Ok(Message::Text(text))) => Ok(Some(text)),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(End::Binary),
        Some(Ok(Message::Close(_))) | None => Err(End::Gone),
        Some(Err(_)) => Err(End::Broken),
    }
}

fn cursor(text: &str) -> Option<Cursor> {
    Cursor::new(text).ok()
}
