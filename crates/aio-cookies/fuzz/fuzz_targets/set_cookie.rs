//! Feeds bytes to the parser of `Set-Cookie` and to jars.
//!
//! In `crates/aio-cookies`, with nightly and cargo-fuzz (`seeds-set_cookie` stays as it is,
//! what is found goes to `corpus/set_cookie`):
//!
//! ```text
//! mkdir -p fuzz/corpus/set_cookie && cargo +nightly fuzz run set_cookie fuzz/corpus/set_cookie fuzz/seeds-set_cookie
//! ```

#![no_main]

#[path = "../../tests/check_bytes/set_cookie.rs"]
mod set_cookie;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| set_cookie::check(input));
