//! Negotiation (§2.2) by enumeration: what a gateway chooses, and that nobody on the wire has a say in it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_stack_frames,
    reason = "a test that fails should panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod choice;
mod conflicts;
mod downgrade;
mod middle;
mod pool;

use dynamic_key::scheme::{Preference, Scheme};

const PREFERENCES: [Preference; 2] = [Preference::Client, Preference::Strongest];

/// The schemes that this build can perform, strongest first.
const SCHEMES: &[Scheme] = Scheme::SOFTWARE;

/// Every sequence of different ones, also the empty one, shorter ones first.
fn sequences<T: Copy + PartialEq>(of: &[T]) -> Vec<Vec<T>> {
    let mut all: Vec<Vec<T>> = vec![vec![]];
    let mut at = 0;
    while at < all.len() {
        let longer = of.iter().filter(|item| !all[at].contains(item));
        let longer: Vec<_> = longer.map(|item| [&all[at][..], &[*item]].concat()).collect();
        all.extend(longer);
        at += 1;
    }
    all
}

/// Every subset.
fn subsets<T: Copy>(of: &[T]) -> Vec<Vec<T>> {
    let item =
        |set: usize| of.iter().enumerate().filter(move |(at, _)| set >> at & 1 == 1).map(|(_, item)| *item);
    (0..1 << of.len()).map(|set| item(set).collect()).collect()
}

fn names(schemes: &[Scheme]) -> Vec<String> {
    schemes.iter().map(|scheme| scheme.name().into()).collect()
}

/// What a gateway has to choose, as §2.2 has it.
fn expected(offer: &[Scheme], accepted: &[Scheme], preference: Preference) -> Option<Scheme> {
    let common: Vec<_> = offer.iter().copied().filter(|scheme| accepted.contains(scheme)).collect();
    match preference {
        Preference::Client => common.first().copied(),
        Preference::Strongest => [Scheme::EcAes2, Scheme::Aes2, Scheme::EcAes1, Scheme::Aes1]
            .into_iter()
            .find(|s| common.contains(s)),
    }
}
