use super::*;

/// The lengths of the messages that are exchanged.
const SIZES: [usize; 9] = [0, 1, 5, 125, 126, 700, 4100, 9000, 3];

/// Bytes for a message, which differ with its number.
fn payload(number: usize) -> Bytes {
    let len = SIZES[number % SIZES.len()];
    (0..len).map(|at| (at + number) as u8).collect()
}

#[tokio::test(start_paused = true)]
async fn dropped_receives_lose_nothing() {
    for room in [1, 3, 64, 4096, 30_000] {
        for polls in 1..6 {
            within(receive_in_cuts(room, polls)).await;
        }
    }
}

/// Receives, where each receive is dropped when it was polled so often.
async fn receive_in_cuts(room: usize, polls: usize) {
    let (mut client, mut server) = pair(room);
    let send = async {
        for number in 0..SIZES.len() {
            server
                .feed(WsMessage::Ping(vec![number as u8; 9].into()))
                .await
                .expect("open");
            server.send(payload(number)).await.expect("open");
        }
        while server.receive().await.expect("open").is_some() {}
    };
    let receive = async {
        for number in 0..SIZES.len() {
            let message = loop {
                match cut(client.receive(), polls).await {
                    Some(message) => break message.expect("open"),
                    None => tokio::task::yield_now().await,
                }
            };
            assert_eq!(message, Some(WsMessage::Binary(payload(number))));
        }
        assert!(client.close(CloseCode::OK, "").await);
        check_state(&client, true, Some(1000), None);
    };
    tokio::join!(send, receive);
}

#[tokio::test(start_paused = true)]
async fn dropped_sends_are_sent_whole_or_not_at_all() {
    for room in [1, 3, 64, 4096, 30_000] {
        for polls in 0..6 {
            within(send_in_cuts(room, polls)).await;
        }
    }
}

/// Sends, where each send is dropped when it was polled so often.
async fn send_in_cuts(room: usize, polls: usize) {
    let (mut client, mut server) = pair(room);
    let send = async {
        for number in 0..2 * SIZES.len() {
            // At the first poll there is room, so that it is queued then.
            cut(client.send(payload(number)), polls).await;
        }
        client.close(CloseCode::OK, "").await
    };
    let receive = async {
        let mut received = Vec::new();
        while let Some(message) = server.receive().await.expect("open") {
            received.push(message);
        }
        received
    };
    let (closes, mut received) = tokio::join!(send, receive);
    assert!(closes);
    assert!(matches!(received.pop(), Some(WsMessage::Close(_))));
    let count = if polls == 0 { 0 } else { 2 * SIZES.len() };
    let want = (0..count).map(|number| WsMessage::Binary(payload(number)));
    assert_eq!(received, Vec::from_iter(want));
}

#[tokio::test(start_paused = true)]
async fn dropped_flushes_lose_nothing() {
    let (mut client, mut server) = pair(3);
    let send = async {
        for number in 0..SIZES.len() {
            while cut(client.feed(payload(number)), 1).await.is_none() {
                cut(client.flush(), 2).await;
            }
        }
        while cut(client.flush(), 2).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    let receive = async {
        for number in 0..SIZES.len() {
            let message = server.receive_bytes().await.expect("open");
            assert_eq!(message, payload(number));
        }
    };
    within(async { tokio::join!(send, receive) }).await;
}

#[tokio::test(start_paused = true)]
async fn closes_of_the_peer_survive_dropped_receives() {
    for room in [1, 2, 3, 5, 64] {
        for polls in 1..6 {
            let (mut client, mut server) = pair(room);
            let receive = async {
                loop {
                    match cut(client.receive(), polls).await {
                        Some(message) => break message.expect("no error"),
                        None => tokio::task::yield_now().await,
                    }
                }
            };
            let close = server.close(CloseCode::GOING_AWAY, "reason");
            let (message, closes) = within(async { tokio::join!(receive, close) }).await;
            assert!(closes);
            let Some(WsMessage::Close(Some(frame))) = message else {
                panic!("{message:?}");
            };
            assert_eq!(frame.code, CloseCode::GOING_AWAY);
            assert_eq!(frame.reason, "reason");
            check_state(&client, true, Some(1001), None);
            check_state(&server, true, Some(1000), None);
            assert_eq!(within(client.receive()).await.expect("closed"), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_closes_give_the_connection_up() {
    // WS-32
    for polls in 1..20 {
        let (mut client, mut peer) = client_with(WsConfig::default(), 1);
        let close = cut(client.close(CloseCode::OK, "a reason"), polls);
        let answer = async {
            // Not even all of the close frame is read.
            let mut byte = [0; 1];
            for _ in 0..7 {
                if peer.stream.read(&mut byte).await.expect("no error") == 0 {
                    break;
                }
            }
            peer
        };
        let (closes, peer) = within(async { tokio::join!(close, answer) }).await;
        drop(peer);
        if closes.is_none() {
            check_state(&client, true, Some(1006), None);
        }
        assert!(client.with_stream(|_| ()).is_none() || closes.is_some());
        assert_eq!(within(client.receive()).await.expect("closed"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn halves_survive_dropped_futures() {
    for polls in 1..5 {
        let (client, server) = pair(3);
        let (mut reader, mut writer) = client.split();
        let (mut far_reader, mut far_writer) = server.split();
        let write = async {
            for number in 0..SIZES.len() {
                cut(writer.send(payload(number)), polls).await;
            }
            writer.flush().await.expect("open");
        };
        let echo = async {
            for _ in 0..SIZES.len() {
                let message = far_reader.receive_bytes().await.expect("open");
                far_writer.send(message).await.expect("open");
            }
        };
        let read = async {
            for number in 0..SIZES.len() {
                let message = loop {
                    match cut(reader.receive(), polls).await {
                        Some(message) => break message.expect("open"),
                        None => tokio::task::yield_now().await,
                    }
                };
                assert_eq!(message, Some(WsMessage::Binary(payload(number))));
            }
        };
        within(async { tokio::join!(write, echo, read) }).await;
    }
}
