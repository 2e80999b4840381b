//! How a WebSocket ends, from either side, and what is told of it.

mod wire;

use std::time::{Duration, Instant};

use aio_ws::{CloseCode, CloseFrame, OpCode, Protocol, Role, WsConfig, WsError, WsMessage};

use self::wire::{Frame, SEED, close, event, events, ping, sent, text, transmit, wire};

const BOTH: [Role; 2] = [Role::Client, Role::Server];

fn protocol(role: Role) -> Protocol {
    Protocol::new(role, WsConfig::default(), SEED)
}

fn frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame {
        code: CloseCode::from_wire(code).expect("allowed"),
        reason: reason.into(),
    }
}

/// What is told of a socket: closed, done, close code, class of the exception.
fn state(protocol: &Protocol) -> (bool, bool, Option<u16>, Option<&'static str>) {
    (
        protocol.is_closed(),
        protocol.is_done(),
        protocol.close_code(),
        protocol.exception().map(WsError::aiohttp_class),
    )
}

#[test]
fn close_of_the_peer_is_answered() {
    // WS-40
    for role in BOTH {
        let mut protocol = protocol(role);
        assert_eq!(state(&protocol), (false, false, None, None));
        let all = events(&mut protocol, [&close(3000, "bye").wire()[..]]);
        assert_eq!(all, [Ok(WsMessage::Close(Some(frame(3000, "bye"))))]);
        assert_eq!(state(&protocol), (true, true, Some(3000), None));
        assert_eq!(sent(&mut protocol), [close(1000, "")]);
        assert!(!protocol.close(None));
        protocol.end_of_input();
        assert_eq!(event(&mut protocol), None);
        assert_eq!(state(&protocol), (true, true, Some(3000), None));
    }
}

#[test]
fn close_without_a_code_is_one() {
    // WS-41: aiohttp waits for another close.
    let mut client = protocol(Role::Client);
    let all = events(&mut client, [&Frame::new(OpCode::Close, "").wire()[..]]);
    assert_eq!(all, [Ok(WsMessage::Close(None))]);
    assert_eq!(state(&client), (true, true, Some(1005), None));
    assert_eq!(sent(&mut client), [close(1000, "")]);
}

#[test]
fn close_of_the_peer_is_left_to_the_caller() {
    // EDGE-273
    let config = WsConfig {
        autoclose: false,
        ..WsConfig::default()
    };
    let mut client = Protocol::new(Role::Client, config, SEED);
    let all = events(&mut client, [&close(3000, "bye").wire()[..]]);
    assert_eq!(all, [Ok(WsMessage::Close(Some(frame(3000, "bye"))))]);
    assert_eq!(state(&client), (false, false, Some(3000), None));
    assert!(!client.is_receiving());
    // Until then there is still something to say.
    client.send_str("wait").expect("open");
    assert!(client.close(Some(frame(3001, ""))));
    assert_eq!(state(&client), (true, true, Some(3000), None));
    assert_eq!(sent(&mut client), [text("wait"), close(3001, "")]);
}

#[test]
fn own_close_waits_for_the_answer() {
    // WS-30; EDGE-291: a ping meanwhile does not matter.
    for role in BOTH {
        let mut protocol = protocol(role);
        assert!(protocol.close(Some(frame(4000, "done"))));
        assert_eq!(state(&protocol), (true, false, None, None));
        assert!(protocol.is_receiving());
        assert_eq!(sent(&mut protocol), [close(4000, "done")]);
        let late = wire(&[text("late"), ping("late"), text("l").unfinished()]);
        assert_eq!(events(&mut protocol, late.chunks(1)), []);
        assert_eq!(state(&protocol), (true, false, None, None));
        assert_eq!(events(&mut protocol, [&close(4001, "").wire()[..]]), []);
        assert_eq!(state(&protocol), (true, true, Some(4001), None));
        assert_eq!(protocol.poll_transmit(), None);
    }
}

#[test]
fn only_the_first_close_closes() {
    // EDGE-270
    let mut client = protocol(Role::Client);
    assert!(client.close(Some(frame(1000, ""))));
    assert!(!client.close(Some(frame(1001, ""))));
    assert_eq!(sent(&mut client), [close(1000, "")]);
}

#[test]
fn closes_may_cross() {
    let (mut client, mut server) = (protocol(Role::Client), protocol(Role::Server));
    assert!(client.close(Some(frame(4000, ""))));
    assert!(server.close(Some(frame(4001, ""))));
    client.receive(&transmit(&mut server, usize::MAX));
    server.receive(&transmit(&mut client, usize::MAX));
    assert_eq!((event(&mut client), event(&mut server)), (None, None));
    assert_eq!(state(&client), (true, true, Some(4001), None));
    assert_eq!(state(&server), (true, true, Some(4000), None));
    assert_eq!(
        (client.poll_transmit(), server.poll_transmit()),
        (None, None)
    );
}

#[test]
fn messages_come_before_the_end_of_the_connection() {
    // WS-42, EDGE-286
    let mut client = protocol(Role::Client);
    client.receive(&wire(&[text("1"), text("2")]));
    client.receive(b"\x81\x05cut");
    client.end_of_input();
    assert!(!client.is_closed());
    assert_eq!(event(&mut client), Some(Ok("1".into())));
    assert_eq!(event(&mut client), Some(Ok("2".into())));
    assert!(!client.is_closed());
    assert_eq!(event(&mut client), None);
    assert_eq!(state(&client), (true, true, Some(1006), Some("EofStream")));
    assert_eq!(client.poll_transmit(), None);
    assert!(matches!(client.send("x"), Err(WsError::Closed)));
}

#[test]
fn end_of_the_connection_ends_the_wait_for_the_answer() {
    let mut client = protocol(Role::Client);
    assert!(client.close(None));
    client.end_of_input();
    assert_eq!(event(&mut client), None);
    assert_eq!(state(&client), (true, true, Some(1006), Some("EofStream")));
}

#[test]
fn broken_protocol_ends_the_wait_for_the_answer() {
    let mut client = protocol(Role::Client);
    assert!(client.close(None));
    assert_eq!(sent(&mut client).len(), 1);
    assert_eq!(events(&mut client, [&b"\x8f\x00"[..]]), []);
    assert_eq!(
        state(&client),
        (true, true, Some(1006), Some("WebSocketError"))
    );
    assert_eq!(client.poll_transmit(), None);
}

#[test]
fn lost_connection_is_given_up() {
    // EDGE-272, WS-46
    let mut client = protocol(Role::Client);
    assert!(client.close(None));
    client.abandon(Some(WsError::Timeout));
    assert_eq!(
        state(&client),
        (true, true, Some(1006), Some("TimeoutError"))
    );
    let mut client = protocol(Role::Client);
    client.send_str("lost").expect("open");
    client.receive(&text("lost").wire());
    client.abandon(None);
    assert_eq!(state(&client), (true, true, Some(1006), None));
    assert_eq!(event(&mut client), None);
    assert_eq!(client.poll_transmit(), None);
}

#[test]
fn receive_may_follow_a_timeout() {
    // WS-28, EDGE-293
    let mut client = protocol(Role::Client);
    client.receive_timed_out();
    assert_eq!(state(&client), (false, false, Some(1006), None));
    assert_eq!(
        events(&mut client, [&text("late").wire()[..]]),
        [Ok("late".into())]
    );
    let all = events(&mut client, [&close(1000, "").wire()[..]]);
    assert_eq!(all.len(), 1);
    assert_eq!(state(&client), (true, true, Some(1000), None));
}

const SECOND: Duration = Duration::from_secs(1);

fn with_heartbeat(now: Instant) -> Protocol {
    let config = WsConfig {
        heartbeat: Some(SECOND),
        ..WsConfig::default()
    };
    let mut protocol = Protocol::new(Role::Client, config, SEED);
    assert_eq!(protocol.poll_timeout(), None);
    protocol.alive(now);
    protocol
}

#[test]
fn silent_peer_is_asked_and_then_given_up() {
    // EDGE-275
    let start = Instant::now();
    let mut client = with_heartbeat(start);
    client.handle_timeout(start + SECOND / 2);
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(client.poll_timeout(), Some(start + SECOND));
    client.handle_timeout(start + SECOND);
    assert_eq!(sent(&mut client), [ping("")]);
    let deadline = start + SECOND * 3 / 2;
    assert_eq!(client.poll_timeout(), Some(deadline));
    client.send_str("unheard").expect("open");
    client.handle_timeout(deadline);
    assert_eq!(
        state(&client),
        (true, true, Some(1006), Some("ServerTimeoutError"))
    );
    let error = client.poll_event().expect("once").expect_err("given up");
    assert_eq!(error.to_string(), "no pong received after 0.5 seconds");
    assert!(client.poll_event().is_none());
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn any_bytes_are_a_sign_of_life() {
    // EDGE-276
    let start = Instant::now();
    let mut client = with_heartbeat(start);
    client.handle_timeout(start + SECOND);
    assert_eq!(sent(&mut client), [ping("")]);
    let mut now = start + SECOND * 5 / 4;
    client.receive(b"\x82\x7f\0\0\0\0\0\x10\0\0");
    client.alive(now);
    for _ in 0..100 {
        now += SECOND * 3 / 4;
        client.handle_timeout(now);
        assert_eq!(client.poll_transmit(), None);
        client.receive(b"x");
        client.alive(now);
        assert_eq!(event(&mut client), None);
        assert_eq!(client.poll_timeout(), Some(now + SECOND));
    }
}

#[test]
fn closed_socket_has_no_timer() {
    // EDGE-277
    let start = Instant::now();
    let mut client = with_heartbeat(start);
    assert!(client.close(None));
    assert_eq!(client.poll_timeout(), None);
    client.alive(start);
    assert_eq!(client.poll_timeout(), None);

    let mut client = with_heartbeat(start);
    client.end_of_input();
    assert_eq!(event(&mut client), None);
    assert_eq!(client.poll_timeout(), None);

    let mut client = with_heartbeat(start);
    assert_eq!(events(&mut client, [&close(1000, "").wire()[..]]).len(), 1);
    assert_eq!(client.poll_timeout(), None);

    let mut client = with_heartbeat(start);
    client.receive(b"\xff\xff");
    assert!(client.poll_event().expect("an error").is_err());
    assert_eq!(client.poll_timeout(), None);
    client.handle_timeout(start + SECOND * 9);
    assert_eq!(client.close_code(), Some(1002));
}
