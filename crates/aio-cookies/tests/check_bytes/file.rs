//! What holds for any bytes in a file: shared by the tests with random ones and the fuzz targets.

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
        let written = format.write(&once);
        assert_eq!(
            text(&format.write(&read(&written))),
            text(&written),
            "{format:?}"
        );
        if format == CookieFormat::Aiohttp {
            assert_eq!(once.len(), cookies.len());
        }
    }
    let jar = CookieJar::new();
    jar.merge(cookies, now);
    let kept = jar.cookies(now);
    let again = CookieJar::new();
    again.merge(kept.clone(), now);
    assert_eq!(sorted(again.cookies(now)), sorted(kept));
}

fn text(written: &[u8]) -> String {
    String::from_utf8_lossy(written).into_owned()
}

fn sorted(mut cookies: Vec<Cookie>) -> Vec<Cookie> {
    let key = |cookie: &Cookie| {
        let domain = cookie.domain().map(ToString::to_string);
        (
            domain,
            cookie.path().to_owned(),
            cookie.name().into_owned(),
            cookie.is_host_only(),
        )
    };
    cookies.sort_by_key(key);
    cookies
}
