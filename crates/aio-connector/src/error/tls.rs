//! What TLS fails for, in words.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is wrong with the certificate of a server.
///
/// Texts of the certificate come from whoever sent it: what is no printable character in
/// them is escaped, and they are cut at 100 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// It, or one above it, is no longer valid.
    Expired {
        /// The end of its time, if that is known.
        since: Option<SystemTime>,
    },
    /// It, or one above it, is not valid yet.
    NotValidYet {
        /// The beginning of its time, if that is known.
        until: Option<SystemTime>,
    },
    /// It is that of another host.
    WrongHost {
        /// The name or address that it should have.
        host: Box<str>,
        /// The names and addresses that it has, the first ten of them.
        names: Box<[Box<str>]>,
        /// How many more it has.
        more: usize,
    },
    /// Nobody who is trusted has signed for it, or the certificates between are missing.
    UnknownIssuer {
        /// Who has signed the last certificate that the server shows, if that is known.
        issuer: Option<Box<str>>,
    },
    /// It is signed by itself, and not trusted; Python's `self-signed certificate`.
    SelfSigned,
    /// Its authority, which the server shows too, is not trusted; Python's `self-signed
    /// certificate in certificate chain`.
    UnknownAuthority {
        /// The authority.
        authority: Box<str>,
    },
    /// Its issuer has revoked it.
    Revoked,
    /// Anything else.
    Other {
        /// What is wrong.
        reason: Box<str>,
    },
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { since: Some(since) } => {
                write!(f, "certificate expired on {}", Date(*since))
            }
            Self::Expired { since: None } => f.write_str("certificate expired"),
            Self::NotValidYet { until: Some(until) } => {
                write!(f, "certificate not valid until {}", Date(*until))
            }
            Self::NotValidYet { until: None } => f.write_str("certificate not valid yet"),
            Self::WrongHost { host, names, more } => {
                write!(f, "certificate is not for {host}")?;
                let but = if names.is_empty() { "" } else { ", but for " };
                write!(f, "{but}{}", names.join(", "))?;
                match more {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::UnknownIssuer { issuer: None } => f.write_str("certificate of an unknown issuer"),
            Self::UnknownIssuer {
                issuer: Some(issuer),
            } => write!(f, "certificate of an unknown issuer, {issuer}"),
            Self::SelfSigned => f.write_str("self-signed certificate"),
            Self::UnknownAuthority { authority } => {
                write!(f, "certificate of an unknown authority, {authority}")
            }
            Self::Revoked => f.write_str("certificate revoked"),
            Self::Other { reason } => write!(f, "certificate not trusted: {reason}"),
        }
    }
}

/// Why TLS could not be agreed on, the server's certificate apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The server speaks something else, as one of plain HTTP does.
    NotTls,
    /// The server speaks no version of TLS that may be spoken.
    NoCommonVersion,
    /// The server asks for a certificate of the client, and there is none.
    ClientCertificateMissing,
    /// The server does not take the client's certificate.
    ClientCertificateRefused {
        /// What it says of it.
        reason: Box<str>,
    },
    /// Anything else.
    Other {
        /// What it is.
        reason: Box<str>,
    },
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls => f.write_str("the server does not speak TLS"),
            Self::NoCommonVersion => f.write_str("no version of TLS in common with the server"),
            Self::ClientCertificateMissing => {
                f.write_str("the server asks for a certificate of the client")
            }
            Self::ClientCertificateRefused { reason } => {
                write!(f, "the server refuses the client's certificate: {reason}")
            }
            Self::Other { reason } => f.write_str(reason),
        }
    }
}

/// A time as people read it: `2024-03-01 00:00:00 UTC`.
struct Date(SystemTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Certificates have dates from 1950 to 9999.
        const BEGIN: Duration = Duration::from_secs(DAYS_TO_1970 * 86_400);
        const DAYS_TO_1970: u64 = 719_468;
        let since_begin = match self.0.duration_since(UNIX_EPOCH) {
            Ok(after) => BEGIN.checked_add(after),
            Err(before) => BEGIN.checked_sub(before.duration()),
        };
        let seconds = since_begin.unwrap_or_default().as_secs();
        // Counted from March of the year 0, so that a leap day is the last one of a year.
        let (days, time) = (seconds / 86_400, seconds % 86_400);
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = era * 400 + year + next;
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_date(seconds: i64, want: &str) {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        };
        assert_eq!(Date(time).to_string(), want, "{seconds}");
    }

    /// As `date -u -d @…` has them.
    #[test]
    fn dates_are_those_of_the_calendar() {
        check_date(0, "1970-01-01 00:00:00 UTC");
        check_date(-631_152_000, "1950-01-01 00:00:00 UTC");
        check_date(-1, "1969-12-31 23:59:59 UTC");
        check_date(951_782_399, "2000-02-28 23:59:59 UTC");
        check_date(951_782_400, "2000-02-29 00:00:00 UTC");
        check_date(951_868_800, "2000-03-01 00:00:00 UTC");
        check_date(1_709_251_200, "2024-03-01 00:00:00 UTC");
        check_date(1_735_689_599, "2024-12-31 23:59:59 UTC");
        check_date(4_107_542_400, "2100-03-01 00:00:00 UTC");
        check_date(253_402_300_799, "9999-12-31 23:59:59 UTC");
    }

    #[track_caller]
    fn check(problem: &CertificateProblem, want: &str) {
        assert_eq!(problem.to_string(), want);
    }

    #[test]
    fn names_are_listed_as_far_as_they_are_known() {
        let wrong = |names: &[&str], more| CertificateProblem::WrongHost {
            host: "a.test".into(),
            names: names.iter().map(|name| Box::from(*name)).collect(),
            more,
        };
        check(&wrong(&[], 0), "certificate is not for a.test");
        check(
            &wrong(&["b.test", "*.c.test"], 0),
            "certificate is not for a.test, but for b.test, *.c.test",
        );
        check(
            &wrong(&["b.test"], 90),
            "certificate is not for a.test, but for b.test and 90 more",
        );
    }
}
