//! Which hosts and paths a cookie is for, and who may set it.

use super::*;

// CKY-10, CKY-11, CKY-37.
#[test]
fn hosts_that_are_addresses_have_shared_cookies_only() {
    for jar in both() {
        jar.add("shared", "1").expect("legal");
        for host in ["http://127.0.0.1/", "http://[::1]/"] {
            set(&jar, host, &["a=1"]);
            check(&jar, host, "shared=1");
        }
        check(&jar, "http://a.test/", "shared=1");
        assert_eq!(jar.len(), 1);
    }
}

// CKY-37: what another jar had stored is not sent either.
#[test]
fn hosts_that_are_addresses_get_no_merged_cookies() {
    for jar in both() {
        let allowing = CookieJar::with_options(CookieJarOptions {
            allow_ip_hosts: true,
            ..jar.options().clone()
        });
        allowing.add("shared", "1").expect("legal");
        for host in ["http://127.0.0.1/", "http://[::1]/"] {
            set(&allowing, host, &["a=1"]);
            jar.merge(allowing.cookies(at(0)), at(0));
            check(&jar, host, "shared=1");
        }
    }
}

#[test]
fn hosts_that_are_addresses_can_be_allowed() {
    for jar in both() {
        let jar = CookieJar::with_options(CookieJarOptions {
            allow_ip_hosts: true,
            ..jar.options().clone()
        });
        set(
            &jar,
            "http://127.0.0.1/",
            &["a=1", "b=2; Domain=127.0.0.1", "c=3; Domain=0.0.1"],
        );
        set(&jar, "http://[::ffff:127.0.0.1]/", &["v6=1"]);
        check(&jar, "http://127.0.0.1:81/", "a=1; b=2");
        check(&jar, "http://[::FFFF:7f00:1]/", "v6=1");
        let cookies = jar.cookies(at(0));
        let wide: Vec<_> = cookies.iter().filter(|c| !c.is_host_only()).collect();
        match jar.options().style.profile {
            Profile::Rfc6265bis => assert!(wide.is_empty(), "{wide:?}"),
            Profile::Aiohttp => assert_eq!(wide[0].name(), "b"),
        }
        // No address is inside a domain, whatever a URL of another scheme has set.
        set(&jar, "odd://a.0.0.1/", &["leak=1; Domain=0.0.1"]);
        assert_eq!(jar.len(), 4);
        check(&jar, "http://127.0.0.1/", "a=1; b=2");
    }
}

// CKY-12, CKY-13, and SPEC 18.3: domains are compared in lower case.
#[test]
fn a_domain_covers_the_host_that_set_it() {
    for jar in both() {
        let fields = [
            "capitals=1; Domain=Example.TEST",
            "dot=1; Domain=.example.test",
            "deeper=1; Domain=a.www.example.test",
            "other=1; Domain=other.test",
            "part=1; Domain=xample.test",
        ];
        set(&jar, "http://www.example.test/", &fields);
        check(&jar, "http://b.example.test/", "capitals=1; dot=1");
    }
    // RFC 6265bis 5.7, step 8; aiohttp ignores such an attribute.
    let unicode = ("http://www.bücher.example/", "a=1; Domain=bücher.example");
    check_one(&rfc(), unicode, "http://www.bücher.example/", "");
    check_one(&aiohttp(), unicode, "http://www.bücher.example/", "a=1");
    check_one(&aiohttp(), unicode, "http://bücher.example/", "");
    let dot = ("http://a.test/", "a=1; Domain=a.test.");
    check_one(&aiohttp(), dot, "http://a.test/", "a=1");
    check_one(&rfc(), dot, "http://a.test/", "");
}

// What asks for each domain above such a host takes a second for one of 64 KiB.
#[test]
fn a_host_longer_than_names_are_is_in_no_domain() {
    for jar in both() {
        for (labels, want) in [(124, "a=1; d=1"), (125, "a=1")] {
            let host = format!("http://{}a.test/", "x.".repeat(labels));
            set(&jar, &host, &["a=1", "d=1; Domain=a.test"]);
            check(&jar, &host, want);
            jar.clear();
        }
    }
}

#[test]
fn a_top_level_domain_keeps_its_cookies_to_itself() {
    let jar = rfc();
    set(&jar, "http://a.test/", &["a=1; Domain=test"]);
    set(&jar, "http://localhost/", &["l=1; Domain=localhost"]);
    check(&jar, "http://b.test/", "");
    check(&jar, "http://test/", "");
    check(&jar, "http://localhost/", "l=1");
    check(&jar, "http://sub.localhost/", "");
    set(
        &jar,
        "http://a.test./",
        &["d=1; Domain=test.", "e=1; Domain=..test."],
    );
    check(&jar, "http://b.test./", "");
    // CKY-14.
    let test = ("http://a.test/", "a=1; Domain=test");
    check_one(&aiohttp(), test, "http://b.test/", "a=1");
}

// CKY-14 leaves it open; both profiles are shut.
#[cfg(feature = "public-suffix")]
#[test]
fn nobody_sets_cookies_for_a_public_suffix() {
    for jar in both() {
        let fields = [
            "leak=1; Domain=co.uk",
            "dot=1; Domain=.co.uk.",
            "own=1; Domain=evil.co.uk",
        ];
        set(&jar, "http://www.evil.co.uk/", &fields);
        check(&jar, "http://bank.co.uk/", "");
        check(&jar, "http://a.evil.co.uk/", "own=1");
        set(&jar, "http://evil.co.uk./", &["leak=1; Domain=co.uk."]);
        check(&jar, "http://bank.co.uk./", "");
        set(&jar, "http://a.com/", &["leak=1; Domain=com"]);
        check(&jar, "http://b.com/", "");
        set(
            &jar,
            "http://www.食狮.公司.cn/",
            &[
                "leak=1; Domain=xn--55qx5d.cn",
                "own=1; Domain=xn--85x722f.xn--55qx5d.cn",
            ],
        );
        check(&jar, "http://a.公司.cn/", "");
        check(&jar, "http://食狮.公司.cn/", "own=1");
        // A host that is one keeps its cookie to itself.
        set(&jar, "http://github.io/", &["a=1; Domain=github.io", "b=2"]);
        check(&jar, "http://github.io/", "a=1; b=2");
        check(&jar, "http://user.github.io/", "");
        set(&jar, "http://user.github.io/", &["c=1; Domain=github.io"]);
        check(&jar, "http://github.io/", "a=1; b=2");
        // `city.kobe.jp` is an exception of the list.
        set(
            &jar,
            "http://www.city.kobe.jp/",
            &["a=1; Domain=city.kobe.jp"],
        );
        check(&jar, "http://city.kobe.jp/", "a=1");
        let jar = CookieJar::with_options(CookieJarOptions {
            use_public_suffixes: false,
            ..jar.options().clone()
        });
        let leak = ("http://evil.co.uk/", "leak=1; Domain=co.uk");
        check_one(&jar, leak, "http://bank.co.uk/", "leak=1");
    }
}

// The list does not know them: names of a network of one's own.
#[test]
fn single_labels_are_hosts_of_their_own() {
    for (jar, want) in both().iter().zip(["", "d=2"]) {
        for host in ["localhost", "printer"] {
            let url = |name: &str| format!("http://{name}/");
            set(jar, &url(host), &["l=1", &format!("d=2; Domain={host}")]);
            check(
                jar,
                &url(host),
                if want.is_empty() {
                    "l=1; d=2"
                } else {
                    "d=2; l=1"
                },
            );
            check(jar, &url(&format!("sub.{host}")), want);
        }
        set(jar, "http://a.wiki.corp/", &["c=1; Domain=wiki.corp"]);
        check(jar, "http://b.wiki.corp/", "c=1");
    }
}

// CKY-15, CKY-16, and SPEC 18.3: paths are compared as they are written.
#[test]
fn paths_are_compared_as_they_are_written() {
    for jar in both() {
        let from = "http://a.test/dir/sub/page?q=/x/y";
        set(
            &jar,
            from,
            &["default=1", "relative=1; Path=x", "esc=1; Path=/a%20b"],
        );
        check(&jar, "http://a.test/dir/sub", "default=1; relative=1");
        check(&jar, "http://a.test/dir/", "");
        check(&jar, "http://a.test/a%20b/c", "esc=1");
    }
    let fields = ["a=1; Path=/x", "a=2; Path=/x/"];
    let (rfc, aiohttp) = (rfc(), aiohttp());
    set(&rfc, "http://a.test/", &fields);
    set(&aiohttp, "http://a.test/", &fields);
    check(&rfc, "http://a.test/x/", "a=2; a=1");
    check(&aiohttp, "http://a.test/x/", "a=2");
    check(&aiohttp, "http://a.test/x", "");
}

// RFC 6265bis 5.7, steps 13 and 16; CKY-23.
#[test]
fn plain_http_neither_sets_nor_hides_secure_cookies() {
    for (jar, want) in both().iter().zip(["a=1; b=3", "a=2; b=3; c=4"]) {
        set(jar, "https://a.test/x/", &["a=1; Secure; Path=/x"]);
        set(
            jar,
            "http://a.test/x/",
            &["a=2; Path=/x", "b=3; Path=/", "c=4; Secure; Path=/"],
        );
        check(jar, "https://a.test/x/", want);
    }
    let jar = rfc();
    set(
        &jar,
        "https://a.test/",
        &["a=1; Secure; Path=/x; Domain=a.test"],
    );
    set(
        &jar,
        "http://sub.a.test/",
        &["a=2; Path=/x/y", "a=3; Path=/"],
    );
    check(&jar, "https://sub.a.test/x/y", "a=1; a=3");
    // Nor one of a host inside the domain; other sites do not matter.
    set(&jar, "https://sub.b.test/", &["a=1; Secure"]);
    let fields = ["a=2; Domain=b.test", "b=3; Domain=b.test"];
    set(&jar, "http://b.test/", &fields);
    set(&jar, "http://c.test/", &["a=4"]);
    check(&jar, "https://sub.b.test/", "a=1; b=3");
    check(&jar, "http://c.test/", "a=4");
}

// RFC 6265bis 5.7, steps 20 to 22; CKY-23.
#[test]
fn prefixes_keep_their_promise() {
    let https = "https://a.test/";
    for (field, want) in [
        ("__Secure-a=1; Secure", "__Secure-a=1"),
        ("__Secure-a=1", ""),
        ("__sEcUrE-a=1", ""),
        ("__Host-a=1; Secure; Path=/", "__Host-a=1"),
        ("__Host-a=1; Secure", ""),
        ("__Host-a=1; Path=/", ""),
        ("__Host-a=1; Secure; Path=/; Domain=a.test", ""),
        ("=__Host-a=1; Secure; Path=/", ""),
        ("__secure-a", ""),
    ] {
        check_one(&rfc(), (https, field), https, want);
    }
    check_one(&aiohttp(), (https, "__Host-a=1"), https, "__Host-a=1");
}

// RFC 6265bis 5.7, step 19.
#[test]
fn same_site_none_needs_secure() {
    let https = "https://a.test/";
    check_one(&rfc(), (https, "a=1; SameSite=None"), https, "");
    check_one(&rfc(), (https, "a=1; SameSite=None; Secure"), https, "a=1");
    check_one(&rfc(), (https, "a=1; SameSite=lax"), https, "a=1");
    check_one(&aiohttp(), (https, "a=1; SameSite=None"), https, "a=1");
}

// RFC 6265bis 5.7, step 18, and 5.8.3.
#[test]
fn same_site_counts_where_the_site_is_given() {
    let fields = [
        "strict=1; SameSite=Strict",
        "lax=1; SameSite=Lax",
        "unsaid=1",
        "odd=1; SameSite=odd",
        "none=1; SameSite=None; Secure",
    ];
    let all = ["strict=1", "lax=1", "unsaid=1", "odd=1", "none=1"];
    let (to, foreign) = (url("https://www.a.test/"), url("https://b.test/"));
    let own = url("https://a.test/x");
    let sites: [(CookieSite<'_>, &[&str], &[&str]); 5] = [
        (CookieSite::Own, &all, &all),
        (CookieSite::Page(&own), &all, &all),
        (CookieSite::Link(&foreign), &all, &all[1..]),
        (CookieSite::Form(&foreign), &all, &all[4..]),
        (CookieSite::Page(&foreign), &all[4..], &all[4..]),
    ];
    for (site, stored, sent) in sites {
        for jar in both() {
            let mut request = CookieRequest::new(&to, at(0));
            let names = |header: Option<String>| -> Vec<String> {
                let mut pairs: Vec<_> = header.iter().flat_map(|text| text.split("; ")).collect();
                pairs.sort_by_key(|pair| all.iter().position(|known| known == pair));
                pairs.into_iter().map(str::to_owned).collect()
            };
            request.site = site;
            jar.update_cookies(&request, fields);
            request.site = CookieSite::Own;
            assert_eq!(names(jar.cookie_header(&request)), stored, "{site:?}");
            jar.update_cookies(&request, fields);
            request.site = site;
            assert_eq!(names(jar.cookie_header(&request)), sent, "{site:?}");
            jar.clear();
            jar.add("shared", "1").expect("legal");
            assert_eq!(names(jar.cookie_header(&request)), ["shared=1"]);
        }
    }
}

#[test]
fn attributes_can_be_asked_for() {
    for jar in both() {
        let field = "a=\"1 2\"; Path=/x; Domain=a.test; Secure; HttpOnly; Partitioned; SameSite=lAx; Max-Age=9";
        set(
            &jar,
            "https://www.a.test/",
            &[field, "b=2; SameSite=odd", "c=3; SameSite"],
        );
        let cookies = jar.cookies(at(0));
        let [a, b, c] = &cookies[..] else {
            panic!("{cookies:?}");
        };
        assert_eq!((a.name(), a.path()), ("a".into(), "/x"));
        assert_eq!(a.domain().map(Domain::as_str), Some("a.test"));
        assert_eq!(a.coded_value(), b"\"1 2\"");
        let is_aiohttp = jar.options().style.profile == Profile::Aiohttp;
        assert_eq!(a.value(), if is_aiohttp { "1 2" } else { "\"1 2\"" });
        assert!(a.is_secure() && a.is_http_only() && a.is_partitioned() && !a.is_host_only());
        assert_eq!(a.same_site_attribute(), Some("lAx"));
        assert_eq!(a.same_site(), Some(crate::SameSite::Lax));
        assert_eq!(a.expires(), Some(at(9)));
        assert!(b.is_host_only() && !b.is_secure() && b.expires().is_none());
        assert_eq!(
            (b.same_site(), b.same_site_attribute()),
            (None, Some("odd"))
        );
        assert_eq!(c.same_site_attribute(), None);
    }
}

// CKY-45, CKY-46.
#[test]
fn cookies_can_be_removed() {
    for jar in both() {
        jar.add("shared", "1").expect("legal");
        set(&jar, "http://a.test/", &["a=1", "b=1", "ends=1; Max-Age=1"]);
        set(&jar, "http://www.a.test/", &["c=1"]);
        set(&jar, "http://other.test/", &["d=1"]);
        jar.clear_where(at(0), |cookie| cookie.name() == "a");
        assert_eq!(jar.len(), 5);
        jar.clear_where(at(1), |_| false);
        assert_eq!(jar.len(), 4);
        jar.clear_domain(at(1), "A.test");
        let cookies = jar.cookies(at(1));
        let names: Vec<_> = cookies.iter().map(Cookie::name).collect();
        assert_eq!(names, ["shared", "d"]);
        jar.clear_domain(at(1), "\u{fffd}");
        assert_eq!(jar.len(), 2);
        jar.clear_domain(at(1), "");
        assert_eq!(jar.len(), 1);
        jar.clear();
        assert!(jar.is_empty());
    }
}

#[test]
fn a_predicate_that_panics_leaves_the_jar_whole() {
    let jar = rfc();
    set(&jar, "http://a.test/", &["a=1", "b=1"]);
    let clear = || jar.clear_where(at(0), |cookie| panic!("at {cookie:?}"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(clear)).is_err());
    check(&jar, "http://a.test/", "a=1; b=1");
}

// CKY-07.
#[test]
fn own_cookies_are_legal_ones() {
    for jar in both() {
        let illegal = jar.add("a b", "1");
        assert_eq!(illegal, Err(CookieError::Name("a b".into())));
        assert_eq!(jar.add("a", "x\ny"), Err(CookieError::Value("a".into())));
        jar.add("a", "1").expect("legal");
        jar.add("a", "2").expect("legal");
        let a = url("http://a.test/dir/page");
        jar.add_for(&CookieRequest::new(&a, at(0)), "own", "3")
            .expect("legal");
        assert_eq!(jar.len(), 2);
        check(
            &jar,
            "http://a.test/dir/x",
            if jar.options().style.profile == Profile::Aiohttp {
                "a=2; own=3"
            } else {
                "own=3; a=2"
            },
        );
        check(&jar, "http://a.test/", "a=2");
        check(&jar, "http://sub.a.test/dir/", "a=2");
    }
}

// CKY-07, and EDGE-235: what the program gave is not changed.
#[test]
fn cookies_of_maps_and_lists_are_added() {
    use std::collections::{BTreeMap, HashMap};

    for jar in both() {
        let map = HashMap::from([("b".to_owned(), "2".to_owned())]);
        jar.add_all([("a", "1"), ("a", "0")]).expect("legal");
        jar.add_all(&map).expect("legal");
        let a = url("https://a.test/dir/");
        let request = CookieRequest::new(&a, at(0));
        jar.add_all_for(&request, BTreeMap::from([("c", "3"), ("d", "4")]))
            .expect("legal");
        assert_eq!(map, HashMap::from([("b".to_owned(), "2".to_owned())]));
        for refused in [
            jar.add_all([("e", "5"), ("", "6")]),
            jar.add_all_for(&request, [("e", "5"), ("f", "\n")]),
        ] {
            assert!(refused.is_err());
        }
        let cookies = jar.cookies(at(0));
        let names: Vec<_> = cookies.iter().map(Cookie::name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);

        // EDGE-235.
        let set_cookie = SetCookie::parse(Profile::default(), b"g=7; Path=/").expect("a cookie");
        jar.update_parsed(&request, [set_cookie.clone()]);
        let again = SetCookie::parse(Profile::default(), b"g=7; Path=/");
        assert_eq!(Some(set_cookie), again);
        assert!(header(&jar, "https://a.test/", 0).contains("g=7"));

        // Another jar.
        let copy = CookieJar::with_options(jar.options().clone());
        copy.merge(jar.cookies(at(0)), at(0));
        assert_eq!(copy.cookies(at(0)), jar.cookies(at(0)));
    }
}

#[test]
fn one_cookie_can_be_asked_for() {
    for jar in both() {
        jar.add("a", "shared").expect("legal");
        let fields = [
            "a=host",
            "a=dir; Path=/dir/",
            "b=domain; Domain=a.test",
            "c=1; Max-Age=1",
        ];
        set(&jar, "http://a.test/", &fields);
        let value = |name: &str, domain: &str, path: &str| {
            let cookie = jar.cookie(at(0), name, domain, path);
            cookie.map(|cookie| cookie.value().into_owned())
        };
        assert_eq!(value("a", "", "/").as_deref(), Some("shared"));
        assert_eq!(value("a", "A.test", "/").as_deref(), Some("host"));
        assert_eq!(value("a", "a.test", "/dir/").as_deref(), Some("dir"));
        assert_eq!(value("b", "a.test", "/").as_deref(), Some("domain"));
        assert_eq!(value("b", "www.a.test", "/"), None);
        assert_eq!(value("A", "a.test", "/"), None);
        assert_eq!(value("a", "\u{fffd}", "/"), None);
        assert!(jar.cookie(at(0), "c", "a.test", "/").is_some());
        assert!(jar.cookie(at(1), "c", "a.test", "/").is_none());
        let is_aiohttp = jar.options().style.profile == Profile::Aiohttp;
        assert_eq!(value("a", "a.test", "/dir").is_some(), is_aiohttp);
        set(&jar, "http://a.test/", &["b=host"]);
        assert_eq!(value("b", "a.test", "/").as_deref(), Some("host"));
    }
}

#[test]
fn octets_that_are_no_text_go_back_as_they_came() {
    let from = url("http://a.test/");
    let request = CookieRequest::new(&from, at(0));
    let jar = rfc();
    jar.update_cookies(&request, [b"a=\xff\xfe".as_slice(), b"b=1"]);
    let header = jar.style().merge(jar.filter_cookies(&request), vec![], &[]);
    assert_eq!(header.as_deref(), Some(b"a=\xff\xfe; b=1".as_slice()));
    assert_eq!(jar.cookie_header(&request).as_deref(), Some("b=1"));
    // CKY-29.
    let jar = aiohttp();
    jar.update_cookies(&request, [b"a=\xff\xfe".as_slice()]);
    assert!(jar.is_empty());
}

#[test]
fn a_url_without_a_host_has_no_cookies() {
    for jar in both() {
        jar.add("shared", "1").expect("legal");
        for text in ["data:text/plain,x", "file:///x", "mailto:a@a.test"] {
            set(&jar, text, &["a=1"]);
            check(&jar, text, "");
        }
        assert_eq!(jar.len(), 1);
    }
}

#[test]
fn a_jar_is_shared_as_a_store() {
    let jar: std::sync::Arc<dyn CookieStore> = std::sync::Arc::new(aiohttp());
    let url = url("http://a.test/");
    let request = CookieRequest::new(&url, at(0));
    jar.update_cookies(&request, &mut [b"a=x y".as_slice()].into_iter());
    let header = jar.style().merge(jar.filter_cookies(&request), vec![], &[]);
    assert_eq!(header.as_deref(), Some(b"a=\"x y\"".as_slice()));

    let dummy = crate::DummyCookieJar::default();
    CookieStore::update_cookies(&dummy, &request, &mut [b"a=1".as_slice()].into_iter());
    assert!(CookieStore::filter_cookies(&dummy, &request).is_empty());
}

#[test]
fn no_value_shows_in_debug_output() {
    let jar = rfc();
    set(&jar, "http://a.test/", &["id=secret"]);
    let parsed = SetCookie::parse(Profile::default(), b"id=secret");
    let from = url("https://user:secret@a.test/secret");
    let mut request = CookieRequest::new(&from, at(0));
    request.site = CookieSite::Page(&from);
    let shown = format!("{jar:?} {:?} {parsed:?} {request:?}", jar.cookies(at(0)));
    assert!(!shown.contains("secret"), "{shown}");
}
