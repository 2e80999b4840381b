use super::*;

fn beating(heartbeat: Duration, room: usize) -> (WebSocket<DuplexStream>, Peer) {
    let config = WsConfig {
        heartbeat: Some(heartbeat),
        ..WsConfig::default()
    };
    let (socket, peer) = client_with(config, room);
    (socket.start_heartbeat(), peer)
}

/// How many tasks there are, beside that of the test.
fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_pongs_is_given_up() {
    // EDGE-275, WS-81
    let (mut socket, mut peer) = beating(100 * MS, ROOM);
    let start = tokio::time::Instant::now();
    let error = within(socket.receive()).await.expect_err("no pong");
    assert_eq!(start.elapsed(), 150 * MS);
    assert_eq!(error.to_string(), "no pong received after 0.05 seconds");
    check_state(&socket, true, Some(1006), Some("ServerTimeoutError"));
    assert_eq!(within(socket.receive()).await.expect("closed"), None);
    assert!(!within(socket.close(CloseCode::OK, "")).await);
    assert_eq!(peer.frames().await, [(OpCode::Ping, Vec::new())]);
}

#[tokio::test(start_paused = true)]
async fn peer_is_given_up_while_nobody_receives() {
    // WS-83
    let (mut socket, mut peer) = beating(100 * MS, ROOM);
    tokio::time::sleep(151 * MS).await;
    check_state(&socket, true, Some(1006), Some("ServerTimeoutError"));
    assert_eq!(within(socket.receive()).await.expect("closed"), None);
    assert_eq!(peer.frames().await, [(OpCode::Ping, Vec::new())]);
}

#[tokio::test(start_paused = true)]
async fn pongs_keep_the_socket_open() {
    let (mut socket, mut peer) = beating(100 * MS, ROOM);
    let pong = async {
        for _ in 0..5 {
            assert_eq!(peer.frame().await, Some((OpCode::Ping, Vec::new())));
            peer.send(OpCode::Pong, "").await;
        }
        peer.send(OpCode::Text, "alive").await;
    };
    let (_, received) = within(async { tokio::join!(pong, socket.receive()) }).await;
    assert_eq!(text_of(received), "alive");
}

#[tokio::test(start_paused = true)]
async fn pongs_keep_the_socket_open_while_nobody_receives() {
    // WS-83
    let (mut socket, mut peer) = beating(100 * MS, ROOM);
    let start = tokio::time::Instant::now();
    for _ in 0..5 {
        assert_eq!(peer.frame().await, Some((OpCode::Ping, Vec::new())));
        peer.send(OpCode::Pong, "").await;
    }
    assert_eq!(start.elapsed(), 500 * MS);
    peer.send(OpCode::Text, "alive").await;
    assert_eq!(text_of(within(socket.receive()).await), "alive");
    check_state(&socket, false, None, None);
}

#[tokio::test(start_paused = true)]
async fn pongs_count_behind_a_receive_that_was_dropped() {
    let (mut socket, mut peer) = beating(100 * MS, ROOM);
    assert!(waits(pin!(socket.receive())).await);
    // A stream that is not polled any more cannot tell so.
    let polled =
        poll_fn(|cx| Poll::Ready(futures_core::Stream::poll_next(Pin::new(&mut socket), cx)));
    assert!(polled.await.is_pending());
    for _ in 0..5 {
        assert_eq!(peer.frame().await, Some((OpCode::Ping, Vec::new())));
        peer.send(OpCode::Pong, "").await;
    }
    check_state(&socket, false, None, None);
}

#[tokio::test(start_paused = true)]
async fn slow_frame_is_no_silence() {
    // EDGE-276
    let (mut socket, mut peer) = beating(100 * MS, ROOM);
    let frame = frame(OpCode::Binary, &[7; 300]);
    let send = async {
        for byte in &frame {
            tokio::time::sleep(90 * MS).await;
            peer.stream.write_all(&[*byte]).await.expect("open");
        }
        peer
    };
    let (mut peer, received) = within(async { tokio::join!(send, socket.receive_bytes()) }).await;
    assert_eq!(received.expect("binary"), vec![7; 300]);
    // Not even a ping was needed.
    assert!(waits(pin!(peer.frame())).await);
}

#[tokio::test(start_paused = true)]
async fn nothing_remains_behind_the_close() {
    // EDGE-277
    let (mut socket, mut peer) = beating(100 * MS, ROOM);
    tokio::task::yield_now().await;
    assert_eq!(tasks(), 1);
    peer.send_close(CloseCode::OK).await;
    assert!(within(socket.close(CloseCode::OK, "")).await);
    tokio::time::sleep(MS).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_remains_behind_the_end() {
    // EDGE-277
    let (mut socket, peer) = beating(100 * MS, ROOM);
    drop(peer);
    assert_eq!(within(socket.receive()).await.expect("closed"), None);
    check_state(&socket, true, Some(1006), Some("EofStream"));
    tokio::time::sleep(MS).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_remains_behind_a_dropped_socket() {
    let (socket, mut peer) = beating(100 * MS, ROOM);
    tokio::task::yield_now().await;
    drop(socket);
    assert_eq!(peer.frames().await, [closed(CloseCode::GOING_AWAY)]);
    tokio::time::sleep(MS).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_heartbeat_there_is_no_task() {
    let (socket, _peer) = client();
    let socket = socket.start_heartbeat();
    assert!(matches!(socket.handle.link, Link::Own(_)));
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn ping_that_cannot_be_sent_ends_the_socket() {
    // WS-84
    let config = WsConfig {
        heartbeat: Some(100 * MS),
        ..WsConfig::default()
    };
    let mut socket = socket(Broken, Role::Client, config).start_heartbeat();
    let start = tokio::time::Instant::now();
    let error = within(socket.receive()).await.expect_err("broken");
    assert!(matches!(error, WsError::Io(_)), "{error:?}");
    assert_eq!(start.elapsed(), 100 * MS);
    check_state(
        &socket,
        true,
        Some(1006),
        Some("ClientConnectionResetError"),
    );
}

/// A stream that takes nothing and has nothing.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_is_bounded_and_no_silence() {
    // EDGE-287, WS-64
    let (mut socket, mut peer) = beating(100 * MS, 1024);
    let frame = frame(OpCode::Text, b"tiny");
    let flood = async {
        let mut sent = 0;
        while timeout(1000 * MS, peer.stream.write_all(&frame))
            .await
            .is_ok()
        {
            sent += frame.len();
        }
        sent
    };
    let sent = within(flood).await;
    assert!((512 * 1024..600 * 1024).contains(&sent), "{sent}");
    tokio::time::sleep(10_000 * MS).await;
    check_state(&socket, false, None, None);
    for _ in 0..sent / frame.len() {
        assert_eq!(text_of(within(socket.receive()).await), "tiny");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_read_while_nobody_receives() {
    // WS-83
    let (mut socket, mut peer) = beating(100 * MS, 16);
    within(peer.send(OpCode::Binary, vec![1; 10_000])).await;
    within(peer.send(OpCode::Binary, vec![2; 10_000])).await;
    let message = within(socket.receive_bytes()).await.expect("binary");
    assert_eq!(message, vec![1; 10_000]);
    let message = within(socket.receive_bytes()).await.expect("binary");
    assert_eq!(message, vec![2; 10_000]);
}

#[tokio::test(start_paused = true)]
async fn end_while_nobody_receives_is_told_behind_the_messages() {
    // EDGE-277, EDGE-286
    let (mut socket, mut peer) = beating(100 * MS, ROOM);
    peer.send(OpCode::Text, "last").await;
    drop(peer);
    tokio::time::sleep(1000 * MS).await;
    assert_eq!(tasks(), 0);
    assert_eq!(text_of(within(socket.receive()).await), "last");
    assert_eq!(within(socket.receive()).await.expect("closed"), None);
    check_state(&socket, true, Some(1006), Some("EofStream"));
}

#[tokio::test(start_paused = true)]
async fn halves_keep_the_heartbeat() {
    let (socket, mut peer) = beating(100 * MS, ROOM);
    let (reader, writer) = socket.split();
    assert_eq!(peer.frame().await, Some((OpCode::Ping, Vec::new())));
    peer.send(OpCode::Pong, "").await;
    let mut socket = reader.reunite(writer).expect("a pair");
    assert_eq!(peer.frame().await, Some((OpCode::Ping, Vec::new())));
    let error = within(socket.receive()).await.expect_err("no pong");
    assert!(matches!(error, WsError::Heartbeat { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn writer_learns_that_the_peer_was_given_up() {
    let (socket, _peer) = beating(100 * MS, 64);
    let (mut reader, mut writer) = socket.split();
    let write = writer.send(vec![0; 1000]);
    let (sent, received) = within(async { tokio::join!(write, reader.receive()) }).await;
    assert!(matches!(sent, Err(WsError::Closed)), "{sent:?}");
    let error = received.expect_err("no pong");
    assert!(matches!(error, WsError::Heartbeat { .. }), "{error:?}");
    assert!(matches!(writer.send("x").await, Err(WsError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn heartbeat_and_halves_share_a_narrow_stream() {
    let config = WsConfig {
        heartbeat: Some(10 * MS),
        ..WsConfig::default()
    };
    let (near, far) = duplex(3);
    let client = socket(near, Role::Client, config).start_heartbeat();
    let mut server = socket(far, Role::Server, config).start_heartbeat();
    let (mut reader, mut writer) = client.split();
    let write = async {
        for number in 0..20_u8 {
            tokio::time::sleep(Duration::from_millis((number % 4).into()) * 7).await;
            writer.send(vec![number; 500]).await.expect("open");
        }
    };
    let read = async {
        for number in 0..20_u8 {
            let message = reader.receive_bytes().await.expect("open");
            assert_eq!(message, vec![number; 500]);
        }
    };
    let echo = async {
        for _ in 0..20 {
            let message = server.receive_bytes().await.expect("open");
            server.send(message).await.expect("open");
        }
    };
    within(async { tokio::join!(write, read, echo) }).await;
}
