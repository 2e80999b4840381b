//! Bytes of any peer are messages or break the protocol: nothing else happens.

#[path = "check_bytes/protocol.rs"]
mod check_protocol;

use aio_ws::{Deflater, FrameHeader, Mask, OpCode, Rsv, WindowBits};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::Index;

use self::check_protocol::check;

/// A frame of which anything may be wrong.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![
        3 => Just(OpCode::Text),
        3 => Just(OpCode::Binary),
        4 => Just(OpCode::Continuation),
        2 => Just(OpCode::Ping),
        1 => Just(OpCode::Pong),
        1 => Just(OpCode::Close),
    ];
    let bits = prop_oneof![9 => Just(Rsv::NONE), 3 => Just(Rsv::RSV1), 1 => Just(Rsv::RSV2)];
    let payload = prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        2 => "\\PC{0,40}".prop_map(String::into_bytes),
        1 => vec(Just(b'x'), 0..6000),
        1 => (1000..5000_u16).prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    let key = proptest::option::of(any::<[u8; 4]>());
    (opcode, any::<bool>(), bits, payload, key).prop_map(|(opcode, fin, rsv, payload, mask)| {
        let payload = match rsv {
            Rsv::RSV1 if payload.len() % 4 > 0 => compress(&payload),
            _ => payload,
        };
        let header = FrameHeader {
            fin: fin || opcode.is_control(),
            rsv,
            mask,
            ..FrameHeader::new(opcode, payload.len() as u64)
        };
        let mut wire = BytesMut::new();
        header.encode(&mut wire);
        let start = wire.len();
        wire.extend_from_slice(&payload);
        if let Some(key) = mask {
            Mask::new(key).apply(&mut wire[start..]);
        }
        wire.to_vec()
    })
}

fn compress(payload: &[u8]) -> Vec<u8> {
    let mut output = BytesMut::new();
    Deflater::new(WindowBits::MAX, true).deflate(payload, true, &mut output);
    output.to_vec()
}

/// Settings, then frames some bytes of which are changed, added, taken out, or come again.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<u8>(), 0..4);
    let changes = prop_oneof![Just(vec![]), vec(change, 0..4)];
    let head = (any::<u8>(), any::<u8>()).prop_map(|(settings, piece)| vec![settings, piece]);
    (head, vec(frame(), 0..12), changes).prop_map(|(head, frames, changes)| {
        let mut bytes = [head, frames.concat()].concat();
        for (index, byte, change) in changes {
            let at = index.index(bytes.len().max(1));
            match change {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at.min(bytes.len()), byte),
                2 => bytes.truncate(at),
                _ if at < bytes.len() => bytes.extend_from_within(at..),
                _ => {}
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn frames_hold_together(input in input()) {
        check(&input);
    }

    #[test]
    fn octets_hold_together(input in vec(any::<u8>(), 0..200)) {
        check(&input);
    }
}

/// As long a run as a test may take: short inputs of the bytes that headers are made of.
#[test]
fn headers_at_random_hold_together() {
    const BYTES: [u8; 24] = [
        0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0xc2, 0x41, 0x7d, 0x7e, 0x7f,
        0xfe, 0xff, 0x03, 0x04, 0x05, 0xe8, b'a', 0xc3, 0xbf,
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    for _ in 0..10_000 {
        let mut input = vec![next(256) as u8, 1 + next(6) as u8];
        for _ in 0..next(40) {
            input.push(BYTES[next(BYTES.len())]);
        }
        check(&input);
    }
}

#[test]
fn seeds_hold_together() {
    check(include_bytes!("../fuzz/seeds-protocol/mixed"));
    check(include_bytes!("../fuzz/seeds-protocol/compressed"));
    check(include_bytes!("../fuzz/seeds-protocol/masked"));
    check(include_bytes!("../fuzz/seeds-protocol/limit"));
}
