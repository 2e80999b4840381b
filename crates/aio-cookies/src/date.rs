//! Reads the dates that servers write into `Expires`.

use std::time::{Duration, SystemTime};

/// Parses the date of an `Expires` attribute, in any of the many spellings in use.
///
/// This is the algorithm of RFC 6265 5.1.1: day, month, year and time are found by their
/// shape, in any order; all else, names of weekdays and time zones too, is ignored, and
/// the time is always UTC. Two-digit years are 1970 to 2069. Years before 1601 and days
/// that no calendar has are no dates.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// let date = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// for text in [
///     "Sun, 06 Nov 1994 08:49:37 GMT",
///     "Sunday, 06-Nov-94 08:49:37 GMT",
///     "Sun Nov  6 08:49:37 1994",
///     "1994/November/6 8:49:37",
/// ] {
///     assert_eq!(aio_cookies::parse_date(text.as_bytes()), Some(date));
/// }
/// assert_eq!(aio_cookies::parse_date(b"30 Feb 2024 00:00:00"), None);
/// ```
pub fn parse_date(text: &[u8]) -> Option<SystemTime> {
    let mut found = Found::default();
    for token in text.split(|&byte| is_delimiter(byte)) {
        found.look_at(token);
    }
    let days = days_since_1970(found.year?, found.month?, found.day?)?;
    let (hour, minute, second) = found.time?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_day = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
    let midnight = Duration::from_secs(days.unsigned_abs() * 86_400);
    let midnight = if days < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(midnight)?
    } else {
        SystemTime::UNIX_EPOCH.checked_add(midnight)?
    };
    midnight.checked_add(Duration::from_secs(of_day))
}

/// The parts found so far; the first token of a shape wins.
#[derive(Default)]
struct Found {
    time: Option<(u32, u32, u32)>,
    day: Option<u32>,
    month: Option<u32>,
    year: Option<u32>,
}

impl Found {
    /// Takes `token` for the first missing part that it has the shape of; the order of
    /// the questions is RFC 6265's.
    fn look_at(&mut self, token: &[u8]) {
        if self.time.is_none()
            && let Some(time) = time(token)
        {
            self.time = Some(time);
        } else if self.day.is_none()
            && let Some(day) = number(token, 1, 2)
        {
            self.day = Some(day);
        } else if self.month.is_none()
            && let Some(month) = month(token)
        {
            self.month = Some(month);
        } else if self.year.is_none() {
            self.year = number(token, 2, 4).map(full_year);
        }
    }
}

/// RFC 6265 5.1.1: `delimiter`.
fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// Reads `hms-time`: three numbers of one or two digits, then anything but a digit.
fn time(token: &[u8]) -> Option<(u32, u32, u32)> {
    let mut fields = token.splitn(3, |&byte| byte == b':');
    let (hour, minute) = (fields.next()?, fields.next()?);
    let second = number(fields.next()?, 1, 2)?;
    Some((whole_number(hour)?, whole_number(minute)?, second))
}

/// Reads one or two digits, with nothing behind them.
fn whole_number(token: &[u8]) -> Option<u32> {
    if token.len() > 2 || !token.iter().all(u8::is_ascii_digit) {
        return None;
    }
    number(token, 1, 2)
}

/// Reads the digits that `token` starts with, if there are `min` to `max` of them.
fn number(token: &[u8], min: usize, max: usize) -> Option<u32> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit());
    let (mut len, mut value) = (0, 0);
    for digit in digits.take(max + 1) {
        len += 1;
        value = value * 10 + u32::from(digit - b'0');
    }
    (min..=max).contains(&len).then_some(value)
}

/// Reads the name of a month by its first three letters, 1 for January.
fn month(token: &[u8]) -> Option<u32> {
    const NAMES: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let start = token.first_chunk::<3>()?;
    (1..)
        .zip(NAMES)
        .find(|(_, name)| name.eq_ignore_ascii_case(start))
        .map(|(month, _)| month)
}

fn full_year(year: u32) -> u32 {
    match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    }
}

/// Counts the days from 1970-01-01 to a date of the Gregorian calendar, if there is one.
fn days_since_1970(year: u32, month: u32, day: u32) -> Option<i64> {
    // RFC 6265 5.1.1: no year before 1601; it also keeps the sums below from underflow.
    if year < 1601 || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    // Years that start in March have their leap day last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let of_year = (153 * month + 2) / 5 + day - 1;
    let since_year_0 = i64::from(year) * 365 + i64::from(leap_days) + i64::from(of_year);
    // From 0000-03-01 to 1970-01-01.
    Some(since_year_0 - 719_468)
}

fn days_in(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<i64>) {
        let date = parse_date(text.as_bytes()).map(|date| match date.duration_since(EPOCH) {
            Ok(after) => after.as_secs() as i64,
            Err(before) => -(before.duration().as_secs() as i64),
        });
        assert_eq!(date, want, "{text:?}");
    }

    const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn the_parts_come_in_any_order() {
        check("Tue, 18 Oct 2011 07:42:42 GMT", Some(1_318_923_762));
        check("07:42:42 18 Oct 2011", Some(1_318_923_762));
        check("Oct 18 2011 07:42:42", Some(1_318_923_762));
        check("2011 18 07:42:42 Oct", Some(1_318_923_762));
        check("18,,Oct,,2011,,7:42:42,,", Some(1_318_923_762));
    }

    #[test]
    fn only_the_first_of_a_kind_counts() {
        check("1 Jan 2021 10:00:00 GMT 20:00:00", Some(1_609_495_200));
        check("Jan Feb 01 2021 10:00:00", Some(1_609_495_200));
        check("01 Jan 2021 2022 10:00:00", Some(1_609_495_200));
    }

    #[test]
    fn text_behind_digits_and_months_is_ignored() {
        check("01x January 2021y 10:00:00z", Some(1_609_495_200));
        check("01 Janus 2021 10:00:00.999", Some(1_609_495_200));
        check("01 Jan 2021 10:00:0\u{e9}", Some(1_609_495_200));
        check("01 Jan 2021 -10:00:00", Some(1_609_495_200));
    }

    #[test]
    fn too_many_or_stray_digits_are_no_date() {
        check("001 Jan 2021 10:00:00", None);
        check("01 Jan 20210 10:00:00", None);
        check("01 Jan 2021 010:00:00", None);
        check("01 Jan 2021 10:000:00", None);
        check("01 Jan 2021 10:00:000", None);
        check("01 Jan 2021 1a:00:00", None);
        check("01 Jan 2021 10:0a:00", None);
        check("01 Jan 2021 10:00", None);
        check("01 Jan 2021 10::00", None);
        check("01 Jan 9 10:00:00", None);
        check("999999999999 Jan 2021 10:00:00", None);
    }

    #[test]
    fn every_part_is_needed() {
        check("", None);
        check("Jan 2021 10:00:00", None);
        check("01 2021 10:00:00", None);
        check("01 Jan 10:00:00", None);
        check("01 Jan 2021", None);
        check("0", None);
        check("Session", None);
    }

    #[test]
    fn two_digit_years_are_1970_to_2069() {
        check("1 Jan 70 00:00:00", Some(0));
        check("1 Jan 69 00:00:00", Some(3_124_224_000));
        check("1 Jan 00 00:00:00", Some(946_684_800));
        check("1 Jan 99 00:00:00", Some(915_148_800));
    }

    #[test]
    fn years_start_at_1601() {
        check("1 Jan 1601 00:00:00", Some(-11_644_473_600));
        check("31 Dec 1600 23:59:59", None);
        check("31 Dec 1969 23:59:59", Some(-1));
        check("31 Dec 9999 23:59:59", Some(253_402_300_799));
        check("1 Jan 100 00:00:00", None);
    }

    #[test]
    fn days_follow_the_calendar() {
        check("29 Feb 2024 00:00:00", Some(1_709_164_800));
        check("29 Feb 2000 00:00:00", Some(951_782_400));
        check("29 Feb 2023 00:00:00", None);
        check("29 Feb 1900 00:00:00", None);
        check("31 Apr 2023 00:00:00", None);
        check("0 Jan 2023 00:00:00", None);
        check("32 Jan 2023 00:00:00", None);
    }

    #[test]
    fn times_follow_the_clock() {
        check("1 Jan 2021 23:59:59", Some(1_609_545_599));
        check("1 Jan 2021 24:00:00", None);
        check("1 Jan 2021 23:60:00", None);
        check("1 Jan 2021 23:59:60", None);
    }

    #[test]
    fn the_days_of_four_hundred_years_are_consecutive() {
        let mut next = days_since_1970(1601, 1, 1).expect("a date");
        for year in 1601..=2001 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(days_since_1970(year, month, day), Some(next));
                    next += 1;
                }
            }
        }
    }

    #[test]
    fn foreign_bytes_are_no_date() {
        assert_eq!(parse_date(b"\xff\x00\xfe:\x80"), None);
    }
}
