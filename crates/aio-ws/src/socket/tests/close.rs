use super::*;

#[tokio::test(start_paused = true)]
async fn close_waits_for_the_answer() {
    let (mut socket, mut peer) = client();
    let answer = async {
        let mut want = 4000_u16.to_be_bytes().to_vec();
        want.extend_from_slice("reason ü".as_bytes());
        assert_eq!(peer.frame().await, Some((OpCode::Close, want)));
        // WS-30: dropped.
        peer.send(OpCode::Text, "dropped").await;
        peer.send(OpCode::Ping, "dropped").await;
        peer.send(OpCode::Close, 4001_u16.to_be_bytes()).await;
        assert_eq!(peer.frame().await, None);
    };
    let code = CloseCode::from_wire(4000).expect("allowed");
    let close = socket.close(code, "reason ü");
    let ((), closes) = within(async { tokio::join!(answer, close) }).await;
    assert!(closes);
    check_state(&socket, true, Some(4001), None);
    assert!(!within(socket.close(CloseCode::OK, "")).await);
    assert!(socket.with_stream(|_| ()).is_none());
}

#[tokio::test(start_paused = true)]
async fn close_of_the_peer_is_answered() {
    let (mut socket, mut peer) = client();
    let mut payload = 1001_u16.to_be_bytes().to_vec();
    payload.extend_from_slice(b"going away");
    peer.send(OpCode::Close, payload).await;
    peer.send(OpCode::Text, "behind").await;
    let received = within(socket.receive()).await.expect("no error");
    let Some(WsMessage::Close(Some(frame))) = received else {
        panic!("{received:?}");
    };
    assert_eq!(frame.code, CloseCode::GOING_AWAY);
    assert_eq!(frame.reason, "going away");
    check_state(&socket, true, Some(1001), None);
    assert_eq!(within(socket.receive()).await.expect("closed"), None);
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
    assert!(!within(socket.close(CloseCode::OK, "")).await);
}

#[tokio::test(start_paused = true)]
async fn close_without_a_code_is_not_waited_with() {
    // WS-41
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Close, "").await;
    let start = tokio::time::Instant::now();
    let received = within(socket.receive()).await.expect("no error");
    assert_eq!(received, Some(WsMessage::Close(None)));
    assert_eq!(start.elapsed(), Duration::ZERO);
    check_state(&socket, true, Some(1005), None);
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_answers_is_left() {
    // EDGE-272
    let (socket, mut peer) = client();
    let mut socket = socket.with_timeout(WsTimeout {
        close: Some(250 * MS),
        ..WsTimeout::default()
    });
    let start = tokio::time::Instant::now();
    assert!(within(socket.close(CloseCode::OK, "")).await);
    assert_eq!(start.elapsed(), 250 * MS);
    check_state(&socket, true, Some(1006), Some("TimeoutError"));
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}

#[tokio::test(start_paused = true)]
async fn peer_that_takes_nothing_is_left() {
    let (mut socket, _peer) = client_with(WsConfig::default(), 4);
    let start = tokio::time::Instant::now();
    assert!(within(socket.close(CloseCode::OK, "")).await);
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    check_state(&socket, true, Some(1006), Some("TimeoutError"));
}

#[tokio::test(start_paused = true)]
async fn answer_that_the_peer_does_not_take_is_not_waited_for_long() {
    let (mut socket, mut peer) = client_with(WsConfig::default(), 4);
    let send = peer.send_close(CloseCode::GOING_AWAY);
    let start = tokio::time::Instant::now();
    let ((), received) = within(async { tokio::join!(send, socket.receive()) }).await;
    assert!(
        matches!(received, Ok(Some(WsMessage::Close(_)))),
        "{received:?}"
    );
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    check_state(&socket, true, Some(1001), None);
}

#[tokio::test(start_paused = true)]
async fn without_autoclose_the_caller_answers() {
    // EDGE-273
    let config = WsConfig {
        autoclose: false,
        ..WsConfig::default()
    };
    let (mut socket, mut peer) = client_with(config, ROOM);
    peer.send(OpCode::Close, 3000_u16.to_be_bytes()).await;
    let received = within(socket.receive()).await.expect("no error");
    assert!(matches!(received, Some(WsMessage::Close(_))));
    check_state(&socket, false, Some(3000), None);
    let code = CloseCode::from_wire(3001).expect("allowed");
    assert!(within(socket.close(code, "")).await);
    check_state(&socket, true, Some(3000), None);
    assert_eq!(peer.frames().await, [closed(code)]);
}

#[tokio::test(start_paused = true)]
async fn without_autoclose_receiving_on_answers() {
    // WS-27
    let config = WsConfig {
        autoclose: false,
        ..WsConfig::default()
    };
    let (mut socket, mut peer) = client_with(config, ROOM);
    peer.send_close(CloseCode::GOING_AWAY).await;
    assert!(within(socket.receive()).await.expect("no error").is_some());
    assert_eq!(within(socket.receive()).await.expect("no error"), None);
    check_state(&socket, true, Some(1001), None);
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}

#[tokio::test(start_paused = true)]
async fn peer_that_ends_instead_of_answering_is_told_of() {
    let (mut socket, mut peer) = client();
    let end = async {
        assert!(peer.frame().await.is_some());
        drop(peer);
    };
    let close = socket.close(CloseCode::OK, "");
    let ((), closes) = within(async { tokio::join!(end, close) }).await;
    assert!(closes);
    check_state(&socket, true, Some(1006), Some("EofStream"));
}

#[tokio::test(start_paused = true)]
async fn close_finds_the_close_of_a_peer_that_is_gone() {
    let (mut socket, mut peer) = client();
    peer.send_close(CloseCode::SERVICE_RESTART).await;
    drop(peer);
    assert!(within(socket.close(CloseCode::OK, "")).await);
    check_state(&socket, true, Some(1012), None);
}

#[tokio::test(start_paused = true)]
async fn ping_in_flight_harms_no_close() {
    // EDGE-291
    let (mut socket, mut peer) = client();
    within(socket.ping("p")).await.expect("open");
    let answer = async {
        assert_eq!(peer.frame().await, Some((OpCode::Ping, b"p".to_vec())));
        assert_eq!(peer.frame().await, Some(closed(CloseCode::OK)));
        peer.send(OpCode::Pong, "p").await;
        peer.send_close(CloseCode::OK).await;
    };
    let close = socket.close(CloseCode::OK, "");
    let ((), closes) = within(async { tokio::join!(answer, close) }).await;
    assert!(closes);
    check_state(&socket, true, Some(1000), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_behind_the_close() {
    let (mut socket, mut peer) = client();
    peer.send_close(CloseCode::OK).await;
    assert!(within(socket.close(CloseCode::OK, "")).await);
    for sent in [
        within(socket.send("x")).await,
        within(socket.ping("")).await,
        within(socket.feed("x")).await,
        within(socket.send_fragment("x", true)).await,
    ] {
        assert!(matches!(sent, Err(WsError::Closed)), "{sent:?}");
    }
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}

#[tokio::test(start_paused = true)]
async fn close_that_is_sent_as_a_message_closes() {
    let (mut socket, mut peer) = client();
    let close = WsMessage::Close(Some(CloseCode::GOING_AWAY.into()));
    within(socket.send(close)).await.expect("open");
    assert!(socket.is_closed());
    assert_eq!(peer.frame().await, Some(closed(CloseCode::GOING_AWAY)));
    peer.send(OpCode::Text, "dropped").await;
    peer.send_close(CloseCode::OK).await;
    assert_eq!(within(socket.receive()).await.expect("closed"), None);
    check_state(&socket, true, Some(1000), None);
    assert!(socket.with_stream(|_| ()).is_none());
}

#[tokio::test(start_paused = true)]
async fn sink_that_is_closed_closes_the_socket() {
    use futures_sink::Sink as _;
    let (mut socket, mut peer) = client();
    peer.send_close(CloseCode::OK).await;
    within(poll_fn(|cx| Pin::new(&mut socket).poll_close(cx)))
        .await
        .expect("no error");
    check_state(&socket, true, Some(1000), None);
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}

#[tokio::test(start_paused = true)]
async fn dropped_socket_says_goodbye() {
    let (mut socket, mut peer) = client();
    within(socket.feed("fed")).await.expect("open");
    drop(socket);
    let want = [
        (OpCode::Text, b"fed".to_vec()),
        closed(CloseCode::GOING_AWAY),
    ];
    assert_eq!(peer.frames().await, want);
}

#[tokio::test(start_paused = true)]
async fn dropped_socket_waits_for_nothing() {
    let (socket, mut peer) = client_with(WsConfig::default(), 2);
    drop(socket);
    let mut rest = Vec::new();
    within(peer.stream.read_to_end(&mut rest))
        .await
        .expect("no error in memory");
    assert_eq!(rest.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn dropped_socket_answers_the_close_it_was_told() {
    let config = WsConfig {
        autoclose: false,
        ..WsConfig::default()
    };
    let (mut socket, mut peer) = client_with(config, ROOM);
    peer.send_close(CloseCode::GOING_AWAY).await;
    assert!(within(socket.receive()).await.expect("no error").is_some());
    drop(socket);
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}

#[tokio::test(start_paused = true)]
async fn close_that_was_sent_as_a_message_is_not_answered_for_ever() {
    let (mut socket, _peer) = client();
    within(socket.send(WsMessage::Close(None)))
        .await
        .expect("open");
    let start = tokio::time::Instant::now();
    assert_eq!(within(socket.receive()).await.expect("closed"), None);
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    check_state(&socket, true, Some(1006), Some("TimeoutError"));
}

#[tokio::test(start_paused = true)]
async fn messages_put_off_the_limit_on_closing() {
    // WS-30: the limit is on each read.
    let (socket, mut peer) = client();
    let mut socket = socket.with_timeout(WsTimeout {
        close: Some(400 * MS),
        ..WsTimeout::default()
    });
    let answer = async {
        for opcode in [OpCode::Text, OpCode::Ping, OpCode::Pong, OpCode::Binary] {
            tokio::time::sleep(300 * MS).await;
            peer.send(opcode, "x").await;
        }
        peer.send_close(CloseCode::GOING_AWAY).await;
    };
    let close = socket.close(CloseCode::OK, "");
    let ((), closes) = within(async { tokio::join!(answer, close) }).await;
    assert!(closes);
    check_state(&socket, true, Some(1001), None);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_make_no_message_do_not_put_it_off() {
    let (socket, mut peer) = client();
    let mut socket = socket.with_timeout(WsTimeout {
        close: Some(400 * MS),
        ..WsTimeout::default()
    });
    let trickle = async {
        let frame = frame(OpCode::Binary, &[0; 100]);
        for byte in frame.chunks(1) {
            // The socket may be gone.
            _ = peer.stream.write_all(byte).await;
            tokio::time::sleep(100 * MS).await;
        }
    };
    let start = tokio::time::Instant::now();
    let close = async {
        let closes = socket.close(CloseCode::OK, "").await;
        (closes, start.elapsed())
    };
    let ((), (closes, elapsed)) = within(async { tokio::join!(trickle, close) }).await;
    assert!(closes);
    assert_eq!(elapsed, 400 * MS);
    check_state(&socket, true, Some(1006), Some("TimeoutError"));
}

#[tokio::test(start_paused = true)]
async fn error_that_waits_to_be_received_does_not_keep_the_close_back() {
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Text, "x").await;
    peer.stream.write_all(&[0x83, 0]).await.expect("read");
    assert_eq!(text_of(within(socket.receive()).await), "x");
    assert!(within(socket.close(CloseCode::OK, "")).await);
    check_state(&socket, true, Some(1006), Some("WebSocketError"));
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}
