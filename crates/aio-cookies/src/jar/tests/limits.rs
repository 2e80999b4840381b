//! How much a jar keeps and sends.

use proptest::collection::vec;
use proptest::prelude::{any, proptest};

use super::*;

// EDGE-224, CKY-25.
#[test]
fn fifty_cookies_of_a_response_are_stored() {
    for jar in both() {
        let mut fields = vec![
            "x=1; Domain=other.test".to_owned(),
            "y=; Max-Age=0".to_owned(),
        ];
        fields.extend((0..49).map(|n| format!("c{n}=1")));
        fields.insert(0, "\u{1}".to_owned());
        jar.update_cookies(&CookieRequest::new(&url("http://a.test/"), at(0)), &fields);
        assert_eq!(jar.len(), 48);
    }
}

fn fill(jar: &CookieJar, count: usize, attributes: &str) {
    for n in 0..count {
        set(
            jar,
            "https://a.test/",
            &[&format!("c{n:03}=1; Path=/{attributes}")],
        );
    }
}

// EDGE-225, CKY-26.
#[test]
fn secure_cookies_give_way_to_secure_ones_only() {
    for jar in both() {
        fill(&jar, 180, "; Secure");
        set(&jar, "https://a.test/", &["plain=1; Path=/"]);
        assert_eq!(jar.len(), 180);
        set(&jar, "https://a.test/", &["new=1; Path=/; Secure"]);
        assert_eq!(jar.len(), 150);
        let cookies = jar.cookies(at(0));
        let names: Vec<_> = cookies.iter().map(Cookie::name).collect();
        assert_eq!(names[0], "c031");
        assert_eq!(names[149], "new");
    }
}

// CKY-26, CKY-28.
#[test]
fn a_full_domain_loses_what_was_used_the_longest_ago() {
    for jar in both() {
        set(
            &jar,
            "https://a.test/",
            &["kept=1; Path=/", "secure=1; Path=/; Secure"],
        );
        fill(&jar, 178, "x");
        check(&jar, "http://a.test/", "kept=1");
        set(&jar, "https://a.test/", &["gone=; Max-Age=0"]);
        assert_eq!(jar.len(), 180, "what only deletes evicts no one");
        set(&jar, "https://a.test/", &["new=1; Path=/"]);
        assert_eq!(jar.len(), 150);
        check(
            &jar,
            "https://a.test/",
            if jar.options().style.profile == Profile::Aiohttp {
                "kept=1; new=1; secure=1"
            } else {
                "kept=1; secure=1; new=1"
            },
        );
    }
}

// CKY-28.
#[test]
fn setting_again_is_a_use() {
    for jar in both() {
        fill(&jar, 180, "");
        set(&jar, "https://a.test/", &["c000=2; Path=/"]);
        set(&jar, "https://a.test/", &["new=1; Path=/"]);
        let cookies = jar.cookies(at(0));
        let names: Vec<_> = cookies.iter().take(2).map(Cookie::name).collect();
        assert_eq!(names, ["c000", "c032"]);
    }
}

// CKY-26.
#[test]
fn cookies_that_have_ended_make_room_first() {
    for jar in both() {
        fill(&jar, 90, "; Max-Age=1");
        fill(&jar, 90, "x");
        let url = url("https://a.test/");
        jar.update_cookies(&CookieRequest::new(&url, at(10)), ["new=1"]);
        assert_eq!(jar.len(), 91);
    }
}

// CKY-27.
#[test]
fn a_full_jar_shrinks() {
    for jar in both() {
        for n in 0..3300 {
            set(&jar, &format!("http://h{n}.test/"), &["a=1"]);
        }
        assert_eq!(jar.len(), 3300);
        check(&jar, "http://h0.test/", "a=1");
        set(&jar, "http://new.test/", &["a=1"]);
        assert_eq!(jar.len(), 3001);
        check(&jar, "http://h0.test/", "a=1");
        check(&jar, "http://h1.test/", "");
        check(&jar, "http://new.test/", "a=1");
    }
}

// EDGE-226, CKY-38.
#[test]
fn a_request_carries_150_cookies() {
    for jar in both() {
        let own: Vec<_> = (0..85).map(|n| format!("own{n}=1")).collect();
        let wide: Vec<_> = (0..85)
            .map(|n| format!("wide{n}=1; Domain=a.test"))
            .collect();
        for part in wide.chunks(50).chain(own.chunks(50)) {
            let from = url("http://www.a.test/");
            jar.update_cookies(&CookieRequest::new(&from, at(0)), part);
        }
        let sent = header(&jar, "http://www.a.test/", 0);
        let count = |name: &str| {
            sent.split("; ")
                .filter(|pair| pair.starts_with(name))
                .count()
        };
        let want = match jar.options().style.profile {
            // The older ones.
            Profile::Rfc6265bis => (65, 85),
            Profile::Aiohttp => (85, 65),
        };
        assert_eq!((count("own"), count("wide")), want);
    }
}

// CKY-38.
#[test]
fn a_header_has_8190_octets() {
    let (rfc, aiohttp) = (CookieJar::new(), aiohttp());
    let long = "x".repeat(4000);
    let fields = [
        format!("a={long}"),
        format!("b={long}"),
        format!("c={long}"),
        "d=1".into(),
    ];
    for (jar, want) in [
        (rfc, format!("a={long}; b={long}; d=1")),
        (aiohttp, format!("b={long}; c={long}; d=1")),
    ] {
        jar.update_cookies(&CookieRequest::new(&url("http://a.test/"), at(0)), &fields);
        assert_eq!(header(&jar, "http://a.test/", 0), want);
    }
    for jar in both() {
        for (length, fits) in [(172, true), (173, false)] {
            let fields = [
                format!("a={long}"),
                format!("b={long}"),
                format!("c={}", "x".repeat(length)),
            ];
            jar.clear();
            set(
                &jar,
                "http://a.test/",
                &fields.each_ref().map(String::as_str),
            );
            let line = format!("Cookie: {}", header(&jar, "http://a.test/", 0));
            assert_eq!(line.len() == 8190, fits, "{length}");
        }
    }
}

// CKY-26, CKY-27.
#[test]
fn limits_can_be_set() {
    let limited = |jar: CookieJar, of_a_site, in_all| {
        CookieJar::with_options(CookieJarOptions {
            limits: CookieLimits { of_a_site, in_all },
            ..jar.options().clone()
        })
    };
    for (of_a_site, in_all, want) in [(1, 9, 1), (5, 9, 5), (9, 1, 1), (9, 5, 5), (12, 12, 10)] {
        for jar in both() {
            let jar = limited(jar, of_a_site, in_all);
            for n in 0..30 {
                let cookie = format!("c{n}=1");
                set(&jar, "http://a.test/", &[&cookie]);
                assert!(jar.len() <= of_a_site.min(in_all), "{of_a_site} {in_all}");
                check_has(&jar, "http://a.test/", &cookie);
            }
            assert!(jar.len() >= want - 1, "{of_a_site} {in_all}: {}", jar.len());
        }
    }
    for (of_a_site, in_all) in [(0, 9), (9, 0)] {
        for jar in both() {
            let jar = limited(jar, of_a_site, in_all);
            set(&jar, "https://a.test/", &["a=1", "b=1; Secure"]);
            assert!(jar.is_empty());
        }
    }
}

#[track_caller]
fn check_has(jar: &CookieJar, to: &str, cookie: &str) {
    let sent = header(jar, to, 0);
    assert!(
        sent.split("; ").any(|pair| pair == cookie),
        "{cookie} in {sent}"
    );
}

// RFC 6265bis 6.1 speaks of domains; one who owns a domain has as many of these as they like.
#[test]
fn hosts_without_number_do_not_fill_the_jar() {
    let jar = CookieJar::with_options(CookieJarOptions {
        limits: CookieLimits {
            in_all: 300,
            ..CookieLimits::default()
        },
        ..CookieJarOptions::default()
    });
    set(&jar, "https://bank.test/", &["id=1"]);
    for n in 0..600 {
        set(&jar, &format!("http://h{n}.evil.test/"), &["a=1"]);
    }
    check(&jar, "https://bank.test/", "id=1");
    assert!((150..=180).contains(&(jar.len() - 1)), "{}", jar.len());
    check(&jar, "http://h599.evil.test/", "a=1");
    check(&jar, "http://h0.evil.test/", "");
    // CKY-26: aiohttp counts each host.
    let jar = aiohttp();
    for n in 0..300 {
        set(&jar, &format!("http://h{n}.evil.test/"), &["a=1"]);
    }
    assert_eq!(jar.len(), 300);
}

#[test]
fn what_is_removed_leaves_nothing_behind() {
    for jar in both() {
        for n in 0..50 {
            let cookie = format!("a=1; Max-Age={}", n + 1);
            set(&jar, &format!("http://h{n}.a.test/"), &[&cookie]);
        }
        assert_eq!(jar.index().domain_count(), 50);
        jar.clear_where(at(0), |cookie| cookie.expires() <= Some(at(25)));
        assert_eq!((jar.len(), jar.index().domain_count()), (25, 25));
        assert_eq!(header(&jar, "http://h49.a.test/", 49), "a=1");
        assert_eq!(header(&jar, "http://h49.a.test/", 50), "");
        jar.clear_where(at(50), |_| false);
        assert_eq!((jar.len(), jar.index().domain_count()), (0, 0));
    }
}

proptest! {
    // EDGE-217, EDGE-237: whatever comes and goes, the parts of a jar stay of one mind.
    #[test]
    fn any_steps_leave_the_jar_in_order(
        steps in vec((0..8_usize, any::<u8>(), any::<u8>()), 0..120),
        (of_a_site, in_all) in (1..8_usize, 1..12_usize),
    ) {
        for options in [CookieJarOptions::default(), CookieJarOptions::aiohttp()] {
            let jar = CookieJar::with_options(CookieJarOptions {
                allow_ip_hosts: true,
                limits: CookieLimits { of_a_site, in_all },
                ..options
            });
            let (mut now, mut kept) = (0, 0);
            for &(step, host, n) in &steps {
                let hosts = ["a.test", "w.a.test", "x.w.a.test", "b.test", "test", "127.0.0.1"];
                let to = url(&format!("https://{}/", hosts[usize::from(host) % hosts.len()]));
                let request = CookieRequest::new(&to, at(now));
                let (name, age) = (n % 16, n / 16);
                match step {
                    0 => jar.update_cookies(&request, [format!("c{name}=1; Max-Age={age}")]),
                    1 => jar.update_cookies(&request, [format!("c{name}=1; Domain=a.test")]),
                    2 => jar.update_cookies(&request, [format!("c{name}=1; Secure")]),
                    3 => jar.add(&format!("c{name}"), "1").expect("legal"),
                    4 => now += u64::from(age),
                    5 => jar.clear_domain(at(now), hosts[usize::from(n) % hosts.len()]),
                    6 => jar.merge(jar.cookies(at(now)), at(now)),
                    _ => kept += jar.filter_cookies(&request).len(),
                }
                let domains = jar.index().domain_count();
                assert!(domains <= jar.len());
            }
            assert!(kept <= steps.len() * in_all);
        }
    }
}
