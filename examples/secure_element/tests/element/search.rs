//! A search for secrets in what a bus has carried: by value, in every 16 bytes of them, forwards and backwards, raw and as hex
//! and base64 of either alphabet.

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use dynamic_key_secure_element::chip::{Direction, Entry, Sighting};
use std::collections::HashSet;

/// How much of a secret is a find.
const WINDOW: usize = 16;

/// How a secret was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Find {
    pub(crate) direction: Direction,
    pub(crate) backwards: bool,
    pub(crate) form: &'static str,
}

/// What 16 bytes may look like.
fn forms(window: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms =
        vec![("raw", window.to_vec()), ("hex", hex.to_uppercase().into_bytes()), ("hex", hex.into_bytes())];
    // Within a longer text, whole characters of base64 begin at one byte of three.
    for whole in [&window[..15], &window[1..16], &window[2..14]] {
        forms.push(("base64", Base64Unpadded::encode_string(whole).into_bytes()));
        forms.push(("base64url", Base64UrlUnpadded::encode_string(whole).into_bytes()));
    }
    forms
}

/// The texts of these lengths in `stream`, for a quick look at each.
fn texts(stream: &[u8], length: usize) -> HashSet<&[u8]> {
    stream.windows(length).collect()
}

/// All that is found of `secrets` in `log`.
pub(crate) fn search(log: &[Entry], secrets: &[Sighting]) -> Vec<Find> {
    let mut finds = Vec::new();
    for direction in [Direction::ToChip, Direction::ToHost] {
        // One after the other, so that what was cut in two is whole; and without the frames, which may stand between.
        let entries = || log.iter().filter(|entry| entry.direction == direction);
        let wire: Vec<u8> = entries().flat_map(|entry| entry.bytes.clone()).collect();
        let overhead = if direction == Direction::ToChip { 6 } else { 7 };
        let payload = |entry: &Entry| {
            let end = entry.bytes.len().saturating_sub(2);
            entry.bytes.get(overhead..end).unwrap_or_default().to_vec()
        };
        let payloads: Vec<u8> = entries().flat_map(payload).collect();
        let lengths = [16, 20, 32];
        let seen = [&wire, &payloads].map(|stream| lengths.map(|length| texts(stream, length)));
        for secret in secrets {
            for window in secret.bytes.windows(WINDOW) {
                for backwards in [false, true] {
                    let mut window = window.to_vec();
                    if backwards {
                        window.reverse();
                    }
                    for (form, text) in forms(&window) {
                        let at = lengths.iter().position(|length| *length == text.len()).unwrap();
                        if seen.iter().any(|seen| seen[at].contains(&text[..])) {
                            finds.push(Find { direction, backwards, form });
                        }
                    }
                }
            }
        }
    }
    finds
}
