mod encoded;

use super::*;

// Expected values are those of aiohttp 3.14.5: `parse_content_disposition` and
// `content_disposition_filename`. Most headers are those of "tc2231", the test cases for
// Content-Disposition that browsers were compared by.
#[track_caller]
fn check(header: &str, kind: Option<&str>, parameters: &[(&str, &str)], filename: Option<&str>) {
    let disposition = ContentDisposition::parse(header.as_bytes());
    let have: Vec<(&str, &str)> = disposition
        .parameters()
        .iter()
        .map(|(key, value)| (key, value.as_str()))
        .collect();
    assert_eq!(
        (
            disposition.kind(),
            have.as_slice(),
            disposition.filename().as_deref()
        ),
        (kind, parameters, filename),
        "{header:?}"
    );
}

#[test]
fn forms_of_rfc_6266() {
    check("", None, &[], None);
    check("inline", Some("inline"), &[], None);
    check("inline;", Some("inline"), &[], None);
    check("Attachment", Some("attachment"), &[], None);
    check(
        "ATTACHMENT; FileName=a.txt",
        Some("attachment"),
        &[("filename", "a.txt")],
        Some("a.txt"),
    );
    check("\"inline\"", None, &[], None);
    check(
        "attachment; filename=\"foo.html\"",
        Some("attachment"),
        &[("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename=foo.html",
        Some("attachment"),
        &[("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename=\"f\\oo.html\"",
        Some("attachment"),
        &[("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename=\"\\\"quoting\\\" tested.html\"",
        Some("attachment"),
        &[("filename", "\"quoting\" tested.html")],
        Some("\"quoting\" tested.html"),
    );
    check(
        "attachment; filename=\"Here's a semicolon;.html\"",
        Some("attachment"),
        &[("filename", "Here's a semicolon;.html")],
        Some("Here's a semicolon;.html"),
    );
    check(
        "attachment; foo=\"bar\"; filename=\"foo.html\"",
        Some("attachment"),
        &[("foo", "bar"), ("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; foo=\"\\\"\\\\\";filename=\"foo.html\"",
        Some("attachment"),
        &[("foo", "\"\\"), ("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename='foo.bar'",
        Some("attachment"),
        &[("filename", "'foo.bar'")],
        Some("'foo.bar'"),
    );
    check(
        "attachment; filename=\"\"",
        Some("attachment"),
        &[("filename", "")],
        Some(""),
    );
    check("attachment; filename=", None, &[], None);
    check(
        "attachment;filename=\"foo-ä.html\"",
        Some("attachment"),
        &[("filename", "foo-ä.html")],
        Some("foo-ä.html"),
    );
    check(
        "attachment; filename=\"foo-%41.html\"",
        Some("attachment"),
        &[("filename", "foo-%41.html")],
        Some("foo-%41.html"),
    );
    check(
        "attachment; name=\"foo-%41.html\"",
        Some("attachment"),
        &[("name", "foo-%41.html")],
        None,
    );
    check(
        "attachment; filename =\"foo.html\"",
        Some("attachment"),
        &[("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename= \"foo.html\"",
        Some("attachment"),
        &[("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename=\"foo.html\" ",
        Some("attachment"),
        &[("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename=\"foo.html\" ; size=1",
        Some("attachment"),
        &[("filename", "foo.html"), ("size", "1")],
        Some("foo.html"),
    );
    check("attachment; filename=foo.html ;", None, &[], None);
    check("attachment; filename=foo.html ; size=1", None, &[], None);
    check(
        "attachment; filename=foo.html; size=1",
        Some("attachment"),
        &[("filename", "foo.html"), ("size", "1")],
        Some("foo.html"),
    );
    check(
        "attachment; xfilename=foo.html",
        Some("attachment"),
        &[("xfilename", "foo.html")],
        None,
    );
    check(
        "attachment; filename=\"/foo.html\"",
        Some("attachment"),
        &[("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename=\"\\\\foo.html\"",
        Some("attachment"),
        &[("filename", "foo.html")],
        Some("foo.html"),
    );
    check(
        "attachment; creation-date=\"Wed, 12 Feb 1997 16:29:51 -0500\"",
        Some("attachment"),
        &[("creation-date", "Wed, 12 Feb 1997 16:29:51 -0500")],
        None,
    );
    check("foobar", Some("foobar"), &[], None);
    check(
        "attachment; example=\"filename=example.txt\"",
        Some("attachment"),
        &[("example", "filename=example.txt")],
        None,
    );
    check("attachment; size=10; size=10", None, &[], None);
}

#[test]
fn what_breaks_the_header() {
    check("attachment; filename=foo bar.html", None, &[], None);
    check("attachment; filename=foo,bar.html", None, &[], None);
    check("attachment; filename=foo[1](2).html", None, &[], None);
    check("attachment; filename=foo-ä.html", None, &[], None);
    check("attachment; filename=\"foo.html\".txt", None, &[], None);
    check("attachment; filename=\"bar", None, &[], None);
    check("attachment; filename=foo\"bar;baz\"qux", None, &[], None);
    check(
        "attachment; filename=foo.html, attachment; filename=bar.html",
        None,
        &[],
        None,
    );
    check("filename=foo.html", None, &[], None);
    check("\"foo; filename=bar;baz\"; filename=qux", None, &[], None);
    check("filename=foo.html, filename=bar.html", None, &[], None);
    check("; filename=foo.html", None, &[], None);
    check(": inline; attachment; filename=foo.html", None, &[], None);
    check("inline; attachment; filename=foo.html", None, &[], None);
    check("attachment; inline; filename=foo.html", None, &[], None);
    check(
        "attachment; filename=\"foo.html\"; filename=\"bar.html\"",
        None,
        &[],
        None,
    );
    check(
        "attachment; filename=\"foo.html\"; FILENAME=bar.html",
        None,
        &[],
        None,
    );
    check("attachment foo=foo; filename=foo.html", None, &[], None);
    check("attachment; ", None, &[], None);
    check("attachment; filename=a; ", None, &[], None);
    check(
        "attachment;;filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
    check("attachment;;", Some("attachment"), &[], None);
    check("bad type; x=1", None, &[], None);
    check("a/b; x=1", None, &[], None);
    check("attachment; filename", None, &[], None);
    check("attachment; =x", Some("attachment"), &[], None);
    check(
        "attachment; =x; filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
    check(
        "attachment; \"a\"=x; filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
    check(
        "attachment; a b=x; filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
    check("attachment; =x; =y", Some("attachment"), &[], None);
    check(
        "attachment; b@d=1; filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
}

#[test]
fn semicolons_in_quotes_are_mended_once() {
    check(
        "attachment; filename=\"a;b.txt\"",
        Some("attachment"),
        &[("filename", "a;b.txt")],
        Some("a;b.txt"),
    );
    check("attachment; filename=\"a;b;c.txt\"", None, &[], None);
    check(
        "attachment; filename=\"/a;b.txt\"",
        Some("attachment"),
        &[("filename", "a;b.txt")],
        Some("a;b.txt"),
    );
    check("attachment; filename=\"a;b.txt\" ", None, &[], None);
    check(
        "attachment; filename=\";\"",
        Some("attachment"),
        &[("filename", ";")],
        Some(";"),
    );
    check(
        "attachment; filename=\"a; b.txt\"; size=1",
        Some("attachment"),
        &[("filename", "a; b.txt"), ("size", "1")],
        Some("a; b.txt"),
    );
    check("attachment; filename*0=\"a;b\"; x=1", None, &[], None);
    check(
        "attachment; filename=\"a;b\"c\"",
        Some("attachment"),
        &[("filename", "a;b\"c")],
        Some("a;b\"c"),
    );
}

#[test]
fn slashes_and_backslashes() {
    check(
        "attachment; filename=\"/etc/passwd\"",
        Some("attachment"),
        &[("filename", "etc/passwd")],
        Some("etc/passwd"),
    );
    check(
        "attachment; filename=\"../x\"",
        Some("attachment"),
        &[("filename", "../x")],
        Some("../x"),
    );
    check(
        "attachment; filename=\"//\\\\//x/y\"",
        Some("attachment"),
        &[("filename", "x/y")],
        Some("x/y"),
    );
    check(
        "attachment; filename=\"C:\\dir\\f.txt\"",
        Some("attachment"),
        &[("filename", "C:dirf.txt")],
        Some("C:dirf.txt"),
    );
    check(
        "attachment; filename=\"C:\\\\dir\\\\f.txt\"",
        Some("attachment"),
        &[("filename", "C:\\dir\\f.txt")],
        Some("C:\\dir\\f.txt"),
    );
    check(
        "attachment; filename=\"a\\\"b.txt\"",
        Some("attachment"),
        &[("filename", "a\"b.txt")],
        Some("a\"b.txt"),
    );
    check(
        "attachment; filename=\"a\\é\"",
        Some("attachment"),
        &[("filename", "a\\é")],
        Some("a\\é"),
    );
    check(
        "attachment; filename=\"a\\\"",
        Some("attachment"),
        &[("filename", "a\\")],
        Some("a\\"),
    );
    check(
        "attachment; filename=\"a\\\\\"",
        Some("attachment"),
        &[("filename", "a\\")],
        Some("a\\"),
    );
    check(
        "attachment; filename*=utf-8''%2Fetc%2Fpasswd",
        Some("attachment"),
        &[("filename*", "/etc/passwd")],
        Some("/etc/passwd"),
    );
    check(
        "attachment; filename*=utf-8''%5Cx",
        Some("attachment"),
        &[("filename*", "\\x")],
        Some("\\x"),
    );
}

#[test]
fn bytes_that_are_no_utf8_are_latin_1() {
    let disposition = ContentDisposition::parse(b"attachment; filename=\"na\xefve.txt\"");
    assert_eq!(disposition.filename().as_deref(), Some("naïve.txt"));
}

// aiohttp fails with a ValueError here.
#[test]
fn one_apostrophe_in_pieces_is_text() {
    check(
        "attachment; filename*0=\"it's\"",
        Some("attachment"),
        &[("filename*0", "it's")],
        Some("it's"),
    );
}

#[test]
fn other_parameters_are_put_together_alike() {
    let disposition = ContentDisposition::parse(b"form-data; name*0=us; name*1=er; name*=''x%20y");
    assert_eq!(disposition.parameter("name").as_deref(), Some("x y"));
    let disposition = ContentDisposition::parse(b"form-data; name*0=us; name*1=er");
    assert_eq!(disposition.parameter("name").as_deref(), Some("user"));
    assert_eq!(disposition.parameter("nam"), None);
}

#[track_caller]
fn check_safe(sent: &str, want: Option<&str>) {
    let mut parameters = MultiDict::new();
    parameters.add("filename", sent.to_owned());
    let disposition = ContentDisposition {
        kind: None,
        parameters,
    };
    assert_eq!(disposition.safe_filename().as_deref(), want, "{sent:?}");
}

#[test]
fn a_safe_filename_names_a_file_here() {
    check_safe("report one.pdf", Some("report one.pdf"));
    check_safe("../../etc/passwd", Some("passwd"));
    check_safe("C:\\dir\\f.txt", Some("f.txt"));
    check_safe("C:f.txt", Some("C_f.txt"));
    check_safe("a:stream?<x>|*\"", Some("a_stream__x____"));
    check_safe("dir/", None);
    check_safe("..", None);
    check_safe(" . . ", None);
    check_safe("", None);
    check_safe(".bashrc", Some("bashrc"));
    check_safe("a\r\n\0b\u{85}.txt. . ", Some("ab.txt"));
    check_safe("photo\u{202e}gpj.exe", Some("photogpj.exe"));
    check_safe("€ 日本.txt", Some("€ 日本.txt"));
}

#[test]
fn a_safe_filename_is_no_device() {
    check_safe("con", Some("_con"));
    check_safe("NUL.tar.gz", Some("_NUL.tar.gz"));
    check_safe("com1 .txt", Some("_com1 .txt"));
    check_safe("LPT³", Some("_LPT³"));
    check_safe("com10", Some("com10"));
    check_safe("console", Some("console"));
    check_safe("common", Some("common"));
}

#[test]
fn a_safe_filename_is_not_too_long() {
    let long = "é".repeat(200);
    check_safe(&long, Some(&"é".repeat(127)));
    check_safe(&format!("{}. x", "a".repeat(253)), Some(&"a".repeat(253)));
}

// The time is that of the test: twice the parameters may take twice as long.
#[test]
fn many_parameters_cost_what_they_send() {
    let parameters: String = (0..50_000).map(|n| format!("; a{n}=b")).collect();
    let disposition = ContentDisposition::parse(format!("a{parameters}").as_bytes());
    assert_eq!(disposition.parameters().iter().count(), 50_000);
    let twice = format!("a{parameters}; A0=c");
    assert_eq!(ContentDisposition::parse(twice.as_bytes()).kind(), None);
}
