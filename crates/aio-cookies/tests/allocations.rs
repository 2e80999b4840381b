//! A request that no cookie is for costs no memory. The only test of its binary: others would
//! be counted with it.

use std::alloc::System;
use std::time::SystemTime;

use aio_cookies::{CookieJar, CookieJarOptions, CookieRequest};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use url::Url;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn nothing_is_allocated_when_no_cookie_matches() {
    let now = SystemTime::UNIX_EPOCH;
    let url = |text: &str| Url::parse(text).expect("a URL");
    for options in [CookieJarOptions::default(), CookieJarOptions::aiohttp()] {
        let jar = CookieJar::with_options(options);
        for n in 0..1000 {
            let from = url(&format!("https://www.h{n}.test/"));
            let cookies = ["a=1; Path=/x; Domain=.test", "b=1; Secure", "c=1; Path=/x"];
            jar.update_cookies(&CookieRequest::new(&from, now), cookies);
        }
        for to in [
            "http://www.h1.test/",
            "http://h1.test/",
            "https://very.many.labels.of.a.host.test/",
            "http://www.h1.test./",
            "http://localhost/",
            "http://127.0.0.1/",
            "data:,x",
        ] {
            let to = url(to);
            let request = CookieRequest::new(&to, now);
            let region = Region::new(ALLOCATOR);
            let pairs = jar.filter_cookies(&request);
            let header = jar.cookie_header(&request);
            let count = region.change().allocations;
            assert!(pairs.is_empty() && header.is_none(), "{to}");
            assert_eq!(count, 0, "{to}");
        }
        let to = url("https://www.h1.test/");
        let region = Region::new(ALLOCATOR);
        let pairs = jar.filter_cookies(&CookieRequest::new(&to, now));
        assert!(!pairs.is_empty());
        assert!(region.change().allocations > 0, "the allocator counts");
    }
}
