use std::fmt::Write;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};
use serde_json::Value as Json;

use super::*;
use crate::persist::read_cookies;

/// The 23rd of November 2026.
const NOW: Duration = Duration::from_secs(1_795_392_000);

/// The jars of tests/data/pickles.
const JARS: [(&str, &[u8]); 11] = [
    (
        "3.7",
        include_bytes!("../../../tests/data/pickles/aiohttp-3.7.pickle"),
    ),
    (
        "3.8",
        include_bytes!("../../../tests/data/pickles/aiohttp-3.8.pickle"),
    ),
    (
        "3.9",
        include_bytes!("../../../tests/data/pickles/aiohttp-3.9.pickle"),
    ),
    (
        "3.10",
        include_bytes!("../../../tests/data/pickles/aiohttp-3.10.pickle"),
    ),
    (
        "3.11",
        include_bytes!("../../../tests/data/pickles/aiohttp-3.11.pickle"),
    ),
    (
        "3.12",
        include_bytes!("../../../tests/data/pickles/aiohttp-3.12.pickle"),
    ),
    (
        "3.13",
        include_bytes!("../../../tests/data/pickles/aiohttp-3.13.pickle"),
    ),
    (
        "protocol 0",
        include_bytes!("../../../tests/data/pickles/protocol-0.pickle"),
    ),
    (
        "protocol 1",
        include_bytes!("../../../tests/data/pickles/protocol-1.pickle"),
    ),
    (
        "protocol 2",
        include_bytes!("../../../tests/data/pickles/protocol-2.pickle"),
    ),
    (
        "protocol 3",
        include_bytes!("../../../tests/data/pickles/protocol-3.pickle"),
    ),
];

/// What aiohttp 3.14.5 makes of them.
const WANT: &str = include_str!("../../../tests/data/pickles/aiohttp-3.14-reads.json");

fn read_now(bytes: &[u8]) -> Result<Vec<Cookie>, CookieFileProblem> {
    read(bytes, SystemTime::UNIX_EPOCH + NOW)
}

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

#[test]
fn a_jar_cut_off_anywhere_is_refused() {
    // The last of each layout and protocol.
    for (name, bytes) in [JARS[0], JARS[6], JARS[7], JARS[8], JARS[10]] {
        for length in 0..bytes.len() {
            let problem = read_now(&bytes[..length]).expect_err(name);
            assert!(
                matches!(problem, CookieFileProblem::Malformed { .. }),
                "{name} {length}"
            );
        }
    }
}

/// Refused, for this reason.
#[track_caller]
fn check(pickle: &[u8], reason: &str) {
    match read_now(pickle) {
        Err(CookieFileProblem::Malformed {
            line,
            reason: found,
        }) => {
            assert!(line <= pickle.len(), "{line}");
            assert_eq!(&*found, reason, "{}", pickle.escape_ascii());
        }
        other => panic!("{}: {other:?}", pickle.escape_ascii()),
    }
}

// EDGE-231, CKY-85. Many of these would run a program, were Python to load them.
#[test]
fn what_would_run_a_program_is_refused_by_name() {
    for (pickle, name) in [
        (&b"cos\nsystem\n(S'id'\ntR."[..], "os.system"),
        (b"cposix\nsystem\n(Vid\ntR.", "posix.system"),
        (b"cnt\nsystem\n(Vid\ntR.", "nt.system"),
        (b"\x80\x02cos\npopen\nX\x02\0\0\0id\x85R.", "os.popen"),
        (
            b"\x80\x03cbuiltins\neval\nX\x03\0\0\x001+1\x85R.",
            "builtins.eval",
        ),
        (
            b"\x80\x03cbuiltins\nexec\nX\x04\0\0\0pass\x85R.",
            "builtins.exec",
        ),
        (
            b"\x80\x02c__builtin__\neval\nX\x01\0\0\x001\x85R.",
            "__builtin__.eval",
        ),
        (b"\x80\x03c__builtin__\ndict\n)R.", "__builtin__.dict"),
        (b"\x80\x03cbuiltins\ngetattr\n)R.", "builtins.getattr"),
        (b"\x80\x03cbuiltins\n__import__\n)R.", "builtins.__import__"),
        (b"\x80\x03cbuiltins\nopen\n)R.", "builtins.open"),
        (b"\x80\x03cbuiltins\nobject\n)\x81.", "builtins.object"),
        (
            b"\x80\x03cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
            "builtins.bytearray",
        ),
        (b"csubprocess\nPopen\n((lp0\nVid\natR.", "subprocess.Popen"),
        (
            b"\x80\x04\x8c\x0asubprocess\x8c\x0ccheck_output\x93.",
            "subprocess.check_output",
        ),
        (
            b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x8c\x02id\x85R.",
            "os.system",
        ),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "posix.system"),
        (
            b"\x80\x04\x8c\x0chttp.cookies\x8c\x0fMorsel.__init__\x93.",
            "http.cookies.Morsel.__init__",
        ),
        (
            b"\x80\x04\x8c\x0chttp.cookies\x8c\x02re\x93.",
            "http.cookies.re",
        ),
        (
            b"\x80\x04\x8c\x0chttp.cookies\x8c\x0aBaseCookie\x93.",
            "http.cookies.BaseCookie",
        ),
        (b"chttp.cookies\n_unquote\n.", "http.cookies._unquote"),
        (b"ccollections\nOrderedDict\n)R.", "collections.OrderedDict"),
        (b"ccopyreg\n__newobj__\n.", "copyreg.__newobj__"),
        (b"ccopyreg\nadd_extension\n.", "copyreg.add_extension"),
        (b"cfunctools\npartial\n.", "functools.partial"),
        (b"coperator\nattrgetter\n.", "operator.attrgetter"),
        (b"cpickle\nloads\n.", "pickle.loads"),
        (b"cctypes\nCDLL\n.", "ctypes.CDLL"),
        (b"cimportlib\nimport_module\n.", "importlib.import_module"),
        (b"cruncode\nrun_code\n.", "runcode.run_code"),
        (b"cshutil\nrmtree\n.", "shutil.rmtree"),
        (b"csocket\nsocket\n.", "socket.socket"),
        (b"cos\x1b[2J\nsystem\r\n.", "os\\x1b[2J.system\\r"),
        // The harmless one hides behind a defaultdict.
        (b"ccollections\ndefaultdict\n(cos\nabort\ntR.", "os.abort"),
        (
            b"\x80\x04\x8c\x08builtins\x8c\x05print\x93.",
            "builtins.print",
        ),
    ] {
        check(pickle, &format!("forbidden global {name}"));
    }
}

// EDGE-231.
#[test]
fn opcodes_that_jars_do_not_need_are_refused_by_name() {
    for (pickle, name) in [
        (&b"(S'id'\nios\nsystem\n."[..], "STRING"),
        (b"(Vid\nios\nsystem\n.", "INST"),
        (b"(chttp.cookies\nMorsel\no.", "OBJ"),
        (b"\x80\x04chttp.cookies\nMorsel\n)}\x92.", "NEWOBJ_EX"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02\x83\x01\0.", "EXT2"),
        (b"\x80\x02\x84\x01\0\0\0.", "EXT4"),
        (b"Psecret\n.", "PERSID"),
        (b"\x80\x03X\x01\0\0\0aQ.", "BINPERSID"),
        (b"T\xff\xff\xff\xffa.", "BINSTRING"),
        (b"U\x01a.", "SHORT_BINSTRING"),
        (b"\x80\x03B\xff\xff\xff\xffa.", "BINBYTES"),
        (b"\x80\x03C\x01a.", "SHORT_BINBYTES"),
        (
            b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
            "BINBYTES8",
        ),
        (
            b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
            "BYTEARRAY8",
        ),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x05}\x98.", "READONLY_BUFFER"),
        (b"].", "EMPTY_LIST"),
        (b"(l.", "LIST"),
        (b"}Na.", "APPEND"),
        (b"}(Ne.", "APPENDS"),
    ] {
        check(pickle, &format!("forbidden opcode {name}"));
    }
    check(b"\xff.", "unknown opcode 0xff");
    check(b"{}", "unknown opcode 0x7b");
    check(b"\x80\x06}.", "unknown protocol 6");
}

// EDGE-231: what is allowed is called as jars call it, and no other way.
#[test]
fn allowed_names_are_used_as_jars_use_them() {
    let arguments = "a call with arguments that jars do not need";
    check(b"chttp.cookies\nSimpleCookie\n(Va=b\ntR.", arguments);
    check(
        b"ccollections\ndefaultdict\n(ccollections\ndefaultdict\ntR.",
        arguments,
    );
    check(
        b"ccopyreg\n_reconstructor\n(ccopyreg\n_reconstructor\nc__builtin__\ndict\n}tR.",
        arguments,
    );
    check(b"\x80\x03cbuiltins\ntuple\n(I1\ntR.", arguments);
    check(b"cCookie\nMorsel\n}R.", "a call without arguments");
    check(b"})R.", "a call of what is no class");
    check(b"})\x81.", "a call of what is no class");
    check(b"}}b.", "a state for what has none");
    check(b"cCookie\nMorsel\n}b.", "a state for what has none");
    check(b"cCookie\nSimpleCookie\n)R}b.", "a state for what has none");
    check(
        b"cCookie\nMorsel\n)Rcos\nsystem\nb.",
        "forbidden global os.system",
    );
    check(
        b"cCookie\nMorsel\n)R(NNtb.",
        "a state that is no dictionary",
    );
    check(
        b"cCookie\nMorsel\n)RcCookie\nMorsel\n)Rb.",
        "a state that is no dictionary",
    );
    check(b"cCookie\nMorsel\nNNs.", "items for what has none");
    check(b"\x80\x04\x8f(NNu.", "items for what has none");
    check(b"\x80\x04}(N\x90.", "items for what has none");
    check(b"\x80\x04NN\x93.", "a global whose name is no text");
}

#[test]
fn a_broken_stack_is_refused() {
    check(b".", "nothing on the stack");
    check(b"0.", "nothing on the stack");
    check(b"2.", "nothing on the stack");
    check(b"}(.", "nothing on the stack");
    check(b"}(Ns.", "nothing on the stack");
    check(b"}(\x87.", "nothing on the stack");
    check(b"t.", "no mark on the stack");
    check(b"1.", "no mark on the stack");
    check(b"}(Nu.", "a key without a value");
    check(b"q\0.", "nothing on the stack");
    check(b"h\0.", "a memo that is not there");
    check(b"g18446744073709551616\n.", "no number");
    check(b"p-1\n.", "no number");
    check(b"Ione\n.", "no number");
    check(b"F\n.", "no number");
    check(b"V\\ud800\n.", "no text");
    check(b"V\\u12\n.", "no text");
    check(b"}.}", "something behind the end of the pickle");
    check(b"", "the pickle is cut off");
}

// EDGE-231: nothing is made of the lengths that a pickle names, but what is there.
#[test]
fn huge_lengths_are_refused() {
    for pickle in [
        &b"X\xff\xff\xff\xffa."[..],
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.",
        b"\x80\x04\x8d\0\0\0\0\0\0\0\x80a.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\x02\x8b\xff\xff\xff\x7f\0.",
        b"\x80\x02\x8a\xff\0.",
        b"G\0\0",
        b"Vno end of line",
        b"cos",
    ] {
        check(pickle, "the pickle is cut off");
    }
    // A memo may have any number; nothing is made for those in between.
    assert!(read_now(b"}r\xff\xff\xff\xff0j\xff\xff\xff\xff.").is_ok());
}

// EDGE-231: each of these is as large as it says when it is written out.
#[test]
fn what_grows_by_repetition_stays_small() {
    // Tuples of ten of the one before: 10^5000 in all. Python makes them as cheaply, and an
    // attempt to look through them never ends.
    let mut laughs = b")q\x00".to_vec();
    for _ in 0..5000 {
        laughs.extend(b"(h\0h\0h\0h\0h\0h\0h\0h\0h\0h\0tq\0");
    }
    laughs.push(b'.');
    check(&laughs, "no jar of cookies");
    // Dictionaries inside each other, fifty thousand deep, and one inside itself.
    let mut deep = b"}q\0".to_vec();
    deep.extend(b"}Nh\0sq\0".repeat(50_000));
    deep.push(b'.');
    check(&deep, "not cookies by domain and path");
    check(b"}q\0Va.test\nh\0s.", "not cookies by domain and path");
    // One cookie of 4 KB in a thousand places.
    let bucket = bucket(&[morsel("a", &"x".repeat(4000), "")]);
    let places: String = (0..1000)
        .map(|number| format!("V{number}.test\ng7\n"))
        .collect();
    check(
        format!("{bucket}p7\n0}}({places}u.").as_bytes(),
        "the same things again and again",
    );
    // A long name of a thousand places, and a long text of a thousand attributes.
    let long = "x".repeat(4000);
    let places = "g8\ng7\n".repeat(1000);
    check(
        format!("V{long}\np8\n0cCookie\nSimpleCookie\n)Rp7\n0}}({places}u.").as_bytes(),
        "the same things again and again",
    );
    let attributes = format!("Vdomain\nV{long}\np6\n{}", "Vdomain\ng6\n".repeat(1000));
    check(
        jar("a.test", &[morsel("a", "b", &attributes)]).as_bytes(),
        "the same things again and again",
    );
    // The items of one dictionary, made an object's again and again, are its own only once.
    let mut taken = b"}(".to_vec();
    taken.extend(b"NN".repeat(1000));
    taken.extend(b"uq\x000");
    taken.extend(
        b"ccopy_reg\n_reconstructor\n(cCookie\nSimpleCookie\nc__builtin__\ndict\nh\0tR"
            .repeat(1000),
    );
    taken.push(b'.');
    check(&taken, "no jar of cookies");
}

#[test]
fn there_is_an_end_to_what_is_made() {
    check(&b"(".repeat((1 << 20) + 1), "more than 1048576 values");
    check(&b"N".repeat((1 << 20) + 1), "more than 1048576 values");
    check(&b"}0".repeat((1 << 20) + 1), "more than 1048576 values");
    check(&b")0".repeat((1 << 20) + 1), "more than 1048576 values");
    check(&b"V\n0".repeat((1 << 20) + 1), "more than 1048576 values");
    check(
        &[b"N", &b"\x94".repeat((1 << 20) + 1)[..]].concat(),
        "more than 1048576 values",
    );
}

/// A jar of one place, in protocol 0.
fn jar(domain: &str, morsels: &[String]) -> String {
    format!("}}(V{domain}\nV/\nt{}s.", bucket(morsels))
}

fn bucket(morsels: &[String]) -> String {
    let mut pickle = "cCookie\nSimpleCookie\n)R(".to_owned();
    for morsel in morsels {
        write!(pickle, "Vname\n{morsel}").expect("a string takes all");
    }
    pickle + "u"
}

/// A Morsel whose attributes are given as opcodes.
fn morsel(name: &str, value: &str, attributes: &str) -> String {
    format!(
        "cCookie\nMorsel\n)R({attributes}u\
         (Vkey\nV{name}\nVvalue\nV{value}\nVcoded_value\nV{value}\ndb"
    )
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

#[test]
fn what_is_no_jar_is_refused() {
    check(b"N.", "no jar of cookies");
    check(b"I1\n.", "no jar of cookies");
    check(b").", "no jar of cookies");
    check(b"\x80\x04\x8f.", "no jar of cookies");
    check(b"cCookie\nMorsel\n.", "no jar of cookies");
    check(b"cCookie\nSimpleCookie\n)R.", "no jar of cookies");
    check(b"}Va.test\n}s.", "not cookies by domain and path");
    let place = "a key is not of a domain";
    check(b"}X\x01\0\0\0\xffcCookie\nSimpleCookie\n)Rs.", place);
    check(b"}Va|b\ncCookie\nSimpleCookie\n)Rs.", place);
    check(
        b"}I1\ncCookie\nSimpleCookie\n)Rs.",
        "not cookies by domain and path",
    );
    check(
        b"}(Va.test\nNtcCookie\nSimpleCookie\n)Rs.",
        "not cookies by domain and path",
    );
    check(
        b"}(Va.test\ntcCookie\nSimpleCookie\n)Rs.",
        "not cookies by domain and path",
    );
    check(
        b"}Va.test\ncCookie\nSimpleCookie\n)RVa\nVb\nss.",
        "a cookie that is no Morsel",
    );
    check(
        b"}Va.test\ncCookie\nSimpleCookie\n)RVa\n}ss.",
        "a cookie that is no Morsel",
    );
    let no_value = "a Morsel without a value";
    check(
        b"}Va.test\ncCookie\nSimpleCookie\n)RVa\ncCookie\nMorsel\n)Rss.",
        no_value,
    );
    check(
        b"}Va.test\ncCookie\nSimpleCookie\n)RVa\ncCookie\nMorsel\n)R}bss.",
        no_value,
    );
    let number = jar("a.test", &[morsel("a", "b", "")]).replacen("Vb\n", "I1\n", 1);
    check(number.as_bytes(), no_value);
    let path = jar("a.test", &[morsel("a", "b", "Vpath\nI1\n")]);
    check(path.as_bytes(), "an attribute that is no text");
    assert!(read_now(b"}.").expect("an empty jar").is_empty());
}

/// Opcodes at random, each with what it takes.
fn opcodes() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"\x80\x04",
        b"N",
        b"\x88",
        b"K\x01",
        b"I01\n",
        b"L-7L\n",
        b"F1.5\n",
        b"G@N\0\0\0\0\0\0",
        b"Va.test\n",
        b"Vkey\n",
        b"Vvalue\n",
        b"Vcoded_value\n",
        b"Vpath\n",
        b"X\x01\0\0\0/",
        b"\x8c\x06domain",
        b"(",
        b"0",
        b"1",
        b"2",
        b")",
        b"\x85",
        b"\x86",
        b"\x87",
        b"t",
        b"}",
        b"d",
        b"s",
        b"u",
        b"\x8f",
        b"\x90",
        b"\x91",
        b"cCookie\nMorsel\n",
        b"R",
        b"\x81",
        b"b",
        b"cCookie\nSimpleCookie\n",
        b"ccollections\ndefaultdict\n",
        b"c__builtin__\ndict\n",
        b"ccopy_reg\n_reconstructor\n",
        b"q\0",
        b"h\0",
        b"\x94",
        b"h\x01",
        b"\x93",
        b".",
    ];
    vec(select(pieces), 0..200).prop_map(|pieces| pieces.concat())
}

/// A jar with some octets changed, taken out or doubled.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>(), 0..4), 1..6);
    (select(JARS.to_vec()), changes).prop_map(|((_, bytes), changes)| {
        let mut bytes = bytes.to_vec();
        for (index, byte, change) in changes {
            let at = index.index(bytes.len());
            match change {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_are_cookies_or_refused(
        bytes in prop_oneof![vec(any::<u8>(), 0..200), opcodes(), damaged()],
    ) {
        match read_now(&bytes) {
            Ok(cookies) => {
                let length = |cookie: &Cookie| cookie.name.len() + cookie.coded.len();
                assert!(cookies.iter().map(length).sum::<usize>() <= bytes.len() * GROWTH);
            }
            Err(CookieFileProblem::Malformed { line, .. }) => assert!(line <= bytes.len()),
            Err(other) => panic!("{other}"),
        }
    }
}
