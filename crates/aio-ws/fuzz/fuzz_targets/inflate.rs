//! Feeds bytes to the decompressor of messages.
//!
//! In `crates/aio-ws`, with nightly and cargo-fuzz (`seeds-inflate` stays as it is, what is
//! found goes to `corpus/inflate`):
//!
//! ```text
//! mkdir -p fuzz/corpus/inflate && cargo +nightly fuzz run inflate fuzz/corpus/inflate fuzz/seeds-inflate
//! ```

#![no_main]

#[path = "../../tests/check_bytes/inflate.rs"]
mod inflate;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| inflate::check(input));
