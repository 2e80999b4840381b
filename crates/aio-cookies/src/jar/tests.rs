use std::time::Duration;

use super::*;

/// 2026-09-21; what Expires says here is far from it.
const NOW: Duration = Duration::from_secs(1_790_000_000);

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW + Duration::from_secs(seconds)
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn rfc() -> CookieJar {
    CookieJar::new()
}

fn aiohttp() -> CookieJar {
    CookieJar::with_options(CookieJarOptions::aiohttp())
}

fn both() -> [CookieJar; 2] {
    [rfc(), aiohttp()]
}

fn set(jar: &CookieJar, from: &str, fields: &[&str]) {
    jar.update_cookies(&CookieRequest::new(&url(from), at(0)), fields);
}

fn header(jar: &CookieJar, to: &str, seconds: u64) -> String {
    let url = url(to);
    let header = jar.cookie_header(&CookieRequest::new(&url, at(seconds)));
    header.unwrap_or_default()
}

#[track_caller]
fn check(jar: &CookieJar, to: &str, want: &str) {
    assert_eq!(header(jar, to, 0), want, "{:?} {to}", jar.options().style);
}

/// Sets `field` from `from` in a new jar and looks at what goes to `to`.
#[track_caller]
fn check_one(jar: &CookieJar, (from, field): (&str, &str), to: &str, want: &str) {
    let jar = CookieJar::with_options(jar.options().clone());
    set(&jar, from, &[field]);
    assert_eq!(header(&jar, to, 0), want, "{field:?} {to}");
}

// EDGE-210.
#[test]
fn twelve_cookies_of_a_shop_come_back_byte_for_byte() {
    let fields = [
        "session-id=143-0000000-1111111; Domain=.shop.example; Path=/; Secure",
        "session-id-time=2082787201l; Domain=.shop.example; Path=/; Expires=Tue, 01-Jan-2036 08:00:01 GMT",
        "i18n-prefs=USD; path=/; domain=.shop.example; max-age=31536000",
        "skin=noskin; path=/; domain=.shop.example",
        "ubid-main=\"132-2222222-3333333\"; Domain=shop.example; Path=/; Secure",
        "session-token=\"a+b/c==\\\"d|e\"; Path=/; Domain=.shop.example; Expires=Sat, 20-Jun-2099 08:00:01 GMT; Secure; HttpOnly",
        "x-main=\"e?hB@kd,1\"; Path=/; Secure",
        "at-main=Atza|IwEBIA-_~.; Domain=.shop.example; Path=/",
        "csm-hit=tb:s-1|1&t:2&adb:no; Path=/",
        "lc-main=en_US; Domain=www.shop.example; Path=/",
        "other=1; Domain=pay.shop.example; Path=/",
        "gone=1; Path=/; Max-Age=0",
    ];
    let jar = rfc();
    set(&jar, "https://www.shop.example/", &fields);
    let want: Vec<_> = fields[..10]
        .iter()
        .filter_map(|field| field.split(';').next())
        .collect();
    check(&jar, "https://www.shop.example/", &want.join("; "));

    let jar = aiohttp();
    set(&jar, "https://www.shop.example/", &fields);
    let sent = header(&jar, "https://www.shop.example/", 0);
    for quoted in &want[4..7] {
        assert!(sent.contains(quoted), "{quoted} in {sent}");
    }
    assert_eq!(sent.split("; ").count(), 10);
}

// EDGE-211, CKY-74.
#[test]
fn names_of_attributes_are_ordinary_names() {
    for jar in both() {
        for name in ["path", "domain", "expires", "max-age", "secure"] {
            let field = format!("{name}=1; Path=/");
            let from = ("https://a.test/", &*field);
            check_one(&jar, from, "https://a.test/", &format!("{name}=1"));
        }
    }
}

// EDGE-212.
#[test]
fn a_quoted_value_may_hold_semicolons_for_aiohttp() {
    let from = ("http://a.test/", "a=\"1;2;3\"; Path=/x");
    check_one(&aiohttp(), from, "http://a.test/x", "a=\"1;2;3\"");
    // RFC 6265bis 5.6 ends the value at the first semicolon, as browsers do.
    check_one(&rfc(), from, "http://a.test/x", "a=\"1");
}

// EDGE-213.
#[test]
fn names_with_braces_are_accepted() {
    let field = "ISAWPLB{A7F52349-3531-4DA9-8776-F74BC6F4F1BB}={925}; Path=/";
    let name = "ISAWPLB{A7F52349-3531-4DA9-8776-F74BC6F4F1BB}";
    let from = ("http://a.test/", field);
    check_one(&rfc(), from, "http://a.test/", &format!("{name}={{925}}"));
    check_one(
        &aiohttp(),
        from,
        "http://a.test/",
        &format!("{name}=\"{{925}}\""),
    );
}

// EDGE-214.
#[test]
fn a_cookie_ends_with_its_age() {
    for jar in both() {
        set(&jar, "http://a.test/", &["a=1; Max-Age=1", "b=2"]);
        assert_eq!(header(&jar, "http://a.test/", 0), "a=1; b=2");
        assert_eq!(jar.len(), 2);
        assert_eq!(jar.cookies(at(2)).len(), 1);
        assert_eq!(header(&jar, "http://a.test/", 2), "b=2");
        assert_eq!(jar.len(), 1);
    }
}

// EDGE-215, CKY-18.
#[test]
fn ages_out_of_range_are_bounded() {
    for jar in both() {
        let huge = "9".repeat(30);
        let fields = [
            format!("a=1; Max-Age={huge}"),
            format!("b=1; Max-Age=-{huge}"),
        ];
        jar.update_cookies(&CookieRequest::new(&url("http://a.test/"), at(0)), fields);
        check(&jar, "http://a.test/", "a=1");
        let limit = match jar.options().style.profile {
            Profile::Rfc6265bis => at(400 * 86_400),
            Profile::Aiohttp => SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_798),
        };
        assert_eq!(jar.cookies(at(0))[0].expires(), Some(limit));
    }
}

// RFC 6265bis 5.5.
#[test]
fn no_cookie_is_kept_for_more_than_400_days() {
    for jar in both() {
        let far = "Expires=Fri, 07 Aug 2099 08:04:19 GMT";
        set(
            &jar,
            "http://a.test/",
            &["a=1; Max-Age=34560001", &format!("b=1; {far}")],
        );
        let ends: Vec<_> = jar
            .cookies(at(0))
            .iter()
            .filter_map(Cookie::expires)
            .collect();
        let limit = at(34_560_000);
        let far = crate::parse_date(far.as_bytes()).expect("a date");
        match jar.options().style.profile {
            Profile::Rfc6265bis => assert_eq!(ends, [limit, limit]),
            Profile::Aiohttp => assert_eq!(ends, [at(34_560_001), far]),
        }
    }
}

// SPEC 18.3: CKY-18.
#[test]
fn an_age_that_is_none_does_not_hide_the_date() {
    for jar in both() {
        for age in ["abc", "1.5", "", "-", "+5"] {
            let past = format!("a=1; Max-Age={age}; Expires=Thu, 01 Jan 2015 00:00:00 GMT");
            check_one(&jar, ("http://a.test/", &past), "http://a.test/", "");
        }
        let field = "a=1; Max-Age=9; Expires=Thu, 01 Jan 2015 00:00:00 GMT";
        check_one(&jar, ("http://a.test/", field), "http://a.test/", "a=1");
    }
}

// SPEC 18.3: CKY-20; EDGE-239.
#[test]
fn the_first_second_of_1970_deletes() {
    for jar in both() {
        set(&jar, "http://a.test/", &["a=1", "b=1", "c=1", "d=1"]);
        let fields = [
            "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "b=; Expires=Tue, 1 Jan 1970 00:00:00 -0000",
            "c=; Expires=Thu, 01-Jan-70 00:00:00 GMT",
            "d=2; Expires=Tue, 01-Jan-69 00:00:00 GMT",
        ];
        set(&jar, "http://a.test/", &fields);
        check(&jar, "http://a.test/", "d=2");
        assert_eq!(jar.len(), 1);
    }
}

// EDGE-216, and SPEC 18.3: CKY-22.
#[test]
fn the_last_setting_decides_on_the_end() {
    for jar in both() {
        set(
            &jar,
            "http://a.test/",
            &["a=1; Max-Age=1", "b=1; Max-Age=1"],
        );
        let again = ["a=2", "b=; Max-Age=0", "b=2; Max-Age=100"];
        set(&jar, "http://a.test/", &again);
        assert_eq!(header(&jar, "http://a.test/", 50), "a=2; b=2");
        assert_eq!(header(&jar, "http://a.test/", 100), "a=2");
    }
}

// CKY-21.
#[test]
fn a_deleted_cookie_is_gone_at_once() {
    for jar in both() {
        set(
            &jar,
            "https://a.test/",
            &["a=1; Path=/; Secure", "b=1; Path=/"],
        );
        set(&jar, "https://a.test/", &["a=; Path=/; Max-Age=0"]);
        assert_eq!(jar.len(), 1);
        // Neither its age nor its being secure is handed down.
        set(&jar, "http://a.test/", &["a=2; Path=/; Max-Age=5"]);
        let cookies = jar.cookies(at(0));
        let names: Vec<_> = cookies.iter().map(Cookie::name).collect();
        assert_eq!(names, ["b", "a"]);
        let url = url("http://a.test/");
        let request = CookieRequest::new(&url, at(5));
        jar.update_cookies(&request, ["c=3; Path=/", "a=3; Path=/"]);
        let names: Vec<_> = jar
            .cookies(at(5))
            .iter()
            .map(|c| c.name().into_owned())
            .collect();
        assert_eq!(names, ["b", "c", "a"]);
    }
    let jar = rfc();
    set(&jar, "https://a.test/", &["a=1; Secure; Max-Age=5"]);
    let url = url("http://a.test/");
    for (seconds, value) in [(4, "a=2"), (5, "a=3")] {
        jar.update_cookies(&CookieRequest::new(&url, at(seconds)), [value]);
    }
    assert_eq!(header(&jar, "http://a.test/", 5), "a=3");
}

// EDGE-217.
#[test]
fn setting_again_takes_no_room() {
    for jar in both() {
        for age in 1..=1000 {
            set(&jar, "http://a.test/", &[&format!("a=1; Max-Age={age}")]);
        }
        assert_eq!(jar.len(), 1);
        assert_eq!(jar.cookies(at(999)).len(), 1);
    }
}

// EDGE-218, CKY-33.
#[test]
fn the_longest_path_counts_in_any_order() {
    let fields = ["n=root; Path=/", "n=a; Path=/a", "n=b; Path=/a/b"];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let fields = order.map(|at| fields[at]);
        let jar = aiohttp();
        set(&jar, "http://a.test/", &fields);
        check(&jar, "http://a.test/a/b/c", "n=b");
        check(&jar, "http://a.test/a", "n=a");
        let jar = rfc();
        set(&jar, "http://a.test/", &fields);
        check(&jar, "http://a.test/a/b/c", "n=b; n=a; n=root");
    }
}

// EDGE-219, CKY-32.
#[test]
fn the_host_counts_before_its_domain() {
    let fields = ["n=host; Path=/", "n=domain; Domain=example.test; Path=/a"];
    let jar = aiohttp();
    set(&jar, "http://www.example.test/", &fields);
    check(&jar, "http://www.example.test/a", "n=host");
    let jar = rfc();
    set(&jar, "http://www.example.test/", &fields);
    check(&jar, "http://www.example.test/a", "n=domain; n=host");
}

// EDGE-220, CKY-17.
#[test]
fn a_host_only_cookie_and_a_domain_cookie_replace_each_other_for_aiohttp() {
    let (host, domain) = ("n=host", "n=domain; Domain=a.test");
    let jar = aiohttp();
    set(&jar, "http://a.test/", &[host, domain]);
    check(&jar, "http://sub.a.test/", "n=domain");
    set(&jar, "http://a.test/", &[host]);
    check(&jar, "http://sub.a.test/", "");
    check(&jar, "http://a.test/", "n=host");
    // RFC 6265bis 5.7, step 23: they are two.
    let jar = rfc();
    set(&jar, "http://a.test/", &[host, domain]);
    check(&jar, "http://sub.a.test/", "n=domain");
    check(&jar, "http://a.test/", "n=host; n=domain");
}

// EDGE-221.
#[test]
fn a_cookie_stays_host_only_when_another_path_ends() {
    for jar in both() {
        set(
            &jar,
            "http://a.test/",
            &["n=1; Path=/x; Max-Age=1", "n=2; Path=/"],
        );
        assert_eq!(header(&jar, "http://sub.a.test/x", 5), "");
        assert_eq!(header(&jar, "http://a.test/x", 5), "n=2");
    }
}

// EDGE-222.
#[test]
fn an_internationalised_host_matches_its_punycode() {
    for jar in both() {
        let from = "http://bücher.example/";
        set(&jar, from, &["a=1", "b=2; Domain=xn--bcher-kva.example"]);
        check(&jar, "http://BÜCHER.example/", "a=1; b=2");
        check(&jar, "http://www.xn--bcher-kva.example/", "b=2");
        let cookies = jar.cookies(at(0));
        let domain = cookies[0].domain().map(Domain::as_str);
        assert_eq!(domain, Some("xn--bcher-kva.example"));
    }
}

// EDGE-223, CKY-52.
#[test]
fn quoting_can_be_turned_off() {
    let mut options = CookieJarOptions::aiohttp();
    options.style.quote_cookie = false;
    let jar = CookieJar::with_options(options);
    jar.add("own", "\"two words\"").expect("legal");
    set(&jar, "http://a.test/", &["a=x y", "q=\"r\\\"s\""]);
    check(&jar, "http://a.test/", "a=x y; own=\"two words\"; q=r\"s");
}

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
fn a_request_carries_150_cookies_for_aiohttp_and_all_of_them_else() {
    for jar in both() {
        let own: Vec<_> = (0..100).map(|n| format!("own{n}=1")).collect();
        let wide: Vec<_> = (0..100)
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
            Profile::Rfc6265bis => (50, 100),
            Profile::Aiohttp => (100, 50),
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
}

// EDGE-228.
#[test]
fn a_quoted_path_may_hold_a_semicolon_for_aiohttp() {
    let jar = aiohttp();
    set(
        &jar,
        "http://a.test/",
        &["a=1; Path=\"/account/secure;v=1\"; HttpOnly"],
    );
    let cookies = jar.cookies(at(0));
    assert_eq!(cookies[0].path(), "/account/secure;v=1");
    assert!(cookies[0].is_http_only());
    check(&jar, "http://a.test/account/secure;v=1/x", "a=1");
}

// EDGE-229.
#[test]
fn a_flag_with_any_value_is_a_flag() {
    for jar in both() {
        let field = format!("a=1; Path=/; Secure={}", "x".repeat(1025));
        let from = ("https://a.test/", &*field);
        check_one(&jar, from, "http://a.test/", "");
        check_one(&jar, from, "https://a.test/", "a=1");
    }
}

// EDGE-236, CKY-36.
#[test]
fn a_trusted_origin_counts_as_secure() {
    for jar in both() {
        let jar = CookieJar::with_options(CookieJarOptions {
            treat_as_secure_origin: vec![url("http://dev.test:8080/any")],
            ..jar.options().clone()
        });
        set(&jar, "http://dev.test:8080/", &["a=1; Secure"]);
        check(&jar, "http://dev.test:8080/x", "a=1");
        check(&jar, "http://dev.test/", "");
        check(&jar, "ws://dev.test:8080/", "");
        check(&jar, "https://dev.test/", "a=1");
        check(&jar, "wss://dev.test/", "a=1");
    }
}

// EDGE-237.
#[test]
fn looking_for_cookies_stores_nothing() {
    for jar in both() {
        set(&jar, "http://a.test/", &["a=1; Max-Age=1"]);
        for n in 0..1000 {
            assert_eq!(header(&jar, &format!("http://h{n}.test/"), 0), "");
        }
        assert_eq!(jar.index().domain_count(), 1);
        assert_eq!(header(&jar, "http://a.test/", 1), "");
        assert_eq!(jar.index().domain_count(), 0);
    }
}

// EDGE-238.
#[test]
fn escapes_hide_no_control_characters() {
    let from = ("http://a.test/", "a=\"x\\012y\"");
    check_one(&aiohttp(), from, "http://a.test/", "");
    // Nobody unescapes it here.
    check_one(&rfc(), from, "http://a.test/", "a=\"x\\012y\"");
}

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

#[test]
fn a_top_level_domain_keeps_its_cookies_to_itself() {
    let jar = rfc();
    set(&jar, "http://a.test/", &["a=1; Domain=test"]);
    set(&jar, "http://localhost/", &["l=1; Domain=localhost"]);
    check(&jar, "http://b.test/", "");
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
    let shown = format!("{jar:?} {:?} {parsed:?}", jar.cookies(at(0)));
    assert!(!shown.contains("secret"), "{shown}");
}
