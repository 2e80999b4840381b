//! What is in the files.

use aio_cookies::{
    CookieFileProblem, CookieFormat, CookieJar, CookieJarOptions, CookieRequest, read_cookies,
};

use super::{jar_like, now, show, url};

/// As aiohttp 3.14.5 saves it, on a Python that knows `Partitioned`; `elsewhere` asks aiohttp itself.
const AIOHTTP: &str = r#"{
  "www.example.com|/a/b": {
    "s": {
      "key": "s",
      "value": "4",
      "coded_value": "4",
      "path": "/a/b",
      "domain": "www.example.com",
      "secure": true,
      "host_only": true,
      "expires_timestamp": 1795484097.6007342
    },
    "u": {
      "key": "u",
      "value": "\u00e9\ud83c\udf6a",
      "coded_value": "\u00e9\ud83c\udf6a",
      "path": "/a/b",
      "domain": "www.example.com",
      "host_only": true,
      "expires_timestamp": 4116219494
    }
  },
  "example.com|": {
    "d": {
      "key": "d",
      "value": "2",
      "coded_value": "2",
      "path": "/",
      "domain": "example.com",
      "httponly": true,
      "samesite": "Lax",
      "partitioned": true
    }
  },
  "www.example.com|/x": {
    "q": {
      "key": "q",
      "value": "a,b",
      "coded_value": "\"a\\054b\"",
      "path": "/x/",
      "domain": "www.example.com",
      "host_only": true
    }
  },
  "|": {
    "e": {
      "key": "e",
      "value": "",
      "coded_value": "\"\"",
      "path": "/"
    }
  },
  "::1|": {
    "ip": {
      "key": "ip",
      "value": "1",
      "coded_value": "1",
      "path": "/",
      "domain": "::1",
      "host_only": true
    }
  }
}"#;

#[track_caller]
fn check_read(text: &str, want: &[&str]) {
    let cookies = read_cookies(text.as_bytes(), now()).expect("no damage");
    let cookies: Vec<String> = cookies.iter().map(show).collect();
    assert_eq!(cookies, want, "{text}");
}

#[track_caller]
fn check_damage(text: impl AsRef<[u8]>, want: &str) {
    let text = text.as_ref();
    let problem = read_cookies(text, now()).expect_err("damage");
    assert_eq!(problem.to_string(), want, "{:?}", text.escape_ascii());
}

fn jar(options: CookieJarOptions, from: &str, fields: &[&str]) -> CookieJar {
    let (jar, from) = (jar_like(options), url(from));
    jar.update_cookies(&CookieRequest::new(&from, now()), fields);
    jar
}

#[track_caller]
fn check_write(format: CookieFormat, jar: &CookieJar, want: &str) {
    let text = format.write(&jar.cookies(now()));
    assert_eq!(String::from_utf8_lossy(&text), want);
}

// EDGE-230, CKY-80, CKY-81: to the byte.
#[test]
fn what_aiohttp_saved_is_saved_again() {
    check_read(
        AIOHTTP,
        &[
            "s=4 www.example.com/a/b host-only secure until 1795484097.6007342",
            "u=é🍪 www.example.com/a/b host-only until 4116219494",
            "d=2 example.com/ http-only partitioned Lax",
            "q=a,b www.example.com/x/ coded \"a\\054b\" host-only",
            "e= / coded \"\"",
            "ip=1 ::1/ host-only",
        ],
    );
    for options in [CookieJarOptions::default(), CookieJarOptions::aiohttp()] {
        let jar = jar_like(options);
        jar.replace(
            read_cookies(AIOHTTP.as_bytes(), now()).expect("cookies"),
            now(),
        );
        check_write(CookieFormat::Aiohttp, &jar, AIOHTTP);
    }
}

// CKY-82.
#[test]
fn an_empty_jar_is_an_empty_file_of_its_format() {
    let jar = CookieJar::new();
    check_write(CookieFormat::Aiohttp, &jar, "{}");
    check_write(CookieFormat::Browser, &jar, "[]");
    let head = "# Netscape HTTP Cookie File\n# Written by aio-cookies.\n\n";
    check_write(CookieFormat::Netscape, &jar, head);
    for text in ["{}", "[]", head, " [ ]\n", "# only a comment"] {
        check_read(text, &[]);
    }
}

// EDGE-232.
#[test]
fn json_of_an_older_aiohttp_has_neither_scopes_nor_ends() {
    let record = r#""key": "a", "value": "1", "coded_value": "1""#;
    let check = |key: &str, more: &str, want: &[&str]| {
        let text = format!(r#"{{"{key}": {{"a": {{{record}{more}}}}}}}"#);
        check_read(&text, want);
    };
    check(
        "a.test|",
        r#", "domain": "a.test", "path": "/""#,
        &["a=1 a.test/"],
    );
    check("a.test|/x", "", &["a=1 a.test/ host-only"]);
    check("|", r#", "domain": "", "path": null"#, &["a=1 /"]);
    // CKY-84.
    check("www.a.test|", r#", "domain": ".a.test""#, &["a=1 a.test/"]);
    check("a.test|", r#", "domain": "b.test""#, &[]);
    check(
        "a.test|",
        r#", "domain": "x", "host_only": true"#,
        &["a=1 a.test/ host-only"],
    );
    check("a.test|", r#", "expires_timestamp": 1699999999.9"#, &[]);
    check("a.test|", r#", "expires_timestamp": -1"#, &[]);
    let far = r#", "expires_timestamp": 1e300"#;
    check(
        "a.test|",
        far,
        &["a=1 a.test/ host-only until 253402300798"],
    );
    // What Python takes for true and false.
    let flags = r#", "secure": "yes", "httponly": 1, "partitioned": 0, "samesite": "Odd""#;
    check(
        "a.test|",
        flags,
        &["a=1 a.test/ host-only secure http-only Odd"],
    );
}

#[test]
fn json_of_aiohttp_holds_cookies_that_differ_in_a_slash_or_a_host() {
    let fields = [
        "a=1; Path=/x",
        "a=2; Path=/x/",
        "a=3; Path=/x; Domain=a.test",
    ];
    let jar = jar(CookieJarOptions::default(), "http://a.test/", &fields);
    let text = CookieFormat::Aiohttp.write(&jar.cookies(now()));
    let text = String::from_utf8(text).expect("UTF-8");
    for key in ["\"a.test|/x\"", "\"a.test|/x/\"", "\"a.test|/x//\""] {
        assert!(text.contains(key), "{text}");
    }
    check_read(
        &text,
        &[
            "a=1 a.test/x host-only",
            "a=2 a.test/x/ host-only",
            "a=3 a.test/x",
        ],
    );
}

#[test]
fn octets_that_aiohttp_cannot_have_are_lone_surrogates() {
    let jar = CookieJar::new();
    let from = url("http://a.test/");
    jar.update_cookies(
        &CookieRequest::new(&from, now()),
        [b"a=\xff\t\xc3\xa9".as_slice()],
    );
    let text = CookieFormat::Aiohttp.write(&jar.cookies(now()));
    assert!(text.is_ascii());
    let text = String::from_utf8(text).expect("ASCII");
    assert!(
        text.contains(r#""coded_value": "\udcff\udc09\u00e9""#),
        "{text}"
    );
    let cookies = read_cookies(text.as_bytes(), now()).expect("cookies");
    assert_eq!(cookies[0].coded_value(), b"\xff\t\xc3\xa9");
}

#[test]
fn cookies_txt_is_written_as_curl_and_python_read_it() {
    let fields = [
        "id=7; HttpOnly; Secure; Expires=Wed, 09 Jun 2100 10:18:14 GMT; Path=/",
        "d=\"two words\"; Domain=a.test; Path=/x; SameSite=Lax; Partitioned; Secure",
        "nameless",
        "tab=a\tb",
        "path=1; Path=/a\tb",
    ];
    let jar = jar(CookieJarOptions::default(), "https://a.test/y/z", &fields);
    jar.add("shared", "1").expect("legal");
    check_write(
        CookieFormat::Netscape,
        &jar,
        "# Netscape HTTP Cookie File\n\
         # Written by aio-cookies.\n\
         \n\
         #HttpOnly_a.test\tFALSE\t/\tTRUE\t1734560000\tid\t7\n\
         .a.test\tTRUE\t/x\tTRUE\t0\td\t\"two words\"\n\
         a.test\tFALSE\t/y\tFALSE\t0\t\tnameless\n",
    );
}

#[test]
fn cookies_txt_is_read_in_all_its_forms() {
    check_read(
        "\u{feff}# HTTP Cookie File\r\n\r\n \t\r\n#HttpOnly_.a.test\tTRUE\t/\tFALSE\t0\ta\t1\r\n\
         # comment\ta\tb\n\
         a.test\tTRUE\t/\tFALSE\t4116219494\tb\t \"x y\" \n\
         A.Test\tfalse\t/\ttrue\t4116219494.5\tc\t\n\
         a.test\tFALSE\t/\tFALSE\t\td\n\
         a.test\tFALSE\tx\tFALSE\t1\tended\t1\n\
         a.test:8080\tFALSE\t\tFALSE\t0\te\t1\n\
         ::1\tTRUE\t/\tFALSE\t0\tf\t1",
        &[
            "a=1 a.test/ http-only",
            "b= \"x y\"  a.test/ until 4116219494",
            "c= a.test/ host-only secure until 4116219494.5",
            "d= a.test/ host-only",
            "e=1 a.test/ host-only",
            "f=1 ::1/ host-only",
        ],
    );
}

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
        {"domain": "a.test", "name": "f", "value": "ended", "expires": 1}
        ]"#,
        &[
            "a=1 a.test/x secure http-only None until 4116219494.25",
            "b=é a.test/ coded \"é\" host-only Lax",
            "c= a.test/ host-only",
            "d= a.test/",
            "e= a.test/ host-only Strict until 4000000000",
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

#[test]
fn a_file_cannot_end_the_header_that_its_cookies_go_into() {
    let json = |value: &str| {
        let record = format!(r#""key": "a", "value": "{value}", "coded_value": "{value}""#);
        format!(r#"{{"a.test|": {{"a": {{{record}}}}}}}"#)
    };
    check_read(&json("x"), &["a=x a.test/ host-only"]);
    check_read(&json(r"x\r\ny: z"), &[]);
    check_read(&json(r"x\udc0ay: z"), &[]);
    check_read("a.test\tTRUE\t/\tFALSE\t0\ta\tx\ry: z", &[]);
    check_read(r#"[{"domain": "a", "name": "a\n", "value": ""}]"#, &[]);
}

#[test]
fn damage_is_told_with_its_place_and_without_values() {
    let unknown = "no file of cookies in a known format";
    check_damage("", unknown);
    check_damage(" \r\n", unknown);
    check_damage("{", "line 1: a string expected");
    check_damage("{\n\n\"a|\"\n: secret}", "line 4: a value expected");
    check_damage("{\"a|\": {}", "line 1: `,` or `}` expected");
    check_damage("{} x", "line 1: something behind the end");
    check_damage("{\"a|\": \n5}", "line 2: not an object");
    check_damage(
        "{\"a\": {}}",
        "line 1: the key of the object is not `domain|path`",
    );
    check_damage(
        "{\"\u{fffd}.a|\": {}}",
        "line 1: the key of the object is not of a domain",
    );
    check_damage("{\"a|\":\n{\"n\": []}}", "line 2: not an object");
    check_damage("{\"a|\":\n{\"n\": {}}}", "line 2: `key` is missing");
    check_damage(b"{\n\"\xff\": {}}", "line 2: not UTF-8");
    let record = |more: &str| {
        let record = "\"key\": \"n\", \"coded_value\": \"secret\"";
        format!("{{\"a|\": {{\n\"n\": {{{record},\n{more}}}}}}}")
    };
    check_damage(record("\"value\": 5"), "line 3: `value` is not a string");
    check_damage(record("\"value\": null"), "line 2: `value` is missing");
    check_damage(
        record("\"value\": \"secret"),
        "line 3: the end of a string is missing",
    );
    check_damage(
        record("\"value\": \"\\x\""),
        "line 3: an unknown escape in a string",
    );
    check_damage(
        record("\"value\": \"\\u12\""),
        "line 3: `\\u` without four digits in a string",
    );
    check_damage(
        record("\"value\": \"\\ud800\""),
        "line 3: half a surrogate pair in a string",
    );
    check_damage(
        record("\"value\": \"\n\""),
        "line 3: a control character in a string",
    );
    let end = |end: &str| record(&format!("\"value\": \"1\", \"expires_timestamp\":{end}"));
    check_damage(
        end("\"soon\""),
        "line 3: `expires_timestamp` is not a number",
    );
    check_damage(end("1e999"), "line 3: not a finite number");
    check_damage(end("NaN"), "line 3: a value expected");
    check_damage("[5]", "line 1: not an object");
    check_damage("[{\"name\": \"n\"}]", "line 1: `domain` is missing");
    check_damage(
        "[{\"domain\": \"a\",\n\"name\": \"n\"}]",
        "line 1: `value` is missing",
    );
    check_damage(
        "[{\"domain\": \"a\",\n\"sameSite\": \"secret\"}]",
        "line 1: `sameSite` is none of those that are known",
    );
    check_damage("[".repeat(1_000_000), "line 1: nested too deeply");
    check_damage("<html>", "line 1: not seven columns with tabs between them");
    let line = |line: &str| format!("# comment\n{line}\n");
    let columns = "line 2: not seven columns with tabs between them";
    check_damage(line("a\tTRUE\t/\tTRUE\t0"), columns);
    check_damage(line("a\tTRUE\t/\tTRUE\t0\tn\tx\ty"), columns);
    check_damage(
        line("\tTRUE\t/\tTRUE\t0\tn\tx"),
        "line 2: the first column is not a domain",
    );
    let flag = "column is neither TRUE nor FALSE";
    check_damage(
        line("a\tYES\t/\tTRUE\t0\tn\tx"),
        &format!("line 2: the second {flag}"),
    );
    check_damage(
        line("a\tTRUE\t/\t\t0\tn\tx"),
        &format!("line 2: the fourth {flag}"),
    );
    for end in ["soon", "NaN", "inf", "1e999"] {
        let line = line(&format!("a\tTRUE\t/\tTRUE\t{end}\tn\tx"));
        check_damage(line, "line 2: the fifth column is not a time");
    }
}

#[test]
fn a_problem_can_be_told_from_others() {
    let problem = read_cookies(b"{\n5", now());
    assert!(
        matches!(problem, Err(CookieFileProblem::Malformed { line: 2, .. })),
        "{problem:?}"
    );
}
