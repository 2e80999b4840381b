//! Tests of all decoders; those that are not built in are left out.

mod names;
mod stacked;

use std::io::Write as _;

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::layer::MAX_MEMBERS;
use super::*;

const PLENTY: usize = 1 << 24;

const HELLO: &[u8] = b"hello, hello, hello";

/// What Python's gzip, zlib, brotli and zstandard make of `HELLO`: among them a br window of
/// 24 bits, a br body of uncompressed data, and a zstd frame with a checksum and one of two
/// flushed blocks.
const FOREIGN: [(Coding, &[u8]); 8] = [
    (
        Coding::Gzip,
        b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\xc8\x40\xa2\0\x9f\xa1\xca\x09\
          \x13\0\0\0",
    ),
    (
        Coding::Deflate,
        b"\x78\x9c\xcb\x48\xcd\xc9\xc9\xd7\x51\xc8\x40\xa2\0\x44\x28\x06\xd5",
    ),
    (
        Coding::Deflate,
        b"\xcb\x48\xcd\xc9\xc9\xd7\x51\xc8\x40\xa2\0",
    ),
    (
        Coding::Brotli,
        b"\x1b\x12\0\xf8\x8d\x94\x6e\xde\x44\x09\x52\x86\x96\x6c\x2c\x6f\x11\x4f\x24\xd0\x71\0",
    ),
    (
        Coding::Brotli,
        b"\x1f\x12\0\xf8\x8d\x94\x6e\xde\x44\x09\x52\x86\x96\x6c\x2c\x6f\x11\x4f\x24\xd0\x71\0",
    ),
    (Coding::Brotli, b"\x0b\x09\x80hello, hello, hello\x03"),
    (
        Coding::Zstd,
        b"\x28\xb5\x2f\xfd\x24\x13\x6d\0\0\x38hello, \x01\0\xe2\x8a\x11\x75\xf3\x98\x8e",
    ),
    (
        Coding::Zstd,
        b"\x28\xb5\x2f\xfd\0\x58\x38\0\0hello, \x61\0\0hello, hello",
    ),
];

#[track_caller]
fn check(coding: Coding, packed: &[u8], want: &[u8]) {
    if coding.has_decoder() {
        let text = decode(coding, &[packed], PLENTY).expect("good");
        assert!(text == want, "{coding:?} {}", packed.escape_ascii());
    }
}

#[track_caller]
fn check_corrupt(coding: Coding, packed: &[u8]) {
    let error = decode(coding, &[packed], PLENTY).expect_err("corrupt");
    assert!(
        matches!(error, PayloadError::Decode { .. }),
        "{coding:?} {}: {error}",
        packed.escape_ascii()
    );
}

#[test]
fn all_formats_are_decoded() {
    for text in [&b""[..], b"x", HELLO, &json(100_000), &noise(300_000)] {
        for (coding, packed) in samples(text) {
            check(coding, &packed, text);
        }
    }
}

#[test]
fn what_others_encode_is_decoded() {
    for (coding, packed) in FOREIGN {
        check(coding, packed, HELLO);
    }
}

#[test]
fn gzip_header_fields_are_skipped() {
    let mut encoder = flate2::GzBuilder::new()
        .filename("a.txt")
        .comment("no comment")
        .extra(vec![7; 300])
        .mtime(1)
        .write(Vec::new(), Compression::fast());
    encoder.write_all(b"text").expect("a Vec takes all");
    check(
        Coding::Gzip,
        &encoder.finish().expect("a Vec takes all"),
        b"text",
    );
}

#[test]
fn concatenated_members_are_one_body() {
    let members = [gzip(b"a"), gzip(b""), gzip(b"bc")];
    check(Coding::Gzip, &members.concat(), b"abc");
    check(Coding::Gzip, &gzip(b"").repeat(MAX_MEMBERS), b"");
    let containers = [zlib(b"a"), zlib(b""), zlib(b"bc")];
    check(Coding::Deflate, &containers.concat(), b"abc");
    let frames = [
        zstd(b"a"),
        skippable(b"to be passed over"),
        zstd(b""),
        zstd(b"bc"),
        skippable(b""),
    ];
    check(Coding::Zstd, &frames.concat(), b"abc");
    check(Coding::Zstd, &zstd(b"").repeat(MAX_MEMBERS), b"");
}

#[test]
fn an_empty_body_is_complete() {
    for coding in Coding::ALL {
        check(coding, b"", b"");
    }
}

#[test]
fn too_many_members_in_one_piece_are_refused() {
    check_corrupt(Coding::Gzip, &gzip(b"").repeat(MAX_MEMBERS + 1));
    check_corrupt(Coding::Zstd, &skippable(b"").repeat(MAX_MEMBERS + 1));
}

#[test]
fn data_behind_the_end_is_refused() {
    for garbage in [&b"\0"[..], b"\0\0\0\0", b"xxxx", b"\x1f\x8c", b"garbage"] {
        for (coding, packed) in samples(b"text") {
            // Four bytes make a frame of zstd; with fewer one can be about to begin.
            if coding != Coding::Zstd || garbage.len() >= 4 {
                check_corrupt(coding, &[&packed, garbage].concat());
            }
        }
    }
    let error = decode(Coding::Zstd, &[&zstd(b"text"), b"\x28"], PLENTY);
    let error = error.expect_err("no frame");
    assert_eq!(
        matches!(error, PayloadError::Truncated { .. }),
        Coding::Zstd.has_decoder(),
        "{error}"
    );
}

#[test]
fn header_and_trailer_are_verified() {
    let good = gzip(b"text");
    // Magic, method, reserved flags; the last byte of CRC32 and of ISIZE.
    for at in [0, 1, 2, 3, good.len() - 5, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x80;
        check_corrupt(Coding::Gzip, &bad);
    }
    for (coding, mut bad) in [
        (Coding::Deflate, zlib(b"text")),
        (Coding::Zstd, zstd(b"text")),
    ] {
        *bad.last_mut().expect("not empty") ^= 1;
        check_corrupt(coding, &bad);
    }
}

#[test]
fn windows_are_bounded() {
    // HELLO in a frame with a window of 8 MiB, then of 16 (RFC 9659), and of 128 GiB.
    let frame = |window: u8| {
        let block = b"\x6d\0\0\x38hello, \x01\0\xe2\x8a\x11";
        [b"\x28\xb5\x2f\xfd\0", &[window][..], block].concat()
    };
    check(Coding::Zstd, &frame(0x68), HELLO);
    check_corrupt(Coding::Zstd, &frame(0x70));
    check_corrupt(Coding::Zstd, &frame(0xd8));
    // A frame in one segment of 1 GiB, which is its window.
    check_corrupt(Coding::Zstd, b"\x28\xb5\x2f\xfd\xa0\0\0\0\x40\x6d\0\0");
    // The large windows of br, which RFC 7932 does not have.
    check_corrupt(Coding::Brotli, b"\x11\x1e\x03\x03\x03\x03");
}

#[test]
fn every_cut_is_truncated() {
    let foreign = FOREIGN.map(|(coding, packed)| (coding, packed.to_vec()));
    let samples = samples(&json(3000)).into_iter().chain(built_in(foreign));
    for (coding, packed) in samples {
        for cut in 1..packed.len() {
            let mut decoder = Decoder::new(coding);
            let mut output = BytesMut::new();
            let mut piece = Bytes::copy_from_slice(&packed[..cut]);
            let progress = decoder.decode(&mut piece, &mut output, PLENTY);
            assert_eq!(progress.expect("good"), Progress::NeedsInput, "{cut}");
            let error = decoder.finish().expect_err("cut");
            assert!(
                matches!(error, PayloadError::Truncated { .. }),
                "{coding:?} {cut}: {error}"
            );
        }
    }
}

#[test]
fn every_split_gives_the_same() {
    let text = json(600);
    for (coding, packed) in samples(&text) {
        for cut in 0..=packed.len() {
            let (a, b) = packed.split_at(cut);
            assert_eq!(
                decode(coding, &[a, b], PLENTY).expect("good"),
                text,
                "{cut}"
            );
        }
        let bytewise: Vec<_> = packed.chunks(1).collect();
        assert_eq!(decode(coding, &bytewise, PLENTY).expect("good"), text);
    }
}

#[test]
fn what_is_flushed_comes_at_once() {
    for coding in built_in(Coding::ALL.map(|coding| (coding, ()))) {
        let (mut decoder, mut output) = (Decoder::new(coding.0), BytesMut::new());
        let mut flushed = Bytes::from(flushed(coding.0, HELLO));
        let progress = decoder.decode(&mut flushed, &mut output, PLENTY);
        assert_eq!(progress.expect("good"), Progress::NeedsInput);
        assert_eq!(output, HELLO, "{coding:?}");
        decoder.finish().expect_err("more is to come");
    }
}

#[test]
fn a_bomb_costs_its_budget() {
    for (coding, bomb) in samples(&vec![0; 20 << 20]) {
        let mut decoder = Decoder::new(coding);
        let mut input = Bytes::from(bomb);
        let mut total = 0;
        loop {
            let mut output = BytesMut::new();
            let progress = decoder.decode(&mut input, &mut output, 1000).expect("good");
            assert!(output.len() <= 1000);
            assert!(output.capacity() <= 4096, "{}", output.capacity());
            total += output.len();
            if progress == Progress::NeedsInput {
                break;
            }
        }
        assert_eq!(total, 20 << 20);
        decoder.finish().expect("complete");
    }
}

#[test]
fn without_budget_nothing_happens() {
    for (coding, packed) in samples(b"x") {
        let mut input = Bytes::from(packed.clone());
        let progress = Decoder::new(coding)
            .decode(&mut input, &mut BytesMut::new(), 0)
            .expect("nothing done");
        assert_eq!(progress, Progress::NeedsBudget);
        assert_eq!(input, packed);
    }
}

#[test]
fn output_is_appended() {
    for (coding, packed) in samples(b"after") {
        let mut output = BytesMut::from("before ");
        Decoder::new(coding)
            .decode(&mut packed.into(), &mut output, PLENTY)
            .expect("good");
        assert_eq!(output, "before after");
    }
}

#[test]
fn an_error_stays_and_keeps_the_output_before_it() {
    for (coding, packed) in samples(b"text") {
        let mut decoder = Decoder::new(coding);
        let mut output = BytesMut::new();
        let mut input = Bytes::from([&packed[..], b"????"].concat());
        decoder
            .decode(&mut input, &mut output, PLENTY)
            .expect_err("garbage");
        assert_eq!(output, "text");
        decoder
            .decode(&mut Bytes::new(), &mut output, PLENTY)
            .expect_err("failed before");
        decoder.finish().expect_err("failed before");
    }
}

#[test]
fn a_coding_that_is_not_built_in_fails() {
    for coding in Coding::ALL {
        let (mut decoder, mut output) = (Decoder::new(coding), BytesMut::new());
        let mut input = Bytes::from_static(b"\x1b");
        let decoded = decoder.decode(&mut input, &mut output, PLENTY);
        if !coding.has_decoder() {
            assert!(matches!(decoded, Err(PayloadError::Decode { .. })));
        }
        decoder.finish().expect_err("cut, or not built in");
    }
}

#[test]
fn corrupt_bytes_anywhere_never_panic() {
    let text = json(2000);
    for (coding, packed) in samples(&text) {
        for at in 0..packed.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bad = packed.clone();
                bad[at] ^= flip;
                let (a, b) = bad.split_at(at);
                // Either an error or some bytes: not all have a checksum.
                _ = decode(coding, &[a, b], 777);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn splits_and_budgets_make_no_difference(
        text in vec(any::<u8>(), 0..3000),
        cuts in vec(any::<Index>(), 0..20),
        budget in 1..5000_usize,
    ) {
        let text = [json(text.len()), text].concat();
        for (coding, packed) in samples(&text) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(packed.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut start = 0;
            for cut in cuts.into_iter().chain([packed.len()]) {
                pieces.push(&packed[start..cut]);
                start = cut;
            }
            prop_assert!(decode(coding, &pieces, budget).expect("good") == text, "{coding:?}");
        }
    }

    /// Bytes changed, inserted and removed in good bodies, and bodies of nothing else.
    #[test]
    fn mutated_bodies_never_panic(
        len in 0..20_000_usize,
        changes in vec((any::<Index>(), 0..3_u8, vec(any::<u8>(), 1..8)), 1..12),
        random in vec(any::<u8>(), 0..200),
    ) {
        let text = json(len);
        for (coding, mut packed) in samples(&text) {
            for (at, kind, bytes) in &changes {
                let at = at.index(packed.len() + 1);
                let end = (at + bytes.len()).min(packed.len());
                match kind {
                    0 => drop(packed.splice(at..end, bytes[..end - at].iter().copied())),
                    1 => drop(packed.splice(at..at, bytes.iter().copied())),
                    _ => drop(packed.drain(at..end)),
                }
                if packed.is_empty() {
                    break;
                }
            }
            _ = decode_at_most(coding, &[&packed], 4096, 1 << 20);
            let head = packed.len().min(10);
            _ = decode_at_most(coding, &[&packed[..head], &random], 4096, 1 << 20);
            _ = decode_at_most(coding, &[&random], 4096, 1 << 20);
        }
    }
}

/// Decodes a body that comes in `pieces`, `budget` bytes at a time.
fn decode(coding: Coding, pieces: &[&[u8]], budget: usize) -> Result<Vec<u8>, PayloadError> {
    decode_at_most(coding, pieces, budget, usize::MAX)
}

fn decode_at_most(
    coding: Coding,
    pieces: &[&[u8]],
    budget: usize,
    most: usize,
) -> Result<Vec<u8>, PayloadError> {
    decode_with(Decoder::new(coding), pieces, budget, most)
}

/// Decodes, until there are `most` bytes.
fn decode_with(
    mut decoder: Decoder,
    pieces: &[&[u8]],
    budget: usize,
    most: usize,
) -> Result<Vec<u8>, PayloadError> {
    let mut output = BytesMut::new();
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while output.len() < most {
            let before = output.len();
            let progress = decoder.decode(&mut input, &mut output, budget)?;
            assert!(output.len() - before <= budget);
            if progress == Progress::NeedsInput {
                assert!(input.is_empty());
                break;
            }
        }
    }
    decoder.finish()?;
    Ok(output.into())
}

/// `text` in each format that can be decoded.
fn samples(text: &[u8]) -> Vec<(Coding, Vec<u8>)> {
    built_in([
        (Coding::Gzip, gzip(text)),
        (Coding::Deflate, zlib(text)),
        (Coding::Deflate, raw(text)),
        (Coding::Brotli, brotli(text)),
        (Coding::Zstd, zstd(text)),
    ])
    .collect()
}

fn built_in<T>(
    samples: impl IntoIterator<Item = (Coding, T)>,
) -> impl Iterator<Item = (Coding, T)> {
    let samples = samples.into_iter();
    samples.filter(|(coding, _)| coding.has_decoder())
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

fn raw(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

fn brotli(text: &[u8]) -> Vec<u8> {
    let mut encoder = ::brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    encoder.write_all(text).expect("a Vec takes all");
    encoder.into_inner()
}

/// A frame with a checksum.
fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoder = zstd_safe::CCtx::create();
    encoder
        .set_parameter(zstd_safe::CParameter::ChecksumFlag(true))
        .expect("a parameter");
    let mut packed = Vec::with_capacity(zstd_safe::compress_bound(text.len()));
    encoder.compress2(&mut packed, text).expect("room enough");
    packed
}

/// A frame that decoders pass over.
fn skippable(data: &[u8]) -> Vec<u8> {
    let len = (data.len() as u32).to_le_bytes();
    [b"\x5a\x2a\x4d\x18", &len[..], data].concat()
}

/// The begin of a body, up to where the sender flushes.
fn flushed(coding: Coding, text: &[u8]) -> Vec<u8> {
    const FULL: &str = "a Vec takes all";
    match coding {
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder
                .write_all(text)
                .and_then(|()| encoder.flush())
                .expect(FULL);
            encoder.get_ref().clone()
        }
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder
                .write_all(text)
                .and_then(|()| encoder.flush())
                .expect(FULL);
            encoder.get_ref().clone()
        }
        Coding::Brotli => {
            let mut encoder = ::brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
            encoder
                .write_all(text)
                .and_then(|()| encoder.flush())
                .expect(FULL);
            encoder.get_ref().clone()
        }
        Coding::Zstd => {
            let mut packed = Vec::with_capacity(1000);
            let mut output = zstd_safe::OutBuffer::around(&mut packed);
            let mut input = zstd_safe::InBuffer::around(text);
            let flush = zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_flush;
            let left = zstd_safe::CCtx::create().compress_stream2(&mut output, &mut input, flush);
            assert_eq!(left, Ok(0), "room enough");
            packed
        }
    }
}

/// At least `len` bytes of JSON that packs as JSON does.
fn json(len: usize) -> Vec<u8> {
    let mut random = Random(7);
    let mut text = String::from("[");
    while text.len() < len {
        let (id, score) = (random.below(1 << 20), random.below(100));
        text += &format!(r#"{{"id": {id}, "name": "user{id}", "score": {score}}}, "#);
    }
    text.into_bytes()
}

fn noise(len: usize) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..len).map(|_| random.below(256) as u8).collect()
}

/// xorshift64: the same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
