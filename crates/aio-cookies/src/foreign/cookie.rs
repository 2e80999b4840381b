//! `cookie::Cookie`, whose builder programs know.

use std::time::{Duration, SystemTime};

use cookie::time::OffsetDateTime;

use crate::cookie::{Cookie, SameSite};
use crate::error::CookieError;
use crate::header::CookieStyle;
use crate::parse::{Attributes, SetCookie};

/// The last second that a date of the crate `time` can tell.
const LAST_SECOND: i64 = 253_402_300_799;

/// A host-only cookie comes without a domain, as it came from the server; the value is as it is
/// sent. What is not UTF-8 shows as `�`.
impl From<&Cookie> for cookie::Cookie<'static> {
    fn from(from: &Cookie) -> Self {
        let value = String::from_utf8_lossy(from.coded_value()).into_owned();
        let mut to = Self::new(from.name().into_owned(), value);
        if let Some(domain) = from.domain().filter(|_| !from.is_host_only()) {
            to.set_domain(domain.as_str().to_owned());
        }
        to.set_path(from.path().to_owned());
        to.set_expires(from.expires().map(date));
        // Absent, rather than false: so a server leaves it.
        to.set_secure(from.is_secure().then_some(true));
        to.set_http_only(from.is_http_only().then_some(true));
        to.set_partitioned(from.is_partitioned().then_some(true));
        to.set_same_site(from.same_site().map(|same_site| match same_site {
            SameSite::Strict => cookie::SameSite::Strict,
            SameSite::Lax => cookie::SameSite::Lax,
            SameSite::None => cookie::SameSite::None,
        }));
        to
    }
}

impl From<Cookie> for cookie::Cookie<'static> {
    fn from(from: Cookie) -> Self {
        Self::from(&from)
    }
}

/// Takes a cookie for one that a server sent: a jar decides on it by the URL that it is said to
/// come from (see [`CookieJar::update_parsed`](crate::CookieJar::update_parsed)).
///
/// ```
/// # use url::Url;
/// use aio_cookies::{CookieJar, CookieRequest, SetCookie};
///
/// let (shop, now) = (Url::parse("https://shop.example/")?, std::time::SystemTime::now());
/// let theme = cookie::Cookie::build(("theme", "dark")).domain("shop.example").path("/");
/// let jar = CookieJar::new();
/// jar.update_parsed(&CookieRequest::new(&shop, now), [SetCookie::try_from(theme.build())?]);
///
/// let copy = cookie::Cookie::from(&jar.cookies(now)[0]);
/// assert_eq!(copy.to_string(), "theme=dark; Path=/; Domain=shop.example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<cookie::Cookie<'_>> for SetCookie {
    type Error = CookieError;

    fn try_from(from: cookie::Cookie<'_>) -> Result<Self, CookieError> {
        let pair = CookieStyle::default().pair(from.name(), from.value())?;
        let same_site_is_none = from.same_site() == Some(cookie::SameSite::None);
        let is_partitioned = from.partitioned() == Some(true);
        let same_site = from.same_site().map(|same_site| same_site.to_string());
        Ok(Self {
            name: pair.name,
            value: pair.value.clone(),
            coded: pair.value,
            attributes: Attributes {
                domain: from.domain().map(Box::from),
                path: from.path().map(Box::from),
                max_age: from.max_age().map(cookie::time::Duration::whole_seconds),
                expires: from.expires_datetime().and_then(system_time),
                // As that crate writes it.
                secure: is_partitioned || from.secure().unwrap_or(same_site_is_none),
                http_only: from.http_only() == Some(true),
                partitioned: is_partitioned,
                same_site: same_site.map(String::into_boxed_str),
            },
        })
    }
}

fn date(time: SystemTime) -> OffsetDateTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or(LAST_SECOND);
    OffsetDateTime::from_unix_timestamp(seconds.min(LAST_SECOND))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// What was before 1970 is as past as its beginning.
fn system_time(date: OffsetDateTime) -> Option<SystemTime> {
    let seconds = u64::try_from(date.unix_timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::{CookieJar, CookieRequest};

    /// Sets cookies in a jar and gives them to the other crate and back.
    #[track_caller]
    fn check(field: &'static str, want: &str) {
        let url = Url::parse("https://www.a.test/dir/page").expect("a URL");
        let request = CookieRequest::new(&url, SystemTime::UNIX_EPOCH);
        let (jar, copy) = (CookieJar::new(), CookieJar::new());
        jar.update_cookies(&request, [field]);
        for cookie in jar.cookies(request.now) {
            let theirs = cookie::Cookie::from(cookie);
            assert_eq!(theirs.to_string(), want);
            let ours = SetCookie::try_from(theirs).expect("legal");
            copy.update_parsed(&request, [ours]);
        }
        assert_eq!(copy.len(), 1, "{field}");
        assert_eq!(copy.cookies(request.now), jar.cookies(request.now));
    }

    #[test]
    fn cookies_go_there_and_back() {
        check("a=1", "a=1; Path=/dir");
        check(
            "a=\"1 2\"; Path=/; Domain=.A.test",
            "a=\"1 2\"; Path=/; Domain=a.test",
        );
        check(
            "a=; Path=/; HttpOnly; Secure; Partitioned; SameSite=None",
            "a=; HttpOnly; SameSite=None; Partitioned; Secure; Path=/",
        );
        check(
            "a=1; Path=/; Max-Age=90; SameSite=Strict",
            "a=1; SameSite=Strict; Path=/; Expires=Thu, 01 Jan 1970 00:01:30 GMT",
        );
        check("a=1; Path=/; SameSite=Lax", "a=1; SameSite=Lax; Path=/");
    }

    #[test]
    fn ages_and_dates_of_the_other_crate_count() {
        let url = Url::parse("https://a.test/").expect("a URL");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let request = CookieRequest::new(&url, now);
        let jar = CookieJar::new();
        jar.update_cookies(&request, ["gone=1", "past=1", "age=1"]);
        let mut gone = cookie::Cookie::new("gone", "");
        gone.make_removal();
        let past = cookie::Cookie::build(("past", "")).expires(OffsetDateTime::UNIX_EPOCH);
        let age = cookie::Cookie::build(("age", "2")).max_age(cookie::time::Duration::days(1));
        for theirs in [gone, past.build(), age.build()] {
            jar.update_parsed(&request, SetCookie::try_from(theirs));
        }
        let cookies = jar.cookies(now);
        assert_eq!(cookies.len(), 1);
        assert_eq!(
            cookies[0].expires(),
            Some(now + Duration::from_secs(86_400))
        );
    }

    #[test]
    fn what_cannot_be_sent_is_no_cookie() {
        for (name, value) in [
            ("", "1"),
            ("a b", "1"),
            ("a\n", "1"),
            ("a", "x\r\ny: z"),
            ("a", "1;b=2"),
        ] {
            let theirs = cookie::Cookie::new(name, value);
            assert!(SetCookie::try_from(theirs).is_err(), "{name:?} {value:?}");
        }
    }
}
