//! Bytes from anywhere are cookies or are not: nothing panics, and what is read holds together.

mod check_bytes;

use std::time::SystemTime;

use aio_cookies::read_cookies;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};

use crate::check_bytes::{date, file, set_cookie};

/// Octets at random, and samples some octets of which are changed, added, taken out, or come
/// again.
fn bytes(samples: Vec<&'static [u8]>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<u8>(), 0..4);
    let damaged = (select(samples), vec(change, 0..6)).prop_map(|(sample, changes)| {
        let mut bytes = sample.to_vec();
        for (index, byte, change) in changes {
            let at = index.index(bytes.len().max(1));
            match change {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    });
    prop_oneof![vec(any::<u8>(), 0..80), damaged]
}

fn fields() -> Vec<&'static [u8]> {
    vec![
        include_bytes!("../fuzz/seeds-set_cookie/attributes"),
        include_bytes!("../fuzz/seeds-set_cookie/quoted"),
        include_bytes!("../fuzz/seeds-set_cookie/host"),
        include_bytes!("../fuzz/seeds-set_cookie/nameless"),
    ]
}

fn dates() -> Vec<&'static [u8]> {
    vec![
        include_bytes!("../fuzz/seeds-date/rfc1123"),
        include_bytes!("../fuzz/seeds-date/rfc850"),
        include_bytes!("../fuzz/seeds-date/asctime"),
        include_bytes!("../fuzz/seeds-date/odd"),
    ]
}

fn files() -> Vec<&'static [u8]> {
    vec![
        include_bytes!("../fuzz/seeds-file/aiohttp.json"),
        include_bytes!("../fuzz/seeds-file/browser.json"),
        include_bytes!("../fuzz/seeds-file/cookies.txt"),
    ]
}

fn pickles() -> Vec<&'static [u8]> {
    vec![
        include_bytes!("data/pickles/aiohttp-3.7.pickle"),
        include_bytes!("data/pickles/aiohttp-3.13.pickle"),
        include_bytes!("data/pickles/protocol-0.pickle"),
        include_bytes!("data/pickles/protocol-1.pickle"),
    ]
}

// aiohttp's JSON would have it for another host: all behind the first bar is the path.
#[test]
fn a_host_that_no_url_has_is_refused() {
    for host in [
        "www.a.|est",
        "a b",
        "a/b",
        "a\u{1}b",
        "www.:::",
        "a:b",
        "::1:x",
    ] {
        let file = format!("{host}\tFALSE\t/\tFALSE\t0\tb\ts\n");
        let error = read_cookies(file.as_bytes(), SystemTime::UNIX_EPOCH).expect_err(host);
        assert!(error.to_string().starts_with("line 1: "), "{error}");
    }
}

proptest! {
    #[test]
    fn fields_hold_together(input in bytes(fields())) {
        set_cookie::check(&input);
    }

    #[test]
    fn dates_hold_together(input in bytes(dates())) {
        date::check(&input);
    }

    #[test]
    fn files_hold_together(input in bytes(files())) {
        file::check(&input);
    }

    #[test]
    fn pickles_hold_together(input in bytes(pickles())) {
        file::check(&input);
    }
}
