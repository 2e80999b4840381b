//! Feeds bytes to the decoders of content codings, one alone or two above each other, at once
//! and in pieces.
//!
//! In `crates/aio-core`, with nightly and cargo-fuzz (`seeds-coding` stays as it is, what is
//! found goes to `corpus/coding`):
//!
//! ```text
//! mkdir -p fuzz/corpus/coding && cargo +nightly fuzz run coding fuzz/corpus/coding fuzz/seeds-coding
//! ```

#![no_main]

use aio_core::PayloadError;
use aio_core::coding::{Coding, Decoder, Progress};
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;

/// What is decoded at most: more is but more of the same.
const MOST: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    // The first byte says which: the last coding applied, and with its highest bit the one
    // before it.
    let Some((&which, body)) = input.split_first() else {
        return;
    };
    let coding = |which: u8| Coding::ALL[usize::from(which % 4)].name();
    let fields = match which & 0x80 {
        0 => vec![coding(which)],
        _ => vec![coding(which), coding(which >> 4)],
    };
    let whole = decode(&fields, body, body.len().max(1), MOST);
    for (size, budget) in [(1, 1000), (7, 1), (100, MOST)] {
        let pieces = decode(&fields, body, size, budget);
        // In pieces more members may come in one body than at once.
        if let (Ok(whole), Ok(pieces)) = (&whole, &pieces) {
            let both = whole.len().min(pieces.len());
            assert_eq!(whole[..both], pieces[..both]);
        }
    }
});

fn decode(
    fields: &[&str],
    body: &[u8],
    size: usize,
    budget: usize,
) -> Result<BytesMut, PayloadError> {
    let fields = fields.iter().map(|field| field.as_bytes());
    let mut decoder = Decoder::of_fields(fields, &Coding::ALL).expect("known");
    let mut output = BytesMut::new();
    for piece in body.chunks(size) {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            let before = output.len();
            if before >= MOST {
                return Ok(output);
            }
            let progress = decoder.decode(&mut input, &mut output, budget);
            assert!(output.len() - before <= budget);
            match progress {
                Ok(Progress::NeedsBudget) => {}
                Ok(Progress::NeedsInput) => {
                    assert!(input.is_empty());
                    break;
                }
                Err(error) => {
                    let again = decoder.decode(&mut Bytes::new(), &mut output, budget);
                    assert!(again.is_err() && decoder.finish().is_err());
                    return Err(error);
                }
            }
        }
    }
    decoder.finish().map(|()| output)
}
