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
fn extended_values() {
    check(
        "attachment; filename*=iso-8859-1''foo-%E4.html",
        Some("attachment"),
        &[("filename*", "foo-ä.html")],
        Some("foo-ä.html"),
    );
    check(
        "attachment; filename*=UTF-8''foo-%c3%a4-%e2%82%ac.html",
        Some("attachment"),
        &[("filename*", "foo-ä-€.html")],
        Some("foo-ä-€.html"),
    );
    check(
        "attachment; filename*=''foo-%c3%a4-%e2%82%ac.html",
        Some("attachment"),
        &[("filename*", "foo-ä-€.html")],
        Some("foo-ä-€.html"),
    );
    check(
        "attachment; filename*=UTF-8''foo-a%cc%88.html",
        Some("attachment"),
        &[("filename*", "foo-a\u{308}.html")],
        Some("foo-a\u{308}.html"),
    );
    check(
        "attachment; filename*= UTF-8''foo-%c3%a4.html",
        Some("attachment"),
        &[("filename*", "foo-ä.html")],
        Some("foo-ä.html"),
    );
    check(
        "attachment; filename* =UTF-8''foo-%c3%a4.html",
        Some("attachment"),
        &[("filename*", "foo-ä.html")],
        Some("foo-ä.html"),
    );
    check(
        "attachment; filename*=UTF-8''foo-%c3%a4.html ",
        Some("attachment"),
        &[],
        None,
    );
    check(
        "attachment; filename*=\"UTF-8''foo-%c3%a4.html\"",
        Some("attachment"),
        &[],
        None,
    );
    check(
        "attachment; filename*=\"foo%20bar.html\"",
        Some("attachment"),
        &[],
        None,
    );
    check(
        "attachment; filename*=UTF-8'foo-%c3%a4.html",
        Some("attachment"),
        &[],
        None,
    );
    check(
        "attachment; filename*=UTF-8''foo-%c3%a4'x.html",
        Some("attachment"),
        &[],
        None,
    );
    check(
        "attachment; filename*=UTF-8''foo%",
        Some("attachment"),
        &[("filename*", "foo%")],
        Some("foo%"),
    );
    check(
        "attachment; filename*=UTF-8''f%oo.html",
        Some("attachment"),
        &[("filename*", "f%oo.html")],
        Some("f%oo.html"),
    );
    check(
        "attachment; filename*=UTF-8''A-%2541.html",
        Some("attachment"),
        &[("filename*", "A-%41.html")],
        Some("A-%41.html"),
    );
    check(
        "attachment; filename*=UTF-8'en'a%20b",
        Some("attachment"),
        &[("filename*", "a b")],
        Some("a b"),
    );
    check(
        "attachment; filename*=UTF-8''%ff.html; filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
    check(
        "attachment; filename*=bogus''a%20b; filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
    check(
        "attachment; filename*=bogus''ab",
        Some("attachment"),
        &[("filename*", "ab")],
        Some("ab"),
    );
    check(
        "attachment; filename*=hex''%41; filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
    check(
        "attachment; filename*=utf-16''%41%00",
        Some("attachment"),
        &[("filename*", "A")],
        Some("A"),
    );
    check(
        "attachment; filename*=utf-16-be''%41a",
        Some("attachment"),
        &[("filename*", "䅡")],
        Some("䅡"),
    );
    check(
        "attachment; filename*=latin1''%80",
        Some("attachment"),
        &[("filename*", "\u{80}")],
        Some("\u{80}"),
    );
    check(
        "attachment; filename*=cp1252''%80",
        Some("attachment"),
        &[("filename*", "€")],
        Some("€"),
    );
    check(
        "attachment; filename*=ascii''%80; filename=a",
        Some("attachment"),
        &[("filename", "a")],
        Some("a"),
    );
    check(
        "attachment; filename*=shift_jis''%93%fa",
        Some("attachment"),
        &[("filename*", "日")],
        Some("日"),
    );
    check(
        "attachment; filename*=UTF-8''; filename=a",
        Some("attachment"),
        &[("filename*", ""), ("filename", "a")],
        Some(""),
    );
    check(
        "attachment; filename=a; filename*=UTF-8''b",
        Some("attachment"),
        &[("filename", "a"), ("filename*", "b")],
        Some("b"),
    );
    check(
        "attachment; filename*=UTF-8''b; filename=a",
        Some("attachment"),
        &[("filename*", "b"), ("filename", "a")],
        Some("b"),
    );
    check(
        "attachment; filename*=UTF-8''a%0d%0ab",
        Some("attachment"),
        &[("filename*", "a\r\nb")],
        Some("a\r\nb"),
    );
    check(
        "attachment; filename*=UTF-8''%00",
        Some("attachment"),
        &[("filename*", "\u{0}")],
        Some("\u{0}"),
    );
    check(
        "attachment; filename*=UTF-8''a/b",
        Some("attachment"),
        &[],
        None,
    );
    check(
        "attachment; filename*=UTF-8''a b",
        Some("attachment"),
        &[],
        None,
    );
    check(
        "attachment; filename*=UTF-8''a; filename*=UTF-8''b",
        None,
        &[],
        None,
    );
    check(
        "attachment; filename**=UTF-8''a",
        Some("attachment"),
        &[("filename**", "a")],
        None,
    );
    check(
        "attachment; filename**=UTF-8''a; filename*0=b",
        Some("attachment"),
        &[("filename**", "a"), ("filename*0", "b")],
        None,
    );
    check(
        "attachment; *=UTF-8''a",
        Some("attachment"),
        &[("*", "a")],
        None,
    );
    check(
        "attachment; name*=utf-8''n%C3%A9",
        Some("attachment"),
        &[("name*", "né")],
        None,
    );
}

#[test]
fn continuations() {
    check(
        "attachment; filename*0=\"foo.\"; filename*1=\"html\"",
        Some("attachment"),
        &[("filename*0", "foo."), ("filename*1", "html")],
        Some("foo.html"),
    );
    check(
        "attachment; filename*0=\"foo\"; filename*1=\"\\b\\a\\r.html\"",
        Some("attachment"),
        &[("filename*0", "foo"), ("filename*1", "bar.html")],
        Some("foobar.html"),
    );
    check(
        "attachment; filename*0*=UTF-8''foo-%c3%a4; filename*1=\".html\"",
        Some("attachment"),
        &[
            ("filename*0*", "UTF-8''foo-%c3%a4"),
            ("filename*1", ".html"),
        ],
        Some("foo-ä.html"),
    );
    check(
        "attachment; filename*0*=UTF-8''foo; filename*1*=%c3%a4",
        Some("attachment"),
        &[("filename*0*", "UTF-8''foo"), ("filename*1*", "%c3%a4")],
        Some("fooä"),
    );
    check(
        "attachment; filename*0*=UTF-8''%c3; filename*1*=%a4",
        Some("attachment"),
        &[("filename*0*", "UTF-8''%c3"), ("filename*1*", "%a4")],
        Some("ä"),
    );
    check(
        "attachment; filename*0=\"foo\"; filename*01=\"bar\"",
        Some("attachment"),
        &[("filename*0", "foo"), ("filename*01", "bar")],
        Some("foo"),
    );
    check(
        "attachment; filename*0=\"foo\"; filename*2=\"bar\"",
        Some("attachment"),
        &[("filename*0", "foo"), ("filename*2", "bar")],
        Some("foo"),
    );
    check(
        "attachment; filename*1=\"foo.\"; filename*2=\"html\"",
        Some("attachment"),
        &[("filename*1", "foo."), ("filename*2", "html")],
        None,
    );
    check(
        "attachment; filename*1=\"bar\"; filename*0=\"foo\"",
        Some("attachment"),
        &[("filename*1", "bar"), ("filename*0", "foo")],
        Some("foobar"),
    );
    check(
        "attachment; filename*00=\"foo\"",
        Some("attachment"),
        &[("filename*00", "foo")],
        None,
    );
    check(
        "attachment; filename*0=a; filename*0*=b",
        Some("attachment"),
        &[("filename*0", "a"), ("filename*0*", "b")],
        Some("a"),
    );
    check(
        "attachment; filename*0=a b; filename=c",
        Some("attachment"),
        &[("filename", "c")],
        Some("c"),
    );
    check(
        "attachment; filename*0=\"a\" ; filename*1=b",
        Some("attachment"),
        &[("filename*1", "b")],
        None,
    );
    check(
        "attachment; filename*0=\"/a\"",
        Some("attachment"),
        &[("filename*0", "/a")],
        Some("/a"),
    );
    check(
        "attachment; filename*0*=bogus''%41; filename*1=b",
        Some("attachment"),
        &[("filename*0*", "bogus''%41"), ("filename*1", "b")],
        None,
    );
    check(
        "attachment; filename*0=utf-8''%ff",
        Some("attachment"),
        &[("filename*0", "utf-8''%ff")],
        None,
    );
    check(
        "attachment; filename*0=\"foo.\"; filename*1=\"html\"; filename=\"x\"",
        Some("attachment"),
        &[
            ("filename*0", "foo."),
            ("filename*1", "html"),
            ("filename", "x"),
        ],
        Some("x"),
    );
    check(
        "attachment; filename*0=a; filename*=utf-8''b",
        Some("attachment"),
        &[("filename*0", "a"), ("filename*", "b")],
        Some("b"),
    );
    check(
        "attachment; filename*0=\"\"",
        Some("attachment"),
        &[("filename*0", "")],
        Some(""),
    );
    check(
        "attachment; filename*0=a; filename*1=b; filename*2=c; filename*3=d; filename*4=e; filename*5=f; filename*6=g; filename*7=h; filename*8=i; filename*9=j; filename*10=k; filename*11=l",
        Some("attachment"),
        &[
            ("filename*0", "a"),
            ("filename*1", "b"),
            ("filename*2", "c"),
            ("filename*3", "d"),
            ("filename*4", "e"),
            ("filename*5", "f"),
            ("filename*6", "g"),
            ("filename*7", "h"),
            ("filename*8", "i"),
            ("filename*9", "j"),
            ("filename*10", "k"),
            ("filename*11", "l"),
        ],
        Some("ab"),
    );
    check(
        "attachment; filename*0x=a",
        Some("attachment"),
        &[("filename*0x", "a")],
        None,
    );
    check(
        "attachment; filename*=a; filename*0=b",
        Some("attachment"),
        &[("filename*0", "b")],
        Some("b"),
    );
    check(
        "attachment; filename*0='en'%C3%A9",
        Some("attachment"),
        &[("filename*0", "'en'%C3%A9")],
        Some("é"),
    );
    check(
        "attachment; name*0=a; name*1=b",
        Some("attachment"),
        &[("name*0", "a"), ("name*1", "b")],
        None,
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
