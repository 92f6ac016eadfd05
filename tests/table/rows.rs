//! Every scheme × mode × identity policy, and what comes of it: the table, and what plays it over any two providers.

use crate::support::{DEVICE, Guest, House};
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{CryptoError, Provider, Signer, Verifier};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error, Peer};
use std::fmt;

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
    accepted: bool,
    /// The client's.
    mode: Mode,
    /// The gateway's least.
    least: Mode,
    /// Whether the gateway has an identity.
    identity: bool,
    pinned: Pinned,
    registered: Registered,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// A session of the client's mode and scheme, whose first request reaches the upstream.
    Session,
    /// The gateway refuses, and keeps no session.
    Refused(Code),
    /// The client refuses the gateway's answer.
    Refuses(Peer),
}

/// A column that may say anything.
type Any<T> = &'static [T];

struct Row {
    mode: Any<Mode>,
    least: Any<Mode>,
    accepted: Any<bool>,
    identity: Any<bool>,
    pinned: Any<Pinned>,
    registered: Any<Registered>,
    outcome: Outcome,
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
const ROWS: &[Row] = &[
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
    fn has(&self, case: &Case) -> bool {
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
fn cases(scheme: Scheme) -> impl Iterator<Item = Case> {
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

/// One end: what makes its provider and its identity.
pub(crate) trait End {
    type Provider: Provider;
    type Signer: Signer;
    type Verifier: Verifier;

    fn provider(&self) -> Self::Provider;
    fn signer(&self) -> (Self::Signer, PinnedKey);
    fn verifier(&self, pins: &'static [PinnedKey]) -> Self::Verifier;
    /// Whether the provider has the scheme.
    fn has(&self, scheme: Scheme) -> bool;
    /// Called when all that was made is gone again.
    fn check(&self, case: &dyn fmt::Debug);
}

/// Plays every case of these schemes; `stranger` is a key of nobody here. Returns how many.
pub(crate) fn play(client: &impl End, gateway: &impl End, schemes: &[Scheme], stranger: PinnedKey) -> usize {
    let (mut played, mut hit) = (0, vec![0; ROWS.len()]);
    for scheme in schemes {
        for case in cases(*scheme) {
            let mut rows = ROWS.iter().enumerate().filter(|(_, row)| row.has(&case));
            let (number, row) = rows.next().unwrap_or_else(|| panic!("no row for {case:?}"));
            assert!(rows.next().is_none(), "two rows for {case:?}");
            hit[number] += 1;
            played += 1;
            assert_eq!(outcome(client, gateway, &case, stranger), row.outcome, "{case:?}");
            client.check(&case);
            gateway.check(&case);
        }
    }
    if schemes.contains(&Scheme::EcAes2) {
        assert!(hit.iter().all(|hits| *hits > 0), "a row without a case: {hit:?}");
    }
    played
}

fn outcome(client: &impl End, gateway: &impl End, case: &Case, stranger: PinnedKey) -> Outcome {
    let (signer, key) = gateway.signer();
    let mut house = House::new(gateway.provider(), case.identity.then_some((signer, key)));
    house.demand(case.least);
    let others = Scheme::BY_STRENGTH.into_iter().filter(|scheme| *scheme != case.scheme);
    house.gateway.clients.schemes =
        if case.accepted { Vec::leak(vec![case.scheme]) } else { Vec::leak(others.collect()) };

    let pins: &'static [PinnedKey] = match case.pinned {
        Pinned::Nobody => &[],
        Pinned::Another => Vec::leak(vec![stranger]),
        Pinned::TheGateway => Vec::leak(vec![stranger, key]),
    };
    let (signer, key) = client.signer();
    match case.registered {
        Registered::Not => {}
        Registered::ForAnother => house.register(key, "device-2"),
        Registered::ForIt => house.register(key, DEVICE.2),
    }
    let mut guest =
        Guest::new(case.mode, case.scheme, client.provider(), client.verifier(pins), Some(signer));
    match guest.shake(&mut house) {
        Ok(mut visit) => {
            assert_eq!(visit.session.facts().scheme(), case.scheme, "{case:?}");
            assert_eq!((house.live(), house.forwarded), (1, 0), "{case:?}");
            for call in 1..=2 {
                assert_eq!(guest.call(&mut visit, &mut house), Ok(()), "{case:?}");
                assert_eq!(house.forwarded, call);
            }
            Outcome::Session
        }
        Err(Error::Refused(code)) => {
            assert_eq!(house.live(), 0, "{case:?}");
            Outcome::Refused(code)
        }
        Err(Error::Peer(peer)) => Outcome::Refuses(peer),
        Err(error) => panic!("{case:?}: {error:?}"),
    }
}

/// A scheme that an end lacks: at the client it is an error before anything was sent, at the gateway it is not served.
pub(crate) fn lacking(client: &impl End, gateway: &impl End, scheme: Scheme) {
    for mode in [Mode::Confirmed, Mode::Pinned, Mode::Mutual] {
        let (signer, key) = gateway.signer();
        let mut house = House::new(gateway.provider(), Some((signer, key)));
        house.gateway.clients.schemes = Vec::leak(vec![scheme]);
        let (signer, own) = client.signer();
        house.register(own, DEVICE.2);
        let verifier = client.verifier(Vec::leak(vec![key]));
        let mut guest = Guest::new(mode, scheme, client.provider(), verifier, Some(signer));
        let expected = if client.has(scheme) {
            Error::Refused(Code::StoreUnavailable)
        } else {
            Error::Crypto(CryptoError::Unsupported)
        };
        assert_eq!(guest.shake(&mut house).err(), Some(expected), "{mode:?} {scheme}");
        assert_eq!(house.live(), 0);
    }
}
