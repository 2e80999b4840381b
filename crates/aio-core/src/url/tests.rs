mod chance;

use super::*;

#[track_caller]
fn parsed(text: &str) -> RequestUrl {
    let url = RequestUrl::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_consistent(&url);
    url
}

/// What holds for each URL, wherever it comes from.
#[track_caller]
fn assert_consistent(url: &RequestUrl) {
    let sent = [
        url.as_str(),
        &url.real_url(),
        url.target(),
        &url.host_header(),
        url.host(),
    ];
    assert!(
        sent.iter()
            .all(|text| text.bytes().all(|b| b.is_ascii_graphic())),
        "{sent:?}"
    );
    assert!(
        url.target().starts_with('/') && !url.host().is_empty(),
        "{sent:?}"
    );
    assert!(url.as_str().ends_with(url.target()), "{sent:?}");
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    assert_eq!(url.target(), target);
    assert_eq!(url.url().username(), "");
    assert_eq!(url.url().fragment(), None);
}

#[track_caller]
fn check(text: &str, want: &str) {
    assert_eq!(parsed(text).real_url(), want, "{text:?}");
    assert_eq!(parsed(want).real_url(), want, "parsing {text:?} twice");
}

// Expected values are yarl 1.25.1's, an empty path aside.
#[test]
fn text_is_requoted() {
    check("http://h/p?q=1", "http://h/p?q=1");
    check("http://h/a b/c?x=a b", "http://h/a%20b/c?x=a+b");
    check("http://h/%7Euser/%41%2f%3a", "http://h/~user/A%2F:");
    check(
        "http://h/\u{fc}/%c3%bc?\u{e9}=%",
        "http://h/%C3%BC/%C3%BC?%C3%A9=%25",
    );
    check(
        "http://h/q?x=a b&y=\"<>\"&z={|}",
        "http://h/q?x=a+b&y=%22%3C%3E%22&z=%7B%7C%7D",
    );
    check("http://h/a/./b/../c", "http://h/a/c");
    check("http://h/a/%2e%2e/b", "http://h/b");
    check("http://h/../x/.", "http://h/x/");
    check("http://h/a/.?x=.", "http://h/a/?x=.");
    check("http://h/a.b/.c/..d", "http://h/a.b/.c/..d");
    check("http://h", "http://h/");
    check("http://h?x=1", "http://h/?x=1");
    check("http://h/p?#", "http://h/p");
    check("http://h#f", "http://h/#f");
    check("http://h/a?b?c#d#e", "http://h/a?b?c#d%23e");
    check(" \t http://h/x ", "http://h/x%20");
    check("http://h/\\\\evil", "http://h/%5C%5Cevil");
    check("http://h/\0\r\nX: y", "http://h/%00X:%20y");
    check("ht\ttp://h/a\tb?c\r\nd", "http://h/ab?cd");
}

#[test]
fn host_and_port_are_normalised() {
    check(
        "HTTP://EXAMPLE.Test:8080/PaTh",
        "http://example.test:8080/PaTh",
    );
    check("http://b\u{fc}cher.test/", "http://xn--bcher-kva.test/");
    check("http://fa\u{df}.de/", "http://xn--fa-hia.de/");
    check("http://\u{ff45}x\u{3002}com/", "http://ex.com/");
    check("http://h:080/", "http://h/");
    check("http://h:/", "http://h/");
    check("https://h:443/", "https://h/");
    check("ws://h:80/", "ws://h/");
    check("wss://h:443/", "wss://h/");
    check("http://h:443/", "http://h:443/");
    check("http://h_x!y;z/", "http://h_x!y;z/");
    check("http://0x7f.1/", "http://0x7f.1/");
    check("http://-a.com/", "http://-a.com/");
    check("http://_x.a--b.com/", "http://_x.a--b.com/");
    check("http://[0:0:0:0:0:0:0:1]:80/", "http://[::1]/");
    check("http://[::FFFF:1.2.3.4]/", "http://[::ffff:102:304]/");
    check("http://[fe80::1%eth0]/", "http://[fe80::1%25eth0]/");
    check("unix://x", "unix://x/");
    check("h+t-t.p://h:1/x", "h+t-t.p://h:1/x");
}

#[track_caller]
fn check_refused(text: &str, want: UrlErrorKind) {
    let refused = RequestUrl::parse(text).and_then(|url| url.check_http());
    assert_eq!(refused.map_err(|error| error.kind()), Err(want), "{text:?}");
}

#[test]
fn what_is_no_request_url_is_refused() {
    use UrlErrorKind::{InvalidHost, InvalidPort, Malformed, NoHost, NonHttp, NotCanonicalIpv4};
    for text in [
        "",
        "foo",
        "/rel",
        "//host/x",
        "http:path",
        "http:/path",
        "1http://h/",
    ] {
        check_refused(text, Malformed);
    }
    for text in [
        "http://",
        "http:///x",
        "http://:80",
        "http://user@/",
        "http://?x",
        "http://#",
        "http://::1/",
    ] {
        check_refused(text, NoHost);
    }
    for text in [
        "mailto:a@b",
        "ftp://x/",
        "data:,x",
        "file:///etc",
        "file://h:80/",
        "javascript:x",
    ] {
        check_refused(text, NonHttp);
    }
    for text in [
        "http://a:99999/",
        "http://h:x/",
        "http://h:+80/",
        "http://h:-1/",
        "http://h\r\nX: y/",
    ] {
        check_refused(text, InvalidPort);
    }
    let invalid = [
        "http://[::1",
        "http://[::1]x/",
        "http://[1.2.3.4]/",
        "http://[v1.x]/",
        "http://a[b/",
        "http://[::1%25]/",
        "http://[::1%25a b]/",
        "http://exa mple.com",
        "http://a%41b/",
        "http://h\\@evil/",
        "http://[::1]@h/",
        "http://h\\evil/",
        "http://h\0/",
        "http://a\"b/",
        "http://\u{2061}owhefopw.com",
        "http://e\u{ad}vil.com/",
        "http://./",
        "http://../",
        "http://xn--/",
        "http://foo.1/",
        "http://a\u{2100}b/",
        "http://h\u{ff0f}x/",
    ];
    for text in invalid {
        check_refused(text, InvalidHost);
    }
    for text in [
        "http://127.1/",
        "http://2130706433/",
        "http://127.0.0.1./",
        "http://01.2.3.4/",
    ] {
        check_refused(text, NotCanonicalIpv4);
    }
}

#[test]
fn errors_hide_secrets() {
    let error = RequestUrl::parse("http://u:s3cret@h:x/?token=s3cret").expect_err("bad port");
    assert!(
        !format!("{error} {error:?}").contains("s3cret"),
        "{error:?}"
    );
}

#[track_caller]
fn check_host(text: &str, host: &str, zone: Option<&str>, port: u16, header: &str) {
    let url = parsed(text);
    assert_eq!(
        (url.host(), url.zone(), url.port()),
        (host, zone, port),
        "{text:?}"
    );
    assert_eq!(url.host_header(), header, "{text:?}");
}

#[test]
fn host_header_is_what_the_server_expects() {
    check_host(
        "http://EXAMPLE.com./",
        "example.com.",
        None,
        80,
        "example.com",
    );
    check_host(
        "http://python.org.:99",
        "python.org.",
        None,
        99,
        "python.org:99",
    );
    check_host(
        "http://python.org..",
        "python.org..",
        None,
        80,
        "python.org",
    );
    check_host("https://h:80/", "h", None, 80, "h:80");
    check_host("wss://h/", "h", None, 443, "h");
    check_host("http://[::1]:8080/", "::1", None, 8080, "[::1]:8080");
    check_host("http://[::1]", "::1", None, 80, "[::1]");
    check_host(
        "http://[fe80::1%25eth0]/",
        "fe80::1",
        Some("eth0"),
        80,
        "[fe80::1]",
    );
    check_host(
        "http://[fe80::1%25en-1.2]:81/",
        "fe80::1",
        Some("en-1.2"),
        81,
        "[fe80::1]:81",
    );
    check_host(
        "http://127.0.0.1:8080/",
        "127.0.0.1",
        None,
        8080,
        "127.0.0.1:8080",
    );
    check_host("unix://x/", "x", None, 0, "x");
}

#[track_caller]
fn check_userinfo(text: &str, want: Option<(&str, &str)>) {
    let url = parsed(text);
    let got = url.userinfo().map(|auth| (auth.login(), auth.password()));
    assert_eq!(got, want, "{text:?}");
    assert!(!format!("{url} {url:?}").contains('@'), "{url:?}");
    let from_url = Url::parse(text)
        .map(RequestUrl::from_url)
        .expect("valid")
        .expect("has a host");
    assert_eq!(from_url.userinfo(), url.userinfo(), "{text:?}");
    assert_eq!(url.without_userinfo().userinfo(), None);
}

#[test]
fn userinfo_is_decoded_and_kept_aside() {
    check_userinfo("http://user:p%40ss@h/x", Some(("user", "p@ss")));
    check_userinfo("http://us:p%3Aw@h/", Some(("us", "p:w")));
    check_userinfo("http://user@h/", Some(("user", "")));
    check_userinfo("http://:pw@h/", Some(("", "pw")));
    check_userinfo("http://u%3ax:p@h/", Some(("u:x", "p")));
    check_userinfo("http://u@@h/", Some(("u@", "")));
    check_userinfo("http://u:%E2%82%AC@h/", Some(("u", "\u{20ac}")));
    check_userinfo("http://u:%E9@h/", Some(("u", "%E9")));
    check_userinfo("http://@h/", None);
    check_userinfo("http://h/a", None);
}

#[track_caller]
fn check_join(base: &str, reference: &str, want: &str) {
    let joined = parsed(base).join(reference).expect("reference is valid");
    assert_consistent(&joined);
    assert_eq!(joined.real_url(), want, "{base:?} + {reference:?}");
}

// Expected values are yarl 1.25.1's; a fragment is not inherited (RFC 3986 5.2.2).
#[test]
fn references_are_resolved() {
    check_join("http://e.com/foo/", "bar", "http://e.com/foo/bar");
    check_join("http://e.com/foo/", "/bar", "http://e.com/bar");
    check_join("http://e.com/foo/", "", "http://e.com/foo/");
    check_join("http://e.com/foo/", "?a=1", "http://e.com/foo/?a=1");
    check_join("http://e.com/foo/", "http://o.com/x", "http://o.com/x");
    check_join("http://e.com/a/b?q=1#f", "", "http://e.com/a/b?q=1");
    check_join("http://e.com/a/b?q=1#f", "#g", "http://e.com/a/b?q=1#g");
    check_join("http://e.com/a/b?q=1", "..", "http://e.com/");
    check_join("http://e.com/a/b?q=1", "x", "http://e.com/a/x");
    check_join("http://e.com/a/b", "../../x", "http://e.com/x");
    check_join("http://e.com/a/b", "./x/../y/", "http://e.com/a/y/");
    check_join("http://e.com", "x", "http://e.com/x");
    check_join("http://e.com:81/a/b", "//o.com/x", "http://o.com/x");
    check_join("https://e.com/a", "//O.com:443", "https://o.com/");
    check_join("http://e.com/a/b", "//", "http://e.com/a/b");
    check_join("http://e.com/a/b", "///x", "http://e.com/x");
    check_join("http://e.com/a/b", "////x", "http://e.com//x");
    check_join("http://e.com/a/b", "http:c", "http://e.com/a/c");
    check_join("http://e.com/a/b", "HTTP:/c", "http://e.com/c");
    check_join("http://e.com/a/b", "/\\\\evil", "http://e.com/%5C%5Cevil");
    check_join("http://e.com/a/b", "\\\\evil", "http://e.com/a/%5C%5Cevil");
    check_join(
        "http://e.com/a/b",
        "/a b/\u{fc}?q=\u{f6} x",
        "http://e.com/a%20b/%C3%BC?q=%C3%B6+x",
    );
    check_join("http://e.com/a//b", "c//d/../e", "http://e.com/a//c//e");
    check_join("http://[fe80::1%25e0]/a", "b", "http://[fe80::1%25e0]/b");
}

#[track_caller]
fn check_join_refused(reference: &str, want: UrlErrorKind) {
    let joined = parsed("http://e.com/a/b").join(reference);
    assert_eq!(
        joined.map_err(|error| error.kind()),
        Err(want),
        "{reference:?}"
    );
}

#[test]
fn references_that_lead_nowhere_are_refused() {
    check_join_refused("http:///x", UrlErrorKind::NoHost);
    check_join_refused("https:x", UrlErrorKind::Malformed);
    check_join_refused("mailto:a@b", UrlErrorKind::NonHttp);
    check_join_refused("javascript:alert(1)", UrlErrorKind::NonHttp);
    check_join_refused("//h\\evil/", UrlErrorKind::InvalidHost);
    check_join_refused("//127.1/", UrlErrorKind::NotCanonicalIpv4);
}

#[track_caller]
fn check_encoded(text: &str, want: Option<&str>) {
    let url = RequestUrl::encoded(text).ok();
    url.iter().for_each(assert_consistent);
    assert_eq!(url.as_ref().map(RequestUrl::target), want, "{text:?}");
}

#[test]
fn encoded_text_is_sent_verbatim() {
    check_encoded(
        "http://H/%7euser/../%2f?a=%2b#f",
        Some("/%7euser/../%2f?a=%2b"),
    );
    check_encoded("http://h/[a]|\"?<>", Some("/[a]|\"?<>"));
    check_encoded("http://h?x", Some("/?x"));
    for bad in [
        "/a b",
        "/\u{e9}",
        "/a\r\nX: y",
        "/\0",
        "/?a b",
        "/?\x7f",
        "/#a b",
    ] {
        check_encoded(&format!("http://h{bad}"), None);
    }
    let base = parsed("http://h/a/b");
    let joined = |reference| {
        base.join_encoded(reference)
            .map(|url| url.target().to_owned())
    };
    assert_eq!(
        joined("/%7euser/%2f?a=%2b").as_deref(),
        Ok("/%7euser/%2f?a=%2b")
    );
    assert_eq!(joined("../%7e").as_deref(), Ok("/%7e"));
    assert!(joined("/a b").is_err());
}

#[track_caller]
fn check_from_url(text: &str, target: &str, header: &str) {
    let url = Url::parse(text).expect("url is valid");
    let url = RequestUrl::from_url(url).expect("url has a host");
    assert_consistent(&url);
    assert_eq!(
        (url.target(), &*url.host_header()),
        (target, header),
        "{text:?}"
    );
}

#[test]
fn parsed_urls_are_taken_as_they_are() {
    check_from_url("http://h/%7e?a='%zz", "/%7e?a=%27%zz", "h");
    check_from_url("http://u:p@EXAMPLE.com.:81?x#f", "/?x", "example.com:81");
    check_from_url("https://[::1]:443/", "/", "[::1]");
    check_from_url("http://[::ffff:1.2.3.4]:81/?", "/?", "[::ffff:102:304]:81");
    check_from_url("http://h/a b?c d\r\n", "/a%20b?c%20d", "h");
    let with_fragment = Url::parse("http://u:p@h/x#f").expect("url is valid");
    assert_eq!(
        RequestUrl::from_url(with_fragment),
        RequestUrl::parse("http://u:p@h/x#f")
    );
    for text in ["mailto:a@b", "data:,x", "file:///x"] {
        let refused = RequestUrl::from_url(Url::parse(text).expect("url is valid"));
        assert_eq!(
            refused.map_err(|error| error.kind()),
            Err(UrlErrorKind::NonHttp),
            "{text:?}"
        );
    }
}

#[test]
fn uris_are_taken_as_encoded() {
    let uri: http::Uri = "http://H:80/%7e?a=%2b".parse().expect("uri is valid");
    assert_eq!(
        (&uri).into_url().expect("absolute").as_str(),
        "http://h/%7e?a=%2b"
    );
    let relative: http::Uri = "/%7e".parse().expect("uri is valid");
    let base = parsed("http://h/a/");
    assert_eq!(
        (&relative).resolve(Some(&base)).expect("joined").as_str(),
        "http://h/%7e"
    );
    assert!(relative.into_url().is_err());
}

#[track_caller]
fn check_resolve(text: &str, want: Option<&str>) {
    let base = parsed("http://h/api/v1/");
    let url = text.resolve(Some(&base)).ok();
    assert_eq!(url.as_ref().map(RequestUrl::as_str), want, "{text:?}");
}

#[test]
fn relative_text_is_joined_to_the_base() {
    check_resolve("users", Some("http://h/api/v1/users"));
    check_resolve("http://o/abs", Some("http://o/abs"));
    check_resolve("/root", Some("http://h/root"));
    check_resolve("sub/x?y=1", Some("http://h/api/v1/sub/x?y=1"));
    check_resolve("//o/x", None);
    check_resolve(" //o/x", None);
}

#[test]
fn base_urls_end_with_a_slash() {
    assert!(parsed("http://e.com").check_base().is_ok());
    assert!(parsed("http://e.com/a/?x").check_base().is_ok());
    let kind = parsed("http://e.com/a")
        .check_base()
        .map_err(|error| error.kind());
    assert_eq!(kind, Err(UrlErrorKind::NoTrailingSlash));
}

#[track_caller]
fn check_origin(one: &str, other: &str, want: bool) {
    assert_eq!(
        parsed(one).same_origin(&parsed(other)),
        want,
        "{one:?} {other:?}"
    );
}

#[test]
fn origin_is_scheme_host_and_port() {
    check_origin("http://h/a", "HTTP://u@H:80/b#f", true);
    check_origin("http://h/", "https://h/", false);
    check_origin("http://h/", "http://h:81/", false);
    check_origin("http://h/", "http://h.evil/", false);
    check_origin("http://[fe80::1%25a]/", "http://[fe80::1%25b]/", false);
}

#[test]
fn url_is_the_same_without_the_zone() {
    assert_eq!(
        parsed("http://[fe80::1%25eth0]:81/a?b").url().as_str(),
        "http://[fe80::1]:81/a?b"
    );
    assert_eq!(parsed("http://u:p@h/a?b#c").url().as_str(), "http://h/a?b");
}
