//! A search for secrets in what a bus has carried: by value, in every 16 bytes of them, forwards and backwards, raw and as hex
//! and base64 of either alphabet.

use super::{Direction, Entry, Sighting};
use crate::frame::HEADER_LEN;
use dynamic_key::codec::base64;
use std::collections::HashSet;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

/// How much of a secret is a find, in bytes.
pub const WINDOW: usize = 16;

/// The lengths of a window as bytes, or as base64 of some of it, and as hex.
const LENGTHS: [usize; 3] = [16, 20, 32];

/// Where a part of a secret was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Find {
    /// Who has sent it.
    pub direction: Direction,
    /// Whether its bytes came in reverse.
    pub backwards: bool,
    /// How it was written.
    pub form: &'static str,
}

/// All that is found of `secrets` in `log`.
#[must_use]
pub fn search(log: &[Entry], secrets: &[Sighting]) -> Vec<Find> {
    let mut finds = Vec::new();
    for direction in [Direction::ToChip, Direction::ToHost] {
        // One after the other, so that what was cut in two is whole; and without the frames, which may stand between.
        let entries = || log.iter().filter(|entry| entry.direction == direction);
        let wire: Vec<u8> = entries().flat_map(|entry| entry.bytes.iter().copied()).collect();
        let payloads: Vec<u8> = entries().flat_map(|entry| payload(entry).iter().copied()).collect();
        let texts: HashSet<&[u8]> = [&wire, &payloads]
            .into_iter()
            .flat_map(|stream| LENGTHS.into_iter().flat_map(|length| stream.windows(length)))
            .collect();
        for window in secrets.iter().flat_map(|secret| secret.bytes.windows(WINDOW)) {
            for backwards in [false, true] {
                let mut window = window.to_vec();
                if backwards {
                    window.reverse();
                }
                let found = forms(&window).into_iter().filter(|(_, text)| texts.contains(&text[..]));
                finds.extend(found.map(|(form, _)| Find { direction, backwards, form }));
            }
        }
    }
    finds
}

/// What is between the header and the checksum of a frame.
fn payload(entry: &Entry) -> &[u8] {
    let header = match entry.direction {
        Direction::ToChip => const { 2 + HEADER_LEN },
        Direction::ToHost => const { 2 + HEADER_LEN + 1 },
    };
    let end = entry.bytes.len().saturating_sub(2);
    entry.bytes.get(header..end).unwrap_or_default()
}

/// What 16 bytes may look like.
fn forms(window: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms =
        vec![("raw", window.to_vec()), ("hex", hex.to_uppercase().into_bytes()), ("hex", hex.into_bytes())];
    // Within a longer text, whole characters of base64 begin at one byte of three.
    for whole in [0..15, 1..16, 2..14].into_iter().filter_map(|range| window.get(range)) {
        let mut room = [0; 20];
        if let Ok(text) = base64::encode(whole, &mut room) {
            let other = text.replace('+', "-").replace('/', "_");
            forms.push(("base64", text.into()));
            forms.push(("base64url", other.into()));
        }
    }
    forms
}
