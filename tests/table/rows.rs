//! What plays the table over any two providers.

#[path = "cases.rs"]
mod cases;

use crate::support::{DEVICE, Guest, House};
pub(crate) use cases::{Case, Pinned, Registered};
use cases::{Outcome, ROWS, cases};
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::crypto::{CryptoError, Provider, Signer, Verifier};
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error};
use std::fmt;

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
