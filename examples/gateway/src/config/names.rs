//! The protocol's names and times as a file writes them.

use dynamic_key::scheme::{Preference, Scheme};
use dynamic_key::session::{ClientType, Mode};
use serde::de::{Deserialize, Deserializer, Error};
use std::time::Duration;

/// Something that a file calls by its name.
pub(crate) trait Named: Sized {
    /// What it is, and which names there are.
    const EXPECTED: &'static str;
    fn named(name: &str) -> Option<Self>;
}

impl Named for Mode {
    const EXPECTED: &'static str = "a least mode: plain, confirmed or mutual";
    /// A gateway cannot see whether a client pins.
    fn named(name: &str) -> Option<Self> {
        Self::from_name(name).filter(|mode| *mode != Self::Pinned)
    }
}

impl Named for ClientType {
    const EXPECTED: &'static str = "a client type: internal or external";
    fn named(name: &str) -> Option<Self> {
        Self::from_name(name)
    }
}

impl Named for Scheme {
    const EXPECTED: &'static str = "a scheme: SCHEME-EC-AES2, SCHEME-AES2, SCHEME-EC-AES1 or SCHEME-AES1";
    fn named(name: &str) -> Option<Self> {
        Self::from_name(name)
    }
}

impl Named for Preference {
    const EXPECTED: &'static str = "a preference: client or strongest";
    fn named(name: &str) -> Option<Self> {
        match name {
            "client" => Some(Self::Client),
            "strongest" => Some(Self::Strongest),
            _ => None,
        }
    }
}

fn find<T: Named, E: Error>(name: &str) -> Result<T, E> {
    T::named(name).ok_or_else(|| E::custom(format_args!("`{name}` is not {}", T::EXPECTED)))
}

pub(super) fn one<'de, D: Deserializer<'de>, T: Named>(deserializer: D) -> Result<T, D::Error> {
    find(&String::deserialize(deserializer)?)
}

pub(super) fn some<'de, D: Deserializer<'de>, T: Named>(deserializer: D) -> Result<Option<T>, D::Error> {
    one(deserializer).map(Some)
}

pub(super) fn list<'de, D: Deserializer<'de>, T: Named>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|name| find(name)).collect()
}

pub(super) fn some_list<'de, D: Deserializer<'de>, T: Named>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    list(deserializer).map(Some)
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|seconds| Duration::from_secs(seconds.into()))
}
