//! The codings gzip and deflate, decoded by flate2.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use flate2::{Decompress, DecompressError, FlushDecompress, Status};

use super::{Coding, Progress};
use crate::PayloadError;

/// aiohttp: the largest number of members it decodes in one call. A member costs an
/// allocation but need not give output, so the budget does not bound them.
const MAX_MEMBERS: usize = 1024;

/// Bytes of output per step: the output grows by this and is cut back to what came.
/// Measured with 64 KiB of JSON: 63 µs at 8 KiB, 54 at 16, 50 at 32, 48 at 64, and 48 for
/// flate2 in one call.
const STEP: usize = 32 * 1024;

/// The window of both codings: 2^15 bytes, the largest deflate has.
const WINDOW_BITS: u8 = 15;

/// The first byte of each gzip member (RFC 1952 2.3.1).
const GZIP_MAGIC: u8 = 0x1f;

/// Decodes gzip or deflate.
#[derive(Debug)]
pub(super) struct Inflater {
    coding: Coding,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No byte has come.
    Empty,
    /// Inside a gzip member or the deflate stream.
    Open(Box<Decompress>),
    /// Behind a complete gzip member or the deflate stream.
    Complete,
    /// What came is corrupt.
    Failed(PayloadError),
}

/// What can be wrong with a body.
#[derive(Debug, thiserror::Error)]
enum Corrupt {
    #[error(transparent)]
    Inflate(#[from] DecompressError),
    #[error("data behind the end")]
    TrailingData,
    #[error("more than {MAX_MEMBERS} gzip members in a row")]
    TooManyMembers,
    #[error("the decoder makes no progress")]
    Stalled,
}

impl Inflater {
    pub(super) const fn new(coding: Coding) -> Self {
        Self {
            coding,
            state: State::Empty,
        }
    }

    pub(super) fn decode(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        budget: usize,
    ) -> Result<Progress, PayloadError> {
        let result = self.decode_members(input, output, budget);
        if let Err(error) = &result {
            self.state = State::Failed(error.clone());
        }
        result
    }

    pub(super) fn finish(&self) -> Result<(), PayloadError> {
        match &self.state {
            State::Empty | State::Complete => Ok(()),
            State::Open(_) => Err(PayloadError::Truncated {
                coding: self.coding.name(),
            }),
            State::Failed(error) => Err(error.clone()),
        }
    }

    fn decode_members(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        mut budget: usize,
    ) -> Result<Progress, PayloadError> {
        let mut members = 0;
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(error.clone()),
                _ if budget == 0 => return Ok(Progress::NeedsBudget),
                State::Empty => match input.first() {
                    Some(&first) => self.open(first),
                    None => return Ok(Progress::NeedsInput),
                },
                State::Complete => match (self.coding, input.first()) {
                    (_, None) => return Ok(Progress::NeedsInput),
                    (Coding::Gzip, Some(&GZIP_MAGIC)) if members < MAX_MEMBERS => {
                        self.open(GZIP_MAGIC);
                    }
                    (Coding::Gzip, Some(&GZIP_MAGIC)) => {
                        return Err(self.corrupt(Corrupt::TooManyMembers));
                    }
                    (_, Some(_)) => return Err(self.corrupt(Corrupt::TrailingData)),
                },
                State::Open(engine) => {
                    let before = output.len();
                    let stop = inflate(engine, input, output, budget);
                    budget -= output.len() - before;
                    match stop {
                        Ok(Stop::End) => {
                            members += 1;
                            self.state = State::Complete;
                        }
                        Ok(Stop::Wants(more)) => return Ok(more),
                        Err(what) => return Err(self.corrupt(what)),
                    }
                }
            }
        }
    }

    /// Starts a member whose first byte is `first`.
    fn open(&mut self, first: u8) {
        // A zlib container starts with its method, which is always 8 (RFC 1950 2.2).
        let has_zlib_header = first & 0x0f == 8;
        self.state = State::Open(Box::new(match self.coding {
            Coding::Gzip => Decompress::new_gzip(WINDOW_BITS),
            Coding::Deflate => Decompress::new_with_window_bits(has_zlib_header, WINDOW_BITS),
        }));
    }

    fn corrupt(&self, what: Corrupt) -> PayloadError {
        PayloadError::Decode {
            coding: self.coding.name(),
            source: Arc::new(what),
        }
    }
}

/// Why [`inflate`] returned.
enum Stop {
    End,
    Wants(Progress),
}

/// Decodes inside one member until it ends, the input ends or the budget does.
fn inflate(
    engine: &mut Decompress,
    input: &mut Bytes,
    output: &mut BytesMut,
    mut budget: usize,
) -> Result<Stop, Corrupt> {
    while budget > 0 {
        let start = output.len();
        // Room that is there need not be made, and each step copies the window.
        let spare = output.capacity() - start;
        let step = budget.min(step_for(input.len()).max(spare));
        output.resize(start + step, 0);
        let (consumed, produced) = (engine.total_in(), engine.total_out());
        let room = output.get_mut(start..).unwrap_or_default();
        let status = engine.decompress(input, room, FlushDecompress::None);
        let consumed = (engine.total_in() - consumed) as usize;
        let produced = (engine.total_out() - produced) as usize;
        output.truncate(start + produced);
        input.advance(consumed);
        budget -= produced;

        if status? == Status::StreamEnd {
            return Ok(Stop::End);
        }
        if produced < step && input.is_empty() {
            return Ok(Stop::Wants(Progress::NeedsInput));
        }
        if produced == 0 && consumed == 0 {
            return Err(Corrupt::Stalled);
        }
    }
    Ok(Stop::Wants(Progress::NeedsBudget))
}

/// How much room to make for what `input` bytes give: text is seldom packed better than
/// 1:16, and zeroing far more than a small piece can fill costs more than decoding it.
fn step_for(input: usize) -> usize {
    input.saturating_mul(16).clamp(512, STEP)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const PLENTY: usize = 1 << 24;

    #[test]
    fn all_three_containers_are_decoded() {
        for text in [&b""[..], b"x", b"hello, hello, hello", &json(100_000)] {
            check(Coding::Gzip, &gzip(text), text);
            check(Coding::Deflate, &zlib(text), text);
            check(Coding::Deflate, &raw(text), text);
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
        check(
            Coding::Gzip,
            &[gzip(b"a"), gzip(b""), gzip(b"bc")].concat(),
            b"abc",
        );
        check(Coding::Gzip, &gzip(b"").repeat(MAX_MEMBERS), b"");
    }

    #[test]
    fn an_empty_body_is_complete() {
        check(Coding::Gzip, b"", b"");
        check(Coding::Deflate, b"", b"");
    }

    #[test]
    fn too_many_members_in_one_piece_are_refused() {
        check_corrupt(Coding::Gzip, &gzip(b"").repeat(MAX_MEMBERS + 1));
    }

    #[test]
    fn data_behind_the_end_is_refused() {
        for garbage in [&b"\0"[..], b"\0\0\0\0", b"x", b"\x1f\x8c", b"garbage"] {
            check_corrupt(Coding::Gzip, &[&gzip(b"text"), garbage].concat());
            check_corrupt(Coding::Deflate, &[&zlib(b"text"), garbage].concat());
            check_corrupt(Coding::Deflate, &[&raw(b"text"), garbage].concat());
        }
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
        let mut bad = zlib(b"text");
        *bad.last_mut().expect("not empty") ^= 1;
        check_corrupt(Coding::Deflate, &bad);
    }

    #[test]
    fn every_cut_is_truncated() {
        for (coding, packed) in samples(b"hello, hello, hello") {
            for cut in 1..packed.len() {
                let mut decoder = Inflater::new(coding);
                let mut output = BytesMut::new();
                let mut piece = Bytes::copy_from_slice(&packed[..cut]);
                let progress = decoder.decode(&mut piece, &mut output, PLENTY);
                assert_eq!(
                    progress.expect("a good start"),
                    Progress::NeedsInput,
                    "{cut}"
                );
                let error = decoder.finish().expect_err("cut");
                assert!(
                    matches!(error, PayloadError::Truncated { .. }),
                    "{cut}: {error}"
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
    fn random_splits_and_budgets_give_the_same() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let text = json(200_000);
        for (coding, packed) in samples(&text) {
            for _ in 0..20 {
                let mut pieces = Vec::new();
                let mut rest = &packed[..];
                while !rest.is_empty() {
                    let (piece, tail) = rest.split_at(random.below(5000).min(rest.len()));
                    pieces.push(piece);
                    rest = tail;
                }
                let budget = 1 + random.below(100_000);
                assert!(
                    decode(coding, &pieces, budget).expect("good") == text,
                    "{budget}"
                );
            }
        }
    }

    #[test]
    fn a_bomb_costs_its_budget() {
        let bomb = gzip(&vec![0; 20 << 20]);
        let mut decoder = Inflater::new(Coding::Gzip);
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

    #[test]
    fn without_budget_nothing_happens() {
        let mut decoder = Inflater::new(Coding::Gzip);
        let mut input = Bytes::from(gzip(b"x"));
        let progress = decoder
            .decode(&mut input, &mut BytesMut::new(), 0)
            .expect("nothing done");
        assert_eq!(progress, Progress::NeedsBudget);
        assert_eq!(input, gzip(b"x"));
    }

    #[test]
    fn output_is_appended() {
        let mut output = BytesMut::from("before ");
        let mut decoder = Inflater::new(Coding::Gzip);
        decoder
            .decode(&mut gzip(b"after").into(), &mut output, PLENTY)
            .expect("good");
        assert_eq!(output, "before after");
    }

    #[test]
    fn an_error_stays_and_keeps_the_output_before_it() {
        let mut decoder = Inflater::new(Coding::Gzip);
        let mut output = BytesMut::new();
        let mut input = Bytes::from([&gzip(b"text")[..], b"?"].concat());
        decoder
            .decode(&mut input, &mut output, PLENTY)
            .expect_err("garbage");
        assert_eq!(output, "text");
        decoder
            .decode(&mut Bytes::new(), &mut output, PLENTY)
            .expect_err("failed before");
        decoder.finish().expect_err("failed before");
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
                    // Either an error or some bytes: raw deflate has no checksum.
                    _ = decode(coding, &[a, b], 777);
                }
            }
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = Random(1);
        for _ in 0..2000 {
            let bytes: Vec<u8> = (0..random.below(200))
                .map(|_| random.below(256) as u8)
                .collect();
            _ = decode(Coding::Deflate, &[&bytes], 100_000);
            _ = decode(Coding::Gzip, &[&gzip(b"")[..10], &bytes], 100_000);
        }
    }

    #[track_caller]
    fn check(coding: Coding, packed: &[u8], want: &[u8]) {
        let text = decode(coding, &[packed], PLENTY).expect("good");
        assert!(text == want, "{coding:?} {}", packed.escape_ascii());
    }

    #[track_caller]
    fn check_corrupt(coding: Coding, packed: &[u8]) {
        let error = decode(coding, &[packed], PLENTY).expect_err("corrupt");
        assert!(
            matches!(error, PayloadError::Decode { .. }),
            "{}",
            packed.escape_ascii()
        );
    }

    /// Decodes a body that comes in `pieces`, `budget` bytes at a time.
    fn decode(coding: Coding, pieces: &[&[u8]], budget: usize) -> Result<Vec<u8>, PayloadError> {
        let mut decoder = Inflater::new(coding);
        let mut output = BytesMut::new();
        for piece in pieces {
            let mut input = Bytes::copy_from_slice(piece);
            loop {
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

    /// `text` in each container.
    fn samples(text: &[u8]) -> [(Coding, Vec<u8>); 3] {
        [
            (Coding::Gzip, gzip(text)),
            (Coding::Deflate, zlib(text)),
            (Coding::Deflate, raw(text)),
        ]
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
}
