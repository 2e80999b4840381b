//! What a pickle can have us do.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};

use super::*;

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
    let check_small = |pickle: &[u8], want: &str| {
        let limits = machine::Limits {
            values: 1000,
            pushed: 2000,
        };
        let result = machine::run_within(pickle, limits);
        let error = result.map(drop).expect_err("it has no end").to_string();
        assert!(error.ends_with(want), "{error}");
    };
    for one in [&b"("[..], b"N", b"}0", b")0", b"V\n0"] {
        check_small(&one.repeat(1001), "more than 1000 values");
    }
    let memo = [b"N", &b"\x94".repeat(1001)[..]].concat();
    check_small(&memo, "more than 1000 values");
    // A dictionary whose items are one value, again and again; Python takes them all.
    let again = [b"(", &b"N".repeat(100)[..], b"u"].concat().repeat(20);
    check_small(&[b"}", &again[..]].concat(), "more than 2000 values in all");
    check(&b"(".repeat((1 << 20) + 1), "more than 1048576 values");
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
