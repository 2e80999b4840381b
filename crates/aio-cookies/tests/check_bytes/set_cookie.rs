//! What holds for any bytes in a `Set-Cookie` field: shared by the tests with random ones and
//! the fuzz target.

use std::time::{Duration, SystemTime};

use aio_cookies::{CookieJar, CookieJarOptions, CookieRequest, Profile, SetCookie};
use url::Url;

/// The 23rd of November 2026.
const NOW: Duration = Duration::from_secs(1_795_392_000);

const PROFILES: [Profile; 2] = [Profile::Rfc6265bis, Profile::Aiohttp];

/// The value of a `Set-Cookie` field.
pub(crate) fn check(input: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let url = Url::parse("https://www.a.test/x/y").expect("a URL");
    let request = CookieRequest::new(&url, now);
    for profile in PROFILES {
        let mut options = CookieJarOptions::aiohttp();
        options.style.profile = profile;
        let jar = CookieJar::with_options(options);
        jar.update_cookies(&request, [input]);
        let Some(cookie) = SetCookie::parse(profile, input) else {
            assert!(jar.is_empty());
            continue;
        };
        let pair = [cookie.name(), b"=", cookie.coded_value()].concat();
        assert!(pair.len() <= 4097);
        assert!(
            !pair
                .iter()
                .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        );
        // What is sent back comes to the same again.
        let again = SetCookie::parse(profile, &pair).expect("it was one");
        assert_eq!(again.name(), cookie.name());
        assert_eq!(again.value(), cookie.value());
        assert_eq!(again.coded_value(), cookie.coded_value());

        assert!(jar.len() <= 1);
        for cookie in jar.cookies(now) {
            assert!(cookie.path().starts_with('/'));
            assert!(!cookie.is_expired(now));
            let domain = cookie.domain().expect("a server set it");
            assert!(matches!(domain.as_str(), "www.a.test" | "a.test" | "test"));
        }
        if let Some(header) = jar.cookie_header(&request) {
            assert!(!header.contains(|c: char| c.is_ascii_control() && c != '\t'));
        }
    }
}
