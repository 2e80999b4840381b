//! Feeds the bytes of a peer to the protocol.
//!
//! In `crates/aio-ws`, with nightly and cargo-fuzz (`seeds-protocol` stays as it is, what is
//! found goes to `corpus/protocol`):
//!
//! ```text
//! mkdir -p fuzz/corpus/protocol && cargo +nightly fuzz run protocol fuzz/corpus/protocol fuzz/seeds-protocol
//! ```

#![no_main]

#[path = "../../tests/check_bytes/protocol.rs"]
mod protocol;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| protocol::check(input));
