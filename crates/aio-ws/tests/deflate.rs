//! What is compressed comes back, here and from zlib, and never as more than there is room for.

#[path = "check_bytes/inflate.rs"]
mod check_inflate;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use aio_ws::{Deflater, InflateError, Inflater, WindowBits};
use bytes::BytesMut;
use flate2::{Compress, Compression, FlushCompress};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};

use self::check_inflate::check;

/// How a message is given to the inflater: bytes at a time.
const PIECES: [usize; 4] = [usize::MAX, 4096, 7, 1];

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("9 to 15")
}

fn all_bits() -> impl Iterator<Item = WindowBits> {
    (9..=15).map(bits)
}

/// Reads a row of messages, each behind its length.
fn rows(mut file: &[u8]) -> Vec<&[u8]> {
    let mut rows = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        let (row, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        rows.push(row);
        file = rest;
    }
    rows
}

fn messages() -> Vec<&'static [u8]> {
    rows(include_bytes!("data/deflate/messages"))
}

fn of_zlib(bits: WindowBits) -> Vec<&'static [u8]> {
    rows(match bits.get() {
        9 => include_bytes!("data/deflate/window-9"),
        10 => include_bytes!("data/deflate/window-10"),
        11 => include_bytes!("data/deflate/window-11"),
        12 => include_bytes!("data/deflate/window-12"),
        13 => include_bytes!("data/deflate/window-13"),
        14 => include_bytes!("data/deflate/window-14"),
        _ => include_bytes!("data/deflate/window-15"),
    })
}

fn deflate_all(deflater: &mut Deflater, messages: &[&[u8]]) -> Vec<BytesMut> {
    let deflate = |message: &&[u8]| {
        let mut wire = BytesMut::new();
        deflater.deflate(message, true, &mut wire);
        wire
    };
    messages.iter().map(deflate).collect()
}

/// Inflates a message that comes in pieces of this size.
fn inflate(
    inflater: &mut Inflater,
    wire: &[u8],
    piece: usize,
    room: usize,
) -> Result<BytesMut, InflateError> {
    let mut output = BytesMut::new();
    for piece in wire.chunks(piece) {
        let left = room - output.len();
        inflater.inflate(piece, false, &mut output, left)?;
    }
    let left = room - output.len();
    inflater.inflate(&[], true, &mut output, left)?;
    Ok(output)
}

#[track_caller]
fn check_inflates(mut inflater: Inflater, wire: &[impl AsRef<[u8]>], piece: usize) {
    let messages = messages();
    assert_eq!(wire.len(), messages.len());
    for (wire, message) in wire.iter().zip(messages) {
        let got = inflate(&mut inflater, wire.as_ref(), piece, message.len());
        assert!(got.is_ok_and(|got| got == message), "in pieces of {piece}");
    }
}

#[test]
fn what_zlib_compressed_comes_back_with_every_window() {
    for piece in PIECES {
        for bits in all_bits() {
            check_inflates(Inflater::new(true), &of_zlib(bits), piece);
        }
        let alone = rows(include_bytes!("data/deflate/window-9-alone"));
        check_inflates(Inflater::new(false), &alone, piece);
        check_inflates(Inflater::new(true), &alone, piece);
    }
}

#[test]
fn what_is_corrupt_stays_so() {
    // A block of a type that there is not; and one that refers to what was never there.
    for wire in [&b"\x07"[..], b"\x02\x07\x00"] {
        let mut inflater = Inflater::new(false);
        for wire in [wire, b"\xf2\x48\xcd\xc9\xc9\x07\x00"] {
            let got = inflate(&mut inflater, wire, 7, 5);
            assert_eq!(got, Err(InflateError::Corrupt));
        }
    }
}

#[test]
fn a_context_that_is_used_again_shows_nothing_of_those_before() {
    // They refer to what came before, which was said to somebody else.
    for wire in [&b"\xf2\x00\x11\x00\x00"[..], b"\x02\x07\x00"] {
        let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        let hello = inflate(&mut Inflater::new(false), hello, 7, 5);
        assert!(hello.is_ok_and(|hello| hello == "Hello"));
        let got = inflate(&mut Inflater::new(false), wire, 7, 5);
        assert_eq!(got, Err(InflateError::Corrupt));
    }
}

#[test]
fn what_is_compressed_here_comes_back_with_every_window() {
    let mut lengths = Vec::new();
    for bits in all_bits() {
        for takeover in [true, false] {
            let wire = deflate_all(&mut Deflater::new(bits, takeover), &messages());
            for piece in PIECES {
                check_inflates(Inflater::new(takeover), &wire, piece);
            }
            if takeover {
                lengths.push(wire.iter().map(|wire| wire.len()).sum::<usize>());
            }
        }
    }
    // The larger the window, the more of what came before is found.
    assert!(lengths.is_sorted_by(|a, b| a >= b), "{lengths:?}");
    assert!(lengths[6] * 3 < lengths[0] * 2, "{lengths:?}");
}

/// Inflates the lines of its input byte by byte, so that no more than the window is looked back,
/// and prints them. A line has the bits of a window that starts with it, if one does.
const INFLATE: &str = "
import sys, zlib
for line in sys.stdin:
    bits, wire = line.split(' ')
    if bits:
        context = zlib.decompressobj(-int(bits))
    data = bytes.fromhex(wire) + b'\\0\\0\\xff\\xff'
    print(b''.join(context.decompress(data[i:i + 1]) for i in range(len(data))).hex())
";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Has Python inflate these lines; `None`, with a line that says so, where it is not installed.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn inflated_by_python(lines: String) -> Option<String> {
    let child = Command::new("python3")
        .args(["-c", INFLATE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: python3 is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().expect("piped above");
    let writer = thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("it was started");
    writer.join().expect("it writes").expect("it is read");
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).expect("hex"))
}

#[test]
fn zlib_reads_what_is_compressed_here_with_every_window() {
    let (mut lines, mut want) = (String::new(), String::new());
    for bits in all_bits() {
        for takeover in [true, false] {
            let wire = deflate_all(&mut Deflater::new(bits, takeover), &messages());
            for (at, (wire, message)) in wire.iter().zip(messages()).enumerate() {
                let starts = at == 0 || !takeover;
                let window = if starts {
                    bits.to_string()
                } else {
                    String::new()
                };
                lines += &format!("{window} {}\n", hex(wire));
                want += &format!("{}\n", hex(message));
            }
        }
    }
    if let Some(got) = inflated_by_python(lines) {
        assert!(got == want);
    }
}

// WS-56: equality is allowed behind the codec.
#[test]
fn a_message_may_fill_its_room_but_no_more() {
    for message in messages().into_iter().filter(|message| message.len() > 1) {
        let mut wire = BytesMut::new();
        Deflater::new(bits(15), true).deflate(message, true, &mut wire);
        for piece in PIECES {
            let inflate = |room| {
                let mut inflater = Inflater::new(true);
                inflate(&mut inflater, &wire, piece, room).map(|got| got.len())
            };
            assert_eq!(inflate(message.len()), Ok(message.len()));
            assert_eq!(inflate(message.len() - 1), Err(InflateError::TooLarge));
            assert_eq!(inflate(0), Err(InflateError::TooLarge));
        }
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    const MIB: usize = 1024 * 1024;
    // A MiB of zeros that refers to nothing before it, 1024 times.
    let mut piece = Vec::with_capacity(2048);
    let mut engine = Compress::new(Compression::best(), false);
    let flushed = engine.compress_vec(&vec![0; MIB], &mut piece, FlushCompress::Full);
    assert!(flushed.is_ok() && piece.len() < 1100);
    let bomb = piece.repeat(1024);
    for (limit, piece) in [(4 * MIB, bomb.len()), (4 * MIB, 4096), (0, 1), (1, 64)] {
        let mut inflater = Inflater::new(true);
        let mut output = BytesMut::new();
        let mut pieces = bomb.chunks(piece);
        let error = pieces.find_map(|piece| {
            let left = limit - output.len();
            inflater.inflate(piece, false, &mut output, left).err()
        });
        assert_eq!(error, Some(InflateError::TooLarge));
        assert_eq!(output.len(), limit);
        assert!(
            output.capacity() <= 2 * limit + 64 * 1024,
            "{}",
            output.capacity()
        );
    }
}

// aiohttp: "Compressed message has too many deflate members".
#[test]
fn a_message_has_at_most_1024_deflate_streams() {
    // A final block of one byte, and the empty one behind the last.
    let member = b"\x4b\x04\x00";
    for piece in PIECES {
        let mut inflater = Inflater::new(true);
        for _ in 0..2 {
            let wire = [&member.repeat(1024)[..], b"\0"].concat();
            let got = inflate(&mut inflater, &wire, piece, usize::MAX);
            assert_eq!(got, Ok(BytesMut::from(&b"a".repeat(1024)[..])));
        }
        let wire = member.repeat(1025);
        let got = inflate(&mut inflater, &wire, piece, usize::MAX);
        assert_eq!(got, Err(InflateError::TooManyMembers));
    }
}

// WS-23, and what aiohttp leaves to its caller: the context that others share goes on.
#[test]
fn messages_with_a_context_of_their_own_break_no_other() {
    let mut deflater = Deflater::new(bits(12), true);
    let mut inflater = Inflater::new(true);
    for own in [9, 12, 15] {
        for message in messages() {
            let mut wire = BytesMut::new();
            deflater.deflate_alone(bits(own), message, &mut wire);
            let got = inflate(&mut inflater, &wire, usize::MAX, message.len());
            assert!(got.is_ok_and(|got| got == message));
            wire.clear();
            deflater.deflate(message, true, &mut wire);
            let got = inflate(&mut inflater, &wire, usize::MAX, message.len());
            assert!(got.is_ok_and(|got| got == message));
        }
    }
}

/// A message: in pieces that are compressed one after the other, or with its own context.
#[derive(Debug, Clone)]
enum Sent {
    Pieces(Vec<Vec<u8>>),
    Alone(Vec<u8>, u8),
}

fn sent() -> impl Strategy<Value = Sent> {
    // Few different bytes, so that there is something to find; and some that repeat for long.
    let letters = vec(0_u8..4, 0..700);
    let run = (any::<u8>(), 0_usize..70_000).prop_map(|(byte, count)| vec![byte; count]);
    let piece = prop_oneof![4 => letters, 2 => vec(any::<u8>(), 0..700), 1 => run].boxed();
    prop_oneof![
        4 => vec(piece.clone(), 0..4).prop_map(Sent::Pieces),
        1 => (piece, 9_u8..=15).prop_map(|(message, bits)| Sent::Alone(message, bits)),
    ]
}

/// Messages behind their settings, as the fuzz target takes them.
const SEEDS: [&[u8]; 5] = [
    include_bytes!("../fuzz/seeds-inflate/hello"),
    include_bytes!("../fuzz/seeds-inflate/stored"),
    include_bytes!("../fuzz/seeds-inflate/final"),
    include_bytes!("../fuzz/seeds-inflate/text"),
    include_bytes!("../fuzz/seeds-inflate/too-large-and-corrupt"),
];

/// Seeds in which bytes are changed or added.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>(), any::<bool>()), 0..6);
    (select(&SEEDS[..]), changes).prop_map(|(seed, changes)| {
        let mut bytes = seed.to_vec();
        for (at, byte, replaces) in changes {
            let at = at.index(bytes.len());
            bytes.splice(at..at + usize::from(replaces), [byte]);
        }
        bytes
    })
}

#[test]
fn seeds_hold_together() {
    SEEDS.into_iter().for_each(check);
}

proptest! {
    #[test]
    fn any_messages_come_back(
        all in vec(sent(), 0..8),
        window in 9_u8..=15,
        takeover: bool,
        ends_itself: bool,
        piece in 1_usize..5000,
    ) {
        let mut deflater = Deflater::new(bits(window), takeover);
        let mut inflater = Inflater::new(takeover);
        for sent in all {
            let mut wire = BytesMut::new();
            let message = match sent {
                Sent::Pieces(pieces) => {
                    let mut left = pieces.len();
                    for piece in &pieces {
                        left -= 1;
                        deflater.deflate(piece, ends_itself && left == 0, &mut wire);
                    }
                    if pieces.is_empty() || !ends_itself {
                        deflater.deflate(&[], true, &mut wire);
                    }
                    pieces.concat()
                }
                Sent::Alone(message, own) => {
                    deflater.deflate_alone(bits(own), &message, &mut wire);
                    message
                }
            };
            assert!(!wire.is_empty());
            let got = inflate(&mut inflater, &wire, piece, message.len());
            assert!(got.is_ok_and(|got| got == message));
        }
    }

    #[test]
    fn any_bytes_are_inflated_or_refused(
        input in prop_oneof![vec(any::<u8>(), 0..300), damaged()],
    ) {
        check(&input);
    }
}
