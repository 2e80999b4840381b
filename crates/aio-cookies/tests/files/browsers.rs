//! What browser extensions and the tools that drive browsers have of cookies.

use aio_cookies::{CookieFormat, CookieJarOptions};

use super::formats::{check_damage, check_read, check_write, jar};

#[test]
fn an_export_of_a_browser_extension_is_read() {
    check_read(
        r#"[
        {
            "domain": ".a.test", "expirationDate": 4116219494.25, "hostOnly": false,
            "httpOnly": true, "name": "a", "path": "/x", "sameSite": "no_restriction",
            "secure": true, "session": false, "storeId": "0", "value": "1", "id": 1
        },
        {"domain": "a.test", "hostOnly": true, "name": "b", "path": "/", "sameSite": "lax",
         "session": true, "expirationDate": 1, "storeId": null, "value": "\"\u00e9\""},
        {"domain": "a.test", "name": "c", "sameSite": "unspecified", "value": ""},
        {"domain": ".a.test", "name": "d", "sameSite": null, "value": "", "expires": -1},
        {"domain": "a.test", "name": "e", "sameSite": "Strict", "value": "", "expires": 4e9},
        {"domain": "a.test", "name": "f", "value": "ended", "expires": 1},
        {"domain": "a.test", "name": "g", "sameSite": "odd", "value": ""}
        ]"#,
        &[
            "a=1 a.test/x secure http-only None until 4116219494.25",
            "b=é a.test/ coded \"é\" host-only Lax",
            "c= a.test/ host-only",
            "d= a.test/",
            "e= a.test/ host-only Strict until 4000000000",
            "g= a.test/ host-only",
        ],
    );
}

#[test]
fn an_export_is_written_as_extensions_write_it() {
    let fields = [
        "id=7; HttpOnly; Max-Age=60; SameSite=strict; Path=/",
        "d=\"x\"; Domain=a.test; SameSite=odd",
    ];
    let jar = jar(CookieJarOptions::aiohttp(), "http://a.test/", &fields);
    jar.add("shared", "1").expect("legal");
    check_write(
        CookieFormat::Browser,
        &jar,
        r#"[
  {
    "domain": "a.test",
    "expirationDate": 1700000060,
    "hostOnly": true,
    "httpOnly": true,
    "name": "id",
    "path": "/",
    "sameSite": "strict",
    "secure": false,
    "session": false,
    "value": "7"
  },
  {
    "domain": ".a.test",
    "hostOnly": false,
    "httpOnly": false,
    "name": "d",
    "path": "/",
    "sameSite": "unspecified",
    "secure": false,
    "session": true,
    "value": "\"x\""
  }
]"#,
    );
}

// Each as its own tool writes it, but for the values.
#[test]
fn what_drives_a_browser_has_its_cookies_read() {
    let playwright = r#"{
        "cookies": [
            {"name": "a", "value": "1", "domain": "www.a.test", "path": "/", "expires": -1,
             "httpOnly": true, "secure": false, "sameSite": "Lax"},
            {"name": "b", "value": "2", "domain": ".a.test", "path": "/x",
             "expires": 4116219494.25, "httpOnly": false, "secure": true, "sameSite": "None"}
        ],
        "origins": [{"origin": "https://a.test", "localStorage": []}]
    }"#;
    let want = [
        "a=1 www.a.test/ host-only http-only Lax",
        "b=2 a.test/x secure None until 4116219494.25",
    ];
    check_read(playwright, &want);
    let puppeteer = r#"[
        {"name": "a", "value": "1", "domain": "www.a.test", "path": "/", "expires": -1,
         "size": 2, "httpOnly": true, "secure": false, "session": true, "sameSite": "Lax",
         "sameParty": false, "sourceScheme": "Secure", "sourcePort": 443},
        {"name": "b", "value": "2", "domain": ".a.test", "path": "/x",
         "expires": 4116219494.25, "size": 2, "httpOnly": false, "secure": true,
         "session": false, "sameSite": "None", "priority": "Medium"}
    ]"#;
    check_read(puppeteer, &want);
    let selenium = r#"[
        {"domain": "www.a.test", "httpOnly": true, "name": "a", "path": "/",
         "sameSite": "Lax", "secure": false, "value": "1"},
        {"domain": ".a.test", "expiry": 4116219494, "httpOnly": false, "name": "b",
         "path": "/x", "sameSite": "None", "secure": true, "value": "2"}
    ]"#;
    let whole = want[1].replace(".25", "");
    check_read(selenium, &[want[0], &whole]);
    check_read(r#"{"cookies": []}"#, &[]);
    check_damage(r#"{"cookies": {}}"#, "line 1: not an array");
}

// A jar has no pages that cookies are kept apart for; those of a site's own are as any others.
#[test]
fn a_partitioned_cookie_is_read_where_it_is_one_of_its_own_site() {
    let check = |key: &str, want: &[&str]| {
        let cookie = r#""domain": ".www.a.test", "name": "a", "value": "1""#;
        check_read(&format!(r#"[{{{cookie}, "partitionKey": {key}}}]"#), want);
    };
    let whole = &["a=1 www.a.test/"];
    for key in ["null", r#""""#, "{}", r#"{"topLevelSite": ""}"#] {
        check(key, whole);
    }
    let own = &["a=1 www.a.test/ partitioned"];
    // Chrome and Firefox; Puppeteer; Playwright.
    check(
        r#"{"hasCrossSiteAncestor": false, "topLevelSite": "https://a.test"}"#,
        own,
    );
    check(
        r#"{"sourceOrigin": "https://a.test", "hasCrossSiteAncestor": false}"#,
        own,
    );
    check(r#""https://a.test""#, own);
    for site in [
        "https://b.test",
        "https://evil-a.test",
        "a.test",
        "file:///",
    ] {
        check(&format!(r#""{site}""#), &[]);
        check(&format!(r#"{{"topLevelSite": "{site}"}}"#), &[]);
    }
    check_damage(
        "[{\"domain\": \"a\", \"name\": \"n\", \"value\": \"\",\n\"partitionKey\": 5}]",
        "line 2: `partitionKey` is not a string",
    );
}
