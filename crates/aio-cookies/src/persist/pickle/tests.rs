//! What of pickles is loaded, what is refused, and what is bounded.

mod bounded;
mod loads;
mod refused;

use std::fmt::Write;
use std::time::Duration;

use super::*;

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

fn read_now(bytes: &[u8]) -> Result<Vec<Cookie>, CookieFileProblem> {
    read(bytes, SystemTime::UNIX_EPOCH + NOW)
}

/// Refused, for this reason.
#[track_caller]
fn check(pickle: &[u8], reason: &str) {
    let start = pickle[..pickle.len().min(200)].escape_ascii();
    match read_now(pickle) {
        Err(CookieFileProblem::Malformed {
            line,
            reason: found,
        }) => {
            assert!(line <= pickle.len(), "{line}");
            assert_eq!(&*found, reason, "{start}");
        }
        other => panic!("{start}: {other:?}"),
    }
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
