//! What holds for any bytes in a file: shared by the tests with random ones and the fuzz targets.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::{Duration, SystemTime};

use aio_cookies::{Cookie, CookieFileProblem, CookieFormat, CookieJar, read_cookies};

/// The 23rd of November 2026.
const NOW: Duration = Duration::from_secs(1_795_392_000);

/// A file of cookies.
pub(crate) fn check(input: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let cookies = match read_cookies(input, now) {
        Ok(cookies) => cookies,
        Err(CookieFileProblem::Malformed { line, reason }) => {
            assert!(line <= input.len() + 1, "{line}");
            assert!(!reason.contains(char::is_control), "{reason:?}");
            return;
        }
        Err(CookieFileProblem::UnknownFormat) => return,
        Err(other) => panic!("{other}"),
    };
    assert!(!cookies.iter().any(|cookie| cookie.is_expired(now)));
    for format in [
        CookieFormat::Aiohttp,
        CookieFormat::Netscape,
        CookieFormat::Browser,
    ] {
        // Not every format holds all cookies; what it holds stays as it is.
        let read = |written: &[u8]| read_cookies(written, now).expect("it was written");
        let once = read(&format.write(&cookies));
        assert_eq!(read(&format.write(&once)), once, "{format:?}");
        if format == CookieFormat::Aiohttp {
            let whole: HashSet<_> = cookies.iter().map(whole).collect();
            assert!(
                once.iter()
                    .all(|cookie| whole.contains(&self::whole(cookie)))
            );
            let places = |cookies: &[Cookie]| -> HashSet<_> { cookies.iter().map(place).collect() };
            assert_eq!(places(&once), places(&cookies));
        }
    }
    let jar = CookieJar::new();
    jar.merge(cookies, now);
    let kept = jar.cookies(now);
    let again = CookieJar::new();
    again.merge(kept.clone(), now);
    assert_eq!(sorted(again.cookies(now)), sorted(kept));
}

fn sorted(mut cookies: Vec<Cookie>) -> Vec<Cookie> {
    cookies.sort_by_key(place);
    cookies
}

/// What makes a cookie another one.
fn place(cookie: &Cookie) -> (String, String, String, bool) {
    let domain = cookie.domain().map(ToString::to_string);
    (
        domain.unwrap_or_default(),
        cookie.path().to_owned(),
        cookie.name().into_owned(),
        cookie.is_host_only(),
    )
}

/// All that a file has of a cookie, but for how its value reads.
fn whole(cookie: &Cookie) -> impl Eq + Hash + use<> {
    (
        place(cookie),
        cookie.coded_value().to_vec(),
        cookie.expires(),
        cookie.same_site_attribute().map(str::to_owned),
        [
            cookie.is_secure(),
            cookie.is_http_only(),
            cookie.is_partitioned(),
        ],
    )
}
