//! Points in time, as RFC 3339 writes them.

use super::BufferTooSmall;
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
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let (text, rest) = text.split_at_checked(FORM.len())?;
    let mut fields = [0; 6];
    numbers(text, FORM, &mut fields)?;
    let [year, month, day, hour, minute, second] = fields;
    let date = Timestamp::from_date(year, month, day)?;
    // What of a fraction is finer than a millisecond is dropped.
    let (mut zone, mut millis) = (rest, 0_u32);
    if let [b'.', rest @ ..] = rest {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !matches!(digits, 1..=9) {
            return None;
        }
        for at in 0..3 {
            let digit = rest.get(at).filter(|_| at < digits).map_or(0, |digit| digit & 0xf);
            millis = millis.wrapping_mul(10).wrapping_add(digit.into());
        }
        zone = rest.get(digits..)?;
    }
    let (sign, zone) = zone.split_first()?;
    let mut offset = [0; 2];
    numbers(zone, if *sign == b'Z' { b"" } else { b"00:00" }, &mut offset)?;
    let [offset_hours, offset_minutes] = offset;
    let mut offset = minutes(offset_hours, offset_minutes)?;
    match sign {
        b'-' => offset = offset.wrapping_neg(),
        b'+' | b'Z' => {}
        _ => return None,
    }
    if second > 59 {
        return None;
    }
    // Every term is small: less than two days are more or less than a date. What is before 1970 becomes very large.
    let secs = minutes(hour, minute)?.wrapping_sub(offset).wrapping_mul(60).wrapping_add_unsigned(second);
    let millis = secs.wrapping_mul(1_000).wrapping_add_unsigned(millis);
    let millis = date.millis.wrapping_add_signed(millis.into());
    (millis < END_OF_YEAR_9999).then_some(Timestamp { millis })
}

/// The minutes of a time of day.
fn minutes(hours: u32, minutes: u32) -> Option<i32> {
    (hours <= 23 && minutes <= 59).then_some(hours.wrapping_mul(60).wrapping_add(minutes).cast_signed())
}

/// Reads a text of just this form, a digit for each `0`: the numbers are separated by what else is in it.
#[inline(never)] // small: it is called for date and time, and for the offset
fn numbers(text: &[u8], form: &[u8], numbers: &mut [u32]) -> Option<()> {
    if text.len() != form.len() {
        return None;
    }
    let mut numbers = numbers.iter_mut();
    let mut number = numbers.next()?;
    for (&byte, &form) in text.iter().zip(form) {
        let digit = byte.wrapping_sub(b'0');
        if form == b'0' && digit <= 9 {
            *number = number.wrapping_mul(10).wrapping_add(digit.into());
        } else if form == byte {
            number = numbers.next()?;
        } else {
            return None;
        }
    }
    Some(())
}

#[inline(never)] // small
const fn days_in_month(year: u32, month: u32) -> u32 {
    if month == 2 {
        // Of the years with a leap day but for the rule of centuries, 25 divides those that 100 does, and 16 those that 400 does.
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(25) || year.is_multiple_of(16));
        return if is_leap { 29 } else { 28 };
    }
    // Odd months have 31 days up to July, and even ones from August on.
    30 | (month ^ month >> 3) & 1
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, 1970 or later.
const fn days(year: u32, month: u32, day: u32) -> u32 {
    let before = year.wrapping_sub(1);
    let centuries = before / 100;
    let leap_days = (before / 4).wrapping_sub(centuries).wrapping_add(centuries / 4);
    let mut days = before.wrapping_mul(365).wrapping_add(leap_days).wrapping_add(day);
    let mut earlier = 1;
    while earlier < month {
        days = days.wrapping_add(days_in_month(year, earlier));
        earlier = earlier.wrapping_add(1);
    }
    days.wrapping_sub(DAYS_BEFORE_1970)
}

/// From 0001-01-01 to 1970-01-01, plus one because days of a month count from 1.
const DAYS_BEFORE_1970: u32 = 719_163;

/// Year, month and day of the month, from days since 1970-01-01: the inverse of [`days`].
///
/// A year is counted from March, so that the leap day is its last; its months then begin at day ⌊(153 m + 2) / 5⌋.
const fn date(days: u32) -> (u32, u32, u32) {
    /// From the first of March of the year 0 to 1970-01-01.
    const DAYS_FROM_MARCH: u32 = 719_468;
    const DAYS_IN_400_YEARS: u32 = 146_097;
    let days = days.wrapping_add(DAYS_FROM_MARCH);
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
    fn every_field_has_its_range() {
        for (at, most, unit) in
            [(11, 23, 3_600_000), (14, 59, 60_000), (17, 59, 1_000), (22, 23, -3_600_000), (25, 59, -60_000)]
        {
            for value in 0..=99 {
                for (sign, unit) in [("+", unit), ("-", if at > 20 { -unit } else { unit })] {
                    let mut text = format!("2026-06-04T00:00:00.5{sign}00:00");
                    text.replace_range(at..at + 2, &format!("{value:02}"));
                    let expected = 1_780_531_200_500_u64.checked_add_signed(value * unit);
                    assert_eq!(millis(&text), expected.filter(|_| value <= most), "{text}");
                }
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
