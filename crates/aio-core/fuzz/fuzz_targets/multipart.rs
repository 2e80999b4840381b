//! Feeds bytes to the multipart parser, at once and in pieces, and compares it with a
//! reader of whole bodies.
//!
//! In `crates/aio-core`, with nightly and cargo-fuzz:
//!
//! ```text
//! mkdir -p fuzz/corpus/multipart && cargo +nightly fuzz run multipart fuzz/corpus/multipart fuzz/seeds-multipart
//! ```

#![no_main]

#[path = "../../tests/check_multipart/mod.rs"]
mod check_multipart;

use libfuzzer_sys::fuzz_target;

use crate::check_multipart::check;

fuzz_target!(|input: &[u8]| {
    // The naive reader knows no limit that only longer ones reach.
    if input.len() > 4096 {
        return;
    }
    for is_form in [false, true] {
        // The sizes of the pieces follow from the input alone, so that a find comes again.
        let mut sizes = input.iter().cycle().map(|byte| usize::from(byte % 32) + 1);
        check(input, is_form, || sizes.next().unwrap_or(1));
    }
});
