//! `Retry-After` of HTTP (RFC 9110 §10.2.3): seconds, or a date in any of the three forms of §5.6.7.

use super::cursor::Reader;
use super::decimal;
use super::timestamp::Timestamp;
use crate::log::format_as;
use core::fmt;

/// When to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RetryAfter {
    /// After so many seconds; a number too large is the largest.
    Seconds(u32),
    /// At this point in time.
    Date(Timestamp),
}

impl RetryAfter {
    /// Reads the value of the field: digits, or an HTTP-date of the years 1970 to 9999. `None` for everything else, for
    /// a name of a day that is not that of the date, and for leap seconds.
    ///
    /// A year of two digits, which only an obsolete form has, is one of 1970 to 2069.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        match value.first()? {
            b'0'..=b'9' => seconds(value).map(Self::Seconds),
            _ => http_date(value).map(Self::Date),
        }
    }
}

/// The value of the field as it came, which nobody has read yet: who asks for seconds alone links no calendar. One that is absent
/// is empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// Zeros are behind it.
    text: [u8; Unread::MAX_LEN],
}

impl Unread {
    /// The length of the longest date: `Wednesday, 06-Nov-94 08:49:37 GMT`.
    pub const MAX_LEN: usize = 33;

    /// No such field.
    pub const ABSENT: Self = Self { text: [0; Self::MAX_LEN] };

    /// Keeps a value; one that is longer than any date counts as absent.
    #[must_use]
    pub fn new(value: &[u8]) -> Self {
        let mut unread = Self::ABSENT;
        if let Some(text) = unread.text.get_mut(..value.len()) {
            text.copy_from_slice(value);
        }
        unread
    }

    /// As [`RetryAfter::parse`].
    #[must_use]
    pub fn read(&self) -> Option<RetryAfter> {
        RetryAfter::parse(self.text())
    }

    /// The seconds; `None` for a date, too.
    #[must_use]
    pub fn seconds(&self) -> Option<u32> {
        seconds(self.text())
    }

    fn text(&self) -> &[u8] {
        let length = self.text.iter().position(|byte| *byte == 0).unwrap_or(Self::MAX_LEN);
        self.text.get(..length).unwrap_or_default()
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unread({})", self.text().escape_ascii())
    }
}

format_as! { [] Unread, unread => "Unread({=[u8]:a})", unread.text() }

fn seconds(value: &[u8]) -> Option<u32> {
    decimal(value).map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}

const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

fn http_date(value: &[u8]) -> Option<Timestamp> {
    let mut text = Reader::new(value);
    let name = text.rest().iter().position(|byte| !byte.is_ascii_alphabetic())?;
    let name = text.take(name)?;
    let short = name.len() == 3;
    let comma = text.expect(b",").is_some();
    text.expect(b" ")?;
    // IMF-fixdate, rfc850-date, asctime-date.
    let (year, month, day, seconds) = match (short, comma) {
        (true, true) => {
            let day = digits(&mut text, 2)?;
            text.expect(b" ")?;
            let month = month(&mut text)?;
            text.expect(b" ")?;
            let year = digits(&mut text, 4)?;
            text.expect(b" ")?;
            let seconds = time_of_day(&mut text)?;
            text.expect(b" GMT")?;
            (year, month, day, seconds)
        }
        (false, true) => {
            let day = digits(&mut text, 2)?;
            text.expect(b"-")?;
            let month = month(&mut text)?;
            text.expect(b"-")?;
            let year = digits(&mut text, 2)?;
            text.expect(b" ")?;
            let seconds = time_of_day(&mut text)?;
            text.expect(b" GMT")?;
            let century = if year < 70 { 2000 } else { 1900 };
            (year.wrapping_add(century), month, day, seconds)
        }
        (true, false) => {
            let month = month(&mut text)?;
            text.expect(b" ")?;
            let day = if text.expect(b" ").is_some() { digits(&mut text, 1)? } else { digits(&mut text, 2)? };
            text.expect(b" ")?;
            let seconds = time_of_day(&mut text)?;
            text.expect(b" ")?;
            (digits(&mut text, 4)?, month, day, seconds)
        }
        (false, false) => return None,
    };
    let date = Timestamp::from_date(year, month, day)?;
    let weekday = DAYS.get(usize::try_from(date.as_unix_secs() / 86_400 % 7).ok()?)?.as_bytes();
    let expected = if short { weekday.get(..3)? } else { weekday };
    (text.is_empty() && name == expected).then(|| date.saturating_add_secs(seconds.into()))
}

/// A number of so many digits.
fn digits(text: &mut Reader<'_>, count: usize) -> Option<u32> {
    seconds(text.take(count)?)
}

/// 1 to 12.
fn month(text: &mut Reader<'_>) -> Option<u32> {
    let name = text.take(3)?;
    u32::try_from(MONTHS.iter().position(|month| *month == name)?.wrapping_add(1)).ok()
}

/// Seconds since midnight.
fn time_of_day(text: &mut Reader<'_>) -> Option<u32> {
    let hour = digits(text, 2).filter(|hour| *hour < 24)?;
    text.expect(b":")?;
    let minute = digits(text, 2).filter(|minute| *minute < 60)?;
    text.expect(b":")?;
    let second = digits(text, 2).filter(|second| *second < 60)?;
    Some(hour.wrapping_mul(60).wrapping_add(minute).wrapping_mul(60).wrapping_add(second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    /// The moment of RFC 9110 §5.6.7.
    const EXAMPLE: RetryAfter = RetryAfter::Date(Timestamp::from_unix_secs(784_111_777));

    #[test]
    fn seconds_are_digits() {
        for (text, seconds) in [("0", 0), ("120", 120), ("007", 7), ("4294967295", u32::MAX)] {
            assert_eq!(RetryAfter::parse(text.as_bytes()), Some(RetryAfter::Seconds(seconds)), "{text}");
        }
        let long = "9".repeat(100);
        for text in ["4294967296", "99999999999999999999999", &long] {
            assert_eq!(RetryAfter::parse(text.as_bytes()), Some(RetryAfter::Seconds(u32::MAX)), "{text}");
        }
        for text in ["", "-1", "+1", "1.5", "1e3", " 1", "1 ", "0x1", "1,2", "\u{663}"] {
            assert_eq!(RetryAfter::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn what_was_kept_is_read_as_what_came() {
        for text in ["0", "7", "4294967296", "Sun, 06 Nov 1994 08:49:37 GMT", "", "-1", "é", "1 "] {
            let unread = Unread::new(text.as_bytes());
            assert_eq!(unread.read(), RetryAfter::parse(text.as_bytes()), "{text:?}");
            let seconds = match unread.read() {
                Some(RetryAfter::Seconds(seconds)) => Some(seconds),
                _ => None,
            };
            assert_eq!(unread.seconds(), seconds, "{text:?}");
        }
        let longest = "Wednesday, 06-Nov-13 08:49:37 GMT";
        assert_eq!(longest.len(), Unread::MAX_LEN);
        assert!(Unread::new(longest.as_bytes()).read().is_some());
        assert_eq!(Unread::new(format!("{longest} ").as_bytes()), Unread::ABSENT);
        assert_eq!(format!("{:?}", Unread::new(b"1\n")), "Unread(1\\n)");
    }

    #[test]
    fn the_three_forms_of_rfc_9110_are_one_moment() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(RetryAfter::parse(text.as_bytes()), Some(EXAMPLE), "{text}");
        }
    }

    #[test]
    fn two_digits_of_a_year_are_1970_to_2069() {
        let at = |text: &str| RetryAfter::parse(text.as_bytes());
        let date = |secs| Some(RetryAfter::Date(Timestamp::from_unix_secs(secs)));
        assert_eq!(at("Thursday, 01-Jan-70 00:00:00 GMT"), date(0));
        assert_eq!(at("Friday, 31-Dec-99 23:59:59 GMT"), date(946_684_799));
        assert_eq!(at("Saturday, 01-Jan-00 00:00:00 GMT"), date(946_684_800));
        assert_eq!(at("Tuesday, 31-Dec-69 23:59:59 GMT"), date(3_155_759_999));
    }

    /// Every day of two centuries, in all forms that can write it, and under the name of no other day.
    #[test]
    fn every_day_is_read_as_rfc_3339_has_it() {
        let mut room = [0; 24];
        for day in 0..73_000_u64 {
            let moment = Timestamp::from_unix_secs(day * 86_400 + day % 86_400);
            let text = String::from(moment.write(&mut room).unwrap());
            let (year, date, time) = (&text[..4], &text[8..10], &text[11..19]);
            let month = str::from_utf8(MONTHS[text[5..7].parse::<usize>().unwrap() - 1]).unwrap();
            let name = DAYS[day as usize % 7];
            let expected = Some(RetryAfter::Date(moment));
            let fixed = |name: &str| format!("{name}, {date} {month} {year} {time} GMT");
            assert_eq!(RetryAfter::parse(fixed(&name[..3]).as_bytes()), expected, "{text}");
            assert_eq!(RetryAfter::parse(fixed(&DAYS[(day as usize + 1) % 7][..3]).as_bytes()), None);
            let padded = date.strip_prefix('0').map_or(date.into(), |digit| format!(" {digit}"));
            let asctime = format!("{} {month} {padded} {time} {year}", &name[..3]);
            assert_eq!(RetryAfter::parse(asctime.as_bytes()), expected, "{asctime}");
            if (1970..2070).contains(&year.parse::<u32>().unwrap()) {
                let old = format!("{name}, {date}-{month}-{} {time} GMT", &year[2..]);
                assert_eq!(RetryAfter::parse(old.as_bytes()), expected, "{old}");
            }
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        let good = "Sun, 06 Nov 1994 08:49:37 GMT";
        for length in 0..good.len() {
            assert_eq!(RetryAfter::parse(&good.as_bytes()[..length]), None, "{length}");
        }
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 gmt",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:49:37.5 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Thu, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Now 1994 08:49:37 GMT",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday Nov  6 08:49:37 1994",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sat, 00 Jan 0000 00:00:00 GMT",
            "Fri, 31 Dec 99999 23:59:59 GMT",
            "Sun,06 Nov 1994 08:49:37 GMT",
            ", 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(RetryAfter::parse(text.as_bytes()), None, "{text}");
        }
    }
}
