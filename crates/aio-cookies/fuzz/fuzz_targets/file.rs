//! Feeds bytes to the readers of files of cookies.
//!
//! In `crates/aio-cookies`, with nightly and cargo-fuzz (`seeds-file` stays as it is,
//! what is found goes to `corpus/file`):
//!
//! ```text
//! mkdir -p fuzz/corpus/file && cargo +nightly fuzz run file fuzz/corpus/file fuzz/seeds-file
//! ```

#![no_main]

#[path = "../../tests/check_bytes/file.rs"]
mod file;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| file::check(input));
