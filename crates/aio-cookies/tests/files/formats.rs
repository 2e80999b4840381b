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
pub(super) fn check_read(text: &str, want: &[&str]) {
    let cookies = read_cookies(text.as_bytes(), now()).expect("no damage");
    let cookies: Vec<String> = cookies.iter().map(show).collect();
    assert_eq!(cookies, want, "{text}");
}

#[track_caller]
pub(super) fn check_damage(text: impl AsRef<[u8]>, want: &str) {
    let text = text.as_ref();
    let problem = read_cookies(text, now()).expect_err("damage");
    assert_eq!(problem.to_string(), want, "{:?}", text.escape_ascii());
}

pub(super) fn jar(options: CookieJarOptions, from: &str, fields: &[&str]) -> CookieJar {
    let (jar, from) = (jar_like(options), url(from));
    jar.update_cookies(&CookieRequest::new(&from, now()), fields);
    jar
}

#[track_caller]
pub(super) fn check_write(format: CookieFormat, jar: &CookieJar, want: &str) {
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
    check(
        "|",
        r#", "domain": "", "path": null, "host_only": true"#,
        &["a=1 /"],
    );
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

// As Python's parser has it.
#[test]
fn what_is_odd_in_json_is_read_as_aiohttp_reads_it() {
    let one = |more: &str| {
        let record = format!(r#""key": "a", "value": "1", "coded_value": "1"{more}"#);
        format!(r#"{{"a.test|": {{"a": {{{record}}}}}}}"#)
    };
    let bare = &["a=1 a.test/ host-only"];
    // The last of a name counts.
    check_read(
        &one(r#", "key": "b", "path": 5, "path": "/x""#),
        &["b=1 a.test/x host-only"],
    );
    check_read(
        &one(r#", "other": [[{"a": "\ud800"}], 1e999, "\u0000"]"#),
        bare,
    );
    check_read(&format!("\u{feff}{}", one("")), bare);
    check_read(&format!("\r\n\t {}\r\n\t ", one("")), bare);
    check_read(&one(r#", "k\u0065y": "e""#), &["e=1 a.test/ host-only"]);
    check_read(
        &one(r#", "key": "\ud83c\udf6a\/""#),
        &["🍪/=1 a.test/ host-only"],
    );
    check_read(
        &one(r#", "secure": 0.0, "httponly": -0, "partitioned": "0""#),
        &["a=1 a.test/ host-only partitioned"],
    );
    let end = "1795484097.6007342";
    for end in [end, "179548409.76007342e1", "17954840976007342E-7"] {
        check_read(
            &one(&format!(r#", "expires_timestamp": {end}"#)),
            &["a=1 a.test/ host-only until 1795484097.6007342"],
        );
    }
    // All that stands for an octet, and nothing else that Python cannot print.
    let cookies = read_cookies(
        one(r#", "coded_value": "\udc80\udcff\u00e9""#).as_bytes(),
        now(),
    );
    assert_eq!(
        cookies.expect("cookies")[0].coded_value(),
        b"\x80\xff\xc3\xa9"
    );
}

// aiohttp makes one for every host of it.
#[test]
fn a_cookie_of_a_host_is_not_for_all_because_it_is_filed_under_none() {
    let record = r#""key": "a", "value": "1", "coded_value": "1", "domain": "a.test""#;
    let file = |more: &str| format!(r#"{{"|": {{"a": {{{record}{more}}}}}}}"#);
    check_read(&file(r#", "host_only": true"#), &["a=1 a.test/ host-only"]);
    check_read(&file(""), &["a=1 a.test/"]);
}

#[test]
fn of_equal_cookies_the_last_is_written() {
    let cookies = |count: usize, path: &str| {
        let lines: Vec<String> = (0..count)
            .map(|number| format!("a.test\tFALSE\t{path}\tFALSE\t0\ta\t{number}"))
            .collect();
        read_cookies(lines.join("\n").as_bytes(), now()).expect("cookies")
    };
    // Where each is compared with all before it, this takes minutes.
    let many = [cookies(20_000, "/x"), cookies(20_000, "/x/")].concat();
    let text = CookieFormat::Aiohttp.write(&many);
    check_read(
        std::str::from_utf8(&text).expect("UTF-8"),
        &["a=19999 a.test/x host-only", "a=19999 a.test/x/ host-only"],
    );
}

// To files, a dot in front of a domain is no part of it.
#[test]
fn a_host_that_begins_with_a_dot_becomes_no_other_one() {
    let fields = ["a=1", "b=2; Domain=..a.test"];
    let jar = jar(CookieJarOptions::default(), "http://.a.test/", &fields);
    assert_eq!(jar.len(), 2);
    jar.add("kept", "1").expect("legal");
    for format in [
        CookieFormat::Aiohttp,
        CookieFormat::Netscape,
        CookieFormat::Browser,
    ] {
        let text = format.write(&jar.cookies(now()));
        let cookies = read_cookies(&text, now()).expect("cookies");
        assert!(
            cookies.iter().all(|cookie| cookie.domain().is_none()),
            "{cookies:?}"
        );
    }
    check_read("..a.test\tFALSE\t/\tFALSE\t0\ta\t1", &[]);
}

// The limit of 400 days is one for servers: who has a file, or another jar, knows no time that
// it could count from, and each way through a file would have the end move.
#[test]
fn ends_of_files_stay_as_they_are() {
    let line = "a.test\tFALSE\t/\tFALSE\t4116219494\ta\t1";
    for options in [CookieJarOptions::default(), CookieJarOptions::aiohttp()] {
        let jar = jar_like(options);
        jar.replace(
            read_cookies(line.as_bytes(), now()).expect("cookies"),
            now(),
        );
        jar.merge(jar.cookies(now()), now());
        let shown: Vec<String> = jar.cookies(now()).iter().map(show).collect();
        assert_eq!(shown, ["a=1 a.test/ host-only until 4116219494"]);
    }
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
    check_damage("{", "line 1: cut off");
    check_damage("{\n\n\"a|\"\n: secret}", "line 4: not JSON at column 3");
    check_damage("{\"a|\": {}", "line 1: cut off");
    check_damage("{\"a|\": {}]", "line 1: not JSON at column 10");
    check_damage("{} x", "line 1: not JSON at column 4");
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
    check_damage(record("\"value\": \"secret"), "line 3: cut off");
    check_damage(
        record("\"value\": \"\\x\""),
        "line 3: not JSON at column 12",
    );
    check_damage(
        record("\"value\": \"\\u12\""),
        "line 3: not JSON at column 16",
    );
    check_damage(
        record("\"value\": \"\\ud800\""),
        "line 3: half a surrogate pair in `value`",
    );
    check_damage(record("\"value\": \"\n\""), "line 3: not JSON at column 10");
    let end = |end: &str| record(&format!("\"value\": \"1\", \"expires_timestamp\":{end}"));
    check_damage(
        end("\"soon\""),
        "line 3: `expires_timestamp` is not a finite number",
    );
    check_damage(
        end("\n1e999"),
        "line 4: `expires_timestamp` is not a finite number",
    );
    // Python writes these; so no other program takes the file for JSON.
    for number in ["NaN", "Infinity", "-Infinity", "01", "1.", "+1", "0x1"] {
        let text = record(&format!("\"value\": \"\", \"expires_timestamp\":{number}"));
        let problem = read_cookies(text.as_bytes(), now()).expect_err(number);
        let problem = problem.to_string();
        assert!(
            problem.starts_with("line 3: not JSON at column "),
            "{problem}"
        );
    }
    check_damage("[5]", "line 1: not an object");
    check_damage("[{\"name\": \"n\"}]", "line 1: `domain` is missing");
    check_damage(
        "[{\"domain\": \"a\",\n\"name\": \"n\"}]",
        "line 1: `value` is missing",
    );
    check_damage("[".repeat(1_000_000), "line 1: cut off");
    let deep = ["[".repeat(1_000_000), "]".repeat(1_000_000)].concat();
    check_damage(&deep, "line 1: not an object");
    check_damage(
        format!("[{{\"domain\": {deep}}}]"),
        "line 1: `domain` is not a string",
    );
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
