use std::io;

use futures_sink::Sink as _;
use tokio::io::ReadBuf;

use super::*;

/// A stream that writes one piece at a time, as TLS may.
struct OnePiece(DuplexStream);

impl AsyncRead for OnePiece {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for OnePiece {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_message_goes_out_piece_by_piece() {
    for room in [1, 100, ROOM] {
        let (near, far) = duplex(room);
        let mut socket = socket(OnePiece(near), Role::Client, WsConfig::default());
        let mut peer = Peer::new(far);
        let message = vec![7; 3 * ROOM];
        let (sent, frame) = tokio::join!(socket.send_bytes(message.clone()), peer.frame());
        sent.expect("open");
        assert!(frame == Some((OpCode::Binary, message)), "{room}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_message_is_sent() {
    let (mut socket, mut peer) = client();
    within(async {
        socket.send_str("text").await?;
        socket.send_bytes(&b"bytes"[..]).await?;
        socket.ping("ping").await?;
        socket.pong("pong").await?;
        socket.send_frame("raw", OpCode::Text, None).await
    })
    .await
    .expect("open");
    for want in [
        (OpCode::Text, "text"),
        (OpCode::Binary, "bytes"),
        (OpCode::Ping, "ping"),
        (OpCode::Pong, "pong"),
        (OpCode::Text, "raw"),
    ] {
        let want = (want.0, want.1.as_bytes().to_vec());
        assert_eq!(peer.frame().await, Some(want));
    }
    for opcode in [OpCode::Continuation, OpCode::Close] {
        let sent = within(socket.send_frame("", opcode, None)).await;
        assert!(matches!(sent, Err(WsError::NotSendable(_))), "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn fed_messages_go_out_with_the_flush() {
    let (mut socket, mut peer) = client();
    within(socket.feed("a")).await.expect("open");
    within(socket.feed("b")).await.expect("open");
    let mut byte = [0; 1];
    assert!(waits(pin!(peer.stream.read(&mut byte))).await);
    within(socket.flush()).await.expect("open");
    assert_eq!(peer.frame().await, Some((OpCode::Text, b"a".to_vec())));
    assert_eq!(peer.frame().await, Some((OpCode::Text, b"b".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn fed_messages_go_out_when_receiving_waits() {
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Text, "1").await;
    peer.send(OpCode::Ping, "p").await;
    peer.send(OpCode::Text, "2").await;
    for _ in 0..2 {
        let text = within(socket.receive_str()).await.expect("text");
        within(socket.feed(text)).await.expect("open");
    }
    let mut byte = [0; 1];
    assert!(waits(pin!(peer.stream.read(&mut byte))).await);
    assert!(waits(pin!(socket.receive())).await);
    assert_eq!(peer.frame().await, Some((OpCode::Text, b"1".to_vec())));
    assert_eq!(peer.frame().await, Some((OpCode::Pong, b"p".to_vec())));
    assert_eq!(peer.frame().await, Some((OpCode::Text, b"2".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn feeding_waits_for_a_peer_that_takes_nothing() {
    // WS-72
    let (mut socket, mut peer) = client_with(WsConfig::default(), 1024);
    let message = Bytes::from(vec![0; 64 * 1024]);
    let mut fed = 0;
    loop {
        let feed = pin!(socket.feed(message.clone()));
        if waits(feed).await {
            break;
        }
        fed += 1;
    }
    assert!((4..=6).contains(&fed), "{fed}");
    // The one that waited is not queued.
    let read = async {
        for _ in 0..fed {
            let (opcode, payload) = peer.frame().await.expect("open");
            assert_eq!((opcode, payload.len()), (OpCode::Binary, message.len()));
        }
    };
    let (_, flushed) = within(async { tokio::join!(read, socket.flush()) }).await;
    flushed.expect("open");
    assert!(waits(pin!(peer.frame())).await);
}

#[tokio::test(start_paused = true)]
async fn sending_waits_for_room_first() {
    let (mut socket, _peer) = client_with(WsConfig::default(), 1024);
    let message = Bytes::from(vec![0; 300 * 1024]);
    assert!(waits(pin!(socket.send(message.clone()))).await);
    let queued = |socket: &WebSocket<_>| socket.handle.link.look(|core| core.protocol().queued());
    let before = queued(&socket);
    for _ in 0..10 {
        assert!(waits(pin!(socket.send(message.clone()))).await);
    }
    assert_eq!(queued(&socket), before);
}

#[tokio::test(start_paused = true)]
async fn message_is_written_in_pieces() {
    let (mut client, mut server) = pair(ROOM);
    let mut writer = client.binary_writer();
    within(async {
        writer.send("one,").await.expect("open");
        writer.write_all(b" two,").await.expect("open");
        writer.write_all(b" three").await.expect("open");
        writer.finish().await.expect("open");
    })
    .await;
    let message = within(server.receive_bytes()).await.expect("binary");
    assert_eq!(message, "one, two, three");

    within(async {
        client.send_fragment("te", false).await.expect("open");
        client.ping("between").await.expect("control frame");
        client.send_fragment("xt", true).await.expect("open");
    })
    .await;
    assert_eq!(within(server.receive_str()).await.expect("text"), "text");
}

#[tokio::test(start_paused = true)]
async fn large_message_is_copied_into_a_writer() {
    let (mut client, mut server) = pair(ROOM);
    let pieces: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let write = async {
        let mut writer = client.binary_writer();
        tokio::io::copy(&mut &pieces[..], &mut writer)
            .await
            .expect("open");
        writer.shutdown().await.expect("open");
        writer.finish().await.expect("finished before");
    };
    let (_, message) = within(async { tokio::join!(write, server.receive_bytes()) }).await;
    assert_eq!(message.expect("binary"), pieces);
}

#[tokio::test(start_paused = true)]
async fn unfinished_message_is_in_the_way_of_others() {
    let (mut client, mut server) = pair(ROOM);
    within(client.binary_writer().send("half"))
        .await
        .expect("open");
    let sent = within(client.send("x")).await;
    assert!(matches!(sent, Err(WsError::UnfinishedMessage)), "{sent:?}");
    within(client.binary_writer().finish()).await.expect("open");
    within(client.send("x")).await.expect("open");
    let message = within(server.receive_bytes()).await.expect("binary");
    assert_eq!(message, "half");
    assert_eq!(within(server.receive_str()).await.expect("text"), "x");
}

#[tokio::test(start_paused = true)]
async fn sink_queues_and_flushes() {
    let (mut socket, mut peer) = client();
    within(poll_fn(|cx| Pin::new(&mut socket).poll_ready(cx)))
        .await
        .expect("open");
    Pin::new(&mut socket)
        .start_send("one".into())
        .expect("open");
    let mut byte = [0; 1];
    assert!(waits(pin!(peer.stream.read(&mut byte))).await);
    within(poll_fn(|cx| Pin::new(&mut socket).poll_flush(cx)))
        .await
        .expect("open");
    assert_eq!(peer.frame().await, Some((OpCode::Text, b"one".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn failed_write_leaves_what_came_to_be_received() {
    let (mut socket, mut peer) = client();
    peer.send(OpCode::Text, "last words").await;
    drop(peer);
    let sent = within(socket.send("x")).await;
    assert!(matches!(sent, Err(WsError::Io(_))), "{sent:?}");
    let sent = within(socket.send("x")).await;
    assert!(matches!(sent, Err(WsError::Closed)), "{sent:?}");
    assert_eq!(text_of(within(socket.receive()).await), "last words");
    assert_eq!(within(socket.receive()).await.expect("closed"), None);
}

#[tokio::test(start_paused = true)]
async fn streams_that_hold_back_are_flushed() {
    let (near, far) = duplex(ROOM);
    let near = tokio::io::BufStream::new(near);
    let mut socket = socket(near, Role::Client, WsConfig::default());
    let mut peer = Peer::new(far);
    within(socket.send("one")).await.expect("open");
    assert_eq!(peer.frame().await, Some((OpCode::Text, b"one".to_vec())));
    peer.send(OpCode::Ping, "p").await;
    assert!(waits(pin!(socket.receive())).await);
    assert_eq!(peer.frame().await, Some((OpCode::Pong, b"p".to_vec())));
    drop(socket);
    assert_eq!(peer.frames().await, [closed(CloseCode::GOING_AWAY)]);
}
