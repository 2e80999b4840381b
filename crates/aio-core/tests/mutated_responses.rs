//! A million damaged responses: no panic, no endless loop, no unbounded memory.

mod check_response;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use aio_core::http1::{Exchanged, Limits};
use http::Method;

use self::check_response::{End, NARROW, check};

const RUNS: usize = 1_000_000;

/// Fixed, so that a failure comes again.
const SEED: u64 = 0x0a10_c11e_4700_0001;

/// Longest input; longer ones would only cost time.
const MAX_INPUT: usize = 4096;

#[test]
fn a_million_mutated_responses_do_no_harm() {
    let seeds = seeds();
    let mut random = SplitMix(SEED);
    let (mut whole, mut refused) = (0, 0);
    for run in 0..RUNS {
        let input = mutated(&seeds, &mut random);
        let limits = if random.one_in(3) {
            NARROW
        } else {
            Limits::default()
        };
        let mut exchanged = Exchanged::of(&Method::GET);
        exchanged.head = random.one_in(16);
        exchanged.connect = random.one_in(16);
        exchanged.read_until_eof = !random.one_in(16);
        let longest = if random.one_in(8) { 8 } else { 200 };
        let most = 1 + random.below(longest);
        let checked = catch_unwind(AssertUnwindSafe(|| {
            check(&input, limits, exchanged, || 1 + random.below(most))
        }));
        match checked
            .unwrap_or_else(|panic| fail(run, &input, limits, exchanged, panic))
            .end
        {
            End::Whole => whole += 1,
            End::Refused(_) => refused += 1,
            End::InHead => {}
        }
    }
    // Else the mutations are too wild or too tame to test anything.
    assert!(
        whole > RUNS / 10 && refused > RUNS / 10,
        "{whole} whole, {refused} refused"
    );
}

#[test]
fn a_head_just_within_its_limits_is_held_and_read() {
    for limits in [NARROW, Limits::default()] {
        for fold in [0, 1, 3, 8] {
            let mut input = b"HTTP/1.1 200 OK\r\n".to_vec();
            for _ in 0..limits.max_headers * 2 {
                let long = "x".repeat(limits.max_field_size - 8);
                input.extend_from_slice(format!("A: {long}\r\n").as_bytes());
                input.extend_from_slice(&b" \r\n".repeat(fold * limits.max_field_size));
            }
            for most in [1, 7, 4096] {
                let exchanged = Exchanged::of(&Method::GET);
                check(&input, limits, exchanged, || most);
            }
        }
    }
}

fn fail(
    run: usize,
    input: &[u8],
    limits: Limits,
    exchanged: Exchanged,
    panic: Box<dyn std::any::Any + Send>,
) -> ! {
    let shown = input.escape_ascii();
    // The lint is for libraries; who runs the test must see what it fails on.
    let message = format!("seed {SEED:#x}, run {run}, {limits:?}, {exchanged:?}:\nb\"{shown}\"");
    std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).ok();
    resume_unwind(panic)
}

/// The seeds of the fuzz target, in the order of their names.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the seeds lie beside the fuzz target")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 40, "the corpus is there");
    let read = |path| std::fs::read(path).expect("a readable seed");
    paths.into_iter().map(read).collect()
}

/// What is put into a response where it hurts.
const TOKENS: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\0",
    b" ",
    b"\t",
    b"\r\n ",
    b":",
    b";",
    b",",
    b"0\r\n\r\n",
    b"0",
    b"f",
    b"ffffffffffffffff\r\n",
    b"-1",
    b"\xff",
    b"HTTP/1.1 ",
    b"100 ",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"chunked",
    b"Connection: close\r\n",
    b"18446744073709551616",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"A: b\r\n",
];

/// A seed with one to six changes; a few have none.
fn mutated(seeds: &[Vec<u8>], random: &mut SplitMix) -> Vec<u8> {
    let mut input = random.pick(seeds).clone();
    for _ in 0..random.below(7) {
        mutate(&mut input, seeds, random);
    }
    input.truncate(MAX_INPUT);
    input
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut SplitMix) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(24)).min(input.len());
    match random.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        2 => input.insert(at, random.next() as u8),
        3 | 4 => drop(input.splice(at..at, random.pick(TOKENS).iter().copied())),
        5 => drop(input.drain(at..end)),
        6 => input.extend_from_within(at..end),
        7 => splice(input, at, seeds, random),
        _ => extend_field(input, random),
    }
    if random.one_in(24) {
        input.truncate(at);
    }
}

/// Goes on from `at` with the end of another response.
fn splice(input: &mut Vec<u8>, at: usize, seeds: &[Vec<u8>], random: &mut SplitMix) {
    let other = random.pick(seeds);
    let from = random.below(other.len() + 1);
    input.truncate(at);
    input.extend_from_slice(other.get(from..).unwrap_or_default());
}

/// Makes one of the lines long, up to just beyond the narrow limits or far.
fn extend_field(input: &mut Vec<u8>, random: &mut SplitMix) {
    let lines = input.iter().filter(|&&byte| byte == b'\n').count();
    let line = random.below(lines + 1);
    let ends = input.iter().enumerate().filter(|(_, byte)| **byte == b'\r');
    let at = ends.map(|(at, _)| at).nth(line).unwrap_or(input.len());
    let longest = if random.one_in(8) { 400 } else { 64 };
    let count = random.below(longest);
    let byte = *random.pick(b"x \t:0;");
    input.splice(at..at, std::iter::repeat_n(byte, count));
}

/// Sebastiano Vigna's SplitMix64: small, and good enough to choose by.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end` - 1; the bias of the remainder does not matter here.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len());
        items.get(at).expect("below the length")
    }
}
