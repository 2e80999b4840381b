//! Feeds bytes to the response parser, at once and in pieces.
//!
//! In `crates/aio-core`, with nightly and cargo-fuzz (`seeds` stays as it is, what is
//! found goes to `corpus/response`):
//!
//! ```text
//! mkdir -p fuzz/corpus/response && cargo +nightly fuzz run response fuzz/corpus/response fuzz/seeds
//! ```

#![no_main]

#[path = "../../tests/check_response/mod.rs"]
mod check_response;

use aio_core::http1::{Exchanged, Limits};
use http::Method;
use libfuzzer_sys::fuzz_target;

use crate::check_response::{NARROW, check};

fuzz_target!(|input: &[u8]| {
    // The sizes of the pieces follow from the input alone, so that a find comes again.
    let sizes = || input.iter().cycle().map(|byte| usize::from(byte % 32) + 1);
    for limits in [Limits::default(), NARROW] {
        for method in [Method::GET, Method::HEAD, Method::CONNECT] {
            let exchanged = Exchanged::of(&method);
            let mut sizes = sizes();
            check(input, limits, exchanged, || sizes.next().unwrap_or(1));
        }
    }
});
