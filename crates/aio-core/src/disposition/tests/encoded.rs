//! Values that are encoded, and values in pieces (RFC 2231, RFC 8187).

use super::check;

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
