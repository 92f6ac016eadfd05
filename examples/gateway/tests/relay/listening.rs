//! What the tests of those who listen share: requests to listen, and when somebody does.

use crate::server::{Running, demo};
use crate::support::{ONE, OTHER, Party, Relay, Told, Written, now, request, token};
use dynamic_key::identity::message::{self, Ask};
use dynamic_key::identity::response::Cursor;
use dynamic_key_gateway::Config;
use dynamic_key_gateway::config::Limits;
use dynamic_key_gateway::relay::Settings;
use std::time::{Duration, Instant};

/// Longer than anything takes, and shorter than anybody waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A relay in a gateway with these limits.
pub(crate) fn with_limits(settings: Settings, limits: Limits) -> Relay {
    let gateway = Running::start(Config { relay: Some(settings), limits, ..demo() });
    Relay { gateway, one: token("one-key", ONE), other: token("other-key", OTHER) }
}

/// One that gives requests in flight longer than anybody waits.
pub(crate) fn patient(settings: Settings) -> Relay {
    with_limits(settings, Limits { drain: Duration::from_secs(60), ..demo().limits })
}

/// A request to listen.
pub(crate) fn listen(party: &mut Party, ask: &Ask) -> Written {
    party.ask(now(), |author, out| message::listen(author, ask, out))
}

/// Listens, at most so many seconds.
pub(crate) fn wait(relay: &Relay, party: &mut Party, first: Option<Cursor>, seconds: u32) -> Told {
    relay.call(&request(&listen(party, &Ask { first, wait: Some(seconds), ..Ask::default() })))
}

/// Sends a message.
pub(crate) fn send(relay: &Relay, from: &mut Party, to: &Party, id: &str) {
    let message = from.message(to.me.address(), id);
    relay.call(&request(&message)).ok(20_021);
}

/// As [`wait`], where one place is all there is and those who look for it have it now and then.
pub(crate) fn wait_for_place(relay: &Relay, party: &mut Party, first: Option<Cursor>, seconds: u32) -> Told {
    loop {
        let told = wait(relay, party, first, seconds);
        if !matches!(told.status, 429 | 503) {
            return told;
        }
    }
}

pub(crate) fn cursor(told: &Told, name: &str) -> Option<Cursor> {
    told.json[name].as_str().map(|text| Cursor::new(text).unwrap())
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Where one place is all there is: whether somebody has it.
pub(crate) fn is_taken(relay: &Relay, other: &mut Party) -> bool {
    let told = wait(relay, other, None, 0);
    assert!(matches!(told.status, 200 | 503), "{told:?}");
    told.status == 503
}
