//! `Retry-After`: what is read is what a date or a number written anew says; what is written is read.
#![no_main]

use dynamic_key::codec::retry_after::RetryAfter;
use dynamic_key::codec::timestamp::Timestamp;
use dynamic_key_fuzz::input::Input;
use libfuzzer_sys::fuzz_target;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

fuzz_target!(|bytes: &[u8]| {
    match RetryAfter::parse(bytes) {
        Some(RetryAfter::Seconds(seconds)) => {
            let text = str::from_utf8(bytes).unwrap();
            assert!(text.bytes().all(|byte| byte.is_ascii_digit()));
            let significant = text.trim_start_matches('0');
            let expected = if significant.is_empty() { Ok(0) } else { significant.parse() };
            assert_eq!(seconds, expected.unwrap_or(u32::MAX), "{text}");
        }
        Some(RetryAfter::Date(date)) => {
            // A day below ten may be written with a zero in the form of asctime, too.
            let [fixed, old, asctime] = forms(date);
            let zero = asctime.replacen("  ", " 0", 1);
            let text = str::from_utf8(bytes).unwrap();
            assert!([fixed, old, asctime, zero].iter().any(|form| form == text), "{text}");
        }
        None => assert!(bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit)),
    }
    let seconds = Input::new(bytes).long() % 253_402_300_800;
    let date = Timestamp::from_unix_secs(seconds);
    let [fixed, old, asctime] = forms(date);
    let read = |text: &str| RetryAfter::parse(text.as_bytes());
    assert_eq!(read(&fixed), Some(RetryAfter::Date(date)));
    assert_eq!(read(&asctime), Some(RetryAfter::Date(date)));
    // 2070-01-01: from then on two digits of a year mean another.
    if seconds < 3_155_760_000 {
        assert_eq!(read(&old), Some(RetryAfter::Date(date)));
    }
});

/// A date in the three forms of RFC 9110 §5.6.7.
fn forms(date: Timestamp) -> [String; 3] {
    let mut room = [0; 24];
    let text = date.write(&mut room).unwrap();
    let (year, day, time) = (&text[..4], &text[8..10], &text[11..19]);
    let month: usize = text[5..7].parse().unwrap();
    let month = &MONTHS[month * 3 - 3..month * 3];
    let name = DAYS[(date.as_unix_secs() / 86_400 + 4) as usize % 7];
    let padded = day.strip_prefix('0').map_or(day.to_string(), |digit| format!(" {digit}"));
    [
        format!("{}, {day} {month} {year} {time} GMT", &name[..3]),
        format!("{name}, {day}-{month}-{} {time} GMT", &year[2..]),
        format!("{} {month} {padded} {time} {year}", &name[..3]),
    ]
}
