//! The public suffix list project's own tests, all 78 lines of them.
#![cfg(feature = "public-suffix")]

use std::time::{Duration, SystemTime};

use aio_cookies::{CookieJar, CookieJarOptions, CookieRequest, Domain, read_cookies};
use url::Url;

#[test]
fn registrable_domains_are_those_of_the_public_suffix_list() {
    let lines = include_str!("data/public_suffix_tests.txt").lines();
    let cases: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .map(|line| line.split_once(' ').expect("a host and a domain"))
        .collect();
    assert_eq!(cases.len(), 78);

    for (host, want) in cases {
        // The file has `null` where no host is given, and where there is no domain.
        let host = host.strip_prefix("null").unwrap_or(host);
        let domain = Domain::from_host(host);
        let got = domain.as_ref().and_then(Domain::registrable);
        let want = Some(want).filter(|want| *want != "null");
        let want = want.map(|want| Domain::from_host(want).expect("a host"));
        assert_eq!(got, want.as_ref().map(Domain::as_str), "{host:?}");
    }
}

#[test]
fn cookies_do_not_reach_what_others_have() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for (host, domain, other) in [
        // Suffixes below a name that the list does not have.
        (
            "evil.s3.amazonaws.com",
            "amazonaws.com",
            "bank.s3.amazonaws.com",
        ),
        ("x.y.kobe.jp", "kobe.jp", "a.b.kobe.jp"),
        ("evil.co.ck", "ck", "bank.co.ck"),
        ("evil.co.uk", "co.uk", "bank.co.uk"),
    ] {
        let url = |host: &str| Url::parse(&format!("https://{host}/")).expect("a URL");
        for options in [CookieJarOptions::default(), CookieJarOptions::aiohttp()] {
            let sent = |jar: &CookieJar| jar.cookie_header(&CookieRequest::new(&url(other), now));
            let jar = CookieJar::with_options(options);
            let field = format!("a=1; Domain={domain}");
            jar.update_cookies(&CookieRequest::new(&url(host), now), [field]);
            assert_eq!(sent(&jar), None, "{domain}");
            // Its own it may have.
            let field = format!("a=1; Domain={host}");
            jar.update_cookies(&CookieRequest::new(&url(host), now), [field]);
            assert_eq!(jar.len(), 1, "{host}");
        }
    }
    let file = ".co.uk\tTRUE\t/\tFALSE\t0\ta\t1\n.a.test\tTRUE\t/\tTRUE\t0\t__Host-a\t1\n";
    let cookies = read_cookies(file.as_bytes(), now).expect("cookies");
    let (replaced, merged) = (CookieJar::new(), CookieJar::new());
    replaced.replace(cookies.clone(), now);
    merged.merge(cookies, now);
    for jar in [replaced, merged] {
        assert_eq!(jar.len(), 2);
        for other in ["https://bank.co.uk/", "https://x.a.test/"] {
            let url = Url::parse(other).expect("a URL");
            assert_eq!(
                jar.cookie_header(&CookieRequest::new(&url, now)),
                None,
                "{other}"
            );
        }
    }
}
