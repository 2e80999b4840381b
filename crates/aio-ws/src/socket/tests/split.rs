use super::*;

#[tokio::test(start_paused = true)]
async fn close_ends_a_receive_of_the_other_half() {
    // EDGE-271, WS-31
    let (socket, mut peer) = client();
    let (mut reader, mut writer) = socket.split();
    let receive = async {
        let received = reader.receive().await.expect("no error");
        let state = (reader.is_closed(), reader.close_code());
        assert_eq!(reader.receive().await.expect("closed"), None);
        (received, state)
    };
    let close = async {
        tokio::time::sleep(100 * MS).await;
        let closes = writer.close(CloseCode::OK, "").await;
        assert!(writer.exception().is_none());
        (closes, writer.is_closed(), writer.close_code())
    };
    let answer = async {
        assert_eq!(peer.frame().await, Some(closed(CloseCode::OK)));
        peer.send_close(CloseCode::OK).await;
        assert_eq!(peer.frame().await, None);
    };
    let (received, closed, ()) = within(async { tokio::join!(receive, close, answer) }).await;
    assert_eq!(received, (Some(WsMessage::Closing), (false, None)));
    assert_eq!(closed, (true, true, Some(1000)));
}

#[tokio::test(start_paused = true)]
async fn of_two_closes_one_closes() {
    // EDGE-270
    let (socket, mut peer) = client();
    let (mut reader, mut writer) = socket.split();
    let answer = async {
        let frame = peer.frame().await;
        tokio::time::sleep(100 * MS).await;
        peer.send_close(CloseCode::OK).await;
        assert_eq!(peer.frame().await, None);
        frame
    };
    let (one, other, frame) = within(async {
        tokio::join!(
            reader.close(CloseCode::OK, ""),
            writer.close(CloseCode::GOING_AWAY, ""),
            answer
        )
    })
    .await;
    assert!(one ^ other);
    assert_eq!(frame, Some(closed(CloseCode::OK)));
    assert!(reader.is_closed() && writer.is_closed());
    assert_eq!(writer.close_code(), Some(1000));
}

#[tokio::test(start_paused = true)]
async fn pong_of_the_reader_does_not_lose_the_writer() {
    let (socket, mut peer) = client_with(WsConfig::default(), 64);
    let (mut reader, mut writer) = socket.split();
    let write = tokio::spawn(async move {
        writer.send(vec![0; 1000]).await.expect("open");
        writer
    });
    // The writer waits for room, and behind it the reader, with its pong.
    tokio::time::sleep(MS).await;
    let read = tokio::spawn(async move { reader.receive_str().await });
    peer.send(OpCode::Ping, "p").await;
    tokio::time::sleep(MS).await;
    assert!(!write.is_finished());
    assert_eq!(peer.frame().await.expect("open").1.len(), 1000);
    let writer = within(write).await.expect("no panic");
    assert_eq!(peer.frame().await, Some((OpCode::Pong, b"p".to_vec())));
    peer.send(OpCode::Text, "t").await;
    assert_eq!(within(read).await.expect("no panic").expect("text"), "t");
    drop(writer);
}

#[tokio::test(start_paused = true)]
async fn halves_at_both_ends_never_block_each_other() {
    for room in [1, 2, 3, 7, 64, 4096] {
        within(exchange(room)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_work_on_several_threads() {
    for room in [1, 7, 4096] {
        timeout(Duration::from_secs(60), exchange(room))
            .await
            .expect("no dead lock");
    }
}

/// Has both ends send and receive at the same time, with pings in between.
async fn exchange(room: usize) {
    let sizes = [0, 1, 125, 126, 700, 3, 20_000, 9];
    let (client, server) = pair(room);
    let tasks = [client, server].map(|socket| {
        let (mut reader, mut writer) = socket.split();
        let write = tokio::spawn(async move {
            for (at, size) in sizes.into_iter().cycle().take(40).enumerate() {
                if at % 3 == 0 {
                    writer.ping(vec![at as u8; 100]).await?;
                }
                writer.send(vec![at as u8; size]).await?;
            }
            Ok::<_, WsError>(writer)
        });
        let read = tokio::spawn(async move {
            for (at, size) in sizes.into_iter().cycle().take(40).enumerate() {
                let message = reader.receive_bytes().await?;
                assert_eq!(message, vec![at as u8; size]);
            }
            Ok::<_, WsError>(reader)
        });
        (read, write)
    });
    let mut sockets = Vec::new();
    for (read, write) in tasks {
        let reader = read.await.expect("no panic").expect("open");
        let writer = write.await.expect("no panic").expect("open");
        sockets.push(reader.reunite(writer).expect("a pair"));
    }
    let (server, client) = (sockets.pop(), sockets.pop());
    let (mut server, mut client) = (server.expect("two"), client.expect("two"));
    let receive = async { while let Ok(Some(_)) = server.receive().await {} };
    let (closes, ()) = tokio::join!(client.close(CloseCode::OK, ""), receive);
    assert!(closes);
    assert_eq!(client.close_code(), Some(1000));
}

#[tokio::test(start_paused = true)]
async fn only_a_pair_is_reunited() {
    let (one, _far_one) = client();
    let (other, mut peer) = client();
    let (reader, writer) = one.split();
    let (other_reader, other_writer) = other.split();
    let error = reader.reunite(other_writer).expect_err("strangers");
    let (reader, other_writer) = error.into_halves();
    assert!(reader.is_pair_of(&writer));
    let mut socket = other_reader.reunite(other_writer).expect("a pair");
    assert!(matches!(socket.handle.link, Link::Own(_)));
    within(socket.send("x")).await.expect("open");
    assert_eq!(peer.frame().await, Some((OpCode::Text, b"x".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn socket_ends_with_its_last_half() {
    let (socket, mut peer) = client();
    let (mut reader, writer) = socket.split();
    drop(writer);
    peer.send(OpCode::Text, "t").await;
    assert_eq!(within(reader.receive_str()).await.expect("open"), "t");
    drop(reader);
    assert_eq!(peer.frames().await, [closed(CloseCode::GOING_AWAY)]);
}

#[tokio::test(start_paused = true)]
async fn writer_learns_that_the_peer_closed() {
    let (socket, mut peer) = client_with(WsConfig::default(), 64);
    let (mut reader, mut writer) = socket.split();
    let write = tokio::spawn(async move { writer.send(vec![0; 1000]).await });
    tokio::time::sleep(MS).await;
    peer.send_close(CloseCode::OK).await;
    // The peer takes nothing more: the close is left unanswered.
    assert!(matches!(
        within(reader.receive()).await,
        Ok(Some(WsMessage::Close(_)))
    ));
    let sent = within(write).await.expect("no panic");
    assert!(matches!(sent, Err(WsError::Closed)), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_no_reader_that_is_gone() {
    let (socket, mut peer) = client();
    let (mut reader, mut writer) = socket.split();
    // A stream that is dropped while it waits tells nobody.
    let polled =
        poll_fn(|cx| Poll::Ready(futures_core::Stream::poll_next(Pin::new(&mut reader), cx)));
    assert!(polled.await.is_pending());
    drop(reader);
    peer.send_close(CloseCode::OK).await;
    assert!(within(writer.close(CloseCode::OK, "")).await);
    assert!(writer.is_closed());
    assert_eq!(peer.frames().await, [closed(CloseCode::OK)]);
}

#[tokio::test(start_paused = true)]
async fn close_of_the_reader_goes_behind_what_the_writer_sends() {
    let (socket, mut peer) = client_with(WsConfig::default(), 64);
    let (mut reader, mut writer) = socket.split();
    let write = async {
        writer.send(vec![0; 1000]).await.expect("it was queued");
        writer.send("behind").await
    };
    let close = async {
        tokio::time::sleep(MS).await;
        reader.close(CloseCode::OK, "").await
    };
    let answer = async {
        tokio::time::sleep(2 * MS).await;
        assert_eq!(peer.frame().await.expect("open").1.len(), 1000);
        assert_eq!(peer.frame().await, Some(closed(CloseCode::OK)));
        peer.send_close(CloseCode::OK).await;
    };
    let (sent, closes, ()) = within(async { tokio::join!(write, close, answer) }).await;
    assert!(matches!(sent, Err(WsError::Closed)), "{sent:?}");
    assert!(closes);
}

#[tokio::test(start_paused = true)]
async fn writer_learns_that_the_peer_is_gone() {
    let (socket, mut peer) = client_with(WsConfig::default(), 64);
    let (mut reader, mut writer) = socket.split();
    let write = writer.send(vec![0; 1000]);
    let end = async {
        tokio::time::sleep(MS).await;
        // The peer says that it ends, and takes nothing.
        peer.stream.shutdown().await.expect("open");
    };
    let (sent, received, ()) = within(async { tokio::join!(write, reader.receive(), end) }).await;
    assert_eq!(received.expect("no error"), None);
    assert!(matches!(sent, Err(WsError::Closed)), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn writer_learns_that_the_rest_went_with_the_close() {
    let (socket, mut peer) = client_with(WsConfig::default(), 64);
    let (mut reader, mut writer) = socket.split();
    let write = writer.send(vec![0; 1000]);
    let close = async {
        tokio::time::sleep(MS).await;
        peer.send_close(CloseCode::OK).await;
        peer.frames().await.len()
    };
    let (sent, received, frames) =
        within(async { tokio::join!(write, reader.receive(), close) }).await;
    assert!(matches!(received, Ok(Some(WsMessage::Close(_)))));
    sent.expect("it was written");
    assert_eq!(frames, 2);
}

#[tokio::test(start_paused = true)]
async fn reader_does_not_wait_for_ever_when_the_writer_sends_a_close() {
    let (socket, mut peer) = client();
    let (mut reader, mut writer) = socket.split();
    let start = tokio::time::Instant::now();
    let send = async {
        tokio::time::sleep(MS).await;
        writer.send(WsMessage::Close(None)).await
    };
    let (sent, received) = within(async { tokio::join!(send, reader.receive()) }).await;
    sent.expect("open");
    assert_eq!(received.expect("closed"), None);
    assert_eq!(start.elapsed(), Duration::from_secs(10) + MS);
    assert_eq!(reader.close_code(), Some(1006));
    assert_eq!(peer.frames().await, [(OpCode::Close, Vec::new())]);
}
