//! The lifecycle of §5 beside a model of it, against an issuer that answers anything at any time, under clocks that step.
//!
//! The model says after each event what must be needed, which token may be used and what is held. Beside it an auditor,
//! which knows the true time and sees only the wire, holds to what must never be: two requests in flight, a token used after
//! its end or after it was refused or revoked, a request sooner than the issuer allows, a secret in a log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test that fails should panic"
)]

use dynamic_key::Secret;
use dynamic_key::codec::retry_after::RetryAfter;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key::session::{Now, Uptime};
use dynamic_key::token::{
    Answer, Config, Credentials, Generation, Lifecycle, Need, Pending, Stop, TokenError, login, oauth,
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::sync::LazyLock;

/// In every credential and token.
const MARK: &str = "5ecret";
const DAY: u64 = 86_400_000;

static CLIENT: LazyLock<Credentials> =
    LazyLock::new(|| Credentials::confidential("id", "5ecret-client").unwrap());
static KEYED: LazyLock<Credentials> = LazyLock::new(|| {
    Credentials::confidential("id", "5ecret-login").unwrap().with_api_key("5ecret-key").unwrap()
});
static PUBLIC: LazyLock<Credentials> = LazyLock::new(|| Credentials::public("id").unwrap());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Client,
    Login,
    User,
}

impl Kind {
    fn config(self) -> Config<'static> {
        match self {
            Self::Client => Config::new(&oauth::RFC6749, &CLIENT),
            Self::Login => Config::new(&login::NILO, &KEYED),
            Self::User => {
                Config { redirect_uri: Some("http://127.0.0.1/"), ..Config::new(&oauth::RFC6749, &PUBLIC) }
            }
        }
    }
}

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// So much time goes by.
    Tick(u64),
    /// The wall clock is set.
    SetWall(u64),
    /// Somebody asks for a request, whether one is due or not.
    Send,
    /// The issuer answers, or nothing comes.
    Reply(Reply, u32),
    GiveUp(u32),
    /// An answer comes to a request that was given up.
    LateReply,
    /// A resource answers with this status to the token in hand, or to the one before.
    Used {
        status: u16,
        stale: bool,
    },
    /// A user authorizes, or somebody forges the redirect.
    Authorize {
        forged: bool,
    },
    Revoke,
    Restart,
}

#[derive(Clone, Debug)]
enum Reply {
    Issue { refresh: bool, seconds: Option<u64> },
    Garbage(usize),
    Refuse(u16),
    Later(u16, Option<After>),
    Lost,
}

#[derive(Clone, Copy, Debug)]
enum After {
    Seconds(u32),
    /// A date so many seconds from what the wall clock shows.
    Date(i64),
}

const GARBAGE: [&str; 10] = [
    "",
    "<html>200 OK</html>",
    r#"{"access_token":"5ecret"}"#,
    r#"{"access_token":"5ecret","token_type":"mac"}"#,
    r#"{"access_token":"5ecret","token_type":"Bearer","expires_in":-1}"#,
    r#"{"access_token":"5ecret","token_type":"Bearer","expires_in":"3600"}"#,
    r#"{"access_token":"5ecret","access_token":"5ecret","token_type":"Bearer"}"#,
    r#"{"access_token":"5ecret\n","token_type":"Bearer"}"#,
    r#"{"access_token":"5ecret-that-is-longer-than-its-room","token_type":"Bearer"}"#,
    r#"{"access_token":["5ecret"],"token_type":"Bearer"}"#,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Obtain,
    Exchange,
    Refresh,
    Revoke,
}

#[derive(Clone, Debug)]
struct Held {
    text: String,
    ends: Option<u64>,
    renews: u64,
}

/// What the lifecycle must be like.
#[derive(Clone, Debug)]
struct Model {
    kind: Kind,
    has_wall: bool,
    has_uptime: bool,
    /// The true time since the beginning.
    truth: u64,
    wall: u64,
    /// What the device can know of the time that went by.
    elapsed: u64,
    issued: u32,
    access: Option<Held>,
    refresh: Option<String>,
    code: bool,
    flight: Option<(Step, u64)>,
    quiet_until: u64,
    failures: u32,
    doubted: bool,
    suspect: bool,
    revoking: bool,
    stopped: Option<Stop>,
}

fn part(of: u64, random: u32) -> u64 {
    u64::try_from(u128::from(of) * u128::from(random) / (1 << 32)).unwrap()
}

impl Model {
    fn now(&self) -> Now {
        Now {
            wall: self.has_wall.then(|| Timestamp::from_unix_millis(self.wall)),
            uptime: self.has_uptime.then(|| Uptime::from_millis(1_000 + self.truth)),
        }
    }

    fn step(&self) -> Option<Step> {
        if self.revoking {
            let held = self.refresh.is_some() || self.access.is_some();
            return (self.kind != Kind::Login && held).then_some(Step::Revoke);
        }
        match self.kind {
            _ if self.refresh.is_some() => Some(Step::Refresh),
            _ if self.code => Some(Step::Exchange),
            Kind::User => None,
            Kind::Client | Kind::Login => Some(Step::Obtain),
        }
    }

    fn need(&self) -> Need {
        if let Some(stop) = self.stopped {
            return Need::Stopped(stop);
        }
        if self.flight.is_some() {
            return Need::Answer;
        }
        if self.elapsed < self.quiet_until {
            return Need::Wait(self.quiet_until - self.elapsed);
        }
        match (&self.access, self.step()) {
            (Some(held), _) if !self.revoking && self.elapsed < held.renews => match held.ends {
                None => Need::Wait(u64::MAX),
                Some(_) => Need::Wait(held.renews - self.elapsed),
            },
            (_, Some(_)) => Need::Request,
            (_, None) if self.revoking => Need::Stopped(Stop::Revoked),
            (_, None) => Need::Authorization,
        }
    }

    fn usable(&self) -> Option<&str> {
        self.access.as_ref().filter(|_| !self.revoking).map(|held| held.text.as_str())
    }

    fn stop(&mut self, stop: Stop) {
        self.access = None;
        self.refresh = None;
        self.code = false;
        self.suspect = false;
        self.flight = None;
        self.stopped = Some(stop);
    }

    fn fail(&mut self, random: u32, after: u64) {
        let half = (1_000_u64 << self.failures.min(20)).min(300_000) / 2;
        self.quiet_until = self.elapsed + half.max(after.min(DAY)) + part(half, random);
        self.failures += 1;
        self.flight = None;
    }

    fn after(&self, after: Option<After>) -> u64 {
        match after {
            None => 0,
            Some(After::Seconds(seconds)) => u64::from(seconds) * 1_000,
            Some(After::Date(_)) if !self.has_wall => 0,
            Some(After::Date(_)) => {
                self.date(after).map_or(0, |date| date.as_unix_millis().saturating_sub(self.wall))
            }
        }
    }

    fn date(&self, after: Option<After>) -> Option<Timestamp> {
        let Some(After::Date(seconds)) = after else { return None };
        Some(Timestamp::from_unix_secs((self.wall / 1_000).saturating_add_signed(seconds)))
    }

    fn reply(&mut self, reply: &Reply, random: u32) {
        let Some((step, since)) = self.flight else { return };
        match (reply, step) {
            (Reply::Lost, _) => self.fail(random, 0),
            (Reply::Later(_, after), _) => self.fail(random, self.after(*after)),
            (_, Step::Revoke) => self.stop(Stop::Revoked),
            (Reply::Garbage(_), _) => self.fail(random, 0),
            (Reply::Refuse(403), _) => self.stop(Stop::Suspended),
            (Reply::Refuse(_), Step::Obtain) => self.stop(Stop::Refused),
            (Reply::Refuse(_), _) => {
                (self.refresh, self.code, self.flight) = (None, false, None);
            }
            (Reply::Issue { refresh, seconds }, _) => {
                self.issued += 1;
                self.code = false;
                if *refresh && self.kind != Kind::Login {
                    self.refresh = Some(format!("{MARK}-r{}", self.issued));
                }
                let ends = seconds.map(|seconds| since + seconds * 1_000);
                self.access = None;
                if ends.is_some_and(|ends| self.elapsed >= ends) {
                    return self.fail(random, 0);
                }
                let quarter = seconds.unwrap_or(0) * 1_000 / 4;
                let early = 60_000.min(quarter) + part(30_000.min(quarter), random);
                let renews = ends.map_or(u64::MAX, |ends| ends - early);
                self.access = Some(Held { text: format!("{MARK}-a{}", self.issued), ends, renews });
                self.suspect = self.doubted;
                (self.doubted, self.failures, self.quiet_until, self.flight) = (false, 0, 0, None);
            }
        }
    }

    /// What follows by itself.
    fn settle(&mut self) {
        if self.access.as_ref().and_then(|held| held.ends).is_some_and(|ends| self.elapsed >= ends) {
            self.access = None;
        }
        if let Need::Stopped(stop) = self.need() {
            self.stop(stop);
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Event;

    fn init_state() -> BoxedStrategy<Self> {
        let kind = prop_oneof![Just(Kind::Client), Just(Kind::Login), Just(Kind::User)];
        (kind, any::<bool>(), any::<bool>())
            .prop_map(|(kind, has_wall, has_uptime)| Self {
                kind,
                has_wall,
                has_uptime,
                truth: 0,
                wall: 1_780_000_000_123,
                elapsed: 0,
                issued: 0,
                access: None,
                refresh: None,
                code: false,
                flight: None,
                quiet_until: 0,
                failures: 0,
                doubted: false,
                suspect: false,
                revoking: false,
                stopped: None,
            })
            .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Event> {
        let random = prop_oneof![Just(0), Just(u32::MAX), any::<u32>()];
        // As long as the machine itself says, a little less, or anything.
        let due = match state.need() {
            Need::Wait(millis) if millis <= 2 * DAY => millis,
            _ => 1_000,
        };
        let tick = prop_oneof![Just(due), Just(due - 1), 0_u64..5_000, 0_u64..4_000_000, Just(DAY)];
        let wall = prop_oneof![
            Just(0),
            Just(1_780_000_000_000),
            (-DAY.cast_signed()..DAY.cast_signed()).prop_map({
                let wall = state.wall;
                move |step| wall.saturating_add_signed(step)
            }),
        ];
        let events = prop_oneof![
            6 => tick.prop_map(Event::Tick),
            1 => wall.prop_map(Event::SetWall),
            8 => Just(Event::Send),
            8 => (reply(), random.clone()).prop_map(|(reply, random)| Event::Reply(reply, random)),
            1 => random.prop_map(Event::GiveUp),
            1 => Just(Event::LateReply),
            3 => (prop_oneof![Just(200_u16), Just(401), Just(401), Just(403), Just(500)], any::<bool>())
                .prop_map(|(status, stale)| Event::Used { status, stale }),
            2 => any::<bool>().prop_map(|forged| Event::Authorize { forged }),
            1 => prop_oneof![4 => Just(Event::Restart), 1 => Just(Event::Revoke)],
        ];
        events.boxed()
    }

    fn apply(mut state: Self, event: &Event) -> Self {
        state.happens(event);
        state.settle();
        state
    }
}

impl Model {
    fn happens(&mut self, event: &Event) {
        match event {
            Event::Tick(millis) => {
                self.truth += millis;
                self.wall += millis;
                self.elapsed += millis;
            }
            Event::SetWall(wall) => {
                if self.has_wall && !self.has_uptime {
                    self.elapsed += wall.saturating_sub(self.wall);
                }
                self.wall = *wall;
            }
            Event::Send => {
                if self.need() == Need::Request {
                    self.flight = self.step().map(|step| (step, self.elapsed));
                }
            }
            Event::Reply(reply, random) => self.reply(reply, *random),
            Event::GiveUp(random) => {
                if self.flight.is_some() {
                    self.fail(*random, 0);
                }
            }
            Event::LateReply | Event::Used { stale: true, .. } => {}
            Event::Used { .. } if self.revoking => {}
            Event::Used { status, .. } => match (status, &self.access) {
                (_, None) => {}
                (401, _) if self.suspect => self.stop(Stop::Unauthorized),
                (401, _) => (self.access, self.doubted) = (None, true),
                (200, _) => self.suspect = false,
                _ => {}
            },
            Event::Authorize { forged } => {
                if self.may_authorize() {
                    self.code = !forged;
                    if !forged {
                        (self.access, self.refresh) = (None, None);
                    }
                }
            }
            Event::Revoke => self.revoking |= self.stopped.is_none(),
            Event::Restart => {
                self.stop(Stop::Revoked);
                (self.stopped, self.revoking, self.doubted) = (None, false, false);
                (self.failures, self.quiet_until) = (0, 0);
            }
        }
    }

    fn may_authorize(&self) -> bool {
        let idle = self.flight.is_none() && self.stopped.is_none() && !self.revoking;
        self.kind == Kind::User && idle
    }
}

fn reply() -> impl Strategy<Value = Reply> {
    let seconds = prop_oneof![
        Just(None),
        Just(Some(0)),
        Just(Some(1)),
        (1_u64..7_200).prop_map(Some),
        Just(Some(3_600)),
        Just(Some((1 << 53) - 1)),
    ];
    let after = prop_oneof![
        3 => Just(None),
        2 => (0_u32..600).prop_map(|seconds| Some(After::Seconds(seconds))),
        1 => Just(Some(After::Seconds(u32::MAX))),
        2 => (-600_i64..600).prop_map(|seconds| Some(After::Date(seconds))),
    ];
    let later = prop_oneof![Just(429_u16), Just(500), Just(503), Just(302), Just(404)];
    prop_oneof![
        8 => (any::<bool>(), seconds).prop_map(|(refresh, seconds)| Reply::Issue { refresh, seconds }),
        2 => (0..GARBAGE.len()).prop_map(Reply::Garbage),
        2 => prop_oneof![Just(400_u16), Just(401), Just(401), Just(403)].prop_map(Reply::Refuse),
        4 => (later, after).prop_map(|(status, after)| Reply::Later(status, after)),
        2 => Just(Reply::Lost),
    ]
}

/// What really runs, and what the auditor has seen of it.
struct Device {
    tokens: Lifecycle<'static, 24>,
    pending: Option<Pending>,
    lost: Vec<Pending>,
    generations: Vec<Generation>,
    has_clock: bool,
    audit: Audit,
}

/// All in true time.
#[derive(Default)]
struct Audit {
    truth: u64,
    sent: u64,
    /// When a request may leave again, as the issuer said last and its back-off demands at the least.
    allowed: u64,
    failures: u32,
    /// The tokens that were issued, and when they end.
    ends: Vec<(String, Option<u64>)>,
    dead: Vec<String>,
}

impl Audit {
    fn failed(&mut self, after: u64) {
        self.allowed = self.truth + after.min(DAY).max((500 << self.failures.min(20)).min(150_000));
        self.failures += 1;
    }

    fn uses(&self, token: &str, counts_time: bool) {
        let (_, ends) = self.ends.iter().find(|(text, _)| text == token).expect("it was issued");
        assert!(!self.dead.iter().any(|dead| dead == token), "{token} was refused or revoked");
        assert!(!counts_time || ends.is_none_or(|ends| self.truth < ends), "{token} has ended");
    }
}

impl Device {
    /// Compares everything with the model, and holds to what must never be.
    fn check(&mut self, model: &Model) {
        let now = model.now();
        let need = self.tokens.need(now);
        assert_eq!(need, model.need());
        let access = self.tokens.access(now);
        if let Some(access) = access {
            self.audit.uses(access.token, self.has_clock);
            if self.generations.last() != Some(&access.generation) {
                self.generations.push(access.generation);
            }
        }
        let printed = format!("{access:?} {need:?}");
        assert_eq!(access.map(|access| access.token), model.usable());
        assert_eq!(self.tokens.refresh_token(), model.refresh.as_deref());
        let printed = format!("{printed} {:?} {:?}", self.tokens, model.kind.config());
        assert!(!printed.contains(MARK), "{printed}");
    }

    fn send(&mut self, model_sent: Option<Step>, now: Now) {
        let mut room = [0; 512];
        let outcome = self.tokens.request(now, &mut room);
        let Some(step) = model_sent else {
            assert_eq!(outcome.err(), Some(TokenError::WrongTurn));
            return;
        };
        let (request, pending) = outcome.unwrap();
        assert!(!format!("{request:?} {pending:?}").contains(MARK));
        let body = str::from_utf8(request.body).unwrap();
        match step {
            Step::Obtain => {
                assert!(body.contains("5ecret-client") || body.contains("5ecret-login"), "{body}")
            }
            Step::Exchange => assert!(body.contains("code=5ecret-code&"), "{body}"),
            Step::Refresh => assert!(body.contains("refresh_token=5ecret-r"), "{body}"),
            Step::Revoke => {
                assert!(request.target == "/revoke" && body.starts_with("token=5ecret-"), "{body}")
            }
        }
        assert!(self.pending.is_none(), "two requests in flight");
        self.pending = Some(pending);
        self.audit.sent = self.audit.truth;
        assert!(!self.has_clock || self.audit.truth >= self.audit.allowed, "sooner than is allowed");
    }

    fn reply(&mut self, reply: &Reply, random: u32, before: &Model, after: &Model) {
        let Some(pending) = self.pending.take() else { return };
        let now = after.now();
        let answered = |tokens: &mut Lifecycle<'static, 24>, pending, status, retry_after, body: &str| {
            let answer = Answer { status, retry_after, body: body.as_bytes() };
            let outcome = tokens.answer(pending, now, random, answer);
            assert!(!format!("{answer:?} {outcome:?}").contains(MARK));
            outcome
        };
        match reply {
            Reply::Lost => {
                self.tokens.failed(pending, now, random).unwrap();
                self.audit.failed(0);
            }
            Reply::Garbage(which) => {
                let _ = answered(&mut self.tokens, pending, 200, None, GARBAGE[*which]);
                self.audit.failed(0);
            }
            Reply::Refuse(status) => {
                assert_eq!(
                    answered(&mut self.tokens, pending, *status, None, "{}"),
                    Err(TokenError::Refused { status: *status })
                );
            }
            Reply::Later(status, when) => {
                let retry_after = match when {
                    Some(After::Seconds(seconds)) => Some(RetryAfter::Seconds(*seconds)),
                    _ => before.date(*when).map(RetryAfter::Date),
                };
                assert_eq!(
                    answered(&mut self.tokens, pending, *status, retry_after, ""),
                    Err(TokenError::Later { status: *status })
                );
                self.audit.failed(before.after(*when));
            }
            Reply::Issue { refresh, seconds } => {
                let serial = before.issued + 1;
                let text = format!("{MARK}-a{serial}");
                let expires = seconds.map_or(String::new(), |seconds| format!(r#","expires_in":{seconds}"#));
                let refresh =
                    if *refresh { format!(r#","refresh_token":"{MARK}-r{serial}""#) } else { String::new() };
                let body = format!(r#"{{"access_token":"{text}","token_type":"Bearer"{expires}{refresh}}}"#);
                let outcome = answered(&mut self.tokens, pending, 200, None, &body);
                if after.issued > before.issued {
                    let ends = seconds.map(|seconds| self.audit.sent + seconds * 1_000);
                    self.audit.ends.push((text, ends));
                }
                match outcome {
                    Ok(()) => (self.audit.failures, self.audit.allowed) = (0, 0),
                    Err(_) => self.audit.failed(0),
                }
            }
        }
    }

    /// The user's part, with the redirect that the issuer sends or somebody else does.
    fn authorize(&mut self, forged: bool, allowed: bool) {
        let mut room = [0; 512];
        let mut random = [7; 64];
        random[32] = self.lost.len() as u8;
        let Ok(url) = self.tokens.authorize("https://issuer", &Secret::new(random), &mut room) else {
            return assert!(!allowed);
        };
        assert!(allowed);
        let state = url.split("state=").nth(1).unwrap().split('&').next().unwrap();
        let wrong = format!("{}{}", &state[1..], "A");
        let state = if forged { &wrong } else { state };
        let outcome = self.tokens.authorized(&format!("code=5ecret-code&state={state}"));
        assert_eq!(outcome, if forged { Err(TokenError::State) } else { Ok(()) });
    }
}

struct Beside;

impl StateMachineTest for Beside {
    type SystemUnderTest = (Device, Model);
    type Reference = Model;

    fn init_test(model: &Model) -> (Device, Model) {
        let mut device = Device {
            tokens: Lifecycle::new(model.kind.config()).unwrap(),
            pending: None,
            lost: Vec::new(),
            generations: Vec::new(),
            // A wall clock alone may be set forward, and then nobody could know.
            has_clock: model.has_uptime || !model.has_wall,
            audit: Audit::default(),
        };
        device.check(model);
        (device, model.clone())
    }

    fn apply((mut device, before): (Device, Model), model: &Model, event: Event) -> (Device, Model) {
        let now = model.now();
        match event {
            Event::Tick(millis) => {
                device.audit.truth += millis;
                if !model.has_wall && !model.has_uptime {
                    device.tokens.waited(millis);
                }
            }
            Event::SetWall(_) => {}
            Event::Send => {
                let sends = before.flight.is_none();
                device.send(model.flight.map(|(step, _)| step).filter(|_| sends), now);
            }
            Event::Reply(reply, random) => device.reply(&reply, random, &before, model),
            Event::GiveUp(random) => {
                device.tokens.give_up(now, random);
                if let Some(pending) = device.pending.take() {
                    device.lost.push(pending);
                    device.audit.failed(0);
                }
            }
            Event::LateReply => {
                if let Some(lost) = device.lost.pop() {
                    let body = br#"{"access_token":"5ecret-late","token_type":"Bearer"}"#;
                    let late = Answer { status: 200, retry_after: None, body };
                    assert_eq!(device.tokens.answer(lost, now, 0, late), Err(TokenError::WrongTurn));
                }
            }
            Event::Used { status, stale } => {
                let used = device.generations.iter().rev().nth(usize::from(stale)).copied();
                match (used, before.usable()) {
                    (Some(used), Some(_)) => device.tokens.used(used, status),
                    (Some(used), None) if stale => device.tokens.used(used, status),
                    _ => {}
                }
                if let (401, false, Some(token)) = (status, stale, before.usable()) {
                    device.audit.dead.push(token.into());
                }
            }
            Event::Authorize { forged } => device.authorize(forged, before.may_authorize()),
            Event::Revoke => {
                device.tokens.revoke();
                device.audit.dead.extend(before.access.iter().map(|held| held.text.clone()));
            }
            Event::Restart => {
                device.tokens.restart();
                (device.audit.failures, device.audit.allowed) = (0, 0);
            }
        }
        // Whatever ended the request that was out, such as a token refused for good while it was renewed.
        if model.flight.is_none() {
            device.lost.extend(device.pending.take());
        }
        device.check(model);
        (device, model.clone())
    }

    /// From wherever it ended, with an issuer that is well there is a token soon.
    fn teardown((mut device, mut model): (Device, Model), _: Model) {
        for _ in 0..8 {
            let event = match model.need() {
                Need::Stopped(_) => return,
                _ if model.usable().is_some() && model.need() != Need::Request => return,
                Need::Wait(millis) => Event::Tick(millis),
                Need::Request => Event::Send,
                Need::Answer => Event::Reply(Reply::Issue { refresh: true, seconds: Some(3_600) }, 1 << 31),
                _ => Event::Authorize { forged: false },
            };
            let next = Model::apply(model.clone(), &event);
            (device, model) = <Self as StateMachineTest>::apply((device, model), &next, event);
        }
        panic!("no progress: {model:?}");
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lifecycle_does_what_its_model_says(sequential 1..120 => Beside);
}
