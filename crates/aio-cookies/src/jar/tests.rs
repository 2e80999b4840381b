//! What a jar keeps and sends, by the rules.

mod limits;
mod merging;
mod reach;

use std::time::Duration;

use super::*;
use crate::options::CookieLimits;
use crate::site::CookieSite;

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
    let want: Vec<&str> = fields[..10]
        .iter()
        .filter_map(|field| field.split(';').next())
        .collect();
    check(&jar, "https://www.shop.example/", &want.join("; "));

    let jar = aiohttp();
    set(&jar, "https://www.shop.example/", &fields);
    // CKY-62.
    let mut want = want;
    want.sort_by_key(|pair| pair.split_once('=').map(|(name, _)| name));
    check(&jar, "https://www.shop.example/", &want.join("; "));
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
        for age in ["abc", "1.5", "", "-", "+-5"] {
            let past = format!("a=1; Max-Age={age}; Expires=Thu, 01 Jan 2015 00:00:00 GMT");
            check_one(&jar, ("http://a.test/", &past), "http://a.test/", "");
        }
        let field = "a=1; Max-Age=9; Expires=Thu, 01 Jan 2015 00:00:00 GMT";
        check_one(&jar, ("http://a.test/", field), "http://a.test/", "a=1");
        // RFC 6265bis 5.6.2 knows no `+`, Python does.
        let signed = field.replace('9', "+9");
        let want = match jar.options().style.profile {
            Profile::Rfc6265bis => "",
            Profile::Aiohttp => "a=1",
        };
        check_one(&jar, ("http://a.test/", &signed), "http://a.test/", want);
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
        // A shared one, which came from a file.
        let shared = |cookie: &Cookie| Cookie {
            domain: None,
            host_only: false,
            ..cookie.clone()
        };
        let cookies: Vec<_> = jar.cookies(at(0)).iter().map(shared).collect();
        jar.replace(cookies, at(0));
        check(&jar, "http://other.test/", "");
        check(&jar, "https://other.test/", "a=1");
        check(&jar, "http://dev.test:8080/", "a=1");
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

#[test]
fn jars_are_merged_by_what_was_stored_last() {
    let url = Url::parse("https://a.test/").expect("a URL");
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let jar = |time, cookies: &[&str]| {
        let jar = CookieJar::new();
        jar.update_cookies(&CookieRequest::new(&url, at(time)), cookies);
        jar
    };
    let ours = jar(1, &["a=old", "b=ours"]);
    ours.update_cookies(&CookieRequest::new(&url, at(3)), ["c=new"]);
    let theirs = jar(2, &["a=new", "c=old", "d=theirs; Max-Age=10"]);
    ours.merge(theirs.cookies(at(4)), at(20));
    let texts: Vec<_> = ours
        .cookies(at(20))
        .iter()
        .map(|c| format!("{}={}", c.name(), c.value()))
        .collect();
    assert_eq!(texts, ["a=new", "b=ours", "c=new"]);
    // Who replaces a cookie inherits its age.
    assert_eq!(ours.cookies(at(20))[0].created(), at(1));
    ours.replace(theirs.cookies(at(4)), at(4));
    assert_eq!(ours.cookies(at(4)), theirs.cookies(at(4)));
}
