//! Waiting for messages: a request that is answered once there is one.
//!
//! Whoever listens hears of events first and reads the database then, again and again: what was written before is read, what is
//! written later is heard of, and nothing is in between. An event is a hint to look and no more.

use super::event::{Event, Kind};
use super::{Answer, Relay, finish, messages, now};
use crate::http::Peer;
use axum::extract::{Extension, Request, State as Extract};
use axum::response::Response;
use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

const PATH: &str = "/v1/messages/listen";
/// How long to wait where nobody says, in seconds.
const WAIT: u32 = 30;

/// What happens from when this was made, as far as it concerns one who listens.
pub(super) struct Hints<F> {
    events: Receiver<Arc<Event>>,
    concerns: F,
}

impl<F: Fn(&Event) -> bool> Hints<F> {
    pub(super) fn of(relay: &Relay, concerns: F) -> Self {
        Self { events: relay.events.subscribe(), concerns }
    }

    /// Until something has happened that may concern who listens. All that has happened until now counts as one.
    pub(super) async fn next(&mut self) {
        loop {
            match self.events.recv().await {
                Ok(event) if !(self.concerns)(&event) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => break,
                // Never: the relay has the other end.
                Err(RecvError::Closed) => pending().await,
            }
        }
        self.events = self.events.resubscribe();
    }
}

/// Whether an event may change what an identity gets: a message for it, or another key of its own.
pub(super) fn concerns(address: &str) -> impl Fn(&Event) -> bool + use<> {
    let address = address.to_owned();
    move |event| match &event.kind {
        Kind::Message { recipient, .. } => *recipient == address,
        Kind::SigningKey { address: other } => *other == address,
        _ => false,
    }
}

/// Reads until there is something to answer with, or the time is up, or the relay ends: then the answer is an empty page.
pub(super) async fn wait(
    relay: &Arc<Relay>,
    seconds: Option<u32>,
    mut hints: Hints<impl Fn(&Event) -> bool>,
    read: impl Fn(&Relay) -> Answer + Clone + Send + 'static,
) -> Answer {
    let seconds = seconds.unwrap_or(WAIT).min(relay.settings.wait_seconds);
    let started = Instant::now();
    let end = started.checked_add(Duration::from_secs(seconds.into())).unwrap_or(started);
    loop {
        let page = relay.compute(read.clone()).await?;
        if page.page.is_some() {
            return Ok(page);
        }
        let hint = async {
            tokio::select! {
                () = hints.next() => true,
                () = relay.listeners.ending() => false,
            }
        };
        if !timeout_at(end, hint).await.unwrap_or(false) {
            return Ok(page);
        }
    }
}

/// `POST /v1/messages/listen`.
pub(super) async fn listen(
    Extract(relay): Extract<Arc<Relay>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let outcome = answer(&relay, peer, request).await;
    finish(peer, PATH, outcome)
}

async fn answer(relay: &Arc<Relay>, peer: IpAddr, request: Request) -> Answer {
    relay.charge(peer)?;
    let (head, body) = request.into_parts();
    let body = relay.body(body).await?;
    let asker = relay
        .compute(move |relay| {
            let caller = relay.access.caller(&head.headers, now())?;
            messages::asked(relay, &caller, PATH, &body)
        })
        .await?;
    // Held until the answer is there, or nobody waits for it any more.
    let mut place = relay.listeners.enter()?;
    place.claim(&asker.address)?;
    let hints = Hints::of(relay, concerns(&asker.address));
    // Nothing that comes is before something that came.
    let seconds = if asker.ask.last.is_some() { Some(0) } else { asker.ask.wait };
    wait(relay, seconds, hints, move |relay| messages::page(relay, &asker)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::relay::access::Caller;
    use crate::relay::reply::{Done, Success};
    use crate::relay::settings::Settings;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Plays `read` for a reader who waits an hour at most: how often it has read, and what was read last.
    fn play(read: impl Fn(&Relay, u32) -> bool + Clone + Send + 'static) -> (u32, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let settings = Settings { wait_seconds: 3_600, ..Settings::demo(None) };
            let relay = Arc::new(Relay::open(&settings, "relay", None, &Limits::default()).unwrap());
            let count = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&count);
            let reading = move |relay: &Relay| {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                let ends = read(relay, number).then(|| ("0".to_owned(), "0".to_owned()));
                Ok(Success { page: ends, ..Success::new(Done::FETCHED, None) })
            };
            let waiting = wait(&relay, Some(3_600), Hints::of(&relay, concerns("bob")), reading);
            let outcome = tokio::time::timeout(Duration::from_secs(20), waiting).await;
            let page = outcome.expect("it hears of what has come").unwrap().page;
            (count.load(Ordering::Relaxed), page.is_some())
        })
    }

    fn send(relay: &Relay, to: &str) {
        let caller = Caller { application: "app".into(), customer: "app".into() };
        let (sender, recipient, id) = ("alice".into(), to.into(), "1".into());
        relay.tell(&caller, Kind::Message { sender, recipient, id, bytes: 1 });
    }

    /// Between the reading that finds nothing and the waiting is where a message is lost, if anywhere.
    #[test]
    fn what_comes_right_behind_the_reading_is_heard_of() {
        let read = |relay: &Relay, number| {
            if number == 0 {
                send(relay, "bob");
            }
            number == 1
        };
        assert_eq!(play(read), (2, true));
    }

    #[test]
    fn who_has_missed_events_reads_again() {
        let read = |relay: &Relay, number| {
            if number == 0 {
                (0..10_000).for_each(|_| send(relay, "carol"));
            }
            number == 1
        };
        assert_eq!(play(read), (2, true));
    }

    #[test]
    fn all_that_has_come_is_read_once_and_the_end_ends_it() {
        let read = |relay: &Relay, number| {
            match number {
                0 => (0..100).for_each(|_| send(relay, "bob")),
                1 => relay.end(),
                _ => {}
            }
            false
        };
        assert_eq!(play(read), (2, false));
    }
}
