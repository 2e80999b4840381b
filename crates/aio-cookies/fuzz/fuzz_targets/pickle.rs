//! Feeds bytes to the reader of pickles.
//!
//! In `crates/aio-cookies`, with nightly and cargo-fuzz (`tests/data/pickles` stays as it is,
//! what is found goes to `corpus/pickle`):
//!
//! ```text
//! mkdir -p fuzz/corpus/pickle && cargo +nightly fuzz run pickle fuzz/corpus/pickle tests/data/pickles
//! ```

#![no_main]

#[path = "../../tests/check_bytes/file.rs"]
mod file;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| match input {
    [0x80 | b'c' | b'(' | b'}', ..] => file::check(input),
    // No other would be taken for a pickle.
    _ => file::check(&[b"\x80\x04", input].concat()),
});
