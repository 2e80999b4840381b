//! Reads the `Set-Cookie` header of a response.

pub(crate) mod aiohttp;

use std::fmt;
use std::time::SystemTime;

use crate::coding;
use crate::date::parse_date;
use crate::header::{Profile, is_name, next_pair, split_once};

/// RFC 6265bis 5.6: more octets of name and value are no cookie.
const MAX_PAIR: usize = 4096;
/// RFC 6265bis 5.6: a longer attribute value is none.
const MAX_ATTRIBUTE: usize = 1024;

/// A cookie as a server sends it: what one `Set-Cookie` field says.
///
/// Whether a jar accepts it depends on the URL that it came from.
///
/// ```
/// use aio_cookies::{Profile, SetCookie};
///
/// let cookie = SetCookie::parse(Profile::Aiohttp, b"user=\"Ada L.\"; Path=/").expect("a cookie");
/// assert_eq!(cookie.name(), b"user");
/// assert_eq!(cookie.value(), b"Ada L.");
/// assert_eq!(cookie.coded_value(), b"\"Ada L.\"");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SetCookie {
    pub(crate) name: Box<[u8]>,
    pub(crate) value: Box<[u8]>,
    pub(crate) coded: Box<[u8]>,
    pub(crate) attributes: Attributes,
}

/// The attributes of a cookie as they were sent; the last of a name counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Attributes {
    pub(crate) domain: Option<Box<str>>,
    pub(crate) path: Option<Box<str>>,
    /// In seconds.
    pub(crate) max_age: Option<i64>,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) partitioned: bool,
    pub(crate) same_site: Option<Box<str>>,
}

impl SetCookie {
    /// Parses the value of one `Set-Cookie` field, by the algorithm of RFC 6265bis 5.6 or
    /// by aiohttp's.
    ///
    /// What is no cookie is `None`, and a `tracing` event tells why.
    pub fn parse(profile: Profile, field: &[u8]) -> Option<Self> {
        let parsed = match profile {
            Profile::Rfc6265bis => Self::parse_rfc6265bis(field),
            Profile::Aiohttp => Self::parse_aiohttp(field),
        };
        match parsed {
            Ok(cookie) => Some(cookie),
            Err(malformed) => {
                tracing::debug!(reason = malformed.reason(), "malformed Set-Cookie dropped");
                None
            }
        }
    }

    /// Returns the name; it may be empty but for aiohttp.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns the value; for aiohttp, without its quotes and escapes.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Returns the value as it was sent.
    pub fn coded_value(&self) -> &[u8] {
        &self.coded
    }

    fn parse_rfc6265bis(field: &[u8]) -> Result<Self, Malformed> {
        if field.iter().any(is_forbidden) {
            return Err(Malformed::ControlCharacter);
        }
        let mut parts = field.split(|&byte| byte == b';');
        let pair = parts.next().unwrap_or_default();
        let (name, value) = split_once(pair, b'=').unwrap_or((b"", pair));
        let (name, value) = (name.trim_ascii(), value.trim_ascii());
        if name.is_empty() && value.is_empty() {
            return Err(Malformed::Empty);
        }
        if name.len() + value.len() > MAX_PAIR {
            return Err(Malformed::TooLong);
        }
        let mut attributes = Attributes::default();
        for part in parts {
            let (name, value) = split_once(part, b'=').unwrap_or((part, b""));
            let known = Attribute::named(name.trim_ascii());
            attributes.set_rfc6265bis(known, value.trim_ascii());
        }
        Ok(Self {
            name: name.into(),
            value: value.into(),
            coded: value.into(),
            attributes,
        })
    }

    fn parse_aiohttp(field: &[u8]) -> Result<Self, Malformed> {
        if field.iter().any(is_forbidden) {
            return Err(Malformed::ControlCharacter);
        }
        let (name, Some(coded), attributes) = next_pair(field) else {
            return Err(Malformed::Name);
        };
        if !is_name(name) {
            return Err(Malformed::Name);
        }
        if name.len() + coded.len() > MAX_PAIR {
            return Err(Malformed::TooLong);
        }
        let text = std::str::from_utf8(coded).map_err(|_| Malformed::Encoding)?;
        let value = coding::unquote(text);
        // A quoted value may hide them; aiohttp drops tabs too.
        if value.contains(|c: char| c.is_ascii_control()) {
            return Err(Malformed::ControlCharacter);
        }
        Ok(Self {
            name: name.into(),
            value: value.as_bytes().into(),
            coded: coded.into(),
            attributes: aiohttp::parse_attributes(attributes),
        })
    }
}

// Values are secrets.
impl fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetCookie")
            .field("name", &String::from_utf8_lossy(&self.name))
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

/// Why a field is no cookie.
enum Malformed {
    ControlCharacter,
    Empty,
    Name,
    TooLong,
    Encoding,
}

impl Malformed {
    fn reason(&self) -> &'static str {
        match self {
            Self::ControlCharacter => "control character",
            Self::Empty => "neither name nor value",
            Self::Name => "illegal name",
            Self::TooLong => "name and value too long",
            Self::Encoding => "value is not UTF-8",
        }
    }
}

/// The attributes that mean something.
#[derive(Clone, Copy)]
enum Attribute {
    Domain,
    Path,
    MaxAge,
    Expires,
    Secure,
    HttpOnly,
    Partitioned,
    SameSite,
    Unknown,
}

impl Attribute {
    fn named(name: &[u8]) -> Self {
        const NAMES: [(&[u8], Attribute); 8] = [
            (b"domain", Attribute::Domain),
            (b"path", Attribute::Path),
            (b"max-age", Attribute::MaxAge),
            (b"expires", Attribute::Expires),
            (b"secure", Attribute::Secure),
            (b"httponly", Attribute::HttpOnly),
            (b"partitioned", Attribute::Partitioned),
            (b"samesite", Attribute::SameSite),
        ];
        let known = NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map_or(Self::Unknown, |&(_, attribute)| attribute)
    }
}

impl Attributes {
    /// RFC 6265bis 5.6.1 to 5.6.7: a date or an age that is none does not count.
    fn set_rfc6265bis(&mut self, attribute: Attribute, value: &[u8]) {
        let is_short = value.len() <= MAX_ATTRIBUTE;
        match attribute {
            Attribute::MaxAge if is_short => self.max_age = seconds(value).or(self.max_age),
            Attribute::Expires if is_short => self.expires = parse_date(value).or(self.expires),
            _ => self.set(attribute, value),
        }
    }

    fn set(&mut self, attribute: Attribute, value: &[u8]) {
        match attribute {
            Attribute::Secure => self.secure = true,
            Attribute::HttpOnly => self.http_only = true,
            Attribute::Partitioned => self.partitioned = true,
            // Above, not below: a flag stays one with any value (EDGE-229).
            _ if value.len() > MAX_ATTRIBUTE => {}
            Attribute::Domain => self.domain = Some(text(value)),
            Attribute::Path => self.path = Some(text(value)),
            Attribute::MaxAge => self.max_age = seconds(value),
            Attribute::Expires => self.expires = parse_date(value),
            Attribute::SameSite => self.same_site = Some(text(value)),
            Attribute::Unknown => {}
        }
    }
}

/// Octets that are no UTF-8 match no domain and no path, whatever they turn into here.
fn text(value: &[u8]) -> Box<str> {
    String::from_utf8_lossy(value).into()
}

/// Reads `Max-Age`; what is too large is the largest number.
pub(crate) fn seconds(value: &[u8]) -> Option<i64> {
    let (digits, sign) = match value.strip_prefix(b"-") {
        Some(digits) => (digits, -1),
        None => (value, 1),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let push = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add((digit - b'0').into());
    Some(sign * digits.iter().fold(0, push))
}

/// RFC 6265bis 5.6: control characters, but for the tab.
fn is_forbidden(byte: &u8) -> bool {
    byte.is_ascii_control() && *byte != b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: Profile = Profile::Rfc6265bis;
    const AIOHTTP: Profile = Profile::Aiohttp;

    /// Compares name, value and coded value.
    #[track_caller]
    fn check(profile: Profile, field: &str, want: Option<(&str, &str, &str)>) {
        let cookie = SetCookie::parse(profile, field.as_bytes());
        let show = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let got = cookie.map(|c| (show(&c.name), show(&c.value), show(&c.coded)));
        let want = want.map(|(a, b, c)| (a.into(), b.into(), c.into()));
        assert_eq!(got, want, "{profile:?} {field:?}");
    }

    fn attributes(profile: Profile, field: &str) -> Attributes {
        let cookie = SetCookie::parse(profile, field.as_bytes());
        cookie.expect("a cookie").attributes
    }

    #[track_caller]
    fn check_both(field: &str, want: &Attributes) {
        for profile in [RFC, AIOHTTP] {
            assert_eq!(attributes(profile, field), *want, "{profile:?} {field:?}");
        }
    }

    fn path(path: &str) -> Attributes {
        Attributes {
            path: Some(path.into()),
            ..Attributes::default()
        }
    }

    // CKY-70, CKY-72.
    #[test]
    fn pairs_are_read_as_aiohttp_reads_them() {
        check(AIOHTTP, "a=b; c=d", Some(("a", "b", "b")));
        check(AIOHTTP, "a", None);
        check(AIOHTTP, "=b", None);
        check(AIOHTTP, "", None);
        check(AIOHTTP, "; a=b", None);
        check(AIOHTTP, "a=", Some(("a", "", "")));
        check(AIOHTTP, "Path=/; a=b", Some(("Path", "/", "/")));
        check(AIOHTTP, "$Version=1; a=b", Some(("$Version", "1", "1")));
        check(AIOHTTP, "secure; a=b", None);
        check(AIOHTTP, "a=b c; Path=/", Some(("a", "b c", "b c")));
        check(AIOHTTP, "a b=c", None);
        check(AIOHTTP, "a,b=c", None);
        check(
            AIOHTTP,
            "a=\"q;uo\"; Path=/",
            Some(("a", "q;uo", "\"q;uo\"")),
        );
        check(
            AIOHTTP,
            "a=\"unclosed; Path=/",
            Some(("a", "\"unclosed", "\"unclosed")),
        );
        check(AIOHTTP, "a=\"q;uo\"x; Path=/", Some(("a", "\"q", "\"q")));
        check(AIOHTTP, "a={x:1}", Some(("a", "{x:1}", "{x:1}")));
        check(AIOHTTP, "a{b}=c", Some(("a{b}", "c", "c")));
        check(AIOHTTP, "a=b=c==", Some(("a", "b=c==", "b=c==")));
        check(AIOHTTP, "a=b\u{1}c", None);
        check(AIOHTTP, "a=b\tc", None);
        check(AIOHTTP, "a=é", Some(("a", "é", "é")));
        check(AIOHTTP, "é=a", None);
        check(
            AIOHTTP,
            "a=b Path=/z",
            Some(("a", "b Path=/z", "b Path=/z")),
        );
        check(AIOHTTP, "a=b, c=d", Some(("a", "b, c=d", "b, c=d")));
        check(AIOHTTP, " a = b ", Some(("a", "b", "b")));
        check(
            AIOHTTP,
            "a=\"\\303\\251\"",
            Some(("a", "Ã©", "\"\\303\\251\"")),
        );
        check(AIOHTTP, "a=\"\\012\"", None);
    }

    // RFC 6265bis 5.6; the http-state cases say the rest.
    #[test]
    fn pairs_are_read_as_rfc_6265bis_says() {
        check(RFC, "a=b; c=d", Some(("a", "b", "b")));
        check(RFC, "a", Some(("", "a", "a")));
        check(RFC, "=b", Some(("", "b", "b")));
        check(RFC, " = ; a=b", None);
        check(RFC, "a b=c", Some(("a b", "c", "c")));
        check(RFC, "a=\"q;uo\"", Some(("a", "\"q", "\"q")));
        check(RFC, "a=\"\\054\"", Some(("a", "\"\\054\"", "\"\\054\"")));
        check(RFC, "a=b\tc", Some(("a", "b\tc", "b\tc")));
        check(RFC, "a=b\u{7f}c", None);
        check(RFC, "a=b; x=\u{1}", None);
    }

    // CKY-25.
    #[test]
    fn names_and_values_have_4096_octets_at_most() {
        for profile in [RFC, AIOHTTP] {
            let value = "x".repeat(4095);
            check(profile, &format!("a={value}"), Some(("a", &value, &value)));
            check(profile, &format!("ab={value}"), None);
        }
    }

    // CKY-71, CKY-72.
    #[test]
    fn attributes_are_found_in_any_case_and_the_last_counts() {
        check_both("a=b;;; Path=/q", &path("/q"));
        check_both("a=b; PATH = /q ; odd=1", &path("/q"));
        check_both("a=b; Path=/; Path=/q", &path("/q"));
        let flags = Attributes {
            secure: true,
            http_only: true,
            partitioned: true,
            ..Attributes::default()
        };
        check_both("a=b;secure=false;HTTPONLY;Partitioned=1", &flags);
        check_both(
            "a=b;secure=\"\\012\";HTTPONLY=\"é\\001\";Partitioned=\"",
            &flags,
        );
        let long = format!("a=b; Path=/q; Path=/{}; SameSite", "x".repeat(1024));
        let same_site = Attributes {
            same_site: Some("".into()),
            ..path("/q")
        };
        check_both(&long, &same_site);
        let ages = Attributes {
            max_age: Some(i64::MAX),
            domain: Some(".a.test".into()),
            ..Attributes::default()
        };
        check_both("a=b; Max-Age=99999999999999999999; Domain=.a.test", &ages);
    }

    // RFC 6265bis 5.6.1 and 5.6.2: one that is none is as if it were not there.
    #[test]
    fn the_last_age_and_date_that_are_such_count() {
        let field = "a=b; Max-Age=5; Max-Age=x; Expires=09 Jun 2100 10:18:14; Expires=x";
        let got = attributes(RFC, field);
        let want = parse_date(b"09 Jun 2100 10:18:14");
        assert_eq!((got.max_age, got.expires), (Some(5), want));
        let got = attributes(AIOHTTP, field);
        assert_eq!((got.max_age, got.expires), (None, None));
    }

    // RFC 6265bis 5.6; CKY-25.
    #[test]
    fn attributes_have_1024_octets_at_most() {
        for profile in [RFC, AIOHTTP] {
            for (zeros, want) in [(1023, Some(7)), (1024, Some(5))] {
                let zeros = "0".repeat(zeros);
                let field = format!("a=b; Max-Age=5; Max-Age={zeros}7");
                let age = attributes(profile, &field).max_age;
                assert_eq!(age, want, "{profile:?} {}", zeros.len());
            }
        }
    }

    // CKY-71, CKY-19.
    #[test]
    fn aiohttp_misses_no_semicolon() {
        let expires = parse_date(b"Wed, 09 Jun 2100 10:18:14 GMT");
        let want = Attributes {
            expires,
            secure: true,
            ..path("/q")
        };
        for date in ["Wed, 09 Jun 2100 10:18:14 GMT", "Wed Jun  9 10:18:14 2100"] {
            for separator in ["; ", " "] {
                let parts = ["Path=/q", &format!("Expires={date}"), "Secure"];
                let field = format!("a=b; {}", parts.join(separator));
                assert_eq!(attributes(AIOHTTP, &field), want, "{field:?}");
            }
            let field = format!("a=b; Secure Path=\"/q\" expires=\"{date}\"");
            assert_eq!(attributes(AIOHTTP, &field), want, "{field:?}");
        }
    }

    #[test]
    fn aiohttp_passes_over_attributes_that_are_malformed() {
        for junk in [
            "Path=/é",
            "Path=\"/x\"y",
            "Path=/x\"",
            "\"Path=/x\"",
            "é",
            "=",
            "Path=\"\\012\"",
        ] {
            let field = format!("a=b; Path=/q; {junk}; Secure");
            let want = Attributes {
                secure: true,
                ..path("/q")
            };
            assert_eq!(attributes(AIOHTTP, &field), want, "{field:?}");
        }
        let open = attributes(AIOHTTP, "a=b; Path=\"/x; Secure");
        assert!(open.secure && open.path.as_deref() == Some("\"/x"));
    }

    // CKY-19: any order will do for a date, but not any form for an attribute of aiohttp's.
    #[test]
    fn aiohttp_reads_dates_of_two_forms() {
        #[track_caller]
        fn check(date: &str, want: bool) {
            for (profile, want) in [(AIOHTTP, want), (RFC, true)] {
                let field = format!("a=b; Expires={date}; Secure");
                let got = attributes(profile, &field);
                assert!(got.secure);
                assert_eq!(got.expires.is_some(), want, "{profile:?} {date:?}");
            }
        }
        check("Wed, 09 Jun 2100 10:18:14 GMT", true);
        check("Wed, 9 Jun 2100 10:18:14 GMT", true);
        check("Wednesday, 09-Jun-69 10:18:14 GMT", true);
        check("Mittday, 09 Jun 2100 10:18:14 -0800", true);
        check("Wed Jun  9 10:18:14 2100", true);
        check("Wed Jun 09 10:18:14 2100", true);
        check("Wed Jun 9 10:18:14 2100", false);
        check("Wed, 9-Jun-69 10:18:14 GMT", false);
        check("Wed, 09 Jun 2100 9:18:14 GMT", false);
        check("Wed, 09 Jun 2100 10:18:14 UTC", false);
        check("Wed, 09 Jun 2100 10:18:14 GMT+1", false);
        check("Wed, 09 Jun 2100 10:18:14", false);
        check("Wed, 09 June 2100 10:18:14 GMT", false);
        check("Mi, 09 Jun 2100 10:18:14 GMT", false);
        check("Wed,09-Jun-2100 10:18:14 GMT", false);
        check("09 Jun 2100 10:18:14 GMT", false);
    }

    #[test]
    fn aiohttp_ends_a_value_where_it_can() {
        for (text, want) in [
            ("Path=\"/x y\"z", "\"/x"),
            ("Path=\"/x  y\"z", "\"/x "),
            ("Path=\"/x\\\"y", "/q"),
            ("Path= \"/x\"y", ""),
            ("Path =\"/x\"y", ""),
            ("Path= é", ""),
            ("Path==/x", "=/x"),
            ("Path=\"/a;b\"", "/a;b"),
            ("Path=\"/a\\073b\"", "/a;b"),
        ] {
            let path = attributes(AIOHTTP, &format!("a=b; Path=/q; {text}")).path;
            assert_eq!(path.as_deref(), Some(want), "{text:?}");
        }
    }

    // CKY-25.
    #[test]
    fn aiohttp_reads_32_attributes() {
        for (count, secure) in [(31, true), (32, false)] {
            let field = format!("a=b{}; Secure", "; x=1".repeat(count));
            assert_eq!(attributes(AIOHTTP, &field).secure, secure, "{count}");
        }
    }
}
