//! Messages, and the bytes a peer gets of them.

mod wire;

use std::iter;

use aio_ws::{
    CloseCode, CloseFrame, DeflateParams, Inflater, OpCode, Protocol, Role, WindowBits, WsConfig,
    WsError, WsMessage, WsMsgType,
};
use bytes::{Bytes, BytesMut};

use self::wire::{
    Frame, SEED, binary, close, events, frames, more, ping, pong, sent, text, transmit,
};

fn protocol(role: Role) -> Protocol {
    Protocol::new(role, WsConfig::default(), SEED)
}

fn with_deflate(role: Role, min_compress_size: usize) -> Protocol {
    let config = WsConfig {
        deflate: Some(DeflateParams::default()),
        min_compress_size,
        ..WsConfig::default()
    };
    Protocol::new(role, config, SEED)
}

fn ramp(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 253) as u8).collect()
}

#[track_caller]
fn check(message: impl Into<WsMessage>, want: &Frame) {
    let message = message.into();
    let want = [want.clone()];
    for role in [Role::Client, Role::Server] {
        for step in [1, 7, 5000, usize::MAX] {
            let mut protocol = protocol(role);
            protocol.send(message.clone()).expect("open");
            let wire = transmit(&mut protocol, step);
            assert_eq!(frames(&wire), want, "{role:?} {step}");
            assert_eq!(wire[1] & 0x80 != 0, role == Role::Client);
        }
    }
}

#[test]
fn messages_are_one_frame() {
    // WS-70
    check("hello", &text("hello"));
    check("", &text(""));
    check(WsMessage::TextBytes(Bytes::from_static(b"a")), &text("a"));
    check(vec![1, 2], &binary([1, 2]));
    check(WsMessage::Ping(Bytes::from_static(b"p")), &ping("p"));
    check(WsMessage::Pong(Bytes::new()), &pong(""));
    for len in [125, 126, 16_384, 16_385, 65_535, 65_536, 65_537, 200_000] {
        check(ramp(len), &binary(ramp(len)));
    }
}

#[test]
fn payloads_nobody_else_has_are_masked_in_place() {
    let payload = Bytes::from(ramp(200_000));
    let start = payload.as_ptr();
    let mut client = protocol(Role::Client);
    client.send(payload).expect("open");
    let [header, payload] = client.poll_transmit_vectored().expect("queued");
    assert_eq!(header.len(), 14);
    assert_eq!((payload.as_ptr(), payload.len()), (start, 65_536));
    client.transmitted(14 + 65_536 - 1);
    let next = client.poll_transmit().expect("a byte is left");
    assert_eq!(next.len(), 1);
    client.transmitted(1);
    assert_eq!(client.poll_transmit().map(<[u8]>::len), Some(65_536));
    assert_eq!(client.queued(), 200_000 - 65_536);
}

#[test]
fn shared_payloads_stay_as_they_are() {
    let payload = Bytes::from(ramp(200_000));
    let mut client = protocol(Role::Client);
    client.send(payload.clone()).expect("open");
    assert_eq!(sent(&mut client), [binary(ramp(200_000))]);
    assert_eq!(payload, ramp(200_000));
    // Nothing is masked by a server, so nothing is copied.
    let mut server = protocol(Role::Server);
    server.send(payload.clone()).expect("open");
    let [header, all] = server.poll_transmit_vectored().expect("queued");
    assert_eq!((header.len(), all.as_ptr()), (10, payload.as_ptr()));
}

#[test]
fn borrowed_payloads_are_sent_as_owned_ones() {
    for len in [0, 5, 16_384, 16_385, 100_000] {
        let mut client = protocol(Role::Client);
        client.send_bytes(&ramp(len)).expect("open");
        client.send_str("text").expect("open");
        assert_eq!(sent(&mut client), [binary(ramp(len)), text("text")]);
    }
}

#[test]
fn every_frame_has_a_key_of_its_own() {
    let mut keys = Vec::new();
    for seed in [[1; 32], [2; 32]] {
        let mut client = Protocol::new(Role::Client, WsConfig::default(), seed);
        for _ in 0..100 {
            client.send_str("").expect("open");
            let wire = transmit(&mut client, usize::MAX);
            keys.push(wire[2..6].to_vec());
        }
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 200);
}

#[test]
fn small_messages_are_written_together() {
    let mut client = protocol(Role::Client);
    for _ in 0..100 {
        client.send_str("hello").expect("open");
    }
    assert_eq!(client.queued(), 1100);
    assert_eq!(client.poll_transmit().map(<[u8]>::len), Some(1100));
    // Again the same until it is written.
    assert_eq!(client.poll_transmit().map(<[u8]>::len), Some(1100));
}

#[test]
fn large_and_small_messages_stay_in_order() {
    for role in [Role::Client, Role::Server] {
        for step in [11, 1000, 70_000, usize::MAX] {
            let mut protocol = protocol(role);
            let shared = Bytes::from(ramp(70_000));
            protocol.send_str("1").expect("open");
            protocol.send(ramp(40_000)).expect("open");
            protocol.send_str("2").expect("open");
            protocol.send_str("3").expect("open");
            protocol.send(shared.clone()).expect("open");
            protocol.send(shared.clone()).expect("open");
            protocol.send_str("4").expect("open");
            let queued = protocol.queued();
            let wire = transmit(&mut protocol, step);
            assert_eq!(wire.len(), queued);
            let want = [
                text("1"),
                binary(ramp(40_000)),
                text("2"),
                text("3"),
                binary(&shared),
                binary(&shared),
                text("4"),
            ];
            assert_eq!(frames(&wire), want, "{role:?} {step}");
        }
    }
}

#[test]
fn pongs_go_ahead_of_waiting_frames_but_into_none() {
    let mut client = protocol(Role::Client);
    client.send(ramp(100_000)).expect("open");
    client.send(ramp(50_000)).expect("open");
    let first = client.poll_transmit().map(<[u8]>::to_vec).expect("queued");
    client.transmitted(first.len());
    assert!(events(&mut client, [&ping("1").wire()[..], &ping("2").wire()]).is_empty());
    let wire = [first, transmit(&mut client, usize::MAX)].concat();
    // RFC 6455 5.5.2: of several pings the latest is answered.
    let want = [binary(ramp(100_000)), pong("2"), binary(ramp(50_000))];
    assert_eq!(frames(&wire), want);
}

#[test]
fn pongs_go_between_fragments() {
    let mut client = protocol(Role::Client);
    client.send_fragment("a", false).expect("open");
    assert!(events(&mut client, [&ping("1").wire()[..]]).is_empty());
    client.send_fragment("b", false).expect("open");
    client.send(WsMessage::Ping(Bytes::new())).expect("open");
    client.send_fragment("", true).expect("open");
    let want = [
        text("a").unfinished(),
        pong("1"),
        more("b").unfinished(),
        ping(""),
        more(""),
    ];
    assert_eq!(sent(&mut client), want);
}

#[test]
fn flood_of_pings_takes_no_memory_while_nothing_is_written() {
    let mut client = protocol(Role::Client);
    let flood: Vec<u8> = iter::repeat_n(ping([b'x'; 125]).wire(), 500)
        .flatten()
        .collect();
    for _ in 0..100 {
        assert!(events(&mut client, [&flood[..]]).is_empty());
        assert!(client.queued() < 70_000, "{}", client.queued());
    }
    assert!(events(&mut client, [&ping("last").wire()[..]]).is_empty());
    let all = sent(&mut client);
    assert!(all.len() < 600);
    assert_eq!(all.last(), Some(&pong("last")));
    // Once they are written, all are answered again.
    assert!(events(&mut client, [&flood[..]]).is_empty());
    assert_eq!(sent(&mut client).len(), 500);
}

#[test]
fn nothing_follows_the_close() {
    let mut client = protocol(Role::Client);
    client.send(ramp(100_000)).expect("open");
    assert!(events(&mut client, [&ping("1").wire()[..]]).is_empty());
    assert!(client.close(Some(CloseCode::OK.into())));
    assert!(events(&mut client, [&ping("2").wire()[..]]).is_empty());
    let want = [binary(ramp(100_000)), pong("1"), close(1000, "")];
    assert_eq!(sent(&mut client), want);

    // Nor a pong that waits behind many short messages.
    let mut client = protocol(Role::Client);
    for _ in 0..10 {
        client.send(ramp(10_000)).expect("open");
    }
    assert!(events(&mut client, [&ping("1").wire()[..]]).is_empty());
    assert!(client.close(Some(CloseCode::OK.into())));
    let all = sent(&mut client);
    assert_eq!(all[10..], [pong("1"), close(1000, "")]);
}

#[test]
fn closed_socket_sends_nothing() {
    // WS-24
    let mut client = protocol(Role::Client);
    client.send_str("before").expect("open");
    assert!(client.close(None));
    let payload = Bytes::new();
    let refused = [
        client.send("x"),
        client.send(WsMessage::Ping(payload.clone())),
        client.send(WsMessage::Pong(payload)),
        client.send(WsMessage::Close(None)),
        client.send_str("x"),
        client.send_bytes(b"x"),
        client.send_fragment("x", true),
        client.send_compressed("x", WindowBits::MAX),
    ];
    for result in refused {
        let error = result.expect_err("closed");
        assert!(matches!(error, WsError::Closed));
        assert_eq!(error.aiohttp_class(), "ClientConnectionResetError");
    }
    let want = [text("before"), Frame::new(OpCode::Close, "")];
    assert_eq!(sent(&mut client), want);
}

#[test]
fn fragments_are_pieces_of_one_message() {
    let mut server = protocol(Role::Server);
    server.send_fragment(vec![1], false).expect("open");
    let other = server.send("x").expect_err("unfinished");
    assert!(matches!(other, WsError::UnfinishedMessage));
    let other = server.send_str("x").expect_err("unfinished");
    assert!(matches!(other, WsError::UnfinishedMessage));
    let other = server.send_fragment("x", false).expect_err("another type");
    assert!(matches!(other, WsError::NotSendable(WsMsgType::Text)));
    server.send_fragment(ramp(30_000), false).expect("open");
    server.send_fragment(vec![2], true).expect("open");
    server.send_fragment("alone", true).expect("open");
    let want = [
        binary([1]).unfinished(),
        more(ramp(30_000)).unfinished(),
        more([2]),
        text("alone"),
    ];
    assert_eq!(sent(&mut server), want);
}

#[test]
fn what_is_no_message_is_refused() {
    let mut client = protocol(Role::Client);
    let closing = client.send(WsMessage::Closing).expect_err("never sent");
    assert!(matches!(closing, WsError::NotSendable(WsMsgType::Closing)));
    let long = WsMessage::Ping(Bytes::from(vec![0; 126]));
    let long = client.send(long).expect_err("too long");
    assert!(matches!(long, WsError::ControlTooLong(126)));
    let ping = WsMessage::Ping(Bytes::new());
    let ping = client.send_fragment(ping, true).expect_err("no piece");
    assert!(matches!(ping, WsError::NotSendable(WsMsgType::Ping)));
    assert_eq!(client.poll_transmit(), None);
}

#[test]
fn compressed_messages_have_the_bit_and_come_back() {
    for role in [Role::Client, Role::Server] {
        let mut sender = with_deflate(role, 0);
        let other = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let mut receiver = with_deflate(other, 0);
        let long = "compressed ".repeat(10_000);
        // Not to be compressed any further.
        let noise: Vec<u8> = (0..20_000_u32)
            .map(|at| (at.wrapping_mul(at ^ 0x5bd1_e995) >> 13) as u8)
            .collect();
        let messages: [WsMessage; 5] = [
            "hello, hello, world".into(),
            long.as_str().into(),
            "".into(),
            noise.into(),
            "hello, hello, world".into(),
        ];
        for message in &messages {
            sender.send(message.clone()).expect("open");
        }
        sender
            .send_compressed(&*long, WindowBits::MIN)
            .expect("open");
        sender.send_str("hello, hello, world").expect("open");
        sender.send_str("hello, hello, world").expect("open");
        sender.send_fragment("pie", false).expect("open");
        sender.send_fragment("", false).expect("open");
        sender.send_fragment("ces", true).expect("open");
        let output = transmit(&mut sender, 999);
        let all = frames(&output);
        assert!(
            all.iter()
                .all(|frame| frame.compressed == (frame.opcode != OpCode::Continuation))
        );
        assert!(all[1].payload.len() < 2000);
        // The context is kept: what came before is referred to.
        assert!(all[7].payload.len() < all[0].payload.len());

        let mut want: Vec<_> = messages.into_iter().map(Ok).collect();
        want.extend([
            Ok(long.as_str().into()),
            Ok("hello, hello, world".into()),
            Ok("hello, hello, world".into()),
            Ok("pieces".into()),
        ]);
        assert_eq!(events(&mut receiver, output.chunks(1234)), want);
    }
}

#[test]
fn pieces_of_a_compressed_message_arrive_as_they_are_sent() {
    let mut client = with_deflate(Role::Client, 0);
    let mut inflater = Inflater::new(true);
    for (piece, last) in [("one, ", false), ("one, two", true)] {
        client.send_fragment(piece, last).expect("open");
        let [frame] = &sent(&mut client)[..] else {
            panic!("a frame for each piece");
        };
        let mut text = BytesMut::new();
        let inflated = inflater.inflate(&frame.payload, last, &mut text, 100);
        assert_eq!((inflated, &text[..]), (Ok(()), piece.as_bytes()));
    }
}

#[test]
fn short_messages_need_not_be_compressed() {
    let mut client = with_deflate(Role::Client, 6);
    client.send_str("short").expect("open");
    client.send("longer").expect("open");
    client
        .send_compressed("short", WindowBits::MAX)
        .expect("open");
    let all = sent(&mut client);
    assert_eq!(all[0], text("short"));
    assert!(all[1].compressed && all[2].compressed);
}

#[test]
fn message_may_be_compressed_that_was_not_negotiated() {
    // WS-23
    let (mut client, mut server) = (protocol(Role::Client), with_deflate(Role::Server, 0));
    let ten = WindowBits::new(10).expect("between 9 and 15");
    for _ in 0..2 {
        client.send_compressed("hello hello", ten).expect("open");
        client.send_str("plain").expect("open");
    }
    let output = transmit(&mut client, usize::MAX);
    let compressed: Vec<bool> = frames(&output)
        .iter()
        .map(|frame| frame.compressed)
        .collect();
    assert_eq!(compressed, [true, false, true, false]);
    let want = ["hello hello", "plain", "hello hello", "plain"];
    assert_eq!(
        events(&mut server, [&output[..]]),
        want.map(|text| Ok(text.into()))
    );
}

#[test]
fn close_frame_carries_code_and_as_much_of_the_reason_as_fits() {
    let frame = |code, reason: &str| {
        let reason = reason.into();
        Some(CloseFrame { code, reason })
    };
    let check = |given: Option<CloseFrame>, want: Frame| {
        let mut client = protocol(Role::Client);
        assert!(client.close(given));
        assert_eq!(sent(&mut client), [want]);
    };
    check(frame(CloseCode::GOING_AWAY, "bye"), close(1001, "bye"));
    check(None, Frame::new(OpCode::Close, ""));
    // What has no code on the wire has none there.
    check(
        frame(CloseCode::NO_STATUS, "x"),
        Frame::new(OpCode::Close, ""),
    );
    check(
        frame(CloseCode::OK, &"x".repeat(123)),
        close(1000, &"x".repeat(123)),
    );
    check(
        frame(CloseCode::OK, &"x".repeat(124)),
        close(1000, &"x".repeat(123)),
    );
    check(
        frame(CloseCode::OK, &"€".repeat(50)),
        close(1000, &"€".repeat(41)),
    );
    let long = format!("x{}", "€".repeat(50));
    check(
        frame(CloseCode::OK, &long),
        close(1000, &format!("x{}", "€".repeat(40))),
    );
}
