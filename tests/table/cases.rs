//! Every scheme × mode × identity policy, and what comes of it. It needs no `std`, so that a microcontroller can play it, too.

use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Peer};

/// Whom the client pins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pinned {
    Nobody,
    Another,
    TheGateway,
}

/// For which device the gateway has registered the identity of the client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Registered {
    Not,
    ForAnother,
    ForIt,
}

/// What both sides demand and have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) scheme: Scheme,
    /// Whether the gateway accepts the scheme.
    pub(crate) accepted: bool,
    /// The client's.
    pub(crate) mode: Mode,
    /// The gateway's least.
    pub(crate) least: Mode,
    /// Whether the gateway has an identity.
    pub(crate) identity: bool,
    pub(crate) pinned: Pinned,
    pub(crate) registered: Registered,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// A session of the client's mode and scheme, whose first request reaches the upstream.
    Session,
    /// The gateway refuses, and keeps no session.
    Refused(Code),
    /// The client refuses the gateway's answer.
    Refuses(Peer),
}

/// A column that may say anything.
type Any<T> = &'static [T];

/// Cases that have one outcome.
pub(crate) struct Row {
    mode: Any<Mode>,
    least: Any<Mode>,
    accepted: Any<bool>,
    identity: Any<bool>,
    pinned: Any<Pinned>,
    registered: Any<Registered>,
    pub(crate) outcome: Outcome,
}

const MODES: Any<Mode> = &[Mode::Plain, Mode::Confirmed, Mode::Pinned, Mode::Mutual];
const UP_TO_PINNED: Any<Mode> = &[Mode::Plain, Mode::Confirmed, Mode::Pinned];
const YES: Any<bool> = &[true];
const NO: Any<bool> = &[false];
const ANY: Any<bool> = &[true, false];
const PINS: Any<Pinned> = &[Pinned::Nobody, Pinned::Another, Pinned::TheGateway];
const NOT_THE_GATEWAY: Any<Pinned> = &[Pinned::Nobody, Pinned::Another];
const THE_GATEWAY: Any<Pinned> = &[Pinned::TheGateway];
const KIDS: Any<Registered> = &[Registered::Not, Registered::ForAnother, Registered::ForIt];
const NOT_FOR_IT: Any<Registered> = &[Registered::Not, Registered::ForAnother];
const FOR_IT: Any<Registered> = &[Registered::ForIt];

const WEAK: Outcome = Outcome::Refused(Code::ConfirmationRequired);
const NO_SCHEME: Outcome = Outcome::Refused(Code::NoCommonScheme);
const STRANGER: Outcome = Outcome::Refused(Code::ClientNotAllowed);
const UNSIGNED: Outcome = Outcome::Refuses(Peer::Downgrade);
const IMPOSTOR: Outcome = Outcome::Refuses(Peer::Authentication);

const fn row(
    mode: Any<Mode>,
    least: Any<Mode>,
    accepted: Any<bool>,
    identity: Any<bool>,
    pinned: Any<Pinned>,
    registered: Any<Registered>,
    outcome: Outcome,
) -> Row {
    Row { mode, least, accepted, identity, pinned, registered, outcome }
}

/// The table. Each case has exactly one row. A gateway cannot see whether a client pins: to it, pinned is confirmed.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // client's mode       gateway's least                     scheme  identity  client pins      registered   outcome
    row(&[Mode::Plain],     &[Mode::Plain],                    YES,    ANY,      PINS,            KIDS,        Outcome::Session),
    row(&[Mode::Plain],     &[Mode::Plain],                    NO,     ANY,      PINS,            KIDS,        NO_SCHEME),
    row(&[Mode::Plain],     &[Mode::Confirmed, Mode::Pinned,
                              Mode::Mutual],                   ANY,    ANY,      PINS,            KIDS,        WEAK),
    row(&[Mode::Confirmed], UP_TO_PINNED,                      YES,    ANY,      PINS,            KIDS,        Outcome::Session),
    row(&[Mode::Confirmed], UP_TO_PINNED,                      NO,     ANY,      PINS,            KIDS,        NO_SCHEME),
    row(&[Mode::Confirmed], &[Mode::Mutual],                   ANY,    ANY,      PINS,            KIDS,        WEAK),
    row(&[Mode::Pinned],    UP_TO_PINNED,                      YES,    YES,      THE_GATEWAY,     KIDS,        Outcome::Session),
    row(&[Mode::Pinned],    UP_TO_PINNED,                      YES,    YES,      NOT_THE_GATEWAY, KIDS,        IMPOSTOR),
    row(&[Mode::Pinned],    UP_TO_PINNED,                      YES,    NO,       PINS,            KIDS,        UNSIGNED),
    row(&[Mode::Pinned],    UP_TO_PINNED,                      NO,     ANY,      PINS,            KIDS,        NO_SCHEME),
    row(&[Mode::Pinned],    &[Mode::Mutual],                   ANY,    ANY,      PINS,            KIDS,        WEAK),
    row(&[Mode::Mutual],    MODES,                             YES,    YES,      THE_GATEWAY,     FOR_IT,      Outcome::Session),
    row(&[Mode::Mutual],    MODES,                             YES,    YES,      NOT_THE_GATEWAY, FOR_IT,      IMPOSTOR),
    row(&[Mode::Mutual],    MODES,                             YES,    NO,       PINS,            FOR_IT,      UNSIGNED),
    row(&[Mode::Mutual],    MODES,                             NO,     ANY,      PINS,            FOR_IT,      NO_SCHEME),
    row(&[Mode::Mutual],    MODES,                             ANY,    ANY,      PINS,            NOT_FOR_IT,  STRANGER),
];

impl Row {
    pub(crate) fn has(&self, case: &Case) -> bool {
        self.mode.contains(&case.mode)
            && self.least.contains(&case.least)
            && self.accepted.contains(&case.accepted)
            && self.identity.contains(&case.identity)
            && self.pinned.contains(&case.pinned)
            && self.registered.contains(&case.registered)
    }
}

/// Every case of a scheme, but those that differ only in what nobody looks at: pins below pinned mode, and registrations of an
/// identity below mutual mode.
pub(crate) fn cases(scheme: Scheme) -> impl Iterator<Item = Case> {
    let schemes = MODES.iter().filter(move |mode| **mode != Mode::Plain || scheme == Scheme::EcAes2);
    schemes.flat_map(move |mode| {
        let pins = if *mode >= Mode::Pinned { PINS } else { THE_GATEWAY };
        let kids = if *mode == Mode::Mutual { KIDS } else { FOR_IT };
        MODES.iter().flat_map(move |least| {
            ANY.iter().flat_map(move |accepted| {
                ANY.iter().flat_map(move |identity| {
                    pins.iter().flat_map(move |pinned| {
                        kids.iter().map(move |registered| Case {
                            scheme,
                            accepted: *accepted,
                            mode: *mode,
                            least: *least,
                            identity: *identity,
                            pinned: *pinned,
                            registered: *registered,
                        })
                    })
                })
            })
        })
    })
}
