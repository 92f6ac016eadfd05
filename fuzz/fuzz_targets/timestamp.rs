//! Times against the `time` crate, and what is written is read.
#![no_main]

use dynamic_key::codec::timestamp::{LEN, Timestamp};
use dynamic_key_fuzz::input::Input;
use libfuzzer_sys::fuzz_target;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The last millisecond of the year 9999.
const LAST: u64 = 253_402_300_799_999;

fuzz_target!(|input: &[u8]| {
    let moment = Timestamp::from_unix_millis(Input::new(input).long());
    writes(moment);
    writes(Timestamp::from_unix_millis(moment.as_unix_millis() % (LAST + 1)));

    let theirs = str::from_utf8(input).ok().and_then(reference);
    let ours = Timestamp::parse(input).ok();
    assert_eq!(ours.map(Timestamp::as_unix_millis), theirs);
    if let Some(moment) = ours {
        assert!(input.len() <= Timestamp::MAX_LEN);
        writes(moment);
    }
});

fn writes(moment: Timestamp) {
    let mut out = [0; LEN];
    let written = moment.write(&mut out).unwrap();
    let expected = moment.as_unix_millis().min(LAST);
    assert_eq!(Timestamp::parse(written.as_bytes()).map(Timestamp::as_unix_millis), Ok(expected));
    assert_eq!(reference(written), Some(expected));
    assert!(moment.write(&mut [0; LEN - 1]).is_err());
}

/// What `time` makes of it, without what it takes and we refuse: small letters, leap seconds, other separators, more than
/// nine digits of fraction, years before 1970 and after 9999 in UTC.
fn reference(text: &str) -> Option<u64> {
    let strict = text.as_bytes().get(10) == Some(&b'T') && text.as_bytes().get(17..19) != Some(b"60");
    let digits = text.get(20..).map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    if !strict || text.contains('z') || (text.as_bytes().get(19) == Some(&b'.') && digits > 9) {
        return None;
    }
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    u64::try_from(nanos.div_euclid(1_000_000)).ok().filter(|millis| *millis <= LAST)
}
