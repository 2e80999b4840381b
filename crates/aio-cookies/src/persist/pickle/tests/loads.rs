//! Jars of aiohttp, and what could be one.

use serde_json::Value as Json;

use super::*;
use crate::persist::read_cookies;

/// What aiohttp 3.14.5 makes of them.
const WANT: &str = include_str!("../../../../tests/data/pickles/aiohttp-3.14-reads.json");

/// All that a cookie keeps, one a line.
fn show(cookies: &[Cookie]) -> Vec<String> {
    let mut lines: Vec<String> = cookies.iter().map(show_one).collect();
    lines.sort();
    lines
}

fn show_one(cookie: &Cookie) -> String {
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH);
    let expires = cookie
        .expires()
        .map(|time| seconds(time).expect("later").as_secs());
    let coded = String::from_utf8_lossy(cookie.coded_value()).into_owned();
    format!(
        "{:?} {:?} {} {:?} {coded:?} {expires:?} {} {} {} {:?}",
        cookie.domain_key(),
        cookie.path(),
        cookie.name(),
        cookie.value(),
        cookie.is_secure(),
        cookie.is_http_only(),
        cookie.is_partitioned(),
        cookie.same_site_attribute(),
    )
}

/// The same of aiohttp's JSON.
fn want() -> Vec<String> {
    let jar: Json = serde_json::from_str(WANT).expect("JSON");
    let buckets = jar.as_object().expect("an object").values();
    let cookies = buckets.flat_map(|bucket| bucket.as_object().expect("an object").values());
    let mut lines: Vec<String> = cookies
        .map(|cookie| {
            let text = |key: &str| cookie[key].as_str().unwrap_or_default();
            let expires = match text("key") {
                "age" => Some(NOW.as_secs() + 31_536_000),
                _ => cookie["expires_timestamp"].as_u64(),
            };
            format!(
                "{:?} {:?} {} {:?} {:?} {expires:?} {} {} {} {:?}",
                text("domain"),
                text("path"),
                text("key"),
                text("value"),
                text("coded_value"),
                cookie["secure"] == true,
                cookie["httponly"] == true,
                cookie["partitioned"] == true,
                cookie["samesite"].as_str(),
            )
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn jars_of_all_versions_load_to_the_same_cookies() {
    let want = want();
    assert_eq!(want.len(), 15);
    for (name, bytes) in JARS {
        let cookies = read_now(bytes).expect(name);
        assert_eq!(show(&cookies), want, "{name}");
        // What is not in the file is not made up.
        let unknown = SystemTime::UNIX_EPOCH;
        assert!(
            cookies.iter().all(|cookie| cookie.created() == unknown),
            "{name}"
        );
    }
}

// CKY-84: a domain attribute is there, and pickles do not tell whether it came with the cookie.
#[test]
fn cookies_of_pickles_are_for_the_hosts_inside_their_domain() {
    let cookies = read_now(JARS[6].1).expect("a jar");
    let host = cookies
        .iter()
        .find(|cookie| cookie.name() == "host")
        .expect("it is there");
    assert!(!host.is_host_only());
}

/// The only cookie of the only place `domain`, if it is let in.
#[track_caller]
fn check_one(domain: &str, attributes: &str, want: Option<&str>) {
    let pickle = jar(domain, &[morsel("a", "b", attributes)]);
    let cookies = read_now(pickle.as_bytes()).expect("a jar");
    let want: Vec<String> = want.map(str::to_owned).into_iter().collect();
    assert_eq!(show(&cookies), want, "{domain} {attributes:?}");
}

// CKY-84, CKY-85.
#[test]
fn cookies_are_stored_as_if_their_host_sent_them() {
    let bare = r#""a.test" "/" a "b" "b" None false false false None"#;
    check_one("a.test", "", Some(bare));
    check_one(
        "A.test",
        "Vdomain\nV\nVpath\nV\nVexpires\nV\nVcomment\nNVversion\nI1\n",
        Some(bare),
    );
    check_one(
        "a.test",
        "Vdomain\nVa.test.\nVpath\nVno/slash\n",
        Some(bare),
    );
    check_one(
        "a.test",
        "Vdomain\nV.A.test\nVsecure\nI00\nVhttponly\nV\n",
        Some(bare),
    );
    check_one("a.test", "Vdomain\nVb.test\n", None);
    check_one("a.test", "Vdomain\nVx.a.test\n", None);
    check_one(
        "",
        "",
        Some(r#""" "/" a "b" "b" None false false false None"#),
    );
    check_one("", "Vdomain\nVa.test\n", Some(bare));
    check_one("", "Vdomain\nV.\n", Some(&bare.replace("a.test", "")));
    check_one("", "Vdomain\nVa|b\n", None);
    let address = bare.replace("a.test", "::1");
    check_one("[::1]", "", Some(&address));
    let flags = "Vsecure\nI01\nVhttponly\nI1\nVpartitioned\nVyes\nVsamesite\nVnone\n";
    let want = r#""a.test" "/" a "b" "b" None true true true Some("none")"#;
    check_one("a.test", flags, Some(want));
    // Those of aiohttp before 3.8 went by domain alone.
    let old = jar("", &[morsel("a", "b", "")]).replacen("(V\nV/\nt", "Va.test\n", 1);
    assert_eq!(show(&read_now(old.as_bytes()).expect("a jar")), [bare]);
}

// CKY-18: Max-Age counts before Expires, if it is a number.
#[test]
fn ends_are_counted_from_now() {
    let check = |attributes: &str, expires: Option<u64>| {
        let want = format!(r#""a.test" "/" a "b" "b" {expires:?} false false false None"#);
        check_one("a.test", attributes, Some(&want));
    };
    let date = "Vexpires\nVFri, 01 Jan 2100 00:00:00 GMT\n";
    let in_2100 = Some(4_102_444_800);
    let in_a_minute = Some(NOW.as_secs() + 60);
    let last = Some(253_402_300_798);
    check(date, in_2100);
    check(&format!("{date}Vmax-age\nV60\n"), in_a_minute);
    check(&format!("{date}Vmax-age\nI60\n"), in_a_minute);
    check(&format!("{date}Vmax-age\nF60.9\n"), in_a_minute);
    check(&format!("{date}Vmax-age\nV\n"), in_2100);
    check(&format!("{date}Vmax-age\nI0\n"), in_2100);
    check(&format!("{date}Vmax-age\nVsoon\n"), in_2100);
    check(&format!("{date}Vmax-age\nN"), in_2100);
    check("Vmax-age\nI-1\n", Some(NOW.as_secs()));
    check("Vmax-age\nL99999999999999999999L\n", last);
    check("Vmax-age\nFinf\n", last);
    check("Vexpires\nVnever\n", None);
    check("Vexpires\nI60\n", None);
}

#[test]
fn numbers_are_read_in_all_their_forms() {
    let flag = |opcodes: &[u8]| {
        let pickle = jar("a.test", &[morsel("a", "b", "Vmax-age\n#")]);
        let place = pickle.find('#').expect("it is there");
        let (before, behind) = pickle.as_bytes().split_at(place);
        let cookies = read_now(&[before, opcodes, &behind[1..]].concat()).expect("a jar");
        let expires = cookies[0].expires().expect("it has an end");
        let age = expires
            .duration_since(SystemTime::UNIX_EPOCH + NOW)
            .expect("later");
        age.as_secs()
    };
    assert_eq!(flag(b"K\xff"), 255);
    assert_eq!(flag(b"M\x01\x02"), 513);
    assert_eq!(flag(b"J\0\0\x01\0"), 65_536);
    assert_eq!(flag(b"J\xff\xff\xff\xff"), 0);
    assert_eq!(flag(b"\x8a\x02\xff\0"), 255);
    assert_eq!(flag(b"\x8a\x01\xff"), 0);
    assert_eq!(flag(b"\x8b\x02\0\0\0\x01\x02"), 513);
    assert_eq!(flag(b"\x8a\x09\x01\0\0\0\0\0\0\0\0"), 1);
    assert_eq!(flag(b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0);
    let most = 253_402_300_798 - NOW.as_secs();
    assert_eq!(flag(b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"), most);
    assert_eq!(flag(b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\0"), most);
    assert_eq!(flag(b"\x8a\x09\0\0\0\0\0\0\0\0\x01"), most);
    assert_eq!(flag(b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x80"), 0);
    assert_eq!(flag(b"G\x40\x4e\0\0\0\0\0\0"), 60);
}

// EDGE-238.
#[test]
fn what_cannot_be_sent_is_left_out() {
    for name in ["a\u{1}b", "a\\u000ab", "\\u007f"] {
        let whole = morsel("whole", "yes", "");
        let pickle = jar(
            "a.test",
            &[morsel(name, "b", ""), whole, morsel("a", name, "")],
        );
        let now = SystemTime::UNIX_EPOCH + NOW;
        let cookies = read_cookies(pickle.as_bytes(), now).expect("a jar");
        assert_eq!(cookies.len(), 1, "{name}");
        assert_eq!(cookies[0].name(), "whole");
    }
}

#[test]
fn octets_that_are_not_utf_8_are_as_they_were() {
    let check = |text: &[u8], want: &[u8]| {
        let pickle = jar("a.test", &[morsel("a", "b", "")]).into_bytes();
        let is_value = |at: &usize| pickle[*at..].starts_with(b"Vcoded_value\nVb\n");
        let at = (0..pickle.len()).find(is_value).expect("it is there") + 13;
        let length = u8::try_from(text.len()).expect("short");
        let opcode = [b"\x8c", &[length][..], text].concat();
        let pickle = [&pickle[..at], &opcode, &pickle[at + 3..]].concat();
        let cookies = read_now(&pickle).expect("a jar");
        assert_eq!(cookies[0].coded_value(), want);
    };
    check("ы\u{10ffff}".as_bytes(), "ы\u{10ffff}".as_bytes());
    check(
        b"a\xed\xb2\x80\xed\xb2\xbf\xed\xb3\x80\xed\xb3\xbf",
        b"a\x80\xbf\xc0\xff",
    );
    check(b"\xed\xb4\x80\xed\xb2", b"\xed\xb4\x80\xed\xb2");
}
