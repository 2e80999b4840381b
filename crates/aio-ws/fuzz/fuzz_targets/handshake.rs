//! Feeds bytes to both ends of a handshake.
//!
//! In `crates/aio-ws`, with nightly and cargo-fuzz (`seeds-handshake` stays as it is, what is
//! found goes to `corpus/handshake`):
//!
//! ```text
//! mkdir -p fuzz/corpus/handshake && cargo +nightly fuzz run handshake fuzz/corpus/handshake fuzz/seeds-handshake
//! ```

#![no_main]

#[path = "../../tests/check_bytes/handshake.rs"]
mod handshake;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| handshake::check(input));
