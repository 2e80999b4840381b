//! Bodies of several parts, however they are made and cut up.

mod check_multipart;

use aio_core::coding::Progress;
use aio_core::{MultipartEvent, MultipartLimits, MultipartParser, PartDecoder};
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::check_multipart::check;

/// What decides anything in a multipart body, and some that does not.
const PIECES: [&[u8]; 22] = [
    b"--B",
    b"--B--",
    b"\r\n--B",
    b"\r\n--B\r\n\r\n",
    b"\r\n--B--\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"-",
    b"--",
    b"B",
    b" ",
    b"\t\x0c",
    b"x",
    b"\0\xff",
    b"A: b\r\n",
    b"A:",
    b"Content-Length: 3\r\n",
    b"content-length:0\r\n\r\n",
    b"Content-Type: multipart/mixed\r\n",
    b"\r\n--B\r\nContent-Length: 5\r\n\r\nabcde\r\n--B",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn a_body_is_read_as_a_naive_reader_reads_it(
        begun in any::<bool>(),
        picks in vec(0..PIECES.len(), 0..24),
        is_form in any::<bool>(),
        sizes in vec(1usize..7, 1..20),
    ) {
        let mut body = if begun { b"--B\r\n\r\n".to_vec() } else { Vec::new() };
        picks.iter().for_each(|&pick| body.extend_from_slice(PIECES[pick]));
        let mut sizes = sizes.iter().cycle();
        check(&body, is_form, || sizes.next().copied().unwrap_or(1));
    }

    #[test]
    fn parts_of_any_bytes_are_read_as_a_naive_reader_reads_them(
        parts in vec(vec(any::<u8>(), 0..60), 0..6),
        cut in 1usize..40,
    ) {
        let mut body = Vec::new();
        for part in &parts {
            body.extend_from_slice(b"--B\r\nX: y\r\n\r\n");
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--B--\r\n");
        check(&body, false, || cut);
    }
}

/// Decodes a part in pieces of `size` bytes.
fn decode(encoding: &str, data: &[u8], size: usize) -> (Bytes, bool) {
    let head = format!("--B\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    let limits = MultipartLimits::default();
    let parser = MultipartParser::new(b"multipart/mixed; boundary=B", limits);
    let event = parser.expect("it has a boundary").parse(&mut head.into());
    let Ok(Some(MultipartEvent::Part(headers))) = event else {
        panic!("no head: {event:?}");
    };
    let mut decoder = PartDecoder::new(&headers, false).expect("a known encoding");
    let mut output = BytesMut::new();
    for piece in data.chunks(size) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Ok(Progress::NeedsBudget) = decoder.decode(&mut piece, &mut output, 3) {}
    }
    let is_whole = decoder.finish(&mut output).is_ok();
    (output.freeze(), is_whole)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decoded_does_not_depend_on_the_pieces(
        data in vec(prop::sample::select(&b"=\r\n aAfF09+/Zz-\xff"[..]), 0..40),
        size in 1usize..8,
    ) {
        for encoding in ["base64", "quoted-printable", "binary"] {
            let whole = decode(encoding, &data, data.len().max(1));
            prop_assert_eq!(decode(encoding, &data, size), whole, "{} {:?}", encoding, data);
        }
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_are_read_as_a_naive_reader_reads_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds-multipart");
    let seeds = std::fs::read_dir(path).expect("the seeds are here");
    let mut count = 0;
    for seed in seeds {
        let body = std::fs::read(seed.expect("an entry").path()).expect("a file");
        for size in 1..8 {
            check(&body, false, || size);
            check(&body, true, || size);
        }
        count += 1;
    }
    assert!(count > 10, "{count} seeds");
}
