//! What a request costs does not depend on the cookies of other domains.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use aio_cookies::{CookieJar, CookieJarOptions, CookieRequest};
use url::Url;

/// The shortest of many times that ten requests take.
fn cost(options: CookieJarOptions, domains: usize) -> Duration {
    let now = SystemTime::UNIX_EPOCH;
    let jar = CookieJar::with_options(options);
    let host = |n: usize| Url::parse(&format!("https://www.h{n}.test/")).expect("a URL");
    for n in 0..domains {
        jar.update_cookies(&CookieRequest::new(&host(n), now), ["a=1"]);
    }
    let to = host(0);
    let request = CookieRequest::new(&to, now);
    let ten = || {
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(black_box(jar.filter_cookies(&request)).len(), 1);
        }
        start.elapsed()
    };
    (0..200).map(|_| ten()).min().expect("there are 200")
}

// In instructions it is 1.01 between 100 domains of ten cookies and 10,000; a jar that looks
// through its domains has thousands here.
#[test]
fn three_thousand_domains_cost_as_much_as_one() {
    for options in [CookieJarOptions::default(), CookieJarOptions::aiohttp()] {
        let (one, many) = (cost(options.clone(), 1), cost(options, 3000));
        assert!(many < one * 8, "{one:?} and {many:?}");
    }
}
