//! Feeds bytes to the parser of dates.
//!
//! In `crates/aio-cookies`, with nightly and cargo-fuzz (`seeds-date` stays as it is,
//! what is found goes to `corpus/date`):
//!
//! ```text
//! mkdir -p fuzz/corpus/date && cargo +nightly fuzz run date fuzz/corpus/date fuzz/seeds-date
//! ```

#![no_main]

#[path = "../../tests/check_bytes/date.rs"]
mod date;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| date::check(input));
