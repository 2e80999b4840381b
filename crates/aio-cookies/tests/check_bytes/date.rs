//! What holds for any bytes in a date: shared by the tests with random ones and the fuzz target.

use std::time::SystemTime;

use aio_cookies::parse_date;

/// A date of an `Expires` attribute.
pub(crate) fn check(input: &[u8]) {
    let Some(time) = parse_date(input) else {
        return;
    };
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).expect("years have four digits"),
        Err(before) => -i64::try_from(before.duration().as_secs()).expect("not that long ago"),
    };
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    assert!((1601..=9999).contains(&year), "{year}");
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let text = format!("{day} {month} {year:04} {hour:02}:{minute:02}:{second:02}");
    assert_eq!(parse_date(text.as_bytes()), Some(time), "{text}");
}

/// The day of the calendar that is so many days after the first of 1970, counted by years.
fn civil(mut days: i64) -> (i64, &'static str, i64) {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days < 0 {
        year -= 1;
        days += 365 + i64::from(is_leap(year));
    }
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, length) in MONTHS.into_iter().zip(lengths) {
        if days < length {
            return (year, month, days + 1);
        }
        days -= length;
    }
    unreachable!("a year is as long as its months")
}
