//! The schemes of §1 and the choice among them (§2.2): pure functions.

use crate::codec::cursor::Writer;
use crate::codec::is_made_of;
use crate::codec::json::Str;
use crate::codec::spki::Group;
use crate::crypto::Aead;
use core::fmt;

/// A key-agreement scheme: a group, an AEAD and a power class (§1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Scheme {
    /// `SCHEME-AES1`: ffdhe2048 with AES-128-GCM.
    Aes1,
    /// `SCHEME-AES2`: ffdhe3072 with AES-256-GCM.
    Aes2,
    /// `SCHEME-EC-AES1`: P-256 with AES-128-GCM.
    EcAes1,
    /// `SCHEME-EC-AES2`: P-256 with AES-256-GCM.
    EcAes2,
}

/// The class of device that a scheme is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Power {
    /// Battery-powered and small devices: AES-128.
    Low,
    /// Everything else: AES-256.
    High,
}

impl Scheme {
    /// All schemes, strongest first: the strength order of §1.
    pub const BY_STRENGTH: [Self; 4] = [Self::EcAes2, Self::Aes2, Self::EcAes1, Self::Aes1];

    /// The most bytes that [`Scheme::put_names`] puts.
    pub(crate) const MAX_NAMES_LEN: usize = 1 + 2 * ("#SCHEME-AES1".len() + "#SCHEME-EC-AES1".len());

    /// The elliptic-curve schemes, strongest first: what a gateway accepts by default.
    pub const ELLIPTIC: [Self; 2] = [Self::EcAes2, Self::EcAes1];

    /// The schemes that the software provider of this build performs, strongest first: all with the feature `ffdhe`, the
    /// elliptic-curve ones without.
    pub const SOFTWARE: &'static [Self] =
        if cfg!(feature = "ffdhe") { &Self::BY_STRENGTH } else { &Self::ELLIPTIC };

    /// The name on the wire.
    #[must_use]
    #[inline(never)] // small: it is called for every name that is read, written or hashed
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes1 => "SCHEME-AES1",
            Self::Aes2 => "SCHEME-AES2",
            Self::EcAes1 => "SCHEME-EC-AES1",
            Self::EcAes2 => "SCHEME-EC-AES2",
        }
    }

    /// The scheme with this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::BY_STRENGTH.into_iter().find(|scheme| scheme.name() == name)
    }

    /// As [`Scheme::from_name`], of a string as it was sent.
    pub(crate) fn from_json(name: Str<'_>) -> Option<Self> {
        Self::BY_STRENGTH.into_iter().find(|scheme| name.is(scheme.name()))
    }

    /// Puts the names of schemes, of which none is repeated, as [`NameList::as_bytes`] has names.
    pub(crate) fn put_names(schemes: &[Self], out: &mut Writer<'_>) {
        // Four names of 14 characters at most.
        out.put(&[schemes.len() as u8]);
        for scheme in schemes {
            out.put(&[scheme.name().len() as u8]);
            out.put(scheme.name().as_bytes());
        }
    }

    /// The group that the ephemeral keys belong to.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Aes1 => Group::Ffdhe2048,
            Self::Aes2 => Group::Ffdhe3072,
            Self::EcAes1 | Self::EcAes2 => Group::P256,
        }
    }

    /// The AEAD that seals the messages.
    #[must_use]
    pub const fn aead(self) -> Aead {
        match self {
            Self::Aes1 | Self::EcAes1 => Aead::Aes128Gcm,
            Self::Aes2 | Self::EcAes2 => Aead::Aes256Gcm,
        }
    }

    /// The class of device that it is meant for.
    #[must_use]
    pub const fn power(self) -> Power {
        match self {
            Self::Aes1 | Self::EcAes1 => Power::Low,
            Self::Aes2 | Self::EcAes2 => Power::High,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose order decides among the schemes that both sides support.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Preference {
    /// The client's first acceptable scheme, so that a low-power device gets what it asks for.
    #[default]
    Client,
    /// The strongest common scheme.
    Strongest,
}

/// The gateway's choice among the schemes that a client offers, given those that the gateway accepts. It depends on
/// nothing else, above all not on the key that came (§2.2).
#[must_use]
pub fn negotiate(offer: &NameList, accepted: &[Scheme], preference: Preference) -> Option<Scheme> {
    let mut common = offer.iter().filter_map(Scheme::from_name).filter(|scheme| accepted.contains(scheme));
    match preference {
        Preference::Client => common.next(),
        Preference::Strongest => {
            common.min_by_key(|scheme| Scheme::BY_STRENGTH.iter().position(|other| other == scheme))
        }
    }
}

/// A list of scheme or feature names as the transcript takes it (§2.3): a count, then length ‖ name for each, in the order
/// of the wire, unknown names included.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NameList {
    /// The first byte is the count; without entries there is none.
    bytes: heapless::Vec<u8, { Self::MAX_LEN }, u16>,
}

/// Why a name was not taken into a [`NameList`]: its characters, its length, a duplicate, or one too many (§2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidName;

impl NameList {
    /// The most names that a list holds.
    pub const MAX_NAMES: usize = 8;
    /// The most characters of a name.
    pub const MAX_NAME: usize = 32;
    /// The most bytes of a list: 265.
    pub const MAX_LEN: usize = 1 + Self::MAX_NAMES * (1 + Self::MAX_NAME);

    /// The encoding of the list without entries.
    pub const NONE: &'static [u8] = &[0];

    /// The list without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: heapless::Vec::new() }
    }

    /// The names of `schemes`.
    ///
    /// # Errors
    /// [`InvalidName`] for more than 8 schemes or a duplicate.
    pub fn of_schemes(schemes: &[Scheme]) -> Result<Self, InvalidName> {
        let mut list = Self::new();
        schemes.iter().try_for_each(|scheme| list.push(scheme.name()))?;
        Ok(list)
    }

    /// Appends a name of 1 to 32 characters of `[A-Za-z0-9-]`.
    ///
    /// # Errors
    /// [`InvalidName`] for another length or character, a name that the list holds, or a ninth name.
    pub fn push(&mut self, name: &str) -> Result<(), InvalidName> {
        let valid = is_made_of(name.as_bytes(), b"-");
        let length = u8::try_from(name.len()).map_err(|_| InvalidName)?;
        if !valid || !(1..=Self::MAX_NAME).contains(&name.len()) || self.contains(name) {
            return Err(InvalidName);
        }
        if self.bytes.is_empty() {
            self.bytes.push(0).map_err(|_| InvalidName)?;
        }
        let count = self.bytes.first_mut().ok_or(InvalidName)?;
        if usize::from(*count) == Self::MAX_NAMES {
            return Err(InvalidName);
        }
        *count = count.saturating_add(1);
        // Eight names of 32 characters fit by construction.
        self.bytes.push(length).map_err(|_| InvalidName)?;
        self.bytes.extend_from_slice(name.as_bytes()).map_err(|_| InvalidName)
    }

    /// Whether the list holds `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|other| other == name)
    }

    /// Whether the list is without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.bytes.get(1..).unwrap_or_default();
        core::iter::from_fn(move || {
            let (length, after) = rest.split_first()?;
            let (name, after) = after.split_at_checked(usize::from(*length))?;
            rest = after;
            core::str::from_utf8(name).ok()
        })
    }

    /// The encoding: what the transcript takes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        if self.bytes.is_empty() { Self::NONE } else { &self.bytes }
    }
}

impl Default for NameList {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> NameList {
        let mut list = NameList::new();
        for name in names {
            list.push(name).unwrap();
        }
        list
    }

    #[test]
    fn names_and_properties() {
        let names = NameList::of_schemes(&Scheme::BY_STRENGTH).unwrap();
        let mut room = [0; Scheme::MAX_NAMES_LEN];
        for scheme in Scheme::BY_STRENGTH {
            assert_eq!(Scheme::from_name(scheme.name()), Some(scheme));
            assert_eq!(scheme.power() == Power::Low, scheme.aead().key_len() == 16);
        }
        let mut out = Writer::new(&mut room);
        Scheme::put_names(&Scheme::BY_STRENGTH, &mut out);
        assert_eq!(out.finish_slice(), Ok(names.as_bytes()));
        assert_eq!(names.as_bytes().len(), Scheme::MAX_NAMES_LEN);
        assert_eq!(Scheme::from_name("SCHEME-EC-AES3"), None);
        assert_eq!(Scheme::from_name("scheme-ec-aes2"), None);
    }

    #[test]
    fn the_list_is_encoded_as_the_transcript_takes_it() {
        assert_eq!(NameList::new().as_bytes(), [0]);
        assert_eq!(list(&["rt"]).as_bytes(), [1, 2, b'r', b't']);
        assert_eq!(list(&["a", "bc"]).as_bytes(), b"\x02\x01a\x02bc");
        assert!(list(&["a", "bc"]).iter().eq(["a", "bc"]));
        let full: std::vec::Vec<_> = (0..8).map(|i| std::format!("{i}{}", "x".repeat(31))).collect();
        let full = list(&full.iter().map(|name| name.as_str()).collect::<std::vec::Vec<_>>());
        assert_eq!(full.as_bytes().len(), NameList::MAX_LEN);
    }

    #[test]
    fn the_list_refuses() {
        let mut names = list(&["a"]);
        let before = names.clone();
        for name in ["", "a", "a b", "ä", "a\0", "a,b", &"x".repeat(33)] {
            assert_eq!(names.push(name), Err(InvalidName), "{name:?}");
            assert_eq!(names, before);
        }
        for name in ["b", "c", "d", "e", "f", "g", "h"] {
            names.push(name).unwrap();
        }
        let before = names.clone();
        assert_eq!(names.push("i"), Err(InvalidName));
        assert_eq!(names, before);
    }

    #[test]
    fn every_offer_against_every_policy() {
        // Each subset of the schemes in each rotation as offer, each subset as policy.
        let subset = |mask: u8| -> std::vec::Vec<Scheme> {
            Scheme::BY_STRENGTH
                .into_iter()
                .enumerate()
                .filter(|(i, _)| mask & (1 << i) != 0)
                .map(|(_, s)| s)
                .collect()
        };
        for (offered, accepted, turn) in
            (0..16).flat_map(|a| (0..16).flat_map(move |b| (0..4).map(move |turn| (a, b, turn))))
        {
            let mut offer = subset(offered);
            let turn = turn % offer.len().max(1);
            offer.rotate_left(turn);
            let accepted = subset(accepted);
            let mut names = list(&["SCHEME-FUTURE-9"]);
            for scheme in &offer {
                names.push(scheme.name()).unwrap();
            }
            let first = offer.iter().copied().find(|scheme| accepted.contains(scheme));
            let strongest = accepted.iter().copied().find(|scheme| offer.contains(scheme));
            assert_eq!(negotiate(&names, &accepted, Preference::Client), first);
            assert_eq!(negotiate(&names, &accepted, Preference::Strongest), strongest);
        }
    }
}
