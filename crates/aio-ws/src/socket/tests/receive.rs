use super::*;

#[tokio::test(start_paused = true)]
async fn messages_are_received_in_order() {
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Text, "one").await;
    peer.send(OpCode::Binary, [0, 255]).await;
    peer.send(OpCode::Text, "").await;
    assert_eq!(text_of(within(socket.receive()).await), "one");
    let bytes = within(socket.receive_bytes()).await.expect("binary");
    assert_eq!(bytes, [0, 255][..]);
    assert_eq!(within(socket.receive_str()).await.expect("text"), "");
}

#[tokio::test(start_paused = true)]
async fn frames_in_single_bytes_are_received() {
    let (mut socket, mut peer) = client_with(WsConfig::default(), 1);
    let long = "ü".repeat(5000);
    let send = async {
        peer.send(OpCode::Text, &long).await;
        peer.send(OpCode::Binary, &long).await;
    };
    let receive = async {
        assert_eq!(socket.receive_str().await.expect("text"), long.as_str());
        assert_eq!(socket.receive_bytes().await.expect("bytes"), long);
    };
    within(async { tokio::join!(send, receive) }).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_behind_the_handshake_come_first() {
    // EDGE-283
    let (near, far) = duplex(ROOM);
    let mut protocol = Protocol::new(Role::Client, WsConfig::default(), [7; 32]);
    protocol.receive(&frame(OpCode::Text, b"early"));
    let mut socket = WebSocket::new(near, protocol);
    let mut peer = Peer::new(far);
    peer.send(OpCode::Text, "late").await;
    assert_eq!(text_of(within(socket.receive()).await), "early");
    assert_eq!(text_of(within(socket.receive()).await), "late");
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_before_a_message_is_handed_out() {
    let (mut socket, mut peer) = client();
    let mut frames = frame(OpCode::Ping, b"p");
    frames.extend_from_slice(&frame(OpCode::Pong, b"?"));
    frames.extend_from_slice(&frame(OpCode::Text, b"t"));
    peer.stream.write_all(&frames).await.expect("room");
    assert_eq!(text_of(within(socket.receive()).await), "t");
    assert_eq!(peer.frame().await, Some((OpCode::Pong, b"p".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn pings_wait_until_somebody_receives() {
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Ping, "p").await;
    within(socket.send("first")).await.expect("open");
    peer.send(OpCode::Text, "t").await;
    assert_eq!(text_of(within(socket.receive()).await), "t");
    assert_eq!(peer.frame().await, Some((OpCode::Text, b"first".to_vec())));
    assert_eq!(peer.frame().await, Some((OpCode::Pong, b"p".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn without_autoping_pings_are_received() {
    let config = WsConfig {
        autoping: false,
        ..WsConfig::default()
    };
    let (mut socket, mut peer) = client_with(config, ROOM);
    peer.send(OpCode::Ping, "p").await;
    let received = within(socket.receive()).await.expect("open");
    assert_eq!(received, Some(WsMessage::Ping("p".into())));
    within(socket.pong("mine")).await.expect("open");
    assert_eq!(peer.frame().await, Some((OpCode::Pong, b"mine".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn receive_in_vain_leaves_the_socket_open() {
    // EDGE-293, WS-28
    let (mut socket, mut peer) = client();
    let received = within(socket.receive_timeout(200 * MS)).await;
    assert!(matches!(received, Err(WsError::Timeout)), "{received:?}");
    check_state(&socket, false, Some(1006), None);
    peer.send(OpCode::Text, "late").await;
    let received = within(socket.receive_timeout(200 * MS)).await;
    assert_eq!(text_of(received), "late");
    check_state(&socket, false, Some(1006), None);
    // aiohttp waits for no answer then.
    assert!(within(socket.close(CloseCode::OK, "")).await);
    check_state(&socket, true, Some(1006), None);
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}

#[tokio::test(start_paused = true)]
async fn limit_on_receiving_holds_for_each_call() {
    let (socket, mut peer) = client();
    let mut socket = socket.with_timeout(WsTimeout {
        receive: Some(100 * MS),
        ..WsTimeout::default()
    });
    for _ in 0..3 {
        let start = tokio::time::Instant::now();
        let received = within(socket.receive()).await;
        assert!(matches!(received, Err(WsError::Timeout)), "{received:?}");
        assert_eq!(start.elapsed(), 100 * MS);
    }
    let received = next(&mut socket).await;
    assert!(
        matches!(received, Some(Err(WsError::Timeout))),
        "{received:?}"
    );
    // One that is dropped starts no clock for the next.
    assert!(timeout(60 * MS, socket.receive()).await.is_err());
    let send = async {
        tokio::time::sleep(60 * MS).await;
        peer.send(OpCode::Text, "x").await;
    };
    let (_, received) = within(async { tokio::join!(send, socket.receive()) }).await;
    assert_eq!(text_of(received), "x");
}

#[tokio::test(start_paused = true)]
async fn pings_put_off_the_limit_on_receiving() {
    // WS-28: as in aiohttp, it is on each message that comes, given or not.
    let (mut socket, mut peer) = client();
    let send = async {
        for opcode in [OpCode::Ping, OpCode::Pong, OpCode::Text] {
            tokio::time::sleep(60 * MS).await;
            peer.send(opcode, "x").await;
        }
    };
    let receive = socket.receive_timeout(100 * MS);
    let ((), received) = within(async { tokio::join!(send, receive) }).await;
    assert_eq!(text_of(received), "x");
}

#[tokio::test(start_paused = true)]
async fn no_time_is_no_limit() {
    let (mut socket, _peer) = client();
    let receive = pin!(socket.receive_timeout(Duration::ZERO));
    assert!(waits(receive).await);
}

#[tokio::test(start_paused = true)]
async fn end_without_close_is_told_behind_the_messages() {
    // EDGE-286, WS-42
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Text, "last").await;
    drop(peer);
    assert_eq!(text_of(within(socket.receive()).await), "last");
    check_state(&socket, false, None, None);
    assert_eq!(within(socket.receive()).await.expect("no error"), None);
    check_state(&socket, true, Some(1006), Some("EofStream"));
    assert_eq!(within(socket.receive()).await.expect("no error"), None);
    let sent = within(socket.send("x")).await;
    assert!(matches!(sent, Err(WsError::Closed)), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn error_is_told_once() {
    // EDGE-285, WS-43
    let (mut socket, mut peer) = client();
    peer.stream.write_all(&[0xc1, 0]).await.expect("room");
    peer.send(OpCode::Text, "behind").await;
    let received = within(socket.receive()).await;
    let Err(WsError::Protocol(error)) = received else {
        panic!("{received:?}");
    };
    assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    check_state(&socket, true, Some(1002), None);
    assert_eq!(within(socket.receive()).await.expect("once"), None);
    assert_eq!(peer.frames().await, [closed(CloseCode::PROTOCOL_ERROR)]);
}

#[tokio::test(start_paused = true)]
async fn other_types_than_asked_for_are_errors() {
    // EDGE-282
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Binary, "b").await;
    peer.send(OpCode::Text, "t").await;
    peer.send_close(CloseCode::GOING_AWAY).await;
    let check = |error: WsError, want: WsMsgType| {
        assert!(
            matches!(error, WsError::MessageType { got, .. } if got == want),
            "{error:?}"
        );
    };
    check(
        within(socket.receive_str()).await.expect_err("binary"),
        WsMsgType::Binary,
    );
    check(
        within(socket.receive_bytes()).await.expect_err("text"),
        WsMsgType::Text,
    );
    check(
        within(socket.receive_str()).await.expect_err("close"),
        WsMsgType::Close,
    );
    check(
        within(socket.receive_str()).await.expect_err("closed"),
        WsMsgType::Closed,
    );
    check_state(&socket, true, Some(1001), None);
}

#[tokio::test(start_paused = true)]
async fn texts_need_not_be_checked() {
    // EDGE-281
    let config = WsConfig {
        decode_text: false,
        ..WsConfig::default()
    };
    let (mut socket, mut peer) = client_with(config, ROOM);
    peer.send(OpCode::Text, b"\xff").await;
    peer.send(OpCode::Text, "fine").await;
    let received = within(socket.receive()).await.expect("open");
    assert_eq!(received, Some(WsMessage::TextBytes(b"\xff"[..].into())));
    assert_eq!(within(socket.receive_str()).await.expect("UTF-8"), "fine");
}

#[tokio::test(start_paused = true)]
async fn stream_ends_with_the_close() {
    // EDGE-290, WS-25
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Text, "1").await;
    peer.send(OpCode::Binary, "2").await;
    peer.send_close(CloseCode::OK).await;
    let mut received = Vec::new();
    while let Some(message) = next(&mut socket).await {
        received.push(message.expect("no error"));
    }
    let want = [WsMessage::from("1"), WsMessage::from(&b"2"[..])];
    assert_eq!(received, want);
    check_state(&socket, true, Some(1000), None);
    assert!(next(&mut socket).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_that_nobody_asked_for() {
    let (mut socket, mut peer) = client_with(WsConfig::default(), 8);
    let full = pin!(peer.send(OpCode::Binary, [0; 100]));
    assert!(waits(full).await);
    assert!(socket.with_stream(|_| ()).is_some());
    let received = cut(socket.receive(), 1).await;
    assert!(received.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_last_pong_is_known_though_it_is_no_message() {
    for autoping in [true, false] {
        let config = WsConfig {
            autoping,
            ..WsConfig::default()
        };
        let (mut socket, mut peer) = client_with(config, ROOM);
        assert!(socket.last_pong().is_empty());
        for pong in ["1", "2"] {
            peer.send(OpCode::Pong, pong).await;
        }
        peer.send(OpCode::Text, "t").await;
        for _ in 0..if autoping { 1 } else { 3 } {
            within(socket.receive()).await.expect("open");
        }
        assert_eq!(socket.last_pong(), "2");
    }
}

#[tokio::test(start_paused = true)]
async fn polls_give_what_receiving_gives() {
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Text, "t").await;
    peer.send_close(CloseCode::GOING_AWAY).await;
    let mut next = async || within(poll_fn(|cx| socket.poll_receive(cx))).await;
    assert_eq!(text_of(next().await), "t");
    let Ok(Some(WsMessage::Close(Some(frame)))) = next().await else {
        panic!("the close is received");
    };
    assert_eq!(frame.code, CloseCode::GOING_AWAY);
    assert!(matches!(next().await, Ok(None)));
}
