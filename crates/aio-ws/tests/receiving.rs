//! Bytes of a peer, and the messages they are.

mod wire;

use aio_ws::{
    CloseCode, CloseFrame, DeflateParams, Deflater, OpCode, Protocol, ProtocolError, Role,
    WindowBits, WsConfig, WsMessage, WsMsgType,
};
use bytes::{Bytes, BytesMut};

use self::wire::{
    Event, Frame, SEED, binary, close, event, events, more, ping, pong, sent, text, wire,
};

fn client(config: WsConfig) -> Protocol {
    Protocol::new(Role::Client, config, SEED)
}

fn with_deflate() -> WsConfig {
    WsConfig {
        deflate: Some(DeflateParams::default()),
        ..WsConfig::default()
    }
}

fn compress(payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut output = BytesMut::new();
    Deflater::new(WindowBits::MAX, true).deflate(payload.as_ref(), true, &mut output);
    output.to_vec()
}

/// Checks what comes of the bytes, given at once, one by one, and in any two pieces.
#[track_caller]
fn check_with(config: WsConfig, bytes: &[u8], want: &[Event]) {
    let all = events(&mut client(config), [bytes]);
    assert_eq!(all, want, "at once");
    let all = events(&mut client(config), bytes.chunks(1));
    assert_eq!(all, want, "bytewise");
    for cut in 0..bytes.len().min(300) {
        let (a, b) = bytes.split_at(cut);
        let all = events(&mut client(config), [a, b]);
        assert_eq!(all, want, "cut at {cut}");
    }
}

#[track_caller]
fn check(bytes: &[u8], want: &[Event]) {
    check_with(WsConfig::default(), bytes, want);
}

/// Checks that the last byte makes the error and not one before, and that nothing behind it is
/// looked at: the socket closes with the code, once (EDGE-285).
#[track_caller]
fn check_fails_with(config: WsConfig, bytes: &[u8], error: ProtocolError, code: u16, said: &str) {
    let mut protocol = client(config);
    let before = events(&mut protocol, bytes[..bytes.len() - 1].chunks(1));
    assert!(before.iter().all(Result::is_ok), "too early: {before:?}");
    assert!(!protocol.is_closed());

    protocol.receive(&bytes[bytes.len() - 1..]);
    protocol.receive(&text("more").wire());
    assert_eq!(event(&mut protocol), Some(Err(error)));
    assert_eq!(error.to_string(), said);
    assert_eq!(event(&mut protocol), None);
    protocol.receive(&text("and more").wire());
    assert_eq!(event(&mut protocol), None);

    assert!(protocol.is_closed() && protocol.is_done());
    assert_eq!(protocol.close_code(), Some(code));
    assert!(protocol.exception().is_none());
    assert_eq!(sent(&mut protocol), [close(code, "")]);
    assert!(!protocol.close(None));
}

#[track_caller]
fn check_fails(bytes: &[u8], error: ProtocolError, code: u16, said: &str) {
    check_fails_with(WsConfig::default(), bytes, error, code, said);
}

#[test]
fn messages_come_as_they_are() {
    check(&text("hello").wire(), &[Ok("hello".into())]);
    check(&text("").wire(), &[Ok("".into())]);
    check(&text("grüß €😀").wire(), &[Ok("grüß €😀".into())]);
    check(&binary([0, 255]).wire(), &[Ok(vec![0, 255].into())]);
    check(&binary([]).wire(), &[Ok(vec![].into())]);
    let both = wire(&[text("a"), binary("b"), text("c")]);
    check(
        &both,
        &[Ok("a".into()), Ok(vec![b'b'].into()), Ok("c".into())],
    );
}

#[test]
fn lengths_of_every_form_are_read() {
    for len in [
        124, 125, 126, 127, 128, 255, 256, 4095, 4096, 4097, 65535, 65536, 65537, 200_000,
    ] {
        let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let frame = binary(&payload);
        let want = [Ok(payload.clone().into())];
        for bytes in [frame.wire(), frame.masked()] {
            assert_eq!(events(&mut client(WsConfig::default()), [&bytes[..]]), want);
            for step in [1000, 4096, 70_000] {
                let all = events(&mut client(WsConfig::default()), bytes.chunks(step));
                assert_eq!(all, want, "{len} {step}");
            }
        }
        let text_of_it = "é".repeat(len / 2);
        let bytes = text(&text_of_it).masked();
        let all = events(&mut client(WsConfig::default()), bytes.chunks(999));
        assert_eq!(all, [Ok(text_of_it.as_str().into())]);
    }
}

#[test]
fn masked_frames_are_taken_of_a_server() {
    // WS-59
    check(&text("hello").masked(), &[Ok("hello".into())]);
    check(
        &binary(b"hello, world").masked(),
        &[Ok((&b"hello, world"[..]).into())],
    );
    let fragments = [text("he").unfinished().masked(), more("llo").masked()].concat();
    check(&fragments, &[Ok("hello".into())]);
}

#[test]
fn strict_masking_refuses_what_is_masked_otherwise() {
    let strict = WsConfig {
        strict_masking: true,
        ..WsConfig::default()
    };
    let said = "Received frame with wrong masking";
    let masked = ping("").masked();
    check_fails_with(strict, &masked, ProtocolError::Masking, 1002, said);
    check_with(strict, &text("x").wire(), &[Ok("x".into())]);

    let mut server = Protocol::new(Role::Server, strict, SEED);
    assert_eq!(
        events(&mut server, [&text("x").masked()[..]]),
        [Ok("x".into())]
    );
    let refused = events(&mut server, [&text("x").wire()[..]]);
    assert_eq!(refused, [Err(ProtocolError::Masking)]);
}

#[test]
fn fragments_are_one_message() {
    let fragments = [text("a").unfinished(), more("b").unfinished(), more("c")];
    check(&wire(&fragments), &[Ok("abc".into())]);
    let empty = [text("").unfinished(), more("").unfinished(), more("")];
    check(&wire(&empty), &[Ok("".into())]);
    let bytes = [binary([1]).unfinished(), more([]).unfinished(), more([2])];
    check(&wire(&bytes), &[Ok(vec![1, 2].into())]);
}

#[test]
fn fragments_may_cut_characters() {
    let (a, b) = "x€😀".as_bytes().split_at(2);
    let fragments = [Frame::new(OpCode::Text, a).unfinished(), more(b)];
    check(&wire(&fragments), &[Ok("x€😀".into())]);
}

#[test]
fn control_frames_come_between_fragments() {
    // WS-62
    let config = WsConfig {
        autoping: false,
        ..WsConfig::default()
    };
    let mixed = [
        text("a").unfinished(),
        ping("1"),
        more("b").unfinished(),
        pong("2"),
        more("c"),
    ];
    let want = [
        Ok(WsMessage::Ping(Bytes::from_static(b"1"))),
        Ok(WsMessage::Pong(Bytes::from_static(b"2"))),
        Ok("abc".into()),
    ];
    check_with(config, &wire(&mixed), &want);
}

#[test]
fn pings_are_answered_and_pongs_swallowed() {
    // WS-44
    let mut protocol = client(WsConfig::default());
    let bytes = wire(&[
        ping("1"),
        pong("x"),
        text("t").unfinished(),
        ping("2"),
        more(""),
    ]);
    assert_eq!(events(&mut protocol, [&bytes[..]]), [Ok("t".into())]);
    assert_eq!(sent(&mut protocol), [pong("1"), pong("2")]);
}

#[test]
fn text_is_not_checked_if_it_is_wanted_as_bytes() {
    // EDGE-281
    let config = WsConfig {
        decode_text: false,
        ..with_deflate()
    };
    let raw = |bytes: &'static [u8]| Ok(WsMessage::TextBytes(Bytes::from_static(bytes)));
    let bad = Frame::new(OpCode::Text, b"\xff\xfe");
    check_with(config, &bad.wire(), &[raw(b"\xff\xfe")]);
    let fragments = wire(&[bad.unfinished(), more("x")]);
    check_with(config, &fragments, &[raw(b"\xff\xfex")]);
    let compressed = Frame::new(OpCode::Text, compress(b"\xff")).compressed();
    check_with(config, &compressed.wire(), &[raw(b"\xff")]);
    let raw = WsMessage::TextBytes(Bytes::new());
    assert_eq!(raw.msg_type(), WsMsgType::Text);
}

#[test]
fn reserved_bits_are_refused() {
    // EDGE-279
    let (error, said) = (
        ProtocolError::ReservedBits,
        "Received frame with non-zero reserved bits",
    );
    for bytes in [b"\xc1\0", b"\xa1\0", b"\x91\0", b"\xc2\0", b"\xc8\0"] {
        check_fails(bytes, error, 1002, said);
    }
    // With compression the first of them is for the first frame of a message only.
    for bytes in [b"\xa1\0", b"\x91\0", b"\xa9\0", b"\xc0\0"] {
        check_fails_with(with_deflate(), bytes, error, 1002, said);
    }
    let fragments = wire(&[text("a").unfinished(), more("b").compressed()]);
    check_fails_with(with_deflate(), &fragments[..5], error, 1002, said);
}

#[test]
fn bit_of_compression_means_nothing_on_a_control_frame() {
    // WS-50: some peers set it there.
    let config = WsConfig {
        autoping: false,
        ..with_deflate()
    };
    let ping = ping("p").compressed().wire();
    let want = [Ok(WsMessage::Ping(Bytes::from_static(b"p")))];
    check_with(config, &ping, &want);
}

#[test]
fn unknown_opcodes_are_refused() {
    check_fails(
        b"\x83\0",
        ProtocolError::UnknownOpCode(3),
        1002,
        "Unexpected opcode=3",
    );
    check_fails(
        b"\x8f\0",
        ProtocolError::UnknownOpCode(15),
        1002,
        "Unexpected opcode=15",
    );
}

#[test]
fn control_frames_are_whole_and_short() {
    let said = "Received fragmented control frame";
    check_fails(b"\x09\0", ProtocolError::FragmentedControl, 1002, said);
    let said = "Control frame payload cannot be larger than 125 bytes";
    check_fails(b"\x88\x7e", ProtocolError::ControlTooLong, 1002, said);
    check(&ping([b'x'; 125]).wire(), &[]);
}

#[test]
fn frames_come_in_order() {
    let said = "Continuation frame for non started message";
    let error = ProtocolError::NothingToContinue;
    check_fails(b"\x80\0", error, 1002, said);
    check_fails(b"\x00\0", error, 1002, said);
    let whole = wire(&[text("a"), more("")]);
    check_fails(&whole, error, 1002, said);

    let said = "The opcode in non-fin frame is expected to be zero, got 1";
    let error = ProtocolError::UnfinishedMessage(1);
    check_fails(b"\x01\x01a\x81\0", error, 1002, said);
    check_fails(b"\x02\x01a\x01\0", error, 1002, said);
    // WS-55: aiohttp takes this one.
    check_fails(b"\x01\0\x81\0", error, 1002, said);
    let said = "The opcode in non-fin frame is expected to be zero, got 2";
    check_fails(
        b"\x01\x01a\x82\0",
        ProtocolError::UnfinishedMessage(2),
        1002,
        said,
    );
}

#[test]
fn messages_of_the_limit_are_refused_by_their_header() {
    // WS-56, EDGE-284
    let limit_10 = WsConfig {
        max_msg_size: 10,
        ..WsConfig::default()
    };
    check_with(
        limit_10,
        &text("123456789").wire(),
        &[Ok("123456789".into())],
    );
    let error = |size, limit| ProtocolError::MessageTooBig { size, limit };
    let said = "Message size 10 exceeds limit 10";
    check_fails_with(limit_10, b"\x81\x0a", error(10, 10), 1009, said);
    let fragments = wire(&[text("12345").unfinished(), more("67890A")]);
    let said = "Message size 11 exceeds limit 10";
    check_fails_with(limit_10, &fragments[..9], error(11, 10), 1009, said);
    // A control frame between counts for nothing.
    let mixed = wire(&[text("12345").unfinished(), ping("1234567890"), more("6789")]);
    check_with(limit_10, &mixed, &[Ok("123456789".into())]);

    let gigabyte = b"\x82\x7f\0\0\0\0\x40\0\0\0";
    let said = "Message size 1073741824 exceeds limit 4194304";
    check_fails(gigabyte, error(1 << 30, 4 << 20), 1009, said);
}

#[test]
fn unlimited_messages_take_memory_only_as_they_come() {
    let unlimited = WsConfig {
        max_msg_size: 0,
        ..WsConfig::default()
    };
    for opcode in [b'\x81', b'\x82', b'\x01', b'\x02'] {
        let mut protocol = client(unlimited);
        protocol.receive(&[opcode, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
        protocol.receive(&[b'x'; 100]);
        assert_eq!(event(&mut protocol), None);
        assert!(protocol.read_buffer().capacity() <= 2 << 20);
    }
    // WS-60
    let error = ProtocolError::MessageTooBig {
        size: 1 << 63,
        limit: i64::MAX as u64,
    };
    let said = "Message size 9223372036854775808 exceeds limit 9223372036854775807";
    check_fails_with(unlimited, b"\x82\x7f\x80\0\0\0\0\0\0\0", error, 1009, said);
    let error = ProtocolError::MessageTooBig {
        size: 1 << 63,
        limit: 4 << 20,
    };
    let said = "Message size 9223372036854775808 exceeds limit 4194304";
    check_fails(b"\x82\x7f\x80\0\0\0\0\0\0\0", error, 1009, said);
    // Fragments whose lengths do not even add up.
    let wide = [0x7f, 255, 255, 255, 255, 255, 255, 255];
    let mut protocol = client(unlimited);
    protocol.receive(b"\x02\x01a");
    protocol.receive(&[&[0x00, 127], &wide[..]].concat());
    assert_eq!(event(&mut protocol), None);
}

#[test]
fn bad_text_fails_with_its_first_bad_byte() {
    // WS-57
    let (error, said) = (ProtocolError::InvalidText, "Invalid UTF-8 text message");
    check_fails(b"\x81\x03ab\xff", error, 1007, said);
    // Autobahn 6.4: inside a frame, before its end is there.
    check_fails(b"\x81\x16\xce\xba\xe1\xbd\xb9\xf4\x90", error, 1007, said);
    check_fails(b"\x01\x02\xce\xba\x00\x10\xed\xa0", error, 1007, said);
    // A character that does not end.
    check_fails(b"\x81\x02a\xc3", error, 1007, said);
    check_fails(b"\x01\x02a\xc3\x80\0", error, 1007, said);
    check_fails(b"\x81\x81\x01\0\0\0\xfe", error, 1007, said);
}

#[test]
fn bad_inflated_text_fails() {
    let error = [Err(ProtocolError::InvalidText)];
    let bad = Frame::new(OpCode::Text, compress(b"ab\xff")).compressed();
    check_with(with_deflate(), &bad.wire(), &error);
    let cut = Frame::new(OpCode::Text, compress(b"\xc3")).compressed();
    check_with(with_deflate(), &cut.wire(), &error);
    // Before its end is there.
    let mut protocol = client(with_deflate());
    let start = compress([&b"\xff"[..], &[b'x'; 1000]].concat());
    let fragment = Frame::new(OpCode::Text, start).compressed().unfinished();
    assert_eq!(events(&mut protocol, [&fragment.wire()[..]]), error);
}

#[test]
fn close_frames_tell_code_and_reason() {
    let frame = |code, reason: &str| CloseFrame {
        code: CloseCode::from_wire(code).expect("allowed"),
        reason: reason.into(),
    };
    check(
        &close(1000, "").wire(),
        &[Ok(WsMessage::Close(Some(frame(1000, ""))))],
    );
    let longest = "x".repeat(123);
    let want = WsMessage::Close(Some(frame(4999, &longest)));
    check(&close(4999, &longest).wire(), &[Ok(want)]);
    check(
        &Frame::new(OpCode::Close, "").wire(),
        &[Ok(WsMessage::Close(None))],
    );
    let behind = wire(&[close(3000, "bye €"), text("ignored"), ping("")]);
    check(&behind, &[Ok(WsMessage::Close(Some(frame(3000, "bye €"))))]);
}

#[test]
fn bad_close_frames_are_refused() {
    // WS-58
    let said = "Invalid close frame: True 8 b'\\x03'";
    check_fails(
        b"\x88\x01\x03",
        ProtocolError::InvalidCloseFrame(3),
        1002,
        said,
    );
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535,
    ] {
        let error = ProtocolError::InvalidCloseCode(code);
        let said = format!("Invalid close code: {code}");
        check_fails(&close(code, "").wire(), error, 1002, &said);
    }
    let said = "Invalid UTF-8 text message";
    check_fails(
        b"\x88\x03\x03\xe8\xff",
        ProtocolError::InvalidText,
        1007,
        said,
    );
}

#[test]
fn compressed_messages_are_inflated() {
    let hello = Frame::new(OpCode::Text, compress("hello")).compressed();
    check_with(with_deflate(), &hello.wire(), &[Ok("hello".into())]);
    check_with(with_deflate(), &hello.masked(), &[Ok("hello".into())]);
    // RFC 7692 7.2.3.2: the second one refers to the first.
    let twice = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    check_with(
        with_deflate(),
        twice,
        &[Ok("Hello".into()), Ok("Hello".into())],
    );
    // One that is not compressed between.
    let mixed = [&twice[..9], &text("plain").wire(), &twice[9..]].concat();
    let want = [Ok("Hello".into()), Ok("plain".into()), Ok("Hello".into())];
    check_with(with_deflate(), &mixed, &want);
    let empty = Frame::new(OpCode::Binary, compress("")).compressed();
    check_with(with_deflate(), &empty.wire(), &[Ok(vec![].into())]);
}

#[test]
fn compressed_fragments_are_inflated_as_they_come() {
    let long = "a compressed text ".repeat(500);
    let payload = compress(&long);
    let (a, b) = payload.split_at(payload.len() / 2);
    let fragments = wire(&[
        Frame::new(OpCode::Text, a).compressed().unfinished(),
        more(b).unfinished(),
        ping("between"),
        more(""),
    ]);
    check_with(with_deflate(), &fragments, &[Ok(long.as_str().into())]);
    let bytes: Vec<u8> = (0..100_000_u32)
        .map(|at| (at.wrapping_mul(at) >> 8) as u8)
        .collect();
    let frame = Frame::new(OpCode::Binary, compress(&bytes))
        .compressed()
        .wire();
    for step in [100, 5000, usize::MAX] {
        let all = events(&mut client(with_deflate()), frame.chunks(step));
        assert_eq!(all, [Ok(bytes.clone().into())], "{step}");
    }
}

#[test]
fn inflated_messages_of_the_limit_are_taken_and_larger_ones_refused() {
    // WS-56
    let config = WsConfig {
        max_msg_size: 1000,
        ..with_deflate()
    };
    let frame = |len| Frame::new(OpCode::Text, compress("x".repeat(len))).compressed();
    let fits = "x".repeat(1000);
    check_with(config, &frame(1000).wire(), &[Ok(fits.as_str().into())]);
    let error = ProtocolError::InflatedTooBig { limit: 1000 };
    let said = "Decompressed message exceeds size limit 1000";
    let all = events(&mut client(config), [&frame(1001).wire()[..]]);
    assert_eq!(all, [Err(error)]);
    assert_eq!(
        (error.to_string().as_str(), error.close_code()),
        (said, CloseCode::MESSAGE_TOO_BIG)
    );
    // In two frames, of which the first one gives all that is allowed.
    let payload = compress("x".repeat(1001));
    let (a, b) = payload.split_at(payload.len() - 1);
    let fragments = [
        Frame::new(OpCode::Text, a).compressed().unfinished(),
        more(b),
    ];
    let bytes = wire(&fragments);
    assert_eq!(events(&mut client(config), bytes.chunks(1)), [Err(error)]);
}

#[test]
fn what_cannot_be_inflated_is_refused() {
    let bad = Frame::new(OpCode::Binary, [0xff; 20]).compressed().wire();
    let all = events(&mut client(with_deflate()), [&bad[..]]);
    assert_eq!(all, [Err(ProtocolError::Inflate)]);
    let mut bomb = Vec::new();
    for _ in 0..1025 {
        bomb.extend_from_slice(&[0x03, 0x00]);
    }
    let bomb = Frame::new(OpCode::Binary, bomb).compressed().wire();
    let all = events(&mut client(with_deflate()), [&bomb[..]]);
    assert_eq!(all, [Err(ProtocolError::TooManyMembers)]);
}

#[test]
fn every_split_of_a_long_mixed_stream_gives_the_same() {
    let long: String = "grüße €😀 ".repeat(350);
    let bytes: Vec<u8> = (0..4500_u32).map(|at| (at % 255) as u8).collect();
    let compressed = compress(&long);
    let (a, b) = compressed.split_at(compressed.len() / 3);
    let stream = [
        text("first").wire(),
        binary(&bytes).masked(),
        wire(&[
            text(&long[..4095]).unfinished(),
            ping("p"),
            more(&long[4095..]),
        ]),
        Frame::new(OpCode::Text, a)
            .compressed()
            .unfinished()
            .masked(),
        wire(&[
            pong("q"),
            more(b),
            text(""),
            binary(&bytes).unfinished(),
            more(&bytes),
        ]),
        text(&long).wire(),
        close(1000, "end").wire(),
    ]
    .concat();
    let config = WsConfig {
        autoping: false,
        ..with_deflate()
    };
    let want = events(&mut client(config), [&stream[..]]);
    assert_eq!(want.len(), 10);
    assert_eq!(want[3], Ok(long.as_str().into()));
    for step in (1..200).chain([1000, 4096, 5000, 8192]) {
        assert_eq!(
            events(&mut client(config), stream.chunks(step)),
            want,
            "{step}"
        );
    }
    for cut in 0..stream.len() {
        let (a, b) = stream.split_at(cut);
        assert_eq!(events(&mut client(config), [a, b]), want, "{cut}");
    }
}
