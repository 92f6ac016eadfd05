//! Points in time, as RFC 3339 writes them.

use super::{BufferTooSmall, cursor::Reader};
use core::fmt;

/// Bytes of the written form, `2026-06-04T00:00:00.000Z`.
pub const LEN: usize = 24;

const MILLIS_PER_SECOND: u64 = 1_000;
const MILLIS_PER_DAY: u64 = 86_400 * MILLIS_PER_SECOND;
/// 10000-01-01T00:00:00Z, the first moment that RFC 3339 cannot write.
const END_OF_YEAR_9999: u64 = 253_402_300_800_000;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timestamp {
    millis: u64,
}

/// A text is not an RFC 3339 date-time of the years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TimestampError {
    /// The text is of another form, or names a date or time that does not exist or is out of range.
    Malformed,
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is not an RFC 3339 date-time between the years 1970 and 9999")
    }
}

impl core::error::Error for TimestampError {}

impl Timestamp {
    /// The most characters of a date-time that [`Timestamp::parse`] takes: nine digits of fraction and an offset.
    pub const MAX_LEN: usize = 35;

    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// From seconds since the Unix epoch; what does not fit becomes the last moment that does.
    #[must_use]
    pub const fn from_unix_secs(secs: u64) -> Self {
        Self { millis: millis(secs) }
    }

    /// The start of a day, UTC; `None` for a day that does not exist or is not of the years 1970 to 9999.
    #[must_use]
    pub const fn from_date(year: u32, month: u32, day: u32) -> Option<Self> {
        let exists =
            matches!((year, month), (1970..=9999, 1..=12)) && day >= 1 && day <= days_in_month(year, month);
        if !exists {
            return None;
        }
        Some(Self { millis: (days(year, month, day) as u64).wrapping_mul(MILLIS_PER_DAY) })
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_millis(self) -> u64 {
        self.millis
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_unix_secs(self) -> u64 {
        self.millis / MILLIS_PER_SECOND
    }

    /// `millis` milliseconds later, or the last moment there is.
    #[must_use]
    pub const fn saturating_add_millis(self, millis: u64) -> Self {
        Self { millis: self.millis.saturating_add(millis) }
    }

    /// `secs` seconds later, or the last moment there is.
    #[must_use]
    pub const fn saturating_add_secs(self, secs: u64) -> Self {
        self.saturating_add_millis(millis(secs))
    }

    /// Reads an RFC 3339 §5.6 date-time: `T` and `Z` in upper case, a fraction of 1 to 9 digits or none (what
    /// is finer than a millisecond is dropped), an offset of `Z` or ±hh:mm.
    ///
    /// # Errors
    ///
    /// [`TimestampError::Malformed`] for everything else, for leap seconds, and for moments before 1970 or
    /// after 9999.
    #[inline(never)] // one frame less in its caller's
    pub fn parse(text: &[u8]) -> Result<Self, TimestampError> {
        parse(text).ok_or(TimestampError::Malformed)
    }

    /// Writes the form `2026-06-04T00:00:00.000Z`, [`LEN`] bytes. A moment after the year 9999 is written as
    /// its last millisecond.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] where `out` is shorter than [`LEN`].
    pub fn write(self, out: &mut [u8]) -> Result<&str, BufferTooSmall> {
        let out = out.get_mut(..LEN).ok_or(BufferTooSmall { needed: LEN })?;
        let millis = self.millis.min(END_OF_YEAR_9999.wrapping_sub(1));
        // Both fit: days of the year 9999 have seven digits, milliseconds of a day eight.
        let (days, millis) = ((millis / MILLIS_PER_DAY) as u32, (millis % MILLIS_PER_DAY) as u32);
        let (secs, millis) = (millis / 1_000, millis % 1_000);
        let (year, month, day) = date(days);
        out.copy_from_slice(b"0000-00-00T00:00:00.000Z");
        let fields = [year, month, day, secs / 3600, secs / 60 % 60, secs % 60, millis];
        // Fields are digits between separators: from the back, a separator moves on to the field before.
        let mut values = fields.iter().rev().copied();
        let mut value = 0;
        for byte in out.iter_mut().rev() {
            if *byte == b'0' {
                *byte = b'0' | (value % 10) as u8;
                value /= 10;
            } else {
                value = values.next().unwrap_or_default();
            }
        }
        Ok(core::str::from_utf8(out).unwrap_or_default())
    }
}

/// So many seconds in milliseconds.
#[inline(never)]
pub(crate) const fn millis(secs: u64) -> u64 {
    secs.saturating_mul(MILLIS_PER_SECOND)
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let mut text = Reader::new(text);
    let mut fields = [0; 6];
    for (field, &(digits, least, most, before)) in fields.iter_mut().zip(&FIELDS) {
        text.expect(before)?;
        *field = number(&mut text, digits, least.into(), most.into())?;
    }
    let [year, month, day, hour, minute, second] = fields;
    if day > days_in_month(year, month) {
        return None;
    }
    // Every term is small: the years have four digits.
    let secs = hour.wrapping_mul(60).wrapping_add(minute).wrapping_mul(60).wrapping_add(second);
    let millis_of_day = secs.wrapping_mul(1_000).wrapping_add(fraction(&mut text)?);
    let offset = offset(&mut text)?;
    if !text.is_empty() {
        return None;
    }
    let days = u64::from(days(year, month, day));
    let local = days.wrapping_mul(MILLIS_PER_DAY).wrapping_add(millis_of_day.into());
    let millis = local.checked_add_signed(i64::from(offset).wrapping_neg())?;
    (millis < END_OF_YEAR_9999).then_some(Timestamp { millis })
}

/// Year, month, day, hour, minute and second: digits, least, most, and what comes before.
const FIELDS: [(usize, u16, u16, &[u8]); 6] = [
    (4, 1970, 9999, b""),
    (2, 1, 12, b"-"),
    (2, 1, 31, b"-"),
    (2, 0, 23, b"T"),
    (2, 0, 59, b":"),
    (2, 0, 59, b":"),
];

/// A number of exactly `digits` digits between `least` and `most`.
#[inline(never)] // small: it is called for every field
fn number(text: &mut Reader<'_>, digits: usize, least: u32, most: u32) -> Option<u32> {
    let mut value = 0_u32;
    for &byte in text.take(digits)? {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(digit.into());
    }
    (least <= value && value <= most).then_some(value)
}

/// The milliseconds of a fraction of a second, if there is one.
fn fraction(text: &mut Reader<'_>) -> Option<u32> {
    if text.expect(b".").is_none() {
        return Some(0);
    }
    let (mut millis, mut unit, mut digits) = (0_u32, 100, 0_u32);
    while let Some(digit) = text.rest().first().filter(|byte| byte.is_ascii_digit()) {
        millis = millis.wrapping_add(u32::from(*digit & 0xf).wrapping_mul(unit));
        unit /= 10;
        digits = digits.saturating_add(1);
        text.byte();
    }
    matches!(digits, 1..=9).then_some(millis)
}

/// The offset from UTC in milliseconds, east positive.
fn offset(text: &mut Reader<'_>) -> Option<i32> {
    let unit = match text.byte()? {
        b'Z' => return Some(0),
        b'+' => 60_000,
        b'-' => -60_000,
        _ => return None,
    };
    let hours = number(text, 2, 0, 23)?;
    text.expect(b":")?;
    let minutes = hours.wrapping_mul(60).wrapping_add(number(text, 2, 0, 59)?);
    i32::try_from(minutes).ok().map(|minutes| minutes.wrapping_mul(unit))
}

const fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, 1970 or later.
///
/// A year is counted from March, so that the leap day is its last; its months then begin at day ⌊(153 m + 2)
/// / 5⌋.
const fn days(year: u32, month: u32, day: u32) -> u32 {
    let before_march = month < 3;
    let year = year.wrapping_sub(before_march as u32);
    let month = if before_march { month.wrapping_add(9) } else { month.wrapping_sub(3) };
    let leap_days = (year / 4).wrapping_sub(year / 100).wrapping_add(year / 400);
    let day_of_year = (month.wrapping_mul(153).wrapping_add(2) / 5).wrapping_add(day);
    year.wrapping_mul(365).wrapping_add(leap_days).wrapping_add(day_of_year).wrapping_sub(DAYS_BEFORE_1970)
}

/// From the first of March of the year 0 to 1970-01-01, plus one because days of a month count from 1.
const DAYS_BEFORE_1970: u32 = 719_469;

/// Year, month and day of the month, from days since 1970-01-01: the inverse of [`days`].
const fn date(days: u32) -> (u32, u32, u32) {
    const DAYS_IN_400_YEARS: u32 = 146_097;
    let days = days.wrapping_add(DAYS_BEFORE_1970).wrapping_sub(1);
    let day = days % DAYS_IN_400_YEARS;
    // Take out the leap days: one at the end of every 4 years but not of every 100, and one of the 400.
    let year = day.wrapping_sub(day / 1_460).wrapping_add(day / 36_524).wrapping_sub(day / 146_096) / 365;
    let leap_days = (year / 4).wrapping_sub(year / 100);
    let day_of_year = day.wrapping_sub(year.wrapping_mul(365)).wrapping_sub(leap_days);
    let month = day_of_year.wrapping_mul(5).wrapping_add(2) / 153;
    let day = day_of_year.wrapping_sub(month.wrapping_mul(153).wrapping_add(2) / 5).wrapping_add(1);
    let year = year.wrapping_add((days / DAYS_IN_400_YEARS).wrapping_mul(400));
    if month < 10 {
        (year, month.wrapping_add(3), day)
    } else {
        (year.wrapping_add(1), month.wrapping_sub(9), day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::ToString};

    fn millis(text: &str) -> Option<u64> {
        Timestamp::parse(text.as_bytes()).ok().map(Timestamp::as_unix_millis)
    }

    #[test]
    fn known_moments() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.001Z", 1),
            ("2000-02-29T23:59:59Z", 951_868_799_000),
            ("2026-06-04T00:00:00.000Z", 1_780_531_200_000),
            ("2001-09-09T01:46:40Z", 1_000_000_000_000),
            ("2038-01-19T03:14:08Z", 2_147_483_648_000),
            ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999),
            ("2026-06-04T00:00:00.5Z", 1_780_531_200_500),
            ("2026-06-04T00:00:00.05Z", 1_780_531_200_050),
            ("2026-06-04T00:00:00.0059999Z", 1_780_531_200_005),
            ("2026-06-04T02:00:00+02:00", 1_780_531_200_000),
            ("2026-06-03T18:30:00-05:30", 1_780_531_200_000),
            ("1970-01-01T00:01:00+00:01", 0),
            ("1970-01-01T00:00:00-00:00", 0),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2024-02-30T00:00:00Z",
            "2026-06-04T24:00:00Z",
            "2026-06-04T00:60:00Z",
            "2016-12-31T23:59:60Z",
            "2026-06-04t00:00:00Z",
            "2026-06-04T00:00:00z",
            "2026-06-04 00:00:00Z",
            "2026-06-04T00:00:00",
            "2026-06-04T00:00Z",
            "2026-06-04T00:00:00.Z",
            "2026-06-04T00:00:00.0000000000Z",
            "2026-06-04T00:00:00,5Z",
            "2026-06-04T00:00:00+0200",
            "2026-06-04T00:00:00+02",
            "2026-06-04T00:00:00+24:00",
            "2026-06-04T00:00:00+00:60",
            "2026-06-04T00:00:00Z ",
            " 2026-06-04T00:00:00Z",
            "2026-6-04T00:00:00Z",
            "+2026-06-04T00:00:00Z",
            "20260604T000000Z",
            "2026-06-04",
            "-026-06-04T00:00:00Z",
            "2026-06-04T00:00:0\u{663}Z",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn no_cut_and_no_other_byte_is_accepted() {
        let text = b"2024-02-29T12:34:56.789+01:30";
        assert!(Timestamp::parse(text).is_ok());
        for len in 0..text.len() {
            assert!(Timestamp::parse(&text[..len]).is_err(), "{len}");
        }
        for at in 0..text.len() {
            for byte in (0..=u8::MAX).filter(|b| !b.is_ascii_digit() && *b != text[at]) {
                let mut other = *text;
                other[at] = byte;
                let allowed = (byte == b'-' && text[at] == b'+') || (byte == b'+' && text[at] == b'-');
                assert_eq!(Timestamp::parse(&other).is_ok(), allowed && at == 23, "{at} {byte}");
            }
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let mut out = [0; LEN];
        for day in (0..END_OF_YEAR_9999 / 86_400_000).step_by(11) {
            let moment = Timestamp::from_unix_millis(day * 86_400_000 + day * 7_919 % 86_400_000);
            let text = moment.write(&mut out).unwrap();
            assert_eq!(Timestamp::parse(text.as_bytes()), Ok(moment), "{text}");
        }
    }

    #[test]
    fn the_calendar_has_its_days_in_order() {
        let mut day = 0;
        for year in 1970..=9999 {
            for month in 1..=12 {
                for day_of_month in 1..=days_in_month(year, month) {
                    assert_eq!(date(day), (year, month, day_of_month));
                    assert_eq!(days(year, month, day_of_month), day);
                    day += 1;
                }
            }
        }
        assert_eq!(u64::from(day) * MILLIS_PER_DAY, END_OF_YEAR_9999);
    }

    #[test]
    fn writes_24_bytes() {
        let moment = Timestamp::from_unix_secs(1_780_531_200);
        let mut out = [b'#'; LEN + 1];
        assert_eq!(moment.write(&mut out), Ok("2026-06-04T00:00:00.000Z"));
        assert_eq!(out[LEN], b'#');
        assert_eq!(moment.write(&mut out[..LEN - 1]), Err(BufferTooSmall { needed: LEN }));
        let last = Timestamp::from_unix_millis(u64::MAX);
        assert_eq!(last.write(&mut out), Ok("9999-12-31T23:59:59.999Z"));
    }

    #[test]
    fn units_and_saturation() {
        let moment = Timestamp::from_unix_millis(1_999);
        assert_eq!(moment.as_unix_secs(), 1);
        assert_eq!(moment.saturating_add_secs(2).as_unix_millis(), 3_999);
        assert_eq!(moment.saturating_add_millis(u64::MAX).as_unix_millis(), u64::MAX);
        assert_eq!(moment.saturating_add_secs(u64::MAX).as_unix_millis(), u64::MAX);
        assert_eq!(Timestamp::from_unix_secs(u64::MAX).as_unix_millis(), u64::MAX);
        assert!(format!("{}", TimestampError::Malformed).ends_with("9999"));
        assert!(BufferTooSmall { needed: 24 }.to_string().contains("24"));
    }
}
